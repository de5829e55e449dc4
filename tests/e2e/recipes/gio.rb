# frozen_string_literal: true
# SPDX-License-Identifier: MIT

require_relative "call"

gio = Fiddle.dlopen("libgio-2.0.so.0")
check call(gio, "g_tls_backend_supports_tls", [P], I, call(gio, "g_tls_backend_get_default", [], P)) == 1
