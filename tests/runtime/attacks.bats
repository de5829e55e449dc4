#!/usr/bin/env bats
# SPDX-License-Identifier: MIT
# Attacks that other runtimes fell for, and the ones that are near. S1 to S9.

load helper

# Run by root before the user's script: what another user, 1002, can do in shared directories.
enemy='
enemy() { setpriv --reuid=1002 --regid=1002 --clear-groups "$@"; }
printf "#!/bin/sh\necho EVIL\necho EVIL >> /dev/t/evil\n" > /dev/t/evil.sh
chmod 755 /dev/t/evil.sh
'

@test "S1 programs that somebody put where a runtime looks for its own are not run" {
    make_app "$WORK/a"
    sandbox user "$enemy"'
for dir in /tmp/.path1001 /tmp/.path0 /tmp/.fuse1001 /tmp/bin; do
    enemy mkdir -m 755 $dir
    for tool in fusermount fusermount3 sh env mount AppRun; do enemy cp /dev/t/evil.sh $dir/$tool; done
done' <<'END'
check() {
    status 0 ./a print PATH LD_LIBRARY_PATH LD_PRELOAD
    same "$(printf '%s\n(unset)\n(unset)' "$PATH")" "$out"
    status 0 ./a again /bin/sh -c 'env > /dev/null; cat "$APPDIR/d/file"'
    same 'a file' "$out"
    [ ! -e /dev/t/evil ] || fail "executed"
}
by_each_way check
END
}

