#!/usr/bin/env bats
# SPDX-License-Identifier: MIT
# What a bundle says of where it comes from: bill of materials, licences, revision, age.

bats_require_minimum_version 1.5.0
load lib

setup_file() {
    make_guestbook
    "$rucksack" inspect --sbom "$guestbook" >"$BATS_FILE_TMPDIR/sbom"
    "$rucksack" extract -o "$BATS_FILE_TMPDIR/image" "$guestbook" >/dev/null
    # An application without gems, as a work tree of git.
    mkdir "$BATS_FILE_TMPDIR/app"
    cd "$BATS_FILE_TMPDIR/app"
    touch Gemfile
    bundle lock >/dev/null
    echo 'puts 1' >one.rb
    echo 'web: ruby one.rb' >Procfile
}

setup() {
    sbom=$BATS_FILE_TMPDIR/sbom
    image=$BATS_FILE_TMPDIR/image
    cd "$BATS_TEST_TMPDIR"
    cp -a "$BATS_FILE_TMPDIR/app" app
}

# valid: standard input is CycloneDX 1.5.
valid() {
    python3 "$tree/tests/e2e/validate.py" "$tree/tests/data/cyclonedx"
}

build() {
    "$rucksack" build --fast --no-check -o bundle "$@" app 2>said >/dev/null
}

commit() {
    git -C app -c user.name=a -c user.email=a@b.c commit --quiet --allow-empty -m "$1"
}

@test "the bill of materials is CycloneDX 1.5, and the image has the same" {
    valid <"$sbom"
    cmp "$sbom" "$image/.rucksack/sbom.json"
    # The validator does find what is wrong.
    run ! valid < <(sed 's/"type": "library"/"type": "shelf"/' "$sbom")
    run ! valid < <(sed 's/urn:uuid:/urn:/' "$sbom")
}

@test "it has every gem of the lockfile with its version" {
    BUNDLE_GEMFILE=$guestbook_app/Gemfile ruby -rjson -rbundler -e '
        sbom = JSON.parse(File.read(ARGV[0]))
        urls = sbom["components"].filter_map { |component| component["purl"] }
        lock = Bundler::LockfileParser.new(File.read(ARGV[1]))
        names = lock.specs.map { |spec| spec.name }
        packed = urls.grep(/^pkg:gem/).map { |url| url[%r{pkg:gem/([^@]+)@}, 1] }
        # What only compiles or tests is not in the runtime groups.
        (packed - names).empty? or abort "not in the lockfile: #{packed - names}"
        packed.each do |name|
          spec = lock.specs.find { |spec| spec.name == name }
          urls.any? { |url| url.start_with?("pkg:gem/#{name}@#{spec.version}") } or abort name
        end
        packed.include?("puma") && packed.include?("sqlite3") or abort "the known ones"
        refs = [sbom["metadata"]["component"], *sbom["components"]].map { |one| one["bom-ref"] }
        refs.uniq.size == refs.size or abort "a reference twice"
        (sbom["dependencies"][0]["dependsOn"] - refs).empty? or abort "a reference to nothing"
        puts "# #{packed.size} gems"' "$sbom" "$guestbook_app/Gemfile.lock" >&3
}

@test "it has every object of the image, those of packages with the owner that dpkg names" {
    find "$image/usr" "$image/lib64" "$image/gems" -type f -print0 |
        ruby -e 'STDIN.each_line("\0", chomp: true) { |file|
            puts file.delete_prefix(ARGV[0]) if File.binread(file, 4) == "\x7fELF".b }' "$image" | sort >objects
    [ "$(wc -l <objects)" -ge 100 ]
    ruby -rjson -e '
        def files(component) = (component["components"] || []).select { |part| part["type"] == "file" }
        sbom = JSON.parse(File.read(ARGV[0]))
        sbom["components"].each do |component|
          puts "#{component["name"]} -" if component["type"] == "file"
          files(component).each { |file| puts "#{file["name"]} #{component["name"]}" }
        end' "$sbom" | sort >listed
    cut -d' ' -f1 listed | sort >names
    [ -z "$(uniq -d names)" ]
    # Trampolines and programs of gems are the launcher, which is ours.
    comm -23 objects names | while read -r file; do
        cmp -s "$image$file" "$image/AppRun" || { echo "not listed: $file"; exit 1; }
    done
    echo "# $(wc -l <listed) objects, $(grep -vc ' -$' listed) of packages" >&3
    if ! command -v dpkg-query >/dev/null || [ ! -d /var/lib/dpkg/info ]; then
        skip "no dpkg"
    fi
    [ "$(grep -vc ' -$' listed)" -ge 20 ]
    # By what dpkg itself says of each package; usr/bin/.ruby.elf is usr/bin/ruby.
    ruby -rjson -rset -e '
        JSON.parse(File.read(ARGV[0]))["components"].each do |package|
          next unless package["purl"].to_s.start_with?("pkg:deb")
          name = package["name"]
          versions = IO.popen(["dpkg-query", "-W", "-f", "${Version}\n", name], &:readlines).map(&:chomp)
          versions.include?(package["version"]) or abort "#{name}: #{package["version"]}, not #{versions}"
          owned = IO.popen(["dpkg-query", "-L", name], &:readlines).map(&:chomp).to_set
          (package["components"] || []).each do |file|
            path = file["name"].sub(%r{/\.([^/]+)\.elf$}, "/\\1")
            [path, path.delete_prefix("/usr"), File.realpath(path)].any? { |one| owned.include?(one) } or
              abort "#{path} is not of #{name}"
          end
        end' "$sbom"
}

