#!/usr/bin/env bats
# SPDX-License-Identifier: MIT
# --appimage-extract and --appimage-extract-and-run.

load helper

@test "extract: the same tree, times, links and holes" {
    for codec in zstd gzip xz 'xz -Xbcj x86' lz4 'lz4 -Xhc'; do
        # shellcheck disable=SC2086
        make_app "$WORK/a" -comp $codec -b 64K
        cd "$WORK"
        rm -rf squashfs-root
        ./a --appimage-extract
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
        getfattr -R -m - -d tree | sed 1d > want
        grep -q '^trusted.other=' want
        getfattr -R -m - -d squashfs-root | sed 's/squashfs-root/tree/;1d' > got
        diff want got
    done
    sandbox user <<'END'
cd /tmp/home
/mnt/a --appimage-extract
same "$(cd /mnt/tree && getfattr -n user.long d/large)" "$(cd squashfs-root && getfattr -n user.long d/large)"
[ -z "$(getfattr -m trusted squashfs-root/d/large)" ] || fail "trusted"
END
}

@test "extract: prints what it unpacks, as other runtimes do" {
    make_app "$WORK/a"
    cd "$WORK"
    ./a --appimage-extract > names
    [ "$(sort names)" = "$(find squashfs-root -mindepth 1 | sort)" ]
    [ "$(./a --appimage-extract 'd/f*')" = squashfs-root/d/file ]
    run bash -c './a --appimage-extract > /dev/full'
    [ "$status" = 1 ]
    [[ $output == *"No space left"* ]]
}

@test "extract: many files, files of many pieces, by one or more threads" {
    make_tree "$WORK/tree"
    for i in $(seq 300); do
        mkdir -p "$WORK/tree/many/$((i % 7))/$((i % 5))"
        echo "$i" > "$WORK/tree/many/$((i % 7))/$((i % 5))/$i"
    done
    chmod 555 "$WORK/tree/many/1"
    touch -d '2002-02-03 04:05:06Z' "$WORK/tree/many/1/2" "$WORK/tree/many/1"
    for i in 1 2 3; do head -c 17M /dev/urandom; head -c 9M /dev/zero; done > "$WORK/tree/pieces"
    for i in 1 2; do ln "$WORK/tree/d/large" "$WORK/tree/many/3/link-$i"; done
    make_app "$WORK/a" -comp lz4
    cd "$WORK"
    for start in './a' 'taskset -c 0 ./a' 'prlimit --nofile=32 ./a'; do
        rm -rf squashfs-root
        $start --appimage-extract > names
        diff -r --no-dereference tree squashfs-root
        [ "$(find tree -printf '%P %m %Ts %n %s\n' | sort)" = \
            "$(find squashfs-root -printf '%P %m %Ts %n %s\n' | sort)" ]
    done
    [ "$(stat -c %b squashfs-root/pieces)" -lt $((60 << 11)) ]
}

@test "extract: a full disk is named, with the file" {
    make_tree "$WORK/tree"
    for i in 1 2 3 4 5 6; do head -c 1M /dev/urandom > "$WORK/tree/$i"; done
    make_app "$WORK/a"
    sandbox root <<'END'
mkdir /tmp/full
mount -t tmpfs -o size=3m tmpfs /tmp/full
cd /tmp/full
status 1 /mnt/a --appimage-extract
[[ $err == *"'"*"': No space left on device"* ]] || fail "$err"
same 1 "$(wc -l <<< "$err")"
END
}

@test "extract: a pattern, a directory with its subtree, no match" {
    make_app "$WORK/a"
    cd "$WORK"
    ./a --appimage-extract 'd/f*'
    [ "$(find squashfs-root -type f)" = squashfs-root/d/file ]
    rm -rf squashfs-root
    ./a --appimage-extract d
    diff -r --no-dereference tree/d squashfs-root/d
    [ "$(ls squashfs-root)" = d ]
    run ./a --appimage-extract 'nothing*'
    [ "$status" = 1 ]
    [[ $output == *"nothing matches"* ]]
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

@test "extract-and-run: strips the flag, exact status, cleans up" {
    make_app "$WORK/a"
    sandbox user <<'END'
status 3 ./a --appimage-extract-and-run exit 3
APPIMAGE_EXTRACT_AND_RUN=1 status 0 ./a print x
[[ $out == *'|/mnt/a|./a|2|x' ]] || fail "$out"
nothing_left
APPIMAGE_EXTRACT_AND_RUN=0 status 0 ./a print x
nothing_left
END
}

@test "extract-and-run: SIGTERM reaches the app; NO_CLEANUP keeps the tree" {
    make_app "$WORK/a"
    sandbox user <<'END'
./a --appimage-extract-and-run sleep 60 > /dev/t/pid &
await test -s /dev/t/pid
same $! "$(cat /dev/t/pid)"
kill -TERM $!
wait $! && fail "survived" || same 143 $?
nothing_left
NO_CLEANUP=1 status 0 ./a --appimage-extract-and-run print
[ -x "${out%%|*}/AppRun" ] || fail "not kept: $out"
END
}

@test "extract-and-run: two at once, the tree lives as long as the longer" {
    make_app "$WORK/a"
    sandbox user <<'END'
./a --appimage-extract-and-run sleep 1 > /dev/t/pid &
./a --appimage-extract-and-run print > /dev/t/second &
wait $! || fail "status $?"
await test -s /dev/t/pid
[ -x "$(cut -d'|' -f1 /dev/t/second)/AppRun" ] || fail "gone too early"
wait
nothing_left
END
}
