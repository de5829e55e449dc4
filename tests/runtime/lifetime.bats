#!/usr/bin/env bats
# SPDX-License-Identifier: MIT
# The image stays as long as somebody uses it, and then nothing of it does.

load helper

@test "kill -9 of the app" {
    make_app "$WORK/a"
    both <<'END'
check() {
    for i in 1 2 3; do
        started ./a hold
        kill -KILL $pid
        ended 137
    done
}
by_each_way check
END
}

@test "kill -9 of the launching process at any moment" {
    make_app "$WORK/a"
    both <<'END'
check() {
    for delay in 0 0.001 0.002 0.004 0.006 0.008 0.01 0.015 0.02; do
        ./a hold > /dev/null 2>&1 &
        pid=$!
        sleep $delay
        kill -KILL $pid
        wait $pid 2> /dev/null || :
    done
    nothing_left # without the help of another start
    status 0 ./a read d/file
}
by_each_way check
END
}

@test "kill -9 of the server: the next start repairs it" {
    is_ours || skip "which process is the server?"
    make_app "$WORK/a"
    for user in root user; do
        WAYS='fuse fusermount'
        [ $user = root ] || WAYS='fusermount userns'
        sandbox $user <<'END'
check() {
    started ./a hold
    kill -KILL $(servers)
    await no_server
    status 0 ./a read d/file
    same 'a file' "$out"
    kill -KILL $pid
    ended 137
}
by_each_way check
END
    done
}

# Nothing of it may need the next start, which would be another image's.
@test "kill -9 of server and app, in any order and at any moment: nothing is left" {
    is_ours || skip "which process is the server?"
    make_app "$WORK/a"
    for user in root user; do
        WAYS='fuse fusermount unpack'
        [ $user = root ] || WAYS='fusermount userns unpack'
        sandbox $user <<'END'
check() {
    for first in app server both; do
        started ./a hold
        case $first in
        app) kill -KILL $pid; kill -KILL $(servers) 2> /dev/null || : ;;
        server) kill -KILL $(servers); kill -KILL $pid ;;
        both) kill -KILL $(servers) $pid ;;
        esac
        ended 137
        nothing_left
    done
    for delay in 0 0.001 0.002 0.003 0.004 0.006 0.008 0.01 0.02; do
        ./a hold > /dev/null 2>&1 &
        pid=$!
        sleep $delay
        kill -KILL $pid $(servers) 2> /dev/null || :
        wait $pid 2> /dev/null || :
        nothing_left
    done
}
by_each_way check
END
    done
}

# pid 1 of a container, or what its --init started: nobody is left to clean up.
container='
container() {
    unshare --pid --fork --kill-child --mount-proc setpriv --reuid 1001 --regid 1001 --clear-groups \
        env HOME=/tmp/home "$@"
}
check() {
    same 3 "$(container "$@" ./a exit 3 || echo $?)"
    container "$@" ./a hold > /dev/t/said &
    pid=$!
    await test -s /dev/t/said
    kill -KILL $(pgrep -P $(pgrep -P $pid)) # PDEATHSIG did not survive setpriv
    wait $pid || :
}'

@test "a user's container ends with the app: nothing is left" {
    make_app "$WORK/a"
    { echo "$container"; cat; } <<'END' | sandbox root
check
nothing_left
check sh -c '"$@"; exit $?' init
nothing_left
END
}

@test "a user's container without user namespaces ends: the next start of any image repairs it" {
    is_ours || skip "who does?"
    make_app "$WORK/a"
    rm -r "$WORK/tree"
    make_tree "$WORK/tree"
    echo other > "$WORK/tree/other"
    make_app "$WORK/b" -no-xattrs
    { echo "$container"; cat; } <<'END' | HIDE=userns sandbox root
check
[ -n "$(mounts)" ] || exit 0 # even better
setpriv --reuid 1001 --regid 1001 --clear-groups env HOME=/tmp/home ./b exit 0
nothing_left
END
}

@test "kill -9 of the server, then a second start: the first one's end leaves that alone" {
    is_ours || skip "which process is the server?"
    make_app "$WORK/a"
    for user in root user; do
        WAYS=fuse
        [ $user = root ] || WAYS=fusermount
        sandbox $user <<'END'
check() {
    started ./a hold
    first=$pid
    kill -KILL $(servers)
    await no_server
    started ./a hold
    new=$(servers)
    kill -KILL $first
    wait $first 2> /dev/null || :
    sleep 0.5
    same "$new" "$(servers)"
    same 1 "$(mounts | wc -l)"
    status 0 ./a read d/file
    same 'a file' "$out"
    kill -KILL $pid
    ended 137
}
by_each_way check
END
    done
}

