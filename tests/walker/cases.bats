#!/usr/bin/env bats
# SPDX-License-Identifier: MIT
# Rules of the loader as fixtures, the answer written down, and the loader asked, too. What a bundle
# makes of them is in tests/unit/walk_test.c.

bats_require_minimum_version 1.5.0

load ../e2e/lib

setup() {
    work=$(realpath "$BATS_TEST_TMPDIR")
    cd "$work"
    echo 'int main(void){return 0;}' >m.c
}

teardown() {
    drop_roots
}

# Nothing of ours belongs into the roots but the program itself.
prepare_root() {
    cp "$rucksack" "$1/rucksack"
}

# shared SONAME FILE [OPTION|LIBRARY...]; SONAME - for none
shared() {
    local soname=
    [ "$1" = - ] || soname=-Wl,-soname,$1
    mkdir -p "$(dirname "$2")"
    # shellcheck disable=SC2086 # no soname, no word
    cc -shared -fPIC -nostdlib -Wl,--no-as-needed $soname -o "$2" -xc /dev/null -xnone "${@:3}"
}

# app FILE RPATH|RUNPATH DIRS [OPTION|LIBRARY...]
app() {
    local tags=--disable-new-dtags
    [ "$2" = RPATH ] || tags=--enable-new-dtags
    cc -o "$1" m.c -Wl,--no-as-needed "-Wl,$tags" "-Wl,-rpath,$3" "${@:4}" -Wl,-rpath-link,sub:.
}

# patch FILE OFFSET BYTES: in place
patch() {
    printf "$3" | dd of="$1" bs=1 seek="$2" conv=notrunc 2>/dev/null
}

# The same as the loader's answer, both with $options.
options=()
agrees() {
    run "$rucksack" deps --check "${options[@]}" "$@"
    echo "$output"
    [ "$status" -eq 0 ]
    [ "${lines[-1]}" = "$# files compared with the loader, 0 not" ]
}

# finds FILE NAME PATH: and the loader agrees. PATH "nothing": not found.
finds() {
    agrees "$1"
    run --separate-stderr "$rucksack" deps "${options[@]}" "$1"
    echo "$output"
    if [ "$3" = nothing ]; then
        [ "$status" -eq 1 ]
        grep -qxE " +$2 => not found" <<<"$output"
    else
        [ "$status" -eq 0 ]
        grep -qE "^ +$2 => $3 \(" <<<"$output"
    fi
}

# fails FILE TEXT: so does the loader
fails() {
    agrees "$1"
    run "$rucksack" deps "$1"
    echo "$output"
    [ "$status" -eq 1 ]
    [[ $output = *E-ELF:*"$2"* ]]
}

@test "8: a program behind a symlink, started by the loader, has the text of the path as origin" {
    mkdir real bin
    shared libd.so real/libd.so
    app real/rp RPATH '$ORIGIN' real/libd.so
    ln -s ../real/rp bin/rp
    agrees bin/rp
    # by the kernel
    run "$rucksack" deps bin/rp
    [ "${lines[1]}" = "  libd.so => $work/real/libd.so (RPATH of rp)" ]
}

# in_sid PROGRAM...: for a loader that is newer than this machine's. It asks /proc for the real path.
in_sid() {
    run unshare -m sh -c 'mount -t proc proc "$0/proc" && exec chroot "$0" "$@"' \
        "$BATS_TEST_TMPDIR/sid" "$@"
    echo "$output"
}

@test "8, glibc 2.42: the loader takes the real path" {
    [ "$(id -u)" -eq 0 ] || skip "needs root"
    [ "$(uname -m)" = x86_64 ] || skip "x86-64"
    make_debian_root sid "$BATS_TEST_TMPDIR/sid"
    local loader=/lib64/ld-linux-x86-64.so.2
    in_sid "$loader" --version
    [[ $output =~ "stable release version 2."([0-9]+) ]]
    [ "${BASH_REMATCH[1]}" -ge 42 ] || skip "sid is older"
    mkdir real bin
    shared libd.so real/libd.so
    app real/rp RPATH '$ORIGIN' real/libd.so
    ln -s ../real/rp bin/rp
    cp -r real bin "$BATS_TEST_TMPDIR/sid/srv/"
    in_sid /rucksack deps --check /srv/bin/rp
    [ "${lines[-1]}" = "1 files compared with the loader, 0 not" ]
    in_sid "$loader" --list /srv/bin/rp
    [[ $output = *"libd.so => /srv/real/libd.so "* ]]
}

