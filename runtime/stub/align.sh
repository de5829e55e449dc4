#!/bin/sh
# SPDX-License-Identifier: MIT
# align.sh FILE - makes FILE a type-2 runtime: "AI\2" at byte 8, and a length that is a multiple of
# 4096, so that the image behind it starts on a page of a loop device.
#
# Readers compute the image's offset from the section header table; so the padding is a section
# inside the file, and the table stays last.
set -eu

file=$1
pad=$(mktemp)
trap 'rm -f "$pad" "$file.padded"' EXIT

# A first round with one byte shows how long the file is with one more section header and name.
size=1
for round in 1 2; do
    head -c "$size" /dev/zero >"$pad"
    objcopy --add-section .pad="$pad" "$file" "$file.padded"
    end=$(stat -c %s "$file.padded")
    [ $((end % 4096)) -ne 0 ] || break
    [ "$round" -eq 2 ] || size=$((size + 4096 - end % 4096))
done
# Alignment of the table behind the padding may shift by some bytes: settle it.
while [ $((end % 4096)) -ne 0 ]; do
    size=$((size + 1))
    head -c "$size" /dev/zero >"$pad"
    objcopy --add-section .pad="$pad" "$file" "$file.padded"
    end=$(stat -c %s "$file.padded")
done
printf 'AI\002' | dd of="$file.padded" bs=1 seek=8 conv=notrunc status=none
chmod 755 "$file.padded"
mv "$file.padded" "$file"
