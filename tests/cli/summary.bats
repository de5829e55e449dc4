#!/usr/bin/env bats
# SPDX-License-Identifier: MIT
# `rucksack inspect`: what is in a bundle, on one screen.

bats_require_minimum_version 1.5.0
load ../e2e/lib

setup_file() {
    make_guestbook
    cd "$BATS_FILE_TMPDIR" || return
    # One of each: warnings apart, all that the screen has a line for, and too much of some.
    mkdir -p app/config
    cp -r "$guestbook_app"/{Gemfile,Gemfile.lock,.bundle,config.ru,guestbook.rb,lib,public,views} app/
    ln -s "$guestbook_app/vendor" app/vendor
    cat >app/rucksack.yml <<'END'
name: board
version: 1.4.2
processes:
  web: bundle exec puma -p ${PORT:-4000}
  worker: ruby worker.rb $PORT
  mailer: ruby worker.rb --port 2525 with a command line that is much longer than what is left of a line
  clock: ruby worker.rb
  fifth: ruby worker.rb
state: {data: [uploads, files], sqlite: [data/*.sqlite3], cache: [tmp/cache], log: [log]}
secrets: [BOARD_KEY, "A|B"]
health: /up
END
    touch app/worker.rb
    "$rucksack" keygen --no-password blog
    "$rucksack" build --fast --no-check --quiet --sign blog.key -o board.AppImage app
    echo 'puts 1' >one.rb
    "$rucksack" build --fast --no-check --quiet -o one.AppImage one.rb
}

setup() {
    cd "$BATS_FILE_TMPDIR" || return
}

# fits_screen FILE: as many lines and columns as one screen has.
fits_screen() {
    "$rucksack" inspect "$1" >screen
    ruby -e 'lines = File.readlines("screen", chomp: true)
             abort "#{lines.size} lines" unless lines.size.between?(24, 40)
             wide = lines.find { |line| line.size > 80 }
             abort wide if wide'
}

@test "one screen: 24 to 40 lines of at most 80 columns" {
    fits_screen "$guestbook"
    fits_screen board.AppImage
    fits_screen one.AppImage
}

@test "who, what, where, why: each has its line" {
    run -0 "$rucksack" inspect board.AppImage
    [ "${lines[0]}" = "name       board 1.4.2, an application" ]
    [[ ${lines[1]} =~ ^file\ {7}[0-9.]+\ MB\ for\ (x86-64|aarch64):\ stub\ [0-9]+\ kB,\ image\ [0-9.]+\ MB$ ]]
    [ "${lines[2]}" = "signed     $(tail -1 blog.pub)" ]
    [[ ${lines[3]} == *'"rucksack board"'* ]]
    [[ $output == *$'\nnewest     file of 20'*" UTC, "* ]]
    [[ $output == *$'\nneeds      Linux '*"or newer, any "*" CPU"$'\n'* ]]
    [[ $output == *$'\nruby       '[0-9.]*" from "* ]]
    [[ $output == *$'\nprocesses  web: bundle exec puma -p ${PORT:-4000}\n'* ]]
    [[ $output == *"a command line that is muc..."$'\n'* ]]
    [[ $output == *$'\n           and 1 more: --all\nports      web: PORT, else 4000\n           worker: PORT, else 5100\n           mailer: 2525\n'* ]]
    [[ $output == *$'\nhealth     GET /up\nstate      data    uploads, files\n           sqlite  data\n'* ]]
    [[ $output == *$'\n           in board.state beside the file, or where RUCKSACK_STATE says\n'* ]]
    [[ $output == *$'\nsecrets    BOARD_KEY, A or B\n'* ]]
    [[ $output =~ $'\nsizes      '(ruby|libraries)\ +[0-9.]+\ MB\ +[0-9.]+\ MB\ unpacked\ \ \#+$'\n' ]]
    [[ $output == *$'\ngems       13, '*" of them native (*)"$'\n'*" sinatra "[0-9.]*" MIT,"* ]]
    [[ $output == *$'\nlibraries  '[0-9]*$'\n'*"libcrypto.so.3 "*" MB  libssl3 "* ]]
    [[ ${lines[-1]} == *"and "*" more: --all" ]]
    # All of it is elsewhere.
    run -0 "$rucksack" inspect --all board.AppImage
    [[ $output == *"fifth       ruby worker.rb"* && $output == *"libyaml-0.so.2"* ]]
}

@test "a command keeps nothing, and has no processes" {
    run -0 "$rucksack" inspect one.AppImage
    [[ ${lines[0]} == "name       one, a command: "* ]]
    [[ $output == *$'\nsigned     by nobody\n'* ]]
    [[ $output == *$'\nstate      none: it keeps nothing\n'* ]]
    [[ $output != *$'\nports'* && $output != *$'\nhealth'* ]]
}

@test "a signature that does not fit is no secret, and no error of who looks" {
    cp board.AppImage changed
    printf x | dd of=changed bs=1 seek=$(($(stat -c %s changed) - 1)) conv=notrunc status=none
    run -0 "$rucksack" inspect changed
    [[ $output == *"AND DOES NOT FIT"* ]]
    "$rucksack" inspect --json changed | ruby -rjson -e 's = JSON.parse($stdin.read)["signature"]
        exit s["signed"] && s["valid"] == false && s["why"].include?("changed")'
}

@test "a capsule says that it carries a state" {
    cp board.AppImage board
    mkdir -p board.state/data
    echo hello >board.state/data/file
    BOARD_KEY=1 A=1 ./board backup --capsule -o board.capsule
    run -0 "$rucksack" inspect board.capsule
    [[ ${lines[2]} == *"a snapshot of a state, which it carries" ]]
}

@test "on a terminal labels are bold, unless the user wants no colours" {
    # shellcheck disable=SC2030 # TERM is of this test
    export TERM=xterm
    script -qec "'$rucksack' inspect one.AppImage" /dev/null | head -1 >first
    grep -q $'^\e\\[1mname  *\e\\[0mone' first
    NO_COLOR=1 script -qec "'$rucksack' inspect one.AppImage" /dev/null >plain
    run -1 grep -q $'\e' plain
    TERM=dumb script -qec "'$rucksack' inspect one.AppImage" /dev/null >plain
    run -1 grep -q $'\e' plain
    "$rucksack" inspect one.AppImage >plain
    run -1 grep -q $'\e' plain
}
