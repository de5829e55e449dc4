#!/usr/bin/env bats
# SPDX-License-Identifier: MIT
# The name table gives what the kernel gives, by each way to the image: names.c compares every call
# on every path, and on NAMES_MUTATIONS paths that are not there or not plain (a million:
# make check-names). NAMES_SEED repeats a run.

bats_require_minimum_version 1.5.0
load lib
load ../rubies/lib

mutations=${NAMES_MUTATIONS:-3000}

setup_file() {
    export object=$BATS_FILE_TMPDIR/names.so
    export NAMES_SEED=${NAMES_SEED:-$(date +%s)}
    # As the guest is made: it binds to any libc.
    cc -std=gnu2x -O1 -Wall -Wextra -Werror -fPIC -shared -nostdlib -U_FORTIFY_SOURCE \
        -fno-stack-protector -o "$object" "$BATS_TEST_DIRNAME/names.c"
    make_guestbook
}

setup() {
    make_enter
    root=$BATS_TEST_TMPDIR/root
    way=
    cd "$BATS_TEST_TMPDIR"
}

teardown() {
    drop_roots
}

# nothing_differs [enter options] ROOT BUNDLE COMMAND...: prints the seed.
nothing_differs() {
    cp "$object" "$BATS_TEST_DIRNAME/names.rb" "$root/srv/"
    run --separate-stderr run_long "$@" /srv/names.so "$mutations" "$NAMES_SEED"
    echo "# $output" >&3
    echo "$output$stderr"
    [ "$status" -eq 0 ]
    [[ $output == "seed $NAMES_SEED: "*" $mutations mutations, "*" 0 differences" ]]
}

# As run_in, but for the time it may take.
run_long() {
    env -i PATH=/usr/sbin:/usr/bin:/sbin:/bin HOME=/home/user ${way:+RUCKSACK_MOUNT=$way} \
        "E2E_TEST=$BATS_TEST_TMPDIR" "$enter" "$@" </dev/null 3>&-
}

# by WAY [enter options]: the guestbook's image.
by() {
    way=$1
    nothing_differs "${@:2}" "$root" /srv/guestbook.AppImage exec ruby /srv/names.rb
}

@test "kernel, root" {
    make_busybox_root "$root"
    by kernel --loop
}

@test "FUSE, root" {
    make_busybox_root "$root"
    by fuse --fuse
}

@test "fusermount, user" {
    make_busybox_root "$root"
    give_fusermount "$root"
    by fusermount --user $user --fuse
}

@test "user namespace, user" {
    make_busybox_root "$root"
    by userns --user $user --fuse
}

@test "unpacked, user" {
    make_busybox_root "$root"
    by extract --user $user
}

@test "unpacked, root" {
    make_busybox_root "$root"
    by extract
}

@test "glibc 2.31: programs call __xstat" {
    make_debian_ruby_root bullseye "$BATS_TEST_TMPDIR/build"
    cp "$rucksack" "$BATS_TEST_DIRNAME/names.rb" "$BATS_TEST_TMPDIR/build/srv/"
    in_root "$BATS_TEST_TMPDIR/build" \
        /srv/rucksack build --fast --no-check --quiet -o /srv/names.AppImage /srv/names.rb
    make_busybox_root "$root"
    cp "$BATS_TEST_TMPDIR/build/srv/names.AppImage" "$root/srv/"
    way=fuse
    nothing_differs --fuse "$root" /srv/names.AppImage
    way=kernel
    nothing_differs --loop "$root" /srv/names.AppImage
}

# Directories whose listings have more than one header and block, and symlinks of every kind.
@test "large directories, long names, many symlinks" {
    copy_app
    mkdir -p app/many/{1..300} "app/$(printf '%0255d' 0)"
    touch app/many/{1..4000}.rb "app/$(printf '%0255d' 0)/$(printf '%0255d' 1)"
    for i in {1..50}; do
        ln -s "../many/$i" "app/many/$i.link"
        ln -s "$((i + 1)).chain" "app/many/$i.chain"
    done
    ln -s 300 app/many/51.chain
    "$rucksack" build --fast --no-check --quiet -o guestbook.AppImage app
    guestbook=$PWD/guestbook.AppImage make_busybox_root "$root"
    mutations=1000
    by kernel --loop
    by fuse --fuse
}

# System calls of a program in the bundle, by way of FUSE: those that name a path of the image.
count_calls() {
    RUCKSACK_MOUNT=fuse XDG_RUNTIME_DIR=$BATS_TEST_TMPDIR \
        strace -f -o calls -e trace=%file "$1" exec ruby -e '
            lib = RbConfig::CONFIG["rubylibdir"]
            1000.times do |i|
                File.exist?("#{lib}/absent-#{i}")
                File.stat("#{lib}/set.rb")
                File.realpath("#{lib}/set.rb")
                File.readable?("#{lib}/set.rb")
                begin
                    File.open("#{lib}/absent-#{i}.rb")
                rescue Errno::ENOENT
                end
            end' 3>&-
    grep -c '/m/usr/lib' calls
}

