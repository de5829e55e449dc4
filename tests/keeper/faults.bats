#!/usr/bin/env bats
# SPDX-License-Identifier: MIT
# The keeper is killed, or refused, at each of its system calls in turn: there is the old state or the
# new one, an old snapshot or a whole new one. Every fifth call of a kind, and
# all of the last ones; FAULTS=1 takes each.

bats_require_minimum_version 1.5.0
load helper

step=${FAULTS:-5}

# What touches files.
calls=openat,write,pwrite64,ftruncate,fsync,fdatasync,syncfs,linkat,rename,renameat,renameat2,unlink,unlinkat,mkdir,mkdirat,symlinkat,fchmod,fchmodat,fchown,fchownat,utimensat,rmdir

setup() {
    make_image
}

# inject CALL WHAT N VERB...: the keeper with WHAT at the N-th call of that name; exit code in $code.
inject() {
    local call=$1 what=$2 n=$3
    shift 3
    code=0
    strace -f -qq -o /dev/null -e trace=$calls ${no_exchange:+-e inject=renameat2:error=EINVAL} \
        -e "inject=$call:$what:when=$n" "$keeper_program" "$image" "$state" "" "$@" >said 2>&1 || code=$?
} 2>/dev/null

# What needs room. (So does openat, where it makes a file: but then so does what is written to it.)
room='write|pwrite64|ftruncate|fsync|syncfs|linkat|rename|renameat|renameat2|mkdir|mkdirat|symlinkat'

# The places of a whole run, "call n" each, in $places.
find_places() {
    again
    strace -f -qq -o trace -e trace=$calls ${no_exchange:+-e inject=renameat2:error=EINVAL} \
        "$keeper_program" "$image" "$state" "" "$@" >/dev/null
    sed -E 's/^[0-9]+ +//; s/\(.*//' trace | awk -v step="$step" '$1 ~ /^[a-z]/ {
        place[++total] = $1 " " ++n[$1]
        is_in[total] = n[$1] % step == 1 || step == 1
    } END { for (i = 1; i <= total; i++) if (is_in[i] || i > total - 12) print place[i] }' >places
    [ "$(wc -l <places)" -ge 15 ]
}

only_room() {
    grep -E "^($room) " places >roomy
    mv roomy places
}

save() {
    rm -rf saved.state
    cp -a "$state" saved.state
}

again() {
    rm -rf "$state"
    cp -a saved.state "$state"
}

# Of the state nothing is there but what a state has.
only_state() {
    local name
    for name in "$state"/* "$state"/.[!.]*; do
        [ -e "$name" ] || continue
        case ${name##*/} in
        data | .lock | data.before-*) ;;
        *)
            echo "left: $name"
            return 1
            ;;
        esac
    done
}

