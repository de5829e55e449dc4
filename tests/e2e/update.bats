#!/usr/bin/env bats
# SPDX-License-Identifier: MIT
# A new version over the old one: update information in the file, and a control file by which zsync
# fetches what has changed.

bats_require_minimum_version 1.5.0
load lib

setup_file() {
    make_guestbook # its gems have a server that knows ranges
    cd "$BATS_FILE_TMPDIR"
    mkdir new old
    echo 'puts "one"' >hello.rb
    "$rucksack" build -q --fast --no-check -o old/hello.AppImage hello.rb
    { head -c 3000 /dev/urandom | base64 | sed 's/^/# /' && echo 'puts "two"'; } >hello.rb
    "$rucksack" build -q --fast --no-check --update-info 'zsync|http://127.0.0.1:8099/hello.AppImage.zsync' \
        -o new/hello.AppImage hello.rb
}

setup() {
    cd "$BATS_FILE_TMPDIR"
    pid=
}

teardown() {
    stop KILL
}

# In a network of its own, until it is stopped; its pid in $pid.
serve() {
    echo "run Rack::Files.new('$BATS_FILE_TMPDIR/new')" >"$BATS_TEST_TMPDIR/files.ru"
    BUNDLE_GEMFILE=$guestbook_app/Gemfile unshare --net sh -euc 'ip link set lo up; exec "$@"' sh \
        bundle exec puma --quiet --config - --bind tcp://127.0.0.1:8099 "$BATS_TEST_TMPDIR/files.ru" \
        >"$BATS_TEST_TMPDIR/log" 2>&1 3>&- &
    pid=$!
    local i
    for i in $(seq 100); do
        nsenter -t "$pid" -n curl -s -o /dev/null http://127.0.0.1:8099/ && return 0
        sleep 0.1
    done
    cat "$BATS_TEST_TMPDIR/log" >&2
    return 1
}

@test "update information: in its section, covered by the hashes, shown by the file" {
    want='zsync|http://127.0.0.1:8099/hello.AppImage.zsync'
    [ "$(new/hello.AppImage)" = two ]
    for flag in updateinfo updateinformation; do
        [ "$(new/hello.AppImage --appimage-$flag)" = "$want" ]
    done
    [ "$(old/hello.AppImage --appimage-updateinformation)" = "" ]
    # As other tools read it: the section, up to its first NUL.
    [ "$(objcopy -O binary --only-section=.upd_info new/hello.AppImage /dev/stdout 2>/dev/null | tr -d '\0')" = "$want" ]
    "$rucksack" verify new/hello.AppImage
    cp new/hello.AppImage "$BATS_TEST_TMPDIR/changed"
    at=$(grep -abo 'zsync|http' "$BATS_TEST_TMPDIR/changed" | head -1 | cut -d: -f1)
    printf Z | dd of="$BATS_TEST_TMPDIR/changed" bs=1 seek="$at" conv=notrunc status=none
    run -3 "$rucksack" verify "$BATS_TEST_TMPDIR/changed"
    # Another text is another build.
    cp new/hello.AppImage "$BATS_TEST_TMPDIR/hello.AppImage"
    "$rucksack" build -q --fast --no-check -o "$BATS_TEST_TMPDIR/hello.AppImage" \
        --update-info 'gh-releases-zsync|me|it|latest|hello-*x86_64.AppImage.zsync' hello.rb
    "$BATS_TEST_TMPDIR/hello.AppImage" --appimage-updateinfo | grep -qxF 'gh-releases-zsync|me|it|latest|hello-*x86_64.AppImage.zsync'
}

# wrong TEXT MESSAGE
wrong() {
    run -2 "$rucksack" build --update-info "$1" hello.rb
    [[ $output == *"option '--update-info': $2"*"hint: "* ]]
}

@test "update information that no tool would understand is refused" {
    wrong '' "unknown kind ''"
    wrong 'bintray-zsync|a|b|c|d.zsync' "unknown kind 'bintray-zsync'"
    wrong zsync 'no URL'
    wrong 'zsync|' 'no URL'
    wrong 'zsync|file:///a.zsync' 'no URL'
    wrong 'zsync|https://x/a b.zsync' 'it holds a blank'
    wrong $'zsync|https://x/\n.zsync' 'it holds a blank'
    wrong 'zsync|https://x/a' 'it does not end with'
    wrong 'gh-releases-zsync|a|b|latest' 'a field is missing'
    wrong 'gh-releases-zsync|a||latest|x.zsync' 'a field is empty'
    wrong 'pling-v1-zsync|1|a.zsync|' 'a field is empty'
    wrong 'pling-v1-zsync|1|a|b.zsync' 'there are too many fields'
    wrong "zsync|https://x/$(head -c 1010 /dev/zero | tr '\0' a).zsync" 'it is longer than 1023 bytes'
}