copy_app() {
    mkdir app
    cp -r "$guestbook_app"/{Gemfile,Gemfile.lock,.bundle,config.ru,guestbook.rb,lib,views} app/
    ln -s "$guestbook_app/vendor" app/vendor
}

build_without() {
    copy_app
    echo "boot: {names: false}" >app/rucksack.yml
    "$rucksack" build --fast --no-check --quiet -o without.AppImage app
}

@test "answers need no system call; boot.names: false takes the table out" {
    build_without
    [ "$(count_calls "$guestbook")" -lt 1000 ]
    [ "$(count_calls ./without.AppImage)" -gt 5000 ]
    "$rucksack" extract -o with "$guestbook"
    "$rucksack" extract -o without without.AppImage
    [ -s with/.rucksack/names ]
    grep -qP '^names\t' with/.rucksack/launch
    [ ! -e without/.rucksack/names ]
    run ! grep -qP '^names\t' without/.rucksack/launch
}

@test "boot.names: anything else is refused" {
    mkdir app
    echo 'puts 1' >app/a.rb
    printf 'boot:\n  names: never\n' >app/rucksack.yml
    touch app/Gemfile
    run "$rucksack" build -o x.AppImage app
    [[ $output == *"rucksack.yml:2: 'names' must be true or false"* ]]
}

# off RUBY: after that, in a process of its own, the kernel is asked: what is mounted over the
# image's stdlib is seen, and nothing else. $mount is a Fiddle function.
off() {
    run env RUCKSACK_MOUNT=fuse "XDG_RUNTIME_DIR=$BATS_TEST_TMPDIR" unshare --mount \
        "$guestbook" exec ruby -rfiddle -e '
        lib = RbConfig::CONFIG["rubylibdir"]
        libc = Fiddle.dlopen(nil)
        call = lambda do |name, *values|
            types = values.map { |value| value.is_a?(Integer) ? Fiddle::TYPE_LONG : Fiddle::TYPE_VOIDP }
            result = Fiddle::Function.new(libc[name], types, Fiddle::TYPE_INT).call(*values)
            abort "#{name}: #{SystemCallError.new(Fiddle.last_error)}" if result.negative?
        end
        abort "lost before" unless File.exist?("#{lib}/set.rb")
        result = lambda { [File.exist?("#{lib}/set.rb"), File.exist?("#{lib}/new.rb")] }
        '"$1"'
        p result.call' 3>&-
    echo "$output"
    [ "$status" -eq 0 ]
    [ "${lines[-1]}" = "$2" ]
}

@test "off after mount, chroot, unshare, setns and other users" {
    local over='call["mount", "none", lib, "tmpfs", 0, 0]
        open("#{lib}/new.rb", "w") { }'
    # What another process mounts is not seen: that is what makes the other cases a test.
    off 'system("mount", "-t", "tmpfs", "none", lib); system("touch", "#{lib}/new.rb")' \
        "[true, false]"
    off "$over" "[false, true]"
    off "syscall(165, 'none', lib, 'tmpfs', 0, 0); open(\"#{lib}/new.rb\", 'w') { }" "[false, true]"
    off 'system("mount", "-t", "tmpfs", "none", lib); call["unshare", 0x20000]' "[false, false]"
    off 'system("mount", "-t", "tmpfs", "none", lib)
        call["setns", File.open("/proc/self/ns/mnt").fileno, 0x20000]' "[false, false]"
    off 'Dir.chroot("/usr")' "[false, false]"
    off 'Process::UID.change_privilege(1001)' "[false, false]"
    off 'Process::Sys.seteuid(1001)' "[false, false]"
    off 'Process::Sys.setegid(1001)' "[false, false]"
}

@test "the image as the root of everything: what is mounted in it is found" {
    mkdir "$root"
    mount -o "ro,loop,offset=$("$guestbook" --appimage-offset)" "$guestbook" "$root"
    mount -t tmpfs tmpfs "$root/etc"
    echo here >"$root/etc/new"
    run chroot "$root" /.rucksack/bin/ruby -e 'puts File.stat("/etc/new").size, File.read("/etc/new")'
    umount "$root/etc"
    [ "$status" -eq 0 ]
    [ "$output" = $'5\nhere' ]
}

@test "forks, threads and signal handlers ask, too" {
    run env RUCKSACK_MOUNT=fuse "XDG_RUNTIME_DIR=$BATS_TEST_TMPDIR" timeout 60 \
        "$guestbook" exec ruby -e '
        lib = RbConfig::CONFIG["rubylibdir"]
        wrong = 0
        check = lambda do |i|
            wrong += 1 if File.exist?("#{lib}/no-#{i}") || File.size("#{lib}/set.rb") < 1000
        end
        trap(:USR1) { 100.times(&check) }
        threads = 4.times.map { Thread.new { 2000.times(&check) } }
        children = 4.times.map { fork { 500.times(&check); exit!(wrong) } }
        20.times { Process.kill(:USR1, $$); sleep 0.005 }
        threads.each(&:join)
        wrong += children.count { |pid| !Process.wait2(pid)[1].success? }
        p wrong' 3>&-
    [ "$output" = 0 ]
}
