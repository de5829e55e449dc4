#!/usr/bin/env bats
# SPDX-License-Identifier: MIT
# A bundle as an OCI image: what tools read in it, and that its tree serves as a root of its own, by
# chroot and in a container of runc.

bats_require_minimum_version 1.5.0
load lib

# Two processes, one of them for a shell; what lasts for a boot, and what is kept.
make_small() {
    mkdir -p "$BATS_FILE_TMPDIR/small"
    cd "$BATS_FILE_TMPDIR/small"
    touch Gemfile
    bundle lock >/dev/null
    cat >say.rb <<'RUBY'
$stdout.sync = true
puts "#{ARGV.inspect} PORT=#{ENV["PORT"].inspect} pid=#{Process.pid} #{Dir.children("tmp/pids").inspect}"
File.write("tmp/pids/server.pid", Process.pid)
File.write("uploads/one", "kept")
RUBY
    echo 'worker: ruby say.rb worker' >Procfile
    echo 'shell: ruby say.rb a && echo done' >>Procfile
    printf 'name: small.app\nversion: 1.4.2\nstate: {data: [uploads], run: [tmp/pids]}\n' >rucksack.yml
    "$rucksack" build --fast --no-check --quiet -o "$BATS_FILE_TMPDIR/small.AppImage" .
}

setup_file() {
    make_guestbook
    make_small
    export image="$BATS_FILE_TMPDIR/guestbook.oci.tar"
    cd "$BATS_FILE_TMPDIR"
    run --separate-stderr -0 "$rucksack" oci "$guestbook"
    [ "$output" = guestbook.oci.tar ]
    [ "$stderr" = "image    guestbook:latest" ]
    mkdir layout
    tar -C layout -xf "$image"
    umoci unpack --image layout:guestbook:latest unpacked
}

setup() {
    make_enter
    way=
    root=$BATS_TEST_TMPDIR/root
    containers=$BATS_TEST_TMPDIR/runc
    made=
}

teardown() {
    stop KILL
    [ -z "$made" ] || runc --root "$containers" delete --force "$made"
    drop_roots
}

# config EXPRESSION: of the image's configuration c, as Ruby sees it.
config() {
    skopeo inspect --config "oci-archive:${2:-$image}" | ruby -rjson -e 'c = JSON.parse($stdin.read)
        s = c["config"]
        puts '"$1"
}

@test "skopeo, umoci and sha256sum find what the specification asks for" {
    [ "$(config 'c.values_at("architecture", "os").join(" ")')" = "$(dpkg --print-architecture) linux" ]
    [ "$(config 's.values_at("User", "WorkingDir", "StopSignal").join(" ")')" = "65532:65532 /app SIGTERM" ]
    [ "$(config 's["Entrypoint"] + s["Cmd"]')" = $'/AppRun\nrun\nweb' ]
    [ "$(config 's["Volumes"].keys + s["ExposedPorts"].keys')" = $'/var/lib/guestbook\n9292/tcp' ]
    [ "$(config 's["Env"].grep(/PORT|STATE/)')" = $'PORT=9292\nRUCKSACK_STATE=/var/lib/guestbook' ]
    [ "$(config 's["Labels"]["org.opencontainers.image.title"]')" = guestbook ]
    cd "$BATS_FILE_TMPDIR/layout/blobs/sha256"
    for blob in *; do echo "$blob  $blob"; done | sha256sum --check --quiet
    # The hash of the layer as it is when it is unpacked.
    layer=$(ls -S | head -1)
    [ "$(config 'c["rootfs"]["diff_ids"]')" = "sha256:$(zcat "$layer" | sha256sum | cut -d' ' -f1)" ]
    [ "$(umoci ls --layout "$BATS_FILE_TMPDIR/layout")" = guestbook:latest ]
    # Copied to another kind of store, every blob is read; docker load reads the other list.
    skopeo copy --quiet "oci-archive:$image" "dir:$BATS_TEST_TMPDIR/copy"
    [ "$(stat -c %s "$BATS_TEST_TMPDIR/copy/$layer")" = "$(stat -c %s "$layer")" ]
    [ "$(skopeo inspect --config "docker-archive:$image" | sha256sum)" = \
        "$(skopeo inspect --config "oci-archive:$image" | sha256sum)" ]
}

@test "the same bundle gives the same bytes" {
    mkdir -m 777 "$BATS_TEST_TMPDIR/elsewhere"
    cd "$BATS_TEST_TMPDIR/elsewhere"
    cp "$guestbook" other.AppImage
    (umask 077 && LC_ALL=C TZ=Asia/Tokyo setpriv --reuid $user --regid $user --clear-groups \
        "$rucksack" oci -q -o again.tar other.AppImage)
    cmp again.tar "$image"
    [ "$(stat -c %a again.tar)" = 644 ]
}

