#!/usr/bin/env bats
# SPDX-License-Identifier: MIT
# What commands print with --json is as docs/schema says, member for member.

bats_require_minimum_version 1.5.0
load ../e2e/lib

setup_file() {
    make_guestbook
    cd "$BATS_FILE_TMPDIR" || return
    echo 'puts 1' >one.rb
    touch -d '1 minute ago' one.rb # what was just written is not trusted to be the same
    "$rucksack" keygen --json --no-password key >keygen.json
    "$rucksack" build --json --quiet --fast --no-check -o one.AppImage one.rb >build.json
    "$rucksack" build --json --quiet --fast --no-check -o one.AppImage one.rb >again.json
    "$rucksack" build --json --quiet --fast --no-check --sign key.key -o signed.AppImage one.rb >signed.json
    "$rucksack" build --json --dry-run --quiet one.rb >plan.json
    cp "$guestbook" guestbook
    mkdir -p guestbook.state/data
    ./guestbook backup --emptier --capsule -o capsule
}

setup() {
    cd "$BATS_FILE_TMPDIR" || return
}

# valid NAME [MEMBER VALUE]: standard input is such a document, and a member of it has that value.
valid() {
    cat >document
    python3 "$BATS_TEST_DIRNAME/schema.py" "$1" <document
    [ $# -eq 1 ] || ruby -rjson -e 'value = JSON.load_file("document").dig(*ARGV[0].split("."))
        abort "#{ARGV[0]}: #{value.inspect}" unless value.to_s == ARGV[1]' "$2" "$3"
}

@test "a document with a member too many, or too few, is none" {
    "$rucksack" verify --json one.AppImage >good
    valid verify <good
    ruby -rjson -e 'puts JSON.generate(JSON.load_file("good").merge("more" => 1))' >more
    ruby -rjson -e 'd = JSON.load_file("good"); d["signature"]["more"] = 1; puts JSON.generate(d)' >deeper
    ruby -rjson -e 'puts JSON.generate(JSON.load_file("good").except("stub"))' >less
    for bad in more deeper less; do
        run -1 python3 "$BATS_TEST_DIRNAME/schema.py" verify <$bad
    done
}

@test "every command that prints something has --json, and every schema a command" {
    for command in $("$rucksack" --help | sed -nE 's/^  ([a-z]+) .*/\1/p'); do
        case $command in
        run | completion) continue ;; # the output of others, and a script
        esac
        echo "$command"
        "$rucksack" "$command" --help | grep -q -- ' --json '
        grep -q "rucksack\" $command .*--json\|rucksack\" $command --json" "$BATS_TEST_FILENAME"
    done
    for schema in "$tree"/docs/schema/*.json; do
        name=$(basename "$schema" .json)
        echo "$name"
        grep -q "schema/$name.json\|valid $name" "$BATS_TEST_FILENAME" "$tree/tests/service/"{scenario,units.bats}
        grep -q "_${name}.json_" "$tree/docs/rucksack.1.scd"
    done
}

@test "build, and that it would build" {
    valid build file one.AppImage <build.json
    valid build unchanged false <build.json
    valid build unchanged true <again.json
    valid build minisig signed.AppImage.minisig <signed.json
    valid plan name one <plan.json
    [ ! -e one-x86_64.AppImage ]
    ruby -rjson -e 'd = JSON.load_file("plan.json")
        abort unless d["bytes"] == d["entries"].sum { |e| e["bytes"] } && d["files"] == d["entries"].sum { |e| e["files"] }
        abort unless d["entries"].any? { |e| e["path"] == "app" && e["reason"] == "the script" }'
}

@test "inspect: of an application, a command, a capsule, one that is signed, one of others" {
    "$rucksack" inspect --json "$guestbook" | valid inspect kind app
    "$rucksack" inspect --json one.AppImage | valid inspect signature.signed false
    "$rucksack" inspect --json signed.AppImage | valid inspect signature.key "$(tail -1 key.pub)"
    "$rucksack" inspect --json capsule | valid inspect name guestbook
    mkdir -p AppDir
    printf '[Desktop Entry]\nName=Hello\n' >AppDir/hello.desktop
    mksquashfs AppDir image -comp gzip -noappend -no-progress >/dev/null
    ruby "$BATS_TEST_DIRNAME/foreign.rb" runtime runtime
    cat runtime image >foreign.AppImage
    "$rucksack" inspect --json foreign.AppImage | valid inspect-appimage desktop.name Hello
}

@test "why: a library, a gem, a path" {
    "$rucksack" why --json "$guestbook" libz.so.1 | valid why kind library
    "$rucksack" why --json "$guestbook" puma | valid why kind gem
    "$rucksack" why --json "$guestbook" /app/config.ru | valid why reason "the application"
}

@test "why: a name that is misspelt" {
    run -1 --separate-stderr "$rucksack" why "$guestbook" libz.so.2
    [[ $stderr == *"E-UNKNOWN: "*$'\n'"hint: did you mean 'libz.so.1'?" ]]
    run -1 --separate-stderr "$rucksack" why "$guestbook" pmua
    [[ $stderr == *"E-UNKNOWN: "*$'\n'"hint: did you mean 'puma'?" ]]
}

@test "diff, verify, doctor" {
    "$rucksack" diff --json one.AppImage "$guestbook" | valid diff same false
    "$rucksack" verify --json one.AppImage | valid verify ok true
    "$rucksack" verify --json capsule | valid verify snapshot true
    "$rucksack" verify --json -p key.pub signed.AppImage | valid verify signature.comment "rucksack one"
    cp one.AppImage changed
    printf x | dd of=changed bs=1 seek=1000000 conv=notrunc status=none
    run -3 --separate-stderr "$rucksack" verify --json changed
    valid verify ok false <<<"$output"
    run -3 --separate-stderr "$rucksack" verify --json -p key.pub one.AppImage
    valid verify ok false <<<"$output"
    "$rucksack" doctor --json | valid doctor format 1
    "$rucksack" doctor --json one.AppImage | valid doctor file.whole true
}

@test "deps and recipes" {
    "$rucksack" deps --json "$(command -v ruby)" /bin/true | valid deps
    "$rucksack" recipes --json list | valid recipes
    "$rucksack" recipes --json check "$tree/recipes/openssl.yml" | valid recipes
}

@test "what a bundle says of its own state" {
    ./guestbook backup --json --emptier -o snapshot.tar.zst | valid backup file snapshot.tar.zst
    ./guestbook restore --json --check-only snapshot.tar.zst | valid restore restored false
    ./guestbook restore --json snapshot.tar.zst | valid restore restored true
}

@test "what makes files names them" {
    valid files <keygen.json
    cp one.AppImage copy
    "$rucksack" sign --json -s key.key copy | valid files
    ruby -rjson -e 'exit JSON.load_file("document")["files"] == %w[copy copy.minisig]'
    "$rucksack" extract --json -o tree one.AppImage | valid files
    "$rucksack" zsync --json one.AppImage | valid files
    "$rucksack" oci --json --quiet --tag one:7 -o one.tar one.AppImage | valid files tag one:7
    mkdir -p new
    cp -r "$guestbook_app"/{Gemfile,Gemfile.lock,.bundle,config.ru,guestbook.rb,lib,public,views} new/
    ln -sfn "$guestbook_app/vendor" new/vendor
    "$rucksack" init --json new | valid files
    [ -f new/rucksack.yml ]
    for file in one.tar one.AppImage.zsync tree/AppRun; do
        [ -e "$file" ]
    done
}
