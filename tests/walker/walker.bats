#!/usr/bin/env bats
# SPDX-License-Identifier: MIT
# The walk against the loader: of this machine, and of newer releases in their own roots. A fixed
# choice of objects; WALKER_FILES=0 (make check-walker-full) takes all.

bats_require_minimum_version 1.5.0

load ../e2e/lib

setup() {
    [ "$(uname -m)" = x86_64 ] || skip "reads headers of x86-64 only"
    files=${WALKER_FILES:-300}
    compare=$BATS_TEST_DIRNAME/compare
}

teardown() {
    drop_roots
}

# Nothing of ours belongs into the roots but the program itself.
prepare_root() {
    cp "$rucksack" "$1/rucksack"
}

# Something was compared, and all of it is as the loader.
all_same() {
    echo "$output"
    echo "# ${lines[-1]}" >&3
    [ "$status" -eq 0 ]
    [[ ${lines[-1]} =~ ^[1-9][0-9]*" of "[1-9][0-9]*" objects: "[1-9][0-9]*" as the loader, 0 different, "[0-9]+" without an answer"$ ]]
}

compare_in_root() {
    [ "$(id -u)" -eq 0 ] || skip "needs root"
    make_debian_root "$1" "$BATS_TEST_TMPDIR/root"
    run "$compare" /rucksack --files "${WALKER_FILES:-100}" --root "$BATS_TEST_TMPDIR/root"
    all_same
}

@test "objects of this machine are walked as its loader loads them" {
    run "$compare" "$rucksack" --files "$files" /usr/bin /usr/sbin /usr/lib
    all_same
}

@test "the same with a library path that hides some libraries" {
    mkdir "$BATS_TEST_TMPDIR/first"
    for name in libz.so.1 libm.so.6 libselinux.so.1 libgcc_s.so.1; do
        path=$("$rucksack" deps --list /usr/bin | grep "/$name\$" | head -1)
        [ -z "$path" ] || cp -L "$path" "$BATS_TEST_TMPDIR/first/"
    done
    [ -n "$(ls "$BATS_TEST_TMPDIR/first")" ]
    run "$compare" "$rucksack" --files "$files" --library-path "$BATS_TEST_TMPDIR/first" /usr/bin
    all_same
}

@test "objects of trixie are walked as trixie's loader loads them" {
    compare_in_root trixie
}

@test "objects of sid are walked as sid's loader loads them" {
    compare_in_root sid
}

# graphs [--foreign] COMPILER: of a fixed seed each; WALKER_GRAPHS says how many.
graphs() {
    local seed
    for seed in $(seq "${WALKER_GRAPHS:-6}"); do
        "$BATS_TEST_DIRNAME/graph" "$@" "$seed" "$BATS_TEST_TMPDIR/$seed"
    done
}

@test "libraries that need each other at random" {
    graphs --foreign cc
    run "$compare" "$rucksack" "$BATS_TEST_TMPDIR"
    all_same
}

@test "the same by the rules of musl, by its loader; and the objects that this machine has of it" {
    command -v musl-gcc >/dev/null || skip "no musl-gcc"
    graphs musl-gcc
    run "$compare" "$rucksack" --musl "$BATS_TEST_TMPDIR" "$(dirname "$(realpath /lib/ld-musl-x86_64.so.1)")"
    all_same
}

@test "the comparison finds a difference" {
    # a program that says something else
    cat >"$BATS_TEST_TMPDIR/other" <<END
#!/bin/sh
'$rucksack' "\$@" | sed 's,/libc\.so\.6",/libd.so.6",'
END
    chmod +x "$BATS_TEST_TMPDIR/other"
    run "$compare" "$BATS_TEST_TMPDIR/other" --files 20 /usr/bin
    [ "$status" -eq 1 ]
    [[ ${lines[-1]} != *" 0 different"* ]]
}
