# SPDX-License-Identifier: MIT
# The --appimage flags: output, streams, exit codes.

bats_require_minimum_version 1.5.0
load helper

setup_file() {
    make_work
    make_app gzip "$WORK/image" -comp gzip
}

teardown_file() {
    drop_work
}

@test "the stub's length and ELF end are the same multiple of 4096" {
    stub=$RUCKSACK_BUILD/stub
    size=$(stat -c %s "$stub")
    [ $((size % 4096)) -eq 0 ]
    run "$stub" --appimage-offset
    [ "$status" -eq 0 ]
    [ "$output" = "$size" ]
    [ "$(dd if="$stub" bs=1 skip=8 count=3 status=none | od -An -tx1 | tr -d ' ')" = 414902 ]
}

@test "the sections that other tools want are there and zero" {
    for want in .upd_info:1024 .sha256_sig:1024 .sig_key:8192 .digest_md5:16 .rucksack:1024; do
        read -r offset size < <(section "$RUCKSACK_BUILD/stub" "${want%:*}")
        [ "$size" = "${want#*:}" ]
        [ "$(tail -c "+$((offset + 1))" "$RUCKSACK_BUILD/stub" | head -c "$size" | tr -d '\0' | wc -c)" = 0 ]
    done
}

@test "help and version are on stdout and need no image" {
    for flag in help version; do
        run --separate-stderr env TARGET_APPIMAGE=/etc/passwd "$RUCKSACK_BUILD/stub" --appimage-$flag
        [ "$status" -eq 0 ]
        [ -n "$output" ]
        [ -z "$stderr" ]
    done
}

@test "unsquashfs reads the image at --appimage-offset" {
    run unsquashfs -o "$("$WORK/app" --appimage-offset)" -l "$WORK/app"
    [ "$status" -eq 0 ]
}

@test "list prints the image's paths" {
    run --separate-stderr "$WORK/app" --appimage-list
    [ "$status" -eq 0 ]
    [ "$output" = "AppRun
dir
dir/file
dir/link
dir/sub
dir/sub/small" ]
}

@test "extract unpacks everything with modes and times" {
    for app in app gzip; do
        cd "$BATS_TEST_TMPDIR"
        rm -rf squashfs-root
        run "$WORK/$app" --appimage-extract
        [ "$status" -eq 0 ]
        diff -r --no-dereference squashfs-root "$WORK/image"
        for path in AppRun dir dir/file dir/sub; do
            [ "$(stat -c '%a %Y' "squashfs-root/$path")" = "$(stat -c '%a %Y' "$WORK/image/$path")" ]
        done
        run "$WORK/$app" --appimage-extract # again, over itself
        [ "$status" -eq 0 ]
    done
}

@test "extract with a pattern takes what matches, and subtrees" {
    cd "$BATS_TEST_TMPDIR"
    run "$WORK/app" --appimage-extract 'dir/s*'
    [ "$status" -eq 0 ]
    [ "$(cd squashfs-root && find . -type f)" = ./dir/sub/small ]
    run --separate-stderr "$WORK/app" --appimage-extract nothing
    [ "$status" -eq 1 ]
    [ "$stderr" = "rucksack: nothing in the image matches 'nothing'" ]
}

@test "extract does not follow a squashfs-root that is a symlink" {
    cd "$BATS_TEST_TMPDIR"
    mkdir elsewhere
    ln -s elsewhere squashfs-root
    run "$WORK/app" --appimage-extract
    [ "$status" -eq 1 ]
    [ -z "$(ls elsewhere)" ]
}

@test "updateinfo and signature print their sections, empty or not" {
    for flag in updateinfo updateinformation signature; do
        run --separate-stderr "$WORK/app" --appimage-$flag
        [ "$status" -eq 0 ]
        [ "$output" = "" ]
    done
    printf 'zsync|https://example.org/a.zsync' >"$BATS_TEST_TMPDIR/info"
    cp "$WORK/app" "$BATS_TEST_TMPDIR/app"
    read -r offset _ < <(section "$RUCKSACK_BUILD/stub" .upd_info)
    dd if="$BATS_TEST_TMPDIR/info" of="$BATS_TEST_TMPDIR/app" bs=1 seek="$offset" conv=notrunc status=none
    run "$BATS_TEST_TMPDIR/app" --appimage-updateinfo
    [ "$output" = 'zsync|https://example.org/a.zsync' ]
}

@test "portable-home makes the directory, and the app's HOME is there" {
    cp "$WORK/app" "$WORK/portable"
    run "$WORK/portable" --appimage-portable-home
    [ "$status" -eq 0 ]
    run "$WORK/portable" --appimage-portable-home
    [ "$status" -eq 0 ]
    [ "$(stat -c %a "$WORK/portable.home")" = 700 ]
}

@test "an unknown flag starts nothing" {
    run --separate-stderr "$WORK/app" --appimage-bogus
    [ "$status" -eq 1 ]
    [ -z "$output" ]
    [[ "$stderr" == "rucksack: '--appimage-bogus' is not an option"* ]]
}

@test "only the first argument is looked at" {
    box './app args --appimage-help "a  b" ""'
    [ "$status" -eq 0 ]
    [ "${lines[1]}" = --appimage-help ]
    [ "${lines[2]}" = "a  b" ]
}

@test "a stub without an image says so" {
    run --separate-stderr "$RUCKSACK_BUILD/stub"
    [ "$status" -eq 125 ]
    [[ "$stderr" == *"there is no image in this file"* ]]
}
