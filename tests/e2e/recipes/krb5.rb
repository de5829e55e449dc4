# frozen_string_literal: true
# SPDX-License-Identifier: MIT

require_relative "call"

krb5 = Fiddle.dlopen("libkrb5.so.3")
context = [0].pack("J")
profile = [0].pack("J")
value = [0].pack("J")
call(krb5, "krb5_init_context", [P], I, context)
call(krb5, "krb5_get_profile", [P, P], I, context.unpack1("J"), profile)
call(krb5, "profile_get_string", [P, P, P, P, P, P], I, profile.unpack1("J"), "libdefaults",
     "plugin_base_dir", nil, nil, value)
check value.unpack1("J") != 0 && Fiddle::Pointer.new(value.unpack1("J")).to_s == "/.no"
