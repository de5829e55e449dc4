# frozen_string_literal: true
# SPDX-License-Identifier: MIT

require_relative "call"

tinfo = Fiddle.dlopen("libtinfo.so.6")
check call(tinfo, "setupterm", [P, I, P], I, "xterm-256color", 1, [0].pack("i")).zero? &&
      call(tinfo, "tigetnum", [P], I, "colors") == 256
