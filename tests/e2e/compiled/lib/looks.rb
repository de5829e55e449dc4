# SPDX-License-Identifier: MIT
# What a program can see of the file it came from: it must be the same whether Ruby has parsed this file
# or took it compiled. The texts are made here on purpose; é and ü, too.
BEGIN { $looks_began = "begun" }
$looks_top = caller_locations(0, 1).first.then { |at| [at.path, at.absolute_path, at.lineno, at.label] }

module Looks
  HERE = "#{__FILE__}:#{__LINE__} in #{__dir__}".freeze
  LONG = "#{__FILE__}/#{"a text that is longer than the one byte that tells the length of a short one, " * 2}#{__FILE__}"
  SYMBOL = :"of #{__FILE__}"
  PATTERN = %r{\A#{Regexp.escape(__FILE__)}\z}

  using(Module.new { refine(String) { def shout = upcase + "!" } })

  class Thing
    attr_accessor :name

    def call(first, second = 2, *rest, key: 4, **more, &block)
      [first, second, rest, key, more, block&.call]
    end

    def fail_with(text)
      raise ArgumentError, text
    rescue ArgumentError => e
      raise "again: #{e.message}"
    ensure
      @ended = true
    end
  end

  Pair = Struct.new(:left, :right) do
    def sum = left + right
  end

  module_function

  def pattern(value)
    case value
    in [Integer => a, *] then "array from #{a}"
    in { name: String => name } then "named #{name}"
    in nil | false then "nothing"
    end
  end

  def backtrace
    Thing.new.fail_with("on purpose")
  rescue RuntimeError => e
    [e.message, e.backtrace.first(2), e.cause.backtrace.first(2)]
  end

  def places
    [Thing.instance_method(:call).source_location, Pair.instance_method(:sum).source_location,
     method(:pattern).source_location, Looks.const_source_location(:Thing), -> {}.source_location]
  end

  def syntax
    node = RubyVM::AbstractSyntaxTree.of(Thing.instance_method(:call))
    [node.type, node.first_lineno, node.last_lineno]
  rescue StandardError => e # where Ruby's parser is another one
    e.class
  end

  def iseq
    iseq = RubyVM::InstructionSequence.of(method(:pattern))
    [iseq.path, iseq.absolute_path, iseq.label, iseq.first_lineno]
  end

  def everything
    thing = Thing.new
    thing.name = "é".encode("UTF-8") + "ü"
    {
      began: $looks_began, here: HERE, long: LONG, symbol: SYMBOL, top: $looks_top,
      pattern: [PATTERN.match?(__FILE__), pattern([1, 2]), pattern({ name: "x" }), pattern(nil)],
      call: thing.call(1, key: 5, other: 6) { __method__ }, name: [thing.name, thing.name.encoding],
      refined: "loud".shout, parameters: thing.method(:call).parameters, pair: Pair.new(1, 2).sum,
      frozen: ["text".frozen?, "a#{1}".frozen?, HERE.frozen?], backtrace: backtrace, places: places,
      syntax: syntax, iseq: iseq, encoding: [__ENCODING__, __FILE__.encoding],
      relative: (require_relative "beside"; BESIDE), feature: $LOADED_FEATURES.grep(/looks|beside/)
    }
  end

  # A line for each, without the place where the application stands.
  def report(app)
    everything.map { |key, value| "#{key}: #{value.inspect}\n" }.join.gsub(app, "APP")
  end
end
