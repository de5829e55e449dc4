# frozen_string_literal: true
# SPDX-License-Identifier: MIT

# What the checks of this directory share: functions of C libraries. Each check prints "ok" in a bundle
# that was built with the recipe of its name, and does not without it.
require "fiddle"

P = Fiddle::TYPE_VOIDP
I = Fiddle::TYPE_INT

def call(library, name, types, result, *values)
  Fiddle::Function.new(library[name], types, result).call(*values)
end

def check(condition)
  puts condition ? "ok" : "failed"
  exit condition ? 0 : 1
end
