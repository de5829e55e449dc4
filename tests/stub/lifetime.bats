#!/usr/bin/env bats
# SPDX-License-Identifier: MIT
# When mount, server and directories go, and when they must not.

load helper

# each SCRIPT: by every way that has a server.
each() {
    script=$(cat)
    make_app "$WORK/a"
    { echo "export RUCKSACK_MOUNT=fuse"; echo "$script"; } | sandbox root
    { echo "export RUCKSACK_MOUNT=fusermount"; echo "$script"; } | sandbox user
    { echo "export RUCKSACK_MOUNT=userns"; echo "$script"; } | sandbox user
}

@test "kill -9 of the app leaves nothing" {
    each <<'END'
for i in 1 2 3; do
    rm -f /tmp/pid
    ./a sleep 60 > /tmp/pid &
    await test -s /tmp/pid
    same $! "$(cat /tmp/pid)"
    [ -n "$(servers)" ] || fail "no server"
    kill -KILL $!
    wait $! || same 137 $?
    nothing_left
done
END
}

@test "command substitution returns at once" {
    each <<'END'
start=$(date +%s%N)
for i in 1 2 3 4 5; do out=$(./a print 2>&1); done
[ $((($(date +%s%N) - start) / 1000000)) -lt 2500 ] || fail "slow"
nothing_left
END
}

@test "the server is nobody's child and holds nothing of the app's" {
    each <<'END'
./a sleep 60 > /tmp/pid 5> /tmp/five &
await test -s /tmp/pid
for server in $(servers); do
    same 1 "$(awk '{ print $4 }' /proc/$server/stat)"
    same "$server" "$(awk '{ print $6 }' /proc/$server/stat)"
    same / "$(readlink /proc/$server/cwd)"
    for fd in /proc/$server/fd/*; do
        [[ $(readlink $fd) != /tmp/five && $(readlink $fd) != /tmp/pid ]] || fail "holds $(readlink $fd)"
    done
    kill -TERM $server; kill -INT $server; kill -HUP $server
done
sleep 0.1
[ -n "$(servers)" ] || fail "a signal ended the server"
cat "/proc/$!/cwd/a" > /dev/null
kill $!
nothing_left
END
}

@test "a background child keeps the image until it ends" {
    each <<'END'
./a daemon 1
sleep 0.4
[ -n "$(servers)" ] || fail "gone too early"
pgrep -x busybox > /dev/null || pgrep -f 'sleep 1' > /dev/null || fail "the child died"
nothing_left 5
END
}

@test "a second start joins; the mount lives as long as the longer" {
    make_app "$WORK/a"
    script='
./a sleep 0.5 > /tmp/pid &
first=$!
await test -s /tmp/pid
same 1 "$(servers | wc -l)"
./a sleep 1.2 > /tmp/pid2 &
second=$!
await test -s /tmp/pid2
same 1 "$(servers | wc -l)"
same 1 "$(mounts | wc -l)"
wait $first || fail "first: $?"
sleep 0.2
[ -n "$(mounts)" ] || fail "gone too early"
wait $second || fail "second: $?"
nothing_left'
    { echo "export RUCKSACK_MOUNT=fuse"; echo "$script"; } | sandbox root
    { echo "export RUCKSACK_MOUNT=fusermount"; echo "$script"; } | sandbox user
}

@test "many starts at once" {
    each <<'END'
for round in 1 2 3; do
    pids=
    for i in $(seq 20); do ./a exit $i & pids="$pids $!"; done
    i=0
    for pid in $pids; do i=$((i + 1)); wait $pid && fail "0" || same $i $?; done
done
nothing_left
END
}

@test "kill -9 of the server: the next start repairs it" {
    each <<'END'
./a sleep 60 > /tmp/pid &
await test -s /tmp/pid
kill -KILL $(servers)
status 0 ./a print
kill -KILL $!
wait $! || :
status 0 ./a print
[ "$RUCKSACK_MOUNT" = userns ] || nothing_left
[ -z "$(servers)$(mounts)" ] || fail "$(leftovers)"
END
}

@test "unmounted by somebody else: the server goes" {
    make_app "$WORK/a"
    sandbox root <<'END'
export RUCKSACK_MOUNT=fuse
./a sleep 0.5 > /tmp/pid &
await test -s /tmp/pid
umount -l /tmp/rucksack-0/*/m
wait $! || fail "status $?"
nothing_left
END
}
