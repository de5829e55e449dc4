#!/usr/bin/env bats
# SPDX-License-Identifier: MIT
# The keeper is killed, or refused, at each of its system calls in turn: there is the old state or the
# new one, an old snapshot or a whole new one. Every third call; FAULTS=1 takes all.

bats_require_minimum_version 1.5.0
load helper

step=${FAULTS:-3}

# What touches files. Those before main() are the same each time, and harmless.
calls=openat,write,pwrite64,ftruncate,fsync,fdatasync,syncfs,linkat,rename,renameat,renameat2,unlink,unlinkat,mkdir,mkdirat,symlinkat,fchmod,fchmodat,fchown,fchownat,utimensat,rmdir

setup() {
    make_image
}

# inject WHAT N VERB...: the keeper with WHAT at the N-th call; its exit code in $code.
inject() {
    local what=$1 n=$2
    shift 2
    code=0
    strace -f -qq -o /dev/null -e trace=$calls -e "inject=$calls:$what:when=$n" \
        "$keeper_program" "$image" "$state" "" "$@" >said 2>&1 || code=$?
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
    for name in $(ls -A "$state"); do
        case $name in
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
    local n=1 whole=0
    mkdir out
    while :; do
        again
        rm -f out/*
        inject signal=KILL $n backup -o out/one.tar.zst
        [ "$code" -ne 0 ] || break
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
        n=$((n + step))
    done
    echo "# killed at $n calls, $whole times after the snapshot was whole" >&3
    [ "$n" -gt 20 ]
}

@test "restore, killed at every call" {
    make_state 100
    keeper backup -o one.tar.zst >/dev/null
    rm -rf "$state"
    make_state 7 delete
    save
    killed_restores
}

@test "restore, killed at every call, where directories cannot be exchanged" {
    make_state 100
    keeper backup -o one.tar.zst >/dev/null
    rm -rf "$state"
    make_state 7 delete
    save
    no_exchange=1
    killed_restores
}

# From 7 rows to 100; each time one of both is there as a whole, and the old one never gone.
killed_restores() {
    local n=1 old=0 new=0
    while :; do
        again
        if [ -n "${no_exchange:-}" ]; then
            code=0
            strace -f -qq -o /dev/null -e trace=$calls -e inject=renameat2:error=EINVAL \
                -e "inject=${calls/renameat2,/}:signal=KILL:when=$n" \
                "$keeper_program" "$image" "$state" "" restore one.tar.zst >said 2>&1 || code=$?
        else
            inject signal=KILL $n restore one.tar.zst
        fi
        [ "$code" -ne 0 ] || break
        [ "$code" -eq 137 ]
        # Whoever comes next finds it settled: here the next backup, else the next start.
        keeper backup -o two.tar.zst >/dev/null
        if is_whole "$state/data" 100; then
            new=$((new + 1))
            is_whole "$state"/data.before-* 7
        else
            is_whole "$state/data" 7
            old=$((old + 1))
        fi
        # And a restore that is not killed succeeds, over whatever is left.
        keeper restore --replace one.tar.zst >/dev/null
        is_whole "$state/data" 100
        only_state
        n=$((n + step))
    done
    is_whole "$state/data" 100
    echo "# killed at $n calls: $old times the old state, $new times the new one" >&3
    [ "$old" -gt 10 ]
}

# A file system that is full from the N-th call on, for that call's file.
@test "backup, refused room at every call" {
    make_state 100
    save
    local n=1 refused=0
    mkdir out
    while :; do
        again
        rm -f out/*
        inject error=ENOSPC $n backup -o out/one.tar.zst
        is_whole "$state/data" 100
        only_state
        if [ "$code" -eq 0 ]; then
            [ "$(ls out)" = one.tar.zst ]
            keeper restore --check-only out/one.tar.zst >/dev/null
            # strace injects nothing behind the last call.
            ! strace_reached $n backup || break
        elif [ -z "$(ls out)" ]; then
            refused=$((refused + 1))
            grep -q '^rucksack: ' said
        fi
        n=$((n + step))
    done
    echo "# refused at $n calls, $refused times an error, nothing left behind" >&3
    [ "$refused" -gt 5 ]
}

# Whether a whole run has fewer than N such calls.
strace_reached() {
    local n=$1 count
    again
    strace -f -qq -o calls -e trace=$calls "$keeper_program" "$image" "$state" "" \
        "$2" ${3:+"$3"} ${4:+"$4"} >/dev/null 2>&1
    count=$(grep -c '(' calls)
    [ "$n" -gt "$count" ]
}

@test "restore, refused room at every call" {
    make_state 100
    keeper backup -o one.tar.zst >/dev/null
    rm -rf "$state"
    make_state 7 delete
    save
    local n=1 refused=0
    while :; do
        again
        inject error=ENOSPC $n restore one.tar.zst
        only_state
        if [ "$code" -eq 0 ]; then
            is_whole "$state/data" 100
            ! strace_reached $n restore one.tar.zst || break
        elif is_whole "$state/data" 7; then
            refused=$((refused + 1))
            grep -q '^rucksack: ' said
        else
            is_whole "$state/data" 100
        fi
        n=$((n + step))
    done
    echo "# refused at $n calls, $refused times the old state stayed" >&3
    [ "$refused" -gt 5 ]
}

@test "a full disk: nothing is lost, nothing is left, and the site goes on" {
    mkdir "$BATS_TEST_TMPDIR/disk"
    mount -t tmpfs -o size=12m tmpfs "$BATS_TEST_TMPDIR/disk"
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
    head -c 4500000 /dev/zero >"$BATS_TEST_TMPDIR/disk/ballast"
    run ! keeper backup -o "$BATS_TEST_TMPDIR/one.tar.zst"
    [[ $output == "rucksack: E-SPACE: "* ]]
    [ ! -e "$BATS_TEST_TMPDIR/one.tar.zst" ]
    [ "$(find "$state" -name .lock -prune -o -print | sort)" = "$before" ]
    sqlite3 "$state/data/blog.sqlite3" "INSERT INTO posts (text) VALUES ('goes on')"

    rm "$BATS_TEST_TMPDIR/disk/ballast"
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
