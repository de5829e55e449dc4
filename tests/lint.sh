#!/bin/sh
# SPDX-License-Identifier: MIT
# Everything that reads the tree and finds fault with it without running it. make lint
set -eu
cd "$(dirname "$0")/.."
build=${BUILD:-build}
status=0

# step NAME COMMAND...: says which step failed, and goes on.
step() {
    name=$1
    shift
    if "$@"; then
        echo "lint: $name ok"
    else
        echo "lint: $name FAILED" >&2
        status=1
    fi
}

scripts() {
    git ls-files | while read -r file; do
        case $(head -n 1 "$file" 2>/dev/null | tr -d '\0') in
        '#!/bin/sh' | '#!/bin/bash' | '#!/usr/bin/env bash' | '#!/usr/bin/env bats') echo "$file" ;;
        esac
    done
    git ls-files '*.bash'
}

# What bats and indirect calls do is unknown to shellcheck: SC2030, SC2031 (a test is a subshell),
# SC2034, SC2154 (variables of other files), SC1091 (load), SC2317 (unreachable). SC2016: text for
# others in single quotes is the intent. SC2164: bats stops at a failed cd. SC2038, SC2044: no path of
# the tree has a blank. SC2065, SC2238: test and cut are not only programs.
check_scripts() {
    scripts | xargs shellcheck --severity=warning \
        --exclude=SC1091,SC2016,SC2030,SC2031,SC2034,SC2038,SC2044,SC2065,SC2154,SC2164,SC2238,SC2317
}

# The words are misspelt on purpose, by tests.
check_spelling() {
    git ls-files | grep -vE '\.png$|^tests/(data/cyclonedx|fuzz/corpus)/' | xargs codespell --ignore-words-list=verfy,extrat,nam,te
}

check_cppcheck() {
    cppcheck --quiet --enable=warning,portability,performance --inline-suppr --std=c11 -I. \
        --suppress=missingIncludeSystem --suppressions-list=tests/cppcheck.supp \
        --error-exitcode=1 bundler common runtime
}

# The guest has no libc and own flags, but reads well enough with these. What gcc or clang warns of
# stops the build: make, make check-clang.
check_tidy() {
    git ls-files 'bundler/*.c' 'common/*.c' 'runtime/*.c' |
        BUILD=$build xargs -P "$(nproc)" -n 4 sh -c 'clang-tidy --quiet "$@" -- -std=gnu2x \
            -D_GNU_SOURCE -D_FILE_OFFSET_BITS=64 -DVERSION="\"0\"" -DASSET_DIR="\"$BUILD\"" -I. \
            -Wall -Wextra -Wshadow -Wconversion -Wvla -Wstrict-prototypes -Wmissing-prototypes \
            -Wformat=2 -Wno-format-nonliteral 2>/dev/null' sh
}

# gcc 12 takes the list nodes of uthash and the strings in a struct for leaks and double releases.
check_analyzer() {
    git ls-files 'bundler/*.c' 'common/*.c' | BUILD=$build xargs -P "$(nproc)" -n 4 sh -c '
        for file in "$@"; do
            gcc -std=gnu2x -D_GNU_SOURCE -D_FILE_OFFSET_BITS=64 -DVERSION="\"0\"" \
                -DASSET_DIR="\"$BUILD\"" -I. -O1 -fanalyzer -Wno-analyzer-malloc-leak \
                -Wno-analyzer-double-free -Werror -c -o /dev/null "$file" || exit 255
        done' sh
}

# scdoc itself puts an empty paragraph after each heading.
check_man_page() {
    found=$(mandoc -T lint -W warning "$build"/rucksack*.[15] | grep -v 'skipping paragraph macro' || :)
    [ -z "$found" ] || {
        echo "$found" >&2
        return 1
    }
}

# The tree names no server of packages: it works with the ones of the machine that builds it.
check_hosts() {
    ! git grep -nIE '(rubygems|debian|ubuntu|pypi|npmjs)\.(org|com)|index\.rubygems' -- . \
        ':!tests/lint.sh' ':!tests/fuzz/corpus'
}

# Files of Ruby: by name, or by their first line.
rubies() {
    git ls-files '*.rb' '*.ru' '*Gemfile' '*Rakefile' '*.gemspec'
    git ls-files bench bin docs examples tests | while read -r file; do
        case $(head -n 1 "$file" 2>/dev/null | tr -d '\0') in
        '#!/usr/bin/env ruby'*) echo "$file" ;;
        esac
    done
}

check_ruby() {
    rubies | sort -u | xargs rubocop --force-exclusion --format emacs --no-color
}

# Bytes that a start reads, or that everybody downloads: what they are now, and a little.
check_sizes() {
    bad=0
    while read -r most program; do
        size=$(stat -c %s "$build/$program")
        [ "$size" -le "$most" ] || {
            echo "$build/$program: $size bytes, and at most $most are wanted" >&2
            bad=1
        }
    done <<'END'
400000 stub
9000000 rucksack
100000 launch
48000 guest.so
1950000 keeper
290000 service
16000 iseqs.so
34000 trial
END
    [ "$bad" -eq 0 ]
}

# The tool, built once more, elsewhere, in another order: the same bytes.
check_reproducible() {
    elsewhere=$(mktemp -d)
    git ls-files -z | xargs -0 cp --parents -t "$elsewhere" &&
        make -s -C "$elsewhere" BUILD=other -j"$(nproc)" other/rucksack >/dev/null &&
        cmp "$build/rucksack" "$elsewhere/other/rucksack"
    result=$?
    rm -rf "$elsewhere"
    return "$result"
}

check_licences() {
    bad=$(git ls-files '*.[ch]' '*.sh' '*.bats' '*.bash' '*.mk' bin .ci tests/run-one tests/documents tests/e2e/transcript |
        xargs grep -L 'SPDX-License-Identifier: MIT')
    [ -z "$bad" ] || {
        echo "without an SPDX line: $bad" >&2
        return 1
    }
}

step shellcheck check_scripts
step codespell check_spelling
step cppcheck check_cppcheck
step clang-tidy check_tidy
step "gcc -fanalyzer" check_analyzer
step rubocop check_ruby
step mandoc check_man_page
step sizes check_sizes
step reproducible check_reproducible
step hosts check_hosts
step documents tests/documents
step licences check_licences
exit "$status"