@test "zsync makes the new version of the old one, and fetches a small part of it" {
    run -0 --separate-stderr "$rucksack" zsync -o new/hello.AppImage.zsync new/hello.AppImage
    [ "$output" = new/hello.AppImage.zsync ]
    # What zsyncmake makes, but for the time.
    (cd new && zsyncmake -C -e -u hello.AppImage -o "$BATS_TEST_TMPDIR/made" hello.AppImage)
    sed '/^MTime: /d' "$BATS_TEST_TMPDIR/made" | cmp - new/hello.AppImage.zsync

    serve
    cp old/hello.AppImage "$BATS_TEST_TMPDIR/"
    cd "$BATS_TEST_TMPDIR"
    nsenter -t "$pid" -n zsync -i hello.AppImage http://127.0.0.1:8099/hello.AppImage.zsync >said 2>&1
    cmp hello.AppImage "$BATS_FILE_TMPDIR/new/hello.AppImage"
    chmod +x hello.AppImage # zsync itself does not keep it; AppImage tools do
    [ "$(./hello.AppImage)" = two ]
    cmp hello.AppImage.zs-old "$BATS_FILE_TMPDIR/old/hello.AppImage"
    [[ $(tr '\r' '\n' <said) =~ used\ ([0-9]+)\ local,\ fetched\ ([0-9]+) ]]
    echo "# of $(stat -c %s hello.AppImage) bytes ${BASH_REMATCH[2]} were fetched" >&3
    [ $((BASH_REMATCH[2] * 10)) -lt "$(stat -c %s hello.AppImage)" ]
}

@test "a capsule is not published: zsync refuses it, an OCI image leaves its snapshot out" {
    cd "$BATS_TEST_TMPDIR"
    export RUCKSACK_STATE=$PWD/state
    "$guestbook" exec ruby -rsqlite3 -e \
        'SQLite3::Database.new("data/guestbook.sqlite3").execute("CREATE TABLE secrets (word)")'
    "$guestbook" backup --capsule -o site.capsule
    run -1 "$rucksack" zsync site.capsule
    [[ $output == *"E-BUNDLE: 'site.capsule' is a capsule: with it a site's data would be published"*hint:* ]]
    [ ! -e site.capsule.zsync ]
    run -0 "$rucksack" oci -t registry.example:5000/team/blog -o site.tar site.capsule
    [[ $output == *"warning  the snapshot of this capsule is not in the image"* ]]
    [ "$(tar -xOf site.tar index.json | grep -c '"registry.example:5000/team/blog:latest"')" = 2 ]
    layer=$(tar -tvf site.tar | sort -rnk3 | sed -n '1s/.* //p')
    tar -xOf site.tar "$layer" | tar -tz >listing
    grep -qx app/guestbook.rb listing
    run ! grep -E 'guestbook\.sqlite3|RUCKSNAP|tar\.zst' listing
}

@test "zsync: what is damaged, or a place that is none" {
    cd "$BATS_TEST_TMPDIR"
    head -c 3000000 "$guestbook" >short
    run -1 "$rucksack" zsync short
    [[ $output == *E-TRUNCATED* ]]
    cp "$BATS_FILE_TMPDIR/old/hello.AppImage" flipped
    printf 'bytes that are not its own' | dd of=flipped bs=1 seek=5000000 conv=notrunc status=none
    run -3 "$rucksack" zsync flipped
    [[ $output == *E-VERIFY* ]]
    run -1 "$rucksack" zsync -o nowhere/x.zsync "$BATS_FILE_TMPDIR/old/hello.AppImage"
    [[ $output == *"E-OUTPUT: 'nowhere/x.zsync'"* ]]
    run -1 "$rucksack" zsync "$BATS_FILE_TMPDIR/old/hello.AppImage" -u $'x\nSHA-1: 0'
    [[ $output == *"E-NAME: "*"URL"* ]]
    [ -z "$(find . -name '*.zsync*')" ]
}
