# SPDX-License-Identifier: MIT
# frozen_string_literal: true

# Variables that the user has set and the application unsets. The launcher has taken them out of our
# environment and keeps them in RUCKSACK_ENV, from which the guest gives them back to programs that
# are not ours (runtime/launch/environment.h): so who unsets one has to take it out of there. Loaded
# only where there is such a variable.

module RucksackEnvironment
  SAVED = "RUCKSACK_ENV"

  class << self
    # The text without the entries of these names. Values may be bytes of any encoding.
    def without(saved, names)
      saved.b.split(";").reject { |entry| names.include?(entry[/\A[^=]*/n].gsub(/%(\h\h)/n) { $1.hex.chr }) }.join(";")
    end

    # What Process.spawn and its like are given, with what the variables that are nil there mean.
    # options: of the call; who wants no other variables gets none.
    def arguments(given, options = given.last)
      variables = Hash.try_convert(given[0])
      names = variables ? variables.select { |_, value| value.nil? }.keys : []
      saved = ENV[SAVED]
      return given if names.empty? || saved.nil? || variables.key?(SAVED)
      return given if options.is_a?(Hash) && options[:unsetenv_others]

      [variables.merge(SAVED => left(saved, names)), *given.drop(1)]
    end

    # nil: nothing is left.
    def left(saved, names)
      text = without(saved, names.map { |name| name.respond_to?(:to_str) ? name.to_str.b : name })
      text unless text.empty?
    end

    def forget(*names)
      saved = ENV[SAVED]
      ENV.rucksack_store(SAVED, left(saved, names)) if saved
    end
  end
end

# `def` and aliases, not define_method: methods made of blocks are the main Ractor's alone.
[Kernel, Kernel.singleton_class, Process.singleton_class].each do |place|
  place.class_eval do
    %i[spawn exec system].each do |name|
      hidden = private_method_defined?(name, false)
      next unless hidden || method_defined?(name, false)

      alias_method :"rucksack_#{name}", name
      class_eval <<~RUBY, __FILE__, __LINE__ + 1
        ruby2_keywords def #{name}(*given, &block)
          rucksack_#{name}(*RucksackEnvironment.arguments(given), &block)
        end
      RUBY
      private name, :"rucksack_#{name}" if hidden
    end
  end
end

class << IO
  alias rucksack_popen popen
  ruby2_keywords def popen(*given, &block)
    command = Array.try_convert(given[0])
    changed = RucksackEnvironment.arguments(command || given, given.last)
    rucksack_popen(*(command ? [changed, *given.drop(1)] : changed), &block)
  end
end

class << ENV
  alias rucksack_store []=
  def []=(name, value)
    RucksackEnvironment.forget(name) if value.nil?
    rucksack_store(name, value)
  end
  alias store []=

  alias rucksack_update update
  def update(*others, &block)
    others.each { |other| other.to_hash.each { |name, value| RucksackEnvironment.forget(name) if value.nil? } }
    rucksack_update(*others, &block)
  end
  alias merge! update

  alias rucksack_delete delete
  def delete(name, &block)
    RucksackEnvironment.forget(name)
    rucksack_delete(name, &block)
  end
end
