#!/usr/bin/env bats
# SPDX-License-Identifier: MIT
# The tool for aarch64 packs the guestbook in a Debian of that processor, and the file serves it where there
# is nothing but a busybox: all of it by qemu-user, on a machine of another kind. make check-aarch64.
# $RUCKSACK_BUILD is this machine's build, $RUCKSACK_FOREIGN the other one.

bats_require_minimum_version 1.7.0
load ../e2e/lib
load ../rubies/lib
load lib

: "${RUCKSACK_FOREIGN:?set by make check-aarch64}"

setup_file() {
    export work=$BATS_FILE_TMPDIR guestbook=/dev/null
    export root=$work/root bundle=$work/guestbook-aarch64.AppImage
    chmod 755 "$work"
    register_qemu
    make_enter
    make_arm_root "$root"
    cp "$RUCKSACK_FOREIGN/rucksack" "$root/usr/bin/"
}

teardown_file() {
    BATS_TEST_TMPDIR=$work drop_roots
    forget_qemu
}

setup() {
    enter=$RUCKSACK_BUILD/enter
    guestbook=$bundle
}

teardown() {
    stop KILL
    drop_roots
}

# saw TEXT: shown whatever becomes of the test.
saw() {
    sed 's/^/# /' <<<"$*" >&3
}

in_arm() {
    in_root "$root" env -i PATH=/usr/sbin:/usr/bin:/sbin:/bin HOME=/root LANG=C.UTF-8 \
        SSL_CERT_FILE=/root/certificates "$@" </dev/null 3>&-
}

# Of each argument that is an ELF object for aarch64, segments that a kernel with pages of 64 kB does
# not map: 4 kB are the least that others have.
small_pages() {
    local file
    for file in "$@"; do
        readelf -lW "$file" 2>/dev/null | awk -v file="$file" '
            function hex(text, i, n) {
                for (i = 3; i <= length(text); i++)
                    n = n * 16 + index("0123456789abcdef", substr(text, i, 1)) - 1
                return n
            }
            $1 == "LOAD" && (hex($NF) < 65536 || (hex($2) - hex($3)) % 65536 != 0) {
                print file ": " $0
            }'
    done
}

@test "every program is static and for aarch64, and asks nothing of libgcc or of small pages" {
    local name
    for name in rucksack stub launch keeper service trial guest.so iseqs.so; do
        readelf -hW "$RUCKSACK_FOREIGN/$name" | grep -q 'Machine: *AArch64'
        run ! grep -q INTERP <(readelf -lW "$RUCKSACK_FOREIGN/$name")
        [ "$(readelf -lW "$RUCKSACK_FOREIGN/$name" | grep -c '^ *LOAD')" -ge 2 ]
        [ -z "$(small_pages "$RUCKSACK_FOREIGN/$name")" ]
    done
    for name in guest.so iseqs.so; do
        run ! grep -E 'UND +__aarch64' <(readelf --dyn-syms -W "$RUCKSACK_FOREIGN/$name")
    done
    # The one that this test is about: the tool sees what a linker does with -z max-page-size=4096.
    printf 'int x = 1;\n' >"$work/x.c"
    aarch64-linux-gnu-gcc -shared -nostdlib -Wl,-z,max-page-size=4096 -o "$work/x.so" "$work/x.c"
    [ -n "$(small_pages "$work/x.so")" ]
}

