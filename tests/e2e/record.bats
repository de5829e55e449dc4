#!/usr/bin/env bats
# SPDX-License-Identifier: MIT
# A build after one of the same: what is kept, and what each change does to it.

bats_require_minimum_version 1.5.0
load lib

setup_file() {
    make_guestbook
}

setup() {
    cd "$BATS_TEST_TMPDIR" || return
    app=$BATS_TEST_TMPDIR/app
    mkdir out cache
    out=$PWD/out
    export XDG_CACHE_HOME=$PWD/cache
    cp -a "$guestbook_app" app
    rm -rf app/data/*.sqlite3* app/*.AppImage
}

build() {
    sleep 0.05 # what was changed in the tick in which a build begins is not recorded
    timeout 60 "$rucksack" build --fast --no-check -o "$out/app.AppImage" "$@" "$app" 2>said
}

# Built anew, though the last build is on record; once more, and nothing is left to do.
anew() {
    build "$@"
    grep -q '^wrote ' said
    kept "$@"
}

kept() {
    local before
    before=$(stat -c '%i %z' "$out/app.AppImage")
    build "$@"
    cat said
    grep -q "^kept .*/app.AppImage is up to date" said
    run ! grep -q '^wrote ' said
    [ "$(stat -c '%i %z' "$out/app.AppImage")" = "$before" ]
}

# What the record says is what a build from nothing says, too.
as_from_nothing() {
    cp "$out/app.AppImage" here
    build --no-cache
    grep -q '^wrote ' said
    cmp here "$out/app.AppImage"
}

gem_dir() {
    echo "$app"/vendor/bundle/ruby/*/gems/"$1"-[0-9]*
}

@test "nothing has changed: the file stays as it is, also for another terminal" {
    anew
    TERM=other COLUMNS=3 SSH_TTY=/dev/pts/9 kept
    as_from_nothing
}

@test "the application's own directory as the place of the output" {
    cd app
    "$rucksack" build --fast --no-check 2>../said
    "$rucksack" build --fast --no-check 2>../said
    grep -q '^kept .*app-x86_64.AppImage' ../said
    echo a >new.txt
    "$rucksack" build --fast --no-check 2>../said
    grep -q '^changed .*/app' ../said
    grep -q '^wrote ' ../said
}

@test "each change of the application: built anew" {
    anew
    echo '# one line' >>app/guestbook.rb
    anew
    grep -q '^changed .*/guestbook.rb' <(touch app/guestbook.rb; build; cat said)
    # The same size and time, as a careless copy has it.
    touch -r app/guestbook.rb stamp
    sed -i 's/one line/two line/' app/guestbook.rb
    touch -r stamp app/guestbook.rb
    anew
    echo new >app/views/new.erb
    anew
    mv app/views/new.erb app/views/newer.erb
    anew
    rm app/views/newer.erb
    anew
    chmod 755 app/config.ru
    anew
    mkdir app/views/empty
    anew
    ln -s guestbook.rb app/link.rb
    anew
    ln -sf config.ru app/link.rb
    anew
    echo 'version: 1.2' >app/rucksack.yml
    anew
    printf 'web: bundle exec puma -t 1:1\n' >app/Procfile
    anew
    echo 'uploads/' >>app/.gitignore
    anew
    as_from_nothing
}

@test "each change of gems and Gemfile: built anew" {
    anew
    echo '# x' >>"$(gem_dir rack)/lib/rack.rb"
    anew
    echo '# x' >"$(gem_dir rack)/lib/rack/more.rb"
    anew
    echo '# x' >>app/Gemfile
    anew
    echo 'X = 1' >app/settings.rb
    sed -i '1i eval File.read(File.expand_path("settings.rb", __dir__)); group(:test) { }' app/Gemfile
    anew
    as_from_nothing
}

@test "a plan is made from what Bundler said last time; what it says now counts" {
    sed -i "s|^gem \"sqlite3\".*|gem 'sqlite3', group: (File.exist?('$PWD/flag') ? :test : :default)|" app/Gemfile
    anew
    run ! grep -q '^again ' said
    "$rucksack" inspect --all "$out/app.AppImage" | grep -q sqlite3
    touch flag # which no build looks at
    build
    grep -q '^again .*Bundler answers otherwise than before' said
    grep -q '^wrote ' said
    run ! grep -q sqlite3 <("$rucksack" inspect --json "$out/app.AppImage" | jq -r '.gems[].name')
    kept
    as_from_nothing
    # What Bundler refuses is refused, whatever was planned meanwhile.
    echo "gem 'nowhere' if File.exist?('$PWD/other')" >>app/Gemfile
    anew
    touch other
    run build
    [ "$status" -eq 1 ]
    grep -q E-LOCK said
    rm other
    kept
}

