#!/usr/bin/env bats
# SPDX-License-Identifier: MIT
# The app is the process that was started: its status, signals, descriptors, arguments, files.

load helper

@test "exit status: every kind" {
    make_app "$WORK/a"
    both <<'END'
check() {
    local code
    for code in 0 1 2 125 126 127 128 255; do status $code ./a exit $code; done
}
by_each_way check
END
}

@test "exit by signal: exact for every fatal signal" {
    make_app "$WORK/a"
    both <<'END'
check() {
    local number
    for number in $numbers; do
        same "signal $number" "$(./odd status . ./a signal $number)"
    done
    numbers='9 11'
}
numbers='1 2 3 4 5 6 7 8 9 10 11 12 13 14 15 16 24 25 26 27 29 30 31 34 64'
by_each_way check
END
}

@test "signals that are ignored or blocked stay so, others reach the app" {
    make_app "$WORK/a"
    both <<'END'
check() {
    for number in HUP INT QUIT USR1 TERM; do
        # A shell's background processes ignore the terminal's signals; the app sets its own handler.
        started ./a trap "$(kill -l $number)"
        kill -$number $pid
        ended 42
    done
    (trap '' HUP && ./a signal 15) && fail "survived" || same 143 $?
}
by_each_way check
END
}

@test "suspended and continued" {
    make_app "$WORK/a"
    both <<'END'
check() {
    same "$(printf 'stopped\nexit 1')" "$(./odd status . ./a signal 19)"
    started ./a trap 15
    kill -STOP $pid
    await grep -q '^State:.*T' /proc/$pid/status
    status 0 ./a read d/file
    kill -CONT $pid
    await grep -q '^State:.*S' /proc/$pid/status
    kill -TERM $pid
    ended 42
}
by_each_way check
END
}

@test "command substitution, pipes: nobody else holds their ends" {
    make_app "$WORK/a"
    both <<'END'
check() {
    same 'a file' "$(./a read d/file)"
    same 'a file' "$(./a read d/file 2>&1 < /dev/null)"
    same line "$(timeout 10 ./a lines 0 | head -n 1)"
    same 5 "$(./a lines 5 | wc -l)"
    same 141 "$(./a lines 0 | head -n 1 > /dev/null; echo "${PIPESTATUS[0]}")"
    exec 7> >(cat > /dev/t/seven; touch /dev/t/seven.end)
    (./a daemon /dev/t/stop) 7>&7
    exec 7>&-
    await test -e /dev/t/seven.end
    touch /dev/t/stop
    await test -e /dev/t/stop.good
    rm /dev/t/s*
}
by_each_way check
END
}

@test "standard descriptors closed" {
    make_app "$WORK/a"
    both <<'END'
check() {
    ./a exit 4 <&- >&- 2>&- && fail "no status" || same 4 $?
    ./a exit 5 <&- && fail "no status" || same 5 $?
    ./a exit 6 >&- && fail "no status" || same 6 $?
    same '' "$(./a fds 0<&- 2>&- | grep '^[02]:')"
    same 'a file' "$(./a read d/file 0<&- 2>&-)"
    ./a exit 0 >&- 2>&- || fail "status $?"
}
by_each_way check
END
}

@test "descriptors from 3: none more, none less" {
    make_app "$WORK/a"
    both <<'END'
list() { "$@" fds 3< /mnt/a 9> /dev/t/nine 15< /mnt/tree 200< /dev/null | grep -v '^[012]:' | sort -n; }
check() {
    same "$(list tree/AppRun)" "$(list ./a)"
}
by_each_way check
END
}

@test "socket activation: LISTEN_FDS, LISTEN_PID, NOTIFY_SOCKET" {
    make_app "$WORK/a"
    both <<'END'
check() {
    rm -f /dev/t/socket
    same '1 self 1 @notify' "$(./odd listen /dev/t/socket ./a accept 3)"
    same "$(printf '1\n@notify')" "$(./odd listen /dev/t/socket2 ./a print LISTEN_FDS NOTIFY_SOCKET)"
    rm -f /dev/t/socket2
}
by_each_way check
END
}

@test "argv[0] missing, empty, 128 KB; arguments of every kind" {
    make_app "$WORK/a"
    both <<'END'
check() {
    status 2 ./odd argv0 null ./a
    [[ $err == *"unknown verb"* ]] || fail "$err"
    status 0 ./odd argv0 empty ./a args one
    same "$(printf 'argv0:0\nargs\none')" "$out"
    status 0 ./odd argv0 131000 ./a args
    same 'argv0:131000 args' "$(echo $out)"
    status 0 ./odd argv0 5000 ./a print OWD
    status 0 ./a args '' ' a  b ' $'new\nline' 'ü%s\' "'" '"$HOME"'
    same "$(printf '%s\n' argv0:3 args '' ' a  b ' $'new\nline' 'ü%s\' "'" '"$HOME"')" "$out"
}
by_each_way check
END
}

@test "2 MB of environment" {
    make_app "$WORK/a"
    both <<'END'
ulimit -s unlimited || ulimit -s 65536 || :
check() {
    status 0 ./odd environment 2000000 ./a env
    same 20 "$(grep -c '^LARGE_[0-9]*=v*$' <<< "$out")"
}
by_each_way check
END
}

