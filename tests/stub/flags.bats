#!/usr/bin/env bats
# SPDX-License-Identifier: MIT
# What the stub does itself: --appimage-*.

load helper

@test "offset: where other readers find the image, a multiple of 4096" {
    make_app "$WORK/a"
    offset=$("$WORK/a" --appimage-offset)
    [ "$offset" = "$(stat -c %s "$STUB")" ]
    [ $((offset % 4096)) = 0 ]
    unsquashfs -s -o "$offset" "$WORK/a"
    [ "$(head -c 11 "$WORK/a" | tail -c 3 | od -An -tx1 | tr -d ' ')" = 414902 ]
}

@test "sections: present, empty, of the agreed sizes" {
    sections=$(readelf -SW "$STUB" | sed 's/^ *\[ *[0-9]*\] *//' | awk '{ print $1, $5 }')
    for want in '.upd_info 000400' '.sha256_sig 000400' '.sig_key 002000' '.digest_md5 000010' \
        '.rucksack 000400'; do
        grep -qx "$want" <<< "$sections"
    done
    [ "$("$STUB" --appimage-updateinfo)" = "" ]
    [ "$("$STUB" --appimage-signature)" = "" ]
}

@test "updateinfo: the section up to its NUL" {
    make_app "$WORK/a"
    printf 'zsync|https://example.org/a.zsync\0' > "$WORK/info"
    objcopy --update-section .upd_info="$WORK/info" "$STUB" "$WORK/b"
    run "$WORK/b" --appimage-updateinformation
    [ "$status" = 0 ]
    [ "$output" = 'zsync|https://example.org/a.zsync' ]
}

@test "size: at most 400 kB" {
    [ -n "${SANITIZE-}" ] || [ "$(stat -c %s "$STUB")" -le 400000 ]
}

@test "help and version: whatever TARGET_APPIMAGE is" {
    echo text > "$WORK/text"
    TARGET_APPIMAGE=$WORK/text run "$STUB" --appimage-help
    [ "$status" = 0 ]
    [[ $output == *--appimage-extract-and-run* ]]
    run "$STUB" --appimage-version
    [ "$status" = 0 ]
    [ "${#lines[@]}" = 1 ]
}

@test "unknown option: status 1, a word on stderr, no start" {
    make_app "$WORK/a"
    run "$WORK/a" --appimage-frobnicate
    [ "$status" = 1 ]
    [[ $output == *"unknown option '--appimage-frobnicate'"* ]]
}

@test "only the first argument is looked at" {
    make_app "$WORK/a"
    sandbox root <<'END'
status 0 ./a print --appimage-version
[[ $out == *'|2|--appimage-version' ]] || fail "$out"
END
}

@test "list: every path" {
    make_app "$WORK/a"
    [ "$("$WORK/a" --appimage-list | sort)" = "$(cd "$WORK/tree" && find . -mindepth 1 | cut -c3- | sort)" ]
}

@test "bare stub: says that there is no image" {
    run "$STUB"
    [ "$status" = 125 ]
    [[ $output == *"carries no image"* ]]
}

@test "TARGET_APPIMAGE: that file's image, by a stub with the magic zeroed" {
    make_app "$WORK/a"
    cp "$STUB" "$WORK/bare"
    printf '\0\0\0' | dd of="$WORK/bare" bs=1 seek=8 conv=notrunc status=none
    sandbox root <<'END'
export RUCKSACK_MOUNT=fuse TARGET_APPIMAGE=/mnt/a
status 0 ./bare print
[[ $out == *'|/mnt/a|./bare|'* ]] || fail "$out"
TARGET_APPIMAGE=/nowhere status 125 ./bare print
[[ $err == *'carries no image'* ]] || fail "$err"
nothing_left
END
}

@test "portable directories: made once, then used" {
    make_app "$WORK/a"
    "$WORK/a" --appimage-portable-home
    run "$WORK/a" --appimage-portable-home
    [ "$status" = 0 ]
    [[ $output == *"already there"* ]]
    [ "$(stat -c %a "$WORK/a.home")" = 700 ]
    sandbox root <<'END'
status 0 ./a env
grep -qx 'HOME=/mnt/a.home' <<< "$out" || fail "$out"
END
    mkdir "$WORK/ro"
    cp "$WORK/a" "$WORK/ro"
    sandbox root <<'END'
mount -t tmpfs -o ro tmpfs ro
mount --bind /mnt ro
mount -o remount,ro,bind ro
status 1 ro/a --appimage-portable-config
END
}

@test "mount: prints the place, serves it, ends on a signal" {
    make_app "$WORK/a"
    for way in '' fuse kernel; do
        for signal in INT TERM HUP; do
            sandbox root <<END
export RUCKSACK_MOUNT=$way
./a --appimage-mount > /tmp/place &
await test -s /tmp/place
cmp "\$(cat /tmp/place)/busybox" tree/busybox
kill -$signal \$!
wait \$! || fail "status \$?"
[ -z "\$(mounts)" ] || fail "still mounted"
nothing_left
END
        done
    done
    sandbox user <<'END'
./a --appimage-mount > /tmp/place &
await test -s /tmp/place
cmp "$(cat /tmp/place)/busybox" tree/busybox
kill -TERM $!
wait $! || fail "status $?"
nothing_left
END
}
