#!/usr/bin/env bats
# SPDX-License-Identifier: MIT
# Commands: scripts, published gems and gems from their source, in a root that has nothing.

bats_require_minimum_version 1.5.0
load lib

setup_file() {
    export GEM_HOME=$cache/cli GEM_PATH=$cache/cli XDG_CACHE_HOME=$BATS_FILE_TMPDIR/cache
    gem list --installed --exact kramdown --version 2.5.2 >/dev/null 2>&1 ||
        gem install kramdown --version 2.5.2 --no-document >/dev/null
}

setup() {
    make_enter
    root=$BATS_TEST_TMPDIR/root
    way=
    cd "$BATS_TEST_TMPDIR"
}

teardown() {
    drop_roots
}

# pack OPERAND...: the bundle is $made.
pack() {
    made=$BATS_TEST_TMPDIR/made
    "$rucksack" build --fast -o "$made" "$@" 2>"$BATS_TEST_TMPDIR/said"
}

# In a busybox root, as a user; GEM_HOME and the like do not get there.
in_root() {
    guestbook=$made make_busybox_root "$root"
    run_in --fuse --user $user "$root" /srv/guestbook.AppImage "$@"
}

@test "one script: its arguments are all its own, \$0 is __FILE__, DATA is read" {
    mkdir "a dir"
    cat >"a dir/the \$tool's.rb" <<'RUBY'
require "json"
require_relative "lib/helper"
puts JSON.generate([ARGV, __FILE__ == $0, Helper::WORD, DATA.read, __dir__ == File.dirname($0)])
exit 4 if ARGV.empty?
__END__
data
RUBY
    mkdir "a dir/lib"
    echo 'module Helper; WORD = "helped"; end' >"a dir/lib/helper.rb"
    pack --check "--check it" "a dir/the \$tool's.rb"
    grep -q 'check    runs in an empty root' said
    run -0 in_root --help '' --version -- run
    [ "$output" = '[["--help","","--version","--","run"],true,"helped","data\n",true]' ]
    run -4 run_in --fuse --user $user "$root" /srv/guestbook.AppImage
}

@test "one script: what it loads by its own load path, by load and by autoload" {
    mkdir -p tool/bin tool/lib/parts
    cat >tool/bin/tool.rb <<'RUBY'
$LOAD_PATH.unshift File.expand_path("../lib", __dir__)
require "parts"
autoload :Late, "parts/late"
puts PARTS, Late::WORD
RUBY
    printf 'require "parts/inner"\nPARTS = INNER\n' >tool/lib/parts.rb
    echo 'INNER = "inner"' >tool/lib/parts/inner.rb
    echo 'module Late; WORD = "late"; end' >tool/lib/parts/late.rb
    pack --check "" tool/bin/tool.rb
    run ! grep warning said
    run -0 in_root
    [ "$output" = $'inner\nlate' ]
}

@test "one script: the directories of its load path, and names, that are computed of literals" {
    mkdir -p bin/sub lib other/deep
    echo 'A = 1' >lib/one.rb
    echo 'B = 2' >bin/sub/two.rb
    echo 'C = 3' >other/deep/three.rb
    echo 'D = 4' >other/four.rb
    echo 'E = 5' >other/five.rb
    cat >bin/paths.rb <<'RUBY'
$LOAD_PATH.unshift(File.expand_path("sub", File.dirname(__FILE__)))
$: << "#{__dir__}/../other/deep" << "/nowhere"
$LOAD_PATH.push(*ENV["NO_SUCH"].to_s.split)
require File.join(File.dirname(__FILE__), "..", "lib", "one")
require "two"
require "three"
load "#{__dir__}/../other/four.rb"
require File.expand_path("../../other/five", __FILE__)
puts A + B + C + D + E
RUBY
    pack --check "" bin/paths.rb
    run -0 in_root
    [ "$output" = 15 ]
}

