#!/usr/bin/env bats
# SPDX-License-Identifier: MIT
# `rucksack inspect` on AppImages that other tools made, on damaged files, and on what is neither.
# FOREIGN_FLIPS: how many bytes of each file are changed.

bats_require_minimum_version 1.5.0
load ../e2e/lib

setup_file() {
    make_guestbook
    cd "$BATS_FILE_TMPDIR" || return
    mkdir -p AppDir/usr/bin AppDir/usr/lib AppDir/usr/share/applications
    printf '#!/bin/sh\nexec hello\n' >AppDir/AppRun
    chmod 755 AppDir/AppRun
    cat >AppDir/usr/share/applications/hello.desktop <<'END'
[Desktop Entry]
Type=Application
Name=Hello World
Exec=hello %F
X-AppImage-Version=2.10
[Desktop Action New]
Name=Another
END
    ln -s usr/share/applications/hello.desktop AppDir/hello.desktop
    head -c 300000 /dev/urandom >AppDir/usr/lib/libhello.so
    seq 20000 >AppDir/usr/bin/hello
    ln AppDir/usr/bin/hello AppDir/usr/bin/second # a hard link, as ours never have
    ruby "$BATS_TEST_DIRNAME/foreign.rb" runtime runtime --update 'zsync|https://files.example/hello.zsync' \
        --signature '-----BEGIN PGP SIGNATURE-----'
    for compression in gzip zstd xz lz4; do
        image "$compression"
        cat runtime image >"$compression.AppImage"
    done
    cc -O1 -Wall -Werror -o tell "$BATS_TEST_DIRNAME/foreign.c" -lappimage
}

# image COMPRESSION: makes it of the directory.
image() {
    rm -f image
    mksquashfs AppDir image -comp "$1" -noappend -no-progress -all-root >/dev/null
}

setup() {
    cd "$BATS_FILE_TMPDIR" || return
    foreign=$BATS_TEST_DIRNAME/foreign.rb
}

# refused ID WORDS FILE: one error line with that id and words.
refused() {
    run --separate-stderr -1 timeout 20 "$rucksack" inspect "$3"
    echo "$stderr"
    [ -z "$output" ]
    [[ ${stderr_lines[0]} == "rucksack: $1: "*$2* ]]
    [ "${#stderr_lines[@]}" -le 2 ]
}

@test "type 2, of each compression: what it is, for whom, from where, and what is in it" {
    for compression in gzip zstd xz lz4; do
        run -0 "$rucksack" inspect "$compression.AppImage"
        echo "$output"
        [ "${lines[0]}" = "file       an AppImage of type 2, which rucksack has not made" ]
        [[ ${lines[1]} == "size       "*" for x86-64, 64 bit: runtime "*", image "* ]]
        [[ ${lines[2]} == "image      squashfs, $compression, made 20"* ]]
        [ "${lines[3]}" = "signed     by OpenPGP, which is not checked here" ]
        [ "${lines[4]}" = "update     zsync|https://files.example/hello.zsync" ]
        [[ ${lines[5]} == "content    5 files, "*" kB unpacked" ]]
        [ "${lines[6]}" = "name       Hello World 2.10 (usr/share/applications/hello.desktop)" ]
        [ "${lines[7]}" = "command    hello %F" ]
        [[ ${lines[8]} == "sizes      usr/lib "*"  ########################" ]]
    done
}

@test "its figures are those that libappimage and mksquashfs tell" {
    for compression in gzip xz; do
        "$rucksack" inspect --json "$compression.AppImage" >document
        [ "$(ruby -rjson -e 'd = JSON.load_file("document"); puts d["type"], d["image"]["offset"]')" = \
            "$(./tell "$compression.AppImage")" ]
    done
    unsquashfs -s -o "$(stat -c %s runtime)" gzip.AppImage >facts
    grep -q "^Filesystem size $(ruby -rjson -e 'puts JSON.load_file("document")["image"]["size"]') bytes" facts ||
        unsquashfs -s -o "$(stat -c %s runtime)" xz.AppImage |
        grep -q "^Filesystem size $(ruby -rjson -e 'puts JSON.load_file("document")["image"]["size"]') bytes"
}

