# frozen_string_literal: true
# SPDX-License-Identifier: MIT
# interrupt.rb RUCKSACK APP ROUNDS SEED: builds, and ends that at some moment by a signal, ROUNDS times:
# to the program alone, as `kill` and service managers do, or to all in the foreground, as Ctrl-C does.
# Then nothing may be left: no process, no mount, no file but the cache's finished ones.
require "fileutils"
require "tmpdir"

TOOL, APP, ROUNDS, SEED = ARGV[0], ARGV[1], ARGV[2].to_i, ARGV[3].to_i
MARK = "INTERRUPT_TEST=#{Process.pid}-#{SEED}"
PLACES = %w[out tmp cache].freeze

# A process is ours by its environment, whatever it calls itself and whoever is its parent.
def processes
  Dir.glob("/proc/[0-9]*/environ").select do |path|
    File.read(path).split("\0").include?(MARK)
  rescue SystemCallError
    false
  end
end

# Others' may vanish: whoever removes a directory takes what is mounted on it away everywhere.
def mounts
  File.readlines("/proc/self/mountinfo")
end

def start(*options)
  environment = { "TMPDIR" => File.expand_path("tmp"), "XDG_CACHE_HOME" => File.expand_path("cache"),
                  **[MARK.split("=", 2)].to_h }
  Process.spawn(environment, TOOL, "build", *options, "-o", "out/app.AppImage", APP,
                pgroup: true, in: :close, out: "out.log", err: "err.log")
end

def files
  { "out" => Dir.children("out"), "tmp" => Dir.children("tmp"),
    "cache" => Dir.glob("cache/**/*", File::FNM_DOTMATCH).select { |path| File.file?(path) && path.match?(/\.\d+\.|tmp/) } }
end

def check(what, before)
  deadline = Process.clock_gettime(Process::CLOCK_MONOTONIC) + 5
  sleep 0.05 until processes.empty? || Process.clock_gettime(Process::CLOCK_MONOTONIC) > deadline
  raise "#{what}: processes #{processes.map { |path| File.read(path.sub('environ', 'comm')) }}" unless processes.empty?
  more = mounts - before
  raise "#{what}: mounts #{more}" unless more.empty?

  left = files.reject { |_, names| names.empty? }
  raise "#{what}: left #{left}\n#{File.read('err.log')}" unless left.empty?
end

# A signal to the program, or to its group.
def interrupt(seconds, signal, is_group, options)
  before = mounts
  pid = start(*options)
  sleep seconds
  Process.kill(signal, is_group ? -pid : pid)
  asked = Process.clock_gettime(Process::CLOCK_MONOTONIC)
  status = Process.wait2(pid).last
  took = Process.clock_gettime(Process::CLOCK_MONOTONIC) - asked
  what = format("%s to %s after %.2f s", signal, is_group ? "the group" : "it", seconds)
  # Perhaps it was faster.
  FileUtils.rm_f("out/app.AppImage") if status.success?
  ended = status.success? || (status.signaled? && status.termsig == Signal.list[signal])
  raise "#{what}: #{status}\n#{File.read('err.log')}" unless ended
  raise "#{what}: it said #{File.read('out.log')}" unless status.success? || File.empty?("out.log")
  raise format("%s: it took %.1f s", what, took) if took > 20

  check(what, before)
  status.success? ? :finished : signal
end

# How long it takes when nobody interrupts it.
def whole(options)
  began = Process.clock_gettime(Process::CLOCK_MONOTONIC)
  raise File.read("err.log") unless Process.wait2(start(*options)).last.success?

  FileUtils.rm_f("out/app.AppImage")
  Process.clock_gettime(Process::CLOCK_MONOTONIC) - began
end

Dir.mktmpdir do |dir|
  Dir.chdir(dir)
  PLACES.each { |name| Dir.mkdir(name, 0o700) }
  random = Random.new(SEED)
  # One in four compresses and compiles everything.
  seconds = { ["--no-cache"] => whole(["--no-cache"]), [] => [whole([]), whole([])].last }
  found = Hash.new(0)
  ROUNDS.times do |i|
    options = i % 4 == 3 ? ["--no-cache"] : []
    moment = seconds[options] * (i + random.rand) / ROUNDS
    found[interrupt(moment, %w[INT TERM HUP][i % 3], i.odd?, options)] += 1
  end
  puts "builds of #{seconds.values.map { |each| format('%.1f s', each) }.join(' and ')}: " \
       "#{found.map { |what, count| "#{what} #{count}" }.join(', ')}"
  raise "nothing was interrupted" unless found.keys.any? { |what| what != :finished }
end
