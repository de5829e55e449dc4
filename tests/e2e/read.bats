#!/usr/bin/env bats
# SPDX-License-Identifier: MIT
# inspect, verify and extract on a real bundle, and on damaged copies of it.

bats_require_minimum_version 1.5.0
load lib

setup_file() {
    make_guestbook
}

setup() {
    cd "$BATS_TEST_TMPDIR"
}

@test "verify accepts what build wrote" {
    run "$rucksack" verify "$guestbook"
    [ "$status" -eq 0 ]
    [ "${lines[0]}" = "stub ok" ]
    [ "${lines[1]}" = "image ok" ]
    [[ ${lines[2]} =~ ^content\ ok\ [0-9]+\ files$ ]]
}

@test "verify names what differs and exits with 3" {
    cp "$guestbook" changed
    printf 'x' | dd of=changed bs=1 seek=1000000 conv=notrunc status=none
    printf 'more' >>changed
    run "$rucksack" verify changed
    [ "$status" -eq 3 ]
    [[ $output == *"image differs"* ]]
    [[ $output == *"E-VERIFY"* ]]
    [[ $output == *"4 bytes follow the image"* ]]
}

@test "a start of a damaged or cut bundle reports it, wherever the byte is" {
    local size at
    size=$(stat -c %s "$guestbook")
    # Not the ELF header and code: a program that is damaged itself cannot be asked.
    for at in $("$guestbook" --appimage-offset) $((size / 3)) $((size / 2)) $((size - 1)) \
        $((size * 9 / 10)); do
        cp "$guestbook" changed
        printf '\%03o' $(($(od -An -tu1 -j "$at" -N 1 changed) ^ 1)) |
            xargs -0 printf | dd of=changed bs=1 seek="$at" conv=notrunc status=none
        ! cmp -s changed "$guestbook"
        run timeout 30 ./changed exec ruby -e 'puts :started'
        [ "$status" -eq 125 ]
        [[ $output == *"rucksack: "* ]]
        [[ $output != *started* ]]
        run "$rucksack" verify changed
        [ "$status" -eq 3 ] || [ "$status" -eq 1 ]
    done
    head -c 5000000 "$guestbook" >changed
    run timeout 30 ./changed
    [ "$status" -eq 125 ]
    [[ $output == *truncated* ]]
}

@test "a file that was cut is told to be copied again" {
    head -c 1000000 "$guestbook" >cut
    run "$rucksack" inspect cut
    [ "$status" -eq 1 ]
    [[ $output == *"E-TRUNCATED"* ]]
    [[ $output == *"hint: copy it again"* ]]
}

@test "inspect shows name, Ruby, gems, libraries and state" {
    run "$rucksack" inspect --all "$guestbook"
    [ "$status" -eq 0 ]
    [[ $output == *"name       guestbook"* ]]
    [[ $output == *"sqlite3 "*"*"* ]]
    [[ $output == *"libsqlite3.so.0"*"gem 'sqlite3'"* ]]
    [[ $output == *"state      data"* ]]
}

@test "inspect --json is one document with the file's figures" {
    "$rucksack" inspect --json "$guestbook" >document
    ruby -rjson -e 'd = JSON.parse(File.read("document"))
                    f = d.fetch("file")
                    exit d["format"] == 1 && f["size"] == File.size(ARGV[0]) &&
                         f["image_offset"] + f["image_size"] == f["size"] &&
                         f["image_hash"].match?(/\A\h{64}\z/)' "$guestbook"
}

@test "extract makes NAME.root once" {
    run "$rucksack" extract "$guestbook"
    [ "$status" -eq 0 ]
    [ "$output" = "guestbook.root" ]
    [ -x guestbook.root/AppRun ]
    [ -f guestbook.root/app/config.ru ]
    run "$rucksack" extract "$guestbook"
    [ "$status" -eq 1 ]
    [[ $output == *"E-OUTPUT"*"already there"* ]]
}

@test "an extraction that fails leaves nothing" {
    cp "$guestbook" changed
    dd if=/dev/urandom of=changed bs=4096 seek=300 count=200 conv=notrunc status=none
    run "$rucksack" extract -o out changed
    [ "$status" -eq 1 ]
    [[ $output == *"E-IMAGE"* ]]
    [ ! -e out ]
}

@test "other files are no bundles" {
    run "$rucksack" verify "$rucksack"
    [ "$status" -eq 1 ]
    [[ $output == *"E-BUNDLE"*"is not a Rucksack bundle"* ]]
}

@test "deps of a bundle: what its manifest tells" {
    run "$rucksack" deps "$guestbook"
    [ "$status" -eq 0 ]
    [[ $output == *"sqlite3_native.so (gem 'sqlite3')"*$'\n'"  libsqlite3.so.0 => /usr/lib/"* ]]
    run "$rucksack" deps --list "$guestbook"
    [ "$status" -eq 0 ]
    [ -z "$(printf '%s\n' "${lines[@]}" | sort | uniq -d)" ]
    "$rucksack" extract -o "$BATS_TEST_TMPDIR/tree" "$guestbook"
    for path in "${lines[@]}"; do
        [ -f "$BATS_TEST_TMPDIR/tree$path" ]
    done
    run --separate-stderr "$rucksack" deps --check "$guestbook"
    [ "$status" -eq 2 ]
    [[ $stderr == *"is a bundle"* ]]
}
