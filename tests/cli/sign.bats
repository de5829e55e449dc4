#!/usr/bin/env bats
# SPDX-License-Identifier: MIT
# rucksack keygen, sign, verify -p, build --sign: with minisign's files, by minisign and by us.

bats_require_minimum_version 1.5.0

setup_file() {
    cd "$BATS_FILE_TMPDIR"
    rucksack=$RUCKSACK_BUILD/rucksack
    echo 'puts "hello"' >hello.rb
    "$rucksack" build --quiet --no-check --fast --no-cache -o plain hello.rb
    "$rucksack" keygen --no-password ours
    "$rucksack" keygen --no-password other
    cp -p plain signed
    "$rucksack" sign -s ours.key signed
    minisign -G -W -s theirs.key -p theirs.pub
    RUCKSACK_SIGN_PASSWORD=secret "$rucksack" keygen locked
}

setup() {
    rucksack=$RUCKSACK_BUILD/rucksack
    keys=$BATS_FILE_TMPDIR
    cd "$BATS_TEST_TMPDIR"
}

# have NAME: a copy of plain or signed, with its signature.
have() {
    cp -p "$keys/$1" app
    [ ! -f "$keys/$1.minisig" ] || cp "$keys/$1.minisig" app.minisig
}

# refused ID STATUS COMMAND...: one error line with the id, one hint.
refused() {
    local id=$1 status_wanted=$2
    run --separate-stderr "${@:3}"
    printf 'status %s\n%s\n%s\n' "$status" "$output" "$stderr"
    [ "$status" -eq "$status_wanted" ]
    [[ ${stderr_lines[0]} == "rucksack: $id: "* ]]
    [[ ${stderr_lines[1]} == "hint: "* ]]
    [ "${#stderr_lines[@]}" -eq 2 ]
}

# flip FILE OFFSET: another byte there.
flip() {
    perl -e 'open my $f, "+<", $ARGV[0] or die; sysseek $f, $ARGV[1], 0; sysread $f, my $b, 1;
        sysseek $f, $ARGV[1], 0; syswrite $f, chr(ord($b) ^ 1 << $ARGV[1] % 8)' "$1" "$2"
}

# wait_for_stop TRACER: until the program that strace runs has stopped itself; sets pid.
wait_for_stop() {
    pid=
    for _ in $(seq 200); do
        pid=$(cat "/proc/$1/task/$1/children" 2>/dev/null | tr -d ' ')
        [ -z "$pid" ] || ! grep -q '^State:.*[Tt] (' "/proc/$pid/status" ||
            [ "$(readlink "/proc/$pid/exe")" = "$(realpath "$rucksack")" ] || break
        sleep 0.05
    done
    grep -q '^State:.*[Tt] (' "/proc/$pid/status"
}

@test "keygen writes a pair, the secret one for its owner only, and never over another" {
    "$rucksack" keygen --no-password pair
    [ "$(stat -c %a pair.key pair.pub | xargs)" = "600 644" ]
    cp pair.key before
    refused E-OUTPUT 1 "$rucksack" keygen --no-password pair
    cmp pair.key before
    rm pair.key
    refused E-OUTPUT 1 "$rucksack" keygen --no-password pair
    [ ! -e pair.key ]
    refused E-SIG 1 "$rucksack" keygen new
    [[ $stderr == *RUCKSACK_SIGN_PASSWORD* ]]
    [ ! -e new.key ]
}

# The signal arrives with the answer that there is such a file.
@test "keygen that is ended leaves a key of before" {
    "$rucksack" keygen --no-password pair
    cp pair.key before
    run strace -qq -o /dev/null -P pair.key -e trace=openat -e inject=openat:signal=SIGTERM:when=1 \
        "$rucksack" keygen --no-password pair
    [ "$status" -ne 0 ]
    cmp pair.key before
}

@test "minisign verifies what we sign" {
    have signed
    minisign -V -m app -p "$keys/ours.pub"
    minisign -V -m app -P "$(tail -n 1 "$keys/ours.pub")"
    [ "$(minisign -V -Q -m app -p "$keys/ours.pub")" = "rucksack hello" ]
    run ! minisign -V -m app -p "$keys/other.pub"
    [ "$(./app)" = hello ]
}

