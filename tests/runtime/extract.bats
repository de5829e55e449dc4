#!/usr/bin/env bats
# SPDX-License-Identifier: MIT
# --appimage-extract and running from an unpacked tree.

load helper

@test "extract: the same tree, times, links and holes" {
    for codec in zstd gzip xz 'xz -Xbcj x86' lz4 'lz4 -Xhc'; do
        # shellcheck disable=SC2086
        make_app "$WORK/a" -comp $codec -b 64K
        cd "$WORK"
        rm -rf squashfs-root
        ./a --appimage-extract > "$WORK/said" 2> "$WORK/errors"
        [ ! -s "$WORK/errors" ]
        diff -r --no-dereference tree squashfs-root
        [ "$(stat -c %Y squashfs-root/d/file squashfs-root/d)" = $'981173106\n981173106' ]
        [ "$(stat -c %i squashfs-root/d/file)" = "$(stat -c %i squashfs-root/d/hard)" ]
        [ "$(readlink squashfs-root/d/sym)" = file ]
        [ "$(stat -c %a squashfs-root/AppRun)" = 755 ]
        [ "$(stat -c %b squashfs-root/d/sparse)" -lt 100 ]
    done
}

@test "extract: uncompressed blocks, no fragments, large blocks" {
    for options in '-noI -noD -noF -noX' '-no-fragments -b 4K' '-always-use-fragments -b 1M'; do
        # shellcheck disable=SC2086
        make_app "$WORK/a" $options
        cd "$WORK"
        rm -rf squashfs-root
        ./a --appimage-extract
        diff -r --no-dereference tree squashfs-root
    done
}

@test "extract: extended attributes, short, long, shared and empty" {
    make_tree "$WORK/tree"
    long=$(head -c 3000 /dev/zero | tr '\0' x)
    setfattr -n user.short -v text "$WORK/tree/d"
    chmod 444 "$WORK/tree/d/file"
    for file in file large sparse; do
        setfattr -n user.empty "$WORK/tree/d/$file"
        setfattr -n user.long -v "$long" "$WORK/tree/d/$file"
        setfattr -n trusted.other -v "$file" "$WORK/tree/d/$file"
    done
    for options in '-comp zstd' '-noI -noX'; do
        # shellcheck disable=SC2086
        make_app "$WORK/a" $options
        cd "$WORK"
        rm -rf squashfs-root
        ./a --appimage-extract
        # Not -R: the order of a directory is the file system's.
        (cd tree && find . | sort | xargs getfattr -dhm -) > want
        grep -q '^trusted.other=' want
        (cd squashfs-root && find . | sort | xargs getfattr -dhm -) > got
        diff want got
    done
    sandbox user <<'END'
cd /tmp/home
/mnt/a --appimage-extract
same "$(cd /mnt/tree && getfattr -n user.long d/large)" "$(cd squashfs-root && getfattr -n user.long d/large)"
[ -z "$(getfattr -m trusted squashfs-root/d/large)" ] || fail "trusted"
END
}

@test "extract: a pattern, a directory with its subtree, no match" {
    make_app "$WORK/a"
    cd "$WORK"
    ./a --appimage-extract 'd/f*'
    [ "$(find squashfs-root -type f)" = squashfs-root/d/file ]
    rm -rf squashfs-root
    ./a --appimage-extract AppRun
    [ "$(ls squashfs-root)" = AppRun ]
    rm -rf squashfs-root
    ./a --appimage-extract '*/[hs]*'
    [ "$(cd squashfs-root && echo *)" = d ]
    [ "$(cd squashfs-root/d && echo *)" = 'hard sparse sym' ]
    rm -rf squashfs-root
    ./a --appimage-extract d
    diff -r --no-dereference tree/d squashfs-root/d
    [ "$(ls squashfs-root)" = d ]
    rm -rf squashfs-root
    for pattern in 'nothing*' '' '/AppRun' 'apprun' '../tree' 'd/'; do
        run ./a --appimage-extract "$pattern"
        [ "$status" = 1 ]
        [[ $output == *"nothing matches '$pattern'"* ]]
        [ ! -d squashfs-root ] || [ -z "$(ls -A squashfs-root)" ]
    done
}

@test "extract: again over an older copy, never through symlinks in it" {
    make_app "$WORK/a"
    cd "$WORK"
    mkdir squashfs-root outside
    echo safe > outside/file
    ln -s ../outside squashfs-root/d
    ln -s ../outside/file squashfs-root/AppRun
    ./a --appimage-extract
    diff -r --no-dereference tree squashfs-root
    [ "$(cat outside/file)" = safe ]
    [ "$(ls outside)" = file ]
    rm -rf squashfs-root
    ln -s outside squashfs-root
    run ./a --appimage-extract
    [ "$status" = 1 ]
}

