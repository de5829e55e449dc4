#!/usr/bin/env bats
# SPDX-License-Identifier: MIT
# What a Gemfile can say: each application gives the same words natively and in a bundle, in a root
# that has neither Ruby nor git nor the places where its gems came from. All gems are made here.

bats_require_minimum_version 1.5.0
load lib

setup() {
    make_enter
    root=$BATS_TEST_TMPDIR/root
    way=
    cd "$BATS_TEST_TMPDIR" || return
    export HOME=$PWD/home BUNDLE_SILENCE_ROOT_WARNING=1 BUNDLE_APP_CONFIG=$PWD/app/.bundle
    export GEM_HOME=$PWD/gems GEM_PATH=$PWD/gems
    export GIT_AUTHOR_NAME=x GIT_AUTHOR_EMAIL=x@y GIT_COMMITTER_NAME=x GIT_COMMITTER_EMAIL=x@y
    mkdir home app
    echo 'web: ruby main.rb' >app/Procfile
}

teardown() {
    drop_roots
}

# make_gem DIR VERSION [LINE OF THE GEMSPEC]: the gem DIR, whose module says its version and reads a
# file beside its code.
make_gem() {
    local name=${1##*/}
    mkdir -p "$1/lib" "$1/exe" "$1/share"
    echo "$name $2" >"$1/share/words"
    echo "module ${name^}; WORDS = File.read(\"#{__dir__}/../share/words\").strip; end" >"$1/lib/$name.rb"
    echo "require '$name'; puts 'exe', ${name^}::WORDS" >"$1/exe/$name"
    chmod 755 "$1/exe/$name"
    cat >"$1/$name.gemspec" <<RUBY
Gem::Specification.new do |s|
  s.name = "$name"
  s.version = "$2"
  s.summary = s.authors = "x"
  s.files = Dir["{lib,exe,share,ext}/**/*"]
  s.bindir = "exe"
  s.executables = ["$name"]
  ${3:-}
end
RUBY
}

# make_source DIR GEM...: a gem server's files, of gems made before.
make_source() {
    mkdir -p "$1/gems"
    local gem
    for gem in "${@:2}"; do
        (cd "$gem" && gem build --quiet --output "$OLDPWD/$1/gems/${gem##*/}-$(gem_version).gem" ./*.gemspec >/dev/null 2>&1)
    done
    gem generate_index --directory "$1" >/dev/null
}

gem_version() {
    sed -n 's/.*version = "\(.*\)"/\1/p' ./*.gemspec
}

# Text on standard input; without a source it has one with nothing in it.
gemfile() {
    cat >app/Gemfile
    if ! grep -q ^source app/Gemfile; then
        mkdir -p none/gems
        gem generate_index --directory none >/dev/null
        echo "source 'file://$PWD/none'" >>app/Gemfile
    fi
    (cd app && bundle install --quiet)
}

main() {
    cat >app/main.rb
}

# The application and its bundle say the same: $output.
same_words() {
    (cd app && bundle exec ruby main.rb) >native
    "$rucksack" build --fast --quiet --no-check -o made app >/dev/null
    guestbook=made make_busybox_root "$root"
    run --separate-stderr run_in --fuse --user $user "$root" /srv/guestbook.AppImage
    printf '%s\n' "$stderr" "$output"
    [ "$status" -eq 0 ]
    [ -z "$(grep -v '^rucksack: a new, empty state: ' <<<"$stderr")" ]
    [ "$output" = "$(cat native)" ]
}

# in_bundle WORD...: afterwards.
in_bundle() {
    run --separate-stderr run_in --fuse --user $user "$root" /srv/guestbook.AppImage exec "$@"
}

contents() {
    unsquashfs -o "$(./made --appimage-offset)" -l made
}

# --- gems of repositories

commit() {
    [ -d "$1/.git" ] || git init --quiet -b main "$1"
    git -C "$1" add .
    git -C "$1" commit --quiet -m "$2"
}

@test "git: by branch and by tag, with a gemspec that asks git; executables; bundle list" {
    make_gem repo/alpha 1.0 's.files = `git ls-files`.split; s.executables = `git ls-files exe`.split.map { |f| File.basename(f) }'
    commit repo/alpha one
    git -C repo/alpha tag v1
    git -C repo/alpha checkout --quiet -b next
    sed -i 's/1\.0/2.0/' repo/alpha/{share/words,alpha.gemspec}
    commit repo/alpha two
    make_gem repo/beta 3.0 's.files = `git ls-files`.split'
    commit repo/beta one
    git -C repo/beta tag v3
    echo junk >repo/beta/share/words
    commit repo/beta later
    gemfile <<RUBY
gem "alpha", git: "file://$PWD/repo/alpha", branch: "next"
gem "beta", git: "file://$PWD/repo/beta", tag: "v3"
RUBY
    main <<'RUBY'
require "bundler/setup"
Bundler.require(:default)
puts Alpha::WORDS, Beta::WORDS, `alpha`, Gem.loaded_specs.keys.sort - ["bundler"]
puts Gem::Specification.find_by_name("beta").version, Gem.loaded_specs["alpha"].files.grep(/share/)
RUBY
    same_words
    [ "${lines[0]} ${lines[1]}" = 'alpha 2.0 beta 3.0' ]
    in_bundle bundle list
    [[ $output == *"alpha (2.0 "* ]]
    in_bundle bundle exec alpha
    [ "${lines[1]}" = 'alpha 2.0' ]
    run -0 contents
    [[ $output == */gems/gems/alpha-2.0/share/words* ]]
    [[ $output != */.git* ]]
}

