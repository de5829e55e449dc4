#!/usr/bin/env bats
# SPDX-License-Identifier: MIT
# What `build` refuses, with which words; where and as whom it works; what its files look like to
# other tools.

bats_require_minimum_version 1.5.0
load lib

setup_file() {
    make_guestbook
}

setup() {
    cd "$BATS_TEST_TMPDIR" || return
    app=$BATS_TEST_TMPDIR/app
    out=$BATS_TEST_TMPDIR/out
    mounted=
    mkdir "$out"
    chmod 755 "$BATS_TEST_TMPDIR"
}

teardown() {
    [ -z "$mounted" ] || umount "$mounted"
    drop_roots
}

# Linked, not copied: what a test changes it must replace, with rewrite or patched.
copy_app() {
    cp -al "$guestbook_app" "${1:-$app}"
    rm -rf "${1:-$app}"/data/*.sqlite3* "${1:-$app}"/*.AppImage
}

# rewrite FILE: from standard input, without touching what the file is linked to.
rewrite() {
    cat >"$1.new"
    mv "$1.new" "$1"
}

# patched FILE OFFSET BYTES: a copy in its place, with these bytes changed.
patched() {
    cp "$1" "$1.new"
    printf "$3" | dd of="$1.new" bs=1 seek="$2" conv=notrunc status=none
    mv "$1.new" "$1"
}

gem_dir() {
    echo "$app"/vendor/bundle/ruby/*/gems/"$1"-[0-9]*
}

build() {
    timeout 60 "$rucksack" build --fast --quiet -o "$out/app.AppImage" "$@"
}

# refused ID COMMAND...: exit code 1, one error line, one hint, and nothing on standard output.
refused() {
    local id=$1
    run --separate-stderr "${@:2}"
    printf 'status %s\n%s\n%s\n' "$status" "$output" "$stderr"
    [ "$status" -eq 1 ]
    [ -z "$output" ]
    [ "${#stderr_lines[@]}" -eq 2 ]
    [[ ${stderr_lines[0]} == "rucksack: $id: "* ]]
    [[ ${stderr_lines[1]} == "hint: "* ]]
    nothing_written
}

nothing_written() {
    [ -z "$(ls -A "$out")" ]
    ! compgen -G "$BATS_TEST_TMPDIR/*.tmp" >/dev/null
}

# --- applications that are none, or not whole

@test "no directory, a file, a directory without config.ru: E-APP" {
    refused E-APP build "$out/missing"
    [[ $stderr == *"'$out/missing'"* ]]
    touch file
    refused E-APP build file
    [[ $stderr == *"'file' is no Ruby script"* ]]
    mkdir empty
    refused E-APP build empty
    [[ $stderr == *"has no config.ru"* ]]
    mkdir empty/config.ru
    refused E-APP build empty
}

@test "no Gemfile: E-GEMFILE" {
    mkdir app
    touch app/config.ru
    refused E-GEMFILE build app
}

@test "a Gemfile with a syntax error: E-GEMFILE with its place" {
    copy_app
    echo 'gem "puma' | rewrite app/Gemfile
    refused E-GEMFILE build app
    [[ $stderr == *"Gemfile"*"puma"* ]]
}

@test "a Gemfile that raises: E-GEMFILE with reason and line, without Bundler's excerpt" {
    copy_app
    { cat app/Gemfile; echo 'raise "boom"'; } | rewrite app/Gemfile
    refused E-GEMFILE build app
    [[ ${stderr_lines[0]} == *"boom"*"/Gemfile:"+([0-9]) ]]
}

@test "a Gemfile that ends the process: E-GEMFILE" {
    copy_app
    echo 'exit 0' | rewrite app/Gemfile
    refused E-GEMFILE build app
}

@test "a Gemfile for another Ruby: E-RUBY names both" {
    copy_app
    { cat app/Gemfile; echo 'ruby "9.8.7"'; } | rewrite app/Gemfile
    refused E-RUBY build app
    [[ $stderr == *"$(ruby -e 'print RUBY_VERSION')"*"9.8.7"* ]]
}

