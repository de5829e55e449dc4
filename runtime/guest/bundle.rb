# SPDX-License-Identifier: MIT
# frozen_string_literal: true

# `bundle` inside a bundle. `bundle exec` starts at once: the gems are settled. Other commands are
# the real Bundler's; those that would change the bundle say that it is read-only.

require "bundler/setup"

FROZEN = %w[install update add remove lock clean cache package pristine config binstubs inject].freeze

def exec_command(arguments)
  arguments.shift while arguments.first&.start_with?("--")
  command = arguments.shift
  abort "bundle exec: no command given" unless command

  script = File.join(Gem::RUCKSACK_ROOT, ".rucksack/exe", command)
  if command.include?("/") || !File.file?(script)
    start(command, arguments)
  else
    $0 = script
    Process.setproctitle([script, *arguments].join(" "))
    load script
  end
end

# Outside of a bundle, RUBYOPT makes every Ruby below `bundle exec` load bundler/setup; here nothing
# is exported, so the one that is asked for by name is told.
def start(command, arguments)
  arguments = ["-rbundler/setup", *arguments] if ["ruby", File.basename(RbConfig.ruby)].include?(command)
  exec([command, command], *arguments)
rescue Errno::ENOENT
  warn "bundler: command not found: #{command}"
  exit 127
rescue Errno::EACCES, Errno::ENOEXEC
  warn "bundler: not executable: #{command}"
  exit 126
end

case (verb = ARGV.first)
when "exec", "e"
  ARGV.shift
  exec_command(ARGV)
when *FROZEN
  abort "bundle #{verb}: this bundle is read-only; change the Gemfile and build it again"
else
  Bundler::RucksackSetup.real
  require "bundler/friendly_errors"
  Bundler.with_friendly_errors do
    require "bundler/cli"
    Bundler::CLI.start(ARGV, debug: true)
  end
end
