#!/usr/bin/env bats
# SPDX-License-Identifier: MIT
# What a build says while it works: to a terminal, to a pipeline, to who asks for every decision, and to
# who only wants to know what it would do.

bats_require_minimum_version 1.5.0
load ../e2e/lib

setup_file() {
    make_guestbook
}

setup() {
    cd "$BATS_TEST_TMPDIR" || return
    unset CI GITHUB_ACTIONS NO_COLOR
    mkdir tmp cache
    export TMPDIR=$PWD/tmp XDG_CACHE_HOME=$PWD/cache TERM=xterm
    echo 'sleep 1.2; puts 1' >one.rb
}

# application: the guestbook's, with something of each kind that is left out.
application() {
    mkdir app
    cp -r "$guestbook_app"/{Gemfile,Gemfile.lock,.bundle,config.ru,guestbook.rb,lib,public,views} app/
    ln -s "$guestbook_app/vendor" app/vendor
    mkdir app/doc app/test
    touch app/doc/page app/test/one.rb
    echo 'KEY=1' >app/.env
    printf 'exclude: [doc]\nstate: {data: [uploads]}\n' >app/rucksack.yml
}

# terminal COMMAND: what it prints on one, to the file `screen`; its status.
terminal() {
    script --quiet --return --command "$1" /dev/null >screen
}

