#!/usr/bin/env bats
# SPDX-License-Identifier: MIT
# What the loader maps in a bundle: files of the image and nothing else, whatever the host offers
# under the same names, and whatever directories a gem was built with.

bats_require_minimum_version 1.5.0
load lib

setup_file() {
    make_guestbook
}

setup() {
    cd "$BATS_TEST_TMPDIR" || return
    make_enter
    root=$BATS_TEST_TMPDIR/root
    app=$BATS_TEST_TMPDIR/app
    opt=$BATS_TEST_TMPDIR/opt/lib # a directory that only the build machine should use
    bundle=$BATS_TEST_TMPDIR/app.AppImage
    libdir=$(dirname "$(realpath "$(cc -print-file-name=libc.so.6)")")
    way=
    chmod 755 "$BATS_TEST_TMPDIR"
    cp -a "$guestbook_app" "$app"
    rm -rf "$app"/data/*.sqlite3* "$app"/*.AppImage
    extension=$(find "$app/vendor" -path '*/sqlite3-*/*' -name sqlite3_native.so | head -1)
}

teardown() {
    stop KILL
    drop_roots
}

# Every copy of the gem's extension: in lib/ and in the extension directory.
each_extension() {
    local file
    find "$app/vendor" -name sqlite3_native.so | while read -r file; do
        "$@" "$file"
    done
}

# Without the check: some of these apps are not meant to start.
build_app() {
    "$rucksack" build --fast --quiet --no-check -o "$bundle" "$app"
}

# A library that tells when it is loaded. It needs no other one.
make_evil() {
    cat >evil.c <<'C'
#include <fcntl.h>
#include <sys/syscall.h>
__attribute__((constructor)) static void tell(void)
{
    long number = SYS_open, flags = O_CREAT | O_WRONLY, mode = 0666, result;
    register long r10 __asm__("r10") = 0;
    __asm__ volatile("syscall" : "=a"(result)
                     : "a"(number), "D"("/tmp/evil"), "S"(flags), "d"(mode), "r"(r10)
                     : "rcx", "r11", "memory");
}
C
    cc -shared -fPIC -nostdlib -o evil.so evil.c
    rm -f /tmp/evil
    LD_PRELOAD=$PWD/evil.so /bin/true
    [ -e /tmp/evil ]
    rm -f /tmp/evil
}

# The root has it under the name of every library that the bundle could look for.
make_hostile_root() {
    make_evil
    guestbook=$bundle make_busybox_root "$root"
    local dir name
    for dir in /evil "$opt" "$libdir" /lib /usr/lib /lib64 /usr/lib64 "/lib/${libdir##*/}"; do
        mkdir -p "$root$dir"
        for name in libsqlite3.so.0 libc.so.6 libm.so.6 libz.so.1 libgcc_s.so.1 libcrypto.so.3 \
            libssl.so.3 libyaml-0.so.2 libffi.so.8 libidn2.so.0 libnss_evil.so.2 \
            libnss_files.so.2 libnss_dns.so.2 $(cd "$libdir" && ls libruby*.so.*); do
            cp evil.so "$root$dir/$name"
        done
    done
    cp evil.so "$root/evil/evil.so"
    mkdir -p "$root/etc"
    echo /evil/evil.so >"$root/etc/ld.so.preload"
    printf '%s\n' 'passwd: evil files' 'group: evil files' 'hosts: evil files dns' \
        >"$root/etc/nsswitch.conf"
    echo 'root:x:0:0::/:/bin/sh' >"$root/etc/passwd"
    echo '127.0.0.1 localhost' >"$root/etc/hosts"
}

# Loads everything, looks up a user and a host, and prints what is mapped.
look() {
    cat >"$root/srv/look.rb" <<'RUBY'
require "bundler/setup"
Bundler.require(:default)
%w[openssl json socket zlib fiddle psych readline etc nkf].each { |name| require name }
abort "no user" unless Etc.getpwuid(0).name == "root"
begin
  Etc.getpwnam("nosuch")
rescue ArgumentError
end
abort "no host" unless Addrinfo.getaddrinfo("localhost", 80).any?
SQLite3::Database.new(":memory:").execute("select 1")
puts File.readlines("/proc/self/maps").filter_map { |line| line.split(" ", 6)[5]&.chomp }.uniq
RUBY
    run --separate-stderr run_in --loop "$root" /bin/env LD_PRELOAD=/evil/evil.so \
        LD_LIBRARY_PATH=/evil LD_AUDIT=/evil/evil.so GCONV_PATH=/evil \
        /srv/guestbook.AppImage exec ruby /srv/look.rb
    printf '%s\n' "$output" "$stderr"
    [ "$status" -eq 0 ]
}