@test "minisign signs with our keys, with and without a password, and we accept it" {
    have plain
    minisign -S -m app -s "$keys/ours.key"
    "$rucksack" verify -p "$keys/ours.pub" app
    minisign -S -m app -s "$keys/locked.key" <<<secret
    "$rucksack" verify -p "$keys/locked.pub" app
}

@test "we sign with minisign's keys, with and without a password" {
    have plain
    "$rucksack" sign -s "$keys/theirs.key" app
    minisign -V -m app -p "$keys/theirs.pub"
    "$rucksack" verify -p "$keys/theirs.pub" app
    # By `minisign -G`, which takes some seconds and 1 GiB to do so; so do we now.
    printf 'untrusted comment: minisign encrypted secret key\n%s%s\n' \
        RWRTY0IyAUZorjRdKS2+Z9bG8G63tw39a9+GJJPe5gfhHzTPL/4AAAACAAAAAAAAAEAAAAAAp767gUmYNpYnsUYy+2fl \
        QwUrKHO8iThoy8nVAgDnr2cMu7g8kZnrdqf/LBCThiSWdb5MEmNzLONZ4J43EWajrj/dSgZ0dTj1e0RVk0zFhPsYiaQLOdEUqdMIL7wIkvAzCMmL+61J2Cc= \
        >hidden.key
    echo pw >password
    RUCKSACK_SIGN_PASSWORD_FILE=password "$rucksack" sign -s hidden.key app
    printf 'pw\r\n' >password
    RUCKSACK_SIGN_PASSWORD_FILE=password "$rucksack" sign -s hidden.key app
    minisign -V -m app -P RWSZiTo6IdgTmt7FW/sUF6t4zEKw5XLTkwBU5N4a9WE+d3NlcI4XmKGx
}

@test "a wrong or missing password is said, and changes nothing" {
    have signed
    refused E-SIG 1 "$rucksack" sign -s "$keys/locked.key" app
    RUCKSACK_SIGN_PASSWORD=wrong refused E-SIG 1 "$rucksack" sign -s "$keys/locked.key" app
    RUCKSACK_SIGN_PASSWORD_FILE=absent refused E-SIG 1 "$rucksack" sign -s "$keys/locked.key" app
    cmp app "$keys/signed"
    cmp app.minisig "$keys/signed.minisig"
}

@test "what minisign signed is accepted, and by another key refused" {
    have plain
    minisign -S -m app -s "$keys/theirs.key"
    run --separate-stderr "$rucksack" verify -p "$keys/theirs.pub" app
    [ "$status" -eq 0 ]
    [[ $output == *"minisig ok (timestamp:"* ]]
    refused E-SIG 3 "$rucksack" verify -p "$keys/other.pub" app
    minisign -S -l -m app -s "$keys/theirs.key"
    refused E-SIG 3 "$rucksack" verify -p "$keys/theirs.pub" app
    [[ $stderr == *"without 'minisign -l'"* ]]
}

@test "another key, no signature and no key are refused" {
    have signed
    "$rucksack" verify -p "$keys/ours.pub" app
    "$rucksack" verify -p "$(tail -n 1 "$keys/ours.pub")" app
    refused E-SIG 3 "$rucksack" verify -p "$keys/other.pub" app
    rm app.minisig
    refused E-SIG 3 "$rucksack" verify -p "$keys/other.pub" app
    refused E-SIG 1 "$rucksack" verify -p "$keys/ours.key" app
    refused E-SIG 1 "$rucksack" verify -p absent app
    cp "$keys/plain" app
    refused E-SIG 3 "$rucksack" verify -p "$keys/ours.pub" app
    [[ $stderr == *"is not signed"* ]]
}