@test "no Gemfile.lock: E-LOCK" {
    copy_app
    rm app/Gemfile.lock
    refused E-LOCK build app
    [[ $stderr == *"Gemfile.lock"*"bundle install"* ]]
    [ ! -e app/Gemfile.lock ]
}

@test "a gem in the Gemfile only: E-LOCK names it" {
    copy_app
    { cat app/Gemfile; echo 'gem "not-locked-yet"'; } | rewrite app/Gemfile
    cp app/Gemfile.lock before
    refused E-LOCK build app
    [[ $stderr == *"not-locked-yet"* ]]
    cmp before app/Gemfile.lock
}

@test "a lockfile with a merge conflict: E-LOCK" {
    copy_app
    { echo '<<<<<<< HEAD'; cat app/Gemfile.lock; } | rewrite app/Gemfile.lock
    refused E-LOCK build app
}

@test "a gem that is not installed: E-GEM names it" {
    copy_app
    rm -r "$(gem_dir mustermann)" app/vendor/bundle/ruby/*/specifications/mustermann-*.gemspec
    refused E-GEM build app
    [[ $stderr == *"mustermann"*"bundle install"* ]]
}

@test "a gem whose files were deleted: E-GEM names it" {
    copy_app
    rm -r "$(gem_dir mustermann)"
    refused E-GEM build app
    [[ $stderr == *"mustermann"* ]]
}

@test "an extension that was not built: E-EXT names the gem" {
    copy_app
    rm app/vendor/bundle/ruby/*/extensions/*/*/sqlite3-*/gem.build_complete
    refused E-EXT build app
    [[ $stderr == *"sqlite3"*"bundle pristine sqlite3"* ]]
}

@test "a syntax error in config.ru: E-SYNTAX with its line" {
    copy_app
    printf 'require "sinatra"\nrun ->(env) {\n' | rewrite app/config.ru
    refused E-SYNTAX build app
    [[ $stderr == *"config.ru:"[23]* ]]
}

@test "no web server in the Gemfile: E-APP says what to add" {
    mkdir app
    touch app/config.ru
    touch app/Gemfile
    printf 'GEM\n  specs:\n\nPLATFORMS\n  ruby\n\nDEPENDENCIES\n' >app/Gemfile.lock
    refused E-APP build app
    [[ $stderr == *"no web server"*"bundle add puma"* ]]
}

@test "a link to a directory that holds it: E-LOOP names both" {
    copy_app
    ln -s .. app/views/up
    ln -s ../.. app/views/above
    refused E-LOOP build app
    [[ $stderr == *"'$PWD/app/views/above' leads to '$PWD', which holds it"* ]]
}

@test "a file that the user may not read: E-READ names it" {
    copy_app
    touch app/private
    chmod 600 app/private
    chown $user "$out"
    refused E-READ as_user build --fast --quiet -o "$out/app.AppImage" app
    [[ $stderr == *"app/private': Permission denied"* ]]
}

# --- objects that are none, or do not fit

@test "a gem's .so that is no ELF: E-ELF names gem and file" {
    copy_app
    echo 'not an object' | rewrite "$(gem_dir puma)/lib/puma/puma_http11.so"
    refused E-ELF build app
    [[ $stderr == *"gem 'puma'"*"puma_http11.so"*"bundle pristine puma"* ]]
}

@test "a gem's .so that was cut: E-ELF names gem and file" {
    copy_app
    head -c 300 "$(gem_dir puma)/lib/puma/puma_http11.so" >short
    rewrite "$(gem_dir puma)/lib/puma/puma_http11.so" <short
    refused E-ELF build app
    [[ $stderr == *"gem 'puma'"*"puma_http11.so"* ]]
}

@test "a gem's .so for another machine: E-ELF names both" {
    copy_app
    patched "$(gem_dir puma)/lib/puma/puma_http11.so" 18 '\xb7\x00'
    refused E-ELF build app
    [[ $stderr == *"puma_http11.so"*"aarch64"*"x86-64"* ]]
}

