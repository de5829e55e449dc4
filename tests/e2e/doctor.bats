#!/usr/bin/env bats
# SPDX-License-Identifier: MIT
# doctor in machines that lack something: it must say what works, what does not, and why.

load lib
load ../stub/helper

teardown() {
    drop_roots
    rm -rf "$WORK"
}

# examine USER < SCRIPT: like sandbox, with these functions.
examine() {
    cat - > "$WORK/body"
    [ -e "$WORK/rucksack" ] || cp "$rucksack" "$WORK/rucksack"
    cat - "$WORK/body" <<'FUNCTIONS' | TIMEOUT=120 sandbox "$1"
# doctor WANT [ARGUMENT...]: the status is WANT, nothing is left; the report is in $out
doctor() {
    mkdir -p /tmp/tmp
    chmod 1777 /tmp/tmp 2> /dev/null || :
    TMPDIR=/tmp/tmp status "$1" ./rucksack doctor "${@:2}"
    clean
}

clean() {
    [ -z "$(ls -A /tmp/tmp)" ] || fail "left: $(ls -A /tmp/tmp)"
    same "" "$(find /tmp/rucksack-* /run/rucksack-* /var/tmp/rucksack-* /dev/shm/rucksack-* \
        /tmp/home/.cache -mindepth 1 2> /dev/null)"
    same "" "$(servers)$(mounts)"
}

# says NAME STATE [WORD...]: the line of that name has state and words
says() {
    local line word
    line=$(grep -E "^  $1 +$2 " <<< "$out") || fail "$1 is not $2: $out"
    for word in "${@:3}"; do
        [[ $line == *"$word"* ]] || fail "no '$word': $line"
    done
}

hints() {
    [[ $out == *"hint: "*"$1"* ]] || fail "no hint '$1': $out"
}
FUNCTIONS
}

@test "root: every way works, the kernel's is taken, nothing is left" {
    examine root <<'END'
doctor 0
for way in kernel fuse fusermount userns extract; do
    says $way works ' ms'
done
says taken ok kernel
says user ok 'root with CAP_SYS_ADMIN'
says /tmp ok 'mounts, caches'
[[ $out != *hint* ]] || fail "$out"
same "" "$err"
[ ! -e /tmp/rucksack-0 ] && [ ! -e /tmp/home/.cache ] || fail "directories"
END
}

@test "a user: the helper is taken" {
    examine user <<'END'
doctor 0
says kernel - 'for root only'
says fuse - 'for root only'
says fusermount works ' ms'
says userns works ' ms'
says extract works 'the first time'
says taken ok fusermount
[ ! -e /tmp/rucksack-1001 ] && [ ! -e /tmp/home/.cache ] || fail "directories"
END
}

@test "no helper: says what to install; a user namespace is taken" {
    HIDE=helper examine user <<'END'
doctor 0
says fusermount no
hints 'apt install fuse3'
says taken ok userns
END
    HIDE=mtab examine user <<'END'
doctor 0
says fusermount no 'no /etc/mtab'
says fusermount no 'could not unmount again'
hints 'ln -s ../proc/self/mounts /etc/mtab'
says taken ok userns
END
}

@test "no /dev/fuse: root has the kernel, a user the cache" {
    HIDE=fuse examine root <<'END'
doctor 0
says fuse no '/dev/fuse: No such file or directory'
hints 'modprobe fuse; in a container: --device /dev/fuse'
says taken ok kernel
END
    HIDE=fuse examine user <<'END'
doctor 0
says userns no '/dev/fuse'
says taken ok extract
END
}

@test "no loop devices: root has FUSE" {
    HIDE=loop examine root <<'END'
doctor 0
says loop no '/dev/loop-control'
says kernel no '/dev/loop-control: No such file or directory'
hints 'modprobe loop'
says taken ok fuse
END
}

@test "a root of a user namespace, which forbids further ones" {
    examine user <<'END'
cat > /tmp/inside <<'INSIDE'
echo 0 > /proc/sys/user/max_user_namespaces || exit 9
exec /mnt/rucksack doctor
INSIDE
mkdir /tmp/tmp
mkdir -m 700 /tmp/run
# What belongs to root outside belongs to nobody inside, so /tmp cannot be trusted there.
export TMPDIR=/tmp/tmp XDG_RUNTIME_DIR=/tmp/run
status 0 unshare --user --map-root-user --mount sh /tmp/inside
says userns - 'user.max_user_namespaces is 0'
says userns no
says kernel no
says taken ok fuse
clean
END
}

