#!/usr/bin/env bats
# SPDX-License-Identifier: MIT
# The image unpacked once: when its tree is used again, when not, and when it goes.

load helper

# cached USER < SCRIPT: no way but the cache; $tree is the unpacked tree of ./a.
cached() {
    { cat <<'END'; cat; } > "$WORK/cached"
export RUCKSACK_MOUNT=extract
status 0 ./a print
tree=${out%%|*}
END
    sandbox "$1" < "$WORK/cached"
}

@test "a second start uses the tree" {
    make_app "$WORK/a"
    cached user <<'END'
[[ $tree == /tmp/home/.cache/rucksack/*/m ]] || fail "$tree"
same 700 "$(stat -c %a "$tree")"
diff -r --no-dereference /mnt/tree "$tree"
before=$(stat -c %i "$tree/AppRun")
status 0 ./a print
same "$before" "$(stat -c %i "$tree/AppRun")"
status 0 strace -f -o /tmp/trace -e trace=pread64,renameat ./a print
! grep -q renameat /tmp/trace || fail "unpacked again"
END
}

@test "a changed tree is unpacked anew, whatever the change" {
    make_app "$WORK/a"
    cached user <<'END'
changes=(
    'printf "#!/bin/sh\necho evil\nexit\n" | dd of=AppRun conv=notrunc status=none; touch -r d AppRun'
    'cp AppRun /tmp/x; sed -i s/print/prink/ /tmp/x; touch -r AppRun /tmp/x; mv -f /tmp/x AppRun'
    'echo more > added'
    'echo more > d/empty/added'
    'rm d/large'
    'rmdir d/empty'
    'chmod 777 d/file'
    'chmod 700 d'
    'ln -sf AppRun d/sym'
    'rm d/hard; cp -p d/file d/hard'
    'mv d e'
)
for change in "${changes[@]}"; do
    (cd "$tree"; eval "$change")
    ! diff -r --no-dereference /mnt/tree "$tree" > /dev/null || [[ $change == ch* || $change == rm\ d/hard* ]] ||
        fail "no change: $change"
    status 0 ./a print
    [[ $out == "$tree|"* ]] || fail "$change: $out"
    diff -r --no-dereference /mnt/tree "$tree" || fail "$change"
    same 644 "$(stat -c %a "$tree/d/file")"
    same 755 "$(stat -c %a "$tree/d")"
    same "$(stat -c %i "$tree/d/file")" "$(stat -c %i "$tree/d/hard")"
    same "lock m manifest" "$(cd "$tree/.."; echo *)"
done
END
}

@test "what others prepared is not run: tree, manifest, symlinks" {
    make_app "$WORK/a"
    cached user <<'END'
size=$(stat -c %s "$tree/AppRun")
dir=${tree%/m}
cp "$dir/manifest" /tmp/manifest
prepare() {
    rm -rf "$dir"
    mkdir -m 700 "$dir" "$dir/m"
    { printf '#!/bin/sh\necho evil\nexit\n'; head -c "$size" /dev/zero | tr '\0' '#'; } |
        head -c "$size" > "$dir/m/AppRun"
    chmod 755 "$dir/m/AppRun"
    touch -r /mnt/tree/AppRun "$dir/m/AppRun"
}
for trap in : 'cp /tmp/manifest "$dir"' 'ln -s /tmp/manifest "$dir/manifest"' \
    'rm -rf "$dir/m"; ln -s /mnt/tree "$dir/m"' 'rm -rf "$dir/m"; ln -s /mnt/tree "$dir/t"' \
    'head -c 4300 /tmp/manifest > "$dir/manifest"' 'mkfifo "$dir/manifest"' \
    'mkdir "$dir/manifest.new"' 'echo > "$dir/o"'; do
    prepare
    eval "$trap"
    status 0 timeout 10 ./a print
    [[ $out == "$tree|"* ]] || fail "$trap: $out"
    diff -r --no-dereference /mnt/tree "$tree" || fail "$trap"
done
diff -r --no-dereference /mnt/tree "$tree"
END
}

@test "a tree for one run is not believed after a reboot, one in the cache is" {
    make_app "$WORK/a"
    sandbox root <<'END'
reboot() { cat /proc/sys/kernel/random/uuid > /dev/boot && mount --bind /dev/boot /proc/sys/kernel/random/boot_id; }
export NO_CLEANUP=1
status 0 ./a --appimage-extract-and-run print
temp=${out%%|*}
export RUCKSACK_MOUNT=extract
status 0 ./a print
tree=${out%%|*}
inodes() { stat -c %i "$temp/AppRun" "$tree/AppRun" | tr '\n' ' '; }
run() { RUCKSACK_MOUNT= status 0 ./a --appimage-extract-and-run print; status 0 ./a print; }
before=$(inodes)
run
same "$before" "$(inodes)"
reboot
run
[ "$(inodes | cut -d' ' -f1)" != "${before%% *}" ] || fail "used after a reboot"
same "$(cut -d' ' -f2 <<< "$before")" "$(inodes | cut -d' ' -f2)"
END
}

# Sandboxes in which unpacking takes a while: slow COMMAND... execs the command.
slow='slow() {
    exec strace -D -f -o /dev/null -e trace=pwrite64 -e inject=pwrite64:delay_enter=200000 "$@"
}'

@test "interrupted while unpacking: nothing is left, or nothing is used" {
    make_app "$WORK/a"
    { echo "$slow"; cat; } <<'END' | sandbox user
export RUCKSACK_MOUNT=extract
dir=/tmp/home/.cache/rucksack
for signal in INT TERM HUP KILL; do
    slow env --default-signal=INT ./a exit 3 &
    await eval "test -e $dir/*/t/AppRun"
    kill -$signal $!
    got=0
    wait $! || got=$?
    same $((128 + $(kill -l $signal))) $got
    [ ! -e "$(echo $dir/*/m)" ] || fail "$signal: complete"
    # After a SIGKILL another process removes it.
    await eval '[ ! -e $dir ]'
    nothing_left
done
status 3 ./a exit 3
nothing_left
same "lock m manifest" "$(cd $dir/*; echo *)"
END
}

@test "kill -9 at any moment of a first start: a whole tree or none, whether kept or not" {
    make_app "$WORK/a"
    for user in root user; do
        sandbox $user <<'END'
cache=/tmp/home/.cache/rucksack
# Whatever somebody keeps is there as a whole.
whole() {
    local dir
    for dir in "$cache"/* /tmp/rucksack-*/*; do
        [ ! -e "$dir" ] || [ "$(cd "$dir" && echo *)" = "lock m manifest" ] || return 1
    done
}
for how in extract kept run; do
    unset RUCKSACK_MOUNT APPIMAGE_EXTRACT_AND_RUN NO_CLEANUP
    case $how in
    extract) export RUCKSACK_MOUNT=extract ;;
    kept) export APPIMAGE_EXTRACT_AND_RUN=1 NO_CLEANUP=1 ;;
    run) export APPIMAGE_EXTRACT_AND_RUN=1 ;;
    esac
    for ((i = 0; i < 60; i++)); do
        ./a sleep 60 > /dev/null 2>&1 &
        sleep 0.00$((i % 20 / 10))$((i % 10))
        kill -KILL $!
        wait $! 2> /dev/null || :
        await eval '[ -z "$(servers)$(guards)" ]'
        whole || fail "$how: $(find "$cache" /tmp/rucksack-* -maxdepth 2)"
        rm -rf "$cache" # a kept one: the next start is a first one again
        [ $how = run ] || rm -rf /tmp/rucksack-*
        nothing_left
    done