# The application in the root, with its gems: compiled there once, then copied.
make_app() {
    local kept
    kept=$cache/bookworm-arm64-gems-$(cksum <"$guestbook_app/Gemfile" | cut -d ' ' -f 1).tar
    cp -r "$guestbook_app" "$root/srv/guestbook"
    rm -rf "$root"/srv/guestbook/{vendor,.bundle,Gemfile.lock,data/*.sqlite3}
    if [ ! -f "$kept" ]; then
        cp /etc/resolv.conf /etc/hosts "$root/etc/"
        cp /etc/ssl/certs/ca-certificates.crt "$root/root/certificates"
        in_arm /srv/guestbook/bin/setup
        tar -C "$root/srv/guestbook" -cf "$kept.new" vendor .bundle Gemfile.lock
        mv "$kept.new" "$kept"
    fi
    tar -C "$root/srv/guestbook" -xf "$kept"
}

@test "bundle install and rucksack build in a Debian for aarch64" {
    make_app
    # Two objects that name places outside of the image: one is edited in place, one by patchelf.
    local gems=/srv/guestbook/vendor/bundle/ruby/3.1.0/gems
    in_arm sh -ec "cd $gems
        for so in \$(find . ../extensions -name sqlite3_native.so); do
            patchelf --set-rpath '\$ORIGIN/none:/opt/none' \$so
        done
        for so in \$(find . ../extensions -name puma_http11.so); do
            patchelf --set-rpath '/opt/none:\$ORIGIN' \$so
        done"

    local begin=$EPOCHREALTIME
    run -0 --separate-stderr in_arm sh -c 'cd /srv && rucksack build guestbook'
    saw "$stderr"
    [ -f "$root/srv/guestbook-aarch64.AppImage" ]
    [[ $stderr == *'check'*'not possible here: cannot watch a process'* ]]
    cp "$root/srv/guestbook-aarch64.AppImage" "$bundle"
    saw "$(awk -v a="$begin" -v b="$EPOCHREALTIME" 'BEGIN { printf "built in %.0f s", b - a }'),"\
        "$(stat -c %s "$bundle") bytes"
}

@test "every object of the bundle can be mapped by a kernel with pages of 64 kB" {
    "$rucksack" extract -o "$work/image" "$bundle"
    # shellcheck disable=SC2046 # no path of it has a blank
    set -- $(find "$work/image" -type f -exec sh -c 'head -c 4 "$1" | grep -q ELF' - {} \; -print)
    saw "$# objects"
    [ $# -gt 40 ]
    [ -z "$(small_pages "$@")" ]

    local edited
    for edited in sqlite3_native puma_http11; do
        run -0 find "$work/image/gems" -name $edited.so
        [ -n "$output" ]
        run ! grep -q '/opt/none' <(for so in $output; do readelf -dW "$so"; done)
    done
}

@test "this machine's tool reads it: inspect, why, verify, diff, doctor, oci; run refuses" {
    run -0 "$rucksack" inspect "$bundle"
    [[ $output == *aarch64* && $output == *puma* ]]
    run -0 "$rucksack" inspect --json "$bundle"
    [[ $output == *aarch64-linux* ]]
    run -0 "$rucksack" inspect --html "$work/page.html" "$bundle"
    grep -q aarch64 "$work/page.html"
    run -0 "$rucksack" why "$bundle" ld-linux-aarch64.so.1
    run -0 "$rucksack" verify "$bundle"
    run -0 "$rucksack" diff "$bundle" "$bundle"
    run -0 "$rucksack" oci -o "$work/oci.tar" "$bundle"
    tar -xOf "$work/oci.tar" --wildcards 'blobs/sha256/*' | grep -aq '"architecture": *"arm64"'

    run -3 "$rucksack" doctor "$bundle"
    [[ $output == *E-ARCH*"is for aarch64, and this machine is x86-64"* ]]
    run -1 "$rucksack" run "$bundle"
    [[ $output == *E-ARCH* ]]
}

@test "deps finds for the bundle's files what the build found" {
    run -0 "$rucksack" deps "$bundle"
    [[ $output == *libruby-3.1.so.3.1* && $output == *libc.so.6* ]]
}

# A root in which only a busybox for aarch64 is; the host's would not start there.
make_arm_busybox_root() {
    make_busybox_root "$1"
    cp "$root/bin/busybox" "$1/bin/busybox"
}

# By qemu and beside other work a start takes more than ten seconds.
begins() {
    local i
    start "$@" "$bare" /srv/guestbook.AppImage
    for i in 1 2 3 4 5 6 7 8 9; do
        wait_until_up 2>/dev/null && return
        kill -0 "$pid" || break
    done
    wait_until_up
}

# It answers, and an entry is there after the next start.
serves() {
    begins "$@"
    [ "$(status_of /)" = 200 ]
    [ "$(status_of /entries -d "name=Ada&text=by $way")" = 303 ]
    stop TERM
    begins "$@"
    request /entries.json | grep -q "\"text\":\"by $way\""
    stop TERM
    nothing_left "$bare"
}

@test "it serves and keeps an entry in a root with a busybox: unpacked" {
    bare=$BATS_TEST_TMPDIR/bare way=extract
    make_arm_busybox_root "$bare"
    serves --user $user
    saw "served by aarch64, unpacked"
}

@test "it serves and keeps an entry in a root with a busybox: mounted by the kernel" {
    bare=$BATS_TEST_TMPDIR/bare way=kernel
    make_arm_busybox_root "$bare"
    serves --loop
    saw "served by aarch64, mounted by the kernel"
}

@test "exec, backup and restore: launcher and keeper" {
    bare=$BATS_TEST_TMPDIR/bare way=extract
    make_arm_busybox_root "$bare"
    run -0 run_in --user $user "$bare" /srv/guestbook.AppImage exec ruby -e 'puts RUBY_PLATFORM'
    [ "$output" = aarch64-linux-gnu ]
    begins --user $user
    [ "$(status_of /entries -d 'name=Ada&text=kept')" = 303 ]
    stop TERM
    run -0 run_in --user $user "$bare" /srv/guestbook.AppImage backup -o /tmp/snapshot
    rm -r "$bare/srv/guestbook.state"
    run -0 run_in --user $user "$bare" /srv/guestbook.AppImage restore /tmp/snapshot
    begins --user $user
    request /entries.json | grep -q '"text":"kept"'
}
