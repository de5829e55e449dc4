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

require "#{Gem::RUCKSACK_ROOT}/.rucksack/environment.rb" if ENV.key?("RUCKSACK_ENV")
$VERBOSE = verbose
compiled = "#{Gem::RUCKSACK_ROOT}/.rucksack/iseqs.rb"
require compiled if File.file?(compiled)
