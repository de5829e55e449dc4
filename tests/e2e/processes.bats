#!/usr/bin/env bats
# SPDX-License-Identifier: MIT
# Procfile and rucksack.yml: what is started, with which words, variables and state.

bats_require_minimum_version 1.5.0
load lib

setup_file() {
    export app="$BATS_FILE_TMPDIR/Our App" bundle="$BATS_FILE_TMPDIR/app"
    mkdir -p "$app/config"
    cd "$app"
    touch Gemfile
    bundle lock >/dev/null
    cat >say.rb <<'RUBY'
$stdout.sync = true
puts "#{ENV["NAME"]} #{ARGV.inspect} PORT=#{ENV["PORT"].inspect} #{Dir.pwd.end_with?("/app")}"
trap("TERM") { puts "told to end"; exit 7 }
sleep if ARGV.include?("wait")
RUBY
    cat >Procfile <<'RUBY'
# comment
web: NAME=web ruby say.rb -p $PORT 'two words' "${HOST:-local host}"

worker: env NAME=worker ruby say.rb wait
shell: ruby say.rb a && echo done | cat
release: ruby say.rb release
RUBY
    "$rucksack" build --fast --no-check --quiet -o "$bundle" "$app" >/dev/null
}

setup() {
    make_enter
    root=$BATS_TEST_TMPDIR/root
    way=
    unset PORT HOST
}

teardown() {
    stop KILL
    drop_roots
}

# build_with FILE...: a copy of the app with other files; its bundle in $made.
copy_app() {
    cp -a "$app" "$BATS_TEST_TMPDIR/copy"
    rm "$BATS_TEST_TMPDIR/copy/Procfile"
    cd "$BATS_TEST_TMPDIR/copy" || return
    made=$BATS_TEST_TMPDIR/made
}

@test "a process is split as a shell would, its arguments behind its own" {
    run -0 "$bundle" run web more ''
    [ "$output" = 'web ["-p", "5000", "two words", "local host", "more", ""] PORT="5000" true' ]
    PORT=80 HOST=h run -0 "$bundle"
    [ "$output" = 'web ["-p", "80", "two words", "h"] PORT="80" true' ]
    run -0 "$bundle" run release
    [ "$output" = ' ["release"] PORT=nil true' ]
}

@test "what needs a shell gets one, with arguments" {
    run -0 "$bundle" run shell
    [ "${lines[0]}" = ' ["a"] PORT=nil true' ]
    [ "${lines[1]}" = 'done' ]
}

@test "without a shell: simple commands run, others say what they need" {
    guestbook=$bundle make_busybox_root "$root"
    rm "$root/bin/sh"
    run -0 run_in "$root" /srv/guestbook.AppImage run web
    [[ $output == 'web ["-p", "5000"'* ]]
    run -127 run_in "$root" /srv/guestbook.AppImage run shell
    [[ $output == *"needs a shell: 'sh': No such file or directory"*hint:* ]]
}

@test "an unknown process: 127 and a suggestion" {
    run -127 "$bundle" run wep
    [[ $output == *"no process 'wep'"*"hint: did you mean 'web'?"* ]]
    run -127 "$bundle" rnu
    [[ $output == *"unknown verb 'rnu'"*"hint: did you mean 'run'?"* ]]
    run -127 "$bundle" --stat elsewhere run
    [[ $output == *"unknown verb '--stat'"*"hint: did you mean '--state'?"* ]]
    run -127 "$bundle" exec rbuy
    [[ $output == *"'rbuy': No such file or directory"*"hint: did you mean 'ruby'?"* ]]
    run -127 "$bundle" exec nothing-like-it
    [[ $output != *hint:* ]]
    run ! "$bundle" --appimage-extrct
    [[ $output == *"unknown option '--appimage-extrct'"*"did you mean '--appimage-extract'?"* ]]
    run ! "$bundle" --appimage-frobnicate
    [[ $output == *"try --appimage-help"* ]]
}

@test "help lists verbs and processes" {
    run -0 "$bundle" help
    [[ $output == *'FILE console'*'web '*'NAME=web ruby say.rb'*'worker '*'release '*'say.rb release'* ]]
}