@test "no_new_privs is named, and disarms the helper" {
    examine user <<'END'
status 0 setpriv --no-new-privs ./rucksack doctor
says privileges no 'no_new_privs'
hints 'NoNewPrivileges=no'
says fusermount no
says taken ok userns
END
}

@test "a container: root without CAP_SYS_ADMIN, a filter of system calls" {
    cc -static -D_GNU_SOURCE -std=gnu2x -o "$WORK/deny" "$HERE/deny.c"
    examine root <<'END'
status 0 setpriv --bounding-set=-sys_admin ./rucksack doctor
says user no 'root without CAP_SYS_ADMIN'
hints '--cap-add SYS_ADMIN'
says fuse no 'mount: Operation not permitted'
says taken ok userns
status 0 ./deny EPERM mount unshare umount2 -- ./rucksack doctor
says seccomp - 'filter of system calls'
for way in kernel fuse fusermount userns; do
    says $way no 'permitted'
done
says taken ok extract
END
}

@test "a chroot: says that it forbids user namespaces" {
    examine root <<'END'
mkdir -p /var/tmp/jail/proc /var/tmp/jail/dev
mkdir -m 1777 /var/tmp/jail/tmp
mount -t proc proc /var/tmp/jail/proc
cp rucksack /var/tmp/jail
mknod -m 666 /var/tmp/jail/dev/fuse c 10 229
mknod -m 666 /var/tmp/jail/dev/null c 1 3
status 0 chroot /var/tmp/jail /rucksack doctor
says userns - 'this is a chroot'
says userns no 'user namespaces are forbidden'
says taken ok fuse
status 0 chroot --userspec=1001:1001 --groups= /var/tmp/jail /rucksack doctor
says userns no 'this is a chroot'
says taken ok extract
END
}

@test "nothing works: status 3, each reason, how to mend it" {
    HIDE="fuse userns helper" examine user <<'END'
export HOME=/proc
for dir in /tmp /run /var/tmp /dev/shm; do
    ln -s /nowhere $dir/rucksack-1001
done
status 3 ./rucksack doctor
[[ $err == *'E-HOST: no way to start a bundle works'*'hint: '* ]] || fail "$err"
says fusermount no
says userns no
says extract no
says taken no
says /tmp - "'/tmp/rucksack-1001' is not a private directory"
hints 'XDG_CACHE_HOME=DIR'
hints 'apt install fuse3'
hints 'modprobe fuse'
same '/nowhere' "$(readlink /tmp/rucksack-1001)"
END
}

@test "directories: noexec, read-only, open to others, unquotable" {
    examine root <<'END'
mkdir -m 777 /tmp/open '/tmp/with blank'
chmod 777 /tmp/open
mount -t tmpfs -o noexec,mode=1777 tmpfs /var/tmp
mount -t tmpfs -o ro tmpfs /run
XDG_RUNTIME_DIR=/tmp/open XDG_CACHE_HOME='/tmp/with blank' doctor 0
says /tmp/open - 'is writable by others'
says '/tmp/with blank' - 'cannot quote'
says /var/tmp ok 'mounts;' noexec
says /run - read-only
END
}

@test "no directory for the trial: says which variable helps" {
    examine root <<'END'
for dir in /tmp /run /var/tmp; do
    mount -o remount,noexec "$dir"
done
mount -t tmpfs -o noexec tmpfs /dev/shm
HOME=/proc status 1 ./rucksack doctor
[[ $err == *'E-TMP'*'noexec'*'hint: name one: TMPDIR=DIR'* ]] || fail "$err"
END
}

@test "the user's own choice: variables are shown, and decide what is taken" {
    examine root <<'END'
export RUCKSACK_MOUNT=userns
doctor 0
says variable - RUCKSACK_MOUNT=userns
says kernel works
says taken ok userns
unset RUCKSACK_MOUNT
APPIMAGE_EXTRACT_AND_RUN=1 doctor 0
says kernel works
says taken ok extract
END
}

@test "json: one document that says the same" {
    cat > "$WORK/check.rb" <<'END'
d = JSON.parse(STDIN.read)
ways = d["ways"].to_h { |w| [w["name"], w] }
exit d["format"] == 1 && d["taken"] == "fusermount" && !d.key?("file") &&
     ways.keys == %w[kernel fuse fusermount userns extract] &&
     ways["userns"]["works"] && ways["userns"]["median_us"].positive? &&
     ways["userns"]["starts"] == 9 && !ways["kernel"]["tried"] &&
     d["host"].any? { |f| f["name"] == "fuse" && f["state"] == "ok" } &&
     d["directories"].any? { |f| f["path"] == "/tmp" && f["mounts"] }
END
    examine user <<'END'
doctor 0 --json
ruby -rjson check.rb <<< "$out" || fail "$out"
END
}