@test "extract: where nothing can be written, one error and status 1" {
    make_app "$WORK/a"
    sandbox user <<'END'
mkdir -m 500 /dev/t/closed
(cd /dev/t/closed && status 1 /mnt/a --appimage-extract && one_error)
cd /dev/t
touch squashfs-root
status 1 /mnt/a --appimage-extract
one_error
nothing_left
END
    sandbox root 'mount -t tmpfs -o size=100k tmpfs /var/tmp' <<'END'
cd /var/tmp
status 1 /mnt/a --appimage-extract
one_error
grep -q 'No space' <<< "$err" || fail "$err"
END
}

@test "extract: nothing but the app's words, and no start of it" {
    make_app "$WORK/a"
    sandbox user <<'END'
cd /dev/t
status 0 /mnt/a --appimage-extract
same '' "$err"
diff -r --no-dereference /mnt/tree squashfs-root || fail "differs"
same 0 "$(stat -c %u /mnt/tree/AppRun)"
same 1001 "$(stat -c %u squashfs-root/AppRun)"
nothing_left
END
}

@test "extract-and-run: strips the flag, exact status, cleans up" {
    make_app "$WORK/a"
    both <<'END'
status 3 ./a --appimage-extract-and-run exit 3
nothing_left
status 0 ./a --appimage-extract-and-run start x
[[ $out == *'|/mnt|/mnt/a|./a|3|x' ]] || fail "$out"
status 2 ./a --appimage-extract-and-run --appimage-help
[[ $err == *"unknown verb '--appimage-help'"* ]] || fail "$err"
status 2 ./a --appimage-extract-and-run
same "signal 9" "$(./odd status . ./a --appimage-extract-and-run signal 9)"
nothing_left
END
}

@test "extract-and-run: SIGTERM reaches the app; NO_CLEANUP=1 keeps the tree" {
    make_app "$WORK/a"
    sandbox user <<'END'
started ./a --appimage-extract-and-run trap 15
kill -TERM $pid
ended 42
nothing_left
for value in 0 '' no; do
    NO_CLEANUP=$value status 0 ./a --appimage-extract-and-run print APPDIR
    nothing_left
done
NO_CLEANUP=1 status 0 ./a --appimage-extract-and-run print APPDIR
[ -x "$out/AppRun" ] || fail "not kept: $out"
first=$out
inode=$(stat -c %i "$first/AppRun")
NO_CLEANUP=1 status 0 ./a --appimage-extract-and-run print APPDIR
same "$first" "$out"
same "$inode" "$(stat -c %i "$first/AppRun")"
END
}

@test "extract-and-run: two at once, the tree lives as long as the longer" {
    make_app "$WORK/a"
    sandbox user <<'END'
for i in 1 2 3; do
    started ./a --appimage-extract-and-run hold
    first=$pid
    started ./a --appimage-extract-and-run trap 15
    kill -KILL $first
    wait $first 2> /dev/null || :
    sleep 0.2
    same 'a file' "$(./a --appimage-extract-and-run read d/file)"
    [ -x "$(readlink /proc/$pid/exe)" ] || fail "gone too early"
    kill -TERM $pid
    ended 42
    nothing_left
done
END
}

@test "cache: unpacked once, repaired when it was changed" {
    is_ours || skip "others have no cache"
    make_app "$WORK/a"
    sandbox user <<'END'
export RUCKSACK_MOUNT=extract
status 0 ./a print APPDIR
root=$out
inode=$(stat -c %i "$root/AppRun")
status 0 ./a read d/file
same "$inode" "$(stat -c %i "$root/AppRun")"
same 700 "$(stat -c %a "${root%/*}")"
chmod u+w "$root" "$root/d"
for damage in 'rm d/file' 'cp d/large d/file' 'chmod 777 AppRun' 'ln -sf /bin/false AppRun' 'rm -r d'; do
    (cd "$root" && $damage)
    status 0 ./a read d/file
    same 'a file' "$out"
    chmod u+w "$root" "$root/d"
done
END
}

@test "cache: many first starts at once" {
    is_ours || skip "others have no cache"
    make_app "$WORK/a"
    sandbox user <<'END'
export RUCKSACK_MOUNT=extract
pids=
for i in $(seq 12); do
    ./a read d/file > /dev/t/out.$i &
    pids="$pids $!"
done
for pid in $pids; do ended 0; done
same 1 "$(cat /dev/t/out.* | grep 'a file' | sort -u | wc -l)"
same 12 "$(cat /dev/t/out.* | wc -l)"
END
}