@test "run --all: all at once, by name, and all end with the first" {
    copy_app
    printf 'web: ruby -e "puts ENV[%%q(PORT)]; sleep 2; exit 3" $PORT\nworker: ruby say.rb wait\n' \
        >Procfile
    "$rucksack" build --fast --no-check --quiet -o "$made" . >/dev/null
    run -3 "$made" run --all
    grep -Eq '^[0-9:]{8} web    \| 5000$' <<<"$output"
    grep -Eq '^[0-9:]{8} web    \| ended with code 3$' <<<"$output"
    grep -Eq '^[0-9:]{8} worker \|  \["wait"\] PORT=nil' <<<"$output"
    grep -Eq '^[0-9:]{8} worker \| told to end$' <<<"$output"
    grep -Eq '^[0-9:]{8} worker \| ended with code 7$' <<<"$output"
}

@test "a command with a port of its own keeps it, but in a group" {
    copy_app
    printf 'web: ruby say.rb ${PORT:-3000}\nother: ruby say.rb ${PORT:-3000} wait\n' >Procfile
    "$rucksack" build --fast --no-check --quiet -o "$made" . >/dev/null
    run -0 "$made" run web
    [ "$output" = ' ["3000"] PORT=nil true' ]
    PORT=81 run -0 "$made" run web
    [ "$output" = ' ["81"] PORT="81" true' ]
    run "$made" run --all
    [[ $output == *' ["5000"] PORT="5000" true'* ]]
}

@test "run --all: SIGTERM ends all, and nothing is left" {
    copy_app
    printf 'one: ruby say.rb wait\ntwo: ruby say.rb wait\n' >Procfile
    "$rucksack" build --fast --no-check --quiet -o "$made" . >/dev/null
    E2E_TEST=$BATS_TEST_TMPDIR "$made" run --all >"$BATS_TEST_TMPDIR/log" 3>&- &
    pid=$!
    for _ in $(seq 100); do
        [ "$(grep -c '"wait"' "$BATS_TEST_TMPDIR/log")" != 2 ] || break
        sleep 0.1
    done
    kill -TERM $pid
    wait $pid
    [ "$(grep -c 'told to end' "$BATS_TEST_TMPDIR/log")" = 2 ]
    nothing_left "$BATS_TEST_TMPDIR"
    pid=
}

@test "console: a Ruby with the application's gems" {
    run -0 bash -c "echo 'puts [:here, Bundler.root.basename.to_s].inspect' | '$bundle' console"
    [[ $output == *'[:here, "app"]'* ]]
}

