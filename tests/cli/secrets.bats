#!/usr/bin/env bats
# SPDX-License-Identifier: MIT
# What of an application's tree is a secret, by name and by content, and what only looks like one.

bats_require_minimum_version 1.5.0

setup_file() {
    export app=$BATS_FILE_TMPDIR/app
    mkdir -p "$app"
    cd "$app"
    touch Gemfile
    bundle lock >/dev/null
    echo 'puts Dir.glob("**/*", File::FNM_DOTMATCH).select { |path| File.file?(path) }' >list.rb
    echo 'web: ruby list.rb' >Procfile
}

setup() {
    tree=$(cd "$BATS_TEST_DIRNAME/../.." && pwd)
    rucksack=$RUCKSACK_BUILD/rucksack
    cp -a "$app" "$BATS_TEST_TMPDIR/app"
    cd "$BATS_TEST_TMPDIR/app"
}

plant() {
    ruby "$tree/tests/cli/secrets/plant.rb" "$1" . | sort >"../$1"
    [ "$(wc -l <"../$1")" -eq 30 ]
}

build() {
    run --separate-stderr "$rucksack" build --fast --no-check --no-cache -o ../bundle "$@"
    printf '%s\n' "$stderr"
}

# Of the build: the paths that it refuses as secrets, and those that it leaves out, sorted.
called_secrets() {
    sed -nE 's/^secret   (.*) \(.*\)$/\1/p' <<<"$stderr" | sort
}

left_out() {
    sed -nE 's/^secrets  (.*) not packed$/\1/p' <<<"$stderr" | tr -d ' ' | tr , '\n' | sort
}

@test "30 planted secrets are found when all is included, and none of 30 look-alikes" {
    plant secrets
    plant lookalikes
    echo 'include: ["*"]' >rucksack.yml
    build
    [ "$status" -eq 1 ]
    [ ! -e ../bundle ]
    # Keys of Rails' credentials are not packed, whatever include says.
    [ "$(left_out | xargs)" = "config/credentials/production.key config/master.key" ]
    [[ $stderr == *"rucksack: E-SECRET: 28 files to pack look like secrets: "*"hint: "*"--allow-secret PATH"* ]]
    { called_secrets; left_out; } | sort >../found
    echo "# $(comm -12 ../found ../secrets | wc -l) of 30 secrets, $(comm -12 ../found ../lookalikes | wc -l) of 30 look-alikes" >&3
    diff ../secrets ../found
}

@test "by itself a build packs none of them: by name they are left out, by content refused" {
    plant secrets
    build
    [ "$status" -eq 1 ]
    [[ $stderr == *"secrets  "*".env"*"not packed"* ]]
    called_secrets >../found
    [ -z "$(comm -13 ../secrets ../found)" ]
    run ! grep -qE '(^|/)\.(env|git|aws|kamal|netrc)|\.key$' ../found
    xargs rm <../found
    build
    [ "$status" -eq 0 ]
    ../bundle 2>/dev/null | sort >../packed
    [ -s ../packed ]
    [ -z "$(comm -12 ../packed ../secrets)" ]
}

@test "look-alikes are packed" {
    plant lookalikes
    build
    [ "$status" -eq 0 ]
    [[ $stderr != *"secret "* ]]
    ../bundle 2>/dev/null | sort >../packed
    diff ../lookalikes <(comm -12 ../packed ../lookalikes)
}

@test "--allow-secret packs a file, of its kind no other" {
    plant secrets
    build --allow-secret .env --allow-secret tls/ec.pem
    [ "$status" -eq 1 ]
    called_secrets >../found
    run ! grep -qxE '\.env|tls/ec\.pem' ../found
    xargs rm <../found
    build --allow-secret .env --allow-secret tls/ec.pem --allow-secret config/master.key
    [ "$status" -eq 0 ]
    [ "$(../bundle 2>/dev/null | sort | comm -12 - ../secrets | xargs)" = ".env config/master.key tls/ec.pem" ]
}

@test "an --allow-secret that names nothing is refused" {
    build --allow-secret config/master.kye
    [ "$status" -eq 1 ]
    [[ $stderr == *"E-SECRET: --allow-secret: there is no file 'config/master.kye' to pack"*"hint: "* ]]
}

@test "where a key is in a file, the line is told; hundreds of files do not fill the terminal" {
    { seq 100; ruby -ropenssl -e 'puts OpenSSL::PKey::RSA.new(1024).to_pem'; } >notes.txt
    build
    [ "$status" -eq 1 ]
    [[ $stderr == *"a file to pack looks like a secret: notes.txt (a private key, line 101)"* ]]
    for i in $(seq 300); do cp notes.txt "a-rather-long-name-$i.txt"; done
    build --quiet
    [ "$status" -eq 1 ]
    [ "${#stderr_lines[@]}" -eq 2 ]
    [[ $stderr == *"301 files to pack look like secrets: "*" more"* ]]
}