@test "16 descriptors, or as few as are needed" {
    make_app "$WORK/a"
    both <<'END'
check() {
    (ulimit -n 16 && ./a exit 5) && fail "no status" || same 5 $?
}
by_each_way check
END
}

@test "a limit on files, memory and processes is the app's to have" {
    not_sanitized "they need more memory"
    make_app "$WORK/a"
    both <<'END'
check() {
    (ulimit -n 1000 -v 900000 -f 100000 && ./a print APPDIR > /dev/t/out) || fail "status $?"
}
by_each_way check
END
}

@test "started by symlink: APPIMAGE is the file, argv[0] the link" {
    make_app "$WORK/a"
    ln -s a "$WORK/link"
    ln -s link "$WORK/second"
    both <<'END'
check() {
    status 0 ./second start
    [[ $out == *'|/mnt/a|./second|'* ]] || fail "$out"
    PATH=/mnt:$PATH status 0 link start
    [[ $out == *'|/mnt/a|link|'* ]] || fail "$out"
}
by_each_way check
END
}

@test "by descriptor, from a file without write permission, and from one that is gone" {
    make_app "$WORK/a"
    both <<'END'
check() {
    cp a /dev/t/b
    chmod 555 /dev/t/b
    status 0 ./odd fexecve . /dev/t/b start
    [[ $out == *'|/dev/t/b|'* ]] || fail "$out"
    status 0 ./odd deleted . /dev/t/b read d/file
    same 'a file' "$out"
    [ ! -e /dev/t/b ] || fail "still there"
}
by_each_way check
END
}

@test "deleted or replaced while it runs: it keeps its image" {
    make_app "$WORK/a"
    mkdir "$WORK/other"
    make_tree "$WORK/other"
    echo "another file" > "$WORK/other/d/file"
    pack "$WORK/other" "$WORK/image" "$WORK/b"
    both <<'END'
check() {
    for what in 'rm /dev/t/x' 'mv /dev/t/y /dev/t/x'; do
        rm -f /dev/t/stop*
        cp a /dev/t/x
        cp b /dev/t/y
        /dev/t/x daemon /dev/t/stop
        started /dev/t/x trap 15
        $what
        if [ -e /dev/t/x ]; then
            status 0 /dev/t/x read d/file
            same 'another file' "$out"
        fi
        touch /dev/t/stop
        await test -e /dev/t/stop.good
        kill -TERM $pid
        ended 42
    done
    rm -f /dev/t/stop* /dev/t/x /dev/t/y
}
by_each_way check
END
}

@test "names with blanks, quotes, UTF-8, newline, colon and backslash" {
    make_app "$WORK/a"
    both <<'END'
check() {
    local name
    for name in $'nämé \'x\' "y"\nco:lon back\\slash\\040 %s $HOME `z`' $'-n\377\376'; do
        mkdir -p "/dev/t/odd/d $name"
        cp a "/dev/t/odd/d $name/$name"
        status 0 "/dev/t/odd/d $name/$name" print APPIMAGE
        same "/dev/t/odd/d $name/$name" "$out"
        rm -rf /dev/t/odd
    done
}
by_each_way check
END
}

@test "current directory deleted, unreadable" {
    make_app "$WORK/a"
    both <<'END'
check() {
    mkdir /dev/t/gone
    (cd /dev/t/gone && rmdir /dev/t/gone && /mnt/a exit 6) && fail "no status" || same 6 $?
    mkdir -m 300 /dev/t/closed
    (cd /dev/t/closed && /mnt/a exit 7) && fail "no status" || same 7 $?
    rmdir /dev/t/closed
}
by_each_way check
END
}

@test "the app executes itself, as program and as bundle" {
    make_app "$WORK/a"
    both <<'END'
check() {
    status 0 ./a again /proc/self/exe read d/file
    same 'a file' "$out"
    status 9 ./a again /mnt/a exit 9
    status 0 ./a again /mnt/a again /mnt/a start x
    [[ $out == *'|/mnt|/mnt/a|/mnt/a|3|x' ]] || [[ $out == *'|/mnt/a|'*'|3|x' ]] || fail "$out"
    status 0 ./a again /bin/sh -c '/mnt/a read d/file; "$APPDIR/AppRun" read d/file; exit 0'
    same "$(printf 'a file\na file')" "$out"
}
by_each_way check
END
}

@test "as process 1" {
    make_app "$WORK/a"
    sandbox root <<'END'
check() {
    same 3 "$(unshare --pid --fork --kill-child --mount-proc /mnt/a exit 3 || echo $?)"
    same 1 "$(unshare --pid --fork --kill-child --mount-proc /mnt/a sleep 0)"
}
by_each_way check
END
}

@test "an empty environment, no terminal, a session of its own: as cron and systemd start it" {
    make_app "$WORK/a"
    both <<'END'
check() {
    same 'a file' "$(env -i HOME="$HOME" ${RUCKSACK_MOUNT:+RUCKSACK_MOUNT=$RUCKSACK_MOUNT} \
        APPIMAGE_EXTRACT_AND_RUN=$APPIMAGE_EXTRACT_AND_RUN setsid --wait ./a read d/file < /dev/null)"
}
by_each_way check
END
}

@test "no-new-privileges, as of containers and services" {
    make_app "$WORK/a"
    both <<'END'
status 0 setpriv --no-new-privs ./a read d/file
same 'a file' "$out"
nothing_left
END
}
