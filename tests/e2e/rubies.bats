#!/usr/bin/env bats
# SPDX-License-Identifier: MIT
# Interpreters as people compile and install them: a bundle built with each does in a root with
# nothing but busybox what the application does here. More of them: make check-rubies.

bats_require_minimum_version 1.5.0
load lib
load ../rubies/lib

setup_file() {
    "$tree/tests/rubies/make" static-3.1 relative-3.3
}

setup() {
    make_enter
    root=$BATS_TEST_TMPDIR/root
    way=
    rubies=$cache/rubies
    cd "$BATS_TEST_TMPDIR"
}

teardown() {
    stop KILL
    drop_roots
}

@test "static, in a home, behind rbenv's shims" {
    export RBENV_ROOT=$BATS_TEST_TMPDIR/.rbenv RBENV_VERSION=3.1.2
    mkdir -p "$RBENV_ROOT"
    ln -s "$rubies/home/.rbenv/versions" "$RBENV_ROOT/versions"
    rbenv rehash
    PATH=$RBENV_ROOT/shims:$PATH
    [ "$(head -c 2 "$(command -v bundle)")" = '#!' ]
    make_app
    build_app
    make_busybox_root "$root"
    works_in_root
    grep -q "^ruby: .*/m/opt/ruby/bin/ruby$" places
    does_not_name "$rubies"
}

@test "static and load-relative" {
    PATH=$rubies/home/relative-3.3.8/bin:$PATH
    make_app
    build_release
    make_busybox_root "$root"
    works_in_root
    grep -q "^ruby: .*/m/opt/ruby/bin/ruby$" places
}

# What RVM generates for a Ruby and a gemset: both files, shortened.
make_rvm() {
    rvm=$BATS_TEST_TMPDIR/.rvm
    mkdir -p "$rvm"/{environments,rubies,wrappers/ruby-3.3.8@app,gems/ruby-3.3.8@app/bin}
    ln -s "$rubies/home/relative-3.3.8" "$rvm/rubies/ruby-3.3.8"
    cat >"$rvm/environments/ruby-3.3.8@app" <<SH
export PATH="$rvm/gems/ruby-3.3.8@app/bin:$rvm/rubies/ruby-3.3.8/bin:\$PATH"
export GEM_HOME='$rvm/gems/ruby-3.3.8@app'
export GEM_PATH='$rvm/gems/ruby-3.3.8@app:$rvm/gems/ruby-3.3.8@global'
export MY_RUBY_HOME='$rvm/rubies/ruby-3.3.8'
export IRBRC='$rvm/rubies/ruby-3.3.8/.irbrc'
unset MAGLEV_HOME
unset RBXOPT
export RUBY_VERSION='ruby-3.3.8'
SH
    local name
    for name in ruby bundle gem; do
        cat >"$rvm/wrappers/ruby-3.3.8@app/$name" <<SH
#!/usr/bin/env bash
if [[ -s "$rvm/environments/ruby-3.3.8@app" ]]
then
  source "$rvm/environments/ruby-3.3.8@app"
  exec $name "\$@"
fi
SH
        chmod 755 "$rvm/wrappers/ruby-3.3.8@app/$name"
    done
}

@test "RVM's wrappers and gemset, in a Ruby behind a symlink" {
    make_rvm
    PATH=$rvm/wrappers/ruby-3.3.8@app:$PATH
    make_app --system
    compgen -G "$rvm/gems/ruby-3.3.8@app/gems/bcrypt-*"
    build_app
    make_busybox_root "$root"
    works_in_root
    does_not_name "$rvm"
}

# asdf's shim asks asdf, which changes PATH; mise's works alike.
@test "a shim that asks its manager" {
    mkdir shims
    printf '#!/usr/bin/env bash\nPATH=%s/bin:$PATH exec "${@:2}"\n' \
        "$rubies/home/.rbenv/versions/3.1.2" >asdf
    printf '#!/usr/bin/env bash\n# asdf-plugin: ruby 3.1.2\nexec %s exec "bundle" "$@"\n' \
        "$PWD/asdf" >shims/bundle
    chmod 755 asdf shims/bundle
    PATH=$PWD/shims:$PATH
    make_app
    run --separate-stderr build_app
    [ "$status" -eq 0 ]
    [[ $stderr == *"3.1.2 from $rubies/home/.rbenv/versions/3.1.2/bin/ruby"* ]]
}

# system_image: of this machine's own Ruby, unpacked into a directory.
system_image() {
    make_app
    build_app
    "$rucksack" extract -o "$1" "$bundle"
}

@test "the system's Ruby, with YJIT where it has that" {
    make_app
    build_app
    make_busybox_root "$root"
    works_in_root
}

@test "a load path that is not the one found at build: code 125, and nothing of Ruby runs" {
    system_image image
    local object
    object=$(awk '$1 == "loadpath" { print $2 }' image/.rucksack/launch)
    find image -name "$object" | xargs sed -i 's|/usr/local/lib/site_ruby/|/usr/local/lib/site_rubx/|'
    run --separate-stderr image/AppRun exec ruby -e 'puts 1'
    [ "$status" -eq 125 ]
    [ -z "$output" ]
    [[ $stderr == *"E-START: this Ruby is not the one that was packed"*"$object"* ]]
    # Another library of that name, which has no such block at all.
    find image -name "$object" -exec cp image/usr/lib/*/libc.so.6 {} \;
    run --separate-stderr -127 image/AppRun exec ruby -e 'puts 1'
    [ -z "$output" ]
}

@test "an image deep in the tree, for which the load path has no room" {
    local deep
    deep=$BATS_TEST_TMPDIR/deep-$(printf '%0100d' 0)
    mkdir "$deep"
    system_image "$deep/image"
    cd "$app"
    "$deep/image/AppRun" exec bundle exec ruby -e '
        puts $LOAD_PATH.grep_v(/gems/), "\u65e5".encode("EUC-JP").bytesize, RbConfig.ruby' >found
    sed -i "s|^$deep/image/||" found
    [ "$(grep -c ruby found)" -ge 3 ]
    run ! grep -e "^/" -e '\.rucksack' found
    # Who does without RubyGems is told, not left without a library.
    run --separate-stderr "$deep/image/AppRun" exec ruby --disable-gems -e 'puts 1'
    [ "$status" -eq 125 ]
    [[ $stderr == *"too long for a Ruby without RubyGems"* ]]
    local deeper
    deeper=$deep/$(printf '%0200d' 0)
    mkdir "$deeper"
    mv "$deep/image" "$deeper/image"
    run --separate-stderr "$deeper/image/AppRun" exec ruby -e 'puts 1'
    [ "$status" -eq 125 ]
    [[ $stderr == *"too long for this Ruby"* ]]
}
