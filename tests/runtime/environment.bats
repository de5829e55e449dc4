#!/usr/bin/env bats
# SPDX-License-Identifier: MIT
# What the app finds in its environment, and what the runtime believes of it.

load helper

@test "APPDIR, APPIMAGE, OWD, ARGV0" {
    make_app "$WORK/a"
    both <<'END'
check() {
    status 0 ./a start word
    same '' "$err"
    [[ $out == /*'|/mnt|/mnt/a|./a|3|word' ]] || fail "$out"
    status 0 ./a print APPDIR
    [[ ${#out} -lt 55 && $out != *[!a-zA-Z0-9/._-]* ]] || fail "not fit for search paths: $out"
    (cd tree/d && status 0 ../../a start && [[ $out == *'|/mnt/tree/d|/mnt/a|../../a|'* ]]) || fail "$out"
    APPDIR=/x APPIMAGE=/y OWD=/z ARGV0=/w status 0 ./a start
    [[ $out == /*'|/mnt|/mnt/a|./a|2|' ]] || fail "$out"
}
by_each_way check
END
}

@test "APPDIR is the same at each start of one image" {
    make_app "$WORK/a"
    cp "$WORK/a" "$WORK/b"
    both <<'END'
check() {
    status 0 ./a print APPDIR
    first=$out
    [ -d "$first" ] || nothing_left
    status 0 /mnt/../mnt/a print APPDIR
    same "$first" "$out"
    # The state lies beside the file, so another path is another place.
    status 0 ./b print APPDIR
    [ "$out" != "$first" ] || fail "two files at one place"
}
by_each_way check
END
}

@test "OWD of any length" {
    make_app "$WORK/a"
    both <<'END'
check() {
    local part where=/dev/t i
    cd /dev/t
    part=$(printf '%0200d' 0)
    for i in 1 2 3 4 5 6 7 8 9 10 11 12 13 14 15 16 17 18 19 20 21 22 23 24; do
        mkdir "$part"
        cd "$part"
        where=$where/$part
        if [ $i = 6 ] || [ $i = 19 ] || [ $i = 24 ]; then
            status 0 /mnt/a print OWD
            [ "$out" = "$where" ] || fail "length ${#where}: got ${#out}: ${out:0:40}"
        fi
    done
    cd /dev/t
    rm -rf "$part"
    cd /mnt
}
by_each_way check
END
}

@test "all else as it was" {
    make_app "$WORK/a"
    sandbox user <<'END'
with() {
    env -i PATH="$PATH" HOME=/tmp/home LD_SOMETHING=1 LD_LIBRARY_PATH=/x: LD_PRELOAD= EMPTY= \
        XDG_DATA_DIRS=/y PYTHONHOME=/z GIO_EXTRA_MODULES=/w 'odd name=1' A=1 ${RUCKSACK_MOUNT:+RUCKSACK_MOUNT=$RUCKSACK_MOUNT} \
        APPIMAGE_EXTRACT_AND_RUN="$APPIMAGE_EXTRACT_AND_RUN" TMPDIR=/tmp "$@" env
}
check() {
    same "$(with tree/AppRun | sort)" "$(with ./a | grep -vE '^(APPIMAGE|APPDIR|OWD|ARGV0)=' | sort)"
}
by_each_way check
END
}

@test "working directory, umask, limits, priority and signal mask as they were" {
    make_app "$WORK/a"
    sandbox user <<'END'
check() {
    cd tree/d
    ulimit -c 0 -n 500
    umask 027
    for program in /mnt/tree/AppRun /mnt/a; do
        nice -n 5 $program again /bin/sh -c 'pwd; umask; ulimit -a; cat /proc/self/oom_score_adj
            cut -d" " -f 19 /proc/self/stat; grep -E "^(Sig(Blk|Ign|Cgt)|Cap|NoNew|Uid|Gid|Groups)" /proc/self/status' > "/dev/t/$(basename $program)"
    done
    cmp /dev/t/AppRun /dev/t/a || fail "$(diff /dev/t/AppRun /dev/t/a)"
    cd /mnt
}
WAYS=${WAYS/userns/} # there the capabilities are others
by_each_way check
END
}

@test "APPIMAGE_EXTRACT_AND_RUN: 1, not whatever is set" {
    make_app "$WORK/a"
    sandbox user <<'END'
status 0 ./a print APPDIR
mounted=$out
for value in 0 '' no 11; do
    APPIMAGE_EXTRACT_AND_RUN=$value status 0 ./a print APPDIR
    same "$mounted" "$out"
done
APPIMAGE_EXTRACT_AND_RUN=1 status 0 ./a print APPDIR
[ "$out" != "$mounted" ] || fail "not unpacked"
nothing_left
END
}

@test "FUSERMOUNT_PROG: that program, and no other" {
    make_app "$WORK/a"
    sandbox user <<'END'
printf '#!/bin/sh\necho used >> /dev/t/used\nexec fusermount3 "$@"\n' > /dev/t/helper
chmod 755 /dev/t/helper
export RUCKSACK_MOUNT=fusermount FUSERMOUNT_PROG=/dev/t/helper
status 0 ./a read d/file
nothing_left
grep -q used /dev/t/used || fail "not used"
FUSERMOUNT_PROG=/nowhere status 125 ./a exit 0
grep -q /nowhere <<< "$err" || fail "$err"
nothing_left
END
}

@test "TMPDIR: where the tree of an unpacked run goes" {
    make_app "$WORK/a"
    sandbox user <<'END'
mkdir /dev/t/temp
TMPDIR=/dev/t/temp status 0 ./a --appimage-extract-and-run print APPDIR
case $out in
/dev/t/temp/*) ;;
*) fail "$out" ;;
esac
await rmdir /dev/t/temp
nothing_left
END
}

@test "no word on stdout or stderr but the app's" {
    make_app "$WORK/a"
    both <<'END'
check() {
    status 0 ./a exit 0
    same '' "$out$err"
}
by_each_way check
END
}
