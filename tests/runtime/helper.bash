# SPDX-License-Identifier: MIT
# Shared by the tests that start apps. They need root: every start happens in a sandbox (sandbox.c)
# with mounts, processes, devices and temporary directories of its own, so that nothing survives a
# test, passed or failed. RUNTIME is the program under test, ours by default.
# shellcheck shell=bash

RUNTIME_TESTS=$(cd "$(dirname "${BASH_SOURCE[0]}")" && pwd)
RUCKSACK_BUILD=${RUCKSACK_BUILD:-$RUNTIME_TESTS/../../build}
STUB=${RUNTIME:-$RUCKSACK_BUILD/stub}
SUITE=$RUCKSACK_BUILD/suite

setup() {
    WORK=$(mktemp -d)
    chmod 755 "$WORK"
    # The server has no stderr: what sanitizers find goes into files.
    if [ -n "${SANITIZE-}" ]; then
        mkdir -m 1777 "$WORK/sanitizer"
        export ASAN_OPTIONS=log_path=$WORK/sanitizer/log
    fi
    [ "$(id -u)" = 0 ] || skip "needs root"
}

teardown() {
    local found
    found=$(cat "$WORK"/sanitizer/* 2> /dev/null || :)
    rm -rf "$WORK"
    [ -z "$found" ] || {
        echo "$found"
        return 1
    }
}

# not_sanitized WHY: for what a program with sanitizers cannot do or be.
not_sanitized() {
    [ -z "${SANITIZE-}" ] || skip "sanitizers: $1"
}

# Whether the runtime is ours: others have no ways to choose from.
is_ours() {
    [[ $("$STUB" --appimage-version 2>&1) == rucksack* ]]
}

# make_tree DIR: the app, and files of all kinds.
make_tree() {
    mkdir -p "$1/d/empty"
    cp "$SUITE/app" "$1/AppRun"
    echo "a file" > "$1/d/file"
    ln "$1/d/file" "$1/d/hard"
    ln -s file "$1/d/sym"
    seq 60000 > "$1/d/large"
    truncate -s 3M "$1/d/sparse"
    touch -d '2001-02-03 04:05:06Z' "$1/d/file" "$1/d"
}

# make_app FILE [MKSQUASHFS-OPTION...]: runtime and image of $WORK/tree, made when missing.
make_app() {
    local file=$1 made=$BATS_FILE_TMPDIR/app
    shift
    if [ $# = 0 ] && [ ! -d "$WORK/tree" ]; then
        if [ ! -e "$made" ]; then
            make_tree "$made.tree"
            pack "$made.tree" "$made.image" "$made"
        fi
        cp -a "$made.tree" "$WORK/tree"
        cp "$made" "$file"
        return
    fi
    [ -d "$WORK/tree" ] || make_tree "$WORK/tree"
    pack "$WORK/tree" "$WORK/image" "$file" "$@"
}

# pack TREE IMAGE FILE [MKSQUASHFS-OPTION...]
pack() {
    mksquashfs "$1" "$2" -noappend -quiet -no-progress "${@:4}" > /dev/null
    cat "$STUB" "$2" > "$3"
    chmod 755 "$3"
}

# sandbox USER [PREPARATION] < SCRIPT: runs the script in $WORK (seen as /mnt) as root or as an
# ordinary user; the preparation before it, always as root. HIDE names what the sandbox lacks: fuse
# loop userns helper mtab name. WAYS: what by_each_way goes through.
sandbox() {
    local ways='fusermount userns extract unpack'
    [ "$1" = user ] || ways='kernel fuse'
    is_ours || ways='default unpack'
    cat > "$WORK/script"
    [ -e "$WORK/inside" ] || {
        cp "$SUITE/odd" "$SUITE/left" "$WORK"
        cp "$RUNTIME_TESTS/inside.bash" "$WORK/inside"
    }
    rm -f "$WORK/prepare"
    [ -z "${2-}" ] || echo "$2" > "$WORK/prepare"
    # A start keeps its image on purpose, for exec to drop: leaks are looked for outside only.
    HIDE=${HIDE-} WAYS=${WAYS:-$ways} \
        ASAN_OPTIONS=${SANITIZE:+log_path=/mnt/sanitizer/log:detect_leaks=0} \
        timeout -k 5 "${TIMEOUT:-60}" \
        "$SUITE/sandbox" "$WORK" "$1" > "$WORK/said" 2>&1 || {
        echo "status $?"
        head -c 3000 "$WORK/said"
        return 1
    }
}

# both < SCRIPT: as root and as a user.
both() {
    local script
    script=$(cat)
    sandbox root <<< "$script"
    sandbox user <<< "$script"
}
