# SPDX-License-Identifier: MIT
# Each test script runs in a box: own mounts, processes and devices, which end with it. In there /tmp
# is empty, $WORK is shared with the test, and the user 1001 may use /dev/fuse.

# shellcheck disable=SC2034 # bats reads it
BATS_TEST_TIMEOUT=30

box_setup='
set -u
mount -t tmpfs -o mode=755 dev /dev
mknod -m 666 /dev/null c 1 3; mknod -m 666 /dev/zero c 1 5; mknod -m 666 /dev/urandom c 1 9
mknod -m 666 /dev/fuse c 10 229; mknod -m 660 /dev/loop-control c 10 237
for i in $(seq 0 9); do mknod -m 660 /dev/loop$i b 7 $i; done
ln -s /proc/self/fd /dev/fd
mount --bind $WORK/passwd /etc/passwd
mkdir -m 1777 /dev/shm
mount -t tmpfs -o mode=1777 tmp /tmp
mount -t tmpfs -o mode=1777 tmp /var/tmp
mount -t tmpfs -o mode=755 run /run
unset XDG_RUNTIME_DIR XDG_CACHE_HOME RUCKSACK_MOUNT TARGET_APPIMAGE APPIMAGE_EXTRACT_AND_RUN
cd $WORK
'
box_functions='
servers() { ps -eo stat=,comm= | grep -v "^Z" | grep -c "rucksack-fs"; }
leftovers() {
    grep -e "^rucksack " -e "/rucksack-[0-9]" /proc/self/mounts
    find /tmp /run /dev/shm /var/tmp -maxdepth 1 -name "rucksack-*" 2>/dev/null |
        while read -r base; do find "$base" -mindepth 1; done
    [ "$(servers)" = 0 ] || echo "servers: $(servers)"
}
is_clean() {
    for try in $(seq 30); do [ -n "$(leftovers)" ] || return 0; sleep 0.1; done
    echo "left over:"; leftovers; return 1
}
wait_for() { for try in $(seq 100); do [ -s "$1" ] && return 0; sleep 0.05; done; return 1; }
'

# box SCRIPT: as root. user_box SCRIPT: as user 1001, with root's box_root_script before.
box() {
    run env -i PATH="$PATH" HOME="$WORK/home-root" WORK="$WORK" LC_ALL=C \
        unshare -mpf --propagation private --mount-proc --kill-child \
        bash -c "$box_setup $box_functions $1"
}

user_box() {
    run env -i PATH="$PATH" HOME="$WORK/home" WORK="$WORK" LC_ALL=C script="$box_functions $1" \
        unshare -mpf --propagation private --mount-proc --kill-child \
        bash -c "$box_setup ${box_root_script:-}
                 setpriv --reuid 1001 --regid 1001 --clear-groups bash -c \"\$script\"; exit \$?"
}

make_app() { # NAME DIR [mksquashfs option...]
    local name=$1 dir=$2
    shift 2
    rm -f "$WORK/$name.img"
    mksquashfs "$dir" "$WORK/$name.img" -noappend -quiet -no-progress -all-root "$@" >/dev/null
    cat "$RUCKSACK_BUILD/stub" "$WORK/$name.img" >"$WORK/$name"
    chmod 755 "$WORK/$name"
}

make_work() {
    WORK=$(mktemp -d /srv/stub-test.XXXXXX)
    export WORK
    chmod 1777 "$WORK"
    (grep -v :1001: /etc/passwd; echo "stub:x:1001:1001::/:/bin/sh") >"$WORK/passwd"
    mkdir -p "$WORK/home-root" "$WORK/home" "$WORK/image/dir/sub"
    chown 1001:1001 "$WORK/home"
    cat >"$WORK/image/AppRun" <<'END'
#!/bin/sh
case $1 in
args) shift; printf '%s\n' "$0" "$@" ;;
env) printf '%s\n' "APPIMAGE=$APPIMAGE" "APPDIR=$APPDIR" "OWD=$OWD" "ARGV0=$ARGV0" "TARGET=$TARGET_APPIMAGE" ;;
hold) echo $$ >"$2"; exec sleep 60 <"$APPDIR/dir/file" ;;
pid) echo $$ ;;
exit) exit "$2" ;;
kill) kill -9 $$ ;;
read) cat "$APPDIR/dir/file" ;;
esac
END
    chmod 755 "$WORK/image/AppRun"
    seq 20000 >"$WORK/image/dir/file"
    echo small >"$WORK/image/dir/sub/small"
    ln -s ../dir/file "$WORK/image/dir/link"
    touch -d 2001-02-03T04:05:06Z "$WORK/image/dir/file" "$WORK/image/dir/sub"
    make_app app "$WORK/image" -comp zstd
}

drop_work() {
    rm -rf "$WORK"
}

# section FILE NAME: offset and size
section() {
    readelf -SW "$1" | sed -n "s/.* $(printf %s "$2" | sed 's/\./\\./') *PROGBITS *[0-9a-f]* //p" |
        while read -r offset size _; do echo $((0x$offset)) $((0x$size)); done
}
