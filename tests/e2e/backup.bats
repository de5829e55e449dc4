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
    [ "$(sqlite3 "$state"/data.before-*/guestbook.sqlite3 'SELECT count(*) FROM entries')" = 6 ]

    start --loop "$root" /srv/guestbook.AppImage
    wait_until_up
    request /entries.json | grep -q '"text":"line 5"'
    run ! grep -q later <(request /entries.json)
    stop TERM
    nothing_left "$root"
}

@test "a snapshot is read with tar, zstd and any JSON when our tool is gone" {
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

# Visitors go on writing, until the site is gone.
write_on() {
    while :; do
        request /entries -o /dev/null -d 'name=Bob&text=meanwhile' || return 0
    done
}

# drill KIND [RELEASE]: A is saved under load, and lost; on B there is only the capsule.
drill() {
    make_site 200
    write_on 2>/dev/null 3>&- &
    local visitors=$!
    local began=$EPOCHREALTIME
    run keep backup --capsule -o /srv/guestbook.capsule
    local saved=$EPOCHREALTIME
    [ "$status" -eq 0 ]
    kill "$visitors"
    wait "$visitors" || true
    stop KILL
    [[ $output =~ \ ([0-9]+)\ rows ]]
    local rows=${BASH_REMATCH[1]}
    [ "$rows" -ge 200 ]
    [ "$(rows "$state")" -ge "$rows" ]
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
    [ "$(rows "$state")" = "$rows" ]
    [ "$(integrity "$state")" = ok ]
    has_pictures "$state"
    [ "$(sqlite3 "$state/data/guestbook.sqlite3" "SELECT count(*) FROM entries WHERE text LIKE 'line %'")" = 200 ]
    [ "$(status_of /entries -d 'name=Eve&text=new')" = 303 ]
    [ "$(stat -c %u "$state/data/guestbook.sqlite3")" = "$user" ]
    [ "$(stat -c %a "$root/srv/guestbook.capsule")" = 700 ]
    stop TERM
    {
        echo "# drill on $*: $rows rows, $pictures pictures"
        echo "#   A\$ ./guestbook backup --capsule                        $(seconds "$began" "$saved")"
        echo "#   B\$ ./guestbook.capsule restore; ./guestbook.capsule    $(seconds "$carried" "$up") until it serves"
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

@test "a capsule is a bundle: verify, damage, and a snapshot of its own" {
    make_site 5
    cd "$BATS_TEST_TMPDIR"
    keep backup --capsule -o /srv/one.capsule
    stop KILL
    capsule=$root/srv/one.capsule
    run -0 "$rucksack" verify "$capsule"
    [[ $output == *"snapshot ok"* ]]
    "$rucksack" inspect "$capsule" >/dev/null
    "$capsule" --appimage-offset
    # One flipped byte, at the beginning, within and at the end of what is behind the image.
    size=$(stat -c %s "$capsule")
    image_end=$(stat -c %s "$guestbook")
    for at in "$image_end" $(((size + image_end) / 2)) $((size - 129)) $((size - 100)) $((size - 90)); do
        cp "$capsule" bad.capsule
        printf '%b' "\\x$(printf %02x $((0x$(xxd -p -s "$at" -l 1 bad.capsule) ^ 0x10)))" |
            dd of=bad.capsule bs=1 seek="$at" conv=notrunc status=none
        run -3 "$rucksack" verify bad.capsule
        [[ $output == *"E-VERIFY"* ]]
        run ! env RUCKSACK_STATE="$PWD/elsewhere" ./bad.capsule restore
        [[ $output == *"E-SNAPSHOT: "*"damaged"* ]]
        [ ! -e elsewhere ]
    done
    # Cut off: no capsule any more, and no snapshot.
    head -c $((size - 1)) "$capsule" >bad.capsule
    run -3 "$rucksack" verify bad.capsule
    run ! env RUCKSACK_STATE="$PWD/elsewhere" ./bad.capsule restore
    [[ $output == *"which snapshot?"* ]]
    # It runs, and what it saves does not grow with every generation.
    RUCKSACK_STATE=$PWD/second "$capsule" restore
    RUCKSACK_STATE=$PWD/second "$capsule" backup --capsule -o two.capsule
    "$rucksack" verify two.capsule
    [ "$(stat -c %s two.capsule)" -lt $((size + 2000)) ]
    RUCKSACK_STATE=$PWD/second ./two.capsule restore --check-only
}

@test "what there is to say without a snapshot, a state or a command" {
    make_busybox_root "$root"
    run ! keep backup
    [[ $output == *"E-EMPTY: there is no state yet"*$'\nhint: start the app once'* ]]
    run ! keep restore
    [[ $output == *"restore: which snapshot?"* ]]
    run -0 keep backup --help
    run -0 keep help
    [[ $output == *"FILE backup "*"FILE restore "* ]]
    run ! keep bakcup
    [[ $output == *"did you mean 'backup'?"* ]]
}

@test "an app without state has no keeper" {
    cd "$BATS_TEST_TMPDIR"
    mkdir plain
    printf 'web: ruby -e "sleep 1"\n' >plain/Procfile
    touch plain/Gemfile
    (cd plain && bundle lock >/dev/null)
    "$rucksack" build --quiet --fast --no-check -o plain.AppImage plain
    run ! ./plain.AppImage backup
    [[ $output == *"E-STATE: this application has no state: there is nothing to back up"* ]]
    run ! "$rucksack" why plain.AppImage keeper
}

@test "several instances; one process at a time where that is asked for; a service is not born empty" {
    cd "$BATS_TEST_TMPDIR"
    mkdir shop shop/db
    echo 'File.write("db/x.sqlite3", ""); sleep' >shop/web.rb
    printf 'web: ruby web.rb\nonce: ruby -e "puts 1"\n' >shop/Procfile
    touch shop/Gemfile
    (cd shop && bundle lock >/dev/null)
    printf 'name: shop\nsingle: [wep]\nstate: {sqlite: ["db/*.sqlite3"]}\n' >shop/rucksack.yml
    run ! "$rucksack" build --quiet --fast --no-check -o shop.AppImage shop
    [[ $output == *"E-CONFIG: shop/rucksack.yml: single: no process 'wep'"*$'\nhint: did you mean '"'web'?" ]]
    sed -i 's/wep/web/' shop/rucksack.yml
    "$rucksack" build --quiet --fast --no-check -o shop.AppImage shop

    ./shop.AppImage >one.log 2>&1 3>&- &
    one=$!
    ./shop.AppImage --state two >two.log 2>&1 3>&- &
    two=$!
    until [ -e shop.state/data/db/x.sqlite3 ] && [ -e two/data/db/x.sqlite3 ]; do
        kill -0 $one && kill -0 $two || { cat one.log two.log; false; }
        sleep 0.05
    done
    [ "$(head -1 one.log)" = "rucksack: a new, empty state: $PWD/shop.state" ]
    [ "$(head -1 two.log)" = "rucksack: a new, empty state: $PWD/two" ]
    # A second one of the same; another process may run beside it.
    run -125 ./shop.AppImage run web
    [[ $output == *"E-RUNNING: process 'web' runs already with the state '$PWD/shop.state'"* ]]
    [[ $output == *"FILE --state DIR"* ]]
    run -125 ./shop.AppImage --state=two
    [ "$(./shop.AppImage run once)" = 1 ]
    kill $one $two
    wait $one $two || true
    run -2 ./shop.AppImage --state
    [[ $output == *"no directory given"* ]]

    mkdir service
    STATE_DIRECTORY=$PWD/service run -125 ./shop.AppImage run once
    [[ $output == *"E-EMPTY: the state is empty: '$PWD/service'"*"RUCKSACK_NEW=1"* ]]
    STATE_DIRECTORY=$PWD/service run -125 ./shop.AppImage run once # not the second time, either
    STATE_DIRECTORY=$PWD/service RUCKSACK_NEW=1 ./shop.AppImage run once
    STATE_DIRECTORY=$PWD/service ./shop.AppImage exec ruby -e 'File.write("db/y.sqlite3", "")'
    STATE_DIRECTORY=$PWD/service ./shop.AppImage run once
}

@test "docs/backups.md: what it shows, in its order" {
    make_site 5
    stop KILL
    cd "$BATS_TEST_TMPDIR"
    cp "$guestbook" blog
    mv "$root/srv/guestbook.state" .
    awk '/^```sh$/ { on = 1; next } /^```$/ { if (on) print "#end"; on = 0 } on' "$tree/docs/backups.md" >blocks
    [ "$(grep -c '^#end' blocks)" = 5 ]
    # Names are the app's; the site serves until it is ended.
    sed -i 's/blog-\*/guestbook-*/; s,^\./blog\.capsule$,timeout 2 ./blog.capsule exec ruby -e "puts 1",' blocks
    sh -eu blocks >said
    [ "$(grep -c '^wrote ' said)" = 2 ]
    [ "$(grep -c '^intact ' said)" = 1 ]
    [ "$(grep -c '^restored ' said)" = 2 ]
    [ "$(rows guestbook.state)" = 5 ]
    has_pictures guestbook.state
}
