#!/usr/bin/env bats
# SPDX-License-Identifier: MIT
# rucksack deps: the tree, the list, JSON, the comparison with the loader, and what goes wrong.
bats_require_minimum_version 1.5.0


setup() {
    rucksack=$RUCKSACK_BUILD/rucksack
    work=$(realpath "$BATS_TEST_TMPDIR")
    cd "$work"
    echo 'int main(void){return 0;}' >m.c
    mkdir sub
    shared libb.so sub/libb.so
    shared liba.so liba.so sub/libb.so
    cc -o app m.c -Wl,--no-as-needed -Wl,--disable-new-dtags '-Wl,-rpath,$ORIGIN:$ORIGIN/sub' liba.so \
        -Wl,-rpath-link,sub
}

# shared SONAME FILE [LIBRARY...]
shared() {
    cc -shared -fPIC -nostdlib -Wl,--no-as-needed "-Wl,-soname,$1" -o "$2" -xc /dev/null -xnone "${@:3}"
}

# The loader of this machine's programs.
loader() {
    readelf -lW app | sed -n 's/.*interpreter: \(.*\)]/\1/p'
}

@test "each object is below the one that asked for it, with what found it" {
    run --separate-stderr "$rucksack" deps app
    [ "$status" -eq 0 ]
    [ "${lines[0]}" = "$work/app" ]
    [ "${lines[1]}" = "  liba.so => $work/liba.so (RPATH of app)" ]
    [ "${lines[2]}" = "    libb.so => $work/sub/libb.so (RPATH of app)" ]
    [[ ${lines[3]} = "  libc.so.6 => "*" (ld.so.cache)" ]]
    [[ ${lines[4]} = "    ld-linux"*" => $(loader) (the loader)" ]]
}

@test "--list is one absolute path a line, in the loader's order, none twice" {
    run "$rucksack" deps --list app app
    [ "$status" -eq 0 ]
    [ "${lines[0]}" = "$work/app" ]
    [ "${lines[1]}" = "$work/liba.so" ]
    [ "${lines[3]}" = "$work/sub/libb.so" ]
    [ "${lines[4]}" = "$(loader)" ]
    [ "${#lines[@]}" -eq 5 ]
}

@test "--null is for names with newlines, which --list alone refuses" {
    mkdir $'new\nline'
    cp app liba.so $'new\nline'
    cp -r sub $'new\nline'
    run "$rucksack" deps --list $'new\nline/app'
    [ "$status" -eq 1 ]
    [[ $output = *"hint: --list --null"* ]]
    "$rucksack" deps --list --null $'new\nline/app' >out
    [ "$(tr -cd '\0' <out | wc -c)" -eq 5 ]
    run "$rucksack" deps $'new\nline/app'
    [ "${lines[0]}" = "$work/new\\x0aline/app" ]
}

@test "--json has objects, edges and what is missing" {
    rm sub/libb.so
    run --separate-stderr "$rucksack" deps --json app
    [ "$status" -eq 1 ]
    perl -MJSON::PP -e '
        my $file = decode_json(join "", <STDIN>)->[0];
        my ($dir, $loader) = @ARGV;
        $file->{path} eq "$dir/app" && $file->{loader} eq $loader or die "file";
        $file->{objects}[1]{path} eq "$dir/liba.so" or die "objects";
        my ($edge) = grep { $_->{name} eq "liba.so" } @{$file->{edges}};
        $edge->{found} eq "rpath" && $edge->{via} eq "$dir/app" or die "edges";
        my $missing = $file->{missing}[0];
        $missing->{name} eq "libb.so" && $missing->{from} eq "$dir/liba.so" or die "missing";
        $missing->{tried} =~ m{^\Q$dir/libb.so, $dir/sub/libb.so, \E} or die "tried";
    ' "$work" "$(loader)" <<<"$output"
}

@test "a library that is not found is an error that names every path tried" {
    rm sub/libb.so
    run --separate-stderr "$rucksack" deps app
    [ "$status" -eq 1 ]
    [[ $output = *"    libb.so => not found"* ]]
    [[ $stderr = "rucksack: E-LIB: 'libb.so', needed by '$work/liba.so', was not found (tried $work/libb.so, $work/sub/libb.so, /"* ]]
    [[ $stderr = *"hint: install the package that contains it" ]]
    # not the lines, but the paths that are there
    run --separate-stderr "$rucksack" deps --list app
    [ "$status" -eq 1 ]
    [ "${lines[1]}" = "$work/liba.so" ]
}

