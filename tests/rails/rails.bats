#!/usr/bin/env bats
# SPDX-License-Identifier: MIT
# An application as `rails new` makes it, with a scaffold, an upload and a job: built without
# configuration, served from a root that has nothing, and its data kept.

bats_require_minimum_version 1.5.0
load ../e2e/lib

setup_file() {
    local dir=$cache/rails
    "$BATS_TEST_DIRNAME/make" "$dir" >"$BATS_FILE_TMPDIR/make.log" 2>&1 || {
        tail -5 "$BATS_FILE_TMPDIR/make.log" >&2
        return 1
    }
    export GEM_HOME=$dir/home GEM_PATH=$dir/home PATH=$dir/home/bin:$PATH
    export RUBYLIB=$GEM_HOME/gems/rubygems-update-3.6.9/lib
    cp -a "$dir/blog" "$BATS_FILE_TMPDIR/blog"
    export blog=$BATS_FILE_TMPDIR/blog.AppImage
    (cd "$BATS_FILE_TMPDIR/blog" && find . -type f | sort >../before)
    "$rucksack" build -o "$blog" "$BATS_FILE_TMPDIR/blog" 2>"$BATS_FILE_TMPDIR/said"
}

setup() {
    make_enter
    root=$BATS_TEST_TMPDIR/root
    way=
    jar=$BATS_TEST_TMPDIR/cookies
}

teardown() {
    stop KILL
    drop_roots
}

make_root() {
    guestbook=$blog make_busybox_root "$root"
    mv "$root/srv/guestbook.AppImage" "$root/srv/blog.AppImage"
}

# start_blog [enter options] ROOT FILE [VERB...]
start_blog() {
    log=$BATS_TEST_TMPDIR/log
    env -i PATH=/usr/sbin:/usr/bin:/sbin:/bin HOME=/home/user PORT=9292 \
        SECRET_KEY_BASE=0123456789abcdef0123456789abcdef ${way:+RUCKSACK_MOUNT=$way} \
        "E2E_TEST=$BATS_TEST_TMPDIR" "$enter" "$@" >"$log" 2>&1 </dev/null 3>&- &
    pid=$!
}

run_blog() {
    start_blog "$@"
    wait "$pid"
    pid=
}

# As a browser behind a proxy that speaks TLS.
browse() {
    nsenter -t "$pid" -n curl --silent --max-time 20 -b "$jar" -c "$jar" \
        -H 'X-Forwarded-Proto: https' "${@:2}" "http://127.0.0.1:9292$1"
}

wait_for_rails() {
    for _ in $(seq 300); do
        [ "$(browse /up -o /dev/null -w '%{http_code}' 2>/dev/null)" != 200 ] || return 0
        kill -0 "$pid" 2>/dev/null || break
        sleep 0.1
    done
    cat "$log" >&2
    return 1
}

token() {
    browse "$1" | sed -n 's/.*name="authenticity_token" value="\([^"]*\)".*/\1/p' | head -1
}

# The page shows the text, soon.
eventually() {
    for _ in $(seq 100); do
        ! browse "$1" | grep -q "$2" || return 0
        sleep 0.1
    done
    browse "$1" >&2
    return 1
}

@test "the build says what it found, and writes nothing into the tree" {
    run -0 cat "$BATS_FILE_TMPDIR/said"
    [[ $output == *'detect   rails + sqlite3'* ]]
    [[ $output == *'state    storage -> blog.state/data/storage'* ]]
    [[ $output == *'state    tmp -> blog.state/run/tmp'* ]]
    [[ $output == *'check    answers '*' in an empty root'* ]]
    (cd "$BATS_FILE_TMPDIR/blog" && find . -type f | sort) | diff "$BATS_FILE_TMPDIR/before" -
    run -0 "$rucksack" inspect "$blog"
    [[ $output == *'bundle exec puma -C config/puma.rb'* ]]
    [[ $output == *'storage (data)'* ]]
    [[ $output == *'storage/production.sqlite3 (sqlite)'* ]]
}

