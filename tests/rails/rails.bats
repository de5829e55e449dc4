#!/usr/bin/env bats
# SPDX-License-Identifier: MIT
# An application as `rails new` makes it, with a scaffold, an upload and a job: built without
# configuration, served from a root that has nothing, and its data kept.

bats_require_minimum_version 1.5.0
load ../e2e/lib
load lib

setup_file() {
    make_blog 7
}

setup() {
    setup_rails
}

teardown() {
    stop KILL
    drop_roots
}

@test "the build says what it found, and writes nothing into the tree" {
    run -0 cat "$BATS_FILE_TMPDIR/said"
    [[ $output == *'detect   rails + sqlite3'* ]]
    [[ $output == *'state    storage -> blog.state/data/storage'* ]]
    [[ $output == *'state    tmp -> blog.state/run/tmp'* ]]
    [[ $output == *'check    answers '*' in an empty root'* ]]
    (cd "$BATS_FILE_TMPDIR/blog" && find . -type f | sort) | diff "$BATS_FILE_TMPDIR/before" -
    run -0 "$rucksack" inspect --all "$blog"
    [[ $output == *'bundle exec puma -C config/puma.rb'* ]]
    [[ $output == *'storage (data)'* ]]
    [[ $output == *'storage/production.sqlite3 (sqlite)'* ]]
}

@test "busybox only, user: create, read, update, delete, upload, job; restart; data kept" {
    make_root
    run_blog run release </dev/null
    start_blog
    wait_for_rails
    browse / | grep -q '<h1>Posts</h1>'
    create_post First hello
    eventually /posts/1 HELLO # the job has run
    has_picture /posts/1
    update_post /posts/1 Second
    has_stylesheet

    stop KILL
    start_blog
    wait_for_rails
    browse /posts/1 | grep -q Second
    delete_post /posts/1
    stop TERM
    [ "$(ls -A "$root/srv")" = $'blog.AppImage\nblog.state' ]
    nothing_left "$root"
}

@test "saved while it serves, with its program; brought back on a machine that has neither" {
    make_root
    run_blog run release </dev/null
    start_blog
    wait_for_rails
    create_post First hello
    eventually /posts/1 HELLO
    has_picture /posts/1
    (log=$BATS_TEST_TMPDIR/backup; run_blog backup --capsule -o /srv/blog.capsule </dev/null; cat "$log")
    update_post /posts/1 Later
    stop KILL
    mv "$root/srv/blog.capsule" "$BATS_TEST_TMPDIR/"
    drop_roots

    blog=$BATS_TEST_TMPDIR/blog.capsule make_root
    run_blog restore </dev/null
    start_blog
    wait_for_rails
    browse /posts/1 | grep -q First
    eventually /posts/1 HELLO
    has_picture /posts/1
    update_post /posts/1 Second
    stop TERM
    nothing_left "$root"
}

@test "exec bin/rails: db:prepare, runner, db:migrate, console" {
    make_root
    run_blog exec bin/rails db:prepare </dev/null
    run_blog exec bin/rails runner \
        'puts "posts: #{Post.count}, #{Rails.env}, #{Rails.root.basename}"' </dev/null
    grep -q '^posts: 0, production, app$' "$log"
    run_blog exec bin/rails db:rollback STEP=100 </dev/null
    run_blog exec bin/rails db:migrate:status </dev/null
    grep -q 'down .* Create posts' "$log"
    run_blog exec bin/rails db:migrate </dev/null
    run_blog exec bin/rails db:migrate:status </dev/null
    grep -q 'up .* Create posts' "$log"
    for words in 'exec bin/rails console' console; do
        # shellcheck disable=SC2086 # words
        echo 'puts "in the console: #{Post.create!(title: "by hand").title}"' | run_blog $words
        grep -q '^in the console: by hand$' "$log"
    done
    run_blog exec bin/rails runner 'puts "posts: #{Post.count}"' </dev/null
    grep -q '^posts: 2$' "$log"
}

# As it is delivered: compiled, which the others are not.
@test "time zones are read when one is asked for, not all at each start" {
    "$rucksack" build --quiet -o "$BATS_TEST_TMPDIR/blog.AppImage" "$BATS_FILE_TMPDIR/blog" 2>"$log"
    blog=$BATS_TEST_TMPDIR/blog.AppImage make_root
    run_blog exec bin/rails runner \
        'source = TZInfo::DataSource.get
         puts source.class, source.method(:eager_load!).source_location.first[%r{[^/]*\z}], TZInfo.eager_load!.inspect
         puts ActiveSupport::TimeZone["Paris"].local(2024, 7, 1).utc_offset, ActiveSupport::TimeZone.all.size > 100' </dev/null
    diff - "$log" <<'EOF'
TZInfo::DataSources::ZoneinfoDataSource
zoneinfo_data_source.rb
nil
7200
true
EOF
}