@test "16 to 19: candidates that are damaged end the search, others do not" {
    shared libw.so good/libw.so
    app c RUNPATH '$ORIGIN/sub:$ORIGIN/good' good/libw.so
    mkdir sub
    : >sub/libw.so
    fails c sub/libw.so
    printf 'short.' >sub/libw.so
    fails c sub/libw.so
    head -c 300 /dev/zero >sub/libw.so
    fails c sub/libw.so
    printf 'INPUT(libother.so)%0300d\n' 1 >sub/libw.so
    fails c sub/libw.so
    cp good/libw.so sub/
    patch sub/libw.so 7 '\011'
    fails c "OS ABI 9"
    patch sub/libw.so 7 '\003'
    finds c libw.so "$work/sub/libw.so"
    patch sub/libw.so 6 '\002'
    fails c sub/libw.so
}

@test "21 to 23: variants for the processor, below each directory in turn" {
    [ "$(uname -m)" = x86_64 ] || skip "x86-64"
    "$(readelf -lW "$(command -v cat)" | sed -n 's/.*interpreter: \(.*\)]/\1/p')" --help |
        grep -q 'x86-64-v2 (supported' || skip "the loader has no variants here"
    shared libh.so good/libh.so
    app c RUNPATH '$ORIGIN/sub:$ORIGIN/good' good/libh.so
    for level in 2 3 4; do
        shared libh.so good/glibc-hwcaps/x86-64-v$level/libh.so
        agrees c
    done
    [[ $("$rucksack" deps c) = *"libh.so => $work/good/glibc-hwcaps/x86-64-v"[234]"/libh.so (RUNPATH of c)"* ]]
    rm -r good/glibc-hwcaps/x86-64-v[34] good/libh.so
    finds c libh.so "$work/good/glibc-hwcaps/x86-64-v2/libh.so"
    # of another machine
    cp good/glibc-hwcaps/x86-64-v2/libh.so good/
    patch good/glibc-hwcaps/x86-64-v2/libh.so 18 '\363'
    finds c libh.so "$work/good/libh.so"
    # dir1 base, dir2 variant
    patch good/glibc-hwcaps/x86-64-v2/libh.so 18 '\076'
    shared libh.so sub/libh.so
    finds c libh.so "$work/sub/libh.so"
}

@test "21: a mask of the variants" {
    [ "$(uname -m)" = x86_64 ] || skip "x86-64"
    "$(readelf -lW "$(command -v cat)" | sed -n 's/.*interpreter: \(.*\)]/\1/p')" --help |
        grep -q 'x86-64-v3 (supported' || skip "the loader has no variants here"
    shared libh.so good/libh.so
    app c RUNPATH '$ORIGIN/good' good/libh.so
    for level in 2 3 4; do
        shared libh.so good/glibc-hwcaps/x86-64-v$level/libh.so
    done
    options=(--hwcaps-mask x86-64-v2)
    finds c libh.so "$work/good/glibc-hwcaps/x86-64-v2/libh.so"
    options=(--hwcaps-mask x86-64-v1:x86-64-v3:x86-64-v2)
    finds c libh.so "$work/good/glibc-hwcaps/x86-64-v3/libh.so"
    options=(--hwcaps-mask "")
    finds c libh.so "$work/good/libh.so"
}

