#!/usr/bin/env bats
# SPDX-License-Identifier: MIT
# README.md, docs/cli.md, recipes.md, faq.md and troubleshooting.md: each command as it is written, and what it says.

bats_require_minimum_version 1.5.0
load lib

setup_file() {
    make_guestbook
    # The gem that the pages take.
    export GEM_HOME=$cache/cli GEM_PATH=$cache/cli XDG_CACHE_HOME=$BATS_FILE_TMPDIR/cache
    gem list --installed --exact kramdown --version 2.5.2 >/dev/null 2>&1 ||
        gem install kramdown --version 2.5.2 --no-document >/dev/null
}

setup() {
    cd "$BATS_TEST_TMPDIR"
    mkdir .bin
    # How it compresses is what other tests are for.
    printf '#!/bin/sh\ncase $1 in\nbuild) shift; exec "%s" build --fast "$@" ;;\n*) exec "%s" "$@" ;;\nesac\n' \
        "$rucksack" "$rucksack" >.bin/rucksack
    chmod +x .bin/rucksack
    PATH=$PWD/.bin:$PATH
}

follow() {
    "$BATS_TEST_DIRNAME/transcript" "$tree/docs/$1" "${@:2}" 3>&- >&2
}

# The guestbook as the reader's application and bundle, without what its tests have left.
have_blog() {
    unset GEM_HOME GEM_PATH
    cp -a "$guestbook_app" app
    rm -rf app/data/*.sqlite3*
    cp "$guestbook" blog
}

@test "README.md: a pipeline's step, and both in one file on another machine" {
    have_blog
    cd app
    RUCKSACK_SIGN_PASSWORD=secret rucksack keygen release >&2
    # Where it would serve on, it says who it is.
    { sed -n '/^## Three uses/,/^## Beside/p' "$tree/README.md" | awk '/^```sh$/ { on = 1; next } /^```$/ { on = 0 } on' |
        sed 's|^\./blog\.capsule restore && \./blog\.capsule |mkdir ../new; cp blog.capsule ../new; cd ../new; ./blog.capsule restore; ./blog.capsule exec cat data/words #|
            s|^\./blog\.AppImage backup|./blog.AppImage exec sh -c "echo kept >data/words"\n&|'; } >../commands
    [ "$(wc -l <../commands)" = 5 ]
    RUCKSACK_SIGN_PASSWORD=secret run -0 sh -eu ../commands
    [[ $output == *'signature ok'*$'\nkept' ]]
}

@test "docs/cli.md" {
    follow cli.md 'A command for others' 'One script' 'Gems in the script' 'A published gem' \
        'What your users get' 'Give it out'
}

@test "docs/recipes.md" {
    follow recipes.md
}

@test "docs/faq.md" {
    have_blog
    follow faq.md
}

@test "docs/troubleshooting.md" {
    have_blog
    follow troubleshooting.md
}

@test "a page that shows something else is noticed" {
    printf '# A\n\n```console\n$ echo one; echo two\none\n...\n```\n\n## B\n\n```console\n$ echo three\ntwo\n```\n' >page.md
    run -0 "$BATS_TEST_DIRNAME/transcript" page.md A
    run -1 "$BATS_TEST_DIRNAME/transcript" page.md
    [[ $output == *$'page.md:12: exit code 0; the page shows:\ntwo' ]]
    printf '```sh\nfalse\ntrue\n```\n' >page.md
    run -1 "$BATS_TEST_DIRNAME/transcript" page.md
    printf 'none\n' >page.md
    run -1 "$BATS_TEST_DIRNAME/transcript" page.md
    [[ $output == 'page.md: nothing to run' ]]
}
