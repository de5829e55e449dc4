#!/usr/bin/env bats
# SPDX-License-Identifier: MIT
# Every way to mount, forced and chosen.

load helper

# check_way WAY USER: content, status, environment, nothing on stderr.
check_way() {
    sandbox "$2" <<END
export RUCKSACK_MOUNT=$1
status 0 ./a print 'two words'
[ -z "\$err" ] || fail "\$err"
[[ \$out == /*'|/mnt|/mnt/a|./a|2|two words' ]] || fail "\$out"
root=\${out%%|*}
[ \${#root} -lt 55 ] || fail "long: \$root"
status 0 ./a sum
same "\$(cd tree && find . -type f | sort | xargs cksum)" "\$out"
status 7 ./a exit 7
for signal in TERM KILL SEGV; do
    status \$((128 + \$(kill -l \$signal))) ./a signal \$signal
done
[ $1 = extract ] || [ $1 = kernel ] || nothing_left
[ -z "\$(servers)\$(mounts)" ] || fail "\$(leftovers)"
END
}

@test "root: kernel, fuse" {
    for codec in zstd gzip; do
        make_app "$WORK/a" -comp $codec
        check_way kernel root
        check_way fuse root
    done
}

@test "user: fusermount, userns, extract" {
    make_app "$WORK/a"
    check_way fusermount user
    check_way userns user
    check_way extract user
}

@test "kernel: no process, no loop device and an empty directory remain" {
    make_app "$WORK/a"
    sandbox root <<'END'
./a sleep 60 > /tmp/pid &
await test -s /tmp/pid
same $! "$(cat /tmp/pid)"
[ -z "$(servers)" ] || fail "a server"
[ -z "$(mounts)" ] || fail "seen outside"
loop=$(grep -l '^/mnt/a' /sys/block/loop*/loop/backing_file | head -n 1)
[ -n "$loop" ] || fail "no loop device"
kill -KILL $!
wait $! || :
await test ! -e "$loop"
same "$(echo /tmp/rucksack-0/*)" "$(find /tmp/rucksack-0 -mindepth 1)"
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

@test "no helper: a user namespace" {
    make_app "$WORK/a"
    HIDE=helper sandbox user <<'END'
export FUSERMOUNT_PROG=/nowhere/fusermount3
status 0 ./a print
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

@test "places of others are never used" {
    make_app "$WORK/a"
    sandbox root <<'END'
cat > /dev/user <<'USER'
set -eu
status 0 ./a print
[[ $out == /run/rucksack-1001/* ]] || fail "$out"
USER
user() { cat /dev/functions /dev/user > /dev/user-script; setpriv --reuid=1001 --regid=1001 --clear-groups bash /dev/user-script; }
for trap in 'mkdir -m 700' 'mkdir -m 777' mkfifo 'ln -s /mnt/d'; do
    $trap /tmp/rucksack-1001
    user
    rm -rf /tmp/rucksack-1001
done
mkdir -m 755 /tmp/rucksack-1001
chown 1001 /tmp/rucksack-1001
user
END
}

@test "XDG_RUNTIME_DIR: used when private, not when open or unquotable" {
    make_app "$WORK/a"
    sandbox user <<'END'
mkdir -m 700 /tmp/good '/tmp/with blank'
mkdir -m 777 /tmp/open
chmod 777 /tmp/open
export RUCKSACK_MOUNT=fusermount
XDG_RUNTIME_DIR=/tmp/good status 0 ./a print
[[ $out == /tmp/good/rucksack/*/m'|'* ]] || fail "$out"
for dir in /tmp/open '/tmp/with blank' relative /nowhere; do
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

@test "odd circumstances: closed descriptors, few descriptors, no cwd, symlink, odd names" {
    make_app "$WORK/a"
    cp "$WORK/a" "$WORK/odd"$'\n'"nämé, 'x'"
    ln -s a "$WORK/link"
    sandbox user <<'END'
for way in fusermount userns extract; do
    export RUCKSACK_MOUNT=$way
    ./a exit 4 <&- >&- 2>&- && fail "no status" || same 4 $?
    (ulimit -n 16; ./a exit 5) && fail "no status" || same 5 $?
    mkdir /tmp/gone
    (cd /tmp/gone; rmdir /tmp/gone; /mnt/a exit 6) && fail "no status" || same 6 $?
    status 0 ./link print
    [[ $out == *'|/mnt/a|./link|'* ]] || fail "$out"
    status 0 ./odd* print
    [[ $out == *"nämé, 'x'|"* ]] || fail "$out"
    status 0 ./a fds
    same "$(tree/AppRun fds)" "$out"
done
END
}

@test "environment: PATH, HOME and LD_* as they were" {
    make_app "$WORK/a"
    sandbox user <<'END'
before=$(env -i PATH="$PATH" HOME=/nowhere LD_SOMETHING=1 tree/AppRun env | grep -v ^PWD= | sort)
status 0 env -i PATH="$PATH" HOME=/nowhere LD_SOMETHING=1 ./a env
same "$before" "$(grep -vE '^(PWD|APPIMAGE|APPDIR|OWD|ARGV0)=' <<< "$out" | sort)"
END
}

@test "unknown RUCKSACK_MOUNT: says which there are" {
    make_app "$WORK/a"
    RUCKSACK_MOUNT=magic run "$WORK/a"
    [ "$status" = 125 ]
    [[ $output == *"unknown way 'magic'"*fusermount* ]]
}
