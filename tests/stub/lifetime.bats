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

@test "the server is nobody's child and holds nothing of the app's" {
    each <<'END'
./a sleep 60 > /dev/t/pid 5> /dev/t/five &
await test -s /dev/t/pid
for server in $(servers); do
    same 1 "$(awk '{ print $4 }' /proc/$server/stat)"
    same "$server" "$(awk '{ print $6 }' /proc/$server/stat)"
    same / "$(readlink /proc/$server/cwd)"
    for fd in /proc/$server/fd/*; do
        [[ $(readlink $fd) != /dev/t/five && $(readlink $fd) != /dev/t/pid ]] || fail "holds $(readlink $fd)"
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

@test "server and guard are ended by lack of memory as easily as the app" {
    each <<'END'
echo 300 > /proc/self/oom_score_adj
./a sleep 60 > /dev/t/pid &
await test -s /dev/t/pid
for pid in $! $(servers) $(guards); do
    same 300 "$(< /proc/$pid/oom_score_adj)"
done
kill $!
nothing_left
END
}

@test "the guard is the server's, and ends with it" {
    each <<'END'
[ $RUCKSACK_MOUNT != userns ] || exit 0 # its mount needs none
./a sleep 60 > /dev/t/pid 5> /dev/t/five &
await test -s /dev/t/pid
guard=$(guards) server=$(servers)
same "$server" "$(awk '{ print $4 }' /proc/$guard/stat)"
same / "$(readlink /proc/$guard/cwd)"
for fd in /proc/$guard/fd/*; do
    case $(readlink $fd) in
    /dev/t/* | /dev/fuse | /mnt/*) fail "holds $(readlink $fd)" ;;
    esac
done
kill -TERM $guard; kill -INT $guard; kill -HUP $guard
sleep 0.1
same "$guard" "$(guards)"
# Without it the server is as good.
kill -KILL $guard
status 0 ./a read d/file
kill $!
nothing_left
END
}

# Once in some ten thousand starts: the app's exec unlocked the list of threads that the server, in
# the same memory, was adding to.
@test "the server starts threads while the app is executed" {
    make_app "$WORK/a"
    rm -r "$WORK/tree"
    make_tree "$WORK/tree"
    echo other > "$WORK/tree/other"
    make_app "$WORK/b" -no-xattrs
    sandbox root <<'END'
export RUCKSACK_MOUNT=fuse
./b sleep 60 > /dev/t/b & # something to sweep, which takes a thread that ends at once
await test -s /dev/t/b
for ms in 20 80 110 140 170; do
    strace -f -o /dev/t/trace -e trace=clone,execve -e inject=clone:delay_exit=100000 \
        -e inject=execve:delay_enter=${ms}000 ./a exit 4 && got=0 || got=$?
    same 4 $got
    ! grep SIGSEGV /dev/t/trace || fail "delayed by $ms ms"
done
kill $!
nothing_left
END
}

@test "a second start joins; the mount lives as long as the longer" {
    make_app "$WORK/a"
    script='
./a sleep 0.5 > /dev/t/pid &
first=$!
await test -s /dev/t/pid
same 1 "$(servers | wc -l)"
./a sleep 1.2 > /dev/t/pid2 &
second=$!
await test -s /dev/t/pid2
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
