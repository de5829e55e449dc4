#!/usr/bin/env bats
# SPDX-License-Identifier: MIT
# The file as other programs read it, and images that others made.

load helper

# The ELF end, as every reader of AppImages computes it.
elf_end() {
    readelf -hSW "$1" | awk '
        /Start of section headers:/ { start = $5 }
        /Size of section headers:/ { size = $5 }
        /Number of section headers:/ { number = $5 }
        /^ *\[ *[0-9]+\]/ {
            sub(/^ *\[ *[0-9]+\] */, "")
            if (split($0, field, / +/) && $0 !~ /NOBITS/) { offset = field[4]; bytes = field[5] }
        }
        END { print start + size * number, offset, bytes }' |
        while read -r table offset bytes; do
            last=$((0x$offset + 0x$bytes))
            echo $((last > table ? last : table))
        done
}

@test "magic, and an image offset that every reader agrees on" {
    make_app "$WORK/a"
    [ "$(od -An -tx1 -j 8 -N 3 "$WORK/a" | tr -d ' ')" = 414902 ]
    offset=$("$WORK/a" --appimage-offset)
    [ "$offset" = "$(stat -c %s "$STUB")" ]
    [ "$offset" = "$(elf_end "$WORK/a")" ]
    [ $((offset % 4096)) = 0 ]
    [ "$(od -An -c -j "$offset" -N 4 "$WORK/a" | tr -d ' ')" = hsqs ]
}

@test "file, unsquashfs and mount read it" {
    make_app "$WORK/a"
    file "$WORK/a" | grep -q 'ELF 64-bit LSB.*executable'
    offset=$("$WORK/a" --appimage-offset)
    unsquashfs -s -o "$offset" "$WORK/a" | grep -q 'Found a valid SQUASHFS 4:0'
    unsquashfs -no-progress -quiet -d "$WORK/out" -o "$offset" "$WORK/a"
    diff -r --no-dereference "$WORK/tree" "$WORK/out"
    export offset
    sandbox root <<'END'
mkdir /dev/t/m
mount -t squashfs -o ro,loop,offset=$offset a /dev/t/m
diff -r --no-dereference tree /dev/t/m || fail "differs"
umount /dev/t/m
END
}

@test "firejail runs it" {
    make_app "$WORK/a"
    [ "$(firejail --quiet --noprofile --appimage "$WORK/a" read d/file)" = "a file" ]
    status=0
    firejail --quiet --noprofile --appimage "$WORK/a" exit 7 || status=$?
    [ "$status" = 7 ]
}

@test "libappimage reads it" {
    make_app "$WORK/a"
    cat > "$WORK/reader.c" <<'END'
#include <stdio.h>
#include <appimage/appimage.h>

int main(int argc, char **argv)
{
    char **files = appimage_list_files(argv[argc - 1]);

    printf("%d %lld\n", appimage_get_type(argv[1], 0), (long long)appimage_get_payload_offset(argv[1]));
    for (char **file = files; *file != NULL; file++)
        printf("%s\n", *file);
    return 0;
}
END
    "${CC:-cc}" -o "$WORK/reader" "$WORK/reader.c" -lappimage
    "$WORK/reader" "$WORK/a" > "$WORK/read"
    [ "$(head -n 1 "$WORK/read")" = "2 $(stat -c %s "$STUB")" ]
    diff <(tail -n +2 "$WORK/read" | grep . | sort -u) <(cd "$WORK/tree" && find . -mindepth 1 -printf '%P\n' | sort)
}

@test "sections that appimagetool insists on, of the agreed sizes" {
    sections=$(readelf -SW "$STUB" | sed 's/^ *\[ *[0-9]*\] *//' | awk '{ print $1, $5 }')
    for want in '.upd_info 000400' '.sha256_sig 000400' '.sig_key 002000' '.digest_md5 000010'; do
        grep -qx "$want" <<< "$sections"
    done
}

@test "a static program of any age" {
    not_sanitized "they need a dynamic program"
    [ -z "$(readelf -lW "$STUB" | grep -E 'INTERP|GNU_STACK.*RWE')" ]
    [ -z "$(readelf -dW "$STUB" 2> /dev/null | grep NEEDED)" ]
}

@test "size: at most 400 kB" {
    [ -n "${SANITIZE-}" ] || [ "$(stat -c %s "$STUB")" -le 400000 ]
}

# foreign OPTION...: by the kernel, FUSE and unpacked.
foreign() {
    make_app "$WORK/a" "$@"
    cat > "$WORK/check" <<'END'
check() {
    status 0 ./a again /bin/sh -c 'cd "$APPDIR" && find . -type f | sort | xargs cksum'
    [ "$out" = "$(cd tree && find . -type f | sort | xargs cksum)" ] || fail "other content"
}
by_each_way check
END
    WAYS=${WAYS-fuse} sandbox root < "$WORK/check"
    sandbox user <<'END'
cd /dev/t
/mnt/a --appimage-extract > /dev/null
diff -r --no-dereference /mnt/tree squashfs-root || fail "differs"
END
}

