#!/usr/bin/env bats
# SPDX-License-Identifier: MIT
# docs/many-machines.md, from-docker.md, from-capistrano.md and pipelines.md: their commands, as they are written, and
# whether their files are of the image that the tool makes.

bats_require_minimum_version 1.5.0
load lib

setup_file() {
    make_guestbook
}

setup() {
    cd "$BATS_TEST_TMPDIR"
    cp -a "$guestbook_app" app
    mkdir bin
    # To build is what other tests are for: the bundle is there, and nothing has changed since.
    ln -s "$rucksack" bin/rucksack
    PATH=$PWD/bin:$PATH
}

# blocks PAGE KIND: what stands in the blocks of a kind.
blocks() {
    awk -v kind="$2" '$0 == "```" kind && !on { on = 1; next } /^```$/ { on = 0 } on' "$tree/docs/$1"
}

# A database as an older deployment leaves it, in $1.
old_data() {
    mkdir -p "$1"
    sqlite3 "$1/guestbook.sqlite3" 'CREATE TABLE entries (id INTEGER PRIMARY KEY, name TEXT NOT NULL,
        text TEXT NOT NULL, created_at TEXT NOT NULL DEFAULT CURRENT_TIMESTAMP);
        INSERT INTO entries (name, text) VALUES ("Ada", "from before"), ("Bob", "too")'
}

# Builds without the start, which takes longest and which build.bats is for.
run_page() {
    blocks "$1" sh | sed 's/^rucksack build /&--fast --no-check --name guestbook /' >commands
    [ "$(grep -vc '^#' commands)" -ge "$2" ]
    { cat "$BATS_TEST_TMPDIR/around" 2>/dev/null || true; cat commands; } >script
    sh -eux script >log 2>&1 </dev/null 3>&- || {
        cat log >&2
        return 1
    }
}

@test "docs/from-docker.md" {
    old_data volume
    run_page from-docker.md 8
    grep -qx 2 log
    grep -q '1 databases, 2 rows' log
    grep -q '^ruby  *[0-9.]* from ' log
    skopeo inspect oci-archive:blog.oci.tar | grep -q '"org.opencontainers.image.title": "guestbook"'
}

@test "docs/from-capistrano.md" {
    # The server is a directory, of which ssh makes the root's /srv.
    mkdir -p server/blog
    old_data server/old/shared/data
    cat >around <<'SH'
scp() { cp "$1" "server/${2#server:/srv/}"; }
ssh() { [ "$1" = server ] && unshare --mount sh -euc "mount --bind server /srv; $2"; }
SH
    run_page from-capistrano.md 10
    [ "$(readlink server/blog/current)" = blog-2 ]
    [ "$(sqlite3 server/blog/state/data/guestbook.sqlite3 'SELECT count(*) FROM entries')" = 2 ]
    [ "$(grep -c '1 databases, 2 rows' log)" = 2 ]
    [ "$(cd server/blog && echo ./*)" = './before-2.tar.zst ./blog-1 ./blog-2 ./current ./first.tar.zst ./state' ]
}

