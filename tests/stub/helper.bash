# SPDX-License-Identifier: MIT
# The stub's own tests: as tests/runtime, but the app is a script.
# shellcheck shell=bash

. "$BATS_TEST_DIRNAME/../runtime/helper.bash"
HERE=$RUNTIME_TESTS/../stub

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