# Everything that is mapped, and is a file, is in the image.
only_ours() {
    [ ! -e "$root/tmp/evil" ]
    grep -q '/m/.*/libsqlite3' <<<"$output"
    grep -q '/m/.*sqlite3_native.so$' <<<"$output"
    [ -z "$(grep '^/' <<<"$output" | grep -vE '^(/[a-z0-9-]+)+/[0-9a-f]{12}/m/')" ]
}

@test "a hostile host: its libraries, preloads and name services are never mapped" {
    build_app
    make_hostile_root
    look
    only_ours
}

@test "an extension with an absolute RPATH or RUNPATH: the copy leads nowhere, the host's is not used" {
    mkdir -p "$opt"
    cp -L "$libdir/libsqlite3.so.0" "$opt"
    local force
    for force in --force-rpath ''; do
        # shellcheck disable=SC2086 # nothing, or one option
        each_extension patchelf $force --set-rpath "$opt"
        build_app
        "$rucksack" extract -o out "$bundle" >/dev/null
        [ -z "$(find out -name sqlite3_native.so -exec readelf -d {} + | grep -E 'R(UN)?PATH')" ]
        rm -r out
        make_hostile_root
        look
        only_ours
        drop_roots
        cd "$BATS_TEST_TMPDIR"
    done
}

@test "an extension whose DT_NEEDED is a path: the copy needs the name" {
    mkdir -p "$opt"
    cp -L "$libdir/libsqlite3.so.0" "$opt"
    each_extension patchelf --replace-needed libsqlite3.so.0 "$opt/libsqlite3.so.0"
    build_app
    make_hostile_root
    look
    only_ours
}

@test "an extension that keeps a part of its path: patchelf, and an error without it" {
    mkdir -p "$opt"
    cp -L "$libdir/libsqlite3.so.0" "$opt"
    each_extension patchelf --set-rpath "\$ORIGIN/private:$opt"
    build_app
    make_hostile_root
    look
    only_ours
    mkdir bin
    local program
    for program in ruby bundle cc sh env; do
        ln -s "$(command -v $program)" "bin/$program"
    done
    run --separate-stderr env "PATH=$PWD/bin" "$rucksack" build --quiet -o "$bundle" "$app"
    [ "$status" -eq 1 ]
    [[ $stderr == *"E-EDIT: "*"sqlite3_native.so"*"patchelf"* ]]
    [[ $stderr == *"hint: install the program 'patchelf'"* ]]
}

@test "a library of the gem's own beats the system's of the same name" {
    # one that says so: the version is another one
    local file
    find "$app/vendor" -name sqlite3_native.so | while read -r file; do
        mkdir -p "$(dirname "$file")/private"
        cp -L "$libdir/libsqlite3.so.0" "$(dirname "$file")/private/libsqlite3.so.0"
    done
    each_extension patchelf --set-rpath '$ORIGIN/private'
    # A second root asks for the system's copy: one that puma does not load, for who comes first
    # brings the library for all.
    patchelf --add-needed libsqlite3.so.0 \
        "$(find "$app/vendor" -path '*/ext/*' -name puma_http11.so | head -1)"
    build_app
    make_hostile_root
    look
    only_ours
    grep -q '/private/libsqlite3.so.0' <<<"$output"
}