@test "each change of the output: built anew" {
    anew
    printf x >>"$out/app.AppImage"
    anew
    printf y | dd of="$out/app.AppImage" bs=1 seek=70000 conv=notrunc status=none
    anew
    chmod 700 "$out/app.AppImage"
    anew
    rm "$out/app.AppImage"
    anew
    cp "$out/app.AppImage" copy
    ln -sf "$PWD/copy" "$out/app.AppImage"
    anew
    as_from_nothing
}

@test "other options or another environment: built anew" {
    anew
    anew --name other
    anew
    anew --hwcaps
    anew --executable puma
    export SOURCE_DATE_EPOCH=1700000000
    anew
    export SOURCE_DATE_EPOCH=1700000001
    anew
    as_from_nothing
}

@test "an input that is written while the build runs: nothing is recorded" {
    echo 'File.write("views/time.erb", "x")' >>app/Gemfile
    build
    build
    grep -q '^wrote ' said
    run ! grep -q '^kept ' said
}

@test "a path outside of application and gems that was looked for in vain" {
    mkdir near
    echo 'int mine = 1;' | cc -shared -o near/libmine.so.1 -Wl,-soname,libmine.so.1 -x c -
    echo 'int f;' | cc -shared -o "$(gem_dir puma)/lib/puma/needs.so" -Wl,--no-as-needed \
        "-Wl,-rpath,$PWD/far/away:$PWD/near" -x c - -x none near/libmine.so.1
    anew
    mkdir -p far/away
    echo 'int mine = 2;' | cc -shared -o far/away/libmine.so.1 -Wl,-soname,libmine.so.1 -x c -
    anew
    grep -q '^changed .*/far/away' <(rm far/away/libmine.so.1; build; cat said)
    as_from_nothing
}

@test "damaged, cut, of others, or where others may write: a record is none" {
    local record
    anew
    record=$(echo cache/rucksack/records/*)
    printf x | dd of="$record" bs=1 seek=5000 conv=notrunc status=none
    anew
    truncate -s -1 "$record"
    anew
    : >"$record"
    anew
    chmod 666 "$record"
    build
    grep -q '^wrote ' said
    chown $user "$record"
    build
    grep -q '^wrote ' said
    chmod 777 cache/rucksack/records
    build
    build
    grep -q '^wrote ' said
}

@test "--no-cache: built anew, and nothing is kept" {
    build --no-cache
    [ -z "$(find cache -type f)" ]
    build --no-cache
    grep -q '^wrote ' said
}

# --- a release: what a start loads is known from the last build, and most is compiled already

release() {
    sleep 0.05
    timeout 300 "$rucksack" build -o "$out/app.AppImage" "$@" "$app" 2>said
}

# Its bytes are those of a build that knows nothing.
release_as_from_nothing() {
    cp "$out/app.AppImage" here
    release --no-cache
    cmp here "$out/app.AppImage"
}

@test "one line changed: no draft, and the same bytes as from nothing" {
    release
    grep -q '^image ' said
    [ "$(grep -c '^check ' said)" = 1 ]
    sed -i 's/^# /# More: /' app/guestbook.rb
    release
    [ "$(sed -n 's/^changed .*\///p' said)" = guestbook.rb ]
    [ "$(sed -n 's/ .*//p' said | grep -E 'check|compile|image' | tr '\n' ' ')" = "compile image check " ]
    release_as_from_nothing
}

@test "a line that lets a start load other sources: found, and the same bytes as from nothing" {
    release
    echo 'require "csv"' >>app/config.ru
    release
    grep -q '^wrote ' said
    cp "$out/app.AppImage" more
    release_as_from_nothing
    sed -i '/csv/d' app/config.ru
    release
    [ "$(stat -c %s "$out/app.AppImage")" -lt "$(stat -c %s more)" ]
    release_as_from_nothing
}

@test "a line that lets it start no more: E-CHECK, and the file stays as it was" {
    release
    cp "$out/app.AppImage" before
    echo 'raise "no"' >>app/config.ru
    run ! release
    grep -q 'E-CHECK' said
    cmp before "$out/app.AppImage"
}

@test "what is kept of compiled sources and starts is damaged: the same bytes" {
    local file
    release
    cp "$out/app.AppImage" before
    for file in cache/rucksack/{compiled,starts}/*; do
        printf x | dd of="$file" bs=1 seek=40 conv=notrunc status=none
    done
    rm "$out/app.AppImage"
    release
    cmp before "$out/app.AppImage"
}
