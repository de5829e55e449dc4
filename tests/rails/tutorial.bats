#!/usr/bin/env bats
# SPDX-License-Identifier: MIT
# docs/rails.md, as it is written, with the Ruby and the gems of rails8.bats.

bats_require_minimum_version 1.5.0
load ../e2e/lib

@test "docs/rails.md" {
    "$tree/tests/rubies/make" shared-3.3
    PATH=$cache/rubies/home/.asdf/installs/ruby/3.3.8/bin:$PATH
    "$BATS_TEST_DIRNAME/make" 8 "$cache/rails-8" >"$BATS_TEST_TMPDIR/make.log" 2>&1 || {
        tail -5 "$BATS_TEST_TMPDIR/make.log" >&2
        return 1
    }
    export GEM_HOME=$cache/rails-8/home GEM_PATH=$cache/rails-8/home
    export RUBYLIB=$GEM_HOME/gems/rubygems-update-3.6.9/lib
    mkdir "$BATS_TEST_TMPDIR/reader" "$BATS_TEST_TMPDIR/bin"
    cd "$BATS_TEST_TMPDIR/reader"
    printf '#!/bin/sh\ncase $1 in\nbuild) shift; exec "%s" build --fast "$@" ;;\n*) exec "%s" "$@" ;;\nesac\n' \
        "$rucksack" "$rucksack" >../bin/rucksack
    chmod +x ../bin/rucksack
    PATH=$BATS_TEST_TMPDIR/bin:$GEM_HOME/bin:$PATH "$tree/tests/e2e/transcript" "$tree/docs/rails.md" 3>&- >&2
}
