#!/usr/bin/env bats
# SPDX-License-Identifier: MIT
# The documents say what the program does.

setup() {
    tree=$(cd "$BATS_TEST_DIRNAME/../.." && pwd)
    rucksack=$RUCKSACK_BUILD/rucksack
    cd "$tree"
}

@test "docs/errors.md lists every error id of the sources, and no other" {
    find bundler common runtime -name '*.c' -o -name '*.rb' | xargs grep -hoE '\bE-[A-Z][A-Z-]+' |
        sort -u >"$BATS_TEST_TMPDIR/sources"
    sed -nE 's/^\| `(E-[A-Z-]+)` .*/\1/p' docs/errors.md >"$BATS_TEST_TMPDIR/table"
    sort -cu "$BATS_TEST_TMPDIR/table"
    diff "$BATS_TEST_TMPDIR/sources" "$BATS_TEST_TMPDIR/table"
}

@test "the man page has every command and every option" {
    commands=$("$rucksack" --help | sed -nE 's/^  ([a-z]+) .*/\1/p')
    [ -n "$commands" ]
    sed -n '/^# COMMANDS/,/^# BUNDLES/p' docs/rucksack.1.scd >"$BATS_TEST_TMPDIR/page"
    for command in $commands; do
        grep -q "^\*rucksack $command\*" "$BATS_TEST_TMPDIR/page"
        for option in $("$rucksack" "$command" --help | grep -oE '^  .{4}--[a-z-]+' | grep -oE -- '--.*'); do
            echo "rucksack $command $option"
            sed -n "/^\*rucksack $command\*/,/^\*rucksack /p" "$BATS_TEST_TMPDIR/page" |
                grep -qF -- "*$option*"
        done
    done
}

@test "each command has a page of its own, with its options and examples" {
    for command in $("$rucksack" --help | sed -nE 's/^  ([a-z]+) .*/\1/p'); do
        page=$RUCKSACK_BUILD/rucksack-$command.1
        echo "$page"
        mandoc -T ascii -O width=200 "$page" | col -b >"$BATS_TEST_TMPDIR/page"
        grep -q "rucksack-$command" "$BATS_TEST_TMPDIR/page"
        "$rucksack" "$command" --help >"$BATS_TEST_TMPDIR/help"
        for option in $(grep -oE '^  .{4}--[a-z-]+' "$BATS_TEST_TMPDIR/help" | grep -oE -- '--.*'); do
            grep -q -- "$option" "$BATS_TEST_TMPDIR/page"
        done
        example=$(sed -n '/^examples:/,$p' "$BATS_TEST_TMPDIR/help" | sed -n 2p | tr -s ' ' | sed 's/^ //')
        [ -z "$example" ] || tr -s ' ' <"$BATS_TEST_TMPDIR/page" | grep -qF -- "$example"
    done
}

@test "the man page names no option that its command does not have" {
    "$rucksack" --help | sed -nE 's/^  ([a-z]+) .*/\1/p' >"$BATS_TEST_TMPDIR/commands"
    while read -r command; do
        "$rucksack" "$command" --help | grep -oE -- '^  (-[a-z], |    )--[a-z-]+' | grep -oE -- '--.*' |
            sort -u >"$BATS_TEST_TMPDIR/has"
        # A definition stands in a line of its own, one tab deep.
        sed -n '/^# COMMANDS/,/^# BUNDLES/p' docs/rucksack.1.scd |
            sed -n "/^\*rucksack $command\*/,/^\*rucksack /p" | grep -E $'^\t\\*-' |
            grep -oE -- '--[a-z-]+' | sort -u >"$BATS_TEST_TMPDIR/says"
        echo "$command"
        diff "$BATS_TEST_TMPDIR/has" "$BATS_TEST_TMPDIR/says"
    done <"$BATS_TEST_TMPDIR/commands"
}

@test "the page of rucksack.yml has every key, and no other" {
    sed -nE 's/^    \{"([a-z]+)", KEY_.*/\1/p' bundler/config.c | sort -u >"$BATS_TEST_TMPDIR/sources"
    [ "$(wc -l <"$BATS_TEST_TMPDIR/sources")" -gt 15 ]
    sed -n '/^# KEYS/,/^# EXAMPLE/p' docs/rucksack.yml.5.scd | grep -E '^(\*|	\*sqlite\*)' |
        grep -oE '\*[a-z]+\*' | tr -d '*' | sort -u >"$BATS_TEST_TMPDIR/page"
    diff "$BATS_TEST_TMPDIR/sources" "$BATS_TEST_TMPDIR/page"
}

@test "the page of recipes has every key, and no other" {
    sed -n '/match_fields\[\]/,/^static const cyaml_schema_value_t recipe_schema/p' bundler/recipe.c |
        sed -nE 's/.*(TEXTS?|BOOL|PTR|MAPPINGS)\("([a-z_]+)".*/\2/p' | sort -u >"$BATS_TEST_TMPDIR/sources"
    [ "$(wc -l <"$BATS_TEST_TMPDIR/sources")" -gt 35 ]
    sed -n '/^# KEYS/,/^# EXAMPLE/p' docs/rucksack-recipe.5.scd | grep -oE '^	?\*[a-z\_]+\*:' |
        tr -d '\t*:\\' | sort -u >"$BATS_TEST_TMPDIR/page"
    diff "$BATS_TEST_TMPDIR/sources" "$BATS_TEST_TMPDIR/page"
}

@test "the man page and the README name no command that is not there" {
    for command in $(grep -hoE '(^\*|`)rucksack [a-z]+' docs/rucksack.1.scd README.md docs/*.md |
        sed 's/.*rucksack //' | sort -u); do
        [ "$command" != help ] || continue
        echo "rucksack $command"
        "$rucksack" "$command" --help
    done
}
