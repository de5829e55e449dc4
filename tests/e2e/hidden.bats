#!/usr/bin/env bats
# SPDX-License-Identifier: MIT
# What no header names: each recipe does its work in a root that holds nothing but busybox, and the
# same bundle without it does not. Then names in notes, data and Ruby sources; then all at once.

bats_require_minimum_version 1.5.0
load lib

libdir=/usr/lib/$(uname -m)-linux-gnu

# An application with the guestbook's gems and these checks of tests/e2e/recipes.
make_app() {
    local app=$1 name
    mkdir -p "$app/checks"
    cp -r "$guestbook_app/Gemfile" "$guestbook_app/Gemfile.lock" "$guestbook_app/.bundle" "$app/"
    ln -s "$guestbook_app/vendor" "$app/vendor"
    echo 'run ->(env) { [200, {}, ["ok"]] }' >"$app/config.ru"
    for name in call "${@:2}"; do
        cp "$BATS_TEST_DIRNAME/recipes/$name.rb" "$app/checks/"
    done
    sed '/END CERTIFICATE/q' /etc/ssl/certs/ca-certificates.crt >"$app/checks/first.pem"
}

# build APP FILE: what it says is in $said.
build() {
    said=$("$rucksack" build --fast -n check -o "$2" "$1" 2>&1 >/dev/null) || {
        echo "$said" >&2
        return 1
    }
}

setup_file() {
    export all=$BATS_FILE_TMPDIR/all.AppImage
    make_guestbook
    # shellcheck disable=SC2046 # names of recipes have no blank
    make_app "$BATS_FILE_TMPDIR/all" $(ls "$BATS_TEST_DIRNAME/recipes" | sed 's/\.rb$//')
    build "$BATS_FILE_TMPDIR/all" "$all"
}

setup() {
    make_enter
    root=$BATS_TEST_TMPDIR/root
    app=$BATS_TEST_TMPDIR/app
    way=
    make_busybox_root "$root"
}

teardown() {
    drop_roots
}

# in_root BUNDLE COMMAND...: by the bundle's `exec`, as the root user of an empty machine.
in_root() {
    cp "$1" "$root/srv/check"
    run run_in --loop "$root" /srv/check exec "${@:2}"
}

# with_and_without NAME: the recipe makes the difference; what the build says without it is in $said.
with_and_without() {
    in_root "$all" ruby "checks/$1.rb"
    [ "${lines[-1]}" = ok ]
    make_app "$app" "$1"
    mkdir "$app/recipes"
    printf 'name: %s\nsummary: none\ndisabled: true\n' "$1" >"$app/recipes/$1.yml"
    build "$app" "$BATS_TEST_TMPDIR/without"
    in_root "$BATS_TEST_TMPDIR/without" ruby "checks/$1.rb"
    [ "${lines[-1]}" != ok ]
    [ "$status" -ne 0 ]
    grep -qE "^note +without the recipe '$1', which the application disables: " <<<"$said"
}

# The build says what it does not pack: says WHAT KIND PATH
says() {
    grep -qE "^$1 +[^ ]+ $2" <<<"$said" || {
        echo "$said" >&2
        return 1
    }
}

@test "openssl: legacy provider and configuration" {
    with_and_without openssl
    says warning "looks for modules in '$libdir/ossl-modules'"
}

@test "ca-certificates: a chain ends at an authority" {
    with_and_without ca-certificates
    says note "reads '/usr/lib/ssl/cert.pem'"
}

@test "gconv: a character set that is no part of libc" {
    with_and_without gconv
    says warning "looks for modules in '$libdir/gconv'"
}

@test "locale: ours is mapped, not the host's" {
    mkdir -p "$root/usr/lib"
    cp -r /usr/lib/locale "$root/usr/lib/"
    with_and_without locale
    says note "reads '/usr/lib/locale'"
}

@test "tzdata: the host's zones first, ours where it has none" {
    with_and_without tzdata
    says note "reads '/usr/share/zoneinfo'"
    mkdir -p "$root/usr/share/zoneinfo/Europe"
    cp /usr/share/zoneinfo/Asia/Tokyo "$root/usr/share/zoneinfo/Europe/Berlin"
    in_root "$all" env WANTED_ZONE=JST ruby checks/tzdata.rb
    [ "$output" = ok ]
}

