# frozen_string_literal: true
# SPDX-License-Identifier: MIT

require_relative "call"

# backtrace() loads libgcc_s.so.1 by name, as pthread_exit() does, which aborts without it.
check call(Fiddle.dlopen(nil), "backtrace", [P, I], I, "\0" * 80, 10).positive?
