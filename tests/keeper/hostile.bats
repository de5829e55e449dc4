#!/usr/bin/env bats
# SPDX-License-Identifier: MIT
# Snapshots that are damaged, or made to do harm: refused with one error, the state as it was, and
# nothing written anywhere else.

bats_require_minimum_version 1.5.0
load helper

setup() {
    make_image
    make_state 10
    keeper backup -o good.tar.zst >/dev/null
    mkdir parts
    zstd -dc good.tar.zst | tar -C parts -x
    victim=$BATS_TEST_TMPDIR/victim
    echo untouched >"$victim"
}

# edit RUBY: the manifest, as a hash in m.
edit() {
    ruby -rjson -e 'm = JSON.parse(File.read("parts/manifest.json"))
        eval ARGV[0]
        File.write("parts/manifest.json", JSON.generate(m))' "$1"
}

# pack ARG...: of GNU tar, behind the manifest.
pack() {
    tar -C parts -cf evil.tar "${first:-manifest.json}" "$@"
    zstd -q -f evil.tar -o evil.tar.zst
}

whole=(data)

# refused PATTERN: by both, and everything is as it was.
refused() {
    local before after how
    before=$(find . -path ./parts -prune -o -name .lock -prune -o -print | sort)
    for how in --replace --check-only; do
        run ! keeper restore $how evil.tar.zst
        [[ $output == "rucksack: E-"*"$1"* ]] || {
            echo "$output"
            return 1
        }
        [[ $output == *$'\nhint: '* ]]
        [ "$(grep -c '^rucksack:' <<<"$output")" = 1 ]
    done
    after=$(find . -path ./parts -prune -o -name .lock -prune -o -print | sort)
    [ "$before" = "$after" ]
    [ "$(cat "$victim")" = untouched ]
    is_whole "$state/data" 10
}

@test "what is packed again by hand is taken: the others are refused for their defect" {
    pack "${whole[@]}"
    keeper restore evil.tar.zst
    is_whole "$state/data" 10
    # By another compressor, another tar format, in several frames.
    tar -C parts --format=pax -cf evil.tar manifest.json data
    head -c 5000 evil.tar | zstd -q >evil.tar.zst
    tail -c +5001 evil.tar | zstd -q -19 --long=27 >>evil.tar.zst
    keeper restore evil.tar.zst
    is_whole "$state/data" 10
}

@test "names that climb out" {
    local name
    for name in ../victim data/../../victim /victim "$victim" data/./x data//x x data/.. ''; do
        edit "m['files'] << {path: '$name', size: 5, sha256: '0' * 64}"
        pack "${whole[@]}"
        refused "a path that cannot be"
        edit "m['files'].pop"
    done
    # In the archive only.
    pack "${whole[@]}" --transform='s,.*a.txt,../victim,'
    refused "is not in the manifest"
    pack "${whole[@]}" -P --transform="s,.*a.txt,$victim,"
    refused "is not in the manifest"
}

@test "links that lead out, and what is written through a link" {
    ln -s ../../victim parts/data/out
    edit "m['links'] << {path: 'data/out', target: '../../victim'}"
    pack "${whole[@]}"
    refused "a link that leads out"
    edit "m['links'].pop"
    pack "${whole[@]}"
    refused "'data/out' is not in the manifest"
    rm parts/data/out

    ln -s uploads parts/data/in
    edit "m['links'] << {path: 'data/in', target: 'uploads'}
          m['files'] << {path: 'data/in/a.txt', size: 5, sha256: '0' * 64}"
    pack "${whole[@]}"
    refused "a path in no directory"
    # The archive's link goes elsewhere than the manifest's.
    edit "m['files'].pop"
    ln -sfn ../.. parts/data/in
    pack "${whole[@]}"
    refused "is not what the manifest says"
}

@test "hard links, devices, fifos" {
    ln parts/data/uploads/a.txt parts/data/uploads/b.txt
    edit "m['files'] << m['files'].find { |f| f['path'].end_with?('a.txt') }.merge('path' => 'data/uploads/b.txt')"
    pack "${whole[@]}"
    refused "a hard link"
    rm parts/data/uploads/b.txt
    mknod parts/data/uploads/b.txt c 1 3
    pack "${whole[@]}"
    refused "what is no file, directory or link"
    rm parts/data/uploads/b.txt
    mkfifo parts/data/uploads/b.txt
    pack "${whole[@]}"
    refused "what is no file, directory or link"
}

@test "what is shown of a name cannot steer the terminal" {
    echo evil >"parts/data/uploads/"$'\e[2Jx\u202e'
    pack "${whole[@]}"
    refused 'data/uploads/\x1b[2Jx\xe2\x80\xae'
    run ! grep -q $'\e' <<<"$output"
}