@test "terminfo: a terminal is known" {
    with_and_without terminfo
    says note "reads '/usr/share/terminfo'"
}

@test "libmagic: a file type is recognised" {
    with_and_without libmagic
    says note "reads '/usr/share/misc/magic'"
}

@test "imagemagick: an image is read and written" {
    with_and_without imagemagick
    says warning "looks for modules in '$libdir/ImageMagick-[^/]*/modules-[^/]*/coders'"
}

@test "libvips: a loader that is a module" {
    with_and_without libvips
    says warning "looks for modules in '$libdir/vips-modules-[^/]*'"
}

@test "gdk-pixbuf: a loader, by its regenerated cache" {
    with_and_without gdk-pixbuf
    says warning "looks for modules in '$libdir/gdk-pixbuf-2.0'"
}

@test "gio: TLS" {
    with_and_without gio
    says warning "looks for modules in '$libdir/gio/modules'"
}

@test "gi-typelib: a namespace and the library it names" {
    with_and_without gi-typelib
    says note "reads '$libdir/girepository-1.0'"
}

@test "fontconfig: a configuration" {
    with_and_without fontconfig
    says note "reads '/usr/share/fontconfig/conf.avail'"
}

@test "krb5: no module of the host" {
    with_and_without krb5
    says warning "looks for modules in '$libdir/krb5/plugins'"
}

@test "sasl: mechanisms" {
    with_and_without sasl
    says warning "looks for modules in '$libdir/sasl2'"
}

@test "libgcc: the unwinder that libc loads by name" {
    with_and_without libgcc
    says warning "opens 'libgcc_s.so.1', which no recipe packs"
}

@test "mariadb: the default authentication of MySQL 8" {
    with_and_without mariadb
    says warning "looks for modules in '$libdir/libmariadb3/plugin'"
}

