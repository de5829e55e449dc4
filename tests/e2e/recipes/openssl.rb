# frozen_string_literal: true
# SPDX-License-Identifier: MIT

require_relative "call"

crypto = Fiddle.dlopen("libcrypto.so.3")
provider = call(crypto, "OSSL_PROVIDER_load", [P, P], P, nil, "legacy")
check !provider.null? && File.foreach(ENV.fetch("OPENSSL_CONF")).any?(/openssl_conf/)