@test "git: several gems of one repository by ref, one with an extension" {
    make_gem repo/many/alpha 1.0 's.extensions = ["ext/extconf.rb"]'
    mkdir repo/many/alpha/ext
    echo 'require "mkmf"; create_makefile("alpha_native")' >repo/many/alpha/ext/extconf.rb
    echo '#include <ruby.h>
void Init_alpha_native(void) { rb_define_global_const("ALPHA_NATIVE", INT2FIX(42)); }' \
        >repo/many/alpha/ext/alpha_native.c
    echo 'require "alpha_native"' >>repo/many/alpha/lib/alpha.rb
    make_gem repo/many/beta 1.1 's.add_dependency "alpha"'
    commit repo/many one
    gemfile <<RUBY
git "file://$PWD/repo/many", ref: "$(git -C repo/many rev-parse HEAD)" do
  gem "beta"
  gem "alpha"
end
RUBY
    main <<'RUBY'
require "bundler/setup"
Bundler.require
puts Beta::WORDS, ALPHA_NATIVE
RUBY
    same_words
    [ "${lines[1]}" = 42 ]
}

# --- gems of directories

@test "path: beside the application, below it, in a block; one of a group that is left out" {
    make_gem beside/alpha 1.0 's.version = File.read("#{__dir__}/share/version")'
    printf 1.5 >beside/alpha/share/version
    make_gem app/engines/beta 1.1
    make_gem beside/gamma 1.2
    make_gem beside/delta 1.3 's.add_dependency "alpha"'
    gemfile <<'RUBY'
gem "alpha", path: "../beside/alpha"
path "engines" do
  gem "beta", require: "beta"
end
gem "gamma", path: "../beside/gamma", require: false
group(:test) { gem "delta", path: "../beside/delta" }
RUBY
    main <<'RUBY'
require "bundler/setup"
Bundler.require(:default, :production)
puts Alpha::WORDS, Beta::WORDS, defined?(Gamma).inspect, Gem.loaded_specs["alpha"].version
require "gamma"
puts Gamma::WORDS, `beta`, Bundler.definition.dependencies.map(&:name).sort
RUBY
    same_words
    [ "${lines[2]}" = nil ]
    in_bundle ruby -rbundler/setup -e 'puts Gem.loaded_specs.keys.sort & %w[alpha beta gamma delta]'
    [ "$output" = $'alpha\nbeta\ngamma' ]
}