done
END
    done
}

@test "kill -9 of the server of an unpacking, and of both: the guard removes the half tree" {
    make_app "$WORK/a"
    { echo "$slow"; cat; } <<'END' | sandbox user
unpacking() { [ -e /tmp/home/.cache/rucksack/*/t/AppRun ] || [ -e /tmp/rucksack-1001/*/t/AppRun ]; }
for how in RUCKSACK_MOUNT=extract APPIMAGE_EXTRACT_AND_RUN=1; do
    for whom in server both; do
        slow env $how ./a sleep 60 > /dev/null 2>&1 &
        await unpacking
        case $whom in
        server) kill -KILL $(servers) && kill -KILL $! ;;
        both) kill -KILL $(servers) $! ;;
        esac
        wait $! 2> /dev/null || :
        await eval '[ ! -e /tmp/home/.cache/rucksack ]'
        nothing_left
    done
done
END
}

@test "kill -9 while another start waits for the tree: that one has it" {
    make_app "$WORK/a"
    { echo "$slow"; cat; } <<'END' | sandbox user
for how in RUCKSACK_MOUNT=extract APPIMAGE_EXTRACT_AND_RUN=1; do
    slow env $how ./a sleep 60 > /dev/null 2>&1 &
    first=$!
    await eval '[ -e /tmp/home/.cache/rucksack/*/t/AppRun ] || [ -e /tmp/rucksack-1001/*/t/AppRun ]'
    env $how ./a exit 4 &
    second=$!
    sleep 0.2
    kill -KILL $first
    wait $first 2> /dev/null || :
    wait $second && fail "no status" || same 4 $?
    nothing_left
done
same "lock m manifest" "$(cd /tmp/home/.cache/rucksack/*; echo *)"
END
}

@test "nohup: SIGHUP stays ignored while unpacking" {
    make_app "$WORK/a"
    { echo "$slow"; cat; } <<'END' | sandbox user
export RUCKSACK_MOUNT=extract
(trap '' HUP; slow ./a exit 3) &
await eval 'test -e /tmp/home/.cache/rucksack/*/t/AppRun'
kill -HUP $!
wait $! && fail "no status" || same 3 $?
END
}