@test "every gem and package has the text of its licence in the image" {
    "$rucksack" inspect --licenses "$guestbook" >licenses
    ruby -rjson -e '
        image, sbom = ARGV[1], JSON.parse(File.read(ARGV[0]))
        total = 0
        sbom["components"].each do |component|
          next unless component["purl"].to_s.match?(/^pkg:(gem|deb)/)
          files = (component["properties"] || []).filter_map { |one| one["value"] if one["name"] == "rucksack:license-file" }
          files.each { |file| File.size(File.join(image, file)) > 0 or abort file }
          files.any? or abort "#{component["purl"]} has none"
          total += 1
        end
        puts "# #{total} gems and packages"' "$sbom" "$image" >&3
    grep -A1 '^pkg:gem/puma@.*: BSD-3-Clause$' licenses | grep -q '^    /.rucksack/licenses/gems/puma-.*/LICENSE$'
    [ ! -f /usr/share/doc/zlib1g/copyright ] ||
        cmp /usr/share/doc/zlib1g/copyright "$image/.rucksack/licenses/deb/zlib1g/copyright"
}

@test "licenses: false packs no texts, and still names them" {
    echo 'licenses: false' >app/rucksack.yml
    build
    "$rucksack" inspect --licenses bundle >licenses
    grep -q '^pkg:generic/ruby@' licenses
    run ! grep -q '^    ' licenses
    run ! "$rucksack" why bundle /.rucksack/licenses
}

@test "the same input gives the same bytes; another has another serial number" {
    build --no-cache
    cp bundle first
    mkdir elsewhere
    mv app elsewhere/app
    "$rucksack" build --fast --no-check --quiet --no-cache -o bundle elsewhere/app >/dev/null
    cmp first bundle
    run -0 "$rucksack" inspect --sbom bundle
    valid <<<"$output"
    serial=$(grep -o 'urn:uuid:[0-9a-f-]*' <<<"$output")
    [[ $serial =~ ^urn:uuid:[0-9a-f]{8}-[0-9a-f]{4}-8[0-9a-f]{3}-8[0-9a-f]{3}-[0-9a-f]{12}$ ]]
    [ "$serial" != "$(grep -o 'urn:uuid:[0-9a-f-]*' "$sbom")" ]
}

@test "revision: of a work tree, and whether it was changed" {
    build
    run -0 "$rucksack" inspect --all bundle
    [[ $output != *$'\nsource'* ]]
    git init --quiet app
    git -C app add .
    commit first
    build
    revision=$(git -C app rev-parse HEAD)
    run -0 "$rucksack" inspect --all bundle
    [[ $output == *$'\nsource     '"$revision"$'\n'* ]]
    [ "$("$rucksack" inspect --json bundle | ruby -rjson -e 'puts JSON.parse(STDIN.read)["source"].inspect')" = \
        "$(ruby -e 'puts({"revision" => ARGV[0], "modified" => false}.inspect)' "$revision")" ]
    "$rucksack" inspect --sbom bundle | valid
    "$rucksack" inspect --sbom bundle | grep -q "\"value\": \"$revision\""
    build
    grep -q 'up to date' said
    commit second
    build
    run ! grep -q 'up to date' said
    echo 'puts 2' >app/one.rb
    build
    run -0 "$rucksack" inspect --all bundle
    [[ $output == *"source     $(git -C app rev-parse HEAD), with changes"* ]]
}

