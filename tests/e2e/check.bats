#!/usr/bin/env bats
# SPDX-License-Identifier: MIT
# A build ends with a start in an empty root: what it tells, what it refuses, what it leaves.

bats_require_minimum_version 1.5.0
load lib

setup_file() {
    make_guestbook
}

setup() {
    unset SSL_CERT_FILE SSL_CERT_DIR # names files that an empty root lacks
    mkdir "$BATS_TEST_TMPDIR/work"
    cd "$BATS_TEST_TMPDIR/work" || return
    cp -al "$guestbook_app" app
    rm -rf app/data/*.sqlite3* app/*.AppImage
}

# as_user COMMAND...: from a copy, for the tree may be closed to others.
as_user() {
    chmod 755 "$BATS_RUN_TMPDIR" "$BATS_RUN_TMPDIR/test" "$BATS_TEST_TMPDIR"
    cp "$rucksack" ../tool
    chown $user:$user .
    env -u TMPDIR HOME="$PWD" setpriv --reuid $user --regid $user --clear-groups "$@"
}

# config LINE...: in front of config.ru.
config() {
    { printf '%s\n' "$@"; cat app/config.ru; } >app/new
    mv app/new app/config.ru
}

build() {
    run --separate-stderr "$rucksack" build --fast -o out.AppImage "$@" app
}

@test "the bundle answers before the build says so, and nothing of the start is left" {
    build
    [ "$status" -eq 0 ]
    [[ $stderr == *"check    answers 200 in an empty root"* ]]
    run ! grep -qE "^(cell|rucksack) " /proc/self/mounts
    [ "$(ls)" = $'app\nout.AppImage' ]
    [ -z "$(find app/data -name '*.sqlite3')" ]
}

@test "an ordinary user's, too" {
    run --separate-stderr as_user ../tool build --fast -o out.AppImage app
    [ "$status" -eq 0 ]
    [[ $stderr == *"check    answers 200 in an empty root"* ]]
}

@test "an app that does not start: E-CHECK with its words, and no file; --no-check builds it" {
    config 'abort "where is the key?" unless ENV["APP_KEY"]'
    build
    [ "$status" -eq 1 ]
    [[ $stderr == *"app      where is the key?"* ]]
    [[ $stderr == *"rucksack: E-CHECK: "*"ended with code 1"* ]]
    [[ $stderr == *"hint: "*"--no-check"* ]]
    [ "$(ls)" = app ]
    build --no-check
    [ "$status" -eq 0 ]
    [[ $stderr != *check* ]]
    APP_KEY=x build
    [ "$status" -eq 0 ]
    [[ $stderr == *"check    answers 200"* ]]
}

@test "an app that answers with an error has answered" {
    config 'run ->(_) { [503, {}, []] }' '__END__'
    build
    [ "$status" -eq 0 ]
    [[ $stderr == *"check    answers 503"* ]]
}

@test "what it looks for outside of the bundle is told, and no more" {
    config 'File.exist?("/etc/shop.conf"); File.read("/etc/shop.yml") rescue 0' \
        'system("/usr/bin/convert", "-version")'
    build
    [ "$status" -eq 0 ]
    [[ $stderr == *"missed   /etc/shop.yml "*"opened, not there"* ]]
    [[ $stderr == *"missed   /usr/bin/convert "*"executed, not there: config.ru:2"* ]]
    [[ $stderr != *shop.conf* ]]
    [ "$(grep -c '^missed ' <<<"$stderr")" -eq 2 ]
}

@test "a program that it starts and the bundle lacks is told with its gem, file and line" {
    mkdir -p gems/picture/lib
    cat >gems/picture/picture.gemspec <<'RUBY'
Gem::Specification.new { |s| s.name = "picture"; s.version = "1"; s.summary = s.authors = "x"; s.files = ["lib/picture.rb"] }
RUBY
    cat >gems/picture/lib/picture.rb <<'RUBY'
require "open3"
# not `pictool` here
module Picture
  TOOL = "pictool-named"
  def self.size = Open3.capture2("pictool", "-size") rescue nil
  def self.named = Open3.capture2(TOOL) rescue nil
end
RUBY
    { cat app/Gemfile; echo 'gem "picture", path: "../gems/picture"'; } >app/new
    mv app/new app/Gemfile
    cp app/Gemfile.lock app/new
    mv app/new app/Gemfile.lock
    (cd app && bundle lock --local >/dev/null)
    config 'require "picture"' 'Picture.size; Picture.named' '`nosuch-tool --version` rescue 0' \
        'require "etc"; `ruby -v`'
    build
    echo "$stderr"
    [ "$status" -eq 0 ]
    grep -qE "^missed   pictool +a program, not in PATH: gem 'picture', lib/picture.rb:5$" <<<"$stderr"
    grep -qE "^missed   pictool-named +a program, not in PATH: named in gem 'picture', lib/picture.rb:4$" <<<"$stderr"
    grep -qE "^missed   nosuch-tool +a program, not in PATH: config.ru:3$" <<<"$stderr"
    [ "$(grep -c 'not in PATH' <<<"$stderr")" -eq 3 ]
}

@test "what it writes into its image is told" {
    config 'File.write("#{__dir__}/cache.tmp", "x") rescue 0' \
        'File.write("#{Gem.loaded_specs["rack"].full_gem_path}/lib/new", "") rescue 0'
    build
    [ "$status" -eq 0 ]
    [[ $stderr == *"warning  E-WRITE: writes 'app/cache.tmp', which is in the image"* ]]
    [[ $stderr == *"warning  E-WRITE: writes 'gems/gems/rack-"*"/lib/new'"*"in the directory of gem 'rack'"* ]]
}

@test "where no such root is allowed the build says so and goes on" {
    run --separate-stderr as_user unshare --user --map-root-user sh -c \
        'echo 0 >/proc/sys/user/max_mnt_namespaces; exec "$@"' - \
        ../tool build --fast -o out.AppImage app
    [ "$status" -eq 0 ]
    [[ $stderr == *"check    not possible here: "* ]]
}

# --- build --trace

@test "a library whose name is computed: the check finds that it is missing, a recorded run adds it" {
    config 'require "fiddle"; Fiddle.dlopen(%w[libmagic so.1].join("."))' \
        'File.read("/etc/os-release") rescue 0'
    build
    [ "$status" -eq 1 ]
    [[ $stderr == *"app      "*"libmagic.so.1: cannot open shared object file"* ]]
    [[ $stderr == *"rucksack: E-CHECK: "* ]]
    build --trace 'bundle exec ruby -e "require %q(rack); Rack::Builder.parse_file(%q(config.ru))"'
    [ "$status" -eq 0 ]
    [[ $stderr == *"trace    "*" files, exit code 0"* ]]
    [[ $stderr == *"check    answers 200"* ]]
    [[ $stderr == *"outside  /usr/lib/os-release "*"read, not in the bundle"* ]]
    run "$rucksack" why out.AppImage libmagic.so.1
    [ "$status" -eq 0 ]
    [[ $output == *"recorded run"*"libmagic.so.1"* ]]
}

@test "a recorded run that cannot be run: E-TRACE, and no file" {
    build --trace /nowhere/program
    [ "$status" -eq 1 ]
    [[ $stderr == *"rucksack: E-TRACE: '/nowhere/program' could not be run"* ]]
    [ "$(ls)" = app ]
}
