#!/usr/bin/env bats
# SPDX-License-Identifier: MIT
# Compiled sources: taken where they are right, and nothing looks as if they were.

bats_require_minimum_version 1.5.0
load lib

# The application, and its bundle: a release, since only that has compiled sources.
setup_file() {
    export app=$BATS_FILE_TMPDIR/app bundle=$BATS_FILE_TMPDIR/app.AppImage
    make_guestbook
    make_app "$app"
    "$rucksack" build -o "$bundle" "$app" 2>"$BATS_FILE_TMPDIR/said"
}

setup() {
    cd "$BATS_TEST_TMPDIR" || return
}

make_app() {
    cp -r "$BATS_TEST_DIRNAME/compiled" "$1"
    cp -r "$guestbook_app"/{Gemfile,Gemfile.lock,.bundle} "$1/"
    ln -s "$guestbook_app/vendor" "$1/vendor"
}

# inside CODE [OPTION...]: what the bundle's Ruby prints.
inside() {
    "$bundle" exec bundle exec ruby "${@:2}" -e "$1"
}

looks='require "./lib/looks"; print Looks.report(Dir.pwd)'
# Whether Ruby would take that file compiled.
taken='compiled = RubyVM::InstructionSequence
puts((compiled.load_iseq("#{Gem::RUCKSACK_ROOT}/app/lib/looks.rb") if compiled.respond_to?(:load_iseq)).class)'

@test "the build says how many, and the pack has the application's" {
    grep -qE '^compile +[0-9]{3} sources that a start loads' "$BATS_FILE_TMPDIR/said"
    run inside "$taken"
    [ "$output" = RubyVM::InstructionSequence ]
    run inside "${taken/looks/nothing}"
    [ "$output" = NilClass ]
}

# Whether Ruby, with these options, has read a source of RubyGems.
reads_rubygems() {
    strace -f -y -o trace -e trace=read "$bundle" exec ruby "$@" -e 1
    grep -q 'read(.*/rubygems\.rb>' trace
}

@test "RubyGems, which Ruby reads before any line of ours, is compiled too" {
    local -x LC_ALL
    for LC_ALL in C.UTF-8 C; do
        run ! reads_rubygems
        reads_rubygems -w
    done
}

@test "a file looks the same parsed and compiled: places, backtraces, texts, syntax" {
    local -x LC_ALL
    for LC_ALL in C.UTF-8 C; do # a service or a container has no other than C
        (cd "$app" && bundle exec ruby -e "$looks") >native
        inside 'Dir.chdir("#{Gem::RUCKSACK_ROOT}/app")'";$looks" >bundled
        diff native bundled
        run inside "$taken"
        [ "$output" = RubyVM::InstructionSequence ]
    done
    grep -q '^encoding: .*#<Encoding:US-ASCII>' native
    grep -q '^top: \["APP/lib/looks.rb", "APP/lib/looks.rb", [0-9]*, "<top (required)>"\]' bundled
}

@test "coverage, warnings, other options of the compiler, other encodings, debuggers: parsed" {
    run inside "require 'coverage'; Coverage.start; $taken"
    [ "$output" = NilClass ]
    run --separate-stderr inside "$taken" -w
    [ "$output" = NilClass ]
    run inside "$taken" --enable=frozen-string-literal
    [ "$output" = NilClass ]
    run inside "RubyVM::InstructionSequence.compile_option = {peephole_optimization: false}; $taken"
    [ "$output" = NilClass ]
    run inside "$taken" -E ISO-8859-1
    [ "$output" = NilClass ]
    run inside "module DEBUGGER__; end; $taken"
    [ "$output" = NilClass ]
    run inside "if RubyVM.respond_to?(:keep_script_lines=)
                  RubyVM.keep_script_lines = true
                  $taken
                else
                  puts NilClass
                end"
    [ "$output" = NilClass ]
}

