#!/bin/bash
# SPDX-License-Identifier: MIT
# sandbox.sh WORK USER: runs WORK/script; see helper.bash. In mount and process namespaces of its own.
set -eu
work=$1 user=$2

mount --make-rprivate /
# Mounts of apps that run outside are copied into this namespace; here they only confuse.
awk '$3 == "fuse.rucksack" { print $2 }' /proc/mounts | while read -r dir; do
    umount -l "$dir" 2> /dev/null || : # it may have ended meanwhile
done
mount --bind "$work" /mnt
for dir in /tmp /run /var/tmp; do
    mount -t tmpfs -o mode=1777 tmpfs "$dir"
done
mount -t tmpfs -o mode=755 tmpfs /dev
mkdir -m 1777 /dev/shm
mknod -m 666 /dev/null c 1 3
mknod -m 666 /dev/zero c 1 5
mknod -m 666 /dev/urandom c 1 9
[[ $HIDE == *fuse* ]] || mknod -m 666 /dev/fuse c 10 229
if [[ $HIDE != *loop* ]]; then
    mknod /dev/loop-control c 10 237
    for ((i = 0; i < 64; i++)); do
        mknod "/dev/loop$i" b 7 "$i"
    done
fi
[[ $HIDE != *helper* ]] || mount --bind /dev/null "$(readlink -f "$(command -v fusermount3)")"
# The mount helper wants a mount table, and to know its caller by name. A system without the first
# gets a copy of /etc with it.
if [ ! -e /etc/mtab ] || [[ $HIDE == *mtab* ]]; then
    cp -a /etc /dev/etc
    mount --bind /dev/etc /etc
    ln -sf /proc/self/mounts /etc/mtab
fi
[[ $HIDE != *mtab* ]] || rm /etc/mtab
cp /etc/passwd /dev/passwd
[[ $HIDE == *name* ]] || echo "tester:x:1001:1001::/tmp/home:/bin/sh" >> /dev/passwd
mount --bind /dev/passwd /etc/passwd
mkdir -m 755 /tmp/home
chown 1001:1001 /tmp/home

cat /mnt/script > /dev/script
cat > /dev/functions <<'FUNCTIONS'
set -eu
cd /mnt

# Fails with a message.
fail() { echo "FAIL: $*"; exit 1; }

# same WANT GOT
same() { [ "$1" = "$2" ] || fail "want '$1', got '$2'"; }

# status WANT COMMAND...: output goes to $out, errors to $err
status() {
    local want=$1 got=0
    shift
    "$@" > /tmp/out.$$ 2> /tmp/err.$$ || got=$?
    out=$(cat /tmp/out.$$) err=$(cat /tmp/err.$$)
    rm -f /tmp/out.$$ /tmp/err.$$
    [ "$got" = "$want" ] || fail "$*: want status $want, got $got: $out $err"
}

servers() {
    local stat
    for stat in /proc/[0-9]*/stat; do
        { grep -q '(rucksack-fs) [^Z]' "$stat" && basename "${stat%/stat}"; } 2> /dev/null || :
    done
}

mounts() { grep -E ' fuse\.rucksack |/m squashfs |^rucksack ' /proc/mounts || :; }

leftovers() { servers; mounts; find /tmp/rucksack-* -mindepth 1 2> /dev/null || :; }

# Waits up to SECONDS (3) until nothing is left of any start.
nothing_left() {
    local i
    for ((i = 0; i < ${1:-3} * 20; i++)); do
        [ -n "$(leftovers)" ] || return 0
        sleep 0.05
    done
    fail "left behind: $(leftovers)"
}

# Waits until the command succeeds.
await() {
    local i
    for ((i = 0; i < 100; i++)); do
        ! "$@" > /dev/null 2>&1 || return 0
        sleep 0.05
    done
    fail "in vain: $*"
}
FUNCTIONS
cat /dev/functions /dev/script > /dev/both

export HOME=/tmp/home
unset XDG_RUNTIME_DIR XDG_CACHE_HOME TMPDIR RUCKSACK_MOUNT APPIMAGE_EXTRACT_AND_RUN TARGET_APPIMAGE
run=(bash /dev/both)
[ "$user" = root ] || run=(setpriv --reuid=1001 --regid=1001 --clear-groups "${run[@]}")
if [[ $HIDE == *userns* ]]; then
    # The kernel forbids new user namespaces in a chroot.
    mkdir /tmp/root
    mount --rbind / /tmp/root
    run=(chroot /tmp/root "${run[@]}")
fi
# As process 1 this shell must stay, to reap what is orphaned.
"${run[@]}"
