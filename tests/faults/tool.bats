#!/usr/bin/env bats
# SPDX-License-Identifier: MIT
# A sample of tests/faults/run: commands of the tool of which a system call or an allocation fails.
# POINTS of each command (POINTS=0: all); without it two of some.

bats_require_minimum_version 1.5.0

@test "a call or an allocation of the tool fails" {
    points=${POINTS:-2}
    some=()
    [ -n "${POINTS-}" ] || some=("inspect --json" verify build)
    [ "$points" -ne 0 ] || points=1000000
    run "$BATS_TEST_DIRNAME/run" --points "$points" "${some[@]}"
    echo "$output" | sed 's/^/# /' >&3
    [ "$status" -eq 0 ]
}

# What cannot be read is not what is not there.
@test "a module, or a directory, of a recipe cannot be opened" {
    [ -z "${POINTS-}" ] || skip "the other test has them"
    local path
    for path in /ossl-modules/legacy.so /usr/share/zoneinfo; do
        run "$BATS_TEST_DIRNAME/run" --points 3 --only '^openat ' --path "$path" build
        echo "$output" | sed 's/^/# /' >&3
        [ "$status" -eq 0 ]
        [[ "$output" == *build* ]]
    done
}

# What once was a crash, half a file, a directory left behind, or damage that is none.
@test "an allocation fails of what reads a bundle, or writes a draft" {
    [ -z "${POINTS-}" ] || skip "the other test has them"
    run "$BATS_TEST_DIRNAME/run" --points 30 --only '^allocation' init inspect "inspect --html" verify
    echo "$output" | sed 's/^/# /' >&3
    [ "$status" -eq 0 ]
}
