# SPDX-License-Identifier: MIT
# frozen_string_literal: true

# What RubyGems reads first (rubygems/defaults/operating_system): where gems are. Everything is
# relative to this file, so that the image works wherever it is mounted. The user's own gem
# directory is left out: gems there were built for another Ruby.

# `ruby -w` says of each method that it is another one now.
verbose, $VERBOSE = $VERBOSE, nil

module Gem
  # The image root; DEPTH is the number of directories between it and this file, set at build.
  RUCKSACK_ROOT = File.expand_path("../" * @DEPTH@, __dir__).delete_suffix("/").freeze

  class << self
    def default_dir
      "#{RUCKSACK_ROOT}/gems"
    end

    def default_path
      [default_dir]
    end

    def default_specifications_dir
      "#{RUCKSACK_ROOT}/@DEFAULT_SPECS@"
    end

    def default_bindir
      "#{RUCKSACK_ROOT}/.rucksack/bin"
    end

    def user_dir
      default_dir
    end
  end
end

module Gem
  # RubyGems evaluates the specifications of all default gems at each start, a third of its time, to
  # know whose a file is that is required. Here it does so for those whose files begin like it.
  module RucksackDefaults
    # "json" => ["json-2.6.1.gemspec"]; filled in at build.
    INDEX = @DEFAULT_INDEX@.freeze

    @known = {}

    def self.files(path)
      INDEX.fetch(path[%r{\A[^/]*}].sub(/\.[a-z]+\z/, ""), [])
    end

    # A default gem of which the application has another version is none that could be meant.
    def self.register(path, but_loaded: false)
      files(path).each do |file|
        next if @known[file] || (but_loaded && Gem.loaded_specs.key?(file.rpartition("-").first))

        @known[file] = true
        spec = Specification.load("#{Gem.default_specifications_dir}/#{file}")
        Gem.register_default_spec(spec) if spec
      end
    end

    if Gem.respond_to?(:find_default_spec) # RubyGems >= 3.4
      def find_default_spec(path)
        RucksackDefaults.register(path.to_s)
        super
      end
    end

    def find_unresolved_default_spec(path)
      RucksackDefaults.register(path.to_s, but_loaded: true)
      super
    end
  end

  singleton_class.prepend(RucksackDefaults)

  # Specifications are compiled, too (iseqs.rb).
  module RucksackSpecifications
    def load(file)
      @rucksack_loaded ||= {}
      @rucksack_loaded.fetch(file) do
        code = RucksackIseqs.load_iseq(file) if String === file && defined?(RucksackIseqs)
        return super unless code

        File.open(file) {} # as Ruby does with sources: a build knows a start by what it opens (start.h)
        spec = code.eval
        spec.loaded_from = file
        @rucksack_loaded[file] = spec
      end
    end

    def _clear_load_cache
      @rucksack_loaded = nil
      super
    end
  end

  Specification.singleton_class.prepend(RucksackSpecifications)

  # A gem of which something is loaded already is activated.
  def Specification.load_defaults
    $LOADED_FEATURES.each do |feature|
      dir = $LOAD_PATH.find { |entry| feature.start_with?("#{entry}/") }
      RucksackDefaults.register(feature.delete_prefix("#{dir}/")) if dir
    end
  end
end

# A file of the image that somebody wants to write: whoever reads the message learns what to do.
class Errno::EROFS
  def message
    text = super
    path = text.b[/ - \(?([^,)]+)/n, 1]
    return text unless path && File.absolute_path(path).start_with?("#{Gem::RUCKSACK_ROOT}/".b)

    "#{text} (E-WRITE: the image is never written; name what changes in rucksack.yml, as state)"
  rescue SystemCallError # of a working directory that is gone
    text
  end
end

require "#{Gem::RUCKSACK_ROOT}/.rucksack/environment.rb" if ENV.key?("RUCKSACK_ENV")
$VERBOSE = verbose
compiled = "#{Gem::RUCKSACK_ROOT}/.rucksack/iseqs.rb"
require compiled if File.file?(compiled)
