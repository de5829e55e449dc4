#!/usr/bin/env bats
# SPDX-License-Identifier: MIT
# Starts of a bundle of which one system call of the stub fails, or one allocation: the app runs as
# ever, or there is one error; and nothing is left. POINTS of each way, evenly (POINTS=0: all);
# without it one, and not of what makes thousands of calls.

bats_require_minimum_version 1.5.0
load ../runtime/helper

setup_file() {
    cd "$BATS_FILE_TMPDIR" || return
    echo 'puts "said #{ARGV.join}"' >say.rb
    "$RUCKSACK_BUILD/rucksack" build --fast --no-check --quiet -o say say.rb
}

# faults < SCRIPT: in a sandbox, with what follows; points and failures in $WORK/table.
faults() {
    cp "$RUCKSACK_BUILD/faults/inject" "$WORK"
    cp "$BATS_FILE_TMPDIR/say" "$WORK"
    cat - >"$WORK/body"
    cat - "$WORK/body" <<'FUNCTIONS' | TIMEOUT=${TIMEOUT:-3000} sandbox root
points=$(< points)
user=(setpriv --reuid=1001 --regid=1001 --clear-groups)
removes='^[0-9]+ (unlink|unlinkat|rmdir|umount2) '

# chosen FILE: the lines of it that are tried
chosen() {
    awk -v want="$points" '{ line[NR] = $0 } END {
        step = want == 0 || NR <= want ? 1 : NR / want
        for (i = 1; i <= NR; i += step) print line[int(i)] }' "$1"
}

# judge NAME HIT: code, output and errors of a run, and what it left
judge() {
    case $code in
    0) [ "$(< /dev/t/out)" = "$(< /dev/t/want)" ] || fail "$1: $2: code 0, and says '$(head -c 300 /dev/t/out)'" ;;
    125)
        err=$(< /dev/t/err)
        [[ $err == "rucksack: "* ]] || fail "$1: $2: code 125, and '$err'"
        one_error
        ;;
    # The app's own, of files that cannot be read; or of an option.
    1 | 2 | 126 | 127) [ -s /dev/t/err ] || fail "$1: $2: code $code, and no word" ;;
    *) fail "$1: $2: code $code: $(head -c 500 /dev/t/err)" ;;
    esac
    ! grep '^left' /dev/t/report || fail "$1: $2"
    after
    if ! [[ $2 =~ $removes ]]; then
        /mnt/left /dev/t/before 5 > /dev/t/left || fail "$1: $2: left behind: $(< /dev/t/left)"
    else
        umount -l $(awk '$3 ~ /fuse.rucksack|squashfs/ { print $2 }' /proc/mounts) 2> /dev/null || :
        rm -rf /tmp/rucksack-* /var/tmp/rucksack-* /dev/shm/rucksack-* 2> /dev/null || :
        remember
    fi
}

# calls NAME COMMAND...: each place of a system call of ./say; fresh is run before
calls() {
    local name=$1 tried=0 number hit total
    shift
    fresh
    "$@" > /dev/t/want 2> /dev/t/err || fail "$name: $(< /dev/t/err)"
    fresh
    ./inject -p ./say -o /dev/t/report "$@" > /dev/t/out 2> /dev/t/err || fail "$name: $(< /dev/t/err)"
    same "$(< /dev/t/want)" "$(< /dev/t/out)"
    # A read of requests fails only where there is no mount any more.
    grep -E '^[0-9]' /dev/t/report | grep -v ' read /dev/fuse' > /dev/t/list
    total=$(wc -l < /dev/t/list)
    while read -r number _; do
        fresh
        code=0
        ./inject -t 60 -n "$number" -p ./say -o /dev/t/report "$@" > /dev/t/out 2> /dev/t/err || code=$?
        hit=$(grep -E '^[0-9]' /dev/t/report | grep -v ' read EIO /dev/fuse') || continue
        tried=$((tried + 1))
        judge "$name" "$hit"
    done < <(chosen /dev/t/list)
    echo "# $name: $total calls, $tried tried, 0 wrong" >> /mnt/table
}