@test "busybox only, user: create, read, update, delete, upload, job; restart; data kept" {
    make_root
    run_blog --fuse --user $user "$root" /srv/blog.AppImage run release
    start_blog --fuse --user $user "$root" /srv/blog.AppImage
    wait_for_rails
    browse / | grep -q '<h1>Posts</h1>'

    printf 'GIF89a\1\0\1\0\200\0\0\0\0\0\377\377\377!\371\4\1\0\0\0\0,\0\0\0\0\1\0\1\0\0\2\2D\1\0;' \
        >"$BATS_TEST_TMPDIR/dot.gif"
    [ "$(browse /posts -o /dev/null -w '%{http_code}' -F "authenticity_token=$(token /posts/new)" \
        -F 'post[title]=First' -F 'post[body]=hello' \
        -F "post[picture]=@$BATS_TEST_TMPDIR/dot.gif;type=image/gif")" = 302 ]
    eventually /posts/1 HELLO # the job has run
    picture=$(browse /posts/1 | sed -n 's/.*<a href="\([^"]*dot.gif\)".*/\1/p')
    stored=$(browse "/${picture#*//*/}" -o /dev/null -w '%{redirect_url}')
    browse "/${stored#*//*/}" -o "$BATS_TEST_TMPDIR/back.gif"
    cmp "$BATS_TEST_TMPDIR/dot.gif" "$BATS_TEST_TMPDIR/back.gif"

    [ "$(browse /posts/1 -o /dev/null -w '%{http_code}' -F _method=patch \
        -F "authenticity_token=$(token /posts/1/edit)" -F 'post[title]=Second')" = 303 ]
    stylesheet=$(browse / | sed -n 's/.*href="\(\/assets\/application-[^"]*\.css\)".*/\1/p')
    browse "$stylesheet" | grep -q rebeccapurple

    stop KILL
    start_blog --fuse --user $user "$root" /srv/blog.AppImage
    wait_for_rails
    browse /posts/1 | grep -q Second
    [ "$(browse /posts/1 -o /dev/null -w '%{http_code}' -F _method=delete \
        -F "authenticity_token=$(token /posts/1)")" = 303 ]
    [ "$(browse /posts/1 -o /dev/null -w '%{http_code}')" = 404 ]
    stop TERM
    [ "$(ls -A "$root/srv")" = $'blog.AppImage\nblog.state' ]
    nothing_left "$root"
}

@test "exec bin/rails runner and console" {
    make_root
    run_blog --fuse --user $user "$root" /srv/blog.AppImage run release
    run -0 run_blog --fuse --user $user "$root" /srv/blog.AppImage exec bin/rails runner \
        'puts "posts: #{Post.count}, #{Rails.env}, #{Rails.root.basename}"'
    grep -q '^posts: 0, production, app$' "$log"
    run -0 run_blog --fuse --user $user "$root" /srv/blog.AppImage exec bin/rails db:migrate:status
    grep -q 'up .* Create posts' "$log"
}

@test "examples/board: a note with a picture, counted by a job, kept and removed" {
    cp -a "$tree/examples/board" "$BATS_TEST_TMPDIR/board"
    cd "$BATS_TEST_TMPDIR/board"
    rm -f Gemfile.lock
    bundle lock --local >/dev/null
    blog=$BATS_TEST_TMPDIR/board.AppImage
    "$rucksack" build --fast --quiet -o "$blog" . >/dev/null
    make_root
    run_blog --fuse --user $user "$root" /srv/blog.AppImage run release
    start_blog --fuse --user $user "$root" /srv/blog.AppImage
    wait_for_rails
    printf 'GIF89a' >"$BATS_TEST_TMPDIR/dot.gif"
    [ "$(browse /notes -o /dev/null -w '%{http_code}' -F "authenticity_token=$(token /)" \
        -F 'note[text]=three small words' -F "note[picture]=@$BATS_TEST_TMPDIR/dot.gif")" = 303 ]
    eventually /notes/1 '"words":3,"picture":"http'
    [ "$(browse /notes -F "authenticity_token=$(browse / | sed -n 's/.*id="new".*name="authenticity_token" value="\([^"]*\)".*/\1/p')" \
        -F 'note[text]=')" = "Text can't be blank" ]
    browse / | grep -q 'href="/assets/board-[0-9a-f]*\.css"' || browse / | grep -q '/assets/board-'
    stop TERM
    start_blog --fuse --user $user "$root" /srv/blog.AppImage
    wait_for_rails
    browse / | grep -q 'three small words'
}
