# frozen_string_literal: true
# SPDX-License-Identifier: MIT

require "openssl"
require_relative "call"

# first.pem is one of the build machine's authorities.
store = OpenSSL::X509::Store.new
store.set_default_paths
check store.verify(OpenSSL::X509::Certificate.new(File.read(File.join(__dir__, "first.pem"))))
