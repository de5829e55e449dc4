# SPDX-License-Identifier: MIT
# frozen_string_literal: true

# Found as "rubygems" where the image lies so deep that its directories do not fit into Ruby's
# compiled-in load path (loadpath.c): then this file's directory alone is in it. Puts the others in
# its place, as Ruby would have, and goes on with the real RubyGems.

module RucksackLoadPath
  # DEPTH is the number of directories between the image root and this file, set at build.
  ROOT = File.expand_path("../" * @DEPTH@, __dir__).delete_suffix("/")
  DIRS = [
    # @DIRS@
  ].map { |dir| "#{ROOT}/#{dir}" }

  # RubyGems puts gems before the directories with this mark.
  def self.restore
    DIRS.each { |dir| dir.instance_variable_set(:@gem_prelude_index, dir) }
    at = $LOAD_PATH.index(__dir__) || $LOAD_PATH.size
    $LOAD_PATH[at, 1] = DIRS
  end
end

RucksackLoadPath.restore
require "rubygems"