@test "kill -9 of all that could clean up: another image's start does" {
    is_ours || skip "who could?"
    make_app "$WORK/a"
    rm -r "$WORK/tree"
    make_tree "$WORK/tree"
    echo other > "$WORK/tree/other"
    make_app "$WORK/b" -no-xattrs
    for user in root user; do
        WAYS=fuse
        [ $user = root ] || WAYS=fusermount
        sandbox $user <<'END'
check() {
    # What is kept on purpose stays.
    NO_CLEANUP=1 RUCKSACK_MOUNT='' status 0 ./a --appimage-extract-and-run exit 0
    kept=$(ls -d /tmp/rucksack-*/*/manifest)
    ./left /dev/t/before
    started ./b hold
    alive=$pid
    started ./a hold
    kill -KILL $(guards) $(servers) $pid
    ended 137
    kill -KILL $alive
    wait $alive || :
    [ "$(mounts | wc -l)" = 2 ] || fail "no dead mounts: $(mounts)"
    status 0 ./b exit 0
    nothing_left
    ls "$kept"
}
by_each_way check
END
    done
}

@test "a daemon without any descriptor keeps the image, by its program and by its directory" {
    make_app "$WORK/a"
    both <<'END'
check() {
    for how in exe cwd; do
        rm -f /dev/t/stop*
        status 0 ./a daemon /dev/t/stop $how
        sleep 0.3
        touch /dev/t/stop
        await test -e /dev/t/stop.good
    done
    rm -f /dev/t/stop*
}
by_each_way check
END
}

@test "a second start while the first runs, and one after it" {
    make_app "$WORK/a"
    both <<'END'
check() {
    started ./a hold
    first=$pid
    started ./a hold
    kill -KILL $first
    wait $first 2> /dev/null || :
    status 0 ./a read d/file
    same 'a file' "$out"
    kill -TERM $pid
    ended 143
    # Into the teardown.
    for i in 1 2 3 4 5 6 7 8 9 10; do status $i ./a exit $i; done
}
by_each_way check
END
}

@test "50 starts at once" {
    make_app "$WORK/a"
    both <<'END'
check() {
    pids=
    for i in $(seq 50); do
        ./a exit $i &
        pids="$pids $!"
    done
    i=0
    for pid in $pids; do
        i=$((i + 1))
        ended $i
    done
}
by_each_way check
END
}

@test "unmounted by somebody else" {
    make_app "$WORK/a"
    WAYS='fuse fusermount' sandbox root <<'END'
check() {
    started ./a sleep 0.3
    umount -l /tmp/rucksack-0/*/m
    rm -rf /run/mount # umount(8)'s own
    ended 0
}
by_each_way check
END
}

@test "what a launcher leaves beside the image goes with it" {
    make_app "$WORK/a"
    both <<'END'
check() {
    status 0 ./a again /bin/sh -c 'ln -s /x "${APPDIR%/m}/state"; ln -s /x "${APPDIR%/m}/state.99"'
}
WAYS=${WAYS/ extract/}
by_each_way check
END
}

@test "the mount is nosuid, nodev, read-only and nobody else's" {
    make_tree "$WORK/tree"
    cp "$(command -v busybox)" "$WORK/tree/setuid"
    chmod 4755 "$WORK/tree/setuid"
    make_app "$WORK/a"
    both <<'END'
check() {
    status 0 ./a again /bin/sh -c 'grep " $APPDIR " /proc/self/mountinfo || echo "none $APPDIR"; stat -c %a "$APPDIR/setuid"'
    case $out in
    none*) ;;
    *) [[ $out == *ro*nosuid*nodev* || $out == *ro,nosuid,nodev* ]] || fail "$out"
       [[ $out != *allow_other* ]] || fail "$out" ;;
    esac
    status 0 ./a again /bin/sh -c 'touch "$APPDIR/new" 2> /dev/null && rm "$APPDIR/new" || exit 0; [ -O "$APPDIR" ]'
}
by_each_way check
END
}