# memory NAME COMMAND...: each allocation of ./f
memory() {
    local name=$1 tried=0 number total
    shift
    fresh
    "$@" > /dev/t/want 2> /dev/t/err || fail "$name: $(< /dev/t/err)"
    fresh
    rm -f /dev/t/list
    RUCKSACK_FAULT=0:/dev/t/list "$@" > /dev/t/out 2> /dev/t/err || fail "$name: $(< /dev/t/err)"
    same "$(< /dev/t/want)" "$(< /dev/t/out)"
    total=$(wc -l < /dev/t/list)
    : > /dev/t/report
    while read -r number _; do
        fresh
        code=0
        rm -f /dev/t/hit
        RUCKSACK_FAULT=$number:/dev/t/hit timeout 60 "$@" > /dev/t/out 2> /dev/t/err || code=$?
        [ -e /dev/t/hit ] || continue
        tried=$((tried + 1))
        judge "$name" "allocation $(< /dev/t/hit)"
    done < <(chosen /dev/t/list)
    echo "# $name: $total allocations, $tried tried, 0 wrong" >> /mnt/table
}

fresh() { :; }
after() { :; }
# What finds no place in ~/.cache is kept in another one.
elsewhere() { rm -rf /tmp/rucksack-* /var/tmp/rucksack-*; }
cold() { rm -rf /tmp/home/.cache /tmp/rucksack-* /var/tmp/rucksack-*; }
chmod 1777 /dev/t
chown 1001:1001 /tmp/home
FUNCTIONS
}

setup() {
    WORK=$(mktemp -d)
    chmod 755 "$WORK"
    echo "${POINTS:-1}" >"$WORK/points"
}

teardown() {
    [ ! -e "$WORK/table" ] || cat "$WORK/table" >&3
    rm -rf "$WORK"
}

@test "a call fails: root, by kernel and FUSE" {
    faults <<'END'
for way in kernel fuse; do
    export RUCKSACK_MOUNT=$way
    calls "start, $way" ./say word
done
END
}

@test "a call fails: a user, by the helper, by a namespace, from the cache" {
    faults <<'END'
for way in fusermount userns; do
    export RUCKSACK_MOUNT=$way
    calls "start, $way" "${user[@]}" ./say word
done
export RUCKSACK_MOUNT=extract
after() { elsewhere; }
calls "start, cached" "${user[@]}" ./say word
[ "$points" -ne 1 ] || exit 0
fresh() { cold; }
calls "start, into the cache" "${user[@]}" ./say word
export APPIMAGE_EXTRACT_AND_RUN=1
calls "start, unpacked" "${user[@]}" ./say word
END
}

@test "a call fails: options" {
    faults <<'END'
fresh() { rm -rf squashfs-root; }
[ "$points" -eq 1 ] || calls "extract" ./say --appimage-extract 'usr/lib/*'
calls "list" ./say --appimage-list
calls "offset" ./say --appimage-offset
calls "update information" ./say --appimage-updateinfo
END
}

@test "an allocation fails" {
    STUB=$RUCKSACK_BUILD/faults/stub
    make_app "$WORK/f"
    faults <<'END'
for way in kernel fuse; do
    export RUCKSACK_MOUNT=$way
    memory "start, $way" ./f args word
done
for way in fusermount userns; do
    export RUCKSACK_MOUNT=$way
    memory "start, $way" "${user[@]}" ./f args word
done
export RUCKSACK_MOUNT=extract
after() { elsewhere; }
memory "start, cached" "${user[@]}" ./f args word
fresh() { cold; }
memory "start, into the cache" "${user[@]}" ./f args word
export APPIMAGE_EXTRACT_AND_RUN=1
memory "start, unpacked" "${user[@]}" ./f args word
fresh() { rm -rf squashfs-root; }
memory "extract" ./f --appimage-extract
memory "list" ./f --appimage-list
END
}