@test "without a key, what it was signed with is named and not believed" {
    have signed
    run --separate-stderr "$rucksack" verify app
    [ "$status" -eq 0 ]
    [[ $output == *"signature ok $(tail -n 1 "$keys/ours.pub") (rucksack hello)"* ]]
    [[ $output == *"only they can say: -p KEY"* ]]
    cp "$keys/plain" app
    run --separate-stderr "$rucksack" verify app
    [ "$status" -eq 0 ]
    [[ $output == *"minisig not compared"* ]]
    rm app.minisig
    [ "$("$rucksack" verify app | tail -n 1)" = "not signed" ]
}

# Every bit of both is the unit tests' (minisign, signature, bundle); FLIPS=1 is all bytes here.
@test "one flipped byte of file or signature is refused" {
    have signed
    local size offset tries=0 refusals=0
    size=$(stat -c %s app.minisig)
    for ((offset = 0; offset < size; offset += ${FLIPS:-13})); do
        flip app.minisig "$offset"
        tries=$((tries + 1))
        "$rucksack" verify -p "$keys/ours.pub" app >out 2>&1 || refusals=$((refusals + 1))
        grep -q '^rucksack: E-SIG' out
        flip app.minisig "$offset"
    done
    echo "# $refusals of $tries bytes of the signature" >&3
    [ "$refusals" -eq "$tries" ]
    rm app.minisig
    tries=0 refusals=0
    for offset in $(perl -e 'srand 1; print int(rand($ARGV[0])), "\n" for 1 .. 300 / $ARGV[1]' \
        "$(stat -c %s app)" "${FLIPS:-13}"); do
        flip app "$offset"
        tries=$((tries + 1))
        "$rucksack" verify -p "$keys/ours.pub" app >/dev/null 2>&1 || refusals=$((refusals + 1))
        flip app "$offset"
    done
    echo "# $refusals of $tries bytes of the file" >&3
    [ "$refusals" -eq "$tries" ]
    "$rucksack" verify -p "$keys/ours.pub" app
}

@test "whoever changes a signed file and its sums does not have the signature" {
    have signed
    cp "$keys/plain" app
    refused E-SIG 3 "$rucksack" verify -p "$keys/ours.pub" app # with app.minisig of the other
    "$rucksack" sign -s "$keys/other.key" app
    refused E-SIG 3 "$rucksack" verify -p "$keys/ours.pub" app
    cp "$keys/signed.minisig" app.minisig
    refused E-SIG 3 "$rucksack" verify -p "$keys/ours.pub" app
}

@test "sign refuses a damaged bundle and what is none, and leaves them" {
    have plain
    flip app 5000000
    cp app before
    refused E-VERIFY 3 "$rucksack" sign -s "$keys/ours.key" app
    cmp app before
    [ ! -e app.minisig ]
    [ "$(echo app*)" = app ]
    echo text >text
    refused E-BUNDLE 1 "$rucksack" sign -s "$keys/ours.key" text
    run --separate-stderr "$rucksack" sign app
    [ "$status" -eq 2 ]
}

# The program is stopped behind fchown(2): from then on the file's owner may write it.
@test "what is signed beside the file is what was checked, whatever its owner writes then" {
    have plain
    chown 1001 app
    strace -f -qq -o /dev/null -e trace=rename -e inject=rename:signal=SIGSTOP:when=1 \
        "$rucksack" sign -s "$keys/ours.key" app >out 2>&1 &
    tracer=$!
    wait_for_stop "$tracer"
    [ "$(stat -c %u app)" = 1001 ]
    flip app 5000000
    kill -CONT "$pid"
    wait "$tracer"
    run ! minisign -V -q -m app -p "$keys/ours.pub"
    flip app 5000000
    minisign -V -q -m app -p "$keys/ours.pub"
}

@test "the comment is signed, and one line" {
    have plain
    "$rucksack" sign -s "$keys/ours.key" --comment 'release 12' app
    [ "$(minisign -V -Q -m app -p "$keys/ours.pub")" = "rucksack hello: release 12" ]
    cp app before
    refused E-SIG 1 "$rucksack" sign -s "$keys/ours.key" --comment $'two\nlines' app
    refused E-SIG 1 "$rucksack" sign -s "$keys/ours.key" --comment "$(printf 'x%.0s' {1..300})" app
    cmp app before
    "$rucksack" verify -p "$keys/ours.pub" app
}

