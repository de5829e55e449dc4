# SPDX-License-Identifier: MIT
# What the tests of interpreters share: tests/rubies/app with a Ruby, and its bundle.

# An app of its own for each test, with the gems of the Ruby that `bundle` on PATH is: in the app, or
# with --system where that Ruby has them.
make_app() {
    app=$BATS_TEST_TMPDIR/app
    bundle=$BATS_TEST_TMPDIR/app.AppImage
    guestbook=$bundle # what roots get
    chmod 755 "$BATS_TEST_TMPDIR"
    cp -r "$tree/tests/rubies/app" "$app"
    cd "$app" || return
    [ "${1:-}" = --system ] || bundle config set --local path vendor/bundle >/dev/null
    bundle install --quiet
    record_native
}

# What the application computes here, and whether this Ruby has YJIT.
record_native() {
    local -x LANG=C.UTF-8 # as the bundle has it
    bundle exec ruby report.rb values >native
    bundle exec ruby report.rb comm >comm
    bundle exec ruby --yjit report.rb yjit >yjit 2>/dev/null || echo none >yjit
}

build_app() {
    "$rucksack" build --fast --no-check -o "$bundle" "$app" "$@"
}

# As it is delivered: started once, with what makes a start fast.
build_release() {
    "$rucksack" build -o "$bundle" "$app" 2>"$BATS_TEST_TMPDIR/said"
    is_release "$BATS_TEST_TMPDIR/said"
}

is_release() {
    grep -E '^compile +[1-9][0-9]* sources that a start loads' "$1" || {
        cat "$1"
        return 1
    }
}

# inside COMMAND...: by the bundle's `exec`, in the root.
inside() {
    run_in --loop "$root" /srv/guestbook.AppImage exec "$@"
}

# The bundle serves, computes what the app computes here, and has everything from its image.
works_in_root() {
    inside bundle exec ruby report.rb values >bundled
    diff native bundled
    inside bundle exec ruby report.rb places >places
    local image
    image=$(sed -n 's|^ruby: \(/.*/m\)/.*|\1|p' places | head -1)
    [ -n "$image" ]
    [ "$(cut -d : -f 1 places | sort -u | wc -l)" -eq 6 ]
    run ! grep -v ": $image/" places
    inside bundle exec ruby report.rb comm | diff comm -
    if [ "$(cat yjit)" = true ]; then
        [ "$(inside bundle exec ruby --yjit report.rb yjit)" = true ]
    fi
    start --loop "$root" /srv/guestbook.AppImage
    wait_until_up
    request / | diff native -
    stop TERM
    nothing_left "$root"
}

# No text of the image tells where this Ruby stood, but for the load path that the guest compares.
does_not_name() {
    "$rucksack" extract -o image "$bundle"
    sed -i '/^loadpath-old/d' image/.rucksack/launch
    run ! grep -rlI "$1" image
}

# In another root, with a /proc and the machine's network: in_root ROOT COMMAND...
in_root() {
    unshare --mount --pid --fork --kill-child sh -c '
        mount -t proc proc "$0/proc" && mount --rbind /dev "$0/dev" && exec chroot "$0" "$@"' "$@"
}

# A root of a Debian release with its Ruby and what compiles a gem: made once, then copied.
# "experimental" is sid with the Ruby that is to come, as `ruby`.
make_debian_ruby_root() {
    local release=$1 to=$2 work=$cache/$1-ruby target=
    [ "$release" != experimental ] || release=sid target='ruby3.4 ruby3.4-dev -t experimental'
    (
        flock 9
        [ ! -f "$work.tar" ] || exit 0
        guestbook=/dev/null make_debian_root "$release" "$work"
        trap 'umount "$work"' EXIT
        [ -z "$target" ] ||
            sed 's/ sid / experimental /' "$work/etc/apt/sources.list" \
                >"$work/etc/apt/sources.list.d/experimental.list"
        in_root "$work" sh -ec '
            apt-get -qq -o Acquire::Check-Valid-Until=false update
            DEBIAN_FRONTEND=noninteractive apt-get -qqy --no-install-recommends install \
                ruby ruby-dev bundler gcc make libc6-dev $0
            apt-get clean
            [ ! -e /usr/bin/ruby3.4 ] || ln -sf ruby3.4 /usr/bin/ruby' "$target" \
            >"$work.log" 2>&1 </dev/null || {
            tail -5 "$work.log" >&2
            exit 1
        }
        rm -rf "$work/var/lib/apt/lists"
        tar -C "$work" --exclude ./proc/\* --exclude ./dev/\* -cf "$work.tar.new" .
        mv "$work.tar.new" "$work.tar"
    ) 9>"$work.lock" || return 1
    in_memory "$to"
    tar -C "$to" -xf "$work.tar"
}
