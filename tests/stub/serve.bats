#!/usr/bin/env bats
# SPDX-License-Identifier: MIT
# What the FUSE server answers when many ask at once.

load helper

# Reads pieces of every file, past the kernel's memory (O_DIRECT), in an order of its own, and
# compares them with the original.
write_reader() {
    cat > "$WORK/reader.pl" <<'PERL'
use strict;
use warnings;
use Fcntl qw(O_RDONLY O_DIRECT);
my ($seed, $original, $mounted, @names) = @ARGV;
srand($seed);
for my $round (1 .. 40) {
    my $name = $names[int rand @names];
    my $size = -s "$original/$name";
    my $offset = int rand($size + 1);
    my $length = 1 + int rand(rand() < 0.3 ? 600_000 : 9_000);
    my ($want, $got);
    open(my $file, '<:raw', "$original/$name") or die "$name: $!";
    sysseek($file, $offset, 0) // die;
    defined(sysread($file, $want, $length)) or die;
    sysopen(my $served, "$mounted/$name", O_RDONLY | O_DIRECT) or die "$name: $!";
    sysseek($served, $offset, 0) // die;
    defined(sysread($served, $got, $length)) or die "$name: $!";
    $want eq $got or die "$name: $length bytes at $offset differ";
}
PERL
}

# Files of all kinds: below a block, of whole blocks, with a tail, with holes, that do not compress.
make_files() {
    make_tree "$WORK/tree"
    local i
    for i in 1 4095 4096 4097 131072 200000 1048576 3000001; do
        head -c "$i" /dev/urandom > "$WORK/tree/random$i"
        yes "line $i of many" | head -c "$i" > "$WORK/tree/text$i"
    done
    for i in $(seq 60); do
        yes "small file $i" | head -c $((i * 37)) > "$WORK/tree/small$i"
    done
}

@test "many readers of any piece, whatever the image's blocks" {
    write_reader
    make_files
    local options
    for options in "-b 4K" "-b 128K" "-b 1M -comp zstd" "-b 64K -no-fragments" "-noD -noF" \
        "-b 16K -always-use-fragments"; do
        # shellcheck disable=SC2086 # several options
        make_app "$WORK/app" $options
        sandbox root <<'END'
RUCKSACK_MOUNT=fuse ./app --appimage-mount > /dev/t/where &
app=$!
await test -s /dev/t/where
mounted=$(cat /dev/t/where)
names=$(cd tree && find . -type f -size +0)
readers=
for seed in 1 2 3 4 5 6; do
    perl reader.pl $seed tree "$mounted" $names &
    readers="$readers $!"
done
for reader in $readers; do
    wait "$reader" || fail "reader"
done
diff -r --no-dereference tree "$mounted"
kill "$app"
wait "$app" || :
nothing_left
END
    done
}

@test "extended attributes are those of the image" {
    make_tree "$WORK/tree"
    setfattr -n user.colour -v "dark red" "$WORK/tree/d/file"
    setfattr -n user.empty -v "" "$WORK/tree/d/file"
    setfattr -n user.long -v "$(printf '%03000d' 7)" "$WORK/tree/d"
    setfattr -n trusted.note -v "of root" "$WORK/tree/d"
    make_app "$WORK/app"
    sandbox root <<'END'
RUCKSACK_MOUNT=fuse ./app --appimage-mount > /dev/t/where &
app=$!
await test -s /dev/t/where
(cd tree && find . | sort | xargs getfattr -dhm -) > /dev/t/want
(cd "$(cat /dev/t/where)" && find . | sort | xargs getfattr -dhm -) > /dev/t/got
grep -q 'user.colour="dark red"' /dev/t/got
diff /dev/t/want /dev/t/got
getfattr -n user.none "$(cat /dev/t/where)/d/file" 2>&1 | grep -q 'No such attribute'
kill "$app"
wait "$app" || :
nothing_left
END
    make_app "$WORK/app" -no-xattrs
    sandbox root <<'END'
RUCKSACK_MOUNT=fuse ./app --appimage-mount > /dev/t/where &
app=$!
await test -s /dev/t/where
same "" "$(getfattr -dhm - -R "$(cat /dev/t/where)")"
kill "$app"
wait "$app" || :
nothing_left
END
}