@test "docs/many-machines.md: the commands, and each file against the image" {
    cp "$guestbook" blog
    run_page many-machines.md 5
    grep -qxF 'zsync|https://files.example/guestbook.AppImage.zsync' log
    [ -f guestbook.AppImage.zsync ]
    skopeo inspect --config oci-archive:blog.oci.tar >config.json
    blocks many-machines.md yaml | awk '/^dbs:/ { out = "litestream" } { print >(out ? out : "kubernetes") ".yml" }'
    blocks many-machines.md ini >blog.container
    blocks many-machines.md hcl >blog.nomad
    tar -xOf blog.oci.tar index.json >index.json
    ruby -rjson -ryaml -e '
        image = JSON.parse(File.read("config.json"))["config"]
        name = JSON.parse(File.read("index.json"))["manifests"][0]["annotations"]["org.opencontainers.image.ref.name"]
        port = image["ExposedPorts"].keys.first.to_i
        volume = image["Volumes"].keys.first
        deployment, claim, service = YAML.load_stream(File.read("kubernetes.yml"))
        pod = deployment["spec"]["template"]["spec"]
        container = pod["containers"].first
        def same(what, left, right) = left == right || abort("#{what}: #{left.inspect}, #{right.inspect}")
        same "image", container["image"], name
        same "port", container["ports"].first["containerPort"], port
        same "probe", container["readinessProbe"]["httpGet"]["port"], port
        same "service", service["spec"]["ports"].first["targetPort"], port
        same "user", pod["securityContext"]["fsGroup"], image["User"].split(":").last.to_i
        same "volume", container["volumeMounts"].map { |m| m["mountPath"] }, [volume, "/tmp"]
        same "names", container["volumeMounts"].map { |m| m["name"] }, pod["volumes"].map { |v| v["name"] }
        same "claim", pod["volumes"].first["persistentVolumeClaim"]["claimName"], claim["metadata"]["name"]
        same "labels", deployment["spec"]["selector"]["matchLabels"], deployment["spec"]["template"]["metadata"]["labels"]
        same "selector", service["spec"]["selector"], deployment["spec"]["selector"]["matchLabels"]
        database = YAML.load_file("litestream.yml")["dbs"].first["path"]
        same "database", database, "#{volume}/data/guestbook.sqlite3"
        quadlet = File.readlines("blog.container", chomp: true).grep(/=/).map { |line| line.split("=", 2) }.to_h
        same "quadlet", quadlet["Image"], name
        same "quadlet", quadlet["PublishPort"].split(":").last.to_i, port
        same "quadlet", quadlet["Volume"].split(":")[1], volume
        nomad = File.read("blog.nomad")
        same "braces", nomad.count("{"), nomad.count("}")
        same "nomad", nomad[/args *= \[(.*)\]/, 1].delete("\" ").split(","), image["Cmd"]
        puts "ok"' >said
    [ "$(cat said)" = ok ]
    # The paths of these files are the ones at which the application writes.
    mkdir volume
    RUCKSACK_STATE=$PWD/volume ./blog exec ruby -rsqlite3 -e \
        'SQLite3::Database.new("data/guestbook.sqlite3").execute("CREATE TABLE t (a)")'
    [ -f volume/data/guestbook.sqlite3 ]
}

# The application in a repository, with keys, as a pipeline has it; the workflows of the page.
make_repository() {
    cd app
    rm -rf data/*.sqlite3
    git init -q .
    (cd .. && RUCKSACK_SIGN_PASSWORD=secret rucksack keygen release)
    mv ../release.pub .
    git add -A
    git -c user.name=a -c user.email=a@example.org commit -qm first
    blocks pipelines.md yaml >../pages
    ruby -ryaml -e '
      github, gitlab = File.read("../pages").split(/^(?=bundle:)/, 2).map { |text| YAML.safe_load(text, aliases: true) }
      steps = github["jobs"]["bundle"]["steps"].select { |step| %w[bundle check].include?(step["name"]) }
      abort "steps" unless steps.size == 2
      File.write("../github.sh", steps.map { |step| step["run"] }.join)
      File.write("../gitlab.sh", gitlab["bundle"]["script"].join("\n"))
      File.write("../artifacts", gitlab["bundle"]["artifacts"]["paths"].join("\n"))'
    sed -i 's/^rucksack build /&--fast --no-check /' ../*.sh
}

@test "docs/pipelines.md: GitHub's steps, twice, and GitLab's" {
    make_repository
    export RUCKSACK_SIGN_PASSWORD=secret GITHUB_STEP_SUMMARY=$PWD/../summary
    SIGN_KEY=$(cat ../release.key) sh -eu ../github.sh
    cp ../blog.AppImage ../before.AppImage
    minisign -V -q -p release.pub -m ../blog.AppImage
    [ ! -e ../release.key ]
    [ -s ../blog.html ] && [ -s ../blog.cdx.json ]
    echo '# more' >>guestbook.rb
    (cd .. && rucksack keygen other)
    mv ../other.pub release.pub
    SIGN_KEY=$(cat ../other.key) sh -eu ../github.sh
    grep -q 'guestbook.rb' ../summary
    SIGN_KEY=$PWD/../other.key sh -eu ../gitlab.sh
    xargs ls <../artifacts
}
