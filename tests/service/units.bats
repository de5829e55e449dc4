#!/usr/bin/env bats
# SPDX-License-Identifier: MIT
# What `FILE service` writes, without a systemd that runs: the units as text, checked by systemd's own
# tools, and every refusal. What it does is in tests/service/scenario, in a booted system.

bats_require_minimum_version 1.5.0
load ../e2e/lib

setup_file() {
    make_guestbook
    (cd "$BATS_FILE_TMPDIR" && "$guestbook" --appimage-extract '.rucksack/[lsk]*' >/dev/null)
}

setup() {
    cd "$BATS_TEST_TMPDIR"
}

# Takes what --print shows apart, below root.
write_printed() {
    mkdir -p root
    awk '/^==> / { path = "root" $2; dir = path; sub("/[^/]*$", "", dir)
            system("mkdir -p \"" dir "\""); next }
        { print > path }' "$1"
}

# What the program reads of an image, to be changed: as a hostile bundle's would be.
unpack_image() {
    mkdir -p squashfs-root
    cp -r "$BATS_FILE_TMPDIR/squashfs-root/.rucksack" squashfs-root/
}

service() {
    squashfs-root/.rucksack/service "$PWD/squashfs-root" "$guestbook" "$@"
}

rewrite() {
    sed -i "$1" squashfs-root/.rucksack/launch
}

@test "--print shows every file, writes none, and needs neither root nor systemd" {
    local place
    place=$(mktemp -d /tmp/rucksack-service.XXXXXX)
    chown $user "$place"
    cp "$guestbook" "$place/guestbook"
    run --separate-stderr setpriv --reuid=$user --regid=$user --clear-groups \
        env RUCKSACK_MOUNT=extract "XDG_CACHE_HOME=$place" \
        "$place/guestbook" service install --print --backup daily --listen 8080
    rm -rf "$place"
    [ "$status" -eq 0 ]
    [[ $output == *"==> /etc/systemd/system/guestbook-web.service (0644)"* ]]
    [[ $output == *"==> /etc/systemd/system/guestbook.socket (0644)"* ]]
    [[ $output == *"ListenStream=0.0.0.0:8080"* ]]
    [[ $output == *"==> /etc/systemd/system/guestbook-backup.timer (0644)"* ]]
    [[ $output == *"==> /etc/guestbook/env (0600)"* ]]
    [ ! -e /opt/guestbook ]
    [ ! -e /etc/systemd/system/guestbook.target ]
}

