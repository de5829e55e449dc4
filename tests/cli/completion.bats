#!/usr/bin/env bats
# SPDX-License-Identifier: MIT
# What shells offer is what the tool takes: every command, and every option of its help.

bats_require_minimum_version 1.5.0

setup_file() {
    export rucksack=$RUCKSACK_BUILD/rucksack
    cd "$BATS_FILE_TMPDIR"
    for shell in bash zsh fish; do
        "$rucksack" completion $shell >$shell
    done
    "$rucksack" --help | sed -nE 's/^  ([a-z]+) .*/\1/p' >commands
    echo help >>commands
    [ "$(wc -l <commands)" -gt 10 ]
    mkdir -p 'place/a dir'
    touch 'place/a file' place/other
}

setup() {
    cd "$BATS_FILE_TMPDIR"
}

# options COMMAND: the long ones of its help, one a line, and --help.
options() {
    { "$rucksack" "$1" --help | grep -oE '^  .{4}--[a-z-]+' | grep -oE -- '--.*' && echo --help || echo --help; } | sort
}

# in_bash WORD...: what bash offers for the last word, one a line.
in_bash() {
    bash --norc -c 'source ./bash
        COMP_WORDS=(rucksack "$@") COMP_CWORD=$#
        _rucksack
        [ ${#COMPREPLY[@]} -eq 0 ] || printf "%s\n" "${COMPREPLY[@]}"' bash "$@"
}

# in_fish LINE: without the descriptions.
in_fish() {
    HOME=$BATS_FILE_TMPDIR fish --no-config -c 'source ./fish; complete -C "$argv[1]"' "$1" | cut -f1
}

@test "bash: commands, options, files" {
    diff <(sort commands) <(in_bash '' | grep -v '^-' | sort)
    while read -r command; do
        [ "$command" != help ] || continue
        echo "$command"
        diff <(options "$command") <(in_bash "$command" -- | grep '^--' | sort)
    done <commands
    [ "$(in_bash zs)" = zsync ]
    [ "$(in_bash oci --ta)" = --tag ]
    [ "$(in_bash recipes '' | head -3 | xargs)" = 'list show check' ]
    [ "$(in_bash completion f)" = fish ]
    [ "$(in_bash help ext)" = extract ]
    [ "$(in_bash verify place/a | sort)" = $'place/a dir\nplace/a file' ]
    [ "$(in_bash extract -o place/ | sort)" = 'place/a dir' ]
    [ "$(in_bash oci --output place/o)" = place/other ]
    [ "$(in_bash diff place/other place/o)" = place/other ]
    [ -z "$(in_bash oci --tag place/o)" ]
    shellcheck --shell=bash bash
}

@test "fish: commands, options, files" {
    diff <(sort commands) <(in_fish 'rucksack ' | sort)
    while read -r command; do
        [ "$command" != help ] || continue
        echo "$command"
        diff <(options "$command") <(in_fish "rucksack $command --" | sort)
    done <commands
    [ "$(in_fish 'rucksack recipes ' | grep -cxE 'list|show|check')" = 3 ]
    [ "$(in_fish 'rucksack help ext')" = extract ]
    [ "$(in_fish 'rucksack verify place/o')" = place/other ]
    [ "$(in_fish 'rucksack extract -o place/')" = 'place/a dir/' ]
    [ -z "$(in_fish 'rucksack oci --tag place/o')" ]
}

@test "zsh: commands, options, files" {
    lines=('rucksack ' 'rucksack recipes ' 'rucksack extract -o place/' 'rucksack verify place/')
    while read -r command; do
        [ "$command" = help ] || lines+=("rucksack $command --")
    done <commands
    timeout 60 zsh -f "$BATS_TEST_DIRNAME/completion.zsh" ./zsh "${lines[@]}" |
        sed -E 's/\x1b\[[0-9;?]*[A-Za-z]//g; s/\r//g' >listed
    # listed LINE: what stands below it.
    listed() {
        awk -v head="== $1" '/^== / { on = $0 == head; next } on' listed
    }
    diff <(sort commands) <(listed 'rucksack ' | sed -nE 's/^([a-z]+) +-- .*/\1/p' | sort)
    while read -r command; do
        [ "$command" != help ] || continue
        echo "$command"
        # The only one is not listed but completed.
        [ "$(options "$command")" != --help ] || continue
        diff <(options "$command") <(listed "rucksack $command --" | grep -oE '^--[a-z-]+ +-- ' | grep -oE -- '^--[a-z-]+' | sort)
    done <commands
    listed 'rucksack recipes ' | grep -q 'check *list *show'
    listed 'rucksack verify place/' | grep -q 'a.* dir.*a.* file.*other'
    run ! grep -q other <(listed 'rucksack extract -o place/')
}

@test "an unknown shell; what is installed" {
    run -2 "$rucksack" completion fihs
    [[ $output == *"completion: unknown shell 'fihs'"*"hint: did you mean 'fish'?"* ]]
    run -2 "$rucksack" completion powershell
    [[ $output == *"hint: there are: bash, zsh, fish"* ]]
    make -s -C "$BATS_TEST_DIRNAME/../.." install BUILD="$RUCKSACK_BUILD" prefix=/usr DESTDIR="$BATS_TEST_TMPDIR/root"
    share=$BATS_TEST_TMPDIR/root/usr/share
    cmp bash "$share/bash-completion/completions/rucksack"
    cmp zsh "$share/zsh/site-functions/_rucksack"
    cmp fish "$share/fish/vendor_completions.d/rucksack.fish"
}