@test "release prepares the databases, again without harm, and hands on a failure" {
    make_root
    run_blog run release </dev/null
    run_blog exec bin/rails runner 'Post.create!(title: "kept")' </dev/null
    run_blog run release </dev/null
    run_blog exec bin/rails runner 'puts Post.first.title' </dev/null
    grep -q '^kept$' "$log"
    echo 'no database' >"$root/srv/blog.state/data/storage/production.sqlite3"
    run ! run_blog run release </dev/null
    grep -q 'not a database' "$log"
}

@test "credentials: packed without their key, which comes from the environment or is asked for" {
    cp -a "$BATS_FILE_TMPDIR/blog" "$BATS_TEST_TMPDIR/blog"
    cd "$BATS_TEST_TMPDIR/blog"
    key=$(cat config/master.key)
    printf 'include: [config, config/master.key]\n' >rucksack.yml
    sed -i 's/^ *# config.require_master_key = true/  config.require_master_key = true/' \
        config/environments/production.rb
    grep -q '^  config.require_master_key' config/environments/production.rb
    blog=$BATS_TEST_TMPDIR/blog.AppImage
    run -1 "$rucksack" build --fast --quiet --no-check -o "$blog" .
    [[ $output == *E-ASSETS*'hint: lend the build the key, which is not packed: RAILS_MASTER_KEY=... rucksack build' ]]
    [ ! -e "$blog" ]
    RAILS_MASTER_KEY=$key "$rucksack" build --fast --quiet --no-check -o "$blog" .
    "$rucksack" extract -o "$BATS_TEST_TMPDIR/image" "$blog"
    [ -f "$BATS_TEST_TMPDIR/image/app/config/credentials.yml.enc" ]
    [ -z "$(find "$BATS_TEST_TMPDIR/image/app" -name '*.key')" ]
    run ! grep -rqF "$key" "$BATS_TEST_TMPDIR/image/app" "$BATS_TEST_TMPDIR/image/.rucksack"

    make_root
    secret=
    for words in run 'run release' 'run --all'; do
        # shellcheck disable=SC2086 # words
        run -125 run_blog $words </dev/null
        grep -q "E-SECRET: the secret 'RAILS_MASTER_KEY' is not set, nor is 'SECRET_KEY_BASE'" "$log"
        grep -q 'hint: set it in the environment: RAILS_MASTER_KEY=... FILE' "$log"
    done
    run ! run_blog exec bin/rails runner 1 </dev/null
    grep -q RAILS_MASTER_KEY "$log"

    secret=RAILS_MASTER_KEY=$key
    run_blog run release </dev/null
    run_blog exec bin/rails runner 'puts "as long: #{Rails.application.credentials.secret_key_base.size}"' \
        </dev/null
    grep -q '^as long: 128$' "$log"
    start_blog
    wait_for_rails
    browse / | grep -q '<h1>Posts</h1>'
}

@test "an application that gets its secret elsewhere is not asked for one" {
    cp -a "$BATS_FILE_TMPDIR/blog" "$BATS_TEST_TMPDIR/blog"
    cd "$BATS_TEST_TMPDIR/blog"
    sed -i '/^Rails.application.configure do/a\  config.secret_key_base = ENV.fetch("OURS", "x" * 64)' \
        config/environments/production.rb
    blog=$BATS_TEST_TMPDIR/blog.AppImage
    "$rucksack" build --fast --quiet -o "$blog" .
    make_root
    secret=
    run_blog run release </dev/null
    start_blog
    wait_for_rails
    browse / | grep -q '<h1>Posts</h1>'
}

@test "examples/board: a note with a picture, counted by a job, kept and removed" {
    cp -a "$tree/examples/board" "$BATS_TEST_TMPDIR/board"
    cd "$BATS_TEST_TMPDIR/board"
    rm -f Gemfile.lock
    bundle lock --local >/dev/null
    blog=$BATS_TEST_TMPDIR/board.AppImage
    "$rucksack" build --fast --quiet -o "$blog" . >/dev/null
    make_root
    run_blog run release </dev/null
    start_blog
    wait_for_rails
    printf 'GIF89a' >"$BATS_TEST_TMPDIR/dot.gif"
    [ "$(browse /notes -o /dev/null -w '%{http_code}' -F "authenticity_token=$(token /)" \
        -F 'note[text]=three small words' -F "note[picture]=@$BATS_TEST_TMPDIR/dot.gif")" = 303 ]
    eventually /notes/1 '"words":3,"picture":"http'
    [ "$(browse /notes -F "authenticity_token=$(browse / | sed -n 's/.*id="new".*name="authenticity_token" value="\([^"]*\)".*/\1/p')" \
        -F 'note[text]=')" = "Text can't be blank" ]
    browse / | grep -q 'href="/assets/board-[0-9a-f]*\.css"' || browse / | grep -q '/assets/board-'
    stop TERM
    start_blog
    wait_for_rails
    browse / | grep -q 'three small words'
}