@test "names that come twice" {
    pack "${whole[@]}" data/uploads/a.txt --hard-dereference
    refused "comes twice"
    edit "m['files'] << m['files'].last"
    pack "${whole[@]}"
    refused "a path that comes twice"
    # A file in the place of a directory.
    edit "m['files'].pop; m['files'] << {path: 'data/uploads', size: 5, sha256: '0' * 64}"
    pack "${whole[@]}"
    refused "a path that comes twice"
}

@test "files that are missing, added or exchanged" {
    pack --exclude=a.txt data
    refused "'data/uploads/a.txt' is missing"
    echo more >parts/data/uploads/more
    pack "${whole[@]}"
    refused "'data/uploads/more' is not in the manifest"
    rm parts/data/uploads/more
    echo "99 rows" >parts/data/uploads/a.txt
    pack "${whole[@]}"
    refused "is not what the manifest says"
    echo "99999 rows" >parts/data/uploads/a.txt
    pack "${whole[@]}"
    refused "has another size than the manifest says"
}

@test "a database that is damaged, or has other rows" {
    sqlite3 parts/data/blog.sqlite3 'DELETE FROM posts WHERE id = 3'
    local sum="f = m['files'].find { |f| f['database'] }
        f['size'] = File.size('parts/data/blog.sqlite3')
        f['sha256'] = Digest::SHA256.file('parts/data/blog.sqlite3').hexdigest"
    edit "require 'digest'; $sum"
    pack "${whole[@]}"
    refused "has not the rows that the manifest says"
    printf 'XXXXXXXXXXXXXXXXXXXXXXXXXXXXXXXX' |
        dd of=parts/data/blog.sqlite3 bs=1 seek=4100 conv=notrunc status=none
    edit "require 'digest'; $sum"
    pack "${whole[@]}"
    refused "is damaged"
}

@test "bombs: sizes that lie are believed nowhere" {
    edit "m['files'].find { |f| f['path'].end_with?('big') }['size'] = 1 << 50"
    pack "${whole[@]}"
    refused "no room for the snapshot"
    edit "m['files'].each { |f| f['size'] = (1 << 62) }"
    pack "${whole[@]}"
    refused "sizes"
    edit "m['files'].each { |f| f['size'] = -1 }"
    pack "${whole[@]}"
    refused "size"
    # A manifest of a gigabyte of zeros, a few kilobytes in the archive.
    truncate -s 1G parts/manifest.json
    tar -C parts -cf - --no-recursion manifest.json | zstd -q -f -o evil.tar.zst
    refused "manifest is too large"
}

@test "numbers that cannot be counted on from" {
    local key
    for key in epoch number; do
        edit "m['$key'] = 1 << 62"
        pack "${whole[@]}"
        refused "epoch and number"
        edit "m['$key'] = 1"
    done
}

@test "manifests that are none" {
    local text
    for text in '' '{' '[]' '{}' 'null' '{"format": 2}' '{"format": "1"}' '{"format": 1, "format": 1}' \
        '{"format": 1, "name": "blog", "host": "\u0000"}'; do
        echo "$text" >parts/manifest.json
        pack "${whole[@]}"
        refused "manifest.json: "
    done
    first=data pack manifest.json
    refused "does not begin with a manifest.json"
    echo text >evil.tar.zst
    refused "damaged"
    : >evil.tar.zst
    refused "damaged"
}

@test "cut off anywhere, and one byte flipped anywhere" {
    local size at step
    head -c 200000 /dev/urandom >"$state/data/uploads/noise"
    keeper backup -o good.tar.zst >/dev/null
    size=$(stat -c %s good.tar.zst)
    step=$((size / ${FLIPS:-60} + 1))
    for ((at = 0; at < size; at += step)); do
        head -c "$at" good.tar.zst >evil.tar.zst
        refused ""
    done
    # The room behind the manifest is nobody's: a frame that is skipped.
    local skipped=0
    for ((at = 0; at < size; at += step)); do
        cp good.tar.zst evil.tar.zst
        printf '%b' "\\x$(printf %02x $((0x$(xxd -p -s "$at" -l 1 good.tar.zst) ^ 0x20)))" |
            dd of=evil.tar.zst bs=1 seek="$at" conv=notrunc status=none
        if keeper restore --check-only evil.tar.zst >/dev/null 2>&1; then
            skipped=$((skipped + 1))
        else
            refused ""
        fi
    done
    echo "# $skipped of $((size / step + 1)) flips were in the skipped room, the others refused" >&3
    [ "$skipped" -lt 10 ]
}

