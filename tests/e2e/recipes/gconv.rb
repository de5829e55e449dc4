# frozen_string_literal: true
# SPDX-License-Identifier: MIT

require_relative "call"

glib = Fiddle.dlopen("libglib-2.0.so.0")
text = call(glib, "g_convert", [P, Fiddle::TYPE_LONG, P, P, P, P, P], P,
            "\u00e4\u20ac", -1, "ISO-8859-15", "UTF-8", nil, nil, nil)
check !text.null? && text.to_s.bytes == [0xE4, 0xA4]
