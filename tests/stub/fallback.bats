#!/usr/bin/env bats
# SPDX-License-Identifier: MIT
# Kernels from 4.18 on: every newer system call is missing in turn, then all of them are; and
# containers whose filter forbids what it does not know.

load helper

ROOT="kernel fuse"
USER_="fusermount userns extract"
NEWER="open_tree move_mount fsopen fsconfig fsmount pidfd_open clone3 close_range openat2
    faccessat2 mount_setattr LOOP_CONFIGURE new"

# make_denied_app: an app and deny, in the sandbox's directory.
make_denied_app() {
    make_app "$WORK/a"
    cc -std=gnu2x -D_GNU_SOURCE -O1 -Wall -Wextra -Werror -static -o "$WORK/deny" "$HERE/deny.c"
}

# denied < SCRIPT: a sandbox with functions; deny has to be root, so the app changes the user.
denied() {
    cat - > "$WORK/body"
    cat - "$WORK/body" <<'FUNCTIONS' | TIMEOUT=300 sandbox root
user=(setpriv --reuid=1001 --regid=1001 --clear-groups)

# works ERROR "NAME..." [COMMAND...]: the app starts, its content and status are right
works() {
    local error=$1 names=$2
    shift 2
    status 0 ./deny "$error" $names -- "$@" ./a print word
    [ -z "$err" ] || fail "$names: $err"
    [[ $out == *'|/mnt|/mnt/a|./a|2|word' ]] || fail "$names: $out"
    status 0 ./deny "$error" $names -- "$@" ./a sum
    same "$(cd tree && find . -type f | sort | xargs cksum)" "$out"
    status 7 ./deny "$error" $names -- "$@" ./a exit 7
    status 143 ./deny "$error" $names -- "$@" ./a signal TERM
}

# Nothing but the cache, which may be anywhere.
clean() {
    local i
    for ((i = 0; i < 100; i++)); do
        [ -n "$(servers)$(mounts)$(find /tmp/rucksack-* -mindepth 2 2> /dev/null)" ] || return 0
        sleep 0.05
    done
    fail "left behind: $(servers; mounts; ls -d /tmp/rucksack-*)"
}
FUNCTIONS
}

@test "deny denies: a call, an ioctl, all that are new; and the stub makes them" {
    make_denied_app
    denied <<'END'
status 32 ./deny EPERM umount2 -- umount /var/tmp
status 0 ./deny ENOSYS openat2 -- umount /var/tmp
seen() { grep -qE "$1\(.*$2" /dev/t/trace || fail "no $1 that gives $2: $(cat /dev/t/trace)"; }
RUCKSACK_MOUNT=kernel status 0 ./deny ENOSYS new LOOP_CONFIGURE -- strace -f -o /dev/t/trace ./a print
seen fsopen ENOSYS
seen ioctl 'LOOP_CONFIGURE.*EINVAL'
RUCKSACK_MOUNT=fuse status 0 ./deny ENOSYS pidfd_open close_range -- strace -f -o /dev/t/trace ./a print
seen pidfd_open ENOSYS
seen close_range ENOSYS
for call in move_mount fsconfig fsmount; do
    RUCKSACK_MOUNT=kernel status 0 ./deny ENOSYS $call -- strace -f -o /dev/t/trace ./a print
    seen $call ENOSYS
done
clean
END
}

@test "root: each newer call is missing, then all" {
    make_denied_app
    denied <<END
for way in $ROOT; do
    export RUCKSACK_MOUNT=\$way
    for name in $(echo $NEWER) "new LOOP_CONFIGURE"; do
        works ENOSYS "\$name"
    done
    clean
done
END
}

@test "user: each newer call is missing, then all" {
    make_denied_app
    denied <<END
for way in $USER_; do
    export RUCKSACK_MOUNT=\$way
    for name in $(echo $NEWER) "new LOOP_CONFIGURE"; do
        works ENOSYS "\$name" "\${user[@]}"
    done
    clean
done
END
}

