# SPDX-License-Identifier: MIT
# Shared by the stub's tests. They need root: every start happens in a sandbox (sandbox.sh) with
# mounts, processes, devices and temporary directories of its own, so that nothing survives a test,
# passed or failed.
# shellcheck shell=bash

setup() {
    STUB=$RUCKSACK_BUILD/stub
    HERE=$BATS_TEST_DIRNAME
    WORK=$(mktemp -d)
    chmod 755 "$WORK"
    # The server has no stderr: what sanitizers find goes into files.
    if [ -n "${SANITIZE-}" ]; then
        mkdir -m 1777 "$WORK/sanitizer"
        export ASAN_OPTIONS=log_path=$WORK/sanitizer/log
    fi
    [ "$(id -u)" = 0 ] || skip "needs root"
}

teardown() {
    local found
    found=$(cat "$WORK"/sanitizer/* 2> /dev/null || :)
    rm -rf "$WORK"
    [ -z "$found" ] || {
        echo "$found"
        return 1
    }
}

# make_tree DIR: an app that does what its first argument says.
make_tree() {
    mkdir -p "$1/d/empty"
    cat > "$1/AppRun" <<'APP'
#!/bin/sh
case $1 in
print) echo "$APPDIR|$OWD|$APPIMAGE|$ARGV0|$#|$2" ;;
env) env ;;
exit) exit "$2" ;;
signal) kill "-$2" $$ ;;
sleep) echo $$; exec "$APPDIR/busybox" sleep "$2" ;;
daemon) "$APPDIR/busybox" sleep "$2" < /dev/null > /dev/null 2>&1 & ;;
fds) ls /proc/$$/fd | tr '\n' ' ' ;;
sum) cd "$APPDIR" && find . -type f | sort | xargs cksum ;;
esac
APP
    chmod 755 "$1/AppRun"
    cp "$(command -v busybox)" "$1/busybox"
    echo "a file" > "$1/d/file"
    ln "$1/d/file" "$1/d/hard"
    ln -s file "$1/d/sym"
    head -c 1000000 "$1/busybox" > "$1/d/large"
    truncate -s 3M "$1/d/sparse"
    touch -d '2001-02-03 04:05:06Z' "$1/d/file" "$1/d"
}

# make_app FILE [MKSQUASHFS-OPTION...]: stub and image of $WORK/tree, made when missing.
make_app() {
    local file=$1
    shift
    [ -d "$WORK/tree" ] || make_tree "$WORK/tree"
    mksquashfs "$WORK/tree" "$WORK/image" -noappend -quiet -no-progress "$@" > /dev/null
    cat "$STUB" "$WORK/image" > "$file"
    chmod 755 "$file"
}

# sandbox USER < SCRIPT: runs the script in $WORK (seen as /mnt) as root or as an ordinary user.
# HIDE names what the sandbox lacks: fuse loop userns helper mtab name.
sandbox() {
    cat > "$WORK/script"
    HIDE=${HIDE-} ASAN_OPTIONS=${SANITIZE:+log_path=/mnt/sanitizer/log} timeout -k 5 120 unshare --mount --pid --fork --kill-child --mount-proc \
        bash "$HERE/sandbox.sh" "$WORK" "$1"
}