@test "signing twice gives the same bytes, and keeps permissions and links" {
    have plain
    chmod 750 app
    ln -s app link
    [ "$("$rucksack" sign -s "$keys/ours.key" link | xargs)" = "$PWD/app $PWD/app.minisig" ]
    [ -L link ]
    [ "$(stat -c %a app)" = 750 ]
    cmp app "$keys/signed"
    cmp app.minisig "$keys/signed.minisig"
    [ "$("$rucksack" sign -s "$keys/ours.key" app | xargs)" = "app app.minisig" ]
    cmp app "$keys/signed"
}

@test "of a link, the signature beside the file is compared" {
    have plain
    minisign -S -m app -s "$keys/theirs.key"
    mkdir bin
    ln -s ../app bin/app
    run -0 "$rucksack" verify -p "$keys/theirs.pub" bin/app
    [[ $output == *"minisig ok"* ]]
    refused E-SIG 3 "$rucksack" verify -p "$keys/ours.pub" bin/app
    echo damaged >bin/app.minisig # whoever puts one beside the link means that
    refused E-SIG 3 "$rucksack" verify -p "$keys/theirs.pub" bin/app
}

@test "build --sign signs, and shows the password to nobody" {
    cp "$keys/hello.rb" .
    mkdir bin
    printf '#!/bin/sh\nenv >>"%s/seen"\nexec /usr/bin/ruby "$@"\n' "$PWD" >bin/ruby
    chmod +x bin/ruby
    RUCKSACK_SIGN_PASSWORD=secret PATH=$PWD/bin:$PATH "$rucksack" build --quiet --no-check --fast \
        --sign "$keys/locked.key" -o app hello.rb
    [ -s seen ]
    run ! grep -q '=secret$' seen
    minisign -V -m app -p "$keys/locked.pub"
    "$rucksack" verify -p "$keys/locked.pub" app
    RUCKSACK_SIGN_PASSWORD=wrong refused E-SIG 1 "$rucksack" build --sign "$keys/locked.key" \
        -o second hello.rb
    [ ! -e second ]
}

@test "a signed file is not what an unsigned build calls up to date" {
    cp "$keys/hello.rb" .
    "$rucksack" build --quiet --no-check --fast -o app hello.rb
    "$rucksack" sign -s "$keys/ours.key" app
    "$rucksack" build --quiet --no-check --fast -o app hello.rb
    run "$rucksack" verify app
    [[ $output != *"signature ok"* ]]
}

@test "an unsigned build leaves no signature of what was there" {
    cp "$keys/hello.rb" .
    "$rucksack" build --quiet --no-check --fast --sign "$keys/ours.key" -o app hello.rb
    [ -e app.minisig ]
    "$rucksack" build --quiet --no-check --fast -o app hello.rb
    [ ! -e app.minisig ]
    [ "$("$rucksack" verify app | tail -n 1)" = "not signed" ]
}

# What the stub's own checksum does not cover: the hash of the stub.
break_stub_hash() {
    flip "$1" "$(($(LC_ALL=C grep -obUaP "RUCKSACK\x01\x00" "$1" | head -n 1 | cut -d: -f1) + 64))"
}

@test "run compares all of a file that others may write, or with --verify" {
    umask 022
    mkdir own
    cp "$keys/plain" own/app
    break_stub_hash own/app
    run -3 "$rucksack" verify own/app
    run -0 "$rucksack" run own/app
    [ "$output" = hello ]
    refused E-VERIFY 1 "$rucksack" run --verify own/app
    chmod 777 own
    refused E-VERIFY 1 "$rucksack" run own/app
    chmod 1777 own
    run -0 "$rucksack" run own/app
    chmod 666 own/app
    refused E-VERIFY 1 "$rucksack" run own/app
    chmod 755 own/app
    chown 1001 own/app
    refused E-VERIFY 1 "$rucksack" run own/app
    cp "$keys/plain" own/app
    run -0 "$rucksack" run --verify own/app
}