@test "a gem's source tree is looked at, a published gem is not" {
    mkdir -p own/lib
    echo 'Gem::Specification.new("own", "1") { |s| s.summary = s.author = "a"; s.files = ["lib/own.rb", "lib/key.txt"] }' >own/own.gemspec
    touch own/lib/own.rb
    ruby -ropenssl -e 'puts OpenSSL::PKey::RSA.new(1024).to_pem' >own/lib/key.txt
    echo 'gem "own", path: "own"' >Gemfile
    bundle lock --local >/dev/null
    build
    [ "$status" -eq 1 ]
    [[ $stderr == *"own/lib/key.txt (a private key, line 1)"* ]]
    build --allow-secret own/lib/key.txt
    [ "$status" -eq 0 ]
}

@test "a script's data with a secret is refused" {
    rm -f Gemfile* Procfile
    ruby -ropenssl -e 'puts OpenSSL::PKey::RSA.new(1024).to_pem' >data.txt
    echo 'puts File.size(File.join(__dir__, "data.txt"))' >report.rb
    build report.rb
    [ "$status" -eq 1 ]
    [[ $stderr == *"E-SECRET: a file to pack looks like a secret: data.txt (a private key, line 1)"* ]]
    build --allow-secret data.txt report.rb
    [ "$status" -eq 0 ]
}

@test "what SQLite keeps beside a database is not packed, and refused under another name" {
    local database
    mkdir db
    for database in a.sqlite3 b.sqlite c.db; do
        sqlite3 "db/$database" "PRAGMA journal_mode = wal; CREATE TABLE a (x); INSERT INTO a VALUES (1);" \
            ".shell cp db/$database-wal db/kept" ".shell cp db/$database-shm db/kept-shm" >/dev/null
        rm "db/$database"
        cp db/kept "db/$database-wal"
        cp db/kept-shm "db/$database-shm"
        cp db/kept "db/$database-journal"
        rm db/kept db/kept-shm
    done
    touch db/not-a-journal
    build
    [ "$status" -eq 0 ]
    [ "$(../bundle 2>/dev/null | grep '^db/')" = db/not-a-journal ]
    mv db/c.db-wal db/notes
    build
    [ "$status" -eq 1 ]
    [[ $stderr == *"a file to pack looks like a secret: db/notes (a database with rows)"* ]]
}

# own_gem NAME [FILE...]: a gem of the application's tree; its files are there.
own_gem() {
    mkdir -p "gems/$1"
    printf 'Gem::Specification.new("%s", "8.0.0") { |s| s.summary = s.author = "a"; s.files = %%w[%s] }\n' \
        "$1" "${*:2}" >"gems/$1/$1.gemspec"
    echo "gem '$1', path: 'gems/$1'" >>Gemfile
}

# What `rails assets:precompile` of a real application does is in tests/rails: here it is a program that
# is found by the same name.
@test "what assets:precompile writes is looked at" {
    rm Gemfile*
    own_gem railties
    own_gem propshaft
    mkdir config bin ../path
    printf '%s\n' '#!/usr/bin/env ruby' 'require "fileutils"' 'FileUtils.mkdir_p("public/assets")' \
        'File.write("public/assets/app.js", "let a;\nlet t = \"#{ENV["TOKEN"]}\";\n")' >../path/rails
    chmod +x ../path/rails
    PATH=$(realpath ../path):$PATH
    touch config/application.rb bin/rails
    bundle lock --local >/dev/null
    ruby -ropenssl -e 'puts OpenSSL::PKey::RSA.new(1024).to_pem' >../pem
    TOKEN=$(cat ../pem) build
    [ "$status" -eq 1 ]
    [[ $stderr == *"a file to pack looks like a secret: public/assets/app.js (a private key, line 2)"* ]]
    TOKEN=$(cat ../pem) build --allow-secret public/assets/app.js
    [ "$status" -eq 0 ]
    TOKEN=none build
    [ "$status" -eq 0 ]
}

@test "of a gem's source tree, no key is taken for the text of a licence" {
    mkdir ../beside
    (cd ../beside && own_gem own lib/own.rb && mkdir gems/own/lib && touch gems/own/lib/own.rb)
    echo 'of nobody here' >../other
    (
        cd ../beside/gems/own
        echo 'You may.' >LICENSE.txt
        echo 'Nor that.' >NOTICE
        for name in license.key LICENSE_KEY prod-license.key LICENSE.KEY; do echo 0123-4567 >$name; done
        ln -s ../../../other LICENSE
    )
    echo "gem 'own', path: '../beside/gems/own'" >Gemfile
    bundle lock --local >/dev/null
    build
    [ "$status" -eq 0 ]
    ../bundle --appimage-list >../list
    [ "$(sed -n 's|^.*licenses/gems/own-8.0.0/||p' ../list | sort | xargs)" = "LICENSE.txt NOTICE" ]
}

@test "a gem beside the application: directories are secrets by their name, too" {
    mkdir -p ../.gem/gems/own/.aws
    (cd ../.gem && touch Gemfile && own_gem own lib/own.rb .aws/credentials credentials)
    mkdir ../.gem/gems/own/lib
    touch ../.gem/gems/own/lib/own.rb
    echo '[default]' >../.gem/gems/own/.aws/credentials
    echo 'none' >../.gem/gems/own/credentials # ../.gem is not the gem's
    echo "gem 'own', path: '../.gem/gems/own'" >Gemfile
    bundle lock --local >/dev/null
    build
    [ "$status" -eq 1 ]
    [[ $stderr == *"a file to pack looks like a secret: $(realpath ../.gem/gems/own)/.aws/credentials (credentials of AWS)"* ]]
}
