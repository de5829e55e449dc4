# SPDX-License-Identifier: MIT
# What the tests for aarch64 share: programs of it start by qemu-user, in a Debian of theirs.

binfmt=/proc/sys/fs/binfmt_misc

# Has the kernel start programs of aarch64 by qemu. Debian's own entry passes over AppImages: it wants
# zeros where they say "AI". "F": qemu is opened now, so that it is there in every root; "O": it is given
# the program open, for a start by descriptor; "P": it is told the argv[0].
register_qemu() {
    local magic mask
    [ "$(uname -m)" != aarch64 ] || return 0
    if [ ! -e $binfmt/register ]; then
        mount -t binfmt_misc binfmt_misc $binfmt
        export binfmt_is_ours=yes
    fi
    [ ! -e $binfmt/rucksack-aarch64 ] || return 0
    magic='\x7fELF\x02\x01\x01\x00\x00\x00\x00\x00\x00\x00\x00\x00\x02\x00\xb7\x00'
    mask='\xff\xff\xff\xff\xff\xff\xff\x00\x00\x00\x00\xff\xff\xff\xff\xff\xfe\xff\xff\xff'
    echo ":rucksack-aarch64:M::$magic:$mask:/usr/libexec/qemu-binfmt/aarch64-binfmt-P:OPF" \
        >$binfmt/register
}

forget_qemu() {
    [ ! -e $binfmt/rucksack-aarch64 ] || echo -1 >$binfmt/rucksack-aarch64
    [ -z "${binfmt_is_ours:-}" ] || umount $binfmt
}

# A Debian of that architecture with what the guestbook needs: made once, then copied.
make_arm_root() {
    local to=$1 work=$cache/bookworm-arm64
    (
        mkdir -p "$cache"
        flock 9
        [ ! -f "$work.tar" ] || exit 0
        rm -rf "$work"
        in_memory "$work"
        trap 'umount "$work"; rmdir "$work"' EXIT
        {
            # shellcheck disable=SC2046 # no mirror, no argument
            debootstrap --variant=minbase --no-check-gpg --arch=arm64 --foreign \
                --include=ruby,ruby-dev,bundler,gcc,make,libc6-dev,libsqlite3-dev,patchelf,busybox-static \
                bookworm "$work" $(mirror) &&
                in_root "$work" /debootstrap/debootstrap --second-stage &&
                rm -rf "$work/var/cache/apt/archives" "$work/var/lib/apt/lists"
        } >"$work.log" 2>&1 </dev/null || {
            tail -5 "$work.log" >&2
            exit 1
        }
        tar -C "$work" --exclude ./proc/\* --exclude ./dev/\* -cf "$work.tar.new" .
        mv "$work.tar.new" "$work.tar"
    ) 9>"$work.lock" || return 1
    in_memory "$to"
    tar -C "$to" -xf "$work.tar"
}