@test "--check agrees with the loader, also about what is missing" {
    run "$rucksack" deps --check app liba.so
    [ "$status" -eq 0 ]
    [ "$output" = "2 files compared with the loader, 0 not" ]
    rm sub/libb.so
    run "$rucksack" deps --check app
    [ "$status" -eq 0 ]
    printf text >sub/libb.so
    run "$rucksack" deps --check app
    [ "$status" -eq 0 ]
    [ "$output" = "1 files compared with the loader, 0 not" ]
}

@test "--check gives nothing to a loader that would change user" {
    chmod u+s app
    run "$rucksack" deps --check app
    [ "$status" -eq 0 ]
    [ "${lines[0]}" = "$work/app: not compared: it runs with the rights of another user" ]
    if [ "$(id -u)" -eq 0 ]; then
        chown 1001 liba.so
        run "$rucksack" deps --check liba.so
        [ "${lines[0]}" = "$work/liba.so: not compared: it belongs to another user" ]
    fi
}

@test "--check exits with 3 where the loader says something else" {
    cat >loader.c <<'C'
#include <stdio.h>
#include <string.h>
/* What is read of a loader that cannot be asked: directories, cache, version. */
const char dirs[] = "\0/lib/none/\0/usr/lib/none/\0x\0/etc/none/ld.so.cache\0stable release version 2.36";
int main(int argc, char **argv)
{
    if (argc > 1 && strcmp(argv[1], "--list-diagnostics") == 0)
        return 1;
    puts(dirs[1] ? "\tlibc.so.6 => /elsewhere/libc.so.6 (0x1234)" : "");
    return 0;
}
C
    cc -O0 -static -o loader loader.c
    cc -o odd m.c "-Wl,--dynamic-linker=$work/loader"
    run "$rucksack" deps --check odd
    [ "$status" -eq 3 ]
    [[ ${lines[0]} = "$work/odd: object 1: '/"*"/libc.so.6', but the loader has '/elsewhere/libc.so.6'" ]]
    [[ $output = *"rucksack: E-LOADER: '$work/odd': object 1"* ]]
    [[ $output = *"hint: this is a defect of rucksack"* ]]
}

@test "of a directory, everything below it is walked, and what nothing loads is left out" {
    shared liba.so liba.so
    cc -g -c -o object.o m.c
    objcopy --only-keep-debug app app.debug
    cp liba.so foreign.so
    printf '\363\0' | dd of=foreign.so bs=1 seek=18 conv=notrunc 2>/dev/null
    run --separate-stderr "$rucksack" deps .
    [ "$status" -eq 0 ]
    [ "$(grep -c "^/" <<<"$output")" -eq 3 ]
    [[ $output = *$'\n'"$work/sub/libb.so" ]]
    [[ $stderr = "left out "*"3 files; the first: '$work/"* ]]
}

@test "a foreign file that is named is an error with a way out" {
    printf '\363\0' | dd of=liba.so bs=1 seek=18 conv=notrunc 2>/dev/null
    run "$rucksack" deps liba.so
    [ "$status" -eq 1 ]
    [[ $output = *"E-LIBC: '$work/liba.so' is for riscv, and its loader "*" is not on this machine"* ]]
    [[ $output = *"hint: look at it where it runs, or name another loader: --loader FILE"* ]]
    run "$rucksack" deps --loader "$(loader)" sub/libb.so
    [ "$status" -eq 0 ]
}

@test "--library-path comes before RUNPATH and after RPATH" {
    mkdir other
    cp sub/libb.so other/
    shared liba.so other/liba.so
    cc -o new m.c -Wl,--no-as-needed -Wl,--enable-new-dtags '-Wl,-rpath,$ORIGIN' liba.so -Wl,-rpath-link,sub
    run "$rucksack" deps --library-path "/none;$work/other" new
    [ "${lines[1]}" = "  liba.so => $work/other/liba.so (--library-path)" ]
    run "$rucksack" deps --library-path "/none:$work/other" app
    [ "${lines[1]}" = "  liba.so => $work/liba.so (RPATH of app)" ]
    [ "$(LD_LIBRARY_PATH="/none;$work/other" LD_TRACE_LOADED_OBJECTS=1 ./new | sed -n 's/.*liba.so => \(.*\) (.*/\1/p')" = \
        "$work/other/liba.so" ]
}

