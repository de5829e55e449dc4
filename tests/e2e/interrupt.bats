#!/usr/bin/env bats
# SPDX-License-Identifier: MIT
# A build that is interrupted leaves nothing, at whatever moment. INTERRUPTS: how many of them.

bats_require_minimum_version 1.5.0
load lib

setup() {
    cd "$BATS_TEST_TMPDIR" || return
    mkdir app
    echo 'require "json"; puts JSON.generate([1])' >app/one.rb
}

@test "SIGINT, SIGTERM, SIGHUP at many moments: no file, process or mount; the status is the signal's" {
    # Of its own are the mounts that it looks at: others come and go.
    unshare --mount ruby "$BATS_TEST_DIRNAME/interrupt.rb" "$rucksack" "$PWD/app/one.rb" "${INTERRUPTS:-8}" "${SEED:-1}" >counts
    sed 's/^/# /' counts >&3
}

@test "a shell sees 130 and 143" {
    local code signal
    for signal in INT:130 TERM:143; do
        code=0
        timeout --signal="${signal%:*}" --preserve-status 0.7 env --default-signal=INT \
            "$rucksack" build --no-cache -q -o bundle app/one.rb || code=$?
        [ "$code" -eq "${signal#*:}" ]
        [ ! -e bundle ]
    done
}

@test "what a recorded command has started ends with the build" {
    "$rucksack" build -q --no-check --trace 'sleep 300 & setsid sleep 301 & sleep 302' -o one app/one.rb &
    local pid=$!
    local i
    for i in $(seq 100); do
        pgrep -f '^sleep 302$' >/dev/null && break
        sleep 0.05
    done
    kill "$pid"
    local code=0
    wait "$pid" || code=$?
    [ "$code" -eq 143 ]
    for i in $(seq 100); do
        pgrep -f '^sleep 30[012]$' >/dev/null || break
        sleep 0.05
    done
    run -1 pgrep -f '^sleep 30[012]$'
    [ ! -e one ]
}

@test "a build whose process is killed says so, and leaves nothing" {
    mkdir tmp
    TMPDIR=$PWD/tmp "$rucksack" build --no-cache -q -o bundle app/one.rb 2>words &
    local pid=$!
    local child=
    local i
    for i in $(seq 100); do
        child=$(pgrep -P "$pid") && [ -n "$(ls tmp)" ] && break
        sleep 0.02
    done
    kill -KILL "$child"
    local code=0
    wait "$pid" || code=$?
    cat words
    [ "$code" -eq 1 ]
    [[ $(cat words) == "rucksack: E-KILLED: it was ended by signal 9"*"hint: "* ]]
    [ -z "$(ls tmp)" ]
    [ ! -e bundle ]
}

@test "a signal that is ignored stays ignored" {
    (
        trap '' INT TERM HUP
        exec "$rucksack" build -q --fast --no-check -o bundle app/one.rb
    ) &
    local pid=$!
    sleep 0.3
    kill -INT "$pid"
    kill -TERM "$pid"
    kill -HUP "$pid"
    wait "$pid"
    [ -x bundle ]
}

@test "what was started before, by who has become the program, is none of its business" {
    ruby -e 'sleeper = Process.spawn("sleep", "303")
             trap("CHLD", "IGNORE")
             File.write("sleeper", sleeper)
             exec(*ARGV)' "$rucksack" build --no-cache -q -o bundle app/one.rb 3>&- &
    local pid=$!
    local code=0
    local i
    for i in $(seq 600); do
        pgrep -P "$pid" -x rucksack >/dev/null && break
        sleep 0.1
    done
    kill "$pid"
    wait "$pid" || code=$?
    [ "$code" -eq 143 ]
    kill "$(cat sleeper)"
    # And a build in such a process ends.
    ruby -e 'trap("CHLD", "IGNORE"); exec(*ARGV)' \
        timeout 300 "$rucksack" build --fast --no-check -q -o bundle app/one.rb
    [ -x bundle ]
}
