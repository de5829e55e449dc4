#!/usr/bin/env bats
# SPDX-License-Identifier: MIT
# The command line: each flag with its status, what it prints and where.

load helper

@test "help: text on stdout" {
    make_app "$WORK/a"
    sandbox user <<'END'
status 0 ./a --appimage-help
same '' "$err"
for word in extract extract-and-run help mount offset portable-home signature updateinfo version; do
    grep -q -e "--appimage-$word" <<< "$out" || fail "nothing about $word"
done
nothing_left
END
}

@test "help and version: whatever TARGET_APPIMAGE is" {
    make_app "$WORK/a"
    echo text > "$WORK/text"
    sandbox user <<'END'
for target in /mnt/text /mnt/nowhere /mnt /dev/null /mnt/a; do
    TARGET_APPIMAGE=$target status 0 ./a --appimage-help
    TARGET_APPIMAGE=$target status 0 ./a --appimage-version
done
END
}

@test "version: one line on stdout" {
    sandbox user "cp $STUB /dev/t/stub" <<'END'
status 0 /dev/t/stub --appimage-version
same '' "$err"
same 1 "$(wc -l <<< "$out")"
[ -n "$out" ] || fail "empty"
END
}

@test "offset: decimal on stdout, also of a bare runtime" {
    make_app "$WORK/a"
    cp "$STUB" "$WORK/bare"
    sandbox user <<'END'
status 0 ./a --appimage-offset
same '' "$err"
same "$(stat -c %s bare)" "$out"
status 0 ./bare --appimage-offset
same "$(stat -c %s bare)" "$out"
END
}

@test "unknown options, abbreviations too: status 1, one error, the app is not started" {
    make_app "$WORK/a"
    sandbox user <<'END'
for flag in frobnicate '' ver help=1 helpx HELP extract-and-ru mountx; do
    status 1 ./a "--appimage-$flag" exit 0
    same '' "$out"
    one_error
    grep -qF -e "--appimage-$flag" <<< "$err" || fail "does not name it: $err"
done
nothing_left
END
}

@test "what only looks like an option is the app's" {
    make_app "$WORK/a"
    sandbox user <<'END'
status 0 ./a args --appimage-version
same "$(printf 'argv0:3\nargs\n--appimage-version')" "$out"
status 0 ./a args -- --appimage-extract
same 'argv0:3 args -- --appimage-extract' "$(echo $out)"
for word in --help --version --appimage -appimage-help '' ' --appimage-help' appimage-help; do
    status 2 ./a "$word"
    [[ $err == *"unknown verb '$word'"* ]] || fail "$word: $err"
done
[ ! -e squashfs-root ] || fail "extracted"
nothing_left
END
}

@test "list: every path, one a line" {
    make_app "$WORK/a"
    sandbox user <<'END'
status 0 ./a --appimage-list
same '' "$err"
same "$(cd tree && find . -mindepth 1 | cut -c3- | sort)" "$(sort <<< "$out")"
END
}

@test "sections: up to the NUL, an empty line when there is nothing" {
    printf 'zsync|https://example.org/a.zsync\0rest' > "$WORK/info"
    printf 'signed\0' > "$WORK/signature"
    objcopy --update-section .upd_info="$WORK/info" --update-section .sha256_sig="$WORK/signature" \
        "$STUB" "$WORK/filled"
    cp "$STUB" "$WORK/empty"
    chmod 755 "$WORK/filled"
    sandbox user <<'END'
for flag in updateinfo updateinformation; do
    status 0 ./filled "--appimage-$flag"
    same 'zsync|https://example.org/a.zsync' "$out"
    same '' "$err"
done
status 0 ./filled --appimage-signature
same signed "$out"
for flag in updateinfo updateinformation signature; do
    ./empty "--appimage-$flag" > /dev/t/line 2> /dev/t/error || fail "status $?"
    same 0a "$(od -An -tx1 /dev/t/line | tr -d ' ')"
    same '' "$(cat /dev/t/error)"
done
END
}

@test "sections: the whole of one without a NUL" {
    head -c 1024 /dev/zero | tr '\0' i > "$WORK/info"
    objcopy --update-section .upd_info="$WORK/info" "$STUB" "$WORK/filled"
    chmod 755 "$WORK/filled"
    sandbox user <<'END'
status 0 ./filled --appimage-updateinfo
same "$(cat info)" "$out"
END
}

@test "bare runtime: one error, a status that says it was not started" {
    cp "$STUB" "$WORK/bare"
    sandbox user <<'END'
status 125 ./bare
same '' "$out"
one_error
status 125 ./bare --appimage-extract
status 125 ./bare --appimage-list
[ ! -e squashfs-root ] || fail "made a directory"
END
}

