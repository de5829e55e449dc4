#!/usr/bin/env bats
# SPDX-License-Identifier: MIT
# Damaged and malicious images: an error, never a crash, a hang, or a file outside.

load helper

# A small image with every kind of structure in it.
make_small() {
    mkdir -p "$WORK/tree/dir/sub"
    printf '#!/bin/sh\nexec find "$APPDIR" -type f -exec cat {} +\n' > "$WORK/tree/AppRun"
    chmod 755 "$WORK/tree/AppRun"
    for i in $(seq 40); do echo "$i" > "$WORK/tree/dir/file-$i"; done
    head -c 20000 /dev/urandom > "$WORK/tree/dir/sub/data"
    head -c 20000 /dev/zero > "$WORK/tree/dir/zero"
    ln -s target "$WORK/tree/link"
    make_app "$WORK/a" -b 4K "$@"
    size=$(stat -c %s "$STUB")
    total=$(stat -c %s "$WORK/a")
}

# Fine, refused or damaged; nothing else.
check_status() {
    case $status in
    0 | 1 | 125) ;;
    *) echo "status $status: $output"; return 1 ;;
    esac
}

# put OFFSET BYTE (decimal)
put() {
    printf "\\x$(printf %02x "$2")" | dd of="$WORK/x" bs=1 seek="$1" conv=notrunc status=none
}

@test "cut off anywhere: one line, status 125" {
    make_small
    for part in 1 50 95 96 200 4096 10000 $((total - size - 4096)); do
        head -c $((size + part)) "$WORK/a" > "$WORK/x"
        chmod 755 "$WORK/x"
        run "$WORK/x"
        [ "$status" = 125 ]
        [[ ${lines[0]} == "rucksack: E-IMAGE: "* ]]
        [ "${#lines[@]}" -le 2 ]
    done
    head -c $((size - 1000)) "$WORK/a" > "$WORK/x"
    run "$WORK/x"
    [ "$status" -ne 0 ]
}

@test "the superblock lies: every byte of it, several values" {
    make_small
    cp "$WORK/a" "$WORK/x"
    cd "$WORK"
    for offset in $(seq 0 95); do
        old=$(od -An -tu1 -j $((size + offset)) -N 1 a | tr -d ' ')
        for value in 255 $((old ^ 1)); do
            put $((size + offset)) "$value"
            run timeout 20 ./x --appimage-list
            check_status
        done
        put $((size + offset)) "$old"
    done
}

@test "a table of more attributes than fit into the file is not allocated" {
    make_small
    setfattr -n user.comment -v text "$WORK/tree/dir"
    make_app "$WORK/a"
    at=$(od -An -tu8 -j $((size + 56)) -N 8 "$WORK/a" | tr -d ' ')
    cp "$WORK/a" "$WORK/x"
    for byte in 0 1 2 3; do put $((size + at + 8 + byte)) 255; done
    run "$WORK/x" --appimage-list
    [ "$status" = 125 ]
    [[ $output == *"attribute table outside the image"* ]]
}

# flips SEED COUNT OPTION...: bytes of inodes, directories and tables, and of data
flips() {
    local seed=$1 count=$2
    shift 2
    make_small "$@"
    cd "$WORK"
    RANDOM=$seed
    for ((i = 0; i < count; i++)); do
        cp a x
        for ((j = 0; j <= i % 3; j++)); do
            at=$((total - 1 - (RANDOM * 32768 + RANDOM) % (i % 2 ? 6000 : total - size)))
            put $at $((RANDOM % 256))
        done
        rm -rf squashfs-root
        run timeout 20 ./x --appimage-extract
        check_status || { cp x "/tmp/stub-flip-$seed-$i"; return 1; }
    done
}

@test "flipped bytes, uncompressed tables" {
    flips 1 80 -noI -noX
}

@test "flipped bytes, gzip" {
    flips 2 40 -comp gzip
}

@test "flipped bytes, zstd" {
    flips 3 40 -comp zstd
}

@test "flipped bytes, xz" {
    flips 5 40 -comp xz
}

@test "flipped bytes, lz4" {
    flips 6 40 -comp lz4
}

@test "flipped bytes below a FUSE mount" {
    make_small -noI -noX
    sandbox root <<END
RANDOM=4
export RUCKSACK_MOUNT=fuse
for i in \$(seq 30); do
    cp a x
    printf "\\\\x\$(printf %02x \$((RANDOM % 256)))" |
        dd of=x bs=1 seek=\$(($total - 1 - RANDOM % 5000)) conv=notrunc status=none
    code=0
    timeout 20 ./x > /dev/null 2>&1 || code=\$?
    [ \$code -lt 124 ] || [ \$code = 125 ] || [ \$code = 126 ] || fail "status \$code"
    rm x
done
nothing_left
END
}

@test "unsupported compression is named" {
    mkdir -p "$WORK/tree"
    for codec in lzma lzo; do
        make_app "$WORK/a" -comp $codec
        run "$WORK/a"
        [ "$status" = 125 ]
        [[ $output == *"compressed with $codec"*"hint: gzip, lz4, xz and zstd"* ]]
    done
}

@test "a tree of promised zeros costs no disk" {
    mkdir -p "$WORK/tree"
    truncate -s 2G "$WORK/tree/huge"
    printf end >> "$WORK/tree/huge"
    make_app "$WORK/a" -b 1M
    cd "$WORK"
    run timeout 60 ./a --appimage-extract
    [ "$status" = 0 ]
    [ "$(stat -c %s squashfs-root/huge)" = $(((2 << 30) + 3)) ]
    [ "$(tail -c 3 squashfs-root/huge)" = end ]
    [ "$(stat -c %b squashfs-root/huge)" -lt 100 ]
}
