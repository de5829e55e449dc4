#!/usr/bin/env bats
# SPDX-License-Identifier: MIT
# Every interpreter: its bundle in a root of nothing but busybox and in those of four Debian
# releases. The table is printed at the end. Minutes: make check-rubies.

bats_require_minimum_version 1.5.0
load ../e2e/lib
load lib

releases=(bullseye bookworm trixie sid)
rubies=$cache/rubies
home=$rubies/home

setup_file() {
    export TABLE=$BATS_FILE_TMPDIR/table
    printf '%-20s %-6s' ruby busybox >"$TABLE"
    printf ' %-8s' "${releases[@]}" >>"$TABLE"
    printf ' version yjit\n' >>"$TABLE"
    # The roots have no network when the gems are installed there.
    cp -r "$tree/tests/rubies/app" "$BATS_FILE_TMPDIR/app"
    cd "$BATS_FILE_TMPDIR/app" || return
    bundle config set --local cache_path vendor/cache
    bundle cache --no-install >&2
    rm -rf Gemfile.lock .bundle
}

teardown_file() {
    sed 's/^/# /' "$TABLE" >&3
}

setup() {
    make_enter
    root=$BATS_TEST_TMPDIR/root
    way=
}

teardown() {
    stop KILL
    drop_roots
}

# In all roots what it does here: one line of the table.
runs_everywhere() {
    local release result bad=0
    printf '%-20s' "$1" >>"$TABLE"
    make_busybox_root "$root"
    works_in_root
    printf ' %-6s ' ok >>"$TABLE"
    for release in "${releases[@]}"; do
        drop_roots
        cd "$app" || return
        make_debian_root "$release" "$root"
        inside bundle exec ruby report.rb values | diff native - && result=ok || result=FAILED
        [ $result = ok ] || bad=1
        printf ' %-8s' $result >>"$TABLE"
    done
    printf ' %-7s %s\n' "$(sed -n 's/^version: ruby \([0-9.]*\).*/\1/p' native)" \
        "$(cat yjit)" >>"$TABLE"
    return $bad
}

# runs PREFIX NAME: the application with the Ruby there, installed as on any machine.
runs() {
    PATH=$1/bin:$PATH
    make_app
    build_release
    runs_everywhere "$2"
}

# The tool and the application in another root, whose own Ruby builds the bundle:
# runs_of_root ROOT NAME COMMAND, which prepares it.
runs_of_root() {
    local build=$1
    app=$BATS_TEST_TMPDIR/app
    bundle=$BATS_TEST_TMPDIR/app.AppImage
    guestbook=$bundle
    cp "$rucksack" "$build/usr/bin/rucksack"
    cp -r "$BATS_FILE_TMPDIR/app" "$build/app"
    cp -r "$BATS_FILE_TMPDIR/app/vendor/cache" "$build/gems"
    in_root "$build" env -i PATH=/usr/sbin:/usr/bin:/sbin:/bin HOME=/root LANG=C.UTF-8 sh -ec "$3"'
        cd /app
        bundle install --local --quiet
        bundle exec ruby report.rb values >native
        # Fedora has a script that starts ruby-mri; a bundle starts it by the name that was asked for.
        bundle exec ruby report.rb comm | sed "s/^ruby-mri$/ruby/" >comm
        bundle exec ruby --yjit report.rb yjit >yjit 2>/dev/null || echo none >yjit
        rm -r vendor/cache
        rucksack build -o /app.AppImage . 2>/said'
    is_release "$build/said"
    mv "$build/app.AppImage" "$bundle"
    cp -r "$build/app" "$app"
    cd "$app" || return
    umount "$build"
    runs_everywhere "$2"
}

debian() {
    make_debian_ruby_root "$1" "$BATS_TEST_TMPDIR/build"
    runs_of_root "$BATS_TEST_TMPDIR/build" "debian $1" '
        cd /app; bundle config set --local path vendor/bundle'
}

@test "Debian bullseye" {
    debian bullseye
}

@test "Debian bookworm" {
    debian bookworm
}

@test "Debian trixie" {
    debian trixie
}

@test "Debian sid" {
    debian sid
}

@test "Debian experimental" {
    debian experimental
}

@test "static, ~/.rbenv" {
    runs "$home/.rbenv/versions/3.1.2" static-3.1
}

@test "static and load-relative" {
    runs "$home/relative-3.3.8" relative-3.3
}

@test "shared, ~/.asdf" {
    runs "$home/.asdf/installs/ruby/3.3.8" shared-3.3
}

@test "shared and load-relative" {
    runs "$home/relative-3.1.2" relative-shared-3.1
}

@test "shared, linked with -Bsymbolic-functions, ~/.rvm" {
    runs "$home/.rvm/rubies/ruby-3.1.2" bsymbolic-3.1
}

