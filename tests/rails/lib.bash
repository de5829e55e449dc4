# SPDX-License-Identifier: MIT
# What the tests of Rails share: an application made by tests/rails/make, its bundle, a browser.

# make_blog MAJOR: the application, its bundle and what the build said, in BATS_FILE_TMPDIR. The Ruby
# is the one on PATH.
make_blog() {
    local dir=$cache/rails
    [ "$1" = 7 ] || dir=$cache/rails-$1
    "$BATS_TEST_DIRNAME/make" "$1" "$dir" >"$BATS_FILE_TMPDIR/make.log" 2>&1 || {
        tail -5 "$BATS_FILE_TMPDIR/make.log" >&2
        return 1
    }
    export GEM_HOME=$dir/home GEM_PATH=$dir/home PATH=$dir/home/bin:$PATH
    export RUBYLIB=$GEM_HOME/gems/rubygems-update-3.6.9/lib
    cp -a "$dir/blog" "$BATS_FILE_TMPDIR/blog"
    export blog=$BATS_FILE_TMPDIR/blog.AppImage
    (cd "$BATS_FILE_TMPDIR/blog" && find . -type f | sort >../before)
    "$rucksack" build --fast -o "$blog" "$BATS_FILE_TMPDIR/blog" 2>"$BATS_FILE_TMPDIR/said" || {
        cat "$BATS_FILE_TMPDIR/said" >&2
        return 1
    }
}

setup_rails() {
    make_enter
    root=$BATS_TEST_TMPDIR/root
    way=
    jar=$BATS_TEST_TMPDIR/cookies
    more=() # variables
    secret=SECRET_KEY_BASE=0123456789abcdef0123456789abcdef
    worker=
    log=$BATS_TEST_TMPDIR/log
}

make_root() {
    guestbook=$blog make_busybox_root "$root"
    mv "$root/srv/guestbook.AppImage" "$root/srv/blog.AppImage"
}

# enter_blog LOG [VERB...]: as a user, in the root; becomes it.
enter_blog() {
    exec env -i PATH=/usr/sbin:/usr/bin:/sbin:/bin HOME=/home/user PORT=9292 \
        ${secret:+"$secret"} "${more[@]}" ${way:+RUCKSACK_MOUNT=$way} "E2E_TEST=$BATS_TEST_TMPDIR" \
        "$enter" --fuse --user $user "$root" /srv/blog.AppImage "${@:2}" >"$1" 2>&1 3>&-
}

# start_blog [VERB...]: in the background; its pid in $pid, its words in $log.
start_blog() {
    enter_blog "$log" "$@" </dev/null &
    pid=$!
}

# run_blog [VERB...]: in the foreground, with this standard input; its words in $log.
run_blog() {
    (enter_blog "$log" "$@")
}

# As a browser behind a proxy that speaks TLS.
browse() {
    nsenter -t "$pid" -n curl --silent --max-time 20 -b "$jar" -c "$jar" \
        -H 'X-Forwarded-Proto: https' "${@:2}" "http://127.0.0.1:9292$1"
}

wait_for_rails() {
    for _ in $(seq 600); do
        [ "$(browse /up -o /dev/null -w '%{http_code}' 2>/dev/null)" != 200 ] || return 0
        kill -0 "$pid" 2>/dev/null || break
        sleep 0.1
    done
    tail -n 20 "$log" >&2
    return 1
}

token() {
    browse "$1" | sed -n 's/.*name="authenticity_token" value="\([^"]*\)".*/\1/p' | head -1
}

# The page shows the text, soon.
eventually() {
    for _ in $(seq 300); do
        ! browse "$1" | grep -q "$2" || return 0
        sleep 0.1
    done
    browse "$1" >&2
    return 1
}

make_picture() {
    picture=$BATS_TEST_TMPDIR/dot.gif
    printf 'GIF89a\1\0\1\0\200\0\0\0\0\0\377\377\377!\371\4\1\0\0\0\0,\0\0\0\0\1\0\1\0\0\2\2D\1\0;' \
        >"$picture"
}

# create_post TITLE BODY: with the picture.
create_post() {
    make_picture
    [ "$(browse /posts -o /dev/null -w '%{http_code}' -F "authenticity_token=$(token /posts/new)" \
        -F "post[title]=$1" -F "post[body]=$2" -F "post[picture]=@$picture;type=image/gif")" = 302 ]
}

# The picture of the post comes back as it was.
has_picture() {
    local shown stored
    shown=$(browse "$1" | sed -n 's/.*<a href="\([^"]*dot.gif\)".*/\1/p')
    stored=$(browse "/${shown#*//*/}" -o /dev/null -w '%{redirect_url}')
    browse "/${stored#*//*/}" -o "$BATS_TEST_TMPDIR/back.gif"
    cmp "$picture" "$BATS_TEST_TMPDIR/back.gif"
}

update_post() {
    [ "$(browse "$1" -o /dev/null -w '%{http_code}' -F _method=patch \
        -F "authenticity_token=$(token "$1/edit")" -F "post[title]=$2")" = 303 ]
}

delete_post() {
    [ "$(browse "$1" -o /dev/null -w '%{http_code}' -F _method=delete \
        -F "authenticity_token=$(token "$1")")" = 303 ]
    [ "$(browse "$1" -o /dev/null -w '%{http_code}')" = 404 ]
}

has_stylesheet() {
    local stylesheet
    stylesheet=$(browse / | sed -n 's/.*href="\(\/assets\/application-[^"]*\.css\)".*/\1/p')
    browse "$stylesheet" | grep -q rebeccapurple
}