@test "static programs load nothing, and no object is an error" {
    cc -static -o static m.c
    cc -static-pie -o static-pie m.c
    for file in static static-pie; do
        run "$rucksack" deps $file
        [ "$status" -eq 0 ]
        [ "${lines[1]}" = "  statically linked" ]
        [ "$("$rucksack" deps --list $file)" = "$work/$file" ]
    done
    run "$rucksack" deps m.c
    [ "$status" -eq 1 ]
    [[ $output = "rucksack: E-ELF: '$work/m.c'"* ]]
    run "$rucksack" deps none
    [ "$status" -eq 1 ]
    [[ $output = *"'none': No such file or directory"* ]]
}

@test "what excludes each other is a usage error" {
    run "$rucksack" deps --list --json app
    [ "$status" -eq 2 ]
    [[ $output = *"exclude each other"* ]]
    run "$rucksack" deps --null app
    [ "$status" -eq 2 ]
    [[ $output = *"--null needs --list"* ]]
}

@test "programs of musl are walked by its rules" {
    command -v musl-gcc >/dev/null || skip "no musl-gcc"
    musl-gcc -shared -fPIC -nostdlib -o sub/libm2.so -xc /dev/null
    musl-gcc -shared -fPIC -nostdlib -o libm1.so -xc /dev/null -xnone -Wl,--no-as-needed -Lsub -lm2
    musl-gcc -o musl m.c -Wl,--no-as-needed -Wl,--enable-new-dtags '-Wl,-rpath,$ORIGIN:$ORIGIN/sub' -L. -lm1 \
        -Wl,-rpath-link,sub
    run "$rucksack" deps musl
    [ "$status" -eq 0 ]
    # RUNPATH is inherited
    [[ $output = *"    libm2.so => $work/sub/libm2.so (RUNPATH of musl)"* ]]
    [[ $output = *"libc.so => /lib/ld-musl-"*" (the loader)"* ]]
    run "$rucksack" deps --check musl libm1.so
    [ "$status" -eq 0 ]
    [ "$output" = "2 files compared with the loader, 0 not" ]
    rm sub/libm2.so
    run "$rucksack" deps --check musl
    [ "$status" -eq 0 ]
    [ "$output" = "1 files compared with the loader, 0 not" ]
}

@test "musl: what exports what libc does is libc; an extension that lacks symbols is no difference" {
    command -v musl-gcc >/dev/null || skip "no musl-gcc"
    cp "$(realpath /lib/ld-musl-*.so.1)" sub/libother.so
    musl-gcc -o musl m.c -Wl,--no-as-needed '-Wl,-rpath,$ORIGIN/sub' -Lsub -lother
    run "$rucksack" deps musl
    [ "$status" -eq 0 ]
    [[ $output = *"  libother.so => /lib/ld-musl-"*" (the loader)"* ]]
    echo 'int of_ruby(void); int of_ours(void) { return of_ruby(); }' >x.c
    musl-gcc -shared -fPIC -o ext.so x.c
    run "$rucksack" deps --check musl ext.so
    echo "$output"
    [ "$status" -eq 0 ]
    [ "$output" = "2 files compared with the loader, 0 not" ]
}

@test "of a script, the program that runs it is walked" {
    printf '#! %s/app -x\n' "$work" >script
    run "$rucksack" deps script
    [ "$status" -eq 0 ]
    [ "${lines[0]}" = "$work/script" ]
    [ "${lines[1]}" = "  script, run by $work/app" ]
    [ "${lines[3]}" = "  liba.so => $work/liba.so (RPATH of app)" ]
    run "$rucksack" deps --list script
    [ "${lines[0]}" = "$work/script" ]
    [ "${lines[1]}" = "$work/app" ]
    for line in '#!/usr/bin/env app' '#!/usr/bin/env -S app -x'; do
        echo "$line" >script
        PATH=$work:$PATH run "$rucksack" deps script
        [ "${lines[1]}" = "  script, run by $work/app" ]
    done
    echo '#!/usr/bin/env none-such' >script
    run "$rucksack" deps script
    [ "$status" -eq 1 ]
    [[ $output = *"E-ELF: '$work/script'"* ]]
}