@test "foreign images: gzip" {
    foreign -comp gzip -b 1M
}

@test "foreign images: zstd" {
    foreign -comp zstd -b 256K -Xcompression-level 19
}

@test "foreign images: xz" {
    foreign -comp xz -Xbcj x86
}

@test "foreign images: lz4" {
    foreign -comp lz4 -Xhc
}

@test "foreign images: nothing compressed, no fragments, padded or not" {
    for options in '-noI -noD -noF -noX -nopad' '-no-fragments -b 4K -comp gzip' \
        '-always-use-fragments -comp zstd' '-no-exports -no-xattrs -no-duplicates -nopad'; do
        # shellcheck disable=SC2086
        foreign $options
    done
}

@test "foreign images: owners, devices and modes as an image builder leaves them" {
    make_tree "$WORK/tree"
    mknod "$WORK/tree/d/null" c 1 3
    mkfifo "$WORK/tree/d/fifo"
    chmod 500 "$WORK/tree/d/empty"
    chmod 700 "$WORK/tree"
    foreign_script='
check() { status 0 ./a read d/file; same "a file" "$out"; }
by_each_way check'
    make_app "$WORK/a" -force-uid 1234 -force-gid 1234
    both <<< "$foreign_script"
}

@test "AppRun: a script, a dynamic program, a symlink into the image" {
    make_tree "$WORK/tree"
    mv "$WORK/tree/AppRun" "$WORK/tree/d/app"
    cat > "$WORK/run" <<'END'
#!/bin/sh
exec "$APPDIR/d/app" start "$@"
END
    for kind in shell dynamic symlink; do
        rm -f "$WORK/tree/AppRun"
        case $kind in
        shell) install -m 755 "$WORK/run" "$WORK/tree/AppRun" ;;
        dynamic) cp "$(type -P env)" "$WORK/tree/AppRun" ;;
        symlink) ln -s d/app "$WORK/tree/AppRun" ;;
        esac
        make_app "$WORK/$kind"
    done
    both <<'END'
check() {
    status 0 ./shell word
    [[ $out == /*'|/mnt|/mnt/shell|./shell|3|word' ]] || fail "$out"
    status 0 ./dynamic
    grep -qx APPIMAGE=/mnt/dynamic <<< "$out" || fail "$out"
    status 0 ./symlink read d/file
    same 'a file' "$out"
}
by_each_way check
END
}

@test "AppRun: missing, not executable, no interpreter: one error, status 125" {
    make_tree "$WORK/tree"
    rm "$WORK/tree/AppRun"
    make_app "$WORK/missing"
    echo text > "$WORK/tree/AppRun"
    make_app "$WORK/text"
    printf '#!/nowhere/sh\n' > "$WORK/tree/AppRun"
    chmod 755 "$WORK/tree/AppRun"
    make_app "$WORK/interpreter"
    both <<'END'
check() {
    for file in missing text interpreter; do
        status 125 ./$file
        same '' "$out"
        one_error
        grep -q AppRun <<< "$err" || fail "$err"
    done
}
by_each_way check
END
}

@test "a file that was cut, has no image or another one behind the program: one error, status 125" {
    make_app "$WORK/a"
    size=$(stat -c %s "$STUB")
    head -c $((size + 50)) "$WORK/a" > "$WORK/cut"
    head -c $((size + 5000)) "$WORK/a" > "$WORK/half"
    { cat "$STUB"; head -c 100000 /dev/urandom; } > "$WORK/noise"
    { cat "$STUB"; head -c 100000 /dev/zero; } > "$WORK/zeros"
    chmod 755 "$WORK"/{cut,half,noise,zeros}
    sandbox user <<'END'
for file in cut half noise zeros; do
    status 125 timeout 20 ./$file exit 0
    same '' "$out"
    one_error
done
nothing_left
END
}

@test "large blocks, a large sparse file" {
    make_tree "$WORK/tree"
    truncate -s 300M "$WORK/tree/d/huge"
    head -c 30M /dev/urandom > "$WORK/tree/d/noise"
    make_app "$WORK/a" -comp zstd -b 1M -Xcompression-level 1
    WAYS=${WAYS-kernel fuse} sandbox root <<'END'
check() {
    status 0 ./a again /bin/sh -c 'stat -c %s "$APPDIR/d/huge"; tail -c 3 "$APPDIR/d/huge" | wc -c; cmp "$APPDIR/d/noise" tree/d/noise && echo same'
    same '314572800 3 same' "$(echo $out)"
}
by_each_way check
END
}
