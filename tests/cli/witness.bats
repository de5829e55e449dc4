#!/usr/bin/env bats
# SPDX-License-Identifier: MIT
# No code of the tool looks at files by a call that bundler/witness.c does not see.

setup() {
    cd "$BATS_TEST_DIRNAME/../.." || return
    build=${RUCKSACK_BUILD:-build}
}

@test "every call by which files are looked at is led through the witness" {
    make -pn 2>/dev/null | sed -n 's/^LOOKS := //p' | tr ' ' '\n' | sed '/^$/d' | sort >"$BATS_TEST_TMPDIR/led"
    [ -s "$BATS_TEST_TMPDIR/led" ]
    # Descriptors, what is written or removed, and what only doctor and deps ask for (fts, statx,
    # getxattr).
    printf '%s\n' fstat64 closedir readdir64 dirfd globfree64 fts64_open fts64_read fts64_close statx getxattr \
        statvfs64 unlink unlinkat rmdir mkdir mkdirat symlink symlinkat linkat rename renameat chdir \
        fexecve execl umount2 mount open_memstream pivot_root | sort >"$BATS_TEST_TMPDIR/others"
    nm -u "$build/libtool.a" | sed -n 's/^ *U //p' | sort -u |
        grep -E '^(__)?(x|l|f)?(open|fopen|freopen|stat|lstat|fstat|access|eaccess|euidaccess|faccess|opendir|fdopendir|readdir|scandir|readlink|realpath|canonicalize|glob|fts|ftw|nftw|statx|name_to_handle|getxattr|listxattr)[a-z0-9]*(_chk|_2)?$' |
        grep -vE '^(__)?(fopencookie|open_memstream)$' >"$BATS_TEST_TMPDIR/used"
    run comm -23 "$BATS_TEST_TMPDIR/used" <(sort -u "$BATS_TEST_TMPDIR/led" "$BATS_TEST_TMPDIR/others")
    echo "$output"
    [ -z "$output" ]
}