@test "run -p starts what is signed with the key, and nothing else" {
    have signed
    run -0 "$rucksack" run -p "$keys/ours.pub" app
    [ "$output" = hello ]
    refused E-SIG 1 "$rucksack" run -p "$keys/other.pub" app
    cp "$keys/plain" app
    refused E-SIG 1 "$rucksack" run -p "$keys/ours.pub" app
}

# replaced_meanwhile FILE BY COMMAND...: FILE is another one when the tool becomes the stub, and all is checked. Output: out.
replaced_meanwhile() {
    strace -f -qq -o /dev/null -e trace=execveat -e inject=execveat:signal=SIGSTOP:when=1 \
        "${@:3}" >out 2>&1 &
    tracer=$!
    wait_for_stop "$tracer"
    mv "$2" "$1"
    kill -CONT "$pid"
    wait "$tracer"
}

@test "run starts what it checked, not what takes its place" {
    have signed
    echo 'puts "evil"' >evil.rb
    "$rucksack" build --quiet --no-check --fast -o evil evil.rb
    [ "$(./evil)" = evil ]
    replaced_meanwhile app evil "$rucksack" run -p "$keys/ours.pub" app
    [ "$(cat out)" = hello ]
}

# site OUTPUT TEXT [OPTION...]: an application that has state, and says TEXT.
site() {
    rm -rf site-app
    mkdir site-app
    echo "puts '$2 ' + ENV['RUCKSACK_STATE'].to_s" >site-app/serve.rb
    (cd site-app && touch Gemfile && bundle lock >/dev/null &&
        printf 'name: site\nprocesses: {web: ruby serve.rb}\nstate: {data: [files]}\n' >rucksack.yml)
    "$rucksack" build --quiet --no-check --fast "${@:3}" -o "$1" site-app
}

@test "run starts what it checked with another state, too, and needs no permission to execute it" {
    site site good --sign "$keys/ours.key"
    site evil evil
    [ "$(./evil --state=there run web 2>&1 | tail -n 1)" = "evil there" ]
    chmod 644 site
    run -0 --separate-stderr "$rucksack" run -p "$keys/ours.pub" site --state here
    [ "$output" = "good here" ]
    [ -d here ]
    replaced_meanwhile site evil "$rucksack" run -p "$keys/ours.pub" site --state here exec ruby -e 'puts ENV.keys.grep(/IDENT/), "good"'
    [ "$(cat out)" = good ]
    run ! grep -q good <(./site)
}

# As the kernel names a file whose name another one has taken.
@test "a service is installed of what was checked, or not at all" {
    site site good --sign "$keys/ours.key"
    site evil evil
    cp evil 'site (deleted)'
    cp site before
    run -0 "$rucksack" run -p "$keys/ours.pub" site service install --print
    replaced_meanwhile site evil "$rucksack" run -p "$keys/ours.pub" site service install --print || true
    cat out
    grep -q "^rucksack: E-BUNDLE: '.*/site (deleted)' is not the bundle that was started" out
    # Another stub is another file.
    cp before site
    cp before evil
    break_stub_hash evil
    cp evil 'site (deleted)'
    replaced_meanwhile site evil "$rucksack" run -p "$keys/ours.pub" site service install --print || true
    grep -q "^rucksack: E-BUNDLE: '.*/site (deleted)' is not the bundle that was started" out
}

@test "run with a key refuses where it cannot start what it checked" {
    have signed
    refused E-HOST 1 unshare -m sh -c 'mount -t tmpfs none /proc && exec "$@"' sh \
        "$rucksack" run -p "$keys/ours.pub" app
}

