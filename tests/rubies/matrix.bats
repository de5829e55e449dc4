#!/usr/bin/env bats
# SPDX-License-Identifier: MIT
# Every interpreter: its bundle in a root of nothing but busybox and in those of four Debian
# releases. The table is printed at the end. Minutes: make check-rubies.

bats_require_minimum_version 1.5.0
load ../e2e/lib
load lib

releases=(bullseye bookworm trixie sid)
rubies=$cache/rubies
home=$rubies/home

setup_file() {
    export TABLE=$BATS_FILE_TMPDIR/table
    printf '%-20s %-6s' ruby busybox >"$TABLE"
    printf ' %-8s' "${releases[@]}" >>"$TABLE"
    echo >>"$TABLE"
    # The roots have no network when the gems are installed there.
    cp -r "$tree/tests/rubies/app" "$BATS_FILE_TMPDIR/app"
    cd "$BATS_FILE_TMPDIR/app" || return
    bundle config set --local cache_path vendor/cache
    bundle cache --no-install >&2
    rm -rf Gemfile.lock .bundle
}

teardown_file() {
    sed 's/^/# /' "$TABLE" >&3
}

setup() {
    make_enter
    root=$BATS_TEST_TMPDIR/root
    way=
}

teardown() {
    stop KILL
    drop_roots
}

# In all roots what it does here: one line of the table.
runs_everywhere() {
    local release result bad=0
    printf '%-20s' "$1" >>"$TABLE"
    make_busybox_root "$root"
    works_in_root
    printf ' %-6s ' ok >>"$TABLE"
    for release in "${releases[@]}"; do
        drop_roots
        cd "$app" || return
        make_debian_root "$release" "$root"
        inside bundle exec ruby report.rb values | diff native - && result=ok || result=FAILED
        [ $result = ok ] || bad=1
        printf ' %-8s' $result >>"$TABLE"
    done
    echo >>"$TABLE"
    return $bad
}

# runs PREFIX NAME: the application with the Ruby there, installed as on any machine.
runs() {
    PATH=$1/bin:$PATH
    make_app
    build_app
    runs_everywhere "$2"
}

# The tool and the application in the root of the release, whose Ruby nobody touched.
debian() {
    local release=$1 build=$BATS_TEST_TMPDIR/build
    app=$BATS_TEST_TMPDIR/app
    bundle=$BATS_TEST_TMPDIR/app.AppImage
    guestbook=$bundle
    make_debian_ruby_root "$release" "$build"
    cp "$rucksack" "$build/usr/bin/rucksack"
    cp -r "$BATS_FILE_TMPDIR/app" "$build/app"
    in_root "$build" env -i PATH=/usr/sbin:/usr/bin:/sbin:/bin HOME=/root LANG=C.UTF-8 sh -ec '
        cd /app
        bundle config set --local path vendor/bundle
        bundle install --local --quiet
        bundle exec ruby report.rb values >native
        bundle exec ruby --yjit report.rb yjit >yjit 2>/dev/null || echo none >yjit
        rm -r vendor/cache
        rucksack build --fast --quiet --no-check -o /app.AppImage .'
    mv "$build/app.AppImage" "$bundle"
    cp -r "$build/app" "$app"
    cd "$app" || return
    umount "$build"
    runs_everywhere "debian $release"
}

@test "Debian bullseye" {
    debian bullseye
}

@test "Debian bookworm" {
    debian bookworm
}

@test "Debian trixie" {
    debian trixie
}

@test "Debian sid" {
    debian sid
}

@test "static, ~/.rbenv" {
    runs "$home/.rbenv/versions/3.1.2" static-3.1
}

@test "static and load-relative" {
    runs "$home/relative-3.3.8" relative-3.3
}

@test "shared, ~/.asdf" {
    runs "$home/.asdf/installs/ruby/3.3.8" shared-3.3
}

@test "shared and load-relative" {
    runs "$home/relative-3.1.2" relative-shared-3.1
}

@test "shared, linked with -Bsymbolic-functions, ~/.rvm" {
    runs "$home/.rvm/rubies/ruby-3.1.2" bsymbolic-3.1
}
