#!/usr/bin/env bats
# SPDX-License-Identifier: MIT
# --slim: of Ruby's standard library, what something names.

bats_require_minimum_version 1.5.0
load lib

setup_file() {
    export XDG_CACHE_HOME=$BATS_FILE_TMPDIR/cache
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

# Libraries of the bundle, one a line.
libraries() {
    "$rucksack" inspect --json "$made" | ruby -rjson -e 'puts JSON.parse($stdin.read)["libraries"].map { _1["name"] }'
}

@test "one line: half the size, without what only the standard library needs" {
    echo 'puts "hello"' >hello.rb
    "$rucksack" build -q -o full hello.rb
    "$rucksack" build --slim -o made hello.rb 2>said
    made=$BATS_TEST_TMPDIR/made
    grep -Eq '^slim +[0-9]+ of [0-9]+ libraries of Ruby' said
    [ $(($(stat -c %s full) - $(stat -c %s made))) -ge 4000000 ]
    [ "$(stat -c %s made)" -le 5000000 ]
    libraries | grep -q libruby
    run ! grep -q 'libcrypto\|libyaml\|libedit' <(libraries)
    guestbook=$made make_busybox_root "$root"
    run -0 run_in --fuse --user $user "$root" /srv/guestbook.AppImage
    [ "$output" = hello ]
}

@test "what is named stays: required, in a list, as a word for later; an encoding by its constant" {
    cat >tool.rb <<'RUBY'
require "json"
%w[csv yaml].each { |name| require name }
LATER = "digest"
require "#{LATER}/sha2"
puts JSON.generate([CSV.parse_line("a,b"), YAML.load("- 1"), Digest::SHA256.hexdigest("")[0, 4]])
puts "日本".encode(Encoding::EUC_JP).bytesize
begin
  "日本".encode(["Big", 5].join)
rescue EncodingError => e
  puts e.class
end
RUBY
    pack --slim --check "" tool.rb
    guestbook=$made make_busybox_root "$root"
    run -0 run_in --fuse --user $user "$root" /srv/guestbook.AppImage
    [ "${lines[0]}" = '[["a","b"],[1],"e3b0"]' ]
    [ "${lines[1]}" = 4 ]
    [ "${lines[2]}" = Encoding::ConverterNotFoundError ]
}

@test "what is not named raises LoadError, which says how to have it; a rescue sees the usual one" {
    cat >tool.rb <<'RUBY'
begin
  require "open#{"ssl"}"
rescue LoadError => e
  puts e.path
end
begin
  require "net#{"/"}http"
rescue LoadError => e
  puts e.path
end
puts "json"[0, 2]
require ARGV[0] if ARGV[0]
RUBY
    pack --slim tool.rb
    run -0 "$made"
    [ "$output" = $'openssl\nnet/http\njs' ]
    run -1 "$made" yaml
    [[ $output = *"cannot load such file -- yaml (slim: nothing named it when this bundle was built; to have it, build with --keep ruby/yaml)"* ]]
    pack --slim --keep ruby/yaml --keep 'ruby/op*ssl' tool.rb
    run -0 "$made" yaml
    [ "$output" = $'net/http\njs' ]
}

@test "SyntaxError, NoMethodError, warnings and pp are as without it" {
    cat >tool.rb <<'RUBY'
pp({ a: [1, 2] })
warn "w"
[1, 2].to_set.size.then { |n| puts n }
puts "é".unicode_normalize(:nfd).length
begin
  eval("def a(")
rescue SyntaxError => e
  puts e.class
end
nil.missing
RUBY
    "$rucksack" build --fast --no-check -q -o full tool.rb
    pack --slim --no-check tool.rb
    run -1 ./full
    full=$(sed 's,/[^ ]*/m/,/,g' <<<"$output")
    run -1 "$made"
    [ "$(sed 's,/[^ ]*/m/,/,g' <<<"$output")" = "$full" ]
}

@test "an application: rucksack.yml, the console, what asks the real Bundler; same inputs, same bytes" {
    make_guestbook
    cp -r "$guestbook_app" app
    echo 'slim: true' >>app/rucksack.yml
    pack app
    grep -q '^slim ' said
    cp made first
    "$rucksack" build --fast --no-cache -q -o made app
    cmp first made
    run -0 "$made" --state "$PWD/state" console <<<'puts Sinatra.name rescue puts $!.class; p 6 * 7'
    [[ $output = *42* ]]
    run -0 "$made" --state "$PWD/state" exec bundle list
    [[ $output = *sinatra* ]]
    sed -i 's/slim: true/slim: maybe/' app/rucksack.yml
    run -1 pack app
    grep -q "E-CONFIG: app/rucksack.yml:[0-9]*: 'slim' must be true or false" said
}

@test "-v says why each library of Ruby is in or out" {
    echo 'require "json"' >tool.rb
    pack --slim -v --no-check tool.rb
    grep -Eq '^in +json +app/tool.rb' said
    grep -Eq '^in +monitor +what every start of Ruby loads' said
    grep -Eq '^out +csv +nothing names it' said
}