@test "gemspec: of the application itself and of a directory above it, with development dependencies" {
    make_gem top 2.0 's.add_dependency "alpha"; s.add_development_dependency "delta"; s.files += `git ls-files`.split'
    commit top one
    mv app top/app
    ln -s top/app app
    make_gem app/own 0.1 's.files = `git ls-files`.split'
    mv app/own/* app/
    make_gem beside/alpha 1.0
    make_gem beside/delta 1.0
    make_source source beside/alpha beside/delta
    # What lies in the tree and is not the gem's, and what would be left out if it were not the gem's.
    mkdir -p app/vendor/bundle app/config app/log
    touch app/vendor/bundle/other.rb app/config/master.key app/.env app/log/x
    touch app/share/own.sqlite3
    git -C top add -f app/own.gemspec app/share app/lib app/exe
    gemfile <<RUBY
source "file://$PWD/source"
gemspec
gemspec path: "..", development_group: :test
RUBY
    main <<'RUBY'
require "bundler/setup"
Bundler.require
require "alpha"
puts Own::WORDS, Top::WORDS, Alpha::WORDS
RUBY
    same_words
    [ "${lines[1]}" = 'top 2.0' ]
    run -0 contents
    [[ $output == */gems/gems/own-0.1/share/own.sqlite3* ]]
    [[ $output != *other.rb* && $output != *master.key* && $output != *.env* && $output != *log/x* ]]
}

# --- sources, groups, platforms

@test "several sources: a gem of each by its block, and by source:" {
    make_gem beside/alpha 1.0
    make_gem beside/beta 1.1
    make_gem beside/gamma 1.2 's.add_dependency "alpha"'
    make_source one beside/alpha
    make_source two beside/beta
    make_source three beside/gamma
    gemfile <<RUBY
source "file://$PWD/one"
gem "alpha"
source "file://$PWD/two" do
  gem "beta"
end
gem "gamma", source: "file://$PWD/three"
RUBY
    main <<'RUBY'
require "bundler/setup"
Bundler.require
puts Alpha::WORDS, Beta::WORDS, Gamma::WORDS
RUBY
    same_words
}

