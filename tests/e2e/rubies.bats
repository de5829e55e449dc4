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
    build_app
    make_busybox_root "$root"
    works_in_root
    grep -q "^ruby: .*/m/opt/ruby/bin/ruby$" places
}