@test "systemd-analyze finds nothing wrong with the units, and at most 1.3 of exposure" {
    "$guestbook" service install --print --backup daily --push 'ssh vault "cat >$HOME/100%"' >printed
    write_printed printed
    # What the mount would bring, and what units of the system name.
    mkdir -p root/opt/guestbook/image root/usr/lib/systemd root/bin
    release=$(basename "$(find root/opt/guestbook/releases -mindepth 1 -maxdepth 1)")
    mkdir -p "root/opt/guestbook/releases/$release/image"
    cp "$(type -P true)" root/opt/guestbook/image/AppRun
    cp "$(type -P true)" "root/opt/guestbook/releases/$release/image/AppRun"
    cp -r /usr/lib/systemd/system root/usr/lib/systemd/
    run systemd-analyze verify --man=no --root="$PWD/root" guestbook.target guestbook.socket \
        guestbook-web.service guestbook-backup.service guestbook-backup.timer
    echo "$output"
    [ "$status" -eq 0 ]
    [ -z "$(grep guestbook <<<"$output")" ]
    local unit count=0
    for unit in root/etc/systemd/system/*.service; do
        run systemd-analyze security --offline=yes --no-pager --threshold=13 "$unit"
        echo "${lines[-1]}"
        [ "$status" -eq 0 ]
        count=$((count + 1))
    done
    [ "$count" -eq 2 ]
    grep -qF 'ExecStart=/opt/guestbook/releases/'"$release"'/image/AppRun backup -o /var/backups/guestbook --keep 14 --push "ssh vault \"cat >$$HOME/100%%\""' \
        root/etc/systemd/system/guestbook-backup.service
}

@test "Puma gets its socket and says that it is ready; other servers do not" {
    run "$guestbook" service install --print
    [[ $output == *"Type=notify"*"run web --bind-to-activated-sockets only"* ]]
    unpack_image
    rewrite '/^server\t/d'
    run --separate-stderr service install --print --listen 127.0.0.1:4000
    [ "$status" -eq 0 ]
    [[ $output == *"Type=exec"*"AppRun run web"*"Environment=PORT=4000"* ]]
    # Behind the file of the environment, which may name another one.
    [[ $output == *"EnvironmentFile=-/etc/guestbook/env"*"EnvironmentFile=/etc/guestbook/port"* ]]
    [[ $output == *"==> /etc/guestbook/port (0644)"*"PORT=4000"* ]]
    [[ $output != *".socket"* ]]
    [[ $output != *activated* ]]
}

@test "an app that starts programs of the host sees the host" {
    unpack_image
    printf '%s\t%s\n' host yes >>squashfs-root/.rucksack/launch
    run --separate-stderr service install --print
    [ "$status" -eq 0 ]
    [[ $output != *RootDirectory=* ]]
    [[ $output == *"ExecStart=/opt/guestbook/releases/1-"*"/image/AppRun run web"* ]]
    [[ $output == *ProtectSystem=strict* ]]
}

@test "without systemd: what to do instead" {
    [ ! -e /run/systemd/system ] || skip 'systemd runs this machine'
    local verb
    for verb in 'install --new' upgrade rollback uninstall status logs; do
        # shellcheck disable=SC2086 # words
        run -1 "$guestbook" service $verb
        [[ $output == *"E-SYSTEMD: this system was not started by systemd"* ]]
        [[ $output == *"hint: run it in the foreground"*"RUCKSACK_STATE=/var/lib/guestbook FILE run"* ]]
    done
    # And so it does run.
    RUCKSACK_STATE=$PWD/state PORT=0 timeout 20 "$guestbook" exec ruby -e 'puts :runs' | grep -qx runs
}

@test "names that cannot be a user's or a unit's are refused" {
    unpack_image
    cp squashfs-root/.rucksack/launch launch
    local name
    for name in root.d '-x' 'a b' 'a/b' '../a' 'A' '1a' 'a%n' "$(printf 'a%.0s' {1..32})" ''; do
        cp launch squashfs-root/.rucksack/launch
        rewrite "s|^name\t.*|name\t$name|"
        run -1 service install --print
        [[ $output == *"E-NAME"* || $output == *"E-START"* ]]
    done
    for name in '../../x' 'web;x' 'backup' 'release' 'a%i' '-web' 'a b'; do
        cp launch squashfs-root/.rucksack/launch
        rewrite "s|^process\tweb\t|process\t$name\t|"
        run -1 service install --print
        [[ $output == *"E-NAME: a process cannot be named"* ]]
    done
    cp launch squashfs-root/.rucksack/launch
    rewrite '/^process\t/d'
    run -1 service install --print
    [[ $output == *"E-START"* ]]
}

@test "a launch file that is damaged, and a file that is none of ours, are refused" {
    unpack_image
    printf 'rucksack\t2\n' >squashfs-root/.rucksack/launch
    run -1 service install --print
    [[ $output == *"E-START: damaged image: no launch file of version 1"* ]]
    rm -r squashfs-root
    unpack_image
    run -1 squashfs-root/.rucksack/service "$PWD/squashfs-root" /etc/passwd install --print
    [[ $output == *"E-BUNDLE: '/etc/passwd' is no bundle"* ]]
    run -1 squashfs-root/.rucksack/service "$PWD/squashfs-root" "" install --print
    [[ $output == *"E-BUNDLE: a service is installed from a bundle's file"* ]]
    mkfifo fifo
    run -1 squashfs-root/.rucksack/service "$PWD/squashfs-root" fifo install --print
    [[ $output == *"no regular file"* ]]
}

@test "no byte of the header that is another one makes the reader fall" {
    unpack_image
    cp "$guestbook" flipped
    local header at count=0 refused=0
    header=$(("0x$(readelf -SW "$guestbook" | sed -nE 's/.* \.rucksack +PROGBITS +[0-9a-f]+ ([0-9a-f]+) .*/\1/p')"))
    for at in $(seq 0 63) $(seq "$header" $((header + 40))) $(seq $((header + 104)) $((header + 112))); do
        dd if="$guestbook" bs=1 skip="$at" count=1 status=none >byte
        tr '\000-\377' '\200-\377\000-\177' <byte | dd of=flipped bs=1 seek="$at" conv=notrunc status=none
        run squashfs-root/.rucksack/service "$PWD/squashfs-root" flipped install --print
        [ "$status" -le 1 ]
        [ "$status" -eq 0 ] || refused=$((refused + 1))
        dd if=byte of=flipped bs=1 seek="$at" conv=notrunc status=none
        count=$((count + 1))
    done
    echo "# $count flips, $refused refused before the hashes" >&3
    [ "$refused" -gt 50 ]
}