# serve ROOT: the image's process with its environment, user and words, and nothing but its files: by
# chroot(2), without /proc and /dev, in a network of its own.
serve() {
    local environment
    mapfile -t environment < <(config 's["Env"]')
    log=$BATS_TEST_TMPDIR/log
    unshare --net sh -euc 'ip link set lo up; root=$1; shift
        exec env -i "$@" "$(command -v chroot)" --userspec=65532:65532 "$root" /AppRun run web' \
        sh "$1" "${environment[@]}" >"$log" 2>&1 </dev/null 3>&- &
    pid=$!
}

@test "unpacked by umoci, in a chroot: serves, and writes only where it may" {
    cp -a "$BATS_FILE_TMPDIR/unpacked/rootfs" "$root"
    writable=$(cd "$root" && setpriv --reuid 65532 --regid 65532 --clear-groups \
        find . ! -type l -writable)
    [ "$(sort <<<"$writable")" = $'./tmp\n./var/lib/guestbook' ]
    cd "$BATS_TEST_TMPDIR"
    (cd "$root" && find . ! -type l | sort) >before

    serve "$root"
    wait_until_up
    [ "$(status_of /entries -d 'name=Ada&text=first line')" = 303 ]
    [ "$(status_of /style.css)" = 200 ]
    stop KILL
    serve "$root"
    wait_until_up
    request /entries.json | grep -q '"text":"first line"'
    stop TERM
    [ "$(stat -c %u "$root/var/lib/guestbook/data/guestbook.sqlite3")" = 65532 ]
    (cd "$root" && find . ! -type l | sort) | comm -13 before - >new
    run ! grep -v '^./var/lib/guestbook/' new
}

# configure UNPACKED PLACE [WORD...]: runc's configuration from the image's, as umoci makes it; the root
# cannot be written, at PLACE is a directory of ours, and at /tmp $tmp, or nothing.
configure() {
    made=rucksack-$$-$BATS_TEST_NUMBER
    log=$BATS_TEST_TMPDIR/log
    volume=$BATS_TEST_TMPDIR/volume
    mkdir -p "$BATS_TEST_TMPDIR/bundle" "$volume"
    [ -n "$(ls -A "$volume")" ] || chown 65532:65532 "$volume"
    ruby -rjson -e 'from, place, volume, tmp, to, *words = ARGV
        c = JSON.parse(File.read("#{from}/config.json"))
        c["root"] = {"path" => "#{from}/rootfs", "readonly" => true}
        c["process"]["terminal"] = false
        c["process"]["args"] = ["/AppRun", *words] unless words.empty?
        c["process"].delete("rlimits")
        c["mounts"].reject! { |m| m["destination"] == place }
        c["mounts"] << {"destination" => place, "source" => volume, "options" => ["bind", "rw"]}
        c["mounts"] << if tmp.empty?
          {"destination" => "/tmp", "type" => "tmpfs", "source" => "tmpfs", "options" => ["mode=1777"]}
        else
          {"destination" => "/tmp", "source" => tmp, "options" => ["bind", "rw"]}
        end
        File.write(to, JSON.generate(c))' "$1" "$2" "$volume" "${tmp:-}" \
        "$BATS_TEST_TMPDIR/bundle/config.json" "${@:3}"
}

# The container, until it ends.
container() {
    runc --root "$containers" run --bundle "$BATS_TEST_TMPDIR/bundle" $made >"$log" 2>&1 </dev/null 3>&-
}

pid_of_container() {
    local i
    for i in $(seq 100); do
        pid=$(runc --root "$containers" state $made 2>/dev/null |
            sed -nE 's/^ *"pid": ([1-9][0-9]*),$/\1/p')
        [ -z "$pid" ] || return 0
        sleep 0.1
    done
    cat "$log" >&2
    return 1
}

# runc cannot do without; a machine that is a container itself may have none.
need_cgroups() {
    grep -qE ' - cgroup2? ' /proc/self/mountinfo || skip "no cgroups are mounted here"
}

@test "in a container of runc: process 1, a root that cannot be written, verbs, a volume" {
    need_cgroups
    configure "$BATS_FILE_TMPDIR/unpacked" /var/lib/guestbook
    chown 0:65532 "$volume" # as Kubernetes gives a volume to a group (fsGroup)
    chmod 2770 "$volume"
    container &
    local running=$!
    pid_of_container
    wait_until_up
    [ "$(status_of /entries -d 'name=Ada&text=kept')" = 303 ]
    # As `podman exec` does it.
    runc --root "$containers" exec $made /AppRun backup -o /tmp/one.tar.zst | grep -q ' 1 rows'
    [ "$(runc --root "$containers" exec $made /AppRun exec ruby -e 'puts Process.uid')" = 65532 ]
    runc --root "$containers" kill $made TERM
    wait $running || true
    pid=
    grep -q 'Gracefully stopping' "$log"
    configure "$BATS_FILE_TMPDIR/unpacked" /var/lib/guestbook exec ruby -rsqlite3 -e \
        'puts Process.pid, SQLite3::Database.new("/app/data/guestbook.sqlite3").execute("SELECT text FROM entries")'
    container
    [ "$(cat "$log")" = $'1\nkept' ]
}