@test "groups: those that the configuration leaves out, optional ones, and the names that are asked for" {
    local name
    for name in alpha beta gamma delta; do
        make_gem beside/$name 1.0
    done
    make_source source beside/*
    mkdir -p app/.bundle
    printf -- '---\nBUNDLE_WITHOUT: "staging:ci"\n' >app/.bundle/config
    gemfile <<RUBY
source "file://$PWD/source"
gem "alpha"
group(:production, :staging) { gem "beta" }
group(:staging) { gem "gamma" }
group(:extra, optional: true) { gem "delta" }
RUBY
    # Neither is on this machine, and the build does not want them.
    run ! compgen -G "gems/gems/[gd]*"
    main <<'RUBY'
require "bundler/setup"
Bundler.require(:default, "production", :staging)
puts Alpha::WORDS, Beta::WORDS, defined?(Gamma).inspect, Gem.loaded_specs.keys.sort - ["bundler"]
RUBY
    same_words
    in_bundle ruby -rbundler/setup -e 'p Bundler.settings[:without].sort'
    [ "$output" = '[:extra, :staging]' ]
}

@test "groups: BUNDLE_WITHOUT of the environment, BUNDLE_WITH an optional one" {
    local name
    for name in alpha beta delta; do
        make_gem beside/$name 1.0
    done
    make_source source beside/*
    export BUNDLE_WITHOUT=ci BUNDLE_WITH=extra
    gemfile <<RUBY
source "file://$PWD/source"
gem "alpha"
group(:ci) { gem "beta" }
group(:extra, optional: true) { gem "delta" }
RUBY
    main <<'RUBY'
require "bundler/setup"
Bundler.require(:default, :extra)
puts Alpha::WORDS, Delta::WORDS, defined?(Beta).inspect
RUBY
    same_words
}

@test "platforms, install_if, a gem from the lock of two platforms" {
    local name
    for name in alpha beta gamma delta; do
        make_gem beside/$name 1.0
    done
    make_source source beside/*
    gemfile <<RUBY
source "file://$PWD/source"
gem "alpha", platforms: :ruby
gem "beta", platforms: [:mswin, :jruby]
platforms(:mri) { gem "gamma" }
install_if(-> { false }) { gem "delta" }
RUBY
    (cd app && bundle lock --add-platform java >/dev/null)
    main <<'RUBY'
require "bundler/setup"
Bundler.require
puts Alpha::WORDS, Gamma::WORDS, defined?(Beta).inspect, defined?(Delta).inspect, Gem.loaded_specs.keys.sort - ["bundler"]
RUBY
    same_words
}

@test "without bundler/setup: Bundler.require at once, and Bundler.setup of some groups" {
    local name
    for name in alpha beta; do
        make_gem beside/$name 1.0
    done
    make_gem beside/gamma 1.1
    make_source source beside/alpha beside/beta
    gemfile <<RUBY
source "file://$PWD/source"
gem "alpha"
gem "gamma", path: "../beside/gamma"
group(:extra) { gem "beta" }
RUBY
    main <<'RUBY'
require "bundler"
Bundler.setup(:default)
Bundler.require(:default)
begin
  require "beta"
rescue LoadError
  puts "not that"
end
puts Alpha::WORDS, Gamma::WORDS, `ruby -e 'require "bundler"; Bundler.require(:extra); puts Beta::WORDS'`
RUBY
    (cd app && ruby main.rb) >native
    "$rucksack" build --fast --quiet --no-check -o made app >/dev/null
    guestbook=made make_busybox_root "$root"
    run --separate-stderr run_in --fuse --user $user "$root" /srv/guestbook.AppImage
    printf '%s\n' "$stderr" "$output"
    [ "$output" = "$(cat native)" ]
    [ "${lines[3]}" = 'beta 1.0' ]
}

@test "the load path: a gem stands before what it needs, however they are called" {
    make_gem beside/alpha 1.0 's.add_dependency "gamma"'
    make_gem beside/beta 1.1
    make_gem beside/gamma 1.2
    local gem
    for gem in alpha beta gamma; do
        echo "TWIN = '$gem'" >"beside/$gem/lib/twin.rb"
    done
    gemfile <<RUBY
path "../beside" do
  gem "alpha"
  gem "beta"
  gem "gamma"
end
RUBY
    main <<'RUBY'
require "bundler/setup"
require "twin"
puts TWIN, Gem.loaded_specs.keys.grep(/a\z/), $LOAD_PATH.grep(/alpha|beta|gamma/).map { |dir| dir[/alpha|beta|gamma/] }
RUBY
    same_words
    [ "${lines[*]}" = "beta gamma alpha beta beta alpha gamma" ]
}

# --- gems that Ruby has

@test "default and bundled gems in the Gemfile: Ruby's own, and a newer one in its place" {
    make_gem beside/json 99.0
    echo 'require "json/common"; require "json/ext"; JSON::OURS = "ours"' >beside/json/lib/json.rb
    make_source source beside/json
    gemfile <<RUBY
source "file://$PWD/source"
gem "json"
gem "bigdecimal"
gem "racc"
gem "strscan"
RUBY
    main <<'RUBY'
require "bundler/setup"
Bundler.require
require "racc/parser"
puts JSON::OURS, JSON.generate([1]), BigDecimal("1.5") * 2, Racc::Parser::Racc_Runtime_Type, StringScanner.name
puts Gem.loaded_specs.values_at("json", "bigdecimal", "racc", "strscan").map { |s| s.version.to_s }
RUBY
    same_words
    [ "${lines[0]}" = ours ]
}

# --- what Bundler learned later

@test "ruby file: names a file, with a newer Bundler than Ruby's" {
    export GEM_HOME=$cache/gemfile GEM_PATH=$cache/gemfile PATH=$cache/gemfile/bin:$PATH
    gem list --installed --exact bundler --version 2.6.9 >/dev/null ||
        gem install bundler --version 2.6.9 --no-document >/dev/null
    make_gem beside/alpha 1.0
    make_gem repo/beta 1.1 's.files = `git ls-files`.split'
    commit repo/beta one
    ruby -e 'print RUBY_VERSION' >app/.ruby-version
    gemfile <<RUBY
ruby file: ".ruby-version"
gem "alpha", path: "../beside/alpha"
gem "beta", git: "file://$PWD/repo/beta"
RUBY
    main <<'RUBY'
require "bundler/setup"
Bundler.require
puts Alpha::WORDS, Beta::WORDS, Bundler::VERSION
RUBY
    same_words
    [ "${lines[2]}" = 2.6.9 ]
}
