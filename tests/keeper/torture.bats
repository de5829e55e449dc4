#!/usr/bin/env bats
# SPDX-License-Identifier: MIT
# Snapshots of databases that are written to all the time. SNAPSHOTS says how many of each kind;
# make check-keeper takes 200.

bats_require_minimum_version 1.5.0
load helper

setup() {
    make_image
    writers=()
}

teardown() {
    for writer in "${writers[@]}"; do
        kill -KILL "$writer" 2>/dev/null || true
    done
    wait
}

snapshots=${SNAPSHOTS:-15}

# write FILE MODE BLOB-BYTES: in the background, until it has begun.
write() {
    "$torture" write "$state/data/$1" "$2" "$3" 3>&- &
    writers+=($!)
    until [ "$(sqlite3 -cmd '.timeout 10000' "$state/data/$1" 'SELECT done > 3 FROM totals' 2>/dev/null)" = 1 ]; do
        kill -0 "${writers[-1]}"
        sleep 0.05
    done
}

# Takes so many snapshots of the databases named, restores each elsewhere and looks at it.
survive() {
    local live=$state last=0 done_ bad=0 i name
    for i in $(seq "$snapshots"); do
        state=$live
        keeper backup -o one.tar.zst >/dev/null
        state=$BATS_TEST_TMPDIR/other.state
        rm -rf "$state"
        keeper restore one.tar.zst >/dev/null
        for name in "$@"; do
            done_=$("$torture" verify "$state/data/$name") || {
                bad=$((bad + 1))
                echo "$name: $done_"
            }
        done
        # Later snapshots are later: the last database goes on, from one to the next.
        [ "$done_" -ge "$last" ]
        last=$done_
    done
    state=$live
    for name in "$@"; do
        "$torture" verify "$state/data/$name" >/dev/null
    done
    echo "# $snapshots snapshots, $last transactions, $bad bad" >&3
    [ "$bad" -eq 0 ]
}

@test "two writers in WAL mode" {
    mkdir -p "$state/data"
    write a.sqlite3 wal 5000
    write a.sqlite3 wal 5000
    survive a.sqlite3
}

@test "two writers with a rollback journal" {
    mkdir -p "$state/data"
    write a.sqlite3 delete 5000
    write a.sqlite3 delete 5000
    survive a.sqlite3
}

@test "two writers with a truncated journal" {
    mkdir -p "$state/data"
    write a.sqlite3 truncate 5000
    write a.sqlite3 truncate 5000
    survive a.sqlite3
}

@test "large blobs" {
    mkdir -p "$state/data"
    write a.sqlite3 wal 300000
    survive a.sqlite3
}

@test "several databases, each in its own mode" {
    mkdir -p "$state/data/db"
    write a.sqlite3 wal 2000
    write db/b.sqlite3 delete 2000
    write db/c.db truncate 2000
    survive a.sqlite3 db/b.sqlite3 db/c.db
}

@test "two databases of one moment: --quiesce" {
    mkdir -p "$state/data"
    # Each transaction writes both: outside of a moment, one is ahead.
    "$torture" pair "$state/data/a.sqlite3" "$state/data/b.sqlite3" 3>&- &
    writers+=($!)
    until sqlite3 "$state/data/b.sqlite3" 'SELECT n FROM t' 2>/dev/null | grep -q .; do
        sleep 0.05
    done
    local live=$state i
    for i in $(seq "$snapshots"); do
        state=$live
        keeper backup --quiesce -o one.tar.zst >/dev/null
        state=$BATS_TEST_TMPDIR/other.state
        rm -rf "$state"
        keeper restore one.tar.zst >/dev/null
        [ "$(sqlite3 "$state/data/a.sqlite3" 'SELECT n FROM t')" = \
            "$(sqlite3 "$state/data/b.sqlite3" 'SELECT n FROM t')" ]
    done
    state=$live
    [ "$(sqlite3 -cmd '.timeout 60000' "$state/data/a.sqlite3" 'SELECT n FROM t')" -gt "$snapshots" ]
}

@test "a writer that was killed: what it left is taken in" {
    mkdir -p "$state/data"
    for mode in wal delete; do
        write $mode.sqlite3 $mode 5000
        kill -KILL "${writers[-1]}"
        wait "${writers[-1]}" || true
        survive $mode.sqlite3
    done
}
