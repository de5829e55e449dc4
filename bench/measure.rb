# SPDX-License-Identifier: MIT
# frozen_string_literal: true

# What the benchmarks share: the programs, as their users have them and packed in several ways; one
# start, or one that goes on to serve; figures of many.
#
# A program natively, in our bundle by each way to mount it, and as an AppImage would have it: the
# same image without any of our accelerations (rucksack.yml's boot), mounted by the kernel's squashfs
# or by Debian's squashfuse_ll, its AppRun started there.

require "fileutils"
require "json"
require "socket"
require "timeout"
require "tmpdir"

module Measure
  TREE = File.expand_path("..", __dir__)
  BUILD = ENV.fetch("RUCKSACK_BUILD", "#{TREE}/build")
  CACHE = ENV.fetch("RUCKSACK_TEST_CACHE", "/var/cache/rucksack-tests")
  RUCKSACK = "#{BUILD}/rucksack"
  LIMIT_SECONDS = 120
  OURS = %w[kernel fuse fusermount userns extract].freeze
  PEERS = %w[mount squashfuse_ll].freeze
  OFF = "boot: {names: false, compiled: false, profile: false}\n"
  OPENERS = {"mount" => ->(image, at) { ["mount", "-o", "loop,ro,offset=#{image.offset}", image.path, at] },
             "squashfuse_ll" => ->(image, at) { ["squashfuse_ll", "-o", "offset=#{image.offset}", image.path, at] }}.freeze

  # words: behind the bundle's name; native: the same without it. health: a path that answers 200, or
  # nil for what ends by itself. variants: more native ways, by name => environment.
  App = Struct.new(:name, :dir, :native, :words, :env, :health, :variants, :tools, keyword_init: true)

  Image = Struct.new(:path, :offset)

  # One way to start an app. at: where its image is mounted by somebody else, or nil.
  Way = Struct.new(:app, :name, :command, :env, :dir, :at, keyword_init: true)

  Result = Struct.new(:seconds, :cpu)

  module_function

  def clock = Process.clock_gettime(Process::CLOCK_MONOTONIC)

  def median(values)
    sorted = values.sort
    middle = sorted.length / 2
    sorted.length.odd? ? sorted[middle] : (sorted[middle - 1] + sorted[middle]) / 2.0
  end

  def quiet(*command, **options)
    system(*command, out: File::NULL, exception: true, **options)
  end

  # Applications

  def ruby_app
    App.new(name: "ruby -e 1", dir: guestbook_dir, native: %w[ruby -e 1], words: %w[exec ruby -e 1])
  end

  def guestbook_app
    App.new(name: "guestbook", dir: guestbook_dir, native: %w[bundle exec puma], words: [], health: "/up",
            env: {"RACK_ENV" => "production"})
  end

  def guestbook_dir
    dir = "#{TREE}/examples/guestbook"
    quiet("#{dir}/bin/setup") unless File.file?("#{dir}/Gemfile.lock")
    dir
  end

  RAILS_GEMS = {"GEM_HOME" => "#{CACHE}/rails/home", "GEM_PATH" => "#{CACHE}/rails/home",
                "RUBYLIB" => "#{CACHE}/rails/home/gems/rubygems-update-3.6.9/lib",
                "PATH" => "#{CACHE}/rails/home/bin:#{ENV.fetch("PATH")}"}.freeze

  # Of make check-rails: rails new, a scaffold, an upload, a job.
  def rails_app(work)
    quiet("#{TREE}/tests/rails/make", "7", "#{CACHE}/rails", err: File::NULL)
    dir = "#{work}/blog"
    FileUtils.cp_r("#{CACHE}/rails/blog", dir) unless File.directory?(dir)
    env = {"RAILS_ENV" => "production", "SECRET_KEY_BASE" => "0" * 64, "RAILS_LOG_TO_STDOUT" => "1"}
    quiet(RAILS_GEMS.merge(env), "bin/rails", "db:prepare", chdir: dir, err: File::NULL)
    App.new(name: "rails", dir: dir, native: %w[bin/rails server], words: [], health: "/up", env: env,
            tools: RAILS_GEMS, variants: {"native, no bootsnap" => {"DISABLE_BOOTSNAP" => "1"}})
  end

  LINT_GEMS = %w[rubocop rubocop-performance rubocop-rails rubocop-rspec].freeze

  # A command with about thirty gems, as a gem of the user's own.
  def cli_app
    dir = "#{BUILD}/bench-lint"
    make_lint(dir) unless File.file?("#{dir}/Gemfile.lock")
    App.new(name: "gem CLI", dir: dir, native: %w[bundle exec exe/lint --version], words: %w[--version])
  end

  def make_lint(dir)
    FileUtils.mkdir_p("#{dir}/exe")
    File.write("#{dir}/lint.gemspec", <<~RUBY)
      Gem::Specification.new("lint", "1.0.0") do |spec|
        spec.summary = spec.author = "lint"
        spec.files = ["exe/lint"]
        spec.bindir = "exe"
        spec.executables = ["lint"]
        #{LINT_GEMS.map { |gem| "spec.add_dependency #{gem.inspect}" }.join("; ")}
      end
    RUBY
    File.write("#{dir}/exe/lint", <<~RUBY)
      #!/usr/bin/env ruby
      require "rubocop"
      require "rubocop-rails"
      exit RuboCop::CLI.new.run(ARGV)
    RUBY
    File.chmod(0o755, "#{dir}/exe/lint")
    source = File.read("#{guestbook_dir}/Gemfile")[/^source .*/]
    File.write("#{dir}/Gemfile", "#{source}\ngemspec\n")
    quiet("bundle", "config", "set", "--local", "path", "vendor/bundle", chdir: dir)
    quiet("bundle", "install", chdir: dir, err: File::NULL)
  end

  APPS = {"ruby" => ->(_) { ruby_app }, "guestbook" => ->(_) { guestbook_app },
          "cli" => ->(_) { cli_app }, "rails" => ->(work) { rails_app(work) }}.freeze

  # Bundles

  def build(app, work, name, config = nil)
    path = "#{work}/#{name}.AppImage"
    return path if File.file?(path)

    dir = config ? variant_of(app, "#{work}/#{name}", config) : app.dir
    quiet(app.tools || {}, RUCKSACK, "build", "--quiet", "-n", File.basename(app.dir), "-o", path, dir)
    path
  end

  # The same tree with a line more in its configuration.
  def variant_of(app, dir, config)
    FileUtils.cp_r(app.dir, dir)
    File.write("#{dir}/rucksack.yml", config, mode: "a")
    dir
  end

  def image(bundle)
    Image.new(bundle, Integer(IO.popen([bundle, "--appimage-offset"], &:read)))
  end

  # Ways

  # off: accelerations, by their names in rucksack.yml, without each of which our ways are there, too.
  def ways(app, work, names, off: [])
    id = File.basename(app.dir)
    bundles = {"" => build(app, work, id)}
    off.each { |key| bundles[", no #{key}"] = build(app, work, "#{id}-no-#{key}", "boot: {#{key}: false}\n") }
    ours = (OURS & names).product(bundles.to_a).map do |name, (kind, bundle)|
      Way.new(app: app, name: "#{name}#{kind}", command: [bundle, *app.words], env: {"RUCKSACK_MOUNT" => name}, dir: work)
    end
    native_ways(app) + ours + (PEERS & names).map { |name| peer(app, work, name) }
  end

  def peer(app, work, name)
    id = File.basename(app.dir)
    at = "#{work}/#{id}.#{name}/m" # a bundle links its state beside its image
    FileUtils.mkdir_p(at)
    Way.new(app: app, name: name, command: ["#{at}/AppRun", *app.words], env: {}, dir: work,
            at: [OPENERS.fetch(name), image(build(app, work, "#{id}-plain", OFF)), at])
  end

  def native_ways(app)
    {"native" => {}}.merge(app.variants || {}).map do |name, env|
      Way.new(app: app, name: name, command: app.native, env: (app.tools || {}).merge(env), dir: app.dir)
    end
  end

  # Runs

  def environment(way, port, work)
    {"PORT" => port.to_s, "DATABASE" => "#{work}/db.sqlite3", "XDG_RUNTIME_DIR" => work,
     "XDG_CACHE_HOME" => "#{work}/cache", "RUCKSACK_STATE" => "#{work}/state", "LANG" => "C.UTF-8"}
      .merge(way.app.env || {}, way.env)
  end

  def up?(port, path)
    Socket.tcp("127.0.0.1", port, connect_timeout: 1) do |socket|
      # As behind a proxy that speaks TLS: Rails sends everybody else there.
      socket.write("GET #{path} HTTP/1.0\r\nHost: localhost\r\nX-Forwarded-Proto: https\r\n\r\n")
      socket.read.match?(%r{\AHTTP/1\.[01] 200})
    end
  rescue SystemCallError
    false
  end

  # Yields the pid and the port of a start of which nothing is left afterwards.
  def with_start(way, work, before: [])
    opener, image, at = way.at
    quiet(*opener.call(image, at)) if at
    port = TCPServer.open("127.0.0.1", 0) { |server| server.addr[1] }
    pid = Process.spawn(environment(way, port, work), *before, *way.command, chdir: way.dir, in: File::NULL,
                        out: File::NULL, err: File::NULL)
    Timeout.timeout(LIMIT_SECONDS) { yield pid, port }
  ensure
    stop(pid)
    quiet("umount", at) if at
    await_unmount(work)
  end

  def stop(pid)
    return unless pid

    Process.kill(:TERM, pid)
    Process.wait(pid)
  rescue Errno::ESRCH, Errno::ECHILD
    nil
  end

  # A start that meets the mount of the one before, of whatever way, joins it and all that is in its
  # page cache.
  def await_unmount(work)
    Timeout.timeout(LIMIT_SECONDS) { sleep 0.001 while File.exist?("#{work}/rucksack") }
  end

  def drop_caches
    quiet("sync")
    File.write("/proc/sys/vm/drop_caches", "3")
  end

  # From the start to the first 200, or to the end of what ends. Nil where it does neither.
  def start(way, work, cold: false)
    drop_caches if cold
    cpu = children_cpu
    seconds = nil
    began = clock
    with_start(way, work) do |pid, port|
      if way.app.health
        sleep 0.001 until (seconds = up?(port, way.app.health)) || Process.wait(pid, Process::WNOHANG)
      else
        Process.wait(pid)
        seconds = $?.success?
      end
      seconds &&= clock - began
    end
    seconds && Result.new(seconds, children_cpu - cpu)
  end

  def children_cpu
    times = Process.times
    times.cutime + times.cstime
  end

  # Figures

  def table(title, rows, reference:)
    puts "| #{title} | median | min | to #{reference} | CPU | n |", "|---|---|---|---|---|---|"
    base = median(rows.fetch(reference).map(&:seconds))
    rows.each do |name, results|
      seconds = results.map(&:seconds)
      puts format("| %s | %.3f | %.3f | %.2f | %.3f | %d |", name, median(seconds), seconds.min,
                  median(seconds) / base, median(results.map(&:cpu)), seconds.length)
    end
    puts
  end

  def machine
    "#{`nproc`.chomp} processors, Linux #{`uname -r`[/\A\d+\.\d+/]}, Ruby #{RUBY_VERSION}, " \
      "load #{File.read("/proc/loadavg")[/\A\S+/]} before the run"
  end
end
