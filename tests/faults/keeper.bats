#!/usr/bin/env bats
# SPDX-License-Identifier: MIT
# Backup and restore of which an allocation fails, or a call (those that need room, and kills:
# tests/keeper/faults.bats). POINTS of each, evenly (POINTS=0: all, which are many).

bats_require_minimum_version 1.5.0
load ../keeper/helper

setup() {
    make_image
    points=${POINTS:-2}
    fragile=$RUCKSACK_BUILD/faults/keeper
    inject=$RUCKSACK_BUILD/faults/inject
}

# chosen FILE: the lines of it that are tried
chosen() {
    awk -v want="$points" '{ line[NR] = $0 } END {
        step = want == 0 || NR <= want ? 1 : NR / want
        for (i = 1; i <= NR; i += step) print line[int(i)] }' "$1"
}

again() {
    rm -rf "$state" one.tar.zst
    cp -a saved.state "$state"
    [ ! -e saved.tar.zst ] || cp saved.tar.zst one.tar.zst
}

# judge WHERE ROWS OTHER: one error or none; the state has ROWS, or OTHER of a restore; the next
# backup works
judge() {
    echo "$1: code $code: $(cat said)"
    [ "$code" -le 1 ]
    [ "$code" -eq 0 ] || [ "$(grep -c '^rucksack: ' said)" -eq 1 ]
    local found
    keeper backup -o next.tar.zst >/dev/null
    found=$(rows "$state")
    [ "$found" = "$2" ] || [ "$found" = "$3" ]
    is_whole "$state/data" "$found"
    keeper restore --check-only next.tar.zst >/dev/null
    rm next.tar.zst
    [ -z "$(find "$state" -mindepth 1 -maxdepth 1 ! -name data ! -name .lock ! -name 'data.before-*')" ]
}

# faults ROWS OTHER VERB...: calls, then allocations
faults() {
    local rows=$1 other=$2 number
    shift 2
    again
    "$inject" -o list -p "$keeper_program" "$keeper_program" "$image" "$state" "" "$@" >/dev/null
    grep -E '^[0-9]' list >points
    while read -r number _; do
        again
        code=0
        "$inject" -n "$number" -o report -p "$keeper_program" "$keeper_program" "$image" "$state" "" "$@" \
            >/dev/null 2>said || code=$?
        judge "$(head -1 report)" "$rows" "$other"
    done < <(chosen points)
    calls=$(wc -l <points)
    rm -f list
    again
    RUCKSACK_FAULT=0:$PWD/list "$fragile" "$image" "$state" "" "$@" >/dev/null
    while read -r number _; do
        again
        code=0
        RUCKSACK_FAULT=$number:/dev/null timeout 60 "$fragile" "$image" "$state" "" "$@" >/dev/null 2>said || code=$?
        judge "allocation $number" "$rows" "$other"
    done < <(chosen list)
    echo "# $1: $calls calls, $(wc -l <list) allocations, $(chosen points | wc -l) and $(chosen list | wc -l) tried, 0 wrong" >&3
}

@test "a call or an allocation of a backup fails" {
    make_state 100
    cp -a "$state" saved.state
    faults 100 100 backup -o one.tar.zst
}

@test "a call or an allocation of a restore fails" {
    make_state 100
    keeper backup -o saved.tar.zst >/dev/null
    rm -rf "$state"
    make_state 7 delete
    cp -a "$state" saved.state
    faults 7 100 restore one.tar.zst
}
