# frozen_string_literal: true
# SPDX-License-Identifier: MIT

require_relative "call"

magic = Fiddle.dlopen("libmagic.so.1")
cookie = call(magic, "magic_open", [I], P, 0x10)
call(magic, "magic_load", [P, P], I, cookie, nil)
type = call(magic, "magic_buffer", [P, P, Fiddle::TYPE_SIZE_T], P, cookie, "%PDF-1.4\n", 9)
check !type.null? && type.to_s == "application/pdf"