@test "rucksack.yml: name, version, processes, env and state" {
    copy_app
    cat >rucksack.yml <<'YAML'
name: shop
version: 1.4.2
processes: {web: ruby say.rb from yml, two: ruby state.rb}
env: {NAME: "n=1; x"}
state: {data: [files, deep/er], cache: [tmp/cache], run: [tmp/pids], log: [log], sqlite: [db/*.sqlite3]}
exclude: [private, "*.bak"]
include: [test/kept.txt]
x-ours: {anything: [1, 2]}
YAML
    mkdir -p test private files deep/er db tmp/cache
    touch test/kept.txt test/gone.txt private/a x.bak files/old
    cat >state.rb <<'RUBY'
%w[files deep/er tmp/cache tmp/pids log db].each { |dir| File.write("#{dir}/x", "") }
puts Dir["test/*"].inspect, File.exist?("private/a"), File.exist?("x.bak"), File.exist?("files/old")
RUBY
    run --separate-stderr -0 "$rucksack" build --fast --no-check -o "$made"
    [[ $stderr == *"files -> shop.state/data/files"*"rucksack.yml"* ]]
    cd "$BATS_TEST_TMPDIR"
    run --separate-stderr -0 "$made"
    [ "$stderr" = "rucksack: a new, empty state: $PWD/shop.state" ]
    [ "$output" = 'n=1; x ["from", "yml"] PORT=nil true' ]
    run --separate-stderr -0 "$made" run two
    [ "$output" = $'["test/kept.txt"]\nfalse\nfalse\nfalse' ]
    [ "$(cd shop.state && find . -type f ! -name .boot ! -name .lock | sort | xargs)" = \
        './cache/tmp/cache/x ./data/db/x ./data/deep/er/x ./data/files/x ./log/x ./run/tmp/pids/x' ]
    run -0 "$rucksack" inspect --all "$made"
    [[ $output == *'1.4.2'* && $output == *'tmp/cache (cache)'* ]]
}

@test "state: the directories that systemd gives, and run emptied after a boot" {
    copy_app
    echo '%w[c r l].each { |dir| File.write("#{dir}/x", "") }' >write.rb
    printf 'state: {cache: [c], run: [r], log: [l]}\nprocesses: {web: ruby write.rb}\n' >rucksack.yml
    "$rucksack" build --fast --no-check --quiet -o "$made" . >/dev/null
    mkdir "$BATS_TEST_TMPDIR"/{state,cache,logs}
    cd "$BATS_TEST_TMPDIR"
    STATE_DIRECTORY=$PWD/state CACHE_DIRECTORY=$PWD/cache LOGS_DIRECTORY=$PWD/logs "$made"
    [ -f cache/c/x ]
    [ -f logs/l/x ]
    [ -f state/run/r/x ]
    touch state/run/r/stale
    STATE_DIRECTORY=$PWD/state CACHE_DIRECTORY=$PWD/cache LOGS_DIRECTORY=$PWD/logs "$made"
    [ -f state/run/r/stale ]
    echo 00000000-0000-0000-0000-000000000000 >state/run/.boot
    STATE_DIRECTORY=$PWD/state CACHE_DIRECTORY=$PWD/cache LOGS_DIRECTORY=$PWD/logs "$made"
    [ ! -e state/run/r/stale ]
    [ -f cache/c/x ]
}

@test "rucksack.yml: libraries and recipes that nothing names" {
    copy_app
    echo 'require "fiddle"; Fiddle.dlopen("libsodium.so.23")' >open.rb
    printf 'processes: {web: ruby say.rb}\nlibs: {include: [libmagic.so.1], never: ["libsodium.so.*"]}\nrecipes: [fontconfig]\n' \
        >rucksack.yml
    "$rucksack" build --fast --no-check --quiet -o "$made" . >/dev/null
    run -0 "$rucksack" why "$made" libmagic.so.1
    [[ $output == *rucksack.yml* ]]
    run -0 "$rucksack" why "$made" usr/share/misc/magic.mgc # by the recipe that the library matches
    run -0 "$rucksack" why "$made" etc/fonts/fonts.conf
    [[ $output == *fontconfig* ]]
    run ! "$rucksack" why "$made" libsodium.so.23
    sed -i '/^libs/d' rucksack.yml
    "$rucksack" build --fast --no-check --quiet -o "$made" . >/dev/null
    run -0 "$rucksack" why "$made" libsodium.so.23
    run ! "$rucksack" why "$made" libmagic.so.1
}

@test "rucksack.yml: a secret must be set, for processes and not for exec" {
    copy_app
    printf 'processes: {web: ruby say.rb}\nsecrets: [TOKEN]\n' >rucksack.yml
    "$rucksack" build --fast --no-check --quiet -o "$made" . >/dev/null
    run -125 "$made"
    [[ $output == *"E-SECRET: the secret 'TOKEN' is not set"*"hint: set it in the environment: TOKEN=... FILE"* ]]
    TOKEN='' run -125 "$made" run web
    run -125 "$made" run --all
    TOKEN=x run -0 "$made"
    run -0 "$made" exec ruby -e 'puts 1'

    printf 'processes: {web: ruby say.rb}\nsecrets: [TOKEN|KEY|PIN, OTHER]\n' >rucksack.yml
    "$rucksack" build --fast --no-check --quiet -o "$made" . >/dev/null
    OTHER=x run -125 "$made"
    [[ $output == *"the secret 'TOKEN' is not set, nor is 'KEY' or 'PIN'"*TOKEN=...* ]]
    PIN=x run -125 "$made"
    [[ $output == *"the secret 'OTHER' is not set"* ]]
    PIN=x OTHER=x run -0 "$made"
    KEY=x OTHER=x run -0 "$made"
}

@test "init: what is found, with reasons; built again it is the same" {
    copy_app
    cp "$app/Procfile" .
    mkdir -p data
    echo 'data/*.sqlite3' >.gitignore
    "$rucksack" build --fast --no-check --quiet -n same -o "$made" . >/dev/null
    run -0 "$rucksack" init
    [ "$output" = ./rucksack.yml ]
    grep -q '^  worker: env NAME=worker ruby say.rb wait$' rucksack.yml
    grep -q '^    - "data/\*.sqlite3" # .gitignore: data/\*.sqlite3$' rucksack.yml
    sed -i 's/^name: .*/name: same/' rucksack.yml
    "$rucksack" build --fast --no-check --quiet -o "$made.2" . >/dev/null
    for file in "$made" "$made.2"; do
        "$file" --appimage-extract .rucksack/launch >/dev/null
        sort squashfs-root/.rucksack/launch >"$file.launch"
        rm -r squashfs-root
    done
    diff "$made.launch" "$made.2.launch"
    run -1 "$rucksack" init
    [[ $output == *"E-CONFIG: './rucksack.yml' is there already"*hint:* ]]
    echo 'puts 1' >../x.rb
    run -1 "$rucksack" init ../x.rb
    mkdir ../empty
    run -1 "$rucksack" init ../empty
    [[ $output == *E-APP* ]]
    [ ! -e ../empty/rucksack.yml ]
}

# refuses WANT...: rucksack.yml from stdin is refused with this message.
refuses() {
    cat >rucksack.yml
    run -1 "$rucksack" build --fast --no-check -o "$made"
    [[ $output == *"$1"* ]] || {
        echo "wanted: $1"
        echo "got: $output"
        return 1
    }
    [ ! -e "$made" ]
}

@test "rucksack.yml: each mistake is named with its line" {
    copy_app
    refuses "rucksack: E-CONFIG: rucksack.yml:2: unknown key 'rubby'"$'\n'"hint: did you mean 'ruby'?" \
        <<<$'name: x\nrubby: y'
    refuses "rucksack.yml:1: unknown key 'sqlit'"$'\n'"hint: did you mean 'sqlite'?" <<<'state: {sqlit: [x]}'
    refuses "rucksack.yml:1: 'processes' must be a map" <<<'processes: [a, b]'
    refuses "rucksack.yml:2: key 'name' for the second time" <<<$'name: x\nname: y'
    refuses "rucksack.yml:1: 'Shop Two': a name has a-z" <<<'name: Shop Two'
    refuses "rucksack.yml:2: '../up' is no path below" <<<$'state:\n  data: [../up]'
    refuses "rucksack.yml:1: '/abs' is no path below" <<<'include: [/abs]'
    refuses "a quote, brace or backslash is not closed" <<<$'processes:\n  web: "ruby -e \'x"'
    refuses "rucksack.yml:1: aliases are not read" <<<'env: {A: &x b, C: *x}'
    refuses "rucksack.yml:" <<<'name: [x'
    refuses "rucksack.yml:1: this is no map of keys" <<<'just words'
    refuses "rucksack.yml:1: '1A' is no name of a variable" <<<'env: {1A: x}'
    refuses "rucksack.yml:1: '' is no name of a variable" <<<'secrets: ["TOKEN|"]'
    refuses "rucksack.yml:1: 'A|B|C|D' are more than 3 variables" <<<'secrets: [A|B|C|D]'
    refuses "'up' is no path of a URL" <<<'health: up'
    refuses "only 'sqlite' takes patterns" <<<$'processes: {web: ruby}\nstate: {data: ["x/*"]}'
    refuses "rucksack.yml: libs: 'libnone.so.9' was not found" <<<$'processes: {web: ruby}\nlibs: {include: libnone.so.9}'
    refuses "there is no recipe 'opensl'"$'\n'"hint: did you mean 'openssl'?" <<<$'processes: {web: ruby}\nrecipes: opensl'
    refuses "there is no '/nowhere/bin/ruby'" <<<$'processes: {web: ruby}\nruby: /nowhere'
    touch config/plain.rb
    refuses E-STATE <<<$'processes: {web: ruby}\nstate: {sqlite: ["config/*.db"]}'
    head -c 2000000 /dev/zero | tr '\0' '#' >rucksack.yml
    run -1 "$rucksack" build --fast --no-check -o "$made"
    [[ $output == *E-CONFIG*'larger than'* ]]
}

@test "Procfile: each mistake is named with its line" {
    copy_app
    printf 'web: ruby x\nnonsense\n' >Procfile
    run -1 "$rucksack" build --fast --no-check -o "$made"
    [[ $output == *"E-PROCFILE: Procfile:2: 'nonsense' is no 'name: command'"*hint:* ]]
    printf 'web: ruby x\nweb: ruby y\n' >Procfile
    run -1 "$rucksack" build --fast --no-check -o "$made"
    [[ $output == *"Procfile:2: process 'web' for the second time"* ]]
    printf "web: ruby 'x\n" >Procfile
    run -1 "$rucksack" build --fast --no-check -o "$made"
    [[ $output == *"Procfile:1: 'ruby 'x': a quote"* ]]
    printf 'web: ruby \33[31m\n' >Procfile
    run -1 "$rucksack" build --fast --no-check -o "$made"
    [[ $output == *'a control character'* ]]
}
