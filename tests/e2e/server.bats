#!/usr/bin/env bats
# SPDX-License-Identifier: MIT
# The same file on machines that have nothing, by every way of mounting; and on other releases.

bats_require_minimum_version 1.5.0
load lib

setup_file() {
    make_guestbook
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

# Serves, keeps an entry through kill -9, and shows it after the next start.
serves_and_keeps() {
    start "$@" /srv/guestbook.AppImage
    wait_until_up
    [ "$(status_of /)" = 200 ]
    [ "$(status_of /style.css)" = 200 ]
    [ "$(status_of /entries -d 'name=Ada&text=first line')" = 303 ]
    no_host_objects
    stop KILL
    start "$@" /srv/guestbook.AppImage
    wait_until_up
    request /entries.json | grep -q '"text":"first line"'
    stop TERM
    [ -f "$root/srv/guestbook.state/data/guestbook.sqlite3" ]
    only_state_is_written
    nothing_left "$root"
}

# Every file that the process maps is one of the image, the database's shared memory aside.
no_host_objects() {
    local mapped
    mapped=$(awk '$6 ~ "^/" { print $6 }' "/proc/$pid/maps" | sort -u |
        grep -v '/guestbook.state/data/guestbook.sqlite3-shm$')
    local image
    image=$(readlink "/proc/$pid/exe")
    image=${image%/.rucksack/ld/*}
    [ -n "$image" ]
    [ -z "$(grep -v "^$image/" <<<"$mapped")" ] || {
        echo "mapped from outside of $image:" >&2
        grep -v "^$image/" <<<"$mapped" >&2
        return 1
    }
}

only_state_is_written() {
    [ "$(ls -A "$root/srv")" = $'guestbook.AppImage\nguestbook.state' ]
}

@test "busybox only, root: kernel mount" {
    make_busybox_root "$root"
    serves_and_keeps --loop "$root"
}

@test "busybox only, root: FUSE without loop devices" {
    make_busybox_root "$root"
    serves_and_keeps --fuse "$root"
}

@test "busybox only, user: fusermount3" {
    make_busybox_root "$root"
    give_fusermount "$root"
    way=fusermount
    serves_and_keeps --user $user --fuse "$root"
}

@test "busybox only, user: user namespace" {
    make_busybox_root "$root"
    way=userns
    serves_and_keeps --user $user --fuse "$root"
}

@test "busybox only, user: without /dev/fuse and user namespaces: extraction" {
    make_busybox_root "$root"
    serves_and_keeps --user $user --chroot "$root"
}

@test "Debian bullseye, nothing installed" {
    make_debian_root bullseye "$root"
    serves_and_keeps --loop "$root"
}

@test "Debian bookworm, nothing installed" {
    make_debian_root bookworm "$root"
    serves_and_keeps --user $user --fuse "$root"
}

@test "Debian trixie, nothing installed" {
    make_debian_root trixie "$root"
    serves_and_keeps --loop "$root"
}

@test "Debian sid, nothing installed" {
    make_debian_root sid "$root"
    serves_and_keeps --user $user --chroot "$root"
}