@test "rucksack.yml: several processes, health and programs of the host" {
    cp -r "$guestbook_app" app
    printf '%s\n' 'processes: {web: bundle exec puma, worker: ruby -e sleep, clock: sh -c "sleep 9"}' \
        'health: /up' 'host: true' >app/rucksack.yml
    "$rucksack" build --quiet --no-check --fast -o app.AppImage app
    run --separate-stderr ./app.AppImage service install --print
    [ "$status" -eq 0 ]
    [[ $output == *"Wants=app-web.service app-worker.service app-clock.service"* ]]
    [[ $output == *"RuntimeDirectoryPreserve=yes"* ]]
    [[ $output != *RootDirectory* ]]
    ./app.AppImage --appimage-extract .rucksack/launch >/dev/null
    grep -qx $'health\t/up' squashfs-root/.rucksack/launch
    grep -qx $'server\tweb\tactivation' squashfs-root/.rucksack/launch
    run ! grep -E '^server\s(worker|clock)' squashfs-root/.rucksack/launch
    # '/' that was named is one, and a name that is none is said at once.
    printf '%s\n' 'name: 1.app' 'health: /' >app/rucksack.yml
    run -0 "$rucksack" build --no-check --fast -o named.AppImage app
    [[ $output == *"'1.app' cannot be the name of a service"* ]]
    ./named.AppImage --appimage-extract .rucksack/launch >/dev/null
    grep -qx $'health\t/' squashfs-root/.rucksack/launch
    "$guestbook" --appimage-extract .rucksack/launch >/dev/null
    run ! grep -E '^health' squashfs-root/.rucksack/launch
}

# trusting COMMAND...: in an /etc of its own, which pins the key of the file trust, if there is one.
trusting() {
    # shellcheck disable=SC2016 # for the other shell
    unshare --mount bash -euc 'mount -t tmpfs tmpfs /etc
        if [ -e trust ]; then mkdir /etc/guestbook && cp trust /etc/guestbook/trust; fi
        exec "$@"' - "$@"
}

@test "trust --json: the key that is pinned, or none" {
    unpack_image
    run -0 trusting squashfs-root/.rucksack/service "$PWD/squashfs-root" "$guestbook" trust --json
    [ "$output" = '{"format": 1, "name": "guestbook", "id": null, "key": null}' ]
    python3 "$tree/tests/cli/schema.py" trust <<<"$output" # valid trust
    "$rucksack" keygen --no-password key >/dev/null
    cp key.pub trust
    run -0 trusting squashfs-root/.rucksack/service "$PWD/squashfs-root" "$guestbook" trust --json
    python3 "$tree/tests/cli/schema.py" trust <<<"$output"
    ruby -rjson -e 'd = JSON.parse(ARGV[0]); id = File.read("key.pub")[/[0-9A-F]{16}/]
        abort d.inspect unless d.values_at("id", "key") == [id, File.read("key.pub").lines.last.chomp]' "$output"
    echo nonsense >trust
    run -1 trusting squashfs-root/.rucksack/service "$PWD/squashfs-root" "$guestbook" trust --json
    [[ $output == "rucksack: E-SIG: "* ]]
}

@test "options: each with its help" {
    run -0 "$guestbook" service --help
    [[ $output == *"FILE service VERB"*"--restore SNAPSHOT"*"--purge"* ]]
    run -2 "$guestbook" service
    [[ $output == *"service: what?"*"try: FILE service --help"* ]]
    run -2 "$guestbook" service upgrad
    [[ $output == *"unknown verb 'upgrad'"*"did you mean 'upgrade'?"* ]]
    run -2 "$guestbook" service install --ne
    [[ $output == *"did you mean '--new'?"* ]]
    run -2 "$guestbook" service install --new --restore x
    [[ $output == *"one or the other"* ]]
    run -2 "$guestbook" service rollback x
    [[ $output == *"'x' is no number from 1 on"* ]]
    run -2 "$guestbook" service install --keep 3 --print
    [[ $output == *"--keep and --push are of --backup"* ]]
    local bad
    for bad in 0 65536 localhost:80 'x
[Service]' ::1:80 1.2.3.4 '[::1]'; do
        run -2 "$guestbook" service install --print --listen "$bad"
        [[ $output == *"--listen: "* ]]
    done
    run -2 "$guestbook" service install --print --backup $'daily\nUser=root'
    [[ $output == *"--backup: "* ]]
    run -2 "$guestbook" service install --print --backup daily --push $'a\nUser=root'
    [[ $output == *"--push: "* ]]
}
