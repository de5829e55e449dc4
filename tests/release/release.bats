#!/usr/bin/env bats
# SPDX-License-Identifier: MIT
# `make release`, of a clone: what it makes is whole, signed, says what is in it, and works elsewhere.
# That two builds have the same bytes bin/release itself finds out.

bats_require_minimum_version 1.5.0
load ../e2e/lib

setup_file() {
    export RUCKSACK_SIGN_PASSWORD='some words' made=$BATS_FILE_TMPDIR/made
    git -c advice.detachedHead=false clone -q "$tree" "$BATS_FILE_TMPDIR/clone"
    cd "$BATS_FILE_TMPDIR"
    "$rucksack" keygen release
    clone/bin/release "$made" release.key >log 2>&1 || {
        cat log >&2
        return 1
    }
}

setup() {
    make_enter
    root=$BATS_TEST_TMPDIR/root
    key=$BATS_FILE_TMPDIR/release.pub
    way=
    cd "$made"
    version=$(sed -n 's/^VERSION := //p' "$tree/Makefile")
}

teardown() {
    drop_roots
}

@test "every file is in the sums, and the sums are signed" {
    sha256sum --quiet -c SHA256SUMS
    diff <(cut -d ' ' -f 3 SHA256SUMS | sort) <(find . -type f ! -name 'SHA256SUMS*' -printf '%P\n' | sort)
    [ "$(wc -l <SHA256SUMS)" -ge 6 ]
    minisign -V -q -p "$key" -m SHA256SUMS
    echo x >>"$BATS_TEST_TMPDIR/SHA256SUMS"
    run -1 minisign -V -q -p "$key" -x SHA256SUMS.minisig -m "$BATS_TEST_TMPDIR/SHA256SUMS"
}

@test "the tool is one static file, and the same as in the package" {
    [[ $(file -b "rucksack-$version-x86_64") == *'static-pie linked'*stripped* ]]
    [ "$("./rucksack-$version-x86_64" --version)" = "rucksack $version" ]
    run ! grep -aF "$BATS_FILE_TMPDIR" "rucksack-$version-x86_64"
    dpkg-deb -x "rucksack_${version}_amd64.deb" "$BATS_TEST_TMPDIR/deb"
    cmp "rucksack-$version-x86_64" "$BATS_TEST_TMPDIR/deb/usr/bin/rucksack"
}

@test "the package installs on Debian, and goes away again" {
    guestbook=/dev/null make_debian_root trixie "$root"
    cp "rucksack_${version}_amd64.deb" "$root/tmp/"
    chroot "$root" dpkg -i "/tmp/rucksack_${version}_amd64.deb"
    [ "$(chroot "$root" rucksack --version)" = "rucksack $version" ]
    gzip -t "$root/usr/share/man/man1/rucksack.1.gz"
    [ -f "$root/usr/share/bash-completion/completions/rucksack" ]
    [ "$(stat -c %U:%G%a "$root/usr/bin/rucksack")" = root:root755 ]
    chroot "$root" dpkg -r rucksack
    [ ! -e "$root/usr/bin/rucksack" ]
}

@test "the bill of materials is CycloneDX, and has what is linked in; the licences are theirs" {
    python3 "$tree/tests/e2e/validate.py" "$tree/tests/data/cyclonedx" <"rucksack-$version.cdx.json"
    for name in libc6-dev libelf-dev libsodium-dev libsquashfuse-dev libzstd-dev musl-dev libarchive-dev libsqlite3-dev; do
        ruby -rjson -e 'exit JSON.parse(File.read(ARGV[0]))["components"].any? { |c|
            c["name"] == ARGV[1] && c["version"] == ARGV[2] }' "rucksack-$version.cdx.json" "$name" \
            "$(dpkg-query -W -f '${Version}' "$name")"
        grep -qx "==== $name ====" "rucksack-$version.licenses"
    done
    grep -q '^MIT License' "rucksack-$version.licenses"
}

@test "the bundle of our own command: signed, and draws on a machine that has nothing" {
    "./rucksack-$version-x86_64" verify -p "$key" "plot-$version-x86_64.AppImage"
    guestbook=$PWD/plot-$version-x86_64.AppImage make_busybox_root "$root"
    cp "$tree/docs/numbers/warm.tsv" "$root/srv/"
    run -0 --separate-stderr run_in --fuse --user $user "$root" /srv/guestbook.AppImage /srv/warm.tsv
    [[ ${lines[0]} == '<svg '* && ${lines[-1]} == '</svg>' ]]
    [ "$output" = "$(ruby "$tree/bench/plot" "$tree/docs/numbers/warm.tsv")" ]
    run -0 run_in --fuse --user $user "$root" /srv/guestbook.AppImage --help
    [[ $output == *'bench/plot FILE.tsv... >FILE.svg'* ]]
}

@test "what is not committed, and a place that is taken, are refused" {
    run -1 "$BATS_FILE_TMPDIR/clone/bin/release" "$made"
    [[ $output == "bin/release: '$made' is there already" ]]
    echo >>"$BATS_FILE_TMPDIR/clone/README.md"
    run -1 "$BATS_FILE_TMPDIR/clone/bin/release" "$BATS_TEST_TMPDIR/other"
    [[ $output == 'bin/release: there are changes; commit them first' ]]
    [ ! -e "$BATS_TEST_TMPDIR/other" ]
}