@test "a filter that answers EPERM to calls it does not know" {
    make_denied_app
    denied <<END
for way in $ROOT; do
    export RUCKSACK_MOUNT=\$way
    for name in $(echo $NEWER); do
        works EPERM "\$name"
    done
    clean
done
for way in $USER_; do
    export RUCKSACK_MOUNT=\$way
    works EPERM new "\${user[@]}"
    clean
done
END
}

@test "the filter of a container: no mounts, no namespaces; the image is unpacked" {
    make_denied_app
    denied <<'END'
for prefix in "" "${user[*]}"; do
    works EPERM "mount unshare umount2 new" $prefix
    status 0 ./deny EPERM mount unshare umount2 new -- $prefix ./a print
    [[ $out == /tmp/home/.cache/rucksack/* || $out == /var/tmp/rucksack-* ]] || fail "$out"
    clean
done
END
}

@test "an old kernel: ends of every kind, and starts that share a mount" {
    make_denied_app
    denied <<'END'
old=(./deny ENOSYS new LOOP_CONFIGURE --)
for way in "fuse" "fusermount ${user[*]}" "userns ${user[*]}"; do
    set -- $way
    export RUCKSACK_MOUNT=$1
    shift
    "${old[@]}" "$@" ./a sleep 60 > /dev/t/first &
    first=$!
    await test -s /dev/t/first
    "${old[@]}" "$@" ./a sleep 60 > /dev/t/second &
    second=$!
    await test -s /dev/t/second
    if [ $RUCKSACK_MOUNT != userns ]; then
        same 1 "$(mounts | wc -l)"
    fi
    kill -KILL $first
    wait $first || :
    status 0 "${old[@]}" "$@" ./a exit 0
    kill -TERM $second
    wait $second || :
    nothing_left 5
    rm /dev/t/first /dev/t/second
    # A program that the app leaves behind keeps the mount.
    status 0 "${old[@]}" "$@" ./a daemon 1
    [ -n "$(servers)" ] || fail "the server left a living process"
    nothing_left 5
done
END
}

@test "an old kernel: flags" {
    make_denied_app
    denied <<'END'
old=(./deny ENOSYS new LOOP_CONFIGURE --)
for prefix in "" "${user[*]}"; do
    "${old[@]}" $prefix ./a --appimage-mount > /dev/t/where &
    await test -s /dev/t/where
    $prefix diff -r --no-dereference tree "$(cat /dev/t/where)"
    kill -TERM $!
    wait $! || fail "status $?"
    nothing_left
    rm /dev/t/where
    status 0 "${old[@]}" $prefix ./a --appimage-extract-and-run print
    nothing_left
done
cd /tmp
status 0 /mnt/deny ENOSYS new -- /mnt/a --appimage-extract
diff -r --no-dereference /mnt/tree squashfs-root
END
}

@test "old kernels know less of FUSE" {
    mkdir "$WORK/tree"
    echo "a file of the image" > "$WORK/tree/text"
    mksquashfs "$WORK/tree" "$WORK/image" -noappend -quiet -no-progress > /dev/null
    run "$RUCKSACK_BUILD/old_fuse" "$WORK/image"
    echo "$output"
    [ "$status" -eq 0 ]
    [ "$output" = "6 ages" ]
}

@test "loop devices that stay busy: FUSE takes over" {
    make_denied_app
    local name=busy${WORK##*.} # /sys shows the devices of the whole machine
    cp "$WORK/a" "$WORK/$name"
    denied <<END
status 0 timeout 20 ./deny EAGAIN LOOP_CONFIGURE LOOP_SET_STATUS64 -- ./$name print
[ -z "\$err" ] || fail "\$err"
nothing_left
[ -z "\$(grep -l '^/mnt/$name' /sys/block/loop*/loop/backing_file)" ] || fail "a loop device"
RUCKSACK_MOUNT=kernel status 125 ./deny EAGAIN LOOP_CONFIGURE LOOP_SET_STATUS64 -- ./$name print
[[ \$err == *'kernel: /dev/loop'*'temporarily unavailable'* ]] || fail "\$err"
END
}
