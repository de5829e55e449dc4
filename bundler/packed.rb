
# Written by the build behind the static bundler/setup: what the real Bundler finds in place of
# repositories and directories of the build machine. The real one is in a file of another name:
# `require "bundler"` comes here first, so that it knows the bundle from its first line on.
#
# A gem of `git:` or `path:` lies in the gem home like any other, with a gemspec that needs no git.
# One that was not packed, of a group left out, is known by what the lockfile says of it.

module Bundler
  module RucksackSetup
    WITHOUT_GROUPS = "@WITHOUT@"
    WITH_GROUPS = "@WITH@" # of the optional ones

    # The real Bundler, with the groups that were left out, whichever they were.
    module Real
      def with_variables
        super do
          ENV["BUNDLE_WITHOUT"] = WITHOUT_GROUPS unless WITHOUT_GROUPS.empty?
          ENV["BUNDLE_WITH"] = WITH_GROUPS unless WITH_GROUPS.empty?
          Kernel.require "rucksack_bundler"
          yield
        end
      ensure
        ENV.delete("BUNDLE_WITH")
      end

      def real
        return if @real

        super
        Bundler.singleton_class.prepend(Gemspecs, SetUp)
        Gem::Util.singleton_class.prepend(Directories)
        [Bundler::Source::Git, Bundler::Source::Path].each { |source| source.prepend(Specifications) }
      end
    end
    singleton_class.prepend(Real)

    # Once all groups are set up it does not matter which one is named.
    module SetUp
      def setup(*groups)
        return super unless groups.empty? || RucksackSetup.instance_variable_get(:@active)

        RucksackSetup.activate
        super()
      end
    end

    # Bundler::Source::Path and Git: their gems, without looking where they were.
    module Specifications
      def load_spec_files
        Bundler::Index.new.tap do |index|
          Packed.of_source(self).each do |spec|
            spec.source = self
            index << spec
          end
        end
      end
    end

    # For `gemspec` in a Gemfile.
    module Gemspecs
      def load_gemspec(file, *)
        Packed.of_directory(File.dirname(file)).find { |spec| File.basename(file) == "#{spec.name}.gemspec" } || super
      end
    end

    module Directories
      def glob_files_in_dir(glob, base, *)
        return super unless glob == "{,*}.gemspec" # RubyGems' own is another

        names = Packed.of_directory(base.to_s).map { |spec| "#{base}/#{spec.name}.gemspec" }
        names.empty? ? super : names
      end
    end

    # Of a specification whose source would lead elsewhere.
    module Installed
      def full_gem_path
        "#{Gem.default_dir}/gems/#{full_name}"
      end

      def extension_dir
        File.join(Gem.default_dir, "extensions", Gem::Platform.local.to_s, Gem.extension_api_version, full_name)
      end
    end

    module Packed
      module_function

      def of_source(source)
        return of_directory(directory(source)) unless source.is_a?(Bundler::Source::Git)

        locked.select { |spec| spec.source == source }.map { |spec| specification(spec) }
      end

      def of_directory(dir)
        locked.select { |spec| spec.source.instance_of?(Bundler::Source::Path) && directory(spec.source) == dir }
              .map { |spec| specification(spec) }
      end

      def locked
        @locked ||= Bundler.locked_gems ? Bundler.locked_gems.specs : []
      end

      def directory(source)
        File.expand_path(source.path.to_s, APP)
      end

      def specification(locked)
        @specifications ||= {}
        @specifications[locked.full_name] ||=
          (Gem::Specification.load("#{Gem.default_dir}/specifications/#{locked.full_name}.gemspec") ||
            stand_in(locked)).extend(Installed)
      end

      def stand_in(locked)
        Gem::Specification.new(locked.name, locked.version) do |spec|
          spec.platform = locked.platform
          locked.dependencies.each { |dep| spec.add_dependency(dep.name, *dep.requirement.as_list) }
        end
      end
    end
  end
end
