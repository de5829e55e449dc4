# SPDX-License-Identifier: MIT
# frozen_string_literal: true

# Loaded as soon as RubyGems knows where the image is (operating_system.rb): from here on Ruby takes
# compiled sources from the pack, unless options were set by which it would compile them otherwise.

require "#{__dir__}/iseqs.so"

module RucksackIseqs
  # Of the Ruby that compiled them; filled in at build.
  OPTIONS = @OPTIONS@.freeze

  module Options
    def compile_option=(*)
      RucksackIseqs.stop
      super
    end
  end
end

# The names of files are UTF-8 in the pack.
if RubyVM::InstructionSequence.compile_option == RucksackIseqs::OPTIONS &&
   Encoding.find("filesystem") == Encoding::UTF_8 &&
   RucksackIseqs.start(Gem::RUCKSACK_ROOT, "#{__dir__}/iseqs")
  RubyVM::InstructionSequence.singleton_class.prepend(RucksackIseqs::Options)
  # bootsnap compiles into a cache of its own, which a new place never finds again.
  ENV["DISABLE_BOOTSNAP_COMPILE_CACHE"] ||= "1"
end