@test "backup, killed at every call" {
    make_state 100
    save
    mkdir out
    find_places backup -o out/one.tar.zst
    local n=0 whole=0 call number
    while read -r call number; do
        again
        rm -f out/*
        inject "$call" signal=KILL "$number" backup -o out/one.tar.zst
        [ "$code" -eq 137 ]
        is_whole "$state/data" 100
        # No name, or a whole snapshot.
        [ -z "$(ls out)" ] || {
            [ "$(ls out)" = one.tar.zst ]
            keeper restore --check-only out/one.tar.zst >/dev/null
            whole=$((whole + 1))
        }
        # The next one clears up.
        keeper backup -o out/two.tar.zst >/dev/null
        keeper restore --check-only out/two.tar.zst >/dev/null
        only_state
        n=$((n + 1))
    done <places
    echo "# killed at $n calls, $whole times after the snapshot was whole" >&3
}

@test "restore, killed at every call" {
    killed_restores
}

@test "restore, killed at every call, where directories cannot be exchanged" {
    no_exchange=1
    killed_restores
}

# From 7 rows to 100.
two_states() {
    make_state 100
    keeper backup -o one.tar.zst >/dev/null
    rm -rf "$state"
    make_state 7 delete
    save
}

# Each time one of both is there as a whole, and the old one never gone.
killed_restores() {
    two_states
    find_places restore one.tar.zst
    local n=0 old=0 new=0 call number
    while read -r call number; do
        [ "$call" != renameat2 ] || [ -z "${no_exchange:-}" ] || continue
        again
        inject "$call" signal=KILL "$number" restore one.tar.zst
        [ "$code" -eq 137 ]
        # Whoever comes next finds it settled: here a backup, else a start.
        keeper backup -o two.tar.zst >/dev/null
        if [ "$(rows "$state")" = 100 ]; then
            new=$((new + 1))
            is_whole "$state/data" 100
            is_whole "$state"/data.before-* 7
        else
            is_whole "$state/data" 7
            old=$((old + 1))
        fi
        # And a restore that is not killed succeeds, over whatever is left.
        keeper restore --replace one.tar.zst >/dev/null
        is_whole "$state/data" 100
        only_state
        n=$((n + 1))
    done <places
    echo "# killed at $n calls: $old times the old state, $new times the new one" >&3
    [ "$old" -gt 0 ]
    [ "$new" -gt 0 ]
}

@test "backup, refused room at every call" {
    make_state 100
    save
    mkdir out
    step=1
    find_places backup -o out/one.tar.zst
    only_room
    local n=0 refused=0 call number
    while read -r call number; do
        again
        rm -f out/*
        inject "$call" error=ENOSPC "$number" backup -o out/one.tar.zst
        [ "$code" -lt 128 ]
        is_whole "$state/data" 100
        only_state
        [ -z "$(ls out)" ] || keeper restore --check-only out/one.tar.zst >/dev/null
        [ "$code" -eq 0 ] || {
            refused=$((refused + 1))
            grep -q '^rucksack: ' said
        }
        n=$((n + 1))
    done <places
    echo "# refused at $n calls, $refused times an error, nothing half done left" >&3
    [ "$refused" -gt 5 ]
}

@test "restore, refused room at every call" {
    two_states
    step=1
    find_places restore one.tar.zst
    only_room
    local n=0 refused=0 call number
    while read -r call number; do
        again
        inject "$call" error=ENOSPC "$number" restore one.tar.zst
        [ "$code" -lt 128 ]
        if [ "$code" -eq 0 ]; then
            is_whole "$state/data" 100
        else
            refused=$((refused + 1))
            grep -q '^rucksack: ' said
            keeper restore --check-only one.tar.zst >/dev/null
            [ "$(rows "$state")" = 100 ] || is_whole "$state/data" 7
        fi
        only_state
        n=$((n + 1))
    done <places
    echo "# refused at $n calls, $refused times an error, nothing half done left" >&3
    [ "$refused" -gt 5 ]
}

@test "restore, where neither directories are exchanged nor renamed a second time, nor back" {
    two_states
    chown -R 1001:1001 "$state"
    strace -f -qq -o trace -e trace=renameat,renameat2 -e inject=renameat2:error=EINVAL \
        "$keeper_program" "$image" "$state" "" restore --replace one.tar.zst >/dev/null
    # Which of the renames puts the new state in its place?
    local second
    second=$(grep -n '".restore/data", [0-9]*, "data")' <(grep 'renameat(' trace) | cut -d: -f1)
    [ "$second" -ge 2 ]
    again
    chown -R 1001:1001 "$state"
    run ! strace -f -qq -o /dev/null -e trace=renameat,renameat2 -e inject=renameat2:error=EINVAL \
        -e "inject=renameat:error=EIO:when=$second+" \
        "$keeper_program" "$image" "$state" "" restore --replace one.tar.zst
    [[ $output == "rucksack: "*"I/O error"* ]]
    # Nothing is in place, both states are there, and the app's user can end it.
    [ ! -e "$state/data" ]
    is_whole "$state/.restore/data" 100
    is_whole "$state"/data.before-* 7
    [ "$(stat -c %u "$state/.restore")" = 1001 ]
    keeper backup -o two.tar.zst
    is_whole "$state/data" 100
    only_state
}

@test "a restore that cannot write names no option that it does not have" {
    two_states
    code=0
    inject mkdirat error=EIO 1 restore --replace one.tar.zst
    [ "$code" -eq 1 ]
    grep -q '^rucksack: E-WRITE: .*I/O error' said
    grep -q "^hint: is '$state' yours to write" said
    is_whole "$state/data" 7
}

# fault CALL PATH: a backup in which the first such call on that path gives an I/O error.
fault() {
    strace -f -qq -o /dev/null -P "$2" -e "trace=$1" -e "inject=$1:error=EIO:when=1" \
        "$keeper_program" "$image" "$state" "" backup -o one.tar.zst
}

@test "what cannot be read is not left out: a directory, and the head of a database" {
    make_state 100
    run ! fault read "$state/data/blog.sqlite3"
    [[ $output == "rucksack: E-READ: 'data/blog.sqlite3': its first bytes: I/O error"* ]]
    [[ $output == *$'\nhint: make it readable'* ]]
    [ ! -e one.tar.zst ]
    run ! fault getdents64 "$state/data/uploads"
    [[ $output == "rucksack: E-READ: 'data/uploads': directory: I/O error"* ]]
    [ ! -e one.tar.zst ]
    is_whole "$state/data" 100
    only_state
}

@test "a full disk: nothing is lost, nothing is left, and the site goes on" {
    mkdir "$BATS_TEST_TMPDIR/disk"
    mount -t tmpfs -o size=11m tmpfs "$BATS_TEST_TMPDIR/disk"
    state=$BATS_TEST_TMPDIR/disk/blog.state
    make_state 20000
    head -c 4000000 /dev/urandom >"$state/data/uploads/noise"
    local before
    before=$(find "$state" -name .lock -prune -o -print | sort)

    # No room for the snapshot.
    run ! keeper backup -o "$BATS_TEST_TMPDIR/disk/one.tar.zst"
    [[ $output == "rucksack: E-SPACE: "* ]]
    [[ $output == *"hint: make room"* ]]
    [ ! -e "$BATS_TEST_TMPDIR/disk/one.tar.zst" ]
    # No room for the database's copy.
    head -c 100m /dev/zero >"$BATS_TEST_TMPDIR/disk/ballast" 2>/dev/null || true
    run ! keeper backup -o "$BATS_TEST_TMPDIR/one.tar.zst"
    [[ $output == "rucksack: E-SPACE: "* ]]
    [ ! -e "$BATS_TEST_TMPDIR/one.tar.zst" ]
    [ "$(find "$state" -name .lock -prune -o -print | sort)" = "$before" ]
    rm "$BATS_TEST_TMPDIR/disk/ballast"
    sqlite3 "$state/data/blog.sqlite3" "INSERT INTO posts (text) VALUES ('goes on')"

    keeper backup -o "$BATS_TEST_TMPDIR/one.tar.zst"
    # No room to unpack: said before anything is written.
    run ! keeper restore "$BATS_TEST_TMPDIR/one.tar.zst"
    [[ $output == "rucksack: E-SPACE: "* ]]
    [ "$(rows "$state")" = 20001 ]
    only_state
    umount "$BATS_TEST_TMPDIR/disk"
}

teardown() {
    umount "$BATS_TEST_TMPDIR/disk" 2>/dev/null || true
}