@test "TARGET_APPIMAGE: that file's image, also by a bare runtime from memory" {
    make_app "$WORK/a"
    cp "$STUB" "$WORK/bare"
    printf '\0\0\0' | dd of="$WORK/bare" bs=1 seek=8 conv=notrunc status=none
    chmod a-x "$WORK/a" # the target itself is never executed
    sandbox user <<'END'
check() {
    export TARGET_APPIMAGE=/mnt/a
    status 0 ./bare start word
    [[ $out == /*'|/mnt|/mnt/a|./bare|3|word' ]] || fail "$out"
    status 0 ./odd memory . ./bare start word
    [[ $out == /*'|/mnt|/mnt/a|./bare|3|word' ]] || fail "$out"
    status 7 ./odd memory . ./bare exit 7
    status 0 ./bare print TARGET_APPIMAGE
    unset TARGET_APPIMAGE
}
by_each_way check
export TARGET_APPIMAGE=/mnt/a
status 0 ./bare --appimage-offset
same "$(stat -c %s bare)" "$out"
status 0 ./bare --appimage-list
status 0 ./bare --appimage-updateinfo
END
}

@test "TARGET_APPIMAGE: ignored when it leads nowhere, an error when it is no AppImage" {
    make_app "$WORK/a"
    cp "$STUB" "$WORK/bare"
    echo text > "$WORK/text"
    mkfifo "$WORK/fifo"
    sandbox user <<'END'
for target in /mnt/nowhere /mnt/text/x ''; do
    TARGET_APPIMAGE=$target status 0 ./a start
    [[ $out == *'|/mnt/a|./a|'* ]] || fail "$out"
done
TARGET_APPIMAGE=/mnt/nowhere status 125 ./bare
for target in /mnt/text /mnt/tree /mnt/fifo /dev/zero; do
    TARGET_APPIMAGE=$target status 125 timeout 10 ./bare exit 0
    same '' "$out"
    one_error
done
nothing_left
END
}

@test "portable directories: made private, then used; existing ones are fine" {
    make_app "$WORK/a"
    sandbox root <<'END'
before=$(stat -c %a /tmp/home)
for kind in home config share cache; do
    status 0 ./a "--appimage-portable-$kind"
    [ -n "$out$err" ] || fail "no message"
    same 700 "$(stat -c %a "a.$kind")"
    status 0 ./a "--appimage-portable-$kind"
    [ -n "$out$err" ] || fail "no message"
done
status 0 ./a print HOME XDG_CONFIG_HOME XDG_DATA_HOME XDG_CACHE_HOME
same "$(printf '/mnt/a.%s\n' home config share cache)" "$out"
APPIMAGE_EXTRACT_AND_RUN=1 status 0 ./a print HOME
same /mnt/a.home "$out"
same "$before" "$(stat -c %a /tmp/home)"
nothing_left
END
}

@test "portable directories: a failure has status 1" {
    make_app "$WORK/a"
    touch "$WORK/a.config"
    sandbox root <<'END'
status 1 ./a --appimage-portable-config
one_error
mount --bind /mnt /mnt
mount -o remount,ro,bind /mnt
cd /mnt
status 1 ./a --appimage-portable-home
one_error
[ ! -e a.home ] || fail "made"
END
    ln -s nowhere "$WORK/a.home"
    sandbox root <<'END'
status 1 ./a --appimage-portable-home
status 0 ./a print HOME
same /tmp/home "$out"
END
}

@test "mount: prints the place, serves it, ends on a signal" {
    make_app "$WORK/a"
    cat > "$WORK/check" <<'END'
check() {
    local signal place
    for signal in INT TERM HUP; do
        rm -f /dev/t/place
        ./a --appimage-mount > /dev/t/place 2> /dev/t/error &
        pid=$!
        await test -s /dev/t/place
        place=$(cat /dev/t/place)
        same 1 "$(wc -l < /dev/t/place)"
        cmp "$place/d/large" tree/d/large || fail "other content"
        kill -$signal $pid
        ended 0
        same '' "$(cat /dev/t/error)"
        [ ! -e "$place/AppRun" ] || fail "still there"
        nothing_left
    done
}
by_each_way check
END
    WAYS=${WAYS-fusermount} sandbox user < "$WORK/check"
    WAYS=${WAYS-default kernel fuse} sandbox root < "$WORK/check"
}

@test "mount: a directory on the image survives neither signal nor kill -9" {
    make_app "$WORK/a"
    sandbox user <<'END'
./a --appimage-mount > /dev/t/place &
pid=$!
await test -s /dev/t/place
kill -KILL $pid
ended 137
nothing_left
END
}

@test "output that cannot be written is an error" {
    make_app "$WORK/a"
    sandbox user <<'END'
for flag in help version offset list; do
    ./a "--appimage-$flag" > /dev/full 2> /dev/t/error && fail "$flag: no error"
    grep -q . /dev/t/error || fail "$flag: silent"
done
END
}
