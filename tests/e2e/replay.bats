#!/usr/bin/env bats
# SPDX-License-Identifier: MIT
# The boot profile: what a start will need is read ahead of it, by a process that leaves nothing.

bats_require_minimum_version 1.5.0
load lib

setup_file() {
    make_guestbook
    export tool=$BATS_FILE_TMPDIR/tool.AppImage
    cat >"$BATS_FILE_TMPDIR/tool.rb" <<'RUBY'
if ARGV == ["--help"]
  require "socket" # what the check boot loads
  puts "tool"
else
  sleep 1
  file = "#{RbConfig::CONFIG["rubyarchdir"]}/socket.so"
  raise "loaded" if $LOADED_FEATURES.include?(file)
  exec "fincore", "--noheadings", "--raw", "--bytes", "--output", "RES,SIZE", file
end
RUBY
    "$rucksack" build -q -o "$tool" "$BATS_FILE_TMPDIR/tool.rb"
}

setup() {
    export XDG_RUNTIME_DIR=$BATS_TEST_TMPDIR/run XDG_CACHE_HOME=$BATS_TEST_TMPDIR/cache
    mkdir -p "$XDG_RUNTIME_DIR"
    cd "$BATS_TEST_TMPDIR"
}

teardown() {
    cd /
    if [ -n "${pid-}" ]; then
        kill -9 "$pid" 2>/dev/null || :
    fi
}

# The profile of a bundle, its records alone.
profile_of() {
    "$1" --appimage-extract .rucksack/profile >/dev/null
    sed 1d squashfs-root/.rucksack/profile
    rm -r squashfs-root
}

replays() {
    pgrep -x rucksack-replay || :
}

# Within a second, for a process is asked to end by nobody.
no_replay_is_left() {
    for _ in $(seq 100); do
        [ -n "$(replays)" ] || return 0
        sleep 0.01
    done
    replays
    return 1
}

# place PATTERN: the line of the first record that matches.
place() {
    grep -n -m 1 "$1" records | cut -d: -f1
}

@test "the profile has what a start opens, in its order" {
    profile_of "$guestbook" >records
    [ "$(place '^read[[:space:]]\.rucksack/ld/')" -eq 1 ]
    [ "$(place '^read.*/libruby')" -lt "$(place '/rubygems\.rb$')" ]
    # The pack as soon as it is used: before Ruby's first file.
    [ "$(place '^read.*/enc/encdb\.so$')" -lt "$(place '^read[[:space:]]\.rucksack/iseqs$')" ]
    [ "$(place '^read[[:space:]]\.rucksack/iseqs$')" -lt "$(place '/rubygems\.rb$')" ]
    [ "$(place '/rubygems\.rb$')" -lt "$(place 'gems/rack-.*\.rb$')" ]
    [ "$(place '[[:space:]]app/guestbook\.rb$')" -lt "$(place '/sinatra/base\.rb$')" ]
    # What the pack has is only opened.
    run ! grep -E '^read.*(/rubygems|gems/rack-.*)\.rb$' records
    [ -z "$(sort records | uniq -d)" ]
}

@test "files are in memory before the app asks for them" {
    [ "$(nproc)" -gt 1 ] || skip "one processor: nobody could read ahead"
    for way in kernel fuse; do
        run -0 env RUCKSACK_MOUNT=$way "$tool"
        echo "$way: $output"
        read -r resident size <<<"$output"
        [ "$resident" -ge "$size" ]
    done
}

@test "a start of one processor reads nothing ahead, nor does one without a profile" {
    run -0 env RUCKSACK_MOUNT=kernel taskset -c "$(taskset -cp $$ | sed 's/.*: //; s/[,-].*//')" "$tool"
    read -r resident _ <<<"$output"
    [ "$resident" -eq 0 ]
    mkdir plain
    : >plain/Gemfile
    printf 'boot: {profile: false}\nprocesses: {web: ruby app.rb}\n' >plain/rucksack.yml
    cp "$tree/tests/e2e/names.rb" plain/app.rb
    (cd plain && bundle lock --local >/dev/null)
    "$rucksack" build -q --no-check -o plain.AppImage plain
    run -0 ./plain.AppImage --appimage-list
    run ! grep -q 'rucksack/profile' <<<"$output"
}

@test "nothing is left of a start that ends, or is killed, at once" {
    for way in kernel fuse; do
        for pause in 0 0.002 0.005 0.01 0.02 0.05; do
            RUCKSACK_MOUNT=$way PORT=0 "$guestbook" >/dev/null 2>&1 3>&- &
            pid=$!
            sleep $pause
            kill -9 $pid
            wait $pid || :
            pid=
            no_replay_is_left
        done
    done
    for _ in $(seq 100); do
        [ -n "$(ls "$XDG_RUNTIME_DIR")" ] || break
        sleep 0.02
    done
    [ -z "$(ls "$XDG_RUNTIME_DIR")" ]
}

@test "an app that waits for all of its children, and its pipe, sees nothing of it" {
    cat >wait.rb <<'RUBY'
if ARGV == ["--help"]
  require "socket"
else
  begin
    Process.wait(-1)
    puts "a child"
  rescue Errno::ECHILD
    puts "none"
  end
end
RUBY
    "$rucksack" build -q -o wait.AppImage wait.rb
    [ "$(RUCKSACK_MOUNT=kernel ./wait.AppImage)" = none ]
    [ "$(RUCKSACK_MOUNT=fuse ./wait.AppImage)" = none ]
}

@test "a hostile profile reads nothing of the host, and stops no start" {
    "$tool" --appimage-extract >/dev/null
    mkfifo squashfs-root/fifo
    ln -s /etc squashfs-root/out
    {
        printf 'rucksack\t1\nread\t/etc/passwd\nread\t../../etc/passwd\nread\tfifo\nread\t/dev/zero\n'
        printf 'read\t\nread\nother\tx\nread\tout/passwd\nread\t%05000d\n' 0
        printf 'no record'
    } >squashfs-root/.rucksack/profile
    run -0 squashfs-root/AppRun --help
    [ "$output" = tool ]
    no_replay_is_left
    head -c 100000 /dev/urandom >squashfs-root/.rucksack/profile
    run -0 squashfs-root/AppRun --help
    : >squashfs-root/.rucksack/profile
    run -0 squashfs-root/AppRun --help
    truncate -s 3G squashfs-root/.rucksack/profile
    run -0 squashfs-root/AppRun --help
    [ "$output" = tool ]
    no_replay_is_left
}
