#!/usr/bin/env bats
# SPDX-License-Identifier: MIT
# --appimage-extract and --appimage-extract-and-run.

load helper

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