@test "a library that is not there: E-LIB names gem, file, soname and the paths tried" {
    copy_app
    echo 'int nothing;' | cc -shared -o libmissing.so.9 -Wl,-soname,libmissing.so.9 -x c -
    echo 'int f;' | cc -shared -o needs.so -Wl,--no-as-needed,-rpath,'$ORIGIN/private' -x c - \
        -x none libmissing.so.9
    cp needs.so "$(gem_dir puma)/lib/puma/needs.so"
    refused E-LIB build app
    [[ $stderr == *"libmissing.so.9"*"needs.so"*"gem 'puma'"* ]]
    [[ $stderr == *"lib/puma/private/libmissing.so.9, /"*"/usr/lib/libmissing.so.9"* ]]
}

# --- places where no output can be

@test "no space: E-SPACE" {
    copy_app
    mount -t tmpfs -o size=2m tmpfs "$out"
    mounted=$out
    refused E-SPACE build app
    [[ $stderr == *"$out/app.AppImage"* ]]
}

@test "no space, with a file there: it stays as it was" {
    copy_app
    mount -t tmpfs -o size=2m tmpfs "$out"
    mounted=$out
    echo old >"$out/app.AppImage"
    run build app
    [ "$status" -eq 1 ]
    [ "$(ls -A "$out")" = app.AppImage ]
    [ "$(cat "$out/app.AppImage")" = old ]
}

@test "a directory as output: E-OUTPUT" {
    copy_app
    refused E-OUTPUT build -o "$out" app
    [[ $stderr == *"is a directory"* ]]
}

@test "an output in a directory that is not there: E-OUTPUT" {
    copy_app
    refused E-OUTPUT build -o "$out/new/app.AppImage" app
    [ ! -e "$out/new" ]
}

@test "an output in a directory that is a file: E-OUTPUT" {
    copy_app
    touch file
    refused E-OUTPUT build -o "file/app.AppImage" app
}

# Without a home, and from a copy, for the tree may be closed to others.
as_user() {
    chmod 755 "$BATS_RUN_TMPDIR" "$BATS_RUN_TMPDIR/test"
    cp -n "$rucksack" tool
    env -u TMPDIR HOME="$BATS_TEST_TMPDIR/none" \
        setpriv --reuid $user --regid $user --clear-groups timeout 60 ./tool "$@"
}

@test "an output where the user may not write: E-OUTPUT, before the work" {
    copy_app
    mkdir nothing
    touch nothing/config.ru
    refused E-OUTPUT as_user build -o "$out/app.AppImage" nothing
    [[ $stderr == *"Permission denied"* ]]
}

@test "no temporary directory: E-TMP" {
    copy_app
    TMPDIR=$out/missing refused E-TMP build app
    [[ $stderr == *"'$out/missing'"*"TMPDIR"* ]]
}

@test "an output that cannot be replaced: E-OUTPUT, and it stays as it was" {
    copy_app
    in_memory "$out"
    echo old >"$out/app.AppImage"
    mount --bind "$out/app.AppImage" "$out/app.AppImage"
    run --separate-stderr build app
    umount "$out/app.AppImage"
    [ "$status" -eq 1 ]
    [[ $stderr == "rucksack: E-OUTPUT: "*$'\nhint: '* ]]
    [ "$(ls -A "$out")" = app.AppImage ]
    [ "$(cat "$out/app.AppImage")" = old ]
}

# --- ends in the middle

# Waits until the build writes the image, so that the signal meets an open output.
killed_by() {
    copy_app
    mkdir tmp
    TMPDIR=$PWD/tmp "$rucksack" build --quiet -o "$out/app.AppImage" app >/dev/null 2>&1 3>&- &
    local pid=$! i
    for i in $(seq 200); do
        # The process that builds is a child of the one that was started.
        ! find "/proc/$(pgrep -P "$pid")/fd" -lname "$out/*" 2>/dev/null | grep -q . || break
        sleep 0.02
    done
    [ "$i" -lt 200 ]
    kill -"$1" "$pid"
    wait "$pid" || code=$?
    [ "$code" -eq "$2" ]
    for i in $(seq 100); do
        [ -n "$(builders)" ] || break
        sleep 0.02
    done
    [ -z "$(builders)" ]
    nothing_written
    [ -z "$(ls -A tmp)" ]
}