@test "a file: mounted by each way, never started" {
    make_guestbook
    cp "$guestbook" "$WORK/app"
    examine root <<'END'
doctor 0 app
says whole ok /mnt/app
says cpu ok x86-64
says executable ok
for way in kernel fuse fusermount userns extract; do
    says $way works ' ms'
done
[ ! -e guestbook.state ] && [ ! -e app.state ] || fail "it was started"
chmod 644 app
doctor 0 app
says executable - 'chmod +x'
END
    examine user <<'END'
doctor 0 --json app
[[ $out == *'"whole": true'*'"cpu_fits": true'* ]] || fail "$out"
END
}

@test "a file that is damaged, cut, foreign or none" {
    make_guestbook
    cp "$guestbook" "$WORK/changed"
    printf 'x' | dd of="$WORK/changed" bs=1 seek=5000000 conv=notrunc status=none
    cp "$guestbook" "$WORK/foreign"
    printf '\267' | dd of="$WORK/foreign" bs=1 seek=18 conv=notrunc status=none # e_machine
    head -c 5000000 "$guestbook" > "$WORK/cut"
    examine user <<'END'
doctor 3 changed
says whole no 'not as it was built'
[[ $err == *E-VERIFY*'hint: '* ]] || fail "$err"
doctor 3 foreign
says cpu no 'for aarch64'
doctor 1 cut
[[ $err == *E-TRUNCATED* ]] || fail "$err"
doctor 1 rucksack
[[ $err == *E-BUNDLE* ]] || fail "$err"
END
}

@test "a signal: everything is removed, then it ends the tool" {
    cat > "$WORK/slow" <<'END'
#!/bin/sh
echo >> /tmp/slow
sleep 0.3
exec fusermount3 "$@"
END
    chmod 755 "$WORK/slow"
    examine user <<'END'
export FUSERMOUNT_PROG=/mnt/slow TMPDIR=/tmp/tmp
mkdir /tmp/tmp
for signal in INT TERM HUP; do
    rm -f /tmp/slow
    # bash starts what runs in the background with SIGINT ignored.
    env --default-signal ./rucksack doctor > /tmp/out 2> /tmp/err &
    await test -s /tmp/slow
    [ -n "$(ls -A /tmp/tmp)" ] || fail "no trial"
    kill -$signal $!
    got=0
    wait $! || got=$?
    same $((128 + $(kill -l $signal))) $got
    clean
    [ ! -s /tmp/out ] || fail "a report"
done
END
}

@test "a way that hangs is given up" {
    printf '#!/bin/sh\nexec sleep 100\n' > "$WORK/never"
    chmod 755 "$WORK/never"
    examine user <<'END'
FUSERMOUNT_PROG=/mnt/never status 3 ./rucksack doctor # as an app would hang, too
says fusermount no 'it hangs'
[ -z "$(pgrep -x sleep)" ] || fail "the helper still runs"
END
}

@test "a root with nothing in it but busybox" {
    make_guestbook
    make_enter
    make_busybox_root "$BATS_TEST_TMPDIR/root"
    cp "$rucksack" "$BATS_TEST_TMPDIR/root/srv/rucksack"
    run run_in "$BATS_TEST_TMPDIR/root" /srv/rucksack doctor
    [ "$status" -eq 0 ]
    [[ $output == *"taken"*"extract"* ]]
    run run_in --fuse --loop "$BATS_TEST_TMPDIR/root" /srv/rucksack doctor guestbook.AppImage
    [ "$status" -eq 0 ]
    [[ $output == *"taken"*"kernel"* ]]
    run run_in --user $user --fuse "$BATS_TEST_TMPDIR/root" /srv/rucksack doctor
    [ "$status" -eq 0 ]
    [[ $output == *"fusermount "*"no "*"not found"* ]]
    [[ $output == *"taken"*"userns"* ]]
    run run_in --no-proc "$BATS_TEST_TMPDIR/root" /srv/rucksack doctor
    [ "$status" -eq 0 ]
    [[ $output == *"/proc is not mounted"*"hint: mount -t proc"* ]]
    [[ $output == *"root with CAP_SYS_ADMIN"*"taken"*"extract"* ]]
    nothing_left "$BATS_TEST_TMPDIR/root"
}
