#!/usr/bin/env bats
# SPDX-License-Identifier: MIT
# `rucksack inspect --html` and `--tree`: what is written, without a browser; tests/html has one.

bats_require_minimum_version 1.5.0
load ../e2e/lib

setup_file() {
    make_guestbook
    cd "$BATS_FILE_TMPDIR" || return
    "$tree/tests/html/hostile" "$guestbook" hostile.AppImage
    "$rucksack" inspect --html guestbook.html "$guestbook"
    "$rucksack" inspect --html hostile.html hostile.AppImage
}

setup() {
    cd "$BATS_FILE_TMPDIR" || return
}

@test "the page is whole: every element ends, no address, and the policy knows style and script" {
    cat >check.rb <<'END'
require "base64"
require "digest"
VOID = %w[meta link input]
KNOWN = %w[html head meta link title style body a header h1 div label input output button nav main section h2 dl dt dd
           fieldset legend ul p table thead tbody tr th td ol details summary footer script]
ARGV.each do |file|
  page = File.read(file)
  inline = %w[style script].to_h { |name| [name, page[%r{<#{name}>(.*?)</#{name}>}m, 1]] }
  inline.each do |name, text|
    hash = Base64.strict_encode64(Digest::SHA256.digest(text))
    abort "#{file}: hash of #{name}" unless page.include?("#{name}-src 'sha256-#{hash}'")
  end
  abort "#{file}: policy" unless page.include?(%(content="default-src 'none'; ))
  abort "#{file}: address" if inline.values.join.gsub("http://www.w3.org/2000/svg", "").match?(%r{https?://|@import|url\(})
  rest = page.sub(/<!DOCTYPE html>/, "").gsub(%r{<(style|script)([^>]*)>.*?</\1>}m, "").gsub(/<!-- SPDX.*?-->/, "")
  open = []
  rest.scan(/<[^>]*>/) do |tag|
    name = tag[%r{\A</?([a-z0-9]+)}, 1]
    abort "#{file}: #{tag}" unless KNOWN.include?(name)
    abort "#{file}: #{tag}" if tag.match?(/\son|\ssrc=|\sstyle=/) || tag.scan(/href="([^"]*)"/).flatten.any? { |to| !to.match?(/\A#|\Adata:,\z/) }
    next if VOID.include?(name)
    tag.start_with?("</") ? open.pop == name || abort("#{file}: #{tag}") : open << name
  end
  abort "#{file}: open: #{open}" unless open.empty?
  abort "#{file}: stray" if rest.gsub(/<[^>]*>/, "").match?(/[<>]|&(?!#\d+;)/)
end
END
    ruby check.rb guestbook.html hostile.html
    # That fails for what is not so.
    sed 's|</dl>||' guestbook.html >broken.html
    run ! ruby check.rb broken.html
    sed 's|</h1>|<b>x</b></h1>|' guestbook.html >broken.html
    run ! ruby check.rb broken.html
    sed 's|"use strict";|"use strict"; |' guestbook.html >broken.html
    run ! ruby check.rb broken.html
}

@test "the page's document is that of --json, with the start's files" {
    "$rucksack" inspect --json "$guestbook" >document
    local at
    at=$("$guestbook" --appimage-offset)
    unsquashfs -o "$at" -cat "$guestbook" .rucksack/profile >profile
    unsquashfs -o "$at" -d '' -lln "$guestbook" >listed
    ruby -rjson - <<'END'
inside = JSON.parse(File.read("guestbook.html")[%r{id="data">(.*?)</script>}m, 1])
start = inside.delete("start")
inside.delete("sbom")
abort "document" unless inside == JSON.load_file("document")
records = File.readlines("profile", chomp: true).drop(1).map { |line| line.split("\t") }
told = start.map { |one| [one["read"] ? "read" : "open", one["path"]] }
abort "start" unless told == records && told.size > 100
bytes = File.readlines("listed", chomp: true).grep(/\A-/).to_h { |line| line.split(" ", 6).values_at(5, 2) }
abort "bytes" unless start.all? { |one| one["bytes"].to_s == bytes["/#{one["path"]}"] }
END
}

@test "names that are markup, script or marks are text" {
    run ! grep -qE "<img|<script>document|</script><script>d" hostile.html
    grep -q '&#60;img src=x onerror=&#34;document.title=&#39;owned&#39;&#34;&#62;' hostile.html
    [ "$(grep -c '^<!--data-->$' hostile.html)" -eq 0 ]
    ruby -rjson - <<'END'
page = File.read("hostile.html")
inside = JSON.parse(page[%r{id="data">(.*?)</script>}m, 1])
abort "name" unless inside["version"] == "</script><script>document.title='owned'</script>"
abort "start" unless inside["start"].size == 18
abort "scripts" unless page.scan("<script").size == 2 && page.scan("</script>").size == 2
abort "bidi" if page[0, page.index("id=\"data\"")].include?("\u202e")
END
}

@test "the file is complete, readable for all, and takes the place of the old one" {
    (umask 077 && "$rucksack" inspect --html new.html "$guestbook")
    [ "$(stat -c %a new.html)" = 644 ]
    cmp new.html guestbook.html
    "$rucksack" inspect --html - "$guestbook" | cmp - guestbook.html
    echo old >old.html
    ln old.html kept
    "$rucksack" inspect --html old.html "$guestbook"
    [ "$(cat kept)" = old ]
    cmp old.html guestbook.html
}

@test "what cannot be written or read: one error, and nothing is left" {
    mkdir here
    run "$rucksack" inspect --html here "$guestbook"
    [[ $status -eq 1 && $output == *"'here' is no regular file"*"hint: "*"'-'"* ]]
    run "$rucksack" inspect --html none/page.html "$guestbook"
    [[ $status -eq 1 && $output == *"none/page.html"*"No such file"* ]]
    run "$rucksack" inspect --html /dev/full "$guestbook"
    [[ $status -eq 1 && $output == *"no regular file"* ]]
    run bash -c "'$rucksack' inspect --html - '$guestbook' >/dev/full"
    [[ $status -eq 1 && $output == *"No space left"* ]]
    echo no >foreign.AppImage
    run "$rucksack" inspect --html here/page.html foreign.AppImage
    [[ $status -ne 0 && $output == *E-BUNDLE* ]]
    [ -z "$(ls -A here)" ]
    run "$rucksack" inspect --html here/page.html --json "$guestbook"
    [ "$status" -eq 2 ]
}

@test "a damaged profile, manifest or bill of materials: E-IMAGE, and no page" {
    local part
    for part in manifest.json sbom.json profile; do
        "$tree/tests/html/hostile" "$guestbook" damaged.AppImage ".rucksack/$part" nonsense
        run "$rucksack" inspect --html damaged.html damaged.AppImage
        [ "$status" -eq 1 ]
        [[ $output == "rucksack: E-IMAGE: 'damaged.AppImage': '.rucksack/$part'"* ]]
        [ ! -e damaged.html ]
    done
    [[ $output == *"hint: 'rucksack verify damaged.AppImage' says"* ]]
}

@test "a full disk: the old page stays, and nothing else" {
    mkdir full
    mount -t tmpfs -o size=64k tmpfs full
    echo old >full/page.html
    run "$rucksack" inspect --html full/page.html "$guestbook"
    local left
    left=$(cd full && echo * .[!.]* && cat page.html)
    umount full
    [[ $status -eq 1 && $output == *"full/page.html"*"No space left"* ]]
    [ "$left" = $'page.html .[!.]*\nold' ]
}

@test "--tree: heaviest first, sums of what is below, only so deep" {
    run -0 "$rucksack" inspect --tree "$guestbook"
    [[ ${lines[1]} == *"  usr/ ("*" files)" ]]
    [[ $output == *"  app/ ("* && $output == *"      x86_64-linux-gnu/ ("* ]]
    run -0 "$rucksack" inspect --tree --depth 1 "$guestbook"
    [[ ${#lines[@]} -lt 12 && $output != *x86_64* ]]
    "$rucksack" inspect --tree --depth 99 "$guestbook" >whole
    unsquashfs -o "$("$guestbook" --appimage-offset)" -lln "$guestbook" >listed
    [ "$(grep -cv '/ ([0-9]* files\?)$' whole)" -eq $(($(grep -c ^- listed) + 1)) ]
    # As many bytes as --json tells in sizes, which round only what is printed.
    "$rucksack" inspect --json "$guestbook" | ruby -rjson -e '
sum = JSON.parse($stdin.read)["sizes"].sum { |one| one["packed"] }
units = {"B" => 1, "kB" => 1e3, "MB" => 1e6}
shown = File.readlines("whole").drop(1).grep(/\A.{22}\S/).sum { |line| line[0, 10].split.then { |n, unit| n.to_f * units[unit] } }
abort "#{shown} instead of #{sum}" unless (shown - sum).abs < 0.02 * sum'
    run -0 "$rucksack" inspect --tree hostile.AppImage
    [[ $output == *'\xe2\x80\xaegnp.exe'* && $output != *$'\u202e'* ]]
}
