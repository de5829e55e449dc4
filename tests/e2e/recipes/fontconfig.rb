# frozen_string_literal: true
# SPDX-License-Identifier: MIT

require_relative "call"

fontconfig = Fiddle.dlopen("libfontconfig.so.1")
config = call(fontconfig, "FcInitLoadConfig", [], P)
files = call(fontconfig, "FcConfigGetConfigFiles", [P], P, config)
file = call(fontconfig, "FcStrListNext", [P], P, files)
check !file.null? && file.to_s.end_with?("/etc/fonts/fonts.conf")
