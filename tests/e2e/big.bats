#!/usr/bin/env bats
# SPDX-License-Identifier: MIT
# One application of rmagick, pg, mysql2, ffi and iconv: it does its work on a machine that has nothing
# but busybox, and where a recipe is taken away the build says what will be missing.

bats_require_minimum_version 1.5.0
load lib

libdir=/usr/lib/$(uname -m)-linux-gnu
app=$cache/big

# The gems are compiled once for all runs.
setup_file() {
    make_guestbook
    install_app "$BATS_TEST_DIRNAME/big" "$app"
    "$rucksack" build --fast -n big -o "$app.AppImage" "$app" 2>"$BATS_FILE_TMPDIR/said"
}

setup() {
    make_enter
    root=$BATS_TEST_TMPDIR/root
    way=
}

teardown() {
    stop KILL
    drop_roots
    rm -rf "$app/recipes"
}

@test "busybox only: every gem does its work, and nothing of the host is mapped" {
    make_busybox_root "$root"
    cp "$app.AppImage" "$root/srv/big"
    start --loop "$root" /srv/big
    wait_until_up
    run request /
    [ "$output" = "rmagick: PNG JPEG GIF TIFF WEBP
ffi: application/pdf
iconv: c6fccbdc
pg: refused
mysql2: refused
openssl: e3b0c442
tz: JST" ] || {
        echo "$output" >&2
        cat "$log" >&2
        return 1
    }
    local image
    image=$(readlink "/proc/$pid/exe")
    image=${image%/.rucksack/ld/*}
    [ -z "$(awk '$6 ~ "^/" { print $6 }' "/proc/$pid/maps" | grep -v "^$image/")" ]
}

@test "the build finds nothing to warn of" {
    # Debian's coder mat.so is linked against nothing that defines what it calls.
    [ -z "$(grep '^warning' "$BATS_FILE_TMPDIR/said" | grep -v "mat.so'.*'GetMagickUTCTime'")" ]
}

# without NAME TEXT: the build without the recipe says TEXT.
without() {
    mkdir -p "$app/recipes"
    printf 'name: %s\nsummary: none\ndisabled: true\n' "$1" >"$app/recipes/without.yml"
    run "$rucksack" build --fast -n big -o "$BATS_TEST_TMPDIR/without" "$app"
    [ "$status" -eq 0 ]
    grep -qE "^(warning|note) .*$2" <<<"$output" || {
        echo "without $1: $output" >&2
        return 1
    }
}

@test "without any one recipe the build says what is missing" {
    without imagemagick "'$libdir/ImageMagick-[^/]+/modules-[^/]+/coders', which no recipe packs"
    without gconv "'$libdir/gconv', which no recipe packs"
    without mariadb "'$libdir/libmariadb3/plugin', which no recipe packs"
    without openssl "'$libdir/ossl-modules', which no recipe packs"
    without gio "'$libdir/gio/modules', which no recipe packs"
    without libmagic "'/usr/share/misc/magic', which is not packed"
    without fontconfig "'/usr/share/fontconfig/conf.avail', which is not packed"
    without terminfo "'/usr/share/terminfo', which is not packed"
    without tzdata "'/usr/share/zoneinfo', which is not packed"
    without locale "'/usr/lib/locale', which is not packed"
    without ca-certificates "'/usr/lib/ssl/cert.pem', which is not packed"
}

@test "a matched recipe whose modules are not there fails the build, not the server" {
    mkdir -p "$app/recipes"
    sed "s,path: .*/coders,path: /usr/no/coders," "$BATS_TEST_DIRNAME/../../recipes/imagemagick.yml" \
        >"$app/recipes/imagemagick.yml"
    run "$rucksack" build -q -o "$BATS_TEST_TMPDIR/none" "$app"
    [ "$status" -eq 1 ]
    [[ $output == *"E-RECIPE: recipe 'imagemagick': '/usr/no/coders' was not found"*"hint: "* ]]
    [ ! -e "$BATS_TEST_TMPDIR/none" ]
}