# Whatever this build has started, by its environment.
builders() {
    grep -lzx "TMPDIR=$PWD/tmp" /proc/[0-9]*/environ 2>/dev/null
}

@test "ended by SIGTERM while it writes: nothing is left" {
    killed_by TERM 143
}

@test "killed while it writes: nothing is left" {
    killed_by KILL 137
}

# A `bundle` that never answers.
make_slow_bundle() {
    copy_app
    mkdir bin tmp
    printf '#!/bin/sh\necho >asked\nexec sleep 60\n' >bin/bundle
    chmod 755 bin/bundle
}

@test "ended by SIGTERM while it asks Ruby: nothing is left" {
    make_slow_bundle
    TMPDIR=$PWD/tmp PATH=$PWD/bin:$PATH "$rucksack" build --quiet -o "$out/app.AppImage" app \
        >/dev/null 2>&1 3>&- &
    local pid=$! code=0 i
    for i in $(seq 200); do
        [ ! -e app/asked ] || break
        sleep 0.02
    done
    [ -n "$(ls -A tmp)" ]
    [ "$(builders | wc -l)" -ge 3 ]
    kill -TERM "$pid"
    wait "$pid" || code=$?
    [ "$code" -eq 143 ]
    [ -z "$(builders)" ]
    [ -z "$(ls -A tmp)" ]
    nothing_written
}

# --- calls that are wrong

@test "typing errors: exit code 2 and what was meant" {
    run --separate-stderr "$rucksack" biuld
    [ "$status" -eq 2 ]
    [[ ${stderr_lines[0]} == "rucksack: unknown command 'biuld'" ]]
    [[ ${stderr_lines[1]} == "hint: did you mean 'build'?" ]]
    run --separate-stderr "$rucksack" build --ouput x
    [ "$status" -eq 2 ]
    [[ ${stderr_lines[0]} == "rucksack: unknown option '--ouput'" ]]
    [[ ${stderr_lines[1]} == "hint: did you mean '--output'?" ]]
    [[ ${stderr_lines[2]} == "Try 'rucksack build --help'." ]]
    run "$rucksack" build one two
    [ "$status" -eq 2 ]
}

@test "bundle is not on PATH: E-NO-BUNDLE" {
    copy_app
    refused E-NO-BUNDLE env PATH="$PWD" "$rucksack" build -o "$out/app.AppImage" app
    [[ $stderr == *"gem install bundler"* ]]
}

@test "bundle is something else: E-NO-BUNDLE" {
    copy_app
    mkdir bin
    ln -s /bin/true bin/bundle
    PATH=$PWD/bin:$PATH refused E-NO-BUNDLE build app
    [[ $stderr == *"started no Ruby"* ]]
}

@test "SOURCE_DATE_EPOCH that is no time: E-EPOCH" {
    copy_app
    SOURCE_DATE_EPOCH=yesterday refused E-EPOCH build app
    [[ $stderr == *"'yesterday'"* ]]
}

# --- where it must work

