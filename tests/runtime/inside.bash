# SPDX-License-Identifier: MIT
# What a script in a sandbox may call; runs /dev/script. The script's own files belong into /dev/t,
# which is never taken for a leftover.
# shellcheck shell=bash
set -eu
cd /mnt

# Fails with a message.
fail() {
    echo "FAIL: ${RUCKSACK_MOUNT:+way $RUCKSACK_MOUNT: }$*"
    exit 1
}

# same WANT GOT
same() { [ "$1" = "$2" ] || fail "want '$1', got '$2'"; }

# status WANT COMMAND...: output goes to $out, errors to $err
status() {
    local want=$1 got=0
    shift
    "$@" > /dev/t/out.$$ 2> /dev/t/err.$$ || got=$?
    out=$(< /dev/t/out.$$) err=$(< /dev/t/err.$$)
    [ "$got" = "$want" ] || fail "$*: want status $want, got $got: ${out:0:500} ${err:0:500}"
}

# one_error: $err is one line, which may have a hint.
one_error() {
    case $(grep -vc '^hint: ' <<< "$err") in
    1) ;;
    *) fail "not one error: $err" ;;
    esac
}

# Waits until the command succeeds.
await() {
    local i
    for ((i = 0; i < 500; i++)); do
        ! "$@" > /dev/null 2>&1 || return 0
        sleep 0.02
    done
    fail "in vain: $*"
}

# started FILE ARG...: in the background; waits until the app has said its process id.
started() {
    local said=/dev/t/started.$RANDOM$RANDOM
    "$@" > "$said" 2> /dev/t/errors < /dev/null &
    pid=$!
    await test -s "$said"
    same "$pid" "$(head -n 1 "$said")"
}

# ended WANT: waits for the app that was started.
ended() {
    local got=0
    wait "$pid" 2> /dev/null || got=$?
    same "$1" "$got"
}

# processes NAME: those of that name that run.
processes() {
    local stat
    for stat in /proc/[0-9]*/stat; do
        { grep -q "($1) [^Z]" "$stat" && basename "${stat%/stat}"; } 2> /dev/null || :
    done
}

servers() { processes rucksack-fs; }
guards() { processes rucksack-guard; }
no_server() { [ -z "$(servers)" ]; }

mounts() { grep -E ' fuse\.rucksack |/m squashfs |^rucksack ' /proc/mounts || :; }

# What exists now is no leftover.
remember() { ./left /dev/t/before; }

# Waits up to SECONDS (5) until nothing is left of any start.
# shellcheck disable=SC2120 # some tests wait longer
nothing_left() {
    /mnt/left /dev/t/before "${1:-5}" > /dev/t/left || fail "left behind: $(< /dev/t/left)"
}

# by_each_way FUNCTION: by every way of mounting that this user has; nothing may be left of it.
by_each_way() {
    local way
    for way in $WAYS; do
        APPIMAGE_EXTRACT_AND_RUN=0 RUCKSACK_MOUNT=$way
        export APPIMAGE_EXTRACT_AND_RUN RUCKSACK_MOUNT
        case $way in
        default) unset RUCKSACK_MOUNT ;;
        unpack) unset RUCKSACK_MOUNT && APPIMAGE_EXTRACT_AND_RUN=1 ;;
        esac
        "$@"
        nothing_left
    done
    unset APPIMAGE_EXTRACT_AND_RUN RUCKSACK_MOUNT
}

remember
. /dev/script