@test "no command shows the password to what it starts, nor to who looks" {
    have plain
    echo 'print File.read("/proc/#{ENV["TOOL"] || Process.pid}/environ"), ENV.to_a' >environ.rb
    "$rucksack" build --quiet --no-check --fast -o environ environ.rb
    RUCKSACK_SIGN_PASSWORD=correct-horse run -0 "$rucksack" run environ
    [[ $output == *PATH* && $output != *correct-horse* && $output != *SIGN_PASSWORD* ]]
    mkdir bin
    printf '#!/bin/sh\n{ env; cat /proc/$PPID/environ; } >>"%s/seen"\nexec /usr/bin/ruby "$@"\n' "$PWD" >bin/ruby
    chmod +x bin/ruby
    RUCKSACK_SIGN_PASSWORD=correct-horse PATH=$PWD/bin:$PATH "$rucksack" build --quiet --no-check --fast \
        -o app "$keys/hello.rb"
    grep -qa PATH= seen
    run ! grep -qa correct-horse seen
}

@test "with standard error closed, a build writes into no file what it has to say" {
    "$rucksack" build --quiet --no-check --fast --no-cache -o plain "$keys/hello.rb"
    bash -c '"$0" build --no-check --fast --no-cache -o app "$1" 2>&-' "$rucksack" "$keys/hello.rb"
    cmp app plain
}

@test "run leaves the app no descriptor of the file" {
    echo 'puts Dir["/proc/self/fd/*"].filter_map { |fd| File.readlink(fd) rescue nil }.grep(/fds/)' >list.rb
    "$rucksack" build --quiet --no-check --fast -o fds list.rb
    run -0 "$rucksack" run fds
    [ -z "$output" ]
}

@test "docs/trust.md: what it shows, in its order" {
    tree=$(cd "$BATS_TEST_DIRNAME/../.." && pwd)
    awk '/^```sh$/ { on = 1; next } /^```$/ { on = 0 } on' "$tree/docs/trust.md" >blocks
    [ "$(grep -c '' blocks)" -ge 12 ]
    mkdir app
    touch app/Gemfile
    (cd app && bundle lock >/dev/null && echo 'puts "hello"' >hello.rb && echo 'web: ruby hello.rb' >Procfile)
    # The check boot waits for HTTP.
    sed -i 's/rucksack build /rucksack build --no-check --fast /' blocks
    PATH=$RUCKSACK_BUILD:$PATH run --separate-stderr -0 sh -eu blocks
    printf '%s\n' "$output" "$stderr"
    [[ $output == *"signature ok "*" (rucksack app: release 12)"* ]]
    [[ $output == *$'\nhello\n'* ]]
    [[ $stderr == *"E-SECRET: a file to pack looks like a secret: notes.txt (a secret key of minisign, line 2)"* ]]
    grep -q '"bomFormat": "CycloneDX"' blog.cdx.json
    grep -q '^pkg:generic/ruby@' licenses
    minisign -V -Q -m blog -p blog.pub
}

@test "a capsule has the signature of its program, and is told to be no more than that" {
    echo 'puts "serving"' >serve.rb
    mkdir app
    cp serve.rb app/
    (cd app && touch Gemfile && bundle lock >/dev/null && printf 'processes: {web: ruby serve.rb}\nstate: {data: [files]}\n' >rucksack.yml)
    "$rucksack" build --quiet --no-check --fast --sign "$keys/ours.key" -o site app
    mkdir -p app.state/data/files
    echo text >app.state/data/files/a
    RUCKSACK_STATE=$PWD/app.state ./site backup --capsule -o capsule
    run -0 "$rucksack" verify -p "$keys/ours.pub" capsule
    [[ $output == *"snapshot ok"*"signature ok"*"the snapshot is not signed" ]]
    refused E-SIG 1 "$rucksack" run -p "$keys/ours.pub" capsule restore
    [[ $stderr == *"is not signed: its snapshot"* ]]
    "$rucksack" sign -s "$keys/ours.key" capsule
    run -0 "$rucksack" verify -p "$keys/ours.pub" capsule
    [[ $output == *"minisig ok" ]]
    minisign -V -q -m capsule -p "$keys/ours.pub"
    run -0 "$rucksack" run -p "$keys/ours.pub" capsule --state there restore
    [ "$(cat there/data/files/a)" = text ]
    head -c -1 capsule.minisig >cut && mv cut capsule.minisig
    refused E-SIG 1 "$rucksack" run -p "$keys/ours.pub" capsule restore
}
