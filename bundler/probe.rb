# SPDX-License-Identifier: MIT
# frozen_string_literal: true

# Answers the questions about an application that only its own Ruby can answer.
#
# Loaded with -r into the first Ruby process that `bundle` starts in the application's directory: so
# it is the Ruby, the RubyGems and the Bundler that `bundle` uses, whatever shims are in front of
# it. Writes one JSON document to the file $RUCKSACK_PROBE and ends that process at once. No code of
# the application runs but its Gemfile and gemspecs; a Ruby that those start does not load this again.

module RucksackProbe
  # What a Ruby has loaded before any code of its user.
  FEATURES = $LOADED_FEATURES.dup.freeze

  SKIPPED_GROUPS = %i[development test].freeze

  # What is wrong, for people: id, message and the next command to type.
  class Problem < StandardError
    attr_reader :id, :hint

    def initialize(id, message, hint)
      super(message)
      @id = id
      @hint = hint
    end
  end

  module_function

  def ruby
    config = RbConfig::CONFIG
    {
      "engine" => RUBY_ENGINE,
      "version" => RUBY_VERSION,
      "platform" => RUBY_PLATFORM,
      "program" => RbConfig.ruby,
      "elf" => elf,
      "api" => "#{RUBY_VERSION[/\A\d+\.\d+/]}.0", # Fedora's ruby_version is empty
      "prefix" => config["prefix"],
      "stdlib" => config["rubylibdir"],
      "archlib" => config["rubyarchdir"],
      "sitelib" => config["sitelibdir"],
      "libruby" => config["ENABLE_SHARED"] == "yes" ? config["LIBRUBY_SO"] : nil,
      "load_path" => default_load_path,
      "features" => FEATURES,
      "rubygems" => File.dirname(loaded("rubygems.rb")),
      "default_specs" => Gem.default_specifications_dir,
      "default_index" => default_index.inspect,
      "gem_platform" => Gem::Platform.local.to_s,
      "extension_api" => Gem.extension_api_version,
    }
  end

  # What the names of files to require begin with => the default gems they may belong to. Of Bundler's
  # specification the image has a short one (ruby.c).
  def default_index
    index = {"exe" => ["bundler-#{bundler["version"]}.gemspec"]}
    Dir.glob("*.gemspec", base: Gem.default_specifications_dir).sort.each do |file|
      spec = Gem::Specification.load("#{Gem.default_specifications_dir}/#{file}")
      next if spec.nil? || spec.name == "bundler"

      spec.files.map { |path| required_name(spec, path) }.uniq.each { |name| (index[name] ||= []) << file }
    end
    index
  end

  def required_name(spec, path)
    dir = spec.require_paths.find { |prefix| path.start_with?("#{prefix}/") }
    path.delete_prefix("#{dir}/")[%r{\A[^/]*}].sub(/\.[a-z]+\z/, "")
  end

  # The program of this process. RbConfig.ruby names it, but a distribution may have put a script
  # there that chooses between Rubies. (Of a Ruby that was started by a loader, exe is the loader.)
  def elf
    running = File.realpath("/proc/self/exe")
    return RbConfig.ruby if File.identical?(running, RbConfig.ruby) || running.match?(%r{/ld[^/]*\z})

    running
  rescue SystemCallError
    RbConfig.ruby
  end

  # The load path as compiled in: before RUBYLIB, -I and gems.
  def default_load_path
    config = RbConfig::CONFIG
    dirs = %w[sitelibdir sitearchdir sitedir vendorlibdir vendorarchdir vendordir rubylibdir rubyarchdir]
    known = dirs.map { |key| config[key] }
    $LOAD_PATH.map(&:to_s).select { |dir| known.include?(dir) || dir.start_with?(config["prefix"]) }
  end

  def loaded(name)
    $LOADED_FEATURES.find { |feature| feature.end_with?("/#{name}") }
  end

  def bundler
    require "bundler"
    { "version" => Bundler::VERSION, "lib" => File.dirname(loaded("bundler.rb")) }
  end

  def definition
    unless File.file?(Bundler.default_lockfile)
      raise Problem.new("E-LOCK", "there is no #{Bundler.default_lockfile.basename} beside the Gemfile",
                        "make it: bundle install")
    end
    found = Bundler.definition
    found.validate_runtime!
    check_lock(found)
    found
  end

  def check_lock(definition)
    definition.ensure_equivalent_gemfile_and_lockfile(true)
  rescue Bundler::ProductionError => e
    reason = e.message.lines.map(&:strip).grep(/\A\*/).map { |line| line.delete_prefix("* ") }.join(", ")
    reason = "it does not match the Gemfile" if reason.empty?
    raise Problem.new("E-LOCK", "the lockfile is incomplete: #{reason}", "complete it: bundle install")
  end

  # In the order in which Bundler activates them.
  def gems(found)
    found.specs_for(groups(found)).to_a.reject { |spec| spec.name == "bundler" }.map { |spec| gem_of(spec) }
  end

  # Those of the machine's configuration (BUNDLE_WITHOUT, BUNDLE_ONLY, BUNDLE_WITH), less what no
  # server needs. A group that is written `optional: true` is left out unless it is asked for.
  def groups(found)
    wanted = found.respond_to?(:requested_groups, true) ? found.send(:requested_groups) : found.groups
    wanted - SKIPPED_GROUPS
  end

  def optional_groups(found)
    found.instance_variable_get(:@optional_groups).to_a
  end

  def gem_of(spec)
    spec = spec.__materialize__ if spec.respond_to?(:__materialize__)
    # Fedora's default gems have no directory.
    unless spec.default_gem? || File.directory?(spec.full_gem_path)
      raise Problem.new("E-GEM", "gem '#{spec.full_name}' is not installed", "install it: bundle install")
    end
    check_extensions(spec)
    describe(spec)
  end

  def check_extensions(spec)
    return if spec.extensions.empty? || spec.default_gem? || File.exist?(spec.gem_build_complete_path)

    raise Problem.new("E-EXT", "gem '#{spec.full_name}': its native extension is not built",
                      "build it: bundle pristine #{spec.name}")
  end

  def describe(spec)
    {
      "name" => spec.name,
      "version" => spec.version.to_s,
      "platform" => spec.platform.to_s,
      "full_name" => spec.full_name,
      "dir" => spec.default_gem? ? spec.full_gem_path : File.realpath(spec.full_gem_path),
      "default" => spec.default_gem?,
      "extension_dir" => spec.extensions.empty? || spec.default_gem? ? nil : spec.extension_dir,
      "require_paths" => relative_require_paths(spec),
      "executables" => spec.executables.to_a,
      "bindir" => spec.bindir,
      "licenses" => spec.licenses.to_a,
      "gemspec" => frozen(spec),
    }.merge(source_tree?(spec) ? { "files" => spec.files.to_a } : {})
  end

  # Of `git:` or `path:`: also what is in no gem.
  def source_tree?(spec)
    spec.source.is_a?(Bundler::Source::Path)
  end

  # The extension directory is an absolute entry of full_require_paths; it is named apart.
  def relative_require_paths(spec)
    spec.require_paths.reject { |path| path.start_with?("/") }
  end

  # A gemspec that needs no git and no files beside it when it is read again.
  def frozen(spec)
    copy = spec.dup
    copy = Gem::Specification.load(spec.loaded_from).dup if spec.is_a?(Gem::StubSpecification)
    text = copy.to_ruby
    # Several load paths are listed in a comment with a NUL between them, which no JSON of ours holds.
    # Without the comment RubyGems reads the gemspec itself.
    text.include?("\0") ? text.gsub(/^# stub: .*\n/, "") : text
  end

  def answer
    result = { "ruby" => ruby, "bundler" => bundler }
    return result.merge(Standalone.answer) if Standalone.wanted?

    raise Problem.new("E-GEMFILE", "there is no Gemfile", "make one: bundle init") unless Bundler::SharedHelpers.in_bundle?

    result["gemfile"] = Bundler.default_gemfile.to_s
    found = definition
    result.merge("gems" => gems(found), "without" => found.groups - groups(found),
                 "with" => groups(found) & optional_groups(found), "databases" => databases)
  rescue Problem => e
    failure(e.id, e.message, e.hint)
  rescue Bundler::GemNotFound, Gem::MissingSpecError => e
    not_found(e)
  rescue Bundler::LockfileError => e
    failure("E-LOCK", one_line(e), "make it again: bundle lock")
  rescue Bundler::RubyVersionMismatch => e
    failure("E-RUBY", one_line(e), "use the Ruby that the Gemfile names")
  rescue Bundler::BundlerError => e
    failure("E-GEMFILE", one_line(e), "see what `bundle check` says")
  end

  # The SQLite files of production, as paths in the application. What stands there may be computed,
  # by Rails' own methods too: what cannot be read here is not found here.
  def databases
    file = "config/database.yml"
    return [] unless File.file?(file)

    require "erb"
    require "yaml"
    text = ERB.new(File.read(file)).result(TOPLEVEL_BINDING.dup)
    config = YAML.respond_to?(:unsafe_load) ? YAML.unsafe_load(text) : YAML.load(text)
    entry = config.is_a?(Hash) ? config["production"] : nil
    sqlite_files(entry).uniq
  rescue StandardError, SyntaxError, LoadError
    []
  end

  # One database, or one for each role.
  def sqlite_files(entry)
    return [] unless entry.is_a?(Hash)
    return entry.values.flat_map { |role| sqlite_files(role) } unless entry.key?("adapter") || entry.key?("database")

    path = entry["database"].to_s
    sqlite = entry["adapter"].to_s.match?(/\Asqlite/)
    sqlite && !path.empty? && !path.start_with?("/", ":", "file:") && !path.include?("..") ? [path] : []
  end

  # Bundler does not see a gem whose extension is not built.
  def not_found(error)
    locked = Bundler.locked_gems ? Bundler.locked_gems.specs.map(&:full_name) : []
    unbuilt = Gem::Specification.stubs.find { |s| locked.include?(s.full_name) && s.missing_extensions? }
    check_extensions(unbuilt.to_spec) if unbuilt
    failure("E-GEM", error.message.lines.first.strip, "install them: bundle install")
  rescue Problem => e
    failure(e.id, e.message, e.hint)
  end

  # Without the excerpt of the Gemfile, which Bundler sets between rules.
  def one_line(error)
    lines = error.message.lines.map { |line| line.strip.sub(/\A(\[!\]|#) +/, "") }
    lines.take_while { |line| !line.match?(/\A#? *-{4,}\z/) }.reject(&:empty?).join(" ")
  end

  def failure(id, message, hint)
    { "error" => { "id" => id, "message" => message, "hint" => hint } }
  end

  def run(target)
    require "json"
    # RubyGems and the Gemfile may print; only the file counts.
    File.write(target, JSON.generate(answer))
    exit!(0)
  end
end

File.unlink(__FILE__)
Dir.rmdir(__dir__)
ENV.delete("RUBYOPT")
RucksackProbe.run(ENV.delete("RUCKSACK_PROBE"))