@test "inspect says what was edited, which CPU and kernel the objects ask for, and whose they are" {
    mkdir -p "$opt"
    echo 'int fast(void) { return 1; }' >fast.c
    cc -shared -fPIC -nostdlib -Wl,-z,x86-64-v3 -Wl,-soname,libfast.so -o "$opt/libfast.so" fast.c
    each_extension patchelf --add-needed libfast.so
    each_extension patchelf --set-rpath "$opt" # by itself: both at once give a wrong path
    build_app
    run "$rucksack" inspect --all "$bundle"
    [[ $output == *"requires   a CPU of x86-64-v3 for $opt/libfast.so, Linux "[2-9]* ]]
    [[ $output == *"edited     gems/"*"/sqlite3_native.so"* ]]
    "$rucksack" inspect --json "$bundle" >document
    ruby -rjson -e '
        it = JSON.parse(File.read("document"))
        abort "cpu" unless it["requires"]["cpu"] == "x86-64-v3"
        abort "linux" unless it["requires"]["linux"] =~ /\A\d+\.\d+\.\d+\z/
        abort "edited" unless it["edited"].all? { |path| path.end_with?("/sqlite3_native.so") }
        abort "warnings" unless it["warnings"] == []
        fast = it["libraries"].find { |library| library["name"] == "libfast.so" }
        abort "owner of nothing" if fast.key?("package")
        exit unless File.directory?("/var/lib/dpkg/info")
        libc = it["libraries"].find { |library| library["name"] == "libc.so.6" }
        abort "owner" unless libc["package"].start_with?("libc6")
        version = IO.popen(["dpkg-query", "-W", "-f", "${Version}", libc["package"]], &:read)
        abort "version" unless libc["package_version"] == version'
    [[ $output == *"libc.so.6 "*" (libc"* ]]
}

@test "an extension for a library version that is not here: E-VERSION names both sides" {
    mkdir -p "$opt"
    echo 'V1 { global: f; }; V2 { } V1;' >v.map
    echo 'int f(void) { return 1; }' >f.c
    cc -shared -fPIC -nostdlib -Wl,--version-script=v.map -Wl,-soname,libf.so -o "$opt/libf.so" f.c
    echo 'int f(void); void Init_sqlite3_native(void) { f(); }' >x.c
    cc -shared -fPIC -nostdlib -Wl,-rpath,"$opt" -o x.so x.c "$opt/libf.so"
    each_extension cp x.so
    build_app
    echo 'V2 { global: f; };' >v.map
    cc -shared -fPIC -nostdlib -Wl,--version-script=v.map -Wl,-soname,libf.so -o "$opt/libf.so" f.c
    run --separate-stderr "$rucksack" build --fast --quiet -o "$bundle" "$app"
    [ "$status" -eq 1 ]
    [[ $stderr == *"E-VERSION: "*"sqlite3_native.so' (gem 'sqlite3')"*"'V1' of 'libf.so'"*"'$opt/libf.so'"* ]]
    [[ $stderr == *"hint: "*"bundle pristine"* ]]
}

@test "a symbol that nothing defines: a warning names gem, file and symbol, and the build goes on" {
    echo 'int nowhere(void); void Init_sqlite3_native(void) { nowhere(); }' >x.c
    cc -shared -fPIC -nostdlib -o x.so x.c
    each_extension cp x.so
    run --separate-stderr "$rucksack" build --fast --no-check -o "$bundle" "$app"
    [ "$status" -eq 0 ]
    [[ $stderr == *"warning"*"sqlite3_native.so' (gem 'sqlite3'): nothing defines 'nowhere'"* ]]
    run "$rucksack" inspect --all "$bundle"
    [[ $output == *"warnings   '"*"nothing defines 'nowhere'"* ]]
}

# A program that wants a library from a directory of this machine, and says what it maps.
make_helper() {
    mkdir -p "$opt" "${1%/*}"
    echo 'int answer(void) { return 42; }' >answer.c
    cc -shared -fPIC -Wl,-soname,libanswer.so -o "$opt/libanswer.so" answer.c
    cat >helper.c <<'C'
#include <stdio.h>
int answer(void);
int main(int argc, char **argv)
{
    char line[4096];
    FILE *maps = fopen("/proc/self/maps", "r");
    printf("helper %d %s %s\n", answer(), argc > 1 ? argv[1] : "", getenv("SET") ? getenv("SET") : "");
    while (fgets(line, sizeof line, maps))
        fputs(line, stdout);
    return 7;
}
C
    cc -include stdlib.h -Wl,-rpath,"$opt" -o "$1" helper.c "$opt/libanswer.so"
}

# ask COMMAND...: in a Ruby of the bundle
ask() {
    run --separate-stderr run_in --loop "$root" /bin/env LD_LIBRARY_PATH=/evil SET=kept \
        /srv/guestbook.AppImage exec "$@"
    printf '%s\n' "$output" "$stderr"
}