# trap_places: makes every directory that a start has used, as the enemy would, with a program.
trap_places='
where=$(setpriv --reuid=1001 --regid=1001 --clear-groups env ${way:+RUCKSACK_MOUNT=$way} $run /mnt/a print APPDIR)
[ -n "$where" ] || exit 1
sleep 0.3
case $where in
/tmp/* | /var/tmp/* | /dev/shm/* | /run/*)
    rm -rf "$(echo "$where" | grep -oE "^(/var/tmp|/dev/shm|/tmp|/run)/[^/]+")"
    enemy mkdir -p "$where"
    enemy cp /dev/t/evil.sh "$where/AppRun"
    enemy truncate -s "$(stat -c %s /mnt/tree/AppRun)" "$where/AppRun"
    enemy chmod -R 755 "$(echo "$where" | grep -oE "^(/var/tmp|/dev/shm|/tmp|/run)/[^/]+")" ;;
esac
'

@test "S2 a mount directory that was there before, with an AppRun in it" {
    make_app "$WORK/a"
    for way in $(is_ours && echo fusermount userns || echo ''); do
        WAYS=${way:-default} sandbox user "way=$way run=; $enemy $trap_places" <<'END'
check() {
    status 0 ./a read d/file
    same 'a file' "$out"
    [ ! -e /dev/t/evil ] || fail "executed"
}
by_each_way check
END
    done
}

@test "S3 an unpacked tree that was there before, with an AppRun of the right size" {
    make_app "$WORK/a"
    sandbox user "way= run='env NO_CLEANUP=1 APPIMAGE_EXTRACT_AND_RUN=1'; $enemy $trap_places" <<'END'
for keep in 0 1; do
    NO_CLEANUP=$keep APPIMAGE_EXTRACT_AND_RUN=1 status 0 ./a read d/file
    same 'a file' "$out"
    [ ! -e /dev/t/evil ] || fail "executed"
done
END
    sandbox user "way=extract run='env HOME=/nowhere'; $enemy $trap_places" <<'END'
export HOME=/nowhere RUCKSACK_MOUNT=extract
status 0 ./a read d/file
same 'a file' "$out"
[ ! -e /dev/t/evil ] || fail "executed"
END
}

# rename_entry OLD NEW: in an image with readable directories
rename_entry() {
    [ ${#1} = ${#2} ]
    LC_ALL=C sed -i "s|$1|$2|" "$WORK/image"
    cat "$STUB" "$WORK/image" > "$WORK/a"
    grep -qaF "$2" "$WORK/a"
}

@test "S4 names that climb out are refused" {
    mkdir -p "$WORK/tree/inner" "$WORK/cwd"
    echo bad > "$WORK/tree/inner/QQQgotcha"
    echo bad > "$WORK/tree/QQ"
    for name in '../gotcha' '/tmp/got' './/gotcha'; do
        make_app "$WORK/a" -noI
        old=QQQgotcha
        rename_entry "${old:0:${#name}}" "$name"
        cd "$WORK/cwd"
        run "$WORK/a" --appimage-extract
        [ "$status" = 125 ]
        [ ! -e gotcha ] && [ ! -e ../gotcha ] && [ ! -e /tmp/got ]
    done
}

@test "S4 one name for a symlink and a directory is refused" {
    mkdir -p "$WORK/tree/name-b" "$WORK/outside" "$WORK/cwd"
    ln -s "$WORK/outside" "$WORK/tree/name-a"
    echo bad > "$WORK/tree/name-b/gotcha"
    make_app "$WORK/a" -noI
    rename_entry name-b name-a
    cd "$WORK/cwd"
    run "$WORK/a" --appimage-extract
    [ "$status" = 125 ]
    [ -z "$(ls "$WORK/outside")" ]
}

@test "S4 symlinks that lead out are made, not followed" {
    mkdir -p "$WORK/tree" "$WORK/cwd"
    ln -s /etc "$WORK/tree/out"
    make_app "$WORK/a"
    cd "$WORK/cwd"
    "$WORK/a" --appimage-extract
    [ "$(readlink squashfs-root/out)" = /etc ]
}

@test "S5 files with equal beginnings of name and content, size and times share nothing" {
    make_tree "$WORK/tree"
    for i in 1 2; do
        echo "file $i" > "$WORK/tree/d/file"
        name=$WORK/$(printf 'x%.0s' $(seq 200))$i
        make_app "$name" -no-fragments -noD -mkfs-time 0 -all-time 0
        touch -d 2001-01-01 "$name"
    done
    both <<'END'
check() {
    for round in 1 2; do
        for i in 1 2; do
            status 0 ./x*$i read d/file
            same "file $i" "$out"
        done
    done
    # Both at once, and one in the place of the other.
    started ./x*1 hold
    status 0 ./x*2 read d/file
    same 'file 2' "$out"
    kill -KILL $pid
    ended 137
    cp -p ./x*1 /dev/t/x
    status 0 /dev/t/x read d/file
    cp -p ./x*2 /dev/t/y
    mv /dev/t/y /dev/t/x
    status 0 /dev/t/x read d/file
    same 'file 2' "$out"
    rm /dev/t/x
}
by_each_way check
END
}

@test "S6 the private directory was made by another user: any owner, symlink, fifo, file, mode" {
    make_app "$WORK/a"
    local trap
    for trap in 'enemy mkdir -m 700' 'enemy mkdir -m 777' 'enemy mkfifo' 'enemy ln -s /dev/t' \
        'enemy ln -s nowhere' 'enemy touch' 'mkdir -m 755'; do
        sandbox user "$enemy
            for base in /tmp /dev/shm; do $trap \$base/rucksack-1001; done
            ls -lan /tmp /dev/shm > /dev/t/listing" <<'END'
check() {
    status 0 ./a read d/file
    same 'a file' "$out"
}
by_each_way check
same "$(grep rucksack-1001 /dev/t/listing)" "$(ls -lan /tmp /dev/shm | grep rucksack-1001)"
END
    done
}

@test "S6 a place of our own that others could enter is not used" {
    is_ours || skip "other runtimes have other places"
    make_app "$WORK/a"
    sandbox user <<'END'
export RUCKSACK_MOUNT=fusermount
status 0 ./a print APPDIR
[[ $out == /tmp/rucksack-1001/* ]] || fail "$out"
nothing_left
mkdir -m 755 /tmp/rucksack-1001
status 0 ./a print APPDIR
[[ $out == /run/rucksack-1001/* ]] || fail "$out"
END
}

@test "S7 a file that is replaced while it starts: one or the other, never a mixture" {
    make_tree "$WORK/tree"
    for i in 1 2; do
        printf '#!/bin/sh\necho %s; cat "$APPDIR/d/file"\n' $i > "$WORK/tree/AppRun"
        echo $i > "$WORK/tree/d/file"
        make_app "$WORK/$i"
    done
    both <<'END'
check() {
    cp 1 /dev/t/x
    (
        while [ ! -e /dev/t/stop ]; do
            for i in 2 1; do cp $i /dev/t/new && mv /dev/t/new /dev/t/x; done
        done
    ) &
    for i in $(seq 8); do
        status 0 /dev/t/x
        case $(echo $out) in
        '1 1' | '2 2') ;;
        *) fail "mixed: $out" ;;
        esac
    done
    touch /dev/t/stop
    wait
    rm /dev/t/stop /dev/t/x
}
by_each_way check
END
}

# number OFFSET BYTES: little-endian, of the image
number() {
    od -An -tu"$2" -j $((base + $1)) -N "$2" "$WORK/a" | tr -d ' '
}

# lie OFFSET HEX: writes bytes into the image of a copy
lie() {
    cp "$WORK/a" "$WORK/x"
    printf "$(sed 's/../\\x&/g' <<< "$2")" | dd of="$WORK/x" bs=1 seek=$((base + $1)) conv=notrunc status=none
}

@test "S8 a superblock that lies: an error, no hang, no crash, no memory" {
    make_tree "$WORK/tree"
    make_app "$WORK/a" -noI -noX
    base=$(stat -c %s "$STUB")
    # squashfs 4.0: inodes, block size, fragments, compressor, block log, ids, version, root inode,
    # bytes used, the five tables.
    for field in 4:ffffffff 4:00000000 12:00000000 12:00000080 12:01000200 16:ffffffff 20:0900 \
        22:1f00 26:ffff 26:0000 28:0500 32:ffffffffffffffff 32:ffffff7f00000000 \
        40:ffffffffffffff7f 40:0000000000000000 48:ffffffffffffff7f 48:0000000000000000 \
        64:ffffffffffffff7f 64:0000000000000000 72:ffffffffffffff7f 72:0000000000000000 \
        80:0000000000000000 80:ffffffffffffff7f; do
        lie "${field%:*}" "${field#*:}"
        for arguments in --appimage-list --appimage-extract 'read d/file'; do
            rm -rf "$WORK/squashfs-root"
            code=0
            # shellcheck disable=SC2086
            (cd "$WORK" && { [ -n "${SANITIZE-}" ] || ulimit -v 400000; } && # no room for shadow memory
                RUCKSACK_MOUNT=extract XDG_CACHE_HOME=$WORK/cache timeout 20 ./x $arguments) > "$WORK/said" 2>&1 || code=$?
            case $code in
            0 | 1 | 125) ;;
            *) echo "$field $arguments: status $code"; return 1 ;;
            esac
        done
    done
}

@test "S8 a header that lies about the image" {
    is_ours || skip "others have no header"
    make_app "$WORK/a"
    base=$(stat -c %s "$STUB")
    # magic, version 1, kind, offset, size: beyond the file; nothing; another place
    little() { printf '%016x' "$1" | tac -rs ..; }
    for lie in "$(little $base)$(little 1000000000)" "$(little $base)$(little 18446744073709551615)" \
        "$(little 0)$(little 4096)" "$(little $((base + 4096)))$(little 4096)" "$(little $base)$(little 96)"; do
        printf "RUCKSACK\\1\\0\\0\\0\\0\\0\\0\\0$(sed 's/../\\x&/g' <<< "$lie")" > "$WORK/header"
        truncate -s 1024 "$WORK/header"
        objcopy --update-section .rucksack="$WORK/header" "$STUB" "$WORK/liar"
        tail -c +$((base + 1)) "$WORK/a" >> "$WORK/liar"
        chmod 755 "$WORK/liar"
        run timeout 20 "$WORK/liar" exit 0
        [ "$status" = 125 ]
        [[ ${lines[0]} == *E-IMAGE* || ${lines[0]} == *E-VERIFY* ]]
    done
}

@test "S8 a block that is a bomb costs no more than a block" {
    make_tree "$WORK/tree"
    truncate -s 1G "$WORK/tree/d/zeros"
    for i in $(seq 20); do head -c 1M /dev/zero | tr '\0' x; done > "$WORK/tree/d/bomb"
    make_app "$WORK/a" -b 1M -comp zstd
    WAYS=${WAYS-fuse} sandbox root <<'END'
check() {
    started ./a hold
    cat "/proc/$pid/root$(tr '\0' '\n' < /proc/$pid/environ | sed -n 's/^APPDIR=//p')/d/bomb" | cksum > /dev/null
    for server in $(servers); do
        peak=$(sed -n 's/^VmHWM:[^0-9]*\([0-9]*\) kB/\1/p' /proc/$server/status)
        [ "$peak" -lt 65536 ] || fail "$peak kB"
    done
    kill -TERM $pid
    ended 143
}
by_each_way check
END
}

# AT_SECURE: what the caller says about the environment must not steer what runs with more rights.
secure='
printf "#!/bin/sh\necho EVIL\necho EVIL >> /dev/t/evil\nexit 1\n" > /dev/t/evil.sh
cp /mnt/evil /dev/t/target
mkdir -m 777 /dev/t/bin /dev/t/temp
for tool in fusermount fusermount3 sh AppRun; do cp /dev/t/evil.sh /dev/t/bin/$tool; done
chmod 755 /dev/t/evil.sh /dev/t/bin/* /dev/t/target
'

@test "S9 a start with more rights than its caller believes no variable" {
    not_sanitized "the leak checker ends in such a start, and ASAN_OPTIONS are not believed"
    make_tree "$WORK/tree"
    printf '#!/bin/sh\necho EVIL >> /dev/t/evil\n' > "$WORK/tree/AppRun"
    make_app "$WORK/evil"
    cp "$SUITE/app" "$WORK/tree/AppRun"
    make_app "$WORK/a"
    cat > "$WORK/check" <<'END'
export PATH=/dev/t/bin:$PATH HOME=/dev/t/temp TMPDIR=/dev/t/temp XDG_RUNTIME_DIR=/dev/t/temp \
    XDG_CACHE_HOME=/dev/t/temp FUSERMOUNT_PROG=/dev/t/evil.sh TARGET_APPIMAGE=/dev/t/target
for variable in RUCKSACK_MOUNT=extract RUCKSACK_MOUNT=fusermount RUCKSACK_MOUNT=magic APPIMAGE_EXTRACT_AND_RUN=1 NO_CLEANUP=1; do
    status 0 env $variable /dev/t/secure print APPDIR APPIMAGE
    same '/dev/t/secure' "$(tail -n 1 <<< "$out")"
    [[ $out != /dev/t/temp/* ]] || fail "$out"
    [ -z "$(/bin/ls -A /dev/t/temp)" ] || fail "$(/bin/ls -A /dev/t/temp)"
    [ ! -e /dev/t/evil ] || fail "executed by $variable"
done
status 0 /dev/t/secure --appimage-offset
same "$(/mnt/a --appimage-offset)" "$out"
END
    local kind
    for kind in 'setcap cap_net_raw+ep /dev/t/secure' 'chown 1003 /dev/t/secure; chmod 4755 /dev/t/secure' \
        'chmod 4755 /dev/t/secure' 'chgrp 1003 /dev/t/secure; chmod 2755 /dev/t/secure'; do
        CACHE=/var/tmp sandbox user "$secure cp /mnt/a /dev/t/secure; $kind" < "$WORK/check"
        HIDE='fuse userns' sandbox user "$secure cp /mnt/a /dev/t/secure; $kind" < "$WORK/check"
    done
}
