#!/bin/sh
# SPDX-License-Identifier: MIT
# Who may include whom, and how long a function may be. Prints every breach; silent otherwise.
set -eu
cd "$(dirname "$0")/.."

FUNCTION_LINES_MAX=60
status=0

breach() {
    echo "check-layers: $1" >&2
    status=1
}

# refuse WHY PATTERN FILE...: no #include in the files may match the extended pattern.
refuse() {
    why=$1
    pattern=$2
    shift 2
    if found=$(grep -nE "^ *# *include +[<\"]($pattern)" "$@" /dev/null); then
        breach "$why:
$found"
    fi
}

# shellcheck disable=SC2046 # no path of the tree has a blank
refuse "bundler/ includes runtime/" 'runtime/|\.\./' $(find bundler -name '*.[ch]')
# shellcheck disable=SC2046
refuse "runtime/ includes bundler/" 'bundler/|\.\./' $(find runtime -name '*.[ch]')
# shellcheck disable=SC2046
refuse "common/ includes what stands above it" 'bundler/|runtime/|\.\./' \
    $(find common -name '*.[ch]')
# No libc inside the Ruby process but the bundled one: so next to nothing of common/.
if found=$(grep -nE '^ *# *include +"' runtime/guest/*.[ch] |
    grep -vE '"(common/(format|launchfile|nametable)|guest)\.h"'); then
    breach "runtime/guest includes more than common/format.h, launchfile.h and nametable.h:
$found"
fi
if found=$(grep -nE '^ *# *include +"' runtime/iseqs/*.[ch] | grep -vE '"(common/iseqpack|pack)\.h"'); then
    breach "runtime/iseqs includes more than common/iseqpack.h:
$found"
fi

# Each third-party library is known to one file of a program: swapping it touches that file only.
while read -r pattern only; do
    # shellcheck disable=SC2046
    refuse "a header of $only" "$pattern" \
        $(find bundler common runtime -name '*.[ch]' | grep -vxE "$only")
done <<'END'
libelf\.h|gelf\.h bundler/elf.c
sqfs/ bundler/image.c
jansson\.h bundler/jdoc.c|runtime/keeper/manifest.c
cyaml/ bundler/recipe.c
yaml\.h bundler/ydoc.c
sodium common/prim.c|runtime/keeper/digest.c
uthash\.h|utlist\.h|utarray\.h bundler/plan.c
squashfuse runtime/stub/sqfs.c
zlib\.h|zstd\.h|lzma\.h|lz4\.h> runtime/stub/codec.c|runtime/keeper/zstream.c
archive\.h|archive_entry\.h runtime/keeper/tar.c
sqlite3\.h runtime/keeper/database.c
END

# common/ neither prints nor exits; xalloc.c dies when memory is out.
if found=$(grep -nE '\b(printf|puts|perror|exit|_exit)\(' common/*.c | grep -v '^common/xalloc\.c:' |
    grep -vE 'proc\.c:.*_exit'); then
    breach "common/ prints or exits:
$found"
fi

# The style puts a function's braces into the first column.
for file in bundler/*.c common/*.c runtime/*/*.c tests/*/*.c; do
    found=$(awk -v max="$FUNCTION_LINES_MAX" '
        /^[a-z].*\(/ { name = $0 }
        /^\{/ { start = NR }
        /^\}/ && start {
            if (NR - start - 1 > max)
                print FILENAME ":" start ": " NR - start - 1 " lines: " name
            start = 0
        }' "$file")
    [ -z "$found" ] || breach "function longer than $FUNCTION_LINES_MAX lines:
$found"
done

[ "$status" -ne 0 ] || echo "check-layers: ok"
exit "$status"
