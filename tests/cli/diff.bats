#!/usr/bin/env bats
# SPDX-License-Identifier: MIT
# `rucksack diff`: what differs between two bundles, and that nothing of them steers who reads it.

bats_require_minimum_version 1.5.0
load ../e2e/lib

setup_file() {
    make_guestbook
    cd "$BATS_FILE_TMPDIR" || return
    mkdir app
    cp -r "$guestbook_app"/{Gemfile,Gemfile.lock,.bundle,config,config.ru,guestbook.rb,lib,public,views} app/
    ln -s "$guestbook_app/vendor" app/vendor
    echo gone >app/gone.txt
    "$rucksack" build --fast --no-check --quiet -o one.AppImage app
    rm app/gone.txt
    echo '# more' >>app/guestbook.rb
    head -c 100000 /dev/urandom >app/new.bin
    touch 'app/<b>`x`|y.txt' app/$'\e[31mred'
    "$rucksack" build --fast --no-check --quiet -o other.AppImage app
}

setup() {
    cd "$BATS_FILE_TMPDIR" || return
}

@test "the same bundle: nothing" {
    run -0 "$rucksack" diff one.AppImage one.AppImage
    [ "$output" = "the images are the same" ]
    # What a header claims does not matter.
    cp other.AppImage liar
    rucksack=$rucksack ruby -rjson - <<'END'
one = File.binread("one.AppImage")
liar = File.binread("liar")
hash = [JSON.parse(`"#{ENV.fetch("rucksack")}" inspect --json one.AppImage`)["file"]["image_hash"]].pack("H*")
own = [JSON.parse(`"#{ENV.fetch("rucksack")}" inspect --json liar`)["file"]["image_hash"]].pack("H*")
abort unless one.index(hash) && liar.index(own)
liar[liar.index(own), 32] = hash
File.binwrite("liar", liar)
END
    run -0 "$rucksack" diff one.AppImage liar
    [[ $output == *app/guestbook.rb* ]]
}

@test "files added, removed, changed, and what grew" {
    run -0 "$rucksack" diff one.AppImage other.AppImage
    [[ $output == "before     app (Ruby "*$'\nafter      app (Ruby '*', +'*' kB'$'\n'* ]]
    [[ $output == *$'\n         - app/gone.txt -5 B\n'* ]]
    [[ $output == *$'\n         + app/new.bin +100.0 kB\n'* ]]
    [[ $output == *$'\n           app/guestbook.rb +7 B\n'* ]]
    [[ $output == *$'\nsizes      '*$'\n           app app +'* ]]
    [[ $output != *$'\ngems'* && $output != *$'\nlibraries'* ]]
}

@test "JSON: all of it, and the other way round the opposite" {
    "$rucksack" diff --json one.AppImage other.AppImage >there.json
    "$rucksack" diff --json other.AppImage one.AppImage >back.json
    ruby -rjson - <<'END'
there, back = %w[there back].map { |name| JSON.load_file("#{name}.json") }
abort "same" if there["same"]
opposite = {"added" => "removed", "removed" => "added", "changed" => "changed"}
turned = back["files"].map { |f| f.merge("change" => opposite[f["change"]], "before" => f["after"], "after" => f["before"]) }
abort "files" unless turned == there["files"] && there["files"].size > 4
abort "sizes" unless there["sizes"].map { |s| (s["after"] - s["before"]).abs }.each_cons(2).all? { |a, b| a >= b }
END
}

@test "gems and libraries are told by version" {
    mkdir script
    echo 'require "logger"; puts Logger' >script/say.rb
    "$rucksack" build --fast --no-check --quiet -o script.AppImage script/say.rb
    run -0 "$rucksack" diff one.AppImage script.AppImage
    [[ $output == *$'\ngems       0 changed, '*$'\n         - sinatra 4.'* ]]
    [[ $output == *$'\n         - libsqlite3.so.0 libsqlite3-0 '* ]]
}

@test "names steer neither a terminal nor a page" {
    run -0 "$rucksack" diff one.AppImage other.AppImage
    [[ $output == *'+ app/\x1b[31mred'* && $output != *$'\e'* ]]
    run -0 "$rucksack" diff --markdown one.AppImage other.AppImage
    [[ $output == *'| + app/&#60;b&#62;\`x\`\|y.txt |'* && $output != *$'\e'* && $output != *'<b>'* ]]
}

@test "what is no bundle, or damaged, and wrong calls" {
    echo nothing >none
    run "$rucksack" diff one.AppImage none
    [[ $status -ne 0 && $output == *E-BUNDLE* ]]
    run "$rucksack" diff one.AppImage
    [[ $status -eq 2 ]]
    run "$rucksack" diff --json --markdown one.AppImage one.AppImage
    [[ $status -eq 2 ]]
    cp one.AppImage damaged.AppImage
    dd if=/dev/zero of=damaged.AppImage bs=4096 seek=100 count=2000 conv=notrunc status=none
    run "$rucksack" diff one.AppImage damaged.AppImage
    [[ $status -ne 0 && $output == *"E-"* ]]
}
