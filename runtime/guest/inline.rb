# SPDX-License-Identifier: MIT
# frozen_string_literal: true

# bundler/inline without Bundler: the gems of the `gemfile` block were resolved at build. What is
# left is to make them loadable and to require them as the block says.

require "bundler/setup"

module Bundler
  # Evaluates a `gemfile` block and notes what of it is to be required.
  class RucksackInline
    def initialize
      @wishes = []
    end

    def evaluate(&gemfile)
      instance_eval(&gemfile)
      @wishes.each { |name, files| load_gem(name, files) }
    end

    def gem(name, *_requirements, **options)
      files = options.fetch(:require, nil)
      @wishes << [name, files == true ? nil : files]
    end

    # Sources, groups, platforms: settled at build.
    def method_missing(_word, *_arguments, **_options)
      yield if block_given?
    end

    def respond_to_missing?(*)
      true
    end

    private

    # Bundler::Runtime#require: a name with dashes may stand for directories.
    def load_gem(name, files)
      return if files == false || !Gem.loaded_specs.key?(name)
      return Array(files).each { |file| Kernel.require file } if files

      begin
        Kernel.require name
      rescue LoadError => e
        raise unless e.path == name || e.message.include?(name)

        load_namespaced(name) if name.include?("-")
      end
    end

    def load_namespaced(name)
      Kernel.require name.tr("-", "/")
    rescue LoadError => e
      raise unless e.message.include?(name.tr("-", "/"))
    end
  end
end

def gemfile(_install = false, _options = {}, &gemfile)
  Bundler::RucksackInline.new.evaluate(&gemfile)
end
