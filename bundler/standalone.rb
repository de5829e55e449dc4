# SPDX-License-Identifier: MIT
# frozen_string_literal: true

# The gems of what has no Gemfile: of a script, and of a published gem. Stands in front of probe.rb.
#
# A script is parsed, never run: what its `gemfile` block (bundler/inline) asks for, else the gems
# that have what it requires by literal name, as RubyGems would choose them.

module RucksackProbe
  module Standalone
    # A `gemfile do ... end` of a script: where it is, and what is between its words.
    Block = Struct.new(:text, :file, :line)

    module_function

    def wanted?
      ENV.key?("RUCKSACK_SCRIPT") || ENV.key?("RUCKSACK_GEM")
    end

    def answer
      gem = ENV.delete("RUCKSACK_GEM")
      executable = ENV.delete("RUCKSACK_EXECUTABLE")
      gem ? published(gem, executable) : script(ENV.delete("RUCKSACK_SCRIPT"))
    end

    def published(name, executable)
      spec = Gem::Specification.find_by_name(name)
      spec.activate
      { "gems" => activated, "executable" => choose(spec, executable), "version" => spec.version.to_s }
    end

    def choose(spec, executable)
      names = spec.executables
      chosen = executable || (names.include?(spec.name) ? spec.name : names.first)
      return chosen if names.include?(chosen) && (executable || names.size == 1 || chosen == spec.name)

      raise Problem.new("E-APP", "gem '#{spec.name}' has no executable", "it is a library: name another gem") if names.empty?
      raise Problem.new("E-APP", "gem '#{spec.name}' has the executables #{names.join(", ")}",
                        "choose one: --executable #{names.first}")
    end

    def activated
      Gem.loaded_specs.values.reject { |spec| spec.name == "bundler" }.sort_by(&:full_name)
         .map { |spec| RucksackProbe.gem_of(spec) }
    end

    def script(path)
      trees = trees_of(File.realpath(path))
      blocks = trees.flat_map { |file, tree| blocks_of(file, tree) }
      unknown = []
      gems = if blocks.empty?
               unknown = activate_required(trees)
               activated
             else
               resolved(blocks, path)
             end
      { "gems" => gems, "files" => trees.keys, "unknown" => unknown }
    end

    # The script and what it loads of its own: path => syntax tree.
    def trees_of(path)
      trees = {}
      todo = [path]
      until todo.empty?
        file = todo.shift
        next if trees.key?(file)

        trees[file] = parse(file)
        todo.concat(own_files(file, trees[file], File.dirname(path)))
      end
      trees
    end

    # By require_relative, and by a name that leads to a file in one of the directories that scripts
    # put in front of their load path: beside them, lib, ../lib, and those that they name.
    def own_files(file, tree, top)
      relative = names_of(tree, file, :require_relative).map { |name| own_file(name, File.dirname(file)) }
      names = names_of(tree, file, :require) + names_of(tree, file, :load) + autoloads(tree)
      dirs = [top, "#{top}/lib", "#{top}/../lib"] + load_dirs(tree, file).map { |dir| File.expand_path(dir, top) }
      named = names.map { |name| dirs.filter_map { |dir| own_file(name, dir) }.first }
      (relative + named).compact
    end

    # What each call of this function names, where that is known.
    def names_of(tree, file, function)
      names = []
      each_node(tree) do |node|
        next unless node.type == :FCALL && node.children[0] == function

        names << path_of(arguments_of(node).first, file)
      end
      names.compact
    end

    # $LOAD_PATH.unshift, $: << and the like.
    def load_dirs(tree, file)
      dirs = []
      each_node(tree) do |node|
        next unless %i[CALL OPCALL].include?(node.type) && %i[unshift push append prepend <<].include?(node.children[1])

        receiver = node.children[0]
        next unless receiver.type == :GVAR && %i[$: $LOAD_PATH $-I].include?(receiver.children[0])

        dirs.concat(arguments_of(node).map { |argument| path_of(argument, file) })
      end
      dirs.compact
    end

    def arguments_of(call)
      list = call.children.last
      list.respond_to?(:type) && %i[LIST ARRAY].include?(list.type) ? list.children.compact : []
    end

    # The path that an expression of literals, __dir__, __FILE__ and methods of File gives; nil when
    # there is more in it.
    def path_of(node, file)
      return node if node.is_a?(String)
      return unless node.is_a?(RubyVM::AbstractSyntaxTree::Node)

      case node.type
      when :STR, :FILE then literal(node, file)
      when :VCALL, :FCALL then node.children[0] == :__dir__ ? File.dirname(file) : nil
      when :EVSTR then path_of(node.children[0], file)
      when :DSTR then joined(node.children, file)
      when :CALL then path_of_call(node, file)
      end
    end

    # The parser has no name for __FILE__ of a text that it is given.
    def literal(node, file)
      text = node.children[0]
      text.nil? || text.empty? || text == "-" || node.type == :FILE ? file : text
    end

    def joined(parts, file)
      parts = parts.flat_map { |part| part.respond_to?(:type) && part.type == :LIST ? part.children : [part] }.compact
      paths = parts.reject { |part| part == "" }.map { |part| path_of(part, file) }
      paths.include?(nil) ? nil : paths.join
    end

    def path_of_call(node, file)
      receiver, method, = node.children
      return unless receiver.type == :CONST && receiver.children[0] == :File

      arguments = arguments_of(node).map { |argument| path_of(argument, file) }
      return if arguments.empty? || arguments.include?(nil)

      case method
      when :join then File.join(*arguments)
      when :dirname then File.dirname(arguments[0])
      when :expand_path, :absolute_path then File.expand_path(arguments[0], arguments[1] || File.dirname(file))
      when :realpath then arguments[0]
      end
    end

    def own_file(name, dir)
      found = [name, "#{name}.rb"].map { |n| File.expand_path(n, dir) }.find { |n| File.file?(n) }
      File.realpath(found) if found && !found.end_with?(".so")
    end

    # autoload :Name, "file"
    def autoloads(tree)
      files = []
      each_node(tree) do |node|
        next unless node.type == :FCALL && node.children[0] == :autoload

        file = node.children[1].children[1]
        files << file.children[0] if file.respond_to?(:type) && file.type == :STR
      end
      files
    end

    def parse(file)
      RubyVM::AbstractSyntaxTree.parse(File.read(file))
    rescue SyntaxError => e
      raise Problem.new("E-SYNTAX", "#{File.basename(file)} does not parse: #{e.message.lines.first.strip}",
                        "see the whole message: ruby -c #{file}")
    end

    def each_node(node, &block)
      return unless node.is_a?(RubyVM::AbstractSyntaxTree::Node)

      yield node
      node.children.each { |child| each_node(child, &block) }
    end

    # The leading literal strings of each call of this function.
    def literal_calls(tree, function)
      calls = []
      each_node(tree) do |node|
        next unless node.type == :FCALL && node.children[0] == function

        list = node.children[1]
        arguments = list.respond_to?(:children) ? list.children : []
        texts = arguments.take_while { |a| a.respond_to?(:type) && a.type == :STR }.map { |a| a.children[0] }
        calls << texts unless texts.empty?
      end
      calls
    end

    def blocks_of(file, tree)
      blocks = []
      each_node(tree) do |node|
        next unless node.type == :ITER

        call, scope = node.children
        next unless call.type == :FCALL && call.children[0] == :gemfile

        body = scope.children.last
        blocks << Block.new(slice(file, body), file, body.first_lineno) if body
      end
      blocks
    end

    # Columns count bytes.
    def slice(file, node)
      lines = File.binread(file).lines[node.first_lineno - 1..node.last_lineno - 1]
      lines[-1] = lines[-1].byteslice(0, node.last_column)
      lines[0] = lines[0].byteslice(node.first_column..-1)
      lines.join.force_encoding("UTF-8")
    end

    def resolved(blocks, path)
      definition = definition_of(blocks)
      definition.validate_runtime!
      definition.specs.to_a.reject { |spec| spec.name == "bundler" }.sort_by(&:full_name)
                .map { |spec| RucksackProbe.gem_of(spec) }
    rescue Bundler::GemNotFound => e
      raise Problem.new("E-GEM", e.message.lines.first.strip, "install them: run the script once, ruby #{path}")
    rescue NameError, SyntaxError => e
      raise Problem.new("E-GEMFILE", "the gemfile of #{path}: #{e.message.lines.first.strip}",
                        "write it with literal names and versions")
    end

    # As bundler/inline makes it: of a Gemfile that is not there.
    def definition_of(blocks)
      require "bundler"
      Bundler.define_singleton_method(:root) { Bundler::SharedHelpers.pwd.expand_path }
      ENV["BUNDLE_GEMFILE"] = "Gemfile"
      Bundler.settings.temporary(deployment: false, frozen: false) do
        builder = Bundler::Dsl.new
        blocks.each { |block| builder.instance_eval(block.text, block.file, block.line) }
        builder.to_definition(nil, true)
      end
    end

    # As RubyGems would: a `gem` call first, then each file that is not there without gems.
    def activate_required(trees)
      trees.each_value do |tree|
        literal_calls(tree, :gem).each { |arguments| Kernel.send(:gem, *arguments) }
      end
      own = trees.keys.map { |file| file.delete_suffix(".rb") }
      trees.values.flat_map { |tree| literal_calls(tree, :require).map(&:first) }.uniq
           .reject { |name| name.start_with?("/", "./", "../") || own.any? { |file| file.end_with?("/#{name}") } || activate(name) }
    rescue Gem::MissingSpecError => e
      raise Problem.new("E-GEM", e.message.lines.first.strip, "install it: gem install #{e.name}")
    end

    def activate(name)
      return true if loadable?(name)

      spec = Gem::Specification.find_by_path(name)
      spec&.activate
      !spec.nil?
    end

    # From the standard library, or from a gem that is active. (Some features have no file.)
    def loadable?(name)
      return true if %w[thread rational complex enumerator fiber].include?(name)

      !$LOAD_PATH.resolve_feature_path(name).nil?
    rescue LoadError
      false
    end
  end
end
