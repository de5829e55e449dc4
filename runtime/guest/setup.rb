# SPDX-License-Identifier: MIT
# frozen_string_literal: true

# bundler/setup without Bundler: what it would compute from the lockfile was computed at build.
#
# Fills $LOAD_PATH and Gem.loaded_specs as Bundler.setup does, and answers Bundler.setup, require,
# root and default_gemfile. Whatever else is asked of Bundler loads the real one, told to use this
# bundle, to touch nothing and to export nothing.

require "rubygems"

module Bundler
  module RucksackSetup
    ROOT = Gem::RUCKSACK_ROOT
    APP = "#{ROOT}/app"
    GEMFILE = "#{APP}/@GEMFILE@"
    WITHOUT = "development:test"
    # Full gem name and whether it is a default gem, in Bundler's order: a gem behind what it needs.
    GEMS = [
      # @GEMS@
    ].freeze

    module_function

    def activate
      return if @active

      @active = true
      specs = GEMS.map { |name, default| load_spec(name, default) }
      specs.each do |spec|
        spec.activated = true
        Gem.loaded_specs[spec.name] = spec
      end
      # A gem's directories before those of what it needs, and all behind those of -I and RUBYLIB, as
      # Bundler does; and RubyGems, which looks into the directories before these for each file of a
      # default gem, knows how many they are.
      paths = specs.reverse.flat_map(&:full_require_paths)
      Gem.add_to_load_path(*paths.reject { |path| $LOAD_PATH.include?(path) })
    end

    def load_spec(name, default)
      dir = default ? Gem.default_specifications_dir : "#{Gem.default_dir}/specifications"
      Gem::Specification.load("#{dir}/#{name}.gemspec") or
        raise LoadError, "damaged image: gem #{name} has no specification"
    end

    # The variables are the real Bundler's way to be configured; they are read once and taken back,
    # so that no child sees them. BUNDLE_GEMFILE is not among them: Bundler::CLI would read it as a
    # request to begin again, without the others.
    VARIABLES = {
      "BUNDLE_FROZEN" => "true",
      "BUNDLE_WITHOUT" => WITHOUT,
      "BUNDLE_IGNORE_CONFIG" => "true",
      "BUNDLE_VERSION" => "system",
      "BUNDLE_DISABLE_VERSION_CHECK" => "true",
      "BUNDLE_SILENCE_ROOT_WARNING" => "true",
    }.freeze

    def with_variables
      before = VARIABLES.to_h { |name, _| [name, ENV[name]] }
      ENV.update(VARIABLES)
      yield
    ensure
      ENV.update(before) if before
    end

    def real
      return if @real

      @real = true
      stand_ins = Bundler.singleton_methods(false) & STAND_INS
      stand_ins.each { |name| Bundler.singleton_class.send(:remove_method, name) }
      with_variables do
        Kernel.require "bundler"
        Bundler::SharedHelpers.singleton_class.prepend(Settled)
        Bundler.singleton_class.prepend(Configured)
        Bundler.settings
      end
      # Bundler keeps a copy of what it needs of these; in the environment they are for children.
      ENV.delete_if { |name, _| name.start_with?("BUNDLER_ORIG_") }
    end

    # RubyGems knows its paths already (operating_system.rb), without GEM_HOME for every child.
    module Configured
      def configure_gem_home_and_path(*)
        true
      end
    end

    # What Bundler's helpers answer in this bundle, whatever the working directory is.
    module Settled
      def default_gemfile
        Pathname.new(GEMFILE)
      end

      def default_lockfile
        Pathname.new(GEMFILE == "#{APP}/gems.rb" ? "#{APP}/gems.locked" : "#{GEMFILE}.lock")
      end

      def in_bundle?
        GEMFILE
      end

      def find_gemfile(*)
        GEMFILE
      end

      def set_bundle_environment
      end
    end

    STAND_INS = %i[setup require root default_gemfile default_lockfile const_missing method_missing
                   respond_to_missing?].freeze
  end

  class << self
    def setup(*groups)
      RucksackSetup.activate
      return self if groups.empty?

      RucksackSetup.real
      public_send(:setup, *groups)
    end

    def root
      Pathname.new(RucksackSetup::APP)
    end

    def default_gemfile
      Pathname.new(RucksackSetup::GEMFILE)
    end

    def default_lockfile
      RucksackSetup.real
      public_send(:default_lockfile)
    end

    def require(*groups)
      RucksackSetup.real
      public_send(:require, *groups)
    end

    def const_missing(name)
      RucksackSetup.real
      const_get(name)
    end

    def method_missing(name, *arguments, **options, &block)
      return super if RucksackSetup.instance_variable_get(:@real)

      RucksackSetup.real
      public_send(name, *arguments, **options, &block)
    end

    def respond_to_missing?(name, include_private = false)
      return super if RucksackSetup.instance_variable_get(:@real)

      RucksackSetup.real
      respond_to?(name, include_private)
    end
  end
end

require "pathname"
