#!/usr/bin/env bats
# SPDX-License-Identifier: MIT
# The documents say what the program does.

bats_require_minimum_version 1.5.0

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

@test "a path, a module, a link or a test that is not there is named" {
    mkdir "$BATS_TEST_TMPDIR/tree"
    cp -r .ci bench bin bundler common docs examples recipes runtime tests packages LICENSE ./*.md "$BATS_TEST_TMPDIR/tree/"
    cd "$BATS_TEST_TMPDIR/tree"
    run -0 tests/documents
    [[ $output =~ ^documents:\ [0-9]+\ paths,\ [0-9]+\ modules,\ ([0-9]+)\ tests$ ]]
    [ "${BASH_REMATCH[1]}" -gt 80 ]
    touch bundler/forgotten.c runtime/stub/lost.h
    mv common/words.h common/phrases.h
    rm common/words.c
    sed -i 's/run starts what it checked, not/run starts what it likes, not/' tests/cli/sign.bats
    printf '[x](nowhere.md) [y](../tests/service/scenario)\n```\n[z](not-a-link)\n```\n' >>docs/trust.md
    printf '`bench/{plot,nothing}`\n' >>ARCHITECTURE.md
    run -1 tests/documents
    [ "$(sort <<<"$output")" = "$(sort <<'END'
ARCHITECTURE.md: no 'bench/nothing'
ARCHITECTURE.md: no 'common/words.h'
ARCHITECTURE.md: nothing of 'bundler/forgotten'
ARCHITECTURE.md: nothing of 'common/phrases'
ARCHITECTURE.md: nothing of 'runtime/stub/lost'
docs/security-model.md: no test 'run starts what it checked, not what takes its place' in 'tests/cli/sign.bats'
docs/trust.md: no 'nowhere.md'
docs/trust.md: no test 'y' in 'tests/service/scenario'
END
)" ]
}

@test "a picture of a terminal: what is said, escaped; servers end; a failure is no picture" {
    run -0 docs/site/picture "$BATS_TEST_TMPDIR/a.svg" "cd $BATS_TEST_TMPDIR" 'echo "<&>"; seq 2' 'sleep 1000 &' \
        "printf 'word %.0s' \$(seq 30)"
    python3 - "$BATS_TEST_TMPDIR/a.svg" docs/demo.svg <<'END'
import sys, xml.etree.ElementTree as tree
SVG = "{http://www.w3.org/2000/svg}"
def lines(path):
    return [one.text or "" for one in tree.parse(path).iter(SVG + "text")]
assert lines(sys.argv[1])[:8] == ['$ echo "<&>"; seq 2', "<&>", "1", "2", "", "$ sleep 1000 &", "", lines(sys.argv[1])[7]]
assert all(len(line) <= 96 for line in lines(sys.argv[1])) and lines(sys.argv[1])[-2:] == ["word " * 18 + "word", "word " * 10 + "word "]
demo = lines(sys.argv[2])
assert demo[0] == "$ rucksack build -o blog guestbook" and "ok" in demo and "prefers-color-scheme: dark" in open(sys.argv[2]).read()
END
    run -1 docs/site/picture "$BATS_TEST_TMPDIR/b.svg" 'echo no; false'
    [ ! -e "$BATS_TEST_TMPDIR/b.svg" ]
}

@test "the figures of the README are those of the pages that it names" {
    sed -n '/^## Beside others/,/^## What it does/p' README.md | grep -v claimed >"$BATS_TEST_TMPDIR/section"
    figures=$(grep -oE '\b[0-9]+\.[0-9]+\b' "$BATS_TEST_TMPDIR/section" | sort -u)
    [ "$(wc -l <<<"$figures")" -ge 12 ]
    for figure in $figures; do
        echo "$figure"
        grep -qE "(^|[^0-9.])$figure([^0-9]|$)" docs/performance.md docs/peers.md
    done
}

@test "the man page and the README name no command that is not there" {
    for command in $(grep -hoE '(^\*|`)rucksack [a-z]+' docs/rucksack.1.scd README.md docs/*.md |
        sed 's/.*rucksack //' | sort -u); do
        [ "$command" != help ] || continue
        echo "rucksack $command"
        "$rucksack" "$command" --help
    done
}
