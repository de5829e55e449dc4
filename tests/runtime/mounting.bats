#!/usr/bin/env bats
# SPDX-License-Identifier: MIT
# Where mounting is hard: the app runs as everywhere, or one error says why not.

load helper

# What every environment is asked: content, status, silence, no remains.
ask='
runs() {
    status 0 "$@" read d/file
    same "a file" "$out"
    same "" "$err"
    status 7 "$@" exit 7
    nothing_left
}
fails() {
    status 125 "$@" exit 0
    same "" "$out"
    one_error
    nothing_left
}
'

# in_place USER PREPARATION SCRIPT
environment() {
    make_app "$WORK/a"
    sandbox "$1" "$2" <<< "$ask$3"
}

@test "01 root" {
    environment root '' 'runs ./a'
}

@test "02 user" {
    environment user '' 'runs ./a'
}

@test "03 no fusermount" {
    HIDE=helper environment user '' 'runs ./a; PATH=/nowhere runs ./a'
}

@test "04 no /dev/fuse" {
    HIDE=fuse environment user '' 'runs ./a'
    HIDE=fuse environment root '' 'runs ./a'
    HIDE='fuse loop' environment root '' 'runs ./a'
}

@test "05 user namespaces forbidden" {
    HIDE=userns environment user '' 'runs ./a'
    HIDE='userns helper' environment user '' 'runs ./a'
    HIDE='userns helper fuse' environment user '' 'runs ./a'
}

@test "06 root without CAP_SYS_ADMIN" {
    environment root '' 'runs setpriv --bounding-set -sys_admin --inh-caps -sys_admin ./a
        runs setpriv --bounding-set -all --inh-caps -all ./a'
    HIDE=fuse environment root '' 'runs setpriv --bounding-set -sys_admin --inh-caps -sys_admin ./a'
}

@test "07 /tmp noexec" {
    local noexec='for dir in /tmp /dev/shm /run; do mount --bind $dir $dir; mount -o remount,bind,noexec $dir; done'
    environment user "$noexec" 'runs ./a; runs ./a --appimage-extract-and-run'
    HIDE='userns fuse' environment user "$noexec" 'export CACHE=/var/tmp/rucksack-1001; runs ./a'
}

@test "08 TMPDIR read-only" {
    environment user 'mkdir /dev/ro; mount -t tmpfs -o ro tmpfs /dev/ro' 'export TMPDIR=/dev/ro
        runs ./a; runs ./a --appimage-extract-and-run'
}

@test "09 TMPDIR and XDG_RUNTIME_DIR missing, no directory, relative or empty" {
    environment user '' 'for dir in /nowhere /mnt/a relative "" /proc/self/mem; do
        export TMPDIR="$dir" XDG_RUNTIME_DIR="$dir" XDG_CACHE_HOME="$dir"
        runs ./a; runs ./a --appimage-extract-and-run
    done'
}

@test "10 no /proc" {
    local root='mkdir /dev/root; mount --rbind / /dev/root; umount -l /dev/root/proc'
    local runs_or_says_why='
        code=0
        "$@" /mnt/a exit 7 > /dev/t/out 2> /dev/t/err || code=$?
        err=$(< /dev/t/err)
        case $code in
        7) same "" "$err" ;;
        125) one_error ;;
        *) fail "status $code: $err" ;;
        esac
        nothing_left'
    environment root "$root" "set -- chroot /dev/root; $runs_or_says_why"
    environment user "$root" "set -- unshare -r chroot /dev/root; $runs_or_says_why"
}

@test "11 mount namespaces of their own, one /tmp" {
    environment root '' '
        in_another() { unshare --mount --propagation private "$@"; }
        for RUCKSACK_MOUNT in kernel fuse; do
            export RUCKSACK_MOUNT
            started ./a hold
            in_another ./a daemon /dev/t/stop cwd
            status 0 in_another ./a read d/file
            same "a file" "$out"
            kill -TERM $pid
            ended 143
            status 0 ./a read d/file
            sleep 0.2
            touch /dev/t/stop
            await test -e /dev/t/stop.good
            rm /dev/t/stop*
            nothing_left
        done'
}

@test "12 in a root of nothing but the file and devices" {
    not_sanitized "they need a dynamic program"
    environment root 'mkdir -p /dev/root/dev /dev/root/proc /dev/root/tmp; chmod 1777 /dev/root/tmp; cp /mnt/a /dev/root
        cp -a /dev/null /dev/fuse /dev/loop* /dev/root/dev; mount --bind /proc /dev/root/proc' '
        inside() { chroot "$@"; }
        nothing_left() { /mnt/left /dev/t/before 5 && rmdir /dev/root/tmp && mkdir -m 1777 /dev/root/tmp; }
        runs chroot /dev/root /a
        RUCKSACK_MOUNT=fuse runs chroot /dev/root /a'
    environment user 'mkdir -p /dev/root/dev /dev/root/proc /dev/root/tmp; chmod 1777 /dev/root/tmp; cp /mnt/a /dev/root
        cp -a /dev/null /dev/fuse /dev/root/dev; mount --bind /proc /dev/root/proc' '
        runs unshare -r chroot /dev/root /a'
}

@test "13 everything read-only" {
    local readonly='for dir in /tmp /run /var/tmp /dev/shm / /mnt; do
        [ $dir = / ] || mount --bind $dir $dir; mount -o remount,bind,ro $dir; done'
    environment user "$readonly" 'runs ./a'
    environment root "$readonly" 'runs ./a'
    HIDE='userns fuse' environment user "$readonly" 'fails ./a
        for way in fusermount userns extract; do grep -q $way: <<< "$err" || fail "$err"; done
        grep -q "^hint: " <<< "$err" || fail "no hint"'
}

@test "14 no setuid programs, no new privileges" {
    local nosuid='mount --bind /usr /usr; mount -o remount,bind,nosuid /usr'
    environment user "$nosuid" '
        runs ./a
        runs setpriv --no-new-privs ./a'
    HIDE=userns environment user "$nosuid" 'runs ./a'
}

@test "15 /tmp full" {
    local full='for dir in /tmp /run /dev/shm; do
            mkdir -p $dir; mount -t tmpfs -o size=64k,nr_inodes=20,mode=1777 tmpfs $dir; done
        mkdir /tmp/home; chmod 777 /tmp/home
        for dir in /tmp /run /dev/shm; do for i in $(seq 25); do touch $dir/x$i || break; done; done 2> /dev/null
        :'
    environment user "$full" 'runs ./a; runs ./a --appimage-extract-and-run'
    HIDE='userns fuse' environment user "$full" 'export CACHE=/var/tmp/rucksack-1001; runs ./a'
    HIDE='userns fuse' environment user "$full
        mount -t tmpfs -o size=64k,mode=1777 tmpfs /var/tmp" 'fails ./a
        grep -q "No space" <<< "$err" || fail "$err"'
}

@test "16 user namespaces that may be made but not mapped" {
    # The namespace around has no ids to give away: uid_map is refused, as AppArmor does it.
    environment user '' 'runs unshare -U ./a'
    HIDE=helper environment user '' 'runs unshare -U ./a'
}

@test "17 /tmp of a kind that fusermount refuses" {
    environment user 'mount -t ramfs ramfs /tmp; chmod 1777 /tmp; mkdir -m 777 /tmp/home' 'runs ./a'
}