@test "Fedora's layout" {
    make_debian_ruby_root bookworm "$BATS_TEST_TMPDIR/build"
    cp "$tree/tests/rubies/fedora.sh" "$BATS_TEST_TMPDIR/build/fedora.sh"
    runs_of_root "$BATS_TEST_TMPDIR/build" "fedora layout" /fedora.sh
    grep "^ruby: .*/m/usr/bin/ruby$" places
    grep "^load path: .*/m/usr/lib64/ruby$" places
    grep "^load path: .*/m/gems/extensions/.*bcrypt" places
}

# As in an image of Docker's: Ruby in /usr/local, gems in GEM_HOME. Here a mount puts it there.
@test "Docker's /usr/local, compiled with YJIT" {
    cp -r "$rubies/docker-3.1/usr/local" "$BATS_TEST_TMPDIR/local"
    app=$BATS_TEST_TMPDIR/app
    bundle=$BATS_TEST_TMPDIR/app.AppImage
    guestbook=$bundle
    cp -r "$tree/tests/rubies/app" "$app"
    cd "$app"
    GEM_HOME=/usr/local/bundle BUNDLE_APP_CONFIG=/usr/local/bundle BUNDLE_SILENCE_ROOT_WARNING=1 \
        PATH=/usr/local/bundle/bin:/usr/local/bin:$PATH \
        unshare --mount sh -ec 'mount --bind "$0" /usr/local
            bundle install --quiet
            bundle exec ruby report.rb values >native
            bundle exec ruby report.rb comm >comm
            bundle exec ruby --yjit report.rb yjit >yjit
            "$1" build --fast --quiet --no-check -o "$2" .' \
        "$BATS_TEST_TMPDIR/local" "$rucksack" "$bundle"
    [ "$(cat yjit)" = true ]
    runs_everywhere docker-3.1
    grep "^ruby: .*/m/usr/local/bin/ruby$" places
}

# names WITH: a bundle made in $build by a libc that opens its sources of names by name, in a root
# where only the image has them.
names() {
    in_root "$build" env -i PATH=/usr/sbin:/usr/bin:/sbin:/bin HOME=/root LANG=C.UTF-8 sh -ec '
        cd /names && rucksack build --fast --no-check -o /names.AppImage names.rb' 2>said
    cp "$build/names.AppImage" "$root/srv/names"
    chmod +x "$root/srv/names"
    run run_in --loop "$root" /srv/names
}

@test "the recipe nss: users and hosts, with a glibc before 2.34" {
    build=$BATS_TEST_TMPDIR/build
    guestbook=/dev/null
    cd "$BATS_TEST_TMPDIR" || return
    make_debian_ruby_root bullseye "$build"
    make_busybox_root "$root"
    mkdir -p "$root/etc" "$build/names/recipes"
    echo 'somebody:x:0:0::/:/bin/sh' >"$root/etc/passwd"
    echo '192.0.2.7 somewhere' >"$root/etc/hosts"
    cp "$rucksack" "$build/usr/bin/rucksack"
    cat >"$build/names/names.rb" <<'RUBY'
require "etc"
require "socket"
puts Etc.getpwuid(0)&.name.inspect
puts begin
  Addrinfo.getaddrinfo("somewhere", nil, Socket::AF_INET, Socket::SOCK_STREAM).map(&:ip_address)
rescue SocketError
  "none"
end
RUBY
    names
    [ "$output" = '"somebody"
192.0.2.7' ]
    printf 'name: nss\nsummary: none\ndisabled: true\n' >"$build/names/recipes/nss.yml"
    names
    [ "$status" -ne 0 ]
    [[ $output == *"can't find user for 0"* ]]
    grep -qE "^note +without the recipe 'nss'.*users, groups and host names" said
}

# A machine of its own: another name, user, time zone, umask and number of processors, on which the
# gems are compiled anew and the lockfile is written anew. builds_on NAME USER ZONE MASK PROCESSORS
builds_on() {
    local build=$BATS_TEST_TMPDIR/$1
    make_debian_ruby_root bookworm "$build"
    cp "$rucksack" "$build/usr/bin/rucksack"
    cp -r "$BATS_FILE_TMPDIR/app" "$build/app"
    chown -R "$2" "$build/app"
    mkdir -p "$build/home/u"
    chown "$2" "$build/home/u"
    in_root "$build" unshare --uts sh -ec "
        hostname '$1'
        umask $4
        exec taskset --cpu-list $5 setpriv --reuid $2 --regid $2 --clear-groups \
            env -i PATH=/usr/bin:/bin HOME=/home/u TZ=$3 LANG=C.UTF-8 SOURCE_DATE_EPOCH=1700000000 sh -ec '
                cd /app
                bundle config set --local path vendor/bundle
                bundle install --local --quiet
                rm -r vendor/cache
                rucksack build --quiet --no-check -o /home/u/app.AppImage .'"
    mv "$build/home/u/app.AppImage" "$1.AppImage"
    umount "$build"
}

@test "two machines of one release: the same bytes" {
    cd "$BATS_TEST_TMPDIR" || return
    builds_on one 0 UTC 022 0
    sleep 1.1
    builds_on other 1001 Asia/Tokyo 077 0-$(($(nproc) - 1))
    cmp one.AppImage other.AppImage
}
