#!/usr/bin/env bats
# SPDX-License-Identifier: MIT
# examples/report, also as docs/cli.md shows it, and examples/thumbnails, with the gems that tests/gems/run has installed.

bats_require_minimum_version 1.5.0
load ../e2e/lib

setup_file() {
    export GEM_HOME=$cache/gems/home GEM_PATH=$cache/gems/home
    export PATH=$GEM_HOME/bin:$PATH RUBYLIB=$GEM_HOME/gems/rubygems-update-3.6.9/lib
}

setup() {
    make_enter
    root=$BATS_TEST_TMPDIR/root
    way=
    made=$BATS_TEST_TMPDIR/made
    cd "$BATS_TEST_TMPDIR"
}

teardown() {
    drop_roots
}

in_root() {
    run_in --fuse --user $user "$root" /srv/guestbook.AppImage "$@"
}

@test "examples/report: subcommands, the data file, standard input, exit codes" {
    cp -r "$tree/examples/report" report
    (cd report && rm -f Gemfile.lock && bundle lock --local >/dev/null)
    "$rucksack" build --fast --quiet --check "headings /dev/null" -o "$made" report >/dev/null
    guestbook=$made make_busybox_root "$root"
    printf '<h1>One</h1>\n<h2>Two two</h2>\n<a href="/x">two</a>\n' >"$root/srv/page.html"
    run -0 in_root headings /srv/page.html
    [ "$output" = $'# One\n## Two two' ]
    run -0 in_root words /srv/page.html
    [ "${lines[0]}" = '3 two' ]
    run -0 bash -c "'$made' links <'$root/srv/page.html'"
    [ "$output" = /x ]
    run -2 in_root --help
    run -1 in_root links /srv/none
    [[ $output == 'report: No such file or directory'* ]]
}

@test "docs/cli.md: the source of a gem" {
    cp -r "$tree/examples" .
    rm -f examples/report/Gemfile.lock
    PATH=$RUCKSACK_BUILD:$PATH "$tree/tests/e2e/transcript" "$tree/docs/cli.md" 'The source of a gem' 3>&- >&2
}

@test "examples/thumbnails: pictures of three formats" {
    "$rucksack" build --fast --quiet --check 8 -o "$made" "$tree/examples/thumbnails/thumbnails.rb" >/dev/null
    guestbook=$made make_busybox_root "$root"
    printf 'P3\n4 4\n255\n%s\n' "$(yes '200 10 10' | head -16)" >"$root/srv/a.ppm"
    printf '<svg xmlns="http://www.w3.org/2000/svg" width="40" height="40"><rect width="40" height="40" fill="red"/></svg>' \
        >"$root/srv/b.svg"
    ruby -rvips -e 'Vips::Image.black(40, 30).write_to_file(ARGV[0])' "$root/srv/c.jpg"
    run -0 in_root 8 /srv/a.ppm /srv/b.svg /srv/c.jpg
    [ "$output" = $'/srv/a-8.png\n/srv/b-8.png\n/srv/c-8.png' ]
    [[ $(file -b "$root/srv/c-8.png") == 'PNG image data, 8 x 6'* ]]
}