@test "tree, sizes and JSON, but no manifest: no page, no bill of materials, no age" {
    run -0 "$rucksack" inspect --tree gzip.AppImage
    [[ $output == *"usr/ (4 files)"*"libhello.so"* ]]
    run -0 "$rucksack" inspect --sizes gzip.AppImage
    [[ $output == *"usr/bin"* ]]
    for option in --html=page --sbom --licenses --age=3; do
        run --separate-stderr -1 "$rucksack" inspect "$option" gzip.AppImage
        [[ $stderr == "rucksack: E-BUNDLE: "*"made by another tool"*"hint: "* ]]
    done
    [ ! -e page ]
    # Other commands say where to look.
    for command in verify extract zsync oci; do
        run --separate-stderr -1 "$rucksack" $command gzip.AppImage
        [[ $stderr == *"E-BUNDLE"*"another tool made this AppImage"*"'rucksack inspect' shows"* ]]
    done
}

@test "of 32 bits, without the mark, on the next page, without anything in the sections" {
    image gzip
    ruby "$foreign" runtime small --bits 32
    cat small image >small.AppImage
    run -0 "$rucksack" inspect small.AppImage
    [[ $output == *" for i386, 32 bit: "*$'\nsigned     by nobody\nupdate     says not where from\n'* ]]
    ruby "$foreign" runtime unmarked --unmarked
    cat unmarked image >unmarked.AppImage
    run -0 "$rucksack" inspect unmarked.AppImage
    cp runtime page.AppImage
    truncate -s %4096 page.AppImage
    cat image >>page.AppImage
    run -0 "$rucksack" inspect page.AppImage
    [[ $output == *"Hello World"* ]]
}

@test "names of others steer no terminal" {
    mkdir -p Evil
    printf '[Desktop Entry]\nName=\033[31mred\nExec=\033]0;title\007\n' >$'Evil/\e[2Jx.desktop'
    mksquashfs Evil evil.image -comp gzip -noappend -no-progress >/dev/null
    cat runtime evil.image >evil.AppImage
    for option in --all --json --tree --sizes; do
        run -0 "$rucksack" inspect "$option" evil.AppImage
        [[ $output != *$'\e'* && $output != *$'\a'* ]]
    done
    run -0 "$rucksack" inspect evil.AppImage
    [[ $output == *'name       \x1b[31mred'*"without AppRun: it cannot start"* || $output == *"without AppRun"*'\x1b[31mred'* ]]
}

@test "type 1 and other images: a clear message" {
    head -c 65536 /dev/zero >iso.AppImage
    printf '\177ELF\2\1\1\0AI\1' | dd of=iso.AppImage conv=notrunc status=none
    printf '\1CD001\1' | dd of=iso.AppImage bs=1 seek=32768 conv=notrunc status=none
    refused E-BUNDLE "type 1" iso.AppImage
    [[ $stderr == *"hint: "*"mount -o loop"* ]]
    { cat runtime && printf 'DWARFS\2\5' && head -c 5000 /dev/zero; } >dwarfs.AppImage
    refused E-BUNDLE "DwarFS" dwarfs.AppImage
    { cat runtime && head -c 5000 /dev/urandom; } >noise.AppImage
    refused E-BUNDLE "no squashfs" noise.AppImage
    refused E-TRUNCATED "missing" runtime
    head -c 200000 gzip.AppImage >cut.AppImage
    refused E-TRUNCATED "another tool" cut.AppImage
}

@test "what is no AppImage: nothing, directory, device, pipe, text, ELF" {
    : >empty
    echo 'some text' >text
    mkfifo pipe
    mkdir -p directory
    ln -sf nowhere dangling
    refused E-BUNDLE "too short" empty
    refused E-BUNDLE "not a regular file" directory
    refused E-BUNDLE "not a regular file" /dev/null
    refused E-BUNDLE "not a regular file" /dev/zero
    refused E-BUNDLE "not a regular file" pipe
    refused E-BUNDLE "too short" text
    refused E-BUNDLE "No such file" dangling
    refused E-BUNDLE "No such file" absent
    refused E-BUNDLE "no section" "$rucksack"
    refused E-BUNDLE "no section" /bin/true
    refused E-BUNDLE "header is empty" "$RUCKSACK_BUILD/stub"
    seq 100000 >numbers
    refused E-BUNDLE "not an ELF file" numbers
}

@test "damaged anywhere: shown or refused in one line with an id, never more" {
    local flips=${FOREIGN_FLIPS:-100}
    # Nothing of them needs much memory, whatever their numbers say.
    ulimit -v 2000000
    {
        ruby "$foreign" damage "$rucksack" gzip.AppImage 1 40 "$flips"
        ruby "$foreign" damage "$rucksack" xz.AppImage 2 20 "$flips"
        cp "$guestbook" bundle.AppImage
        ruby "$foreign" damage "$rucksack" bundle.AppImage 3 40 "$flips" '' --json --all --tree --sizes --sbom \
            --licenses '--age 9999' '--html -'
    } >counts
    sed 's/^/# /' counts >&3
}