@test "24: subdirectories that loaders before 2.37 search" {
    shared libh.so good/libh.so
    app c RUNPATH '$ORIGIN/good' good/libh.so
    for dir in x86_64 x86_64/x86_64 tls tls/x86_64 tls/x86_64/x86_64; do
        shared libh.so good/$dir/libh.so
        agrees c
    done
    minor=$(ldd --version | sed -n '1s/.* 2\.//p')
    if [ "$minor" -lt 37 ]; then
        finds c libh.so "$work/good/tls/x86_64/x86_64/libh.so"
    else
        finds c libh.so "$work/good/libh.so"
    fi
}

# with_cache COMMAND...: in a mount namespace where the cache knows the directories of conf.
with_cache() {
    unshare -m sh -c 'mount --bind cache /etc/ld.so.cache && "$@"' sh "$@"
}

cache_of() {
    { cat /etc/ld.so.conf.d/*.conf && printf '%s\n' "$@"; } >conf
    /sbin/ldconfig -X -C cache -f conf 2>/dev/null
}

cached() {
    run with_cache "$rucksack" deps --check "${options[@]}" c
    echo "$output"
    [ "${lines[-1]}" = "1 files compared with the loader, 0 not" ]
    run with_cache "$rucksack" deps "${options[@]}" c
    echo "$output"
    [[ $output = *"libc1.so => $1"* ]]
}

@test "25 to 28: the cache counts, not the configuration that it was made of" {
    [ "$(id -u)" -eq 0 ] || skip "needs root"
    "$(readelf -lW "$(command -v cat)" | sed -n 's/.*interpreter: \(.*\)]/\1/p')" --help |
        grep -q 'x86-64-v3 (supported' || skip "the loader has no variants here"
    shared libc1.so known/libc1.so
    app c RUNPATH /none known/libc1.so
    finds c libc1.so nothing
    cache_of "$work/known"
    cached "$work/known/libc1.so (ld.so.cache)"
    local before=libc1.so level
    for level in 2 3; do
        shared libc1.so known/glibc-hwcaps/x86-64-v$level/libc1.so
        # known to the configuration, not to the cache
        cached "$work/known/$before (ld.so.cache)"
        before=glibc-hwcaps/x86-64-v$level/libc1.so
        cache_of "$work/known"
        cached "$work/known/"
        [[ $output = *"$work/known/$before (ld.so.cache)"* ]]
    done
    options=(--hwcaps-mask x86-64-v2)
    cached "$work/known/glibc-hwcaps/x86-64-v2/libc1.so (ld.so.cache)"
    options=(--hwcaps-mask "")
    cached "$work/known/libc1.so (ld.so.cache)"
    options=(--inhibit-cache)
    cached "not found"
    options=()
    # a file that is gone is not looked for again
    rm -r known
    cached "not found"
}

@test "30: filtees come before their owner, and only auxiliary ones may be missing" {
    shared libreal.so sub/libreal.so
    shared libdeep.so sub/libdeep.so
    shared libaux.so sub/libaux.so -Wl,-f,libreal.so '-Wl,--enable-new-dtags,-rpath,$ORIGIN' sub/libdeep.so
    app c RUNPATH '$ORIGIN/sub' sub/libaux.so
    agrees c
    run "$rucksack" deps --list c
    [ "${lines[1]}" = "$work/sub/libreal.so" ]
    [ "${lines[2]}" = "$work/sub/libaux.so" ]
    # it moves when it is in the list already
    app c2 RUNPATH '$ORIGIN/sub' sub/libaux.so sub/libreal.so sub/libdeep.so
    app c3 RUNPATH '$ORIGIN/sub' sub/libreal.so sub/libaux.so
    agrees c2 c3
    rm sub/libreal.so
    agrees c
    run "$rucksack" deps c
    [ "$status" -eq 0 ]
    shared libreal.so sub/libreal.so
    shared libaux.so sub/libaux.so -Wl,-F,libreal.so '-Wl,--enable-new-dtags,-rpath,$ORIGIN'
    agrees c
    rm sub/libreal.so
    run "$rucksack" deps c
    [ "$status" -eq 1 ]
    [[ $output = *"E-LIB: 'libreal.so', needed by '$work/sub/libaux.so'"* ]]
}

@test "32 and 34: names and directories that depend on the working directory" {
    shared - cc/libn1.so
    app c RUNPATH /none cc/libn1.so
    run "$rucksack" deps c
    [ "${lines[1]}" = "  cc/libn1.so => $work/cc/libn1.so (path)" ]
    run "$rucksack" deps --list c
    [ "${lines[1]}" = "$work/cc/libn1.so" ]
    cd /
    run "$rucksack" deps "$work/c"
    [ "$status" -eq 1 ]
    cd "$work"
    shared libr.so c7/b/libr.so
    app d RUNPATH '/n1::/n2' c7/b/libr.so
    finds d libr.so nothing
    cp c7/b/libr.so .
    run "$rucksack" deps d
    [ "${lines[1]}" = "  libr.so => $work/libr.so (RUNPATH of d)" ]
    rm libr.so
    app d RUNPATH c7/b c7/b/libr.so
    run "$rucksack" deps d
    [ "${lines[1]}" = "  libr.so => $work/c7/b/libr.so (RUNPATH of d)" ]
}

# tag FILE OLD NEW: the first entry of PT_DYNAMIC with the tag gets another one.
tag() {
    perl -e '
        my ($path, $old, $new, $at) = @ARGV;
        open(my $file, "+<:raw", $path) or die;
        for ($at = hex $at;; $at += 16) {
            seek($file, $at, 0) && read($file, my $entry, 16) == 16 or die;
            my $tag = unpack("Q<", $entry);
            die "no such tag" if $tag == 0;
            next if $tag != hex $old;
            seek($file, $at, 0);
            print $file pack("Q<", hex $new);
            last;
        }' "$1" "$2" "$3" "$(readelf -lW "$1" | awk '$1 == "DYNAMIC" { print $2 }')"
}

@test "36: --library-path comes before RUNPATH, and after an RPATH that is still one" {
    shared libl.so own/libl.so
    shared libl.so lib/libl.so
    options=(--library-path "$work/lib")
    app run RUNPATH '$ORIGIN/own' own/libl.so
    finds run libl.so "$work/lib/libl.so"
    app r RPATH '$ORIGIN/own' own/libl.so
    finds r libl.so "$work/own/libl.so"
    cp r flipped
    tag flipped 0xf 0x1d
    finds flipped libl.so "$work/lib/libl.so"
    cp r unknown
    tag unknown 0xf 0x6ffff000
    finds unknown libl.so "$work/lib/libl.so"
    options=()
    finds flipped libl.so "$work/own/libl.so"
    finds unknown libl.so nothing
}

@test "38: LD_PRELOAD and its like are not looked at" {
    shared libneeded.so sub/libneeded.so
    shared p1.so p1.so
    shared p2.so p2.so
    shared libneeded.so other/libneeded.so
    app c RUNPATH '$ORIGIN/sub' sub/libneeded.so
    run "$rucksack" deps --list c
    local plain=$output
    export LD_PRELOAD="$work/p1.so $work/p2.so" LD_LIBRARY_PATH=$work/other
    # the loader itself: first, in their order
    run env LD_TRACE_LOADED_OBJECTS=1 ./c
    [[ $output = *"$work/p1.so"*"$work/p2.so"*"libneeded.so => $work/other/libneeded.so"* ]]
    run "$rucksack" deps --list c
    [ "$output" = "$plain" ]
    agrees c
}

@test "52: blanks, UTF-8, and names that fill a path" {
    dir="a b/ü"
    shared libs.so "$dir/libs.so"
    app "$dir/c" RUNPATH '$ORIGIN' "$dir/libs.so"
    agrees "$dir/c"
    run "$rucksack" deps --list "$dir/c"
    [ "${lines[1]}" = "$work/$dir/libs.so" ]
    long=$(printf 'x%.0s' $(seq 250))
    app e RUNPATH "/$long/$long/$long/$long/$long/$long/$long/$long/$long/$long/$long/$long/$long/$long/$long/$long/$long" "$dir/libs.so"
    finds e libs.so nothing
}
