# SPDX-License-Identifier: MIT
# Every way to mount: what the app sees, and what is left when it ends.

bats_require_minimum_version 1.5.0
load helper

setup_file() {
    make_work
    mkdir "$WORK/busybox"
    cp /bin/busybox "$WORK/busybox/AppRun"
    make_app shell "$WORK/busybox" -comp gzip
    mkdir "$WORK/many"
    cp "$WORK/image/AppRun" "$WORK/many"
    (cd "$WORK/many" && for i in $(seq 2500); do echo "$i" >"a-file-of-many-$i"; done)
    seq 400000 >"$WORK/many/long"
    truncate -s 5M "$WORK/many/sparse"
    make_app many.app "$WORK/many" -comp zstd
}

teardown_file() {
    drop_work
}

root_ways="kernel fuse fusermount userns"
user_ways="fusermount userns"

# The kernel's way leaves an empty key directory: nobody is there to remove it.
kernel_is_clean='
kernel_clean() { [ -z "$(grep "/rucksack-[0-9]" /proc/self/mounts)" ] && [ "$(find /tmp/rucksack-0 -mindepth 2)" = "" ] &&
    [ -z "$(losetup -a | grep "$WORK")" ]; }
clean() { if [ "$1" = kernel ]; then kernel_clean; else is_clean; fi; }
'

check_way='
export RUCKSACK_MOUNT=$way
[ "$(./app read | md5sum)" = "$(md5sum <image/dir/file)" ] || exit 10
./app exit 42; [ $? = 42 ] || exit 11
(./app kill) 2>/dev/null; [ $? = 137 ] || exit 12
mapfile -t got < <(./app env)
[ "${got[0]}" = "APPIMAGE=$WORK/app" ] || exit 13
case ${got[1]} in APPDIR=/tmp/rucksack-*/m) ;; *) exit 14 ;; esac
[ "${got[2]}" = "OWD=$WORK" ] && [ "${got[3]}" = "ARGV0=./app" ] || exit 15
pid=$(sh -c "echo \$\$; exec ./app pid" | uniq | wc -l); [ "$pid" = 1 ] || exit 16
[ "$(exec -a sh ./shell -c "echo \$0 \$1" name word)" = "name word" ] || exit 17
'

@test "each way as root" {
    for way in $root_ways; do
        box "$kernel_is_clean way=$way; $check_way clean $way || exit 20"
        echo "$way: $status $output"
        [ "$status" -eq 0 ]
    done
}

@test "each way as a user" {
    for way in $user_ways; do
        user_box "way=$way; $check_way is_clean || exit 20"
        echo "$way: $status $output"
        [ "$status" -eq 0 ]
    done
}

@test "without a choice: kernel for root, fusermount for a user, userns without it" {
    box './app env; leftovers'
    [ "$status" -eq 0 ]
    [ -z "$(echo "$output" | grep lock)" ]
    user_box './app hold held & wait_for held; grep -c "fuse.rucksack" /proc/self/mounts; kill %1'
    [ "$output" = 1 ]
    rm -f "$WORK/held"
    user_box 'FUSERMOUNT_PROG=/bin/false ./app exit 7'
    [ "$status" -eq 7 ]
}

