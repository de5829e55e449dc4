#!/usr/bin/env bats
# SPDX-License-Identifier: MIT
# Every way to mount, forced and chosen.

load helper

@test "kernel: no process, no loop device and nothing else remain" {
    make_app "$WORK/a"
    sandbox root <<'END'
./a sleep 60 > /dev/t/pid &
await test -s /dev/t/pid
same $! "$(cat /dev/t/pid)"
[ -z "$(servers)" ] || fail "a server"
[ -z "$(mounts)" ] || fail "seen outside"
[ ! -e /tmp/rucksack-0 ] || fail "a directory outside"
losetup -n -O BACK-INO | grep -qw "$(stat -c %i a)" || fail "no loop device"
kill -KILL $!
wait $! || :
nothing_left
END
}

@test "what is executable is the same by every way" {
    make_tree "$WORK/tree"
    sed -i '/^print)/i access) cd "$APPDIR"; for f in d d/file AppRun; do "$APPDIR/busybox" test -x $f \&\& echo $f; done ;;' \
        "$WORK/tree/AppRun"
    make_app "$WORK/a"
    both <<'END'
one() {
    status 0 ./a access
    [ "$(echo $out)" = 'd AppRun' ] || fail "executable: $out"
}
by_each_way one
END
}

@test "kernel: refuses what it cannot, FUSE takes over" {
    make_app "$WORK/a"
    HIDE=loop sandbox root <<'END'
status 0 ./a print
RUCKSACK_MOUNT=kernel status 125 ./a print
[[ $err == *'kernel: /dev/loop-control'* ]] || fail "$err"
nothing_left
END
}

@test "a helper that could not unmount again is not used" {
    make_app "$WORK/app"
    for lacking in mtab name; do
        HIDE=$lacking sandbox user <<'END'
status 125 env RUCKSACK_MOUNT=fusermount ./app print
[[ $err == *"fusermount: it could not unmount again"* ]] || fail "says: $err"
status 0 ./app print
nothing_left
END
    done
}

@test "a helper that hangs is ended, and the next way taken" {
    make_app "$WORK/app"
    sandbox user <<'END'
printf '#!/bin/sh\necho $$ > /dev/t/helper.pid; exec sleep 1000\n' > /dev/t/hangs
chmod +x /dev/t/hangs
export FUSERMOUNT_PROG=/dev/t/hangs
status 125 env RUCKSACK_MOUNT=fusermount ./app print
[[ $err == *"fusermount: the helper hangs"* ]] || fail "says: $err"
[ ! -d /proc/$(cat /dev/t/helper.pid) ] || fail "it still runs"
status 0 ./app print
nothing_left
END
}

@test "no FUSE, no user namespaces: the cache" {
    make_app "$WORK/a"
    HIDE="fuse userns" sandbox user <<'END'
status 0 ./a print
[[ $out == /tmp/home/.cache/rucksack/* ]] || fail "$out"
[ -z "$err" ] || fail "$err"
root=${out%%|*}
same 700 "$(stat -c %a /tmp/home/.cache/rucksack)"
before=$(stat -c %i "$root/AppRun")
status 0 ./a print
same "$before" "$(stat -c %i "$root/AppRun")"
END
}

@test "cache: full, read-only and noexec places lead to the next" {
    make_app "$WORK/a"
    cat > "$WORK/places" <<'END'
mkdir /tmp/full /tmp/noexec
mount -t tmpfs -o size=64k,mode=700 tmpfs /tmp/full
mount -t tmpfs -o noexec,mode=1777 tmpfs /var/tmp
export RUCKSACK_MOUNT=extract XDG_CACHE_HOME=/tmp/full HOME=/proc
status 0 ./a print
[[ $out == /tmp/rucksack-0/* ]] || fail "$out"
[ -z "$(find /tmp/full -name m)$(find /tmp/full -name t)" ] || fail "half a tree"
mount -o remount,noexec /tmp
mount -t tmpfs -o ro tmpfs /dev/shm
mount -t tmpfs -o ro tmpfs /run
status 125 ./a exit 0
for word in extract noexec 'No space' 'Read-only'; do
    [[ $err == *"$word"* ]] || fail "$word: $err"
done
END
    sandbox root < "$WORK/places"
}

@test "nothing works: each way and why, what to install, status 125" {
    make_app "$WORK/a"
    HIDE="fuse userns" sandbox user <<'END'
export HOME=/proc
ln -s /proc/nowhere /tmp/rucksack-1001 && ln -s /proc/nowhere /var/tmp/rucksack-1001
ln -s /proc/nowhere /dev/shm/rucksack-1001 && ln -s /proc/nowhere /run/rucksack-1001
status 125 ./a print
for word in kernel: fuse: fusermount: userns: extract: 'hint: install fuse3'; do
    [[ $err == *"$word"* ]] || fail "$word: $err"
done
END
}

@test "XDG_RUNTIME_DIR: used when private, not when open or unquotable" {
    make_app "$WORK/a"
    sandbox user <<'END'
mkdir -m 700 /dev/t/good '/dev/t/with blank'
mkdir -m 777 /dev/t/open
chmod 777 /dev/t/open
export RUCKSACK_MOUNT=fusermount
XDG_RUNTIME_DIR=/dev/t/good status 0 ./a print
[[ $out == /dev/t/good/rucksack/*/m'|'* ]] || fail "$out"
for dir in /dev/t/open '/dev/t/with blank' relative /nowhere; do
    XDG_RUNTIME_DIR=$dir status 0 ./a print
    [[ $out == /tmp/rucksack-1001/* ]] || fail "$out"
done
nothing_left
END
}

@test "state variables and other paths make other places" {
    make_app "$WORK/a"
    cp "$WORK/a" "$WORK/b"
    sandbox root <<'END'
export RUCKSACK_MOUNT=fuse
places=$({ ./a print; ./a print; ./b print; RUCKSACK_STATE=/x ./a print; STATE_DIRECTORY=/x ./a print; } | cut -d'|' -f1)
same 4 "$(sort -u <<< "$places" | wc -l)"
END
}

@test "unknown RUCKSACK_MOUNT: says which there are" {
    make_app "$WORK/a"
    RUCKSACK_MOUNT=magic run "$WORK/a"
    [ "$status" = 125 ]
    [[ $output == *"unknown way 'magic'"*fusermount* ]]
}
