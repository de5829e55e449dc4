#!/usr/bin/env bats
# SPDX-License-Identifier: MIT
# Programs that gems start: packed by recipes, started by the bundle's loader, in a root that holds
# nothing but busybox.

bats_require_minimum_version 1.5.0
load lib

app=$cache/programs

# The gems are installed once for all runs.
setup_file() {
    make_guestbook
    install_app "$BATS_TEST_DIRNAME/programs" "$app"
    "$rucksack" build --fast -n programs -o "$app.AppImage" "$app" 2>"$BATS_FILE_TMPDIR/said" || {
        cat "$BATS_FILE_TMPDIR/said" >&2
        return 1
    }
}

setup() {
    cd "$BATS_TEST_TMPDIR" || return
    make_enter
    root=$BATS_TEST_TMPDIR/root
    way=
}

teardown() {
    stop KILL
    drop_roots
    rm -rf "$app/recipes"
}

@test "convert, node, git and gs start in a root without them, and map nothing of the host" {
    make_busybox_root "$root"
    cp "$app.AppImage" "$root/srv/programs"
    start --loop "$root" /srv/programs
    wait_until_up
    run request /
    [ "$output" = "mini_magick: PNG 4 2
execjs: 1,4,9
rghost: PNG
git: text
node's own node: 42
maps: the image's" ] || {
        echo "$output" >&2
        cat "$log" >&2
        return 1
    }
}

@test "why says which recipe a program is there for" {
    run "$rucksack" why "$app.AppImage" node
    [ "$status" -eq 0 ]
    [[ $output == *"recipe 'node'"* ]]
}

# without NAME TEXT: the build without the recipe says TEXT.
without() {
    mkdir -p "$app/recipes"
    printf 'name: %s\nsummary: none\ndisabled: true\n' "$1" >"$app/recipes/without.yml"
    run "$rucksack" build --fast -n programs -o none "$app"
    [ "$status" -eq 0 ]
    [[ $output == *"check    answers 500 "* ]]
    grep -qE "^app +$2" <<<"$output" || {
        echo "without $1: $output" >&2
        return 1
    }
}

@test "without the recipe the app's start in an empty root says what is missing" {
    without node ".*Could not find a JavaScript runtime"
    without git ".*No such file or directory - .*git"
    without ghostscript ".*Ghostscript not found"
    without mini-magick ".*(convert|identify|mogrify|ImageMagick)"
}

@test "a program that is many has the name by which it is started; scripts and static programs start, too" {
    mkdir -p "$app/recipes"
    cat >many.c <<'C'
#include <stdio.h>
int main(int argc, char **argv)
{
    printf("%s %s\n", argv[0], argc > 1 ? argv[1] : "");
}
C
    mkdir bin
    cc -o bin/many many.c
    ln -s many bin/one
    cc -static -o bin/still many.c
    cp bin/many bin/foreign
    printf '\xb7' | dd of=bin/foreign bs=1 seek=18 conv=notrunc status=none
    printf '#!/bin/sh\necho script "$@"\n' >bin/text
    chmod +x bin/text
    cat >"$app/recipes/many.yml" <<YML
name: many
summary: a test
always: true
programs: ["$PWD/bin/*"]
YML
    "$rucksack" build --fast --quiet --no-check -n programs -o many.AppImage "$app"
    make_busybox_root "$root"
    cp many.AppImage "$root/srv/many"
    local name
    for name in many one still; do
        run run_in --loop "$root" /srv/many exec ruby -e "exec '$name', 'a b'"
        [ "$output" = "$name a b" ]
    done
    run run_in --loop "$root" /srv/many exec text "a b"
    [ "$output" = "script a b" ]
    # not ours to start
    run -127 run_in --loop "$root" /srv/many exec foreign
}

@test "none of a recipe's programs on this machine is a warning" {
    mkdir -p "$app/recipes"
    printf 'name: none\nsummary: tests\nalways: true\nprograms: [/usr/bin/no-such, /usr/bin/nor]\n' \
        >"$app/recipes/none.yml"
    run "$rucksack" build --fast --no-check -n programs -o none "$app"
    [ "$status" -eq 0 ]
    [[ $output == *"warning  '/usr/bin/no-such' was not found on this machine: tests"* ]]
}