@test "a tree is the same through the mount" {
    for way in kernel fuse; do
        box "RUCKSACK_MOUNT=$way ./many.app --appimage-mount >at & wait_for at
             diff -r many \$(cat at) || exit 3
             [ \$(ls \$(cat at) | wc -l) = 2503 ] || exit 4
             kill -TERM %1; wait %1 || exit 5; [ ! -e \$(cat at) ] || exit 6; rm at
             [ -z \"\$(leftovers)\" ] || { leftovers; exit 7; }"
        echo "$way: $status $output"
        [ "$status" -eq 0 ]
    done
}

@test "two starts share one mount, and the last one ends it" {
    user_box 'export RUCKSACK_MOUNT=fusermount
        ./app hold held1 & wait_for held1; ./app hold held2 & wait_for held2
        [ $(grep -c fuse.rucksack /proc/self/mounts) = 1 ] || exit 3
        [ $(servers) = 1 ] || exit 4
        kill -9 $(cat held1); sleep 0.3
        [ $(grep -c fuse.rucksack /proc/self/mounts) = 1 ] || exit 5
        [ "$(./app read | tail -n 1)" = 20000 ] || exit 6
        kill -9 $(cat held2); rm held1 held2; is_clean'
    echo "$status $output"
    [ "$status" -eq 0 ]
}

@test "many starts at once all work" {
    user_box 'for i in $(seq 24); do RUCKSACK_MOUNT=fusermount ./app exit 9 & pids="${pids:-} $!"; done
        for pid in $pids; do wait $pid; [ $? = 9 ] || exit 3; done; is_clean'
    echo "$status $output"
    [ "$status" -eq 0 ]
}

@test "kill -9 of the app leaves nothing" {
    for way in $user_ways; do
        user_box "RUCKSACK_MOUNT=$way ./app hold held & wait_for held; kill -9 \$(cat held); rm held; is_clean"
        echo "$way: $status $output"
        [ "$status" -eq 0 ]
    done
}

@test "kill -9 of the server: the next start mounts anew, and then nothing is left" {
    user_box 'export RUCKSACK_MOUNT=fusermount
        ./app hold held & wait_for held; kill -9 $(pgrep rucksack-fs); kill -9 $(cat held); rm held
        ./app exit 9; [ $? = 9 ] || exit 3; is_clean'
    echo "$status $output"
    [ "$status" -eq 0 ]
    box 'export RUCKSACK_MOUNT=fuse
        ./app hold held & wait_for held; kill -9 $(pgrep rucksack-fs); kill -9 $(cat held); rm held
        ./app exit 9; [ $? = 9 ] || exit 3; is_clean'
    echo "$status $output"
    [ "$status" -eq 0 ]
}

@test "a caller's pipe ends with the app, and the server holds nothing of it" {
    user_box 'export RUCKSACK_MOUNT=fusermount; exec 7>inherited
        ./app hold held & wait_for held; ls -l /proc/$(pgrep rucksack-fs)/fd | grep -c inherited
        kill -9 $(cat held); rm held inherited'
    [ "$output" = 0 ]
    user_box 'start=$(date +%s%N); x=$(./app pid); [ $(($(date +%s%N) - start)) -lt 900000000 ]'
    [ "$status" -eq 0 ]
}

@test "--appimage-mount: visible, joined, unmounted by a signal" {
    user_box './app --appimage-mount >at & wait_for at
        cmp $(cat at)/dir/file image/dir/file || exit 3
        ./app exit 5; [ $? = 5 ] || exit 4; sleep 0.2; [ -e $(cat at)/AppRun ] || exit 6
        kill -INT %1 2>/dev/null; kill -TERM %1; wait %1; [ $? = 0 ] || exit 7; rm at; is_clean'
    echo "$status $output"
    [ "$status" -eq 0 ]
}

@test "extract: once, then reused; noexec and foreign places are passed over" {
    user_box 'export RUCKSACK_MOUNT=extract
        ./app env | grep -q "^APPDIR=$WORK/home/.cache/rucksack/.*/m$" || exit 3
        touch $(echo $WORK/home/.cache/rucksack/*/m)/mark || exit 4
        ./app exit 8; [ $? = 8 ] || exit 5
        ls $WORK/home/.cache/rucksack/*/m/mark >/dev/null || exit 6
        [ $(ls -A $WORK/home/.cache/rucksack | wc -l) = 1 ] || exit 7
        chmod 755 $WORK/home/.cache/rucksack
        ./app env | grep -q "^APPDIR=/tmp/rucksack-1001/.*/m$" || exit 8'
    echo "$status $output"
    [ "$status" -eq 0 ]
    box_root_script='mount -t tmpfs -o noexec,mode=1777 tmp /tmp; export HOME=/nowhere'
    user_box './app --appimage-extract-and-run args x; unset HOME
        APPIMAGE_EXTRACT_AND_RUN=1 ./app env | grep "^APPDIR=/var/tmp/rucksack-1001/"'
    echo "$status $output"
    [ "${lines[1]}" = x ]
    [[ "${lines[2]}" == APPDIR=/var/tmp/* ]]
}

@test "a directory that others prepared is not used" {
    box_root_script='mkdir -m 777 /tmp/rucksack-1001'
    user_box 'RUCKSACK_MOUNT=userns ./app env | grep APPDIR'
    [[ "$output" == APPDIR=/dev/shm/rucksack-1001/* ]]
    box_root_script='ln -s /etc /tmp/rucksack-1001; mkfifo /dev/shm/rucksack-1001'
    user_box 'RUCKSACK_MOUNT=userns ./app env | grep APPDIR'
    [[ "$output" == APPDIR=/var/tmp/rucksack-1001/* ]]
}

@test "no way at all: one message with each reason, 125" {
    box_root_script='rm /dev/fuse; for dir in /tmp /var/tmp; do mount -o remount,noexec $dir; done'
    user_box 'HOME=/nowhere FUSERMOUNT_PROG=/nowhere/fusermount ./app'
    box_root_script=
    echo "$output"
    [ "$status" -eq 125 ]
    for reason in "kernel: " "fuse: " "fusermount: /nowhere/fusermount is not installed" \
        "userns: /dev/fuse: No such file" "extract: " "noexec" "hint: install fuse3"; do
        [[ "$output" == *"$reason"* ]]
    done
}

@test "TARGET_APPIMAGE: that file's image, by a stub that has none" {
    cp "$RUCKSACK_BUILD/stub" "$WORK/stub"
    user_box 'TARGET_APPIMAGE=$WORK/app ./stub env'
    [ "${lines[0]}" = "APPIMAGE=$WORK/app" ]
    [ "${lines[4]}" = "TARGET=" ]
    user_box 'TARGET_APPIMAGE=/nowhere ./app exit 4'
    [ "$status" -eq 4 ]
}

@test "odd starts: closed streams, few descriptors, lost directory, blanks in the path" {
    user_box 'export RUCKSACK_MOUNT=fusermount
        ./app exit 3 <&- >&- 2>&-; [ $? = 3 ] || exit 10
        (ulimit -n 16; ./app exit 3); [ $? = 3 ] || exit 11
        mkdir /tmp/lost; (cd /tmp/lost; rmdir /tmp/lost; $WORK/app exit 3); [ $? = 3 ] || exit 12
        mkdir "/tmp/a b"; cp app "/tmp/a b/ü
x"; "/tmp/a b/ü
x" exit 3; [ $? = 3 ] || exit 13
        ln -s $WORK/app /tmp/link; [ "$(/tmp/link env | head -n 1)" = "APPIMAGE=$WORK/app" ] || exit 14'
    echo "$status $output"
    [ "$status" -eq 0 ]
}
