# SPDX-License-Identifier: MIT
# frozen_string_literal: true

require "pathname"

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
      Gem.loaded_specs.values.reject { |spec| spec.name == "bundler" }.map { |spec| RucksackProbe.gem_of(spec) }
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
      { "gems" => gems, "files" => trees.keys, "data" => data_of(trees), "unknown" => unknown }
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

    # Files and directories that the scripts name by expressions with __dir__ or __FILE__, and that
    # are there: what they read beside themselves.
    def data_of(trees)
      top = data_top(trees.keys)
      named = trees.flat_map do |file, tree|
        (places_of(tree, file) + places_from(tree, file)).flat_map { |place| found_at(place, top) }
      end
      named = named.uniq.sort - trees.keys
      named.reject { |path| named.any? { |other| path.start_with?("#{other}/") } }
    end

    # Where directories may lie: beside the scripts, and beside a directory for programs.
    def data_top(files)
      dirs = files.map { |file| File.dirname(file) }
      dirs << File.dirname(dirs[0]) if %w[bin exe sbin script scripts].include?(File.basename(dirs[0]))
      dirs.uniq
    end

    # A directory that holds a script is where data is, not data.
    def found_at(place, top)
      Dir.glob(place).filter_map do |path|
        path = File.realpath(path)
        next path if File.file?(path)

        path if File.directory?(path) && top.any? { |dir| path.start_with?("#{dir}/") } &&
                top.none? { |dir| dir == path || dir.start_with?("#{path}/") }
      end
    end

    # Patterns of glob(7).
    def places_of(tree, file)
      places = []
      each_node(tree) do |node|
        next unless %i[FCALL CALL OPCALL DSTR].include?(node.type) && beside?(node, file)

        path = path_of(node, file)
        path = path ? escaped(path.to_s, glob?(node)) : known_part(node, file)
        places << File.expand_path(path) if path&.start_with?("/")
        places.concat(globs_of(node, file)) if glob?(node)
      end
      places.uniq
    end

    # Files by relative names, after Dir.chdir to where the script is.
    def places_from(tree, file)
      dirs = []
      texts = []
      each_node(tree) do |node|
        texts << node.children[0] if node.type == :STR
        next unless node.type == :CALL && node.children[1] == :chdir && beside?(node, file)

        dirs << path_of(arguments_of(node).first, file)
      end
      texts = texts.select { |text| text.is_a?(String) && text.match?(%r{[./]}) && !text.match?(%r{\A/|\0}) }
      dirs.compact.product(texts).map { |dir, text| File.expand_path(text, dir.to_s) }.uniq
          .select { |path| File.file?(path) }.map { |path| escaped(path, false) }
    end

    def escaped(path, is_pattern)
      is_pattern ? path : path.gsub(/[\\*?\[\]{}]/) { |special| "\\#{special}" }
    end

    # Dir[...], Dir.glob(...)
    def glob?(node)
      node.type == :CALL && node.children[0].is_a?(RubyVM::AbstractSyntaxTree::Node) &&
        node.children[0].type == :CONST && node.children[0].children[0] == :Dir && %i[[] glob].include?(node.children[1])
    end

    def globs_of(call, file)
      arguments_of(call).filter_map { |argument| path_of(argument, file)&.to_s }.select { |path| path.start_with?("/") }
    end

    # Whether the expression says where its script is.
    def beside?(node, file)
      each_node(node) do |part|
        return true if part.type == :FILE || part.type == :STR && literal(part, file).equal?(file)
        return true if %i[VCALL FCALL].include?(part.type) && part.children[0] == :__dir__
        return true if VARIABLES.key?(part.type) && value_of(part, file)
      end
      false
    end

    # The directory that an expression leads into, when only the end of it is not known:
    # File.join(__dir__, "data", name), "#{__dir__}/data/#{name}.yml".
    def known_part(node, file)
      parts = case node.type
              when :DSTR then pieces(node.children)
              when :CALL then file_method?(node, :join) ? arguments_of(node) : return
              else return
              end
      known = parts.map { |part| path_of(part, file) }.take_while(&:itself).map(&:to_s)
      return if known.empty?

      node.type == :DSTR ? escaped(known.join[%r{\A.*(?=/)}m].to_s, false) : escaped(File.join(*known), false)
    end

    # The path that an expression of literals, __dir__, __FILE__, methods of File and Pathname, and
    # names for such gives; nil when there is more in it.
    def path_of(node, file)
      return node if node.is_a?(String)
      return unless node.is_a?(RubyVM::AbstractSyntaxTree::Node)

      case node.type
      when :STR, :FILE then literal(node, file)
      when :VCALL then node.children[0] == :__dir__ ? File.dirname(file) : nil
      when :FCALL then path_of_function(node, file)
      when :EVSTR then path_of(node.children[0], file)
      when :DSTR then joined(node.children, file)
      when :CALL, :OPCALL then path_of_call(node, file)
      when *VARIABLES.keys then value_of(node, file)
      end
    end

    def path_of_function(node, file)
      return File.dirname(file) if node.children[0] == :__dir__
      return unless node.children[0] == :Pathname

      path = path_of(arguments_of(node).first, file)
      path && Pathname(path)
    end

    # How a name is read, and how it is given its value.
    VARIABLES = { CONST: :CDECL, LVAR: :LASGN, DVAR: :DASGN, GVAR: :GASGN }.freeze

    # What the script calls by a name that it gives once.
    def value_of(node, file)
      values = (@values ||= {})[file] or return
      assigned = values[[VARIABLES[node.type], node.children[0]]]
      return unless assigned&.size == 1 && !assigned[0].nil?

      # A value may not name itself: x = x + "/y"
      value = assigned.pop
      path = path_of(value, file)
      assigned.push(value)
      path
    end

    def note_values(tree, file)
      values = (@values ||= {})[file] = Hash.new { |all, name| all[name] = [] }
      each_node(tree) do |node|
        type = node.type == :DASGN_CURR ? :DASGN : node.type
        values[[type, node.children[0]]] << node.children[1] if VARIABLES.value?(type) && node.children[0].is_a?(Symbol)
      end
      values.default = nil
    end

    # The parser has no name for __FILE__ of a text that it is given.
    def literal(node, file)
      text = node.children[0]
      text.nil? || text.empty? || text == "-" || node.type == :FILE ? file : text
    end

    def pieces(parts)
      parts.flat_map { |part| part.respond_to?(:type) && part.type == :LIST ? part.children : [part] }
           .reject { |part| part.nil? || part == "" }
    end

    def joined(parts, file)
      paths = pieces(parts).map { |part| path_of(part, file) }
      paths.include?(nil) ? nil : paths.join
    end

    def file_method?(node, method = nil)
      receiver, name, = node.children
      receiver.is_a?(RubyVM::AbstractSyntaxTree::Node) && receiver.type == :CONST && receiver.children[0] == :File &&
        (method.nil? || name == method)
    end

    def path_of_call(node, file)
      arguments = arguments_of(node).map { |argument| path_of(argument, file) }
      return if arguments.include?(nil)
      return path_of_method(node, arguments, file) unless file_method?(node)
      return if arguments.empty?

      case node.children[1]
      when :join then File.join(*arguments)
      when :dirname then File.dirname(arguments[0])
      when :expand_path, :absolute_path then File.expand_path(arguments[0], arguments[1] || File.dirname(file))
      when :realpath then arguments[0].to_s
      end
    end

    # Of a Pathname, or a string.
    def path_of_method(node, arguments, file)
      receiver, method, = node.children
      return Pathname(arguments[0]) if method == :new && receiver.type == :CONST && receiver.children[0] == :Pathname && arguments.size == 1

      path = path_of(receiver, file)
      if path.is_a?(Pathname)
        %i[join + / dirname parent expand_path to_s to_path realpath].include?(method) ? path_method(path, method, arguments) : nil
      elsif path
        { :+ => -> { path + arguments[0].to_s }, to_s: -> { path }, freeze: -> { path } }[method]&.call
      end
    end

    def path_method(path, method, arguments)
      method = :expand_path if method == :realpath
      path.public_send(method, *arguments)
    rescue ArgumentError, TypeError
      nil
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
      tree = RubyVM::AbstractSyntaxTree.parse(File.read(file))
      note_values(tree, file)
      tree
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
      definition.specs.to_a.reject { |spec| spec.name == "bundler" }.map { |spec| RucksackProbe.gem_of(spec) }
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