@test "a dry run lists what would be packed, and writes nothing anywhere" {
    application
    find app -printf '%p %T@ %s\n' | sort >before
    run -0 --separate-stderr "$rucksack" build --dry-run app
    echo "$output"
    [[ $output =~ \ +[0-9.]+\ kB\ +[0-9]+\ \ gems/gems/rack-[0-9.]+\ \(gem\ \'rack\'\)$'\n' ]]
    [[ $output == *" app (the application)"* && $output == *" AppRun (launcher)"* ]]
    [[ ${lines[-1]} =~ ^\ +[0-9.]+\ MB\ +[0-9]+\ \ in\ all,\ before\ compression$ ]]
    [[ $stderr == *"libs  "*"closed over, 0 unresolved"* && $stderr != *$'\nwrote'* ]]
    find app -printf '%p %T@ %s\n' | sort | diff before -
    [ -z "$(find tmp cache -type f)" ]
    [ -z "$(ls ./*.AppImage 2>/dev/null)" ]
    # It is what a build packs then.
    "$rucksack" build --dry-run --json --quiet app >plan.json
    "$rucksack" build --quiet --fast --no-check -o app.AppImage app
    "$rucksack" extract -o tree app.AppImage
    ruby -rjson -e 'plan = JSON.load_file("plan.json")
        missing = plan["entries"].map { |e| e["path"] }.reject { |path| File.exist?("tree/#{path}") || File.symlink?("tree/#{path}") }
        abort missing.inspect unless missing.empty?
        packed = plan["left_out"].map { |e| e["path"] }.select { |path| File.exist?("tree/#{path}") }
        abort packed.inspect unless packed.empty? && plan["left_out"].size > 10'
}

@test "an error of a dry run is that of the build" {
    application
    echo 'rubby: 3' >>app/rucksack.yml
    run -1 --separate-stderr "$rucksack" build --dry-run app
    [ -z "$output" ]
    [[ $stderr == *"E-CONFIG"*"rucksack.yml:3: "*"'rubby'"* ]]
}

@test "-v: of each gem, library and file why it is in or out" {
    application
    run -0 --separate-stderr "$rucksack" build -v --dry-run app
    echo "$stderr"
    while IFS='|' read -r word path why; do
        grep -qE "^$word +$path +$why" <<<"$stderr"
    done <<'END'
in|gems/gems/rack-[0-9.]+|gem 'rack'
in|app|the application
in|AppRun|launcher
in|usr/lib/[^ ]*libsqlite3.so.0|needed by sqlite3_native.so of gem 'sqlite3'
in|usr/share|recipe 'tzdata'
out|app/.env|a secret, by its name
out|app/doc|exclude: of rucksack.yml
out|app/test|never packed, but for 'include:' of rucksack.yml
out|gems/gems/puma-[0-9.]+/ext/[^ ]*\.c|gem 'puma': sources
out|gems/gems/rack-[0-9.]+/CHANGELOG.md|gem 'rack': docs
out|development|a group of the Gemfile
END
    # Without it, none of that.
    run -0 --separate-stderr "$rucksack" build --dry-run app
    run -1 grep -E '^(in|out) ' <<<"$stderr"
}

@test "off a terminal: plain lines, without colours, times or progress" {
    "$rucksack" build --fast -o one one.rb >out 2>words
    [ "$(cat out)" = one ]
    run -1 grep -q $'[\e\r]' words
    [ "$(cut -d' ' -f1 words | grep -v missed | xargs)" = "detect ruby gems libs image check wrote" ]
}

@test "in CI every line begins with the time; results do not" {
    CI=true "$rucksack" build --fast --no-check -o one one.rb >out 2>words
    [ "$(cat out)" = one ]
    [ "$(wc -l <words)" -ge 5 ]
    run -1 grep -vE '^20[0-9]{2}-[0-9]{2}-[0-9]{2}T[0-9]{2}:[0-9]{2}:[0-9]{2}Z (detect|ruby|gems|libs|image|wrote) ' words
    run -1 grep -q $'[\e\r]' words
    CI=false "$rucksack" build --fast --no-check --no-cache -o one one.rb 2>&1 >/dev/null | grep -q ^detect
}

# annotated FILE[,line=N] ARGUMENT...: of a build in the repository work, which is named by a link.
annotated() {
    local place=$1
    shift
    GITHUB_WORKSPACE=$BATS_TEST_TMPDIR/link GITHUB_ACTIONS=true run -1 --separate-stderr "$rucksack" build --fast --no-check "$@"
    grep -q "^::error file=$place,title=E-" <<<"$stderr" || { echo "$stderr"; return 1; }
}

@test "on GitHub a file is named from the repository's root, wherever the build runs" {
    application
    mkdir -p work/services
    ln -s work link
    mv app "work/services/my app,1"
    cd work
    here="services/my app,1"
    there='services/my app%2C1'
    echo 'rubby: 3' >>"$here/rucksack.yml"
    annotated "$there/rucksack.yml,line=3" "$here"
    (cd services && annotated "$there/rucksack.yml,line=3" "my app,1")
    (cd "$here" && annotated "$there/rucksack.yml,line=3")
    (cd / && annotated "$there/rucksack.yml,line=3" "$BATS_TEST_TMPDIR/link/$here")
    cd services
    echo 'single: [wep]' >"my app,1/rucksack.yml"
    annotated "$there/rucksack.yml" "my app,1"
    rm "my app,1/rucksack.yml"
    printf 'web: puma\nnonsense\n' >"my app,1/Procfile"
    annotated "$there/Procfile,line=2" "my app,1"
    rm "my app,1/Procfile"
    mkdir "my app,1/recipes"
    printf 'name: x\nsummary: y\nlbis: [a]\n' >"my app,1/recipes/x.yml"
    annotated "$there/recipes/x.yml,line=3" "my app,1"
    # Of another repository, or of no file at all.
    cp -r "my app,1" "$BATS_TEST_TMPDIR/other"
    annotated "$BATS_TEST_TMPDIR/other/recipes/x.yml,line=3" "$BATS_TEST_TMPDIR/other"
    GITHUB_WORKSPACE=$BATS_TEST_TMPDIR/work GITHUB_ACTIONS=true run -1 --separate-stderr "$rucksack" build nowhere:3
    grep -q "^::error title=E-APP::'nowhere:3'" <<<"$stderr"
}

@test "on GitHub errors and warnings are annotations, at their file and line" {
    application
    echo 'rubby: 3' >>app/rucksack.yml
    CI=true GITHUB_ACTIONS=true run -1 --separate-stderr "$rucksack" build app
    [ -z "$output" ]
    echo "$stderr"
    [[ $stderr == *"rucksack: E-CONFIG: app/rucksack.yml:3: unknown key 'rubby'"* ]]
    grep -qx "::error file=app/rucksack.yml,line=3,title=E-CONFIG::unknown key 'rubby'%0Ahint: did you mean 'ruby'?" <<<"$stderr"
    # What is of no file has none; a percent sign is one.
    CI=true GITHUB_ACTIONS=true run -1 --separate-stderr "$rucksack" inspect '100%,a:b'
    [[ $stderr == *$'\n::error title=E-BUNDLE::\'100%25,a:b\': '* ]]
    # A warning of the build. The runner has the time.
    echo 'require "no_such_gem"' >two.rb
    CI=true GITHUB_ACTIONS=true "$rucksack" build --fast --no-check -o two two.rb >out 2>words
    [ "$(cat out)" = two ]
    grep -q "^warning  the script requires 'no_such_gem'" words
    grep -q "^::warning title=rucksack::the script requires 'no_such_gem'" words
    run -1 grep -qE '^20[0-9]{2}-' words
    "$rucksack" build --fast --no-check -o two two.rb 2>words
    run -1 grep -q '^::' words
}

@test "on a terminal: progress with rate and time, and colours" {
    terminal "'$rucksack' build --no-cache -o one one.rb"
    # The check lasts longer than what is drawn at all; so does compression, where it is not instant.
    grep -qE $'\r\e\\[Kcheck    it starts in an empty root, [0-9]+ s' screen
    grep -qaE $'\r\e\\[K(image|draft)    [#-]{22} +[0-9]+ %   [0-9.]+ [kM]B of [0-9.]+ MB   [0-9.]+ [kMG]?B/s' screen
    grep -qE $'\r\e\\[K\e\\[1mdetect  \e\\[0m script' screen
    # What stays on the screen are the lines that a file gets.
    sed -E $'s/.*\r\e\\[K(.)/\\1/; s/\e\\[[0-9;]*m//g; s/\r$//' screen | cut -d' ' -f1 >shown
    [ "$(grep -v missed shown | xargs)" = "detect ruby gems libs check compile image wrote one" ]
}

@test "NO_COLOR: no colours; TERM=dumb, or quiet: nothing drawn at all" {
    NO_COLOR=1 terminal "'$rucksack' build --fast -o one one.rb"
    grep -q $'\r\e\\[K' screen
    run -1 grep -q $'\e\\[[0-9;]*m' screen
    TERM=dumb terminal "'$rucksack' build --fast --no-cache -o one one.rb"
    run -1 grep -q $'\e' screen
    terminal "'$rucksack' build --fast --no-cache --quiet -o one one.rb"
    [ "$(tr -d '\r' <screen)" = one ]
    # An error is red, where there may be colours.
    run -1 terminal "'$rucksack' inspect absent"
    grep -q $'^\e\\[1;31mrucksack:\e\\[0m E-BUNDLE: ' screen
    NO_COLOR=1 run -1 terminal "'$rucksack' inspect absent"
    grep -q '^rucksack: E-BUNDLE: ' screen
}

@test "Ctrl-C on a terminal ends it by that signal, and takes the progress away" {
    echo 'sleep 20' >slow.rb # longer than anybody takes to press the key
    # Without the echo of the key, which the terminal may write behind what the tool does about it.
    ruby -rpty -rio/console -e '
        PTY.spawn(ARGV[0], "build", "--no-cache", "-o", "one", "slow.rb") do |screen, keyboard, pid|
          screen.echo = false
          text = +""
          begin
            loop do
              text << screen.readpartial(4096)
              if text.include?("it starts in an empty root")
                keyboard.write("\x03")
                text.clear
              end
            end
          rescue Errno::EIO
          end
          status = Process.wait2(pid).last
          abort status.inspect unless status.termsig == 2
          abort text.inspect unless text.end_with?("\r\e[K")
        end' "$rucksack"
    [ ! -e one ]
    [ -z "$(find tmp -mindepth 1)" ]
    run -1 pgrep -f "$BATS_TEST_TMPDIR"
}