@test "programs of gems and of the app start by the bundle's loader, as children of Ruby, too" {
    make_helper "$app/libexec/helper"
    cp "$app/libexec/helper" "$(echo "$app"/vendor/bundle/ruby/*/gems/sqlite3-[0-9]*)/helper"
    ln -s helper "$app/libexec/link"
    cp "$(command -v busybox)" "$app/libexec/busybox"
    build_app
    rm -r "$opt"
    make_hostile_root
    cp evil.so "$root$opt/libanswer.so"
    local program
    for program in 'File.join(ENV["APPDIR"], "app/libexec/helper")' \
        'File.join(ENV["APPDIR"], "app/libexec/link")' \
        'Dir[File.join(Gem.default_dir, "gems/*/helper")].fetch(0)'; do
        ask ruby -e "system($program, \"a b\"); exit \$?.exitstatus"
        [ "$status" -eq 7 ]
        [ "${lines[0]}" = "helper 42 a b kept" ]
        grep -q '/m/.*/libanswer.so' <<<"$output"
        [ -z "$(grep -o ' /.*' <<<"$output" | grep -vE '^ (/[a-z0-9-]+)+/[0-9a-f]{12}/m/')" ]
    done
    [ ! -e "$root/tmp/evil" ]
    ask ruby -e 'exec File.join(ENV["APPDIR"], "app/libexec/helper")'
    [ "${lines[0]}" = "helper 42  kept" ]
    ask ruby -e 'exec File.join(ENV["APPDIR"], "app/libexec/busybox"), "echo", "static"'
    [ "$output" = static ]
}

@test "--hwcaps packs variants beside the base file, and the loader takes them where it can" {
    [ "$(uname -m)" = x86_64 ] || skip "x86-64"
    make_helper "$app/libexec/helper"
    local level
    for level in 2 3 4; do
        mkdir -p "$opt/glibc-hwcaps/x86-64-v$level"
        echo 'int answer(void) { return 40 + LEVEL; }' |
            cc -shared -fPIC -Wl,-soname,libanswer.so -DLEVEL=$level -march=x86-64-v$level \
                -Wl,-z,x86-64-v$level -o "$opt/glibc-hwcaps/x86-64-v$level/libanswer.so" -xc -
    done
    cp "$opt/libanswer.so" "$opt/glibc-hwcaps/x86-64-v4/libanswer.so"
    printf '\xb7' | dd of="$opt/glibc-hwcaps/x86-64-v4/libanswer.so" bs=1 seek=18 conv=notrunc status=none
    local best=2
    "$(readelf -lW "$(command -v cat)" | sed -n 's/.*interpreter: \(.*\)]/\1/p')" --help |
        grep -q 'x86-64-v3 (supported' && best=3

    # without the option, the base file only
    build_app
    make_hostile_root
    ask ruby -e 'exec File.join(ENV["APPDIR"], "app/libexec/helper")'
    [ "${lines[0]}" = "helper 42  kept" ]

    "$rucksack" build --hwcaps --fast --quiet --no-check -o "$bundle" "$app"
    rm -r "$opt"
    cp "$bundle" "$root/srv/guestbook.AppImage"
    ask ruby -e 'exec File.join(ENV["APPDIR"], "app/libexec/helper")'
    [ "${lines[0]}" = "helper 4$best  kept" ]
    run "$rucksack" inspect --all "$bundle"
    [[ $output == *"a variant of libanswer.so for x86-64-v2"* ]]
    [[ $output == *"a variant of libanswer.so for x86-64-v3"* ]]
    [[ $output != *"x86-64-v4"* ]]
    # what another processor does not load, it does not need
    [ "$("$rucksack" inspect --json "$bundle" | ruby -rjson -e 'p JSON.parse(STDIN.read).dig("requires", "cpu")')" = nil ]
}

@test "a program that does not start here, or is for another machine, is packed as it is" {
    make_helper "$app/libexec/helper"
    cp "$app/libexec/helper" "$app/libexec/foreign"
    printf '\xb7' | dd of="$app/libexec/foreign" bs=1 seek=18 conv=notrunc status=none
    rm "$opt/libanswer.so"
    run --separate-stderr "$rucksack" build --fast -o "$bundle" "$app"
    [ "$status" -eq 0 ]
    [[ $stderr == *"warning"*"libexec/helper' (the application) does not start here"*"libanswer.so"* ]]
    [[ $stderr != *foreign* ]]
    "$rucksack" extract -o out "$bundle" >/dev/null
    cmp "$app/libexec/helper" out/app/libexec/helper
    cmp "$app/libexec/foreign" out/app/libexec/foreign
}

