#!/usr/bin/env bats
# SPDX-License-Identifier: MIT
# rucksack recipes: list, show, check, and what each says about what is wrong.

bats_require_minimum_version 1.5.0

setup() {
    tree=$(cd "$BATS_TEST_DIRNAME/../.." && pwd)
    rucksack=$RUCKSACK_BUILD/rucksack
    cd "$BATS_TEST_TMPDIR"
}

@test "list names every recipe of the tree" {
    run --separate-stderr "$rucksack" recipes list
    [ "$status" -eq 0 ]
    [ -z "$stderr" ]
    [ "$(cut -d' ' -f1 <<<"$output" | sort)" = "$(ls "$tree/recipes" | sed 's/\.yml$//' | sort)" ]
}

@test "list --json is one document with the conditions" {
    run --separate-stderr "$rucksack" recipes list --json
    [ "$status" -eq 0 ]
    ruby -rjson -e '
        all = JSON.parse(STDIN.read).to_h { |recipe| [recipe["name"], recipe] }
        all.dig("gconv", "match", "imports") == ["iconv_open"] or abort "gconv"
        all["tzdata"]["always"] == true && all["tzdata"]["file"].nil? or abort "tzdata"' <<<"$output"
}

@test "show prints the recipe as it was written" {
    local name
    for name in openssl gio; do
        "$rucksack" recipes show $name | diff - "$tree/recipes/$name.yml"
    done
}

@test "show of an unknown recipe says where the list is" {
    run --separate-stderr "$rucksack" recipes show nonsense
    [ "$status" -eq 1 ]
    [[ $stderr == *"E-RECIPE: there is no recipe 'nonsense'"*"hint: "*"rucksack recipes list"* ]]
}

@test "the directory's recipes join, and one takes the place of the tool's of its name" {
    mkdir recipes
    printf 'name: openssl\nsummary: mine\nalways: true\n' >recipes/a.yml
    printf 'name: zz\nsummary: none\ndisabled: true\n' >recipes/b.yml
    run "$rucksack" recipes list
    [ "$(grep -c '^openssl ' <<<"$output")" -eq 1 ]
    grep -qE '^openssl +mine \(\./recipes/a.yml\)$' <<<"$output"
    grep -qE '^zz +disabled ' <<<"$output"
    "$rucksack" recipes show openssl | diff - recipes/a.yml
    run "$rucksack" recipes check
    [ "$output" = $'./recipes/a.yml: ok\n./recipes/b.yml: ok' ]
}

@test "names that are misspelt: which one may be meant" {
    run -1 --separate-stderr "$rucksack" recipes show opensl
    [[ $stderr == *"there is no recipe 'opensl'"$'\n'"hint: did you mean 'openssl'?" ]]
    run -1 --separate-stderr "$rucksack" recipes show nothing-like-it
    [[ $stderr == *$'\n'"hint: see which there are: rucksack recipes list" ]]
    run -2 --separate-stderr "$rucksack" recipes shom
    [[ $stderr == *"unknown word 'shom'"$'\n'"hint: did you mean 'show'?"* ]]
    run -2 --separate-stderr "$rucksack" recipes everything
    [[ $stderr == *"hint: there are: list, show NAME, check [FILE...]"* ]]
}

@test "check names file, line and key of what is wrong" {
    printf 'name: x\nsummary: y\nalways: true\nlbis: [a]\n' >x.yml
    run --separate-stderr "$rucksack" recipes check x.yml
    [ "$status" -eq 1 ]
    [[ $stderr == *"E-RECIPE: x.yml:4: unknown key 'lbis'"$'\n'"hint: did you mean 'libs'?" ]]
    run --separate-stderr "$rucksack" recipes check absent.yml
    [ "$status" -eq 1 ]
    [[ $stderr == *"E-RECIPE: 'absent.yml'"* ]]
    mkdir recipes
    cp x.yml recipes/
    run --separate-stderr "$rucksack" recipes list
    [ "$status" -eq 1 ]
    [[ $stderr == *"recipes/x.yml:4: unknown key 'lbis'"* ]]
    "$rucksack" recipes check "$tree"/recipes/*.yml
}

@test "usage: unknown words, missing and superfluous operands" {
    run --separate-stderr "$rucksack" recipes lst
    [ "$status" -eq 2 ]
    [[ $stderr == *"unknown word 'lst'"*"did you mean 'list'?"* ]]
    run --separate-stderr "$rucksack" recipes
    [ "$status" -eq 2 ]
    run --separate-stderr "$rucksack" recipes show
    [ "$status" -eq 2 ]
    run --separate-stderr "$rucksack" recipes list x
    [ "$status" -eq 2 ]
}
