#!/usr/bin/env bats
# SPDX-License-Identifier: MIT
# An application as `rails new` of Rails 8 makes it, with a scaffold, an upload, a job for a worker
# of its own, a channel: built without configuration, served from a root that has nothing.

bats_require_minimum_version 1.5.0
load ../e2e/lib
load lib

setup_file() {
    "$tree/tests/rubies/make" shared-3.3
    host_ruby=$(command -v ruby)
    export host_ruby
    PATH=$cache/rubies/home/.asdf/installs/ruby/3.3.8/bin:$PATH make_blog 8
}

setup() {
    setup_rails
    secret=RAILS_MASTER_KEY=$(cat "$BATS_FILE_TMPDIR/blog/config/master.key")
}

teardown() {
    stop KILL
    [ -z "$worker" ] || pid=$worker stop KILL
    drop_roots
}

start_worker() {
    enter_blog "$BATS_TEST_TMPDIR/worker.log" run worker </dev/null &
    worker=$!
}

@test "8: the build says what it found, and writes nothing into the tree" {
    run -0 cat "$BATS_FILE_TMPDIR/said"
    [[ $output == *'detect   rails + sqlite3'* ]]
    [[ $output == *'check    answers '*' in an empty root'* ]]
    (cd "$BATS_FILE_TMPDIR/blog" && find . -type f | sort) | diff "$BATS_FILE_TMPDIR/before" -
    run -0 "$rucksack" inspect --all "$blog"
    [[ $output == *'bundle exec puma -C config/puma.rb'* ]]
    [[ $output == *'bin/jobs'* ]]
    run -0 "$rucksack" extract -o "$BATS_TEST_TMPDIR/image" "$blog"
    [ -f "$BATS_TEST_TMPDIR/image/app/config/credentials.yml.enc" ]
    [ -z "$(find "$BATS_TEST_TMPDIR/image/app" -name '*.key')" ]
    run -0 "$rucksack" inspect --all "$blog"
    for database in production production_cache production_queue production_cable; do
        [[ $output == *"storage/$database.sqlite3 (sqlite)"* ]]
    done
}

@test "8: create, read, update, delete, upload; a job by the worker, told by the cable; data kept" {
    make_root
    run_blog run release </dev/null
    start_blog
    wait_for_rails
    start_worker
    browse / | grep -q '<h1[^>]*>Posts</h1>'

    nsenter -t "$pid" -n "$host_ruby" "$BATS_TEST_DIRNAME/cable.rb" 127.0.0.1 9292 PostsChannel \
        >"$BATS_TEST_TMPDIR/cable" 2>&1 3>&- &
    told=$!
    for _ in $(seq 300); do
        ! grep -q subscribed "$BATS_TEST_TMPDIR/cable" || break
        sleep 0.1
    done
    create_post First hello
    eventually /posts/1 'HELLO by solid-queue-worker'
    wait "$told"
    [ "$(cat "$BATS_TEST_TMPDIR/cable")" = $'subscribed\n{"title":"First"}' ]
    has_picture /posts/1
    update_post /posts/1 Second
    has_stylesheet

    stop KILL
    pid=$worker stop TERM
    worker=
    start_blog
    wait_for_rails
    browse /posts/1 | grep -q Second
    has_picture /posts/1
    delete_post /posts/1
    stop TERM
    [ "$(ls -A "$root/srv")" = $'blog.AppImage\nblog.state' ]
    run_blog exec bin/rails runner 'puts "cached #{Rails.cache.read("shouts")}"' </dev/null
    grep -q '^cached 1$' "$log"
    nothing_left "$root"
}

# bootsnap's own count of what it found compiled, as the run that is logged printed it.
count_of() {
    sed -n "s/^bootsnap $1: //p" "$log"
}

@test "8: what bootsnap compiles is kept in declared state, and found by the next start" {
    [[ $(<"$BATS_FILE_TMPDIR/said") == *'state    tmp/cache/bootsnap -> blog.state/cache/bootsnap'* ]]
    "$rucksack" inspect --all "$blog" | grep -q 'tmp/cache/bootsnap (cache)'
    make_root
    mkdir "$root/home/cache"
    chown $user "$root/home/cache"
    more=(BOOTSNAP_STATS=1 CACHE_DIRECTORY=/home/cache)
    run_blog exec bin/rails runner 1 </dev/null
    [ "$(count_of miss)" -gt 1000 ]
    [ -d "$root/home/cache/bootsnap/bootsnap" ]
    run_blog exec bin/rails runner 1 </dev/null
    [ "$(count_of hit)" -gt 1000 ]
    [ "$(count_of miss)" -eq 0 ]
    [ "$(count_of stale)" -eq 0 ]
}

is_behind_thruster() {
    wait_for_rails
    browse / | grep -q '<h1[^>]*>Posts</h1>'
    browse / -o /dev/null -D "$BATS_TEST_TMPDIR/headers"
    grep -qi '^X-Cache: ' "$BATS_TEST_TMPDIR/headers"
    # Not by SIGTERM: on a busy machine Puma 8.0.2 waits for ever in the close of the pipe that its
    # handler has written to, natively, too (2 of 20 stops; puma/puma#3940 mends it).
    processes_left | cut -d / -f 3 | xargs -r kill -KILL
    stop KILL
    nothing_left "$root"
}

@test "8: Thruster in front of the server; all processes at once; exec bin/rails" {
    make_root
    run_blog exec bin/rails db:prepare </dev/null
    # Thruster, a Go program, asks the kernel itself: what it looks for must be the host's.
    mkdir -p "$root/etc" "$root/usr/bin"
    echo '127.0.0.1 localhost' >"$root/etc/hosts"
    more=(HTTP_PORT=9292 TARGET_PORT=9393)
    start_blog exec bin/thrust ruby bin/rails server
    is_behind_thruster
    ln -s /bin/busybox "$root/usr/bin/env"
    start_blog exec bin/thrust bin/rails server
    is_behind_thruster

    more=()
    start_blog run --all
    wait_for_rails
    create_post First hello
    eventually /posts/1 'HELLO by solid-queue-worker'
    stop TERM
    nothing_left "$root"
    # Its books are in the database of the queue; there are jobs of Active Storage, too.
    run_blog exec bin/rails runner \
        'puts SolidQueue::Job.where(class_name: "ShoutJob").map { "finished #{!!_1.finished_at}" }' </dev/null
    grep -q '^finished true$' "$log"
    run_blog exec bin/rails db:migrate:status </dev/null
    grep -q 'up .* Create posts' "$log"
}