@test "one script: files and directories that it names beside itself" {
    mkdir -p bin data/deep templates
    echo yml >bin/one.yml
    echo plus >bin/plus.txt
    echo odd >'bin/a [b] {c}*.txt'
    echo const >const.txt
    echo deep >data/deep/two.txt
    echo 'a <%= 6 * 7 %>' >templates/a.erb
    touch templates/other.txt templates/.env.production bin/unnamed secret.key
    cat >bin/tool.rb <<'RUBY'
require "erb"
require "pathname"
TOP = File.expand_path("..", __dir__)
here = File.dirname(File.expand_path(__FILE__))
puts File.read(File.join(__dir__, "one.yml")), File.read(__dir__ + "/plus.txt")
puts (Pathname.new(__FILE__).dirname / "a [b] {c}*.txt").read, File.read("#{TOP}/const.txt")
puts File.read(File.join(here, "..", "data", ARGV[0].to_s, "two.txt"))
Dir["#{TOP}/templates/*.erb"].each { |file| puts ERB.new(File.read(file)).result }
puts Dir.children(__dir__).sort.inspect, Dir.children(File.join(TOP, "templates")).sort.inspect
puts File.exist?(File.join(TOP, "secret.key")), File.exist?(File.join(__dir__, "nothing"))
RUBY
    pack --check deep bin/tool.rb
    run -0 grep '^data' said
    [ "$(awk '{ print $2 }' <<<"$output" | grep -v '^bin/a$' | tr '\n' ' ')" = "bin/one.yml bin/plus.txt const.txt data templates " ]
    grep -q "^warning  the script names 'secret.key', which is not packed" said
    run -0 in_root deep
    [ "$output" = 'yml
plus
odd
const
deep
a 42
["a [b] {c}*.txt", "one.yml", "plus.txt", "tool.rb"]
["a.erb", "other.txt"]
false
false' ]
}

@test "one script: files that it names from its own directory, after Dir.chdir" {
    mkdir -p tool/assets
    echo text >tool/assets/a.txt
    touch tool/other.txt
    printf 'Dir.chdir File.dirname(__FILE__)\nputs File.read("assets/a.txt"), Dir.exist?("other")\n' >tool/tool.rb
    pack --check "" tool/tool.rb
    run -0 in_root
    [ "$output" = $'text\nfalse' ]
    [ "$(grep -c '^data ' said)" = 1 ]
}

@test "one script: what it reads beside itself by computed names, by --trace" {
    mkdir home
    cd home
    for name in one two .profile; do echo "$name" >"$name"; done
    printf '#!/bin/sh\ncat "${0%%/*}/two"\n' >helper1.sh
    chmod +x helper1.sh
    cat >tool.rb <<'RUBY'
puts ARGV.map { |name| File.read(File.join(__dir__, name)) }
system(File.join(__dir__, "helper#{ARGV.size}.sh"))
File.exist?(File.expand_path("..", __dir__))
RUBY
    run -1 "$rucksack" build --fast --check one -o "$BATS_TEST_TMPDIR/made" tool.rb
    [[ $output == *'No such file or directory'*'/app/one'* ]]
    [[ $output == *'hint: what it reads beside itself, by names that it computes, is packed by --trace CMD'* ]]
    pack --trace "ruby tool.rb one; cat .profile" --check one tool.rb
    cd ..
    [ "$(grep -c '^data .* read by the recorded run' said)" = 3 ]
    run -0 in_root one
    [ "$output" = $'one\ntwo' ]
    "$rucksack" extract -o tree made
    [ "$(cd tree/app && echo *)" = 'helper1.sh one tool.rb two' ]
    [ ! -e tree/app/.profile ]
}

@test "one script: the working directory is the user's, stdin and pipes work" {
    echo 'puts Dir.pwd, $stdin.read.upcase, ENV["RACK_ENV"].inspect' >pwd.rb
    pack --no-check pwd.rb
    cd /usr/share
    run -0 bash -c "echo word | '$made' | cat"
    [ "$output" = $'/usr/share\nWORD\nnil' ]
}

@test "one script: RUCKSACK reaches the launcher" {
    echo 'puts ARGV.inspect' >say.rb
    pack --no-check say.rb
    RUCKSACK='exec' run -0 "$made" ruby -e 'puts 6 * 7'
    [ "$output" = 42 ]
    RUCKSACK=help run -0 "$made"
    [[ $output == *'say: a Ruby application in one file'* ]]
}

@test "examples/one-file: bundler/inline" {
    pack --check '/dev/null' "$tree/examples/one-file/report.rb"
    guestbook=$made make_busybox_root "$root"
    echo '# Title' >"$root/srv/notes.md"
    run -0 run_in --fuse --user $user "$root" /srv/guestbook.AppImage /srv/notes.md
    [[ $output == *'<h1 id="title">Title</h1>'* ]]
}

@test "bundler/inline: require: false, other names, groups; what is not installed" {
    cat >inline.rb <<'RUBY'
require "bundler/inline"
gemfile(true, quiet: true) do
  source Gem.sources.first.uri.to_s
  group(:x) { gem "kramdown", require: false }
  gem "rexml", require: ["rexml/document", "rexml/xpath"]
  platforms(:windows) { gem "no-such-gem-here" } if false
end
puts defined?(Kramdown).inspect, defined?(REXML::XPath), Bundler.root.class
require "kramdown"
puts Kramdown::VERSION
RUBY
    pack --check "" inline.rb
    run -0 in_root
    [ "$output" = $'nil\nconstant\nPathname\n2.5.2' ]
    sed -i 's/"rexml", r/"no-such-gem-here", r/' inline.rb
    run -1 "$rucksack" build --no-check inline.rb
    [[ $output == *"E-GEM: Could not find gem 'no-such-gem-here"*'hint: install them'* ]]
    sed -i 's/"no-such-gem-here", r/no_such_method, r/' inline.rb
    run -1 "$rucksack" build --no-check inline.rb
    [[ $output == *E-GEMFILE* ]]
}

@test "gems that a script requires by name are found, others are told" {
    cat >plain.rb <<'RUBY'
begin
  require "no/such/feature"
rescue LoadError
end
require "kramdown"
puts Kramdown::Document.new("# x").to_html, $LOADED_FEATURES.grep(/kramdown/).all? { |f| f.include?("/gems/gems/") }
RUBY
    pack --check "" plain.rb
    grep -q "the script requires 'no/such/feature', which no installed gem has" said
    run -0 in_root
    [ "$output" = $'<h1 id="x">x</h1>\ntrue' ]
}

@test "a published gem by name and version" {
    pack --gem kramdown@2.5.1 --check --version
    run -0 in_root --version
    [ "$output" = 2.5.1 ]
    run -0 "$rucksack" inspect --all "$made"
    [[ $output == *kramdown*'cli'* && $output == *2.5.1* ]]
}

@test "a published gem: no such version, no executable, no name" {
    run -1 "$rucksack" build --gem kramdown@99
    [[ $output == *"E-GEM: 'gem install kramdown' failed"*hint:* ]]
    run -1 "$rucksack" build --gem rexml
    [[ $output == *"E-APP: gem 'rexml' has no executable"*hint:* ]]
    run -1 "$rucksack" build --gem '../x'
    [[ $output == *"E-GEM: '../x' is no name of a gem"*hint:* ]]
    run -2 "$rucksack" build --gem kramdown .
    run -1 "$rucksack" build --gem kramdown --executable none
    [[ $output == *"E-APP: gem 'kramdown' has the executables kramdown"*hint:* ]]
}

@test "a gem from its source: the executable of the gemspec" {
    mkdir -p greet/exe greet/lib greet/data
    cd greet
    cat >greet.gemspec <<'RUBY'
Gem::Specification.new do |s|
  s.name = "greet"
  s.version = "0.3"
  s.summary = s.authors = "x"
  s.files = Dir["{exe,lib,data}/**/*"]
  s.bindir = "exe"
  s.executables = ["greet"]
  s.add_dependency "kramdown"
end
RUBY
    echo 'require "greet"; Greet.run(ARGV)' >exe/greet
    echo 'require "kramdown"
module Greet; def self.run(a) = puts(File.read("#{__dir__}/../data/hello") + a.inspect + Kramdown::VERSION[0]); end' \
        >lib/greet.rb
    printf hello >data/hello
    printf 'source Gem.sources.first.uri.to_s\ngemspec\n' >Gemfile
    bundle lock --local >/dev/null
    run -1 "$rucksack" build --executable gret .
    [[ $output == *"E-APP: "*"hint: did you mean 'greet'?" ]]
    pack --check a .
    run -0 in_root --all x
    [ "$output" = 'hello["--all", "x"]2' ]
}

@test "what is no script, or does not parse" {
    echo 'echo hi' >tool.sh
    run -1 "$rucksack" build tool.sh
    [[ $output == *"E-APP: 'tool.sh' is no Ruby script"*hint:* ]]
    echo 'puts (' >bad.rb
    run -1 "$rucksack" build bad.rb
    [[ $output == *'E-SYNTAX: bad.rb does not parse'*'hint: see the whole message: ruby -c'* ]]
    echo 'exit 3' >three.rb
    run -1 "$rucksack" build --check "" three.rb
    [[ $output == *'E-CHECK'*'code 3'* ]]
    [ ! -e three-x86_64.AppImage ]
    run -0 "$rucksack" build --fast three.rb
    [[ $output == *'--help in an empty root: code 3'* ]]
    printf '#!/usr/bin/env ruby\nputs 1\n' >noext
    run -0 "$rucksack" build --fast noext
}