@test "a user's first two starts find the same cache" {
    make_app "$WORK/a"
    sandbox user <<'END'
export RUCKSACK_MOUNT=extract
# The other one has made the directory between our looking for it and our making it.
mkdir -p /tmp/home/.cache
status 0 strace -o /tmp/trace -P /tmp/home/.cache -e trace=open,openat,mkdir \
    -e inject=open,openat:error=ENOENT:when=1 ./a print
grep -q 'mkdir.*EEXIST' /tmp/trace || fail "$(cat /tmp/trace)"
[[ $out == /tmp/home/.cache/rucksack/*/m* ]] || fail "$out"
END
}

@test "many starts at once unpack once" {
    make_app "$WORK/a"
    sandbox user <<'END'
export RUCKSACK_MOUNT=extract
for round in 1 2; do
    pids=
    for i in $(seq 10); do ./a print > /tmp/out.$i & pids="$pids $!"; done
    for pid in $pids; do wait $pid || fail "status $?"; done
    same 1 "$(cut -d'|' -f1 /tmp/out.* | sort -u | wc -l)"
done
same 1 "$(ls -d /tmp/home/.cache/rucksack/* | wc -l)"
END
}

@test "an older version goes when nobody uses it, a background child counts" {
    make_app "$WORK/a"
    echo new > "$WORK/tree/version"
    make_app "$WORK/b"
    echo newer > "$WORK/tree/version"
    make_app "$WORK/c"
    cp "$WORK/a" "$WORK/other"
    sandbox user <<'END'
export RUCKSACK_MOUNT=extract
cache=/tmp/home/.cache/rucksack
cd /tmp/home
cp /mnt/a app
status 0 ./app print
first=${out%%|*}
status 0 /mnt/other print
other=${out%%|*}
RUCKSACK_STATE=/tmp/home/state status 0 ./app print
state=${out%%|*}
same 3 "$(ls $cache | wc -l)"
# The same path and another image: the shell has ended, what it started has not.
./app daemon 3
cp /mnt/b new && mv -f new app
status 0 ./app print
second=${out%%|*}
[ -x "$first/AppRun" ] || fail "removed while a child runs from it"
[ ! -e "$state" ] || fail "unused, but kept"
[ -x "$other/AppRun" ] || fail "another app's"
# A registered user without open files.
./app sleep 60 > /tmp/pid &
await test -s /tmp/pid
await eval '! pgrep -x busybox -P 1'
cp /mnt/c new && mv -f new app
status 0 ./app print
third=${out%%|*}
[ ! -e "$first" ] || fail "the first is unused, but kept"
[ -x "$second/AppRun" ] || fail "removed below its user"
kill $!
wait $! || :
rm -rf "$third"
status 0 ./app print
[ ! -e "$second" ] || fail "the second is unused, but kept"
same 2 "$(ls $cache | wc -l)"
END
}

@test "files of equal size, times and superblock share no tree" {
    make_tree "$WORK/tree"
    echo one > "$WORK/tree/version"
    options='-noI -noD -noF -noX -mkfs-time 0 -all-time 0'
    # shellcheck disable=SC2086
    make_app "$WORK/a" $options
    echo two > "$WORK/tree/version"
    # shellcheck disable=SC2086
    make_app "$WORK/b" $options
    touch -r "$WORK/a" "$WORK/b"
    [ "$(stat -c %s "$WORK/a")" = "$(stat -c %s "$WORK/b")" ]
    cmp <(tail -c +$(($(stat -c %s "$STUB") + 1)) "$WORK/a" | head -c 96) \
        <(tail -c +$(($(stat -c %s "$STUB") + 1)) "$WORK/b" | head -c 96)
    sandbox user <<'END'
export RUCKSACK_MOUNT=extract
cd /tmp/home
cp -p /mnt/a app
status 0 ./app print
same one "$(cat "${out%%|*}/version")"
cp -p /mnt/b new && mv new app
status 0 ./app print
same two "$(cat "${out%%|*}/version")"
cat /mnt/a > app && touch -r /mnt/a app
status 0 ./app print
same one "$(cat "${out%%|*}/version")"
END
}

@test "extract-and-run: a background child keeps the tree until it ends" {
    make_app "$WORK/a"
    sandbox user <<'END'
./a --appimage-extract-and-run daemon 1
sleep 0.4
[ -n "$(find /tmp/rucksack-1001 -name busybox)" ] || fail "gone too early"
pgrep -x busybox > /dev/null || pgrep -f 'sleep 1' > /dev/null || fail "the child died"
nothing_left 5
END
}

@test "directories that nobody may read, in a tree to run from" {
    make_tree "$WORK/tree"
    mkdir -m 311 "$WORK/tree/closed"
    mkdir -m 0 "$WORK/tree/closed/more"
    echo text > "$WORK/tree/closed/file"
    make_app "$WORK/a"
    sandbox user <<'END'
status 3 ./a --appimage-extract-and-run exit 3
nothing_left
END
}