@test "revision: new files count, but what no bundle holds; so do those of submodules" {
    git init --quiet app
    git -C app add .
    commit first
    mkdir app/log
    touch app/log/a app/app.AppImage app/.env app/ignored
    echo ignored >app/.git/info/exclude
    build
    run -0 "$rucksack" inspect --all bundle
    [[ $output == *"source     $(git -C app rev-parse HEAD)"$'\n'* ]]
    touch app/new
    build
    run -0 "$rucksack" inspect --all bundle
    [[ $output == *"source     $(git -C app rev-parse HEAD), with changes"* ]]
    rm app/new
    git clone --quiet app module
    git -C app -c protocol.file.allow=always submodule --quiet add "$PWD/module" part
    commit second
    build
    run -0 "$rucksack" inspect --all bundle
    [[ $output == *"source     $(git -C app rev-parse HEAD)"$'\n'* ]]
    echo more >>app/part/one.rb
    build
    run -0 "$rucksack" inspect --all bundle
    [[ $output == *"source     $(git -C app rev-parse HEAD), with changes"* ]]
}

@test "revision: of this tree, whatever a hook's variables say, and not of somebody else's" {
    git init --quiet app
    git -C app add .
    commit first
    git init --quiet other
    git -C other -c user.name=a -c user.email=a@b.c commit --quiet --allow-empty -m other
    GIT_DIR=$PWD/other/.git GIT_INDEX_FILE=$PWD/none GIT_WORK_TREE=$PWD/other build
    run -0 "$rucksack" inspect --all bundle
    [[ $output == *"source     $(git -C app rev-parse HEAD)"$'\n'* ]]
    chown -R 1001 app
    build
    run -0 "$rucksack" inspect --all bundle
    [[ $output != *$'\nsource'* ]]
    mkdir home
    git config --file home/.gitconfig safe.directory "$PWD/app"
    HOME=$PWD/home build
    run -0 "$rucksack" inspect --all bundle
    [[ $output == *$'\nsource'* ]]
}

@test "revision: a repository starts no program of its own, and its breakage is no error" {
    git init --quiet app
    git -C app add .
    commit first
    git -C app config core.fsmonitor "$PWD/hook"
    printf '#!/bin/sh\ntouch "%s/started"\n' "$PWD" >hook
    chmod +x hook
    build
    [ ! -e started ]
    # Filters of the repository, and of a submodule; names with what ends a name elsewhere.
    git init --quiet module
    echo text >module/other.txt
    git -C module add .
    git -C module -c user.name=a -c user.email=a@b.c commit --quiet -m module
    git -C app -c protocol.file.allow=always submodule --quiet add "$PWD/module" part
    echo '*.txt filter=a.b=c' >app/.gitattributes
    echo '*.txt filter=other' >app/.git/modules/part/info/attributes
    echo text >app/new.txt
    git -C app add .
    commit second
    for dir in app app/part; do
        for filter in a.b=c other; do
            printf '[filter "%s"]\n\tclean = %s/hook\n\tprocess = %s/hook\n\trequired\n' "$filter" "$PWD" "$PWD" \
                >>"$(git -C $dir rev-parse --path-format=absolute --git-path config)"
        done
    done
    touch -d 2001-01-01 app/new.txt app/part/other.txt
    for dir in app app/part; do # so they would be
        rm -f started
        git -C $dir -c core.fsmonitor=false status --ignore-submodules=all --porcelain || true
        [ -e started ]
    done
    rm started
    touch -d 2002-02-02 app/new.txt app/part/other.txt
    build
    [ ! -e started ]
    run -0 "$rucksack" inspect --all bundle
    [[ $output == *"source     $(git -C app rev-parse HEAD)"$'\n'* ]]
    echo nonsense >app/.git/HEAD
    build
    run -0 "$rucksack" inspect --all bundle
    [[ $output != *$'\nsource'* ]]
}

@test "age: in days since its newest file, exit code 3 when that is too long" {
    SOURCE_DATE_EPOCH=$(($(date +%s) - 40 * 86400)) build
    run --separate-stderr -0 "$rucksack" inspect --age 40 bundle
    [[ $output == *$'\nage        40 days' ]]
    run --separate-stderr -3 "$rucksack" inspect --age 39 bundle
    [[ $output == *$'\nage        40 days' ]]
    [[ $stderr == *"E-AGE: nothing in 'bundle' is newer than 40 days"*"hint: "* ]]
    run --separate-stderr -2 "$rucksack" inspect --age soon bundle
    run --separate-stderr -2 "$rucksack" inspect --age 3 --sbom bundle
}
