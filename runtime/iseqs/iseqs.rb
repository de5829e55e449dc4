# SPDX-License-Identifier: MIT
# frozen_string_literal: true

# Loaded before Ruby's first file of its own (load_first() in iseqs.c), or else as soon as RubyGems
# knows where the image is (operating_system.rb): from here on Ruby takes compiled sources from the
# pack, unless options were set by which it would compile them otherwise.

require "#{__dir__}/iseqs.so"

module RucksackIseqs
  # Of the Ruby that compiled them; filled in at build.
  OPTIONS = @OPTIONS@.freeze

  # In front of RubyVM::InstructionSequence, and of whoever stands there, like bootsnap: what the pack
  # has needs no cache. For everything else they are asked.
  module Front
    def load_iseq(path)
      (RucksackIseqs.load_iseq(path) unless RucksackIseqs.chosen?) || super
    end

    def compile_option=(*)
      RucksackIseqs.stop
      super
    end
  end

  # Who comes later goes behind us.
  module Later
    def prepend(*)
      super
      super(Front.dup)
      self
    end
  end

  # Whether bootsnap was told to compile some sources with options of their own.
  def self.chosen?
    defined?(::Bootsnap::CompileCache::ISeq) && ::Bootsnap::CompileCache::ISeq.respond_to?(:compiler_selector) &&
      ::Bootsnap::CompileCache::ISeq.compiler_selector
  end

  def self.begin
    hooks = RubyVM::InstructionSequence.singleton_class
    hooks.prepend(Front)
    hooks.extend(Later)
  end
end

# The names of files are UTF-8 in the pack, or, in the locale C, made US-ASCII (iseqs.c).
if RubyVM::InstructionSequence.compile_option == RucksackIseqs::OPTIONS &&
   [Encoding::UTF_8, Encoding::US_ASCII].include?(Encoding.find("filesystem")) &&
   RucksackIseqs.start(File.dirname(__dir__), "#{__dir__}/iseqs")
  RucksackIseqs.begin
end
