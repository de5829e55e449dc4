#!/usr/bin/env bats
# SPDX-License-Identifier: MIT
# docs/tutorial.md, typed in as it is written, in a copy of what it needs of the tree.

load lib

setup() {
    make_guestbook
    work=$BATS_TEST_TMPDIR/tree
    in_memory "$work"
    mkdir -p "$work/build"
    cp -a "$tree/examples" "$work/"
    ln -s "$rucksack" "$work/build/rucksack"
}

teardown() {
    drop_roots
}

# The commands of all ```sh blocks.
commands() {
    awk '/^```sh$/ { inside = 1; next } /^```$/ { inside = 0 } inside' "$tree/docs/tutorial.md"
}

@test "the tutorial works as written" {
    # What a failed command leaves running is stopped.
    {
        echo "trap 'kill \$(jobs -p) 2>/dev/null || :' EXIT"
        commands
    } >"$BATS_TEST_TMPDIR/commands"
    [ "$(wc -l <"$BATS_TEST_TMPDIR/commands")" -gt 20 ]
    cd "$work"
    sh -eux "$BATS_TEST_TMPDIR/commands" >"$BATS_TEST_TMPDIR/log" 2>&1 </dev/null 3>&- || {
        cat "$BATS_TEST_TMPDIR/log" >&2
        return 1
    }
    grep -q '"text":"the first line"' "$BATS_TEST_TMPDIR/log"
    [ "$(ls build)" = rucksack ]
}