@test "one process of several; names, ports and labels; what lasts for a boot ends with the container" {
    need_cgroups
    cd "$BATS_TEST_TMPDIR"
    run -2 "$rucksack" oci "$BATS_FILE_TMPDIR/small.AppImage"
    [[ $output == *"oci: name the process that the image starts: worker, shell"*"--process NAME"* ]]
    run -2 "$rucksack" oci --process web "$BATS_FILE_TMPDIR/small.AppImage"
    [[ $output == *"there is no process 'web'; there are: worker, shell"* ]]
    run -1 "$rucksack" oci -o nowhere/shell.tar --process shell "$BATS_FILE_TMPDIR/small.AppImage"
    [[ $output == *"warning  'shell' needs a shell, which the image does not have: ruby say.rb a && echo done"* ]]
    run -0 --separate-stderr "$rucksack" oci -o small.tar --process worker --port 8080 "$BATS_FILE_TMPDIR/small.AppImage"
    [ "$stderr" = "image    small.app:1.4.2" ]
    [ "$(config 's["ExposedPorts"].keys' small.tar)" = 8080/tcp ]
    [ "$(config 's["Labels"]["org.opencontainers.image.version"]' small.tar)" = 1.4.2 ]
    [ "$(config 's["Env"].grep(/RUNTIME/)' small.tar)" = RUNTIME_DIRECTORY=/tmp/small.app-run ]

    mkdir layout
    tar -C layout -xf small.tar
    umoci unpack --image layout:small.app:1.4.2 unpacked
    # Started again it finds its own /tmp, with a file that names a pid: its own.
    tmp=$BATS_TEST_TMPDIR/tmp
    mkdir -m 1777 "$tmp"
    for _ in 1 2; do
        configure "$PWD/unpacked" /var/lib/small.app
        container
        [ "$(cat "$log")" = '["worker"] PORT="8080" pid=1 []' ]
    done
    [ "$(find "$tmp/small.app-run" -name server.pid -exec cat {} +)" = 1 ]
    [ "$(cat volume/data/uploads/one)" = kept ]
}

@test "names of images: given, refused" {
    cd "$BATS_TEST_TMPDIR"
    small=$BATS_FILE_TMPDIR/small.AppImage
    [ "$(tar -xOf "$image" index.json | grep -c '"docker.io/library/guestbook:latest"')" = 1 ]
    for bad in '' UPPER 'a b' a: :a a..b/ 'a"b' -a a:b:c a. "a:$(printf 'x%.0s' {1..129})"; do
        echo "tag '$bad'"
        run -2 "$rucksack" oci --process worker "--tag=$bad" "$small"
        [[ $output == *"is not a name of an image"*"hint: like small.app:1.0"* ]]
    done
    for good in a__b:_1 registry.example:5000/team/app:2.0; do
        "$rucksack" oci --process worker "--tag=$good" -o good.tar "$small"
    done
    cp "$small" same
    run -1 "$rucksack" oci --process worker -o same same
    [[ $output == *"E-OUTPUT: 'same' is the file that this is made from"* ]]
    cmp "$small" same
}

# refused CODE WORDS FILE: one clear error, and no file.
refused() {
    run "-$1" "$rucksack" oci -q -o out.tar "$3"
    [[ $output == *"$2"* ]]
    [ "$(wc -l <<<"$output")" -le 2 ]
    [ -z "$(find . -name 'out.tar*' -o -name '.layer*')" ]
}

@test "what is damaged or no bundle, a place that is none, a full disk: an error, and nothing is left" {
    cd "$BATS_TEST_TMPDIR"
    head -c 3000000 "$guestbook" >short
    refused 1 E-TRUNCATED short
    cp "$guestbook" flipped
    printf '\377' | dd of=flipped bs=1 seek=5000000 conv=notrunc status=none
    refused 3 E-VERIFY flipped
    cp /bin/true true
    refused 1 E-BUNDLE true
    refused 1 E-BUNDLE missing
    run -1 "$rucksack" oci -o nowhere/out.tar "$guestbook"
    [[ $output == *"E-OUTPUT: 'nowhere/out.tar': No such file or directory"*"-o"* ]]
    in_memory "$BATS_TEST_TMPDIR/little"
    mount -o remount,size=4M "$BATS_TEST_TMPDIR/little"
    cd little
    refused 1 E-SPACE "$guestbook"
    [ -z "$(ls -A)" ]
    run -2 "$rucksack" oci --port 70000 "$guestbook"
    [[ $output == *"there is no port 70000"* ]]
}