@test "who hooks in later is asked for what the pack has not, as bootsnap is" {
    local later='class << RubyVM::InstructionSequence
        prepend(Module.new { def load_iseq(path) = (puts(File.basename(path)); nil) })
    end'
    run inside "$later; $taken"
    [ "$output" = RubyVM::InstructionSequence ]
    run inside "$later; ${taken/looks/nothing}"
    [ "$output" = "nothing.rb
NilClass" ]
    # told to compile some sources otherwise, it is asked for all
    run inside "$later; module Bootsnap; module CompileCache; module ISeq
        def self.compiler_selector = ->(_) {}
    end; end; end; $taken"
    [ "$output" = "looks.rb
NilClass" ]
}

@test "another way to load is not in the way" {
    run inside "class << RubyVM::InstructionSequence
                  prepend(Module.new { def load_iseq(path) = path.end_with?('looks.rb') ? super : nil })
                end
                $taken"
    [ "$output" = RubyVM::InstructionSequence ]
}

@test "a Ractor takes them, too" {
    run --separate-stderr inside 'file = "#{Gem::RUCKSACK_ROOT}/app/lib/beside.rb"
        p RubyVM::InstructionSequence.load_iseq(file).class, Ractor.new(file) { |name| load name }.take'
    [ "$output" = "RubyVM::InstructionSequence
true" ]
}

@test "in another directory, unpacked, behind a symlink" {
    local way
    for way in extract fuse; do
        RUCKSACK_MOUNT=$way run inside "$taken"
        [ "$output" = RubyVM::InstructionSequence ]
    done
    "$rucksack" extract -o tree "$bundle"
    ln -s tree link
    run link/AppRun exec bundle exec ruby -e 'Dir.chdir("#{Gem::RUCKSACK_ROOT}/app")'";$looks"
    [ "$status" -eq 0 ]
}

specs='require "set"; Gem::Specification.reset if ARGV[0]
all = Gem::Specification.each.to_a | Gem.loaded_specs.values
puts all.sort_by(&:full_name).map { |spec| [spec.to_ruby, spec.loaded_from.delete_prefix(Gem::RUCKSACK_ROOT), spec.activated?,
  spec.equal?(Gem::Specification.load(spec.loaded_from)), spec.full_require_paths.size].inspect }
p Gem::Specification.load("nothing"), Gem::Specification.load(nil), Gem.find_unresolved_default_spec("json")&.name'

@test "specifications of gems are compiled, too, and the same" {
    run inside 'puts Gem::Specification.instance_variable_get(:@rucksack_loaded).keys.grep(/sinatra|puma/).size'
    [ "$output" -ge 2 ]
    "$bundle" exec bundle exec ruby -e "$specs" >compiled
    "$bundle" exec bundle exec ruby -W1 -W:deprecated -e "$specs" >parsed
    [ "$(wc -l <compiled)" -gt 20 ]
    diff compiled parsed
    "$bundle" exec bundle exec ruby -e "$specs" again >again
    [ "$(sed 's/, \(true\|false\), / /g' again)" = "$(sed 's/, \(true\|false\), / /g' compiled)" ]
}

# behind VERSION: whether a source of rack has, compiled, what a recipe for these versions puts behind it.
behind() {
    cp -r "$app" "$1" # another line in another directory
    mkdir -p "$1/recipes"
    printf '%s\n' 'name: rack' 'summary: none' 'match: {gem: [rack]}' 'sources:' '  - gem: rack' "    version: '$1'" \
        '    file: lib/rack/version.rb' '    behind: "module Rack; BEHIND = [__FILE__, __LINE__]; end"' >"$1/recipes/rack.yml"
    "$rucksack" build --quiet -o "$1.AppImage" "$1" >/dev/null
    bundle=./$1.AppImage inside 'require "rack"; puts defined?(Rack::BEHIND).inspect' "${@:2}"
}

@test "what a recipe puts behind a source is there compiled, and nowhere else" {
    run behind '[23].*'
    [ "$output" = '"constant"' ]
    run "./[23].*.AppImage" exec bundle exec ruby -e 'require "rack"; file, line = Rack::BEHIND
        puts File.readlines(file).length - line, File.read(file).include?("BEHIND")'
    [ "$output" = $'-2\nfalse' ]
    bundle="./[23].*.AppImage"
    run inside 'require "rack"; puts defined?(Rack::BEHIND).inspect' -w
    [ "${lines[-1]}" = nil ] # parsed
    run behind '1.*'
    [ "$output" = nil ]
}

@test "switched off there is none" {
    make_app other
    echo 'boot: {compiled: false}' >other/rucksack.yml
    "$rucksack" build -o off.AppImage other 2>said
    run ! grep -q '^compile' said
    "$rucksack" extract -o tree off.AppImage
    [ ! -e tree/.rucksack/iseqs ]
    run tree/AppRun exec bundle exec ruby -e 'puts RubyVM::InstructionSequence.respond_to?(:load_iseq)'
    [ "$output" = false ]
}

@test "a pack that is no pack, or of nothing, is not used" {
    local pack
    "$rucksack" extract -o tree "$bundle"
    for pack in '' 'RSKISEQ1' 'RSKISEQ1\377\377\377\377\0\0\0\0' 'RSKISEQ2\0\0\0\0\0\0\0\0'; do
        printf "$pack" >tree/.rucksack/iseqs
        run tree/AppRun exec bundle exec ruby -e "$taken"
        [ "$output" = NilClass ]
        run tree/AppRun exec bundle exec ruby -e 'require "sinatra/base"; puts :ok'
        [ "$output" = ok ]
    done
}

# slots PROCESS [VARIABLE=VALUE]: how many objects Ruby has room for; nobody has heard of it.
slots() {
    run --separate-stderr env "${@:2}" "$bundle" run "$1"
    [ "$status" -eq 0 ] && [ -z "$stderr" ] && [[ $output = *" nil nil none" ]] && echo "${output%% *}"
}

@test "the heap of an app begins as large as its sources would have made it; a child's does not" {
    local wanted
    "$rucksack" extract -o tree "$bundle"
    wanted=$(($(stat -c %s tree/.rucksack/iseqs) / 30 - 2000)) # whole pages
    [ "$(slots heap)" -ge "$wanted" ]
    [ "$(slots heap)" -lt $((wanted + 4000)) ]
    "$bundle" exec env >environment
    run ! grep RUBY_GC environment
    # Ruby speaks of the variable under -w, which parses the sources, too
    [ "$(slots loud)" -lt "$wanted" ]
    # who tunes the heap has done so
    run -0 env RUBY_GC_HEAP_FREE_SLOTS=5000 "$bundle" run heap
    [ "${output%% *}" -lt "$wanted" ]
    run -0 env RUBY_GC_HEAP_INIT_SLOTS=40000 "$bundle" run heap
    [[ $output = *' "40000" "40000" 40000' ]]
    # nothing is compiled, nothing is different
    rm tree/.rucksack/iseqs
    run -0 tree/AppRun run heap
    [ "${output%% *}" -lt "$wanted" ]
}

@test "the same sources give the same pack" {
    make_app other
    (
        umask 077
        TZ=Asia/Tokyo LANG=C HOME=/nowhere "$rucksack" build --quiet -o other.AppImage other
    )
    "$rucksack" extract -o one "$bundle"
    "$rucksack" extract -o two other.AppImage
    cmp one/.rucksack/iseqs two/.rucksack/iseqs
}
