# SPDX-License-Identifier: MIT
# What the end-to-end tests share: a bundle of the guestbook, roots of other systems, requests.

: "${RUCKSACK_BUILD:?set by make check}"
tree=$(cd "$BATS_TEST_DIRNAME/../.." && pwd)
rucksack=$RUCKSACK_BUILD/rucksack
cache=${RUCKSACK_TEST_CACHE:-/var/cache/rucksack-tests}
user=1001

# The guestbook with its gems, and its bundle: made once for all test files.
guestbook_app=$tree/examples/guestbook
guestbook=$RUCKSACK_BUILD/guestbook.AppImage

make_guestbook() {
    (
        flock 9
        [ -f "$guestbook_app/Gemfile.lock" ] || "$guestbook_app/bin/setup" >&2
        if [ ! -f "$guestbook" ] || [ "$rucksack" -nt "$guestbook" ]; then
            "$rucksack" build --quiet -o "$guestbook" "$guestbook_app"
        fi
    ) 9>"$RUCKSACK_BUILD/guestbook.lock"
}

# install_app FROM TO: a copy of the application, with its gems, which are installed once.
install_app() {
    mkdir -p "$2"
    cp -r "$1"/. "$2/"
    (
        cd "$2"
        bundle config set --local path vendor/bundle
        bundle check >/dev/null || bundle install --quiet
    ) >&2
}

# A small static program that enters a root; see enter.c.
make_enter() {
    enter=$RUCKSACK_BUILD/enter
    (
        flock 9
        [ "$enter" -nt "$tree/tests/e2e/enter.c" ] ||
            cc -std=gnu2x -D_GNU_SOURCE -O1 -Wall -Wextra -Werror -static -o "$enter" \
                "$tree/tests/e2e/enter.c"
    ) 9>"$RUCKSACK_BUILD/enter.lock"
}

# Roots live in memory; drop_roots is for teardown().
in_memory() {
    mkdir -p "$1"
    mount -t tmpfs tmpfs "$1"
}

drop_roots() {
    cd / # where we stand cannot be unmounted
    local mounted
    for mounted in $(awk -v top="$BATS_TEST_TMPDIR/" 'index($2, top) == 1 { print $2 }' \
        /proc/self/mounts); do
        # A server may have taken its own down meanwhile.
        umount "$mounted" 2>/dev/null || ! mountpoint -q "$mounted" || umount "$mounted"
    done
}

# A root with nothing in it but busybox: no libc, no /usr, no /lib64.
make_busybox_root() {
    in_memory "$1"
    mkdir -p "$1"/{bin,dev,proc,tmp,home,srv,run}
    chmod 1777 "$1/tmp"
    cp "$(command -v busybox)" "$1/bin/busybox"
    local name
    for name in sh ls cat env id ps sleep test; do
        ln -sf busybox "$1/bin/$name"
    done
    prepare_root "$1"
}

# A setuid fusermount3 with what it needs itself, a user's name included: it is the host's, not ours.
give_fusermount() {
    mkdir -p "$1"/usr/bin "$1"/lib64
    cp /usr/bin/fusermount3 "$1/usr/bin/"
    chmod 4755 "$1/usr/bin/fusermount3"
    cp -L /lib64/ld-linux-x86-64.so.2 "$1/lib64/"
    mkdir -p "$1/lib/x86_64-linux-gnu"
    cp -L /lib/x86_64-linux-gnu/libc.so.6 "$1/lib/x86_64-linux-gnu/"
    mkdir -p "$1/etc"
    ln -s /proc/self/mounts "$1/etc/mtab"
    echo "user:x:$user:$user::/home/user:/bin/sh" >"$1/etc/passwd"
}

# A mirror of Debian: the tree names none. On Debian it is the machine's own; elsewhere nothing is
# printed, and debootstrap takes its default.
mirror() {
    if [ -n "${RUCKSACK_TEST_MIRROR:-}" ]; then
        echo "$RUCKSACK_TEST_MIRROR"
        return
    fi
    # shellcheck source=/dev/null
    [ "$(. /etc/os-release && echo "$ID")" = debian ] || return 0
    apt-get indextargets --format '$(SITE)' 'Created-By: Packages' | grep -v security | head -1
}

# A minimal root of a Debian release, untouched by us: made once, then copied.
make_debian_root() {
    local release=$1 root=$2
    (
        mkdir -p "$cache"
        flock 9
        if [ ! -f "$cache/$release.tar" ]; then
            rm -rf "${cache:?}/$release"
            # shellcheck disable=SC2046 # no mirror, no argument
            debootstrap --variant=minbase --no-check-gpg "$release" "$cache/$release" \
                $(mirror) >"$cache/$release.log" 2>&1 || {
                tail -5 "$cache/$release.log" >&2
                exit 1
            }
            tar -C "$cache/$release" -cf "$cache/$release.tar.new" .
            mv "$cache/$release.tar.new" "$cache/$release.tar"
        fi
    ) 9>"$cache.lock" || return 1
    in_memory "$root"
    tar -C "$root" -xf "$cache/$release.tar"
    prepare_root "$root"
}

# Only our file is put into the root, in /srv, which belongs to the user who starts it.
prepare_root() {
    mkdir -p "$1/srv" "$1/home/user"
    cp "$guestbook" "$1/srv/guestbook.AppImage"
    chown -R $user:$user "$1/srv" "$1/home/user"
}

# start [enter options] ROOT PROGRAM...: in the background; its pid in $pid, its words in $log.
start() {
    log=$BATS_TEST_TMPDIR/log
    env -i PATH=/usr/sbin:/usr/bin:/sbin:/bin HOME=/home/user ${way:+RUCKSACK_MOUNT=$way} \
        "E2E_TEST=$BATS_TEST_TMPDIR" \
        "$enter" "$@" >"$log" 2>&1 </dev/null 3>&- &
    pid=$!
}

# run_in [enter options] ROOT PROGRAM...: in the foreground, for bats' run.
run_in() {
    env -i PATH=/usr/sbin:/usr/bin:/sbin:/bin HOME=/home/user ${way:+RUCKSACK_MOUNT=$way} \
        "E2E_TEST=$BATS_TEST_TMPDIR" \
        timeout 60 "$enter" "$@" </dev/null 3>&-
}

# request PATH [curl options]: to the program, in its own network.
request() {
    nsenter -t "$pid" -n curl --silent --max-time 10 "${@:2}" "http://127.0.0.1:9292$1"
}

wait_until_up() {
    local i
    for i in $(seq 100); do
        if [ "$(request /up 2>/dev/null)" = ok ]; then
            return 0
        fi
        kill -0 "$pid" 2>/dev/null || break
        sleep 0.1
    done
    cat "$log" >&2
    return 1
}

status_of() {
    request "$1" -o /dev/null -w '%{http_code}' "${@:2}"
}

stop() {
    [ -n "${pid:-}" ] || return 0
    kill "-${1:-TERM}" "$pid" 2>/dev/null || true
    wait "$pid" 2>/dev/null || true
    pid=
}

# Processes of this test, whatever they call themselves: they inherited its mark.
processes_left() {
    grep -lz "^E2E_TEST=$BATS_TEST_TMPDIR$" /proc/[0-9]*/environ 2>/dev/null
}

# No process of this test is left, nor a mount below its root.
nothing_left() {
    local i
    for i in $(seq 50); do
        if [ -z "$(processes_left)" ] && ! grep -q "$1/" /proc/self/mounts; then
            return 0
        fi
        sleep 0.1
    done
    processes_left >&2
    grep "$1/" /proc/self/mounts >&2
    return 1
}