# As the published gem's script does it, 440 MB smaller: tests/gems has that one.
make_unpacking_gem() {
    local gem=$app/../wkhtmltopdf-binary suffix
    mkdir -p "$gem/bin"
    cat >"$gem/wkhtmltopdf-binary.gemspec" <<'RUBY'
Gem::Specification.new do |spec|
  spec.name = "wkhtmltopdf-binary"
  spec.version = "0"
  spec.summary = spec.author = "tests"
  spec.executables = ["wkhtmltopdf"]
  spec.bindir = "bin"
end
RUBY
    cat >"$gem/bin/wkhtmltopdf" <<'RUBY'
#!/usr/bin/env ruby
require "zlib"
os = ENV["SYSTEM"] || File.read("/etc/os-release")[/^VERSION_ID="?(\d+)/, 1]
binary = "#{__FILE__}_debian_#{os}"
if File.exist?("#{binary}.gz") && !File.exist?(binary)
  File.open(binary, "wb", 0o755) { |file| Zlib::GzipReader.open("#{binary}.gz") { |gzip| file << gzip.read } }
end
raise "Invalid platform (missing binary: #{binary})" unless File.exist?(binary)
exec *$*.unshift(binary)
RUBY
    chmod 755 "$gem/bin/wkhtmltopdf"
    printf '#include <stdio.h>\n#include <zlib.h>\nint main(int argc, char **argv) { printf("%%s: zlib %%.2s, %%d words, %%s\\n", argv[0], zlibVersion(), argc, argv[1]); }\n' |
        gcc -x c -o "$BATS_TEST_TMPDIR/program" - -lz
    for suffix in 9 12 13; do
        gzip -c "$BATS_TEST_TMPDIR/program" >"$gem/bin/wkhtmltopdf_debian_$suffix.gz"
    done
    sed -i '$a gem "wkhtmltopdf-binary", path: "../wkhtmltopdf-binary"' "$app/Gemfile"
    (cd "$app" && bundle install --local --quiet)
}

@test "wkhtmltopdf: what it unpacks when it first runs is unpacked at build" {
    local bundle=$BATS_TEST_TMPDIR/bundle gem=$app/../wkhtmltopdf-binary before dated
    make_app "$app"
    make_unpacking_gem
    before=$(ls -l "$gem/bin")
    dated=$(stat -c %y "$gem/bin")
    mkdir "$BATS_TEST_TMPDIR/tmp"
    export SYSTEM=9 TMPDIR=$BATS_TEST_TMPDIR/tmp
    build "$app" "$bundle"
    [ "$before" = "$(ls -l "$gem/bin")" ]
    [ -z "$(ls "$TMPDIR")" ]
    "$rucksack" extract -o "$BATS_TEST_TMPDIR/tree" "$bundle"
    cd "$BATS_TEST_TMPDIR/tree/gems/gems/wkhtmltopdf-binary-0/bin"
    [ "$(echo .w* *)" = ".wkhtmltopdf_program.elf wkhtmltopdf wkhtmltopdf_program" ]
    cmp .wkhtmltopdf_program.elf "$BATS_TEST_TMPDIR/program"

    # By the gem's command, by its path, and by Ruby; the arguments are its own.
    mkdir -p "$root/usr/bin"
    ln -s /bin/busybox "$root/usr/bin/env"
    in_root "$bundle" wkhtmltopdf 'a b'
    [ "$status" -eq 0 ]
    [[ $output == *"/bin/wkhtmltopdf_program: zlib 1., 2 words, a b" ]]
    in_root "$bundle" ruby -e 'require "bundler/setup"
        exe = Gem.bin_path("wkhtmltopdf-binary", "wkhtmltopdf")
        system(exe, "x"); system(RbConfig.ruby, exe, "$(y)", "z")'
    [ "$status" -eq 0 ]
    [[ ${lines[0]} == *"2 words, x" ]]
    [[ ${lines[1]} == *'3 words, $(y)' ]]

    # What ran here before is not what is packed, and the bundle is the same each time.
    printf '#!/bin/false\n' >"$gem/bin/wkhtmltopdf_debian_9"
    touch -d "$dated" "$gem/bin/wkhtmltopdf_debian_9" "$gem/bin"
    build "$app" "$bundle.2"
    cmp "$bundle" "$bundle.2"
}

@test "wkhtmltopdf: a system that its gem does not know is a warning" {
    local bundle=$BATS_TEST_TMPDIR/bundle
    make_app "$app"
    make_unpacking_gem
    export SYSTEM=none
    build "$app" "$bundle"
    says warning "'wkhtmltopdf-binary' writes into its own directory when it first runs; at build 'bin/wkhtmltopdf' wrote no 'bin/wkhtmltopdf_\*\[0-9\]' and ended with code 1: .*Invalid platform"
    mkdir "$app/recipes"
    printf 'name: wkhtmltopdf\nsummary: none\ndisabled: true\n' >"$app/recipes/wkhtmltopdf.yml"
    build "$app" "$bundle"
    says note 'the recipe .wkhtmltopdf., which the application disables: the program'
    run ! grep -q 'first runs' <<<"$said"
}

@test "gpu: left to the host, and the build says so" {
    make_app "$app"
    echo 'Fiddle.dlopen("libGL.so.1")' >"$app/checks/gl.rb"
    build "$app" "$BATS_TEST_TMPDIR/bundle"
    says warning 'to the host: libGL.so.1'
    says note 'of graphics cards are not packed'
    "$rucksack" extract -o "$BATS_TEST_TMPDIR/tree" "$BATS_TEST_TMPDIR/bundle"
    [ -z "$(find "$BATS_TEST_TMPDIR/tree" -name 'libGL*')" ]
}

@test "a recipe of the application: command, variable, condition; each failure is one error" {
    make_app "$app"
    mkdir "$app/recipes"
    cat >"$app/recipes/mine.yml" <<'END'
name: mine
summary: a test
match: {exists: [checks/call.rb]}
commands:
  - run: [/usr/bin/printf, "a/tmp/b"]
    output: /usr/share/mine/list
    remove: [/tmp]
env: ["MINE=${ROOT}/usr/share/mine/list:${ROOT}"]
advice: mine was here
END
    build "$app" "$BATS_TEST_TMPDIR/bundle"
    says note 'was here'
    in_root "$BATS_TEST_TMPDIR/bundle" ruby -e 'a, b = ENV["MINE"].split(":")
        puts File.read(a), a.start_with?(b + "/")'
    [ "$output" = $'a/b\ntrue' ]

    sed -i 's|run: .*|run: [/bin/false]|' "$app/recipes/mine.yml"
    run "$rucksack" build -q -o "$BATS_TEST_TMPDIR/none" "$app"
    [ "$status" -eq 1 ]
    [[ $output == *"E-RECIPE: recipe 'mine': command '/bin/false' ended with code 1"* ]]
    sed -i 's|run: .*|run: [/bin/no-such-program]|' "$app/recipes/mine.yml"
    run "$rucksack" build -q -o "$BATS_TEST_TMPDIR/none" "$app"
    [ "$status" -eq 1 ]
    [[ $output == *"E-RECIPE: recipe 'mine': '/bin/no-such-program' was not found"*"hint: "* ]]
    [ ! -e "$BATS_TEST_TMPDIR/none" ]
    printf 'name: mine\nsummary: z\nalways: true\nrequired_files: [/no/such*]\n' \
        >"$app/recipes/mine.yml"
    run "$rucksack" build -q -o "$BATS_TEST_TMPDIR/none" "$app"
    [[ $output == *"E-RECIPE: recipe 'mine': '/no/such*' was not found: z needs it"*"hint: "* ]]
    printf 'name: mine\nsummary: z\nalways: true\nrequired_libs: [libnone.so.7]\n' \
        >"$app/recipes/mine.yml"
    run "$rucksack" build -q -o "$BATS_TEST_TMPDIR/none" "$app"
    [[ $output == *"E-LIB: recipe 'mine': 'libnone.so.7' was not found"* ]]
}

# A library that says in a note and in its data what it opens: opener PRIORITY SONAME
make_opener() {
    cat >"$BATS_TEST_TMPDIR/opener.c" <<END
__attribute__((section(".note.dlopen"), aligned(4), used)) static const struct {
    int name_size, size, type;
    char name[4], text[128];
} note = {4, 128, 0x407c0c0a, "FDO",
          "[{\"soname\":[\"$2\"],\"priority\":\"$1\",\"feature\":\"tests\"}]"};
const char *opener(void) { return "$3"; }
END
    cc -shared -fPIC -Wl,-soname,opener.so -o "$app/checks/opener.so" \
        "$BATS_TEST_TMPDIR/opener.c"
    echo "Fiddle.dlopen('$app/checks/opener.so')" >"$app/checks/opener.rb"
}

@test ".note.dlopen: recommended is packed, suggested is told, required and absent is an error" {
    make_app "$app"
    make_opener recommended libmagic.so.1 liblz4.so.1
    build "$app" "$BATS_TEST_TMPDIR/bundle"
    "$rucksack" inspect --all "$BATS_TEST_TMPDIR/bundle" >"$BATS_TEST_TMPDIR/text"
    grep -q 'libmagic.so.1 .*a note of opener.so for tests' "$BATS_TEST_TMPDIR/text"
    grep -q 'liblz4.so.1 .*a name in opener.so' "$BATS_TEST_TMPDIR/text"
    in_root "$BATS_TEST_TMPDIR/bundle" ruby -rfiddle -e 'Fiddle.dlopen("libmagic.so.1")
        Fiddle.dlopen("liblz4.so.1"); puts :ok'
    [ "$output" = ok ]

    make_opener suggested libmagic.so.1 libnone.so.1
    build "$app" "$BATS_TEST_TMPDIR/bundle"
    says note "can use 'libmagic.so.1', which is not packed: tests"
    "$rucksack" inspect --all "$BATS_TEST_TMPDIR/bundle" | grep -c libmagic | grep -qx 0

    make_opener required libnone.so.1 ''
    run "$rucksack" build -q -o "$BATS_TEST_TMPDIR/none" "$app"
    [ "$status" -eq 1 ]
    [[ $output == *"E-LIB: "*"'libnone.so.1', declared as required by "*"hint: "*libnone.so.1* ]]
}

@test "ffi_lib, dlload and Fiddle.dlopen: with and without version, and what is nowhere" {
    make_app "$app"
    cat >"$app/checks/names.rb" <<'END'
# Fiddle.dlopen("libcommented.so.1")
NAMES = %w[libnowhere.so.9 magic].freeze
ffi_lib NAMES
ffi_lib ["libabsent.so.1", 'liblz4.so.1'], "z"
dlload "libnotinstalled.so.4"
END
    build "$app" "$BATS_TEST_TMPDIR/bundle"
    says warning "opens 'libnotinstalled.so.4', which was not found on this machine"
    [ "$(grep -c '^warning' <<<"$said")" -eq 1 ]
    in_root "$BATS_TEST_TMPDIR/bundle" ruby -rfiddle -e '
        %w[libmagic.so liblz4.so.1 libz.so].each { |name| Fiddle.dlopen(name) }
        puts :ok'
    [ "$output" = ok ]
}

@test "shared-mime-info: found where the host has none, and only the file that is packed" {
    mkdir -p "$app/mimemagic/lib"
    cd "$app"
    printf 'Gem::Specification.new { |s| s.name = "mimemagic"; s.version = "0.4"; s.summary = s.authors = "x" }\n' \
        >mimemagic/mimemagic.gemspec
    echo 'gem "mimemagic", path: "mimemagic"' >Gemfile
    bundle lock --local >/dev/null
    echo 'web: ruby read.rb' >Procfile
    cat >read.rb <<'RUBY'
path = "/usr/share/mime/packages/freedesktop.org.xml"
File.read(path).include?("image/png") or abort "read"
[File.exist?(path), File.file?(path), File.size(path) > 1000, File.readable?(path),
 Dir.children("/usr/share/mime/packages").include?("freedesktop.org.xml"), File.realpath(path).end_with?(path),
 File.stat(path).file?, File.lstat(path).file?, IO.popen(["cat", path], err: File::NULL, &:read).empty?,
 !File.exist?("/usr/share/mime/other"), !File.exist?("/usr/share/mime/packages/none")].all? or abort "look"
begin
  File.write("/usr/share/mime/packages/new", "")
  abort "written"
rescue Errno::ENOENT
  puts "ok"
end
RUBY
    "$rucksack" build --fast --no-check --quiet -o bundle >/dev/null
    in_root bundle ruby read.rb
    [ "$output" = ok ]
    mkdir -p "$root/usr/share/mime/packages"
    echo '<host/>' >"$root/usr/share/mime/packages/freedesktop.org.xml"
    in_root bundle ruby read.rb
    [ "$output" = read ] # what the host has wins
    mkdir recipes
    printf 'name: shared-mime-info\nsummary: none\ndisabled: true\n' >recipes/mine.yml
    "$rucksack" build --fast --no-check --quiet -o without >/dev/null
    rm -r "${root:?}/usr/share"
    in_root without ruby read.rb
    [[ $output == *ENOENT* ]]
}

@test "a library that is opened by an absolute path of the build machine" {
    mkdir -p "$app/lib"
    cd "$app"
    touch Gemfile
    bundle lock --local >/dev/null 2>&1
    echo 'web: ruby open.rb' >Procfile
    echo 'require "fiddle"
puts Fiddle::Function.new(Fiddle.dlopen("'"$libdir"'/libz.so.1")["zlibVersion"], [], Fiddle::TYPE_VOIDP).call.to_s' >open.rb
    "$rucksack" build --fast --no-check --quiet -o bundle >/dev/null
    in_root bundle ruby open.rb
    [[ $output == 1.* ]]
    mkdir -p "$root$libdir" # never the host's: this one would not load
    echo 'no library' >"$root$libdir/libz.so.1"
    in_root bundle ruby open.rb
    [[ $output == 1.* ]]
}
