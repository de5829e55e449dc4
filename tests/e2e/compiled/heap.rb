# SPDX-License-Identifier: MIT
# frozen_string_literal: true

# How many objects there is room for, and who is told so.

NAME = "RUBY_GC_HEAP_INIT_SLOTS"
child = IO.popen([RbConfig.ruby, "-e", "print ENV[#{NAME.inspect}].inspect"], &:read)
host = IO.popen(["sh", "-c", "echo ${#{NAME}-none}"], &:read)
puts [GC.stat(:heap_live_slots) + GC.stat(:heap_free_slots), ENV[NAME].inspect, child, host].join(" ")