# The bundle answers, from an empty directory and with nothing of the app's gems around.
answers() {
    mkdir -p elsewhere
    cd elsewhere || return
    local words
    words=$(env -i PATH=/usr/bin:/bin HOME=/nonexistent RUCKSACK_STATE="$PWD/state" \
        timeout 60 "$1" exec ruby -e 'require "bundler/setup"; require "sinatra/base"
            require "sqlite3"; puts SQLite3::Database.new(":memory:").get_first_value("select 42")')
    cd ..
    [ "$words" = 42 ]
}

@test "blanks and UTF-8 in the paths of app and output" {
    mkdir "größe mit raum" "$out/eine ablage"
    copy_app "größe mit raum/gäste buch"
    run --separate-stderr build -o "$out/eine ablage/gäste buch.AppImage" "größe mit raum/gäste buch"
    echo "$stderr"
    [ "$status" -eq 0 ]
    [ "$output" = "$out/eine ablage/gäste buch.AppImage" ]
    answers "$output"
}

@test "DIR relative, DIR left out, and the name of the default output" {
    copy_app
    mkdir beside
    cd beside
    "$rucksack" build --fast --quiet ../app >words
    [ "$(cat words)" = app-x86_64.AppImage ]
    cd ../app/views
    "$rucksack" build --fast --quiet --name other .. >words
    [ "$(cat words)" = other-x86_64.AppImage ]
    rm words
    cd ..
    "$rucksack" build --fast --quiet -o "$out/app.AppImage"
    # Neither the place nor an earlier output changes what is packed.
    cmp "$out/app.AppImage" ../beside/app-x86_64.AppImage
}

@test "an unprivileged user without a home" {
    copy_app
    chown $user "$out"
    as_user build --fast --quiet -o "$out/app.AppImage" app
    [ "$(stat -c '%u %a' "$out/app.AppImage")" = "$user 755" ]
    answers "$out/app.AppImage"
}

@test "an unprivileged user whose home is read-only" {
    copy_app
    chown $user "$out"
    mkdir none
    in_memory none
    mount -o remount,ro none
    as_user build --fast --quiet -o "$out/app.AppImage" app
    answers "$out/app.AppImage"
}

# gems_in DIR: the guestbook's gems moved to a gem home, as `bundle install` would put them there.
gems_in() {
    copy_app
    rm -r app/.bundle
    mkdir -p "$1"
    mv app/vendor/bundle/ruby/*/* "$1/"
    rm -r app/vendor
}

@test "gems in the gem home" {
    gems_in "$PWD/gem home"
    GEM_HOME="$PWD/gem home" build app
    rm -r "gem home"
    answers "$out/app.AppImage"
}

@test "gems that the user installed for himself" {
    mkdir home
    gems_in "$(HOME=$PWD/home ruby -e 'print Gem.user_dir')"
    HOME=$PWD/home build app
    rm -r home
    answers "$out/app.AppImage"
}

@test "gems in a BUNDLE_PATH below the home" {
    gems_in "$PWD/home/.gems/ruby/$(ruby -e 'print RbConfig::CONFIG["ruby_version"]')"
    HOME=$PWD/home BUNDLE_PATH=$PWD/home/.gems build app
    rm -r home
    answers "$out/app.AppImage"
}

@test "a user's RUBYOPT and RUBYLIB do not disturb the build" {
    copy_app
    mkdir lib
    echo 'abort "loaded"' >lib/unwanted.rb
    RUBYOPT=-runwanted RUBYLIB=$PWD/lib build app
    answers "$out/app.AppImage"
}

@test "started by the bundle of another application" {
    copy_app
    build app
    mv "$out/app.AppImage" first
    mkdir tasks
    : >tasks/Gemfile
    (
        cd tasks
        BUNDLE_FORCE_RUBY_PLATFORM=true bundle lock >/dev/null
        bundle exec "$rucksack" build --fast --quiet -o "$out/app.AppImage" ../app
    )
    cmp first "$out/app.AppImage"
}

@test "a Gemfile that starts a Ruby of its own" {
    copy_app
    { cat app/Gemfile; echo 'abort "no" unless `ruby -e "print 7"` == "7"'; } | rewrite app/Gemfile
    build app
}

@test "the precompiled gem of sqlite3" {
    mkdir pre
    cd pre
    echo 'run ->(_) { [200, {}, ["ok"]] }' >config.ru
    cat >Gemfile <<'END'
source Gem.sources.first.uri.to_s
gem "puma"
gem "sinatra"
gem "sqlite3", "< 2"
END
    mkdir -p vendor
    cp -al "$guestbook_app/vendor/bundle" vendor/bundle
    # What the guestbook compiled is there already; only this gem is fetched.
    rm -r vendor/bundle/ruby/*/{gems,extensions/*/*}/sqlite3-* \
        vendor/bundle/ruby/*/specifications/sqlite3-*
    bundle config set --local path vendor/bundle
    timeout 60 bundle lock --add-platform x86_64-linux >/dev/null
    timeout 60 bundle install --quiet
    grep -q 'sqlite3 (.*-x86_64-linux' Gemfile.lock || skip "there is none for this Ruby"
    cd ..
    build pre
    rm -r pre
    answers "$out/app.AppImage"
}

# --- the same bytes

@test "built twice: the same bytes" {
    copy_app
    build app
    mv "$out/app.AppImage" first
    build app
    cmp first "$out/app.AppImage"
}

@test "built from a copy, elsewhere, in another locale, zone and umask: the same bytes" {
    export SOURCE_DATE_EPOCH=1700000000
    copy_app
    build app
    mv "$out/app.AppImage" first
    mkdir other
    (
        umask 077
        cp -r app other/app
        # What compilers say takes longer on a slower machine.
        for log in $(find other/app/vendor -name gem_make.out); do echo more >>"$log"; done
        [ -n "$log" ]
        export TZ=Asia/Tokyo LC_ALL=C LANG=
        build other/app
    )
    cmp first "$out/app.AppImage"
    [ "$(stat -c %a "$out/app.AppImage")" = 755 ]
}

@test "a release by another user, on one processor, in memory, with nothing kept: the same bytes" {
    export SOURCE_DATE_EPOCH=1700000000
    copy_app
    timeout 200 "$rucksack" build --quiet -o first app
    mkdir other
    in_memory other
    cp -r app other/app
    chown -R $user other
    chmod 755 "$BATS_RUN_TMPDIR" "$BATS_RUN_TMPDIR/test"
    cp "$rucksack" tool
    (
        umask 077
        export TZ=Asia/Tokyo LC_ALL=C LANG="" HOME=$PWD/none
        setpriv --reuid $user --regid $user --clear-groups taskset -c 0 \
            timeout 300 ./tool build --quiet -o other/app.AppImage other/app
    )
    cmp first other/app.AppImage
}

# --- sizes

@test "sizes by component: they add up to the image, each gem and library has its own, copies count once" {
    copy_app
    cp app/guestbook.rb copy.rb
    mkdir app/lib2
    cp copy.rb app/lib2/copy.rb
    build app
    "$rucksack" inspect --json "$out/app.AppImage" >one.json
    ruby -rjson - <<'END'
m = JSON.load_file("one.json")
sizes = m["sizes"]
packed = sizes.sum { |size| size["packed"] }
image = m["file"]["image_size"]
abort "#{packed} of #{image}" unless packed.between?(image * 97 / 100, image)
names = sizes.to_h { |size| [size["name"], size] }
%w[libcrypto.so.3 libsqlite3.so.0].each { |name| abort name unless names[name]["part"] == "libraries" }
m["gems"].each { |gem| names.key?("#{gem["name"]}-#{gem["version"]}") or abort gem["name"] }
abort "order" unless sizes == sizes.sort_by { |size| [-size["packed"], size["name"]] }
abort "the copy" unless names["app"]["bytes"] >= 2 * File.size("copy.rb") && names["app"]["packed"] < 4000
END
    run "$rucksack" inspect --sizes "$out/app.AppImage"
    [[ $output == *$'\ngems       sqlite3-'*' kB '*' kB  #'* ]]
}

# --- what is left out

@test "what of gems is left out is told by class; patterns keep it, of option and file" {
    copy_app
    run --separate-stderr timeout 60 "$rucksack" build --fast --no-check -o "$out/app.AppImage" app
    [[ $stderr == *$'\nleft out '*"object files "*"sources "*"tests "* ]]
    run "$rucksack" inspect --all "$out/app.AppImage"
    [[ $output == *$'\nleft out   '* ]]
    "$rucksack" inspect --json "$out/app.AppImage" >one.json
    [ "$(ruby -rjson -e 'p JSON.load_file("one.json")["left_out"]["sources"]["files"] > 5')" = true ]
    echo 'keep: ["sqlite3/ext/*.h"]' >app/rucksack.yml
    build --keep puma/ext/puma_http11 app
    "$rucksack" extract -o tree "$out/app.AppImage"
    compgen -G "tree/gems/gems/puma-*/ext/puma_http11/puma_http11.c" >/dev/null
    compgen -G "tree/gems/gems/sqlite3-*/ext/sqlite3/database.h" >/dev/null
    run ! compgen -G "tree/gems/gems/sqlite3-*/ext/sqlite3/database.c"
    [ -z "$(find tree/gems/gems/nio4r-* -name '*.o')" ]
}

# --- run

@test "run starts a file, also without execute permission" {
    cp "$guestbook" plain
    chmod 644 plain
    RUCKSACK_STATE=$PWD/state run "$rucksack" run plain exec ruby -e 'puts RUBY_ENGINE; exit 7'
    [ "$status" -eq 7 ]
    [ "$output" = ruby ]
}

@test "run packs a directory and starts it" {
    copy_app
    XDG_CACHE_HOME=$PWD/cache run --separate-stderr "$rucksack" run app exec ruby -v
    [ "$status" -eq 0 ]
    [[ $output == "ruby "* ]]
    [[ "$(ls cache/rucksack/run)" == app-????????.AppImage ]]
    mkdir other
    mv app other
    XDG_CACHE_HOME=$PWD/cache "$rucksack" run other/app exec ruby -v
    [ "$(ls cache/rucksack/run | wc -l)" = 2 ]
}

@test "run of a directory without a home: E-OUTPUT" {
    copy_app
    refused E-OUTPUT env -u HOME -u XDG_CACHE_HOME "$rucksack" run app
}

@test "run of what is not there, and of what is no bundle" {
    refused E-BUNDLE "$rucksack" run "$rucksack"
    refused E-BUNDLE "$rucksack" run missing
    [[ $stderr == *"'missing'"* ]]
}

@test "a bundle for another CPU: E-ARCH from run, while inspect explains it" {
    cp "$guestbook" foreign
    patched foreign 18 '\xb7\x00'
    refused E-ARCH "$rucksack" run foreign
    [[ $stderr == *"aarch64"*"x86-64"* ]]
    run "$rucksack" inspect --all foreign
    [ "$status" -eq 0 ]
    [[ $output == *"aarch64"* ]]
}

# --- other tools

@test "the bundle is small; compiled sources, the keeper, the service and licences have a share of it" {
    copy_app
    echo 'boot: {compiled: false}' >"$app/rucksack.yml"
    "$rucksack" build --quiet -o app.AppImage "$app"
    [ "$(($(stat -c %s "$guestbook") - $(stat -c %s app.AppImage)))" -le 1150000 ]
    # None of these is started: with the same order in the image.
    "$rucksack" build --quiet --no-check -o kept.AppImage "$app"
    # Without state that a snapshot would hold: without the keeper, too.
    echo 'state: {log: [log]}' >>"$app/rucksack.yml"
    "$rucksack" build --quiet --no-check -o plain.AppImage "$app"
    # What makes a service of it, and the texts of licences, are shares of their own, too.
    echo 'service: false' >>"$app/rucksack.yml"
    "$rucksack" build --quiet --no-check -o alone.AppImage "$app"
    run -125 ./alone.AppImage service status
    [[ $output == *"E-NOSERVICE: this bundle cannot make a service of itself"* ]]
    echo 'licenses: false' >>"$app/rucksack.yml"
    "$rucksack" build --quiet --no-check -o bare.AppImage "$app"
    [ "$(stat -c %s bare.AppImage)" -le 10000000 ]
    [ "$(($(stat -c %s plain.AppImage) - $(stat -c %s alone.AppImage)))" -le 150000 ]
    [ "$(($(stat -c %s alone.AppImage) - $(stat -c %s bare.AppImage)))" -le 80000 ]
    [ "$(($(stat -c %s kept.AppImage) - $(stat -c %s plain.AppImage)))" -le 900000 ]
}

@test "file, unsquashfs and mount accept the bundle" {
    file "$guestbook" | grep -q 'ELF 64-bit LSB.*static'
    local offset
    offset=$("$guestbook" --appimage-offset)
    unsquashfs -o "$offset" -l "$guestbook" >list
    grep -q '^squashfs-root/app/config.ru$' list
    mkdir mounted
    mount -o "loop,ro,offset=$offset" "$guestbook" mounted
    mounted=$PWD/mounted
    [ -x mounted/AppRun ]
    [ "$(head -c 4 "$guestbook" | tail -c 3)" = ELF ]
    [ "$(dd if="$guestbook" bs=1 skip=8 count=3 status=none | od -An -tx1)" = " 41 49 02" ]
}
