#!/usr/bin/env bats
# SPDX-License-Identifier: MIT
# A site is saved while it runs, lost, and brought back elsewhere: by its one file, on machines that
# have nothing else. The drill prints what a person types and how long it takes.

bats_require_minimum_version 1.5.0
load lib

setup_file() {
    make_guestbook
}

setup() {
    make_enter
    root=$BATS_TEST_TMPDIR/root
    way=
    state=$root/srv/guestbook.state
}

teardown() {
    stop KILL
    drop_roots
}

pictures=20

# Rows by requests, pictures as an application would put them there.
fill() {
    local i
    for i in $(seq "$1"); do
        [ "$(status_of /entries -d "name=Ada&text=line $i")" = 303 ]
    done
    mkdir -p "$state/data/pictures"
    for i in $(seq $pictures); do
        head -c "$((i * 1000))" /dev/urandom >"$state/data/pictures/picture $i ü.png"
    done
    (cd "$state/data/pictures" && sha256sum -- *) >"$BATS_TEST_TMPDIR/pictures"
}

rows() {
    sqlite3 "$1/data/guestbook.sqlite3" 'SELECT count(*) FROM entries'
}

integrity() {
    sqlite3 "$1/data/guestbook.sqlite3" 'PRAGMA integrity_check'
}

has_pictures() {
    (cd "$1/data/pictures" && sha256sum --check --quiet "$BATS_TEST_TMPDIR/pictures")
}

# The root in which the site runs, with rows and pictures in it.
make_site() {
    make_busybox_root "$root"
    start --loop "$root" /srv/guestbook.AppImage
    wait_until_up
    fill "${1:-5}"
}

# In the same root as the site: its own network and mounts do not matter to a snapshot.
keep() {
    run_in --loop "$root" /srv/guestbook.AppImage "$@"
}

@test "a snapshot of the running site comes back, with nothing but busybox" {
    make_site 5
    run --separate-stderr keep backup -o /srv/one.tar.zst
    [ "$status" -eq 0 ]
    [[ $output == "wrote    /srv/one.tar.zst  "*"  1 databases, 5 rows, $pictures files" ]]
    [ "$(stat -c %a "$root/srv/one.tar.zst")" = 600 ]

    [ "$(status_of /entries -d 'name=Eve&text=later')" = 303 ]
    rm "$state/data/pictures/picture 1 ü.png"
    run ! keep restore /srv/one.tar.zst
    [[ $output == *"E-DBBUSY: the state is in use by process "*", 'ruby"* ]]
    [[ $output == *"hint: stop the application first"* ]]
    [ ! -e "$state/.restore" ]

    stop KILL
    keep restore --check-only /srv/one.tar.zst
    [ "$(rows "$state")" = 6 ]
    keep restore /srv/one.tar.zst
    [ "$(rows "$state")" = 5 ]
    [ "$(integrity "$state")" = ok ]
    has_pictures "$state"
    # What was there is kept, with the row that the snapshot does not have.
    [ "$(rows "$state"/data.before-*/..)" = 5 ]
    [ "$(sqlite3 "$state"/data.before-*/guestbook.sqlite3 'SELECT count(*) FROM entries')" = 6 ]

    start --loop "$root" /srv/guestbook.AppImage
    wait_until_up
    request /entries.json | grep -q '"text":"line 5"'
    run ! grep -q later <(request /entries.json)
    stop TERM
    nothing_left "$root"
}

@test "a snapshot is read with tar, zstd and jq's like when our tool is gone" {
    make_site 3
    keep backup -o /srv/one.tar.zst
    mkdir "$BATS_TEST_TMPDIR/by-hand"
    zstd -dc "$root/srv/one.tar.zst" | tar -C "$BATS_TEST_TMPDIR/by-hand" -x
    [ "$(zstd -dc "$root/srv/one.tar.zst" | tar -t | head -1)" = manifest.json ]
    [ "$(rows "$BATS_TEST_TMPDIR/by-hand")" = 3 ]
    has_pictures "$BATS_TEST_TMPDIR/by-hand"
    # Every hash of the manifest is what sha256sum says of the file.
    cd "$BATS_TEST_TMPDIR/by-hand"
    ruby -rjson -e 'JSON.parse(File.read("manifest.json"))["files"].each do |file|
        puts "#{file["sha256"]}  #{file["path"]}" end' >sums
    [ "$(wc -l <sums)" = $((pictures + 1)) ]
    sha256sum --check --quiet sums
}

# drill KIND [RELEASE]: A is lost; on B there is only the capsule.
drill() {
    make_site 200
    local began=$EPOCHREALTIME
    keep backup --capsule -o /srv/guestbook.capsule
    local saved=$EPOCHREALTIME
    stop KILL
    cp "$root/srv/guestbook.capsule" "$BATS_TEST_TMPDIR/guestbook.capsule"
    drop_roots

    [ "$1" = busybox ] && make_busybox_root "$root" || make_debian_root "$2" "$root"
    rm -r "${root:?}/srv"/*
    cp "$BATS_TEST_TMPDIR/guestbook.capsule" "$root/srv/"
    chown -R $user:$user "$root/srv"
    local carried=$EPOCHREALTIME
    run_in --user $user --fuse "$root" /srv/guestbook.capsule restore
    start --user $user --fuse "$root" /srv/guestbook.capsule
    wait_until_up
    local up=$EPOCHREALTIME
    [ "$(rows "$state")" = 200 ]
    [ "$(integrity "$state")" = ok ]
    has_pictures "$state"
    request /entries.json | grep -q '"text":"line 200"'
    [ "$(status_of /entries -d 'name=Eve&text=new')" = 303 ]
    [ "$(stat -c %u "$state/data/guestbook.sqlite3")" = "$user" ]
    stop TERM
    {
        echo "# drill on $*:"
        echo "#   A\$ ./guestbook backup --capsule          $(seconds "$began" "$saved")"
        echo "#   B\$ ./guestbook.capsule restore; ./guestbook.capsule"
        echo "#      until it serves                       $(seconds "$carried" "$up")"
    } >&3
}

seconds() {
    awk -v a="$1" -v b="$2" 'BEGIN { printf "%.2f s", b - a }'
}

@test "the drill: a capsule on busybox" {
    drill busybox
}

@test "the drill: a capsule on Debian bullseye" {
    drill debian bullseye
}

@test "the drill: a capsule on Debian bookworm" {
    drill debian bookworm
}

@test "the drill: a capsule on Debian trixie" {
    drill debian trixie
}

@test "the drill: a capsule on Debian sid" {
    drill debian sid
}