@test "an extension for another machine, unreadable, or setuid" {
    local file
    each_extension chmod u+s
    build_app
    [ -z "$("$rucksack" extract -o out "$bundle" >/dev/null; find out -perm /6000)" ]
    find "$app/vendor" -name sqlite3_native.so | while read -r file; do
        printf '\xb7' | dd of="$file" bs=1 seek=18 conv=notrunc status=none
    done
    run --separate-stderr "$rucksack" build --fast --quiet -o "$bundle" "$app"
    [ "$status" -eq 1 ]
    [[ $stderr == *"E-ELF: gem 'sqlite3': "*"is for aarch64"*"is for x86-64"* ]]
    [[ $stderr == *"hint: "* ]]
    each_extension chmod 000
    run --separate-stderr setpriv --bounding-set=-dac_override,-dac_read_search \
        "$rucksack" build --fast --quiet -o "$bundle" "$app"
    [ "$status" -eq 1 ]
    [[ $stderr == *"E-"*"sqlite3_native.so"*"Permission denied"* ]]
}

# why NAME: the answer's lines in $lines
why() {
    run --separate-stderr "$rucksack" why "$guestbook" "$1"
    printf '%s\n' "$output" "$stderr"
}

@test "why: the shortest chain to a library, by name and by path" {
    why libsqlite3.so.0
    [ "$status" -eq 0 ]
    [ "$output" = "gem 'sqlite3' -> sqlite3_native.so -> libsqlite3.so.0" ]
    local chain=$output
    why "$(readlink -f "$libdir/libsqlite3.so.0")"
    [ "$output" = "$chain" ]
    why libz.so.1
    [[ ${lines[0]} == "the main program -> ruby"*" -> libz.so.1" ]] ||
        [[ ${lines[0]} == "the standard library -> zlib.so -> libz.so.1" ]]
    grep -qx "the standard library -> zlib.so -> libz.so.1" <<<"$output"
    why libc.so.6
    [[ ${lines[-1]} == "and "+([0-9])" more" ]]
    why libgcc_s.so.1
    [[ $output == "recipe 'libgcc'"*" -> libgcc_s.so.1" ]]
}

@test "why: a gem, a file, nothing" {
    why puma
    [ "$output" = "gem 'puma' $(cd "$app"/vendor/bundle/ruby/*/gems && echo puma-* | sed s/puma-//) is in the application's Gemfile.lock" ]
    why /app/config.ru
    [ "$output" = "the application -> app/config.ru" ]
    why gems/gems/tilt-*/lib/tilt.rb
    [ "$status" -eq 1 ]
    [[ $stderr == *"E-UNKNOWN: "*"tilt-*"* ]]
    [[ $stderr == *"hint: "*"rucksack inspect"* ]]
    why "gems/$(cd "$app"/vendor/bundle/ruby/* && echo gems/tilt-*/lib/tilt.rb)"
    [[ $output == "gem 'tilt' -> gems/gems/tilt-"* ]]
}

@test "a library in a directory of the gem that is not packed otherwise" {
    local gem
    gem=$(echo "$app"/vendor/bundle/ruby/*/gems/sqlite3-[0-9]*)
    mkdir -p "$gem/ports/lib"
    cp -L "$libdir/libsqlite3.so.0" "$gem/ports/lib"
    echo leftover >"$gem/ports/lib/leftover"
    each_extension patchelf --set-rpath "$gem/ports/lib"
    run --separate-stderr "$rucksack" build --fast -o "$bundle" "$app"
    [ "$status" -eq 0 ]
    [[ $stderr == *"check    answers 200"* ]]
    run "$rucksack" deps --list "$bundle"
    [[ $output == *"/gems/gems/sqlite3-"*"/ports/lib/libsqlite3.so.0"* ]]
    run "$rucksack" why "$bundle" "$(basename "$gem")/ports/lib/leftover"
    [ "$status" -eq 1 ]
}
