# SPDX-License-Identifier: MIT
# Damaged and malicious images: one line, no crash, no hang, nothing outside the target.

bats_require_minimum_version 1.5.0
load helper

setup_file() {
    make_work
    make_app gzip "$WORK/image" -comp gzip
}

teardown_file() {
    drop_work
}

poke() { # FILE OFFSET HEX...
    local file=$1 offset=$2 byte
    shift 2
    for byte; do
        printf '%b' "\\x$byte" | dd of="$file" bs=1 seek="$offset" conv=notrunc status=none
        offset=$((offset + 1))
    done
}

# Perl: one fork each, where a shell needs eight. The superblock and the tables at the end are where
# it hurts, so most flips go there. Good are 0, 1 and 125 without a signal, and at most one line.
flip='
my ($app, $offset, $count) = @ARGV;
srand 7;
local $/;
open my $in, "<", $app or die; my $whole = <$in>;
my $size = length($whole) - $offset;
for my $i (1 .. $count) {
    my $at = (int rand 96, $size - 1 - int rand 4096, int rand $size)[$i % 3];
    my $copy = $whole;
    substr($copy, $offset + $at, 1) = chr int rand 256;
    open my $out, ">", "flipped" or die; print $out $copy; close $out; chmod 0755, "flipped";
    my $pid = fork;
    if (!$pid) {
        alarm 10;
        open STDOUT, ">", "/dev/null"; open STDERR, ">", "error";
        exec "./flipped", "--appimage-extract"; exit 99;
    }
    waitpid $pid, 0;
    my $code = $? >> 8;
    open my $error, "<", "error"; my $text = <$error> // "";
    my $bad = ($? & 127) || ($code > 1 && $code != 125) || ($text =~ tr/\n//) > 1;
    if ($bad) { print "byte $at: status $?: $text"; exit 1 }
}
'

@test "flipped bytes" {
    cd "$BATS_TEST_TMPDIR"
    for app in app gzip; do
        run perl -e "$flip" "$WORK/$app" "$("$WORK/$app" --appimage-offset)" 100
        echo "$app: $output"
        [ "$status" -eq 0 ]
    done
}

@test "truncated files" {
    cd "$BATS_TEST_TMPDIR"
    offset=$("$WORK/app" --appimage-offset)
    for keep in 10 64 4000 $((offset - 1)) "$offset" $((offset + 50)) $((offset + 96)) $((offset + 2000)); do
        run --separate-stderr timeout 10 bash -c "head -c $keep '$WORK/app' >short; TARGET_APPIMAGE=./short '$RUCKSACK_BUILD/stub'"
        echo "$keep: $status $stderr"
        [ "$status" -eq 125 ]
        [ "${#stderr_lines[@]}" -le 1 ]
    done
}

@test "a damaged image does not start" {
    cd "$BATS_TEST_TMPDIR"
    cp "$WORK/app" damaged
    poke damaged $(($("$WORK/app" --appimage-offset) + 32)) ff ff ff 7f
    run --separate-stderr timeout 10 ./damaged
    [ "$status" -eq 125 ]
    [[ "$stderr" == "rucksack: "*"the image is damaged"* ]]
}

@test "names that leave the target are refused" {
    cd "$BATS_TEST_TMPDIR"
    mkdir -p tree/inner deep/target
    echo gotcha >tree/inner/XXXXXXXXXXX
    mksquashfs tree tree.img -noappend -quiet -no-progress -noI -noD -noF -comp gzip >/dev/null
    LC_ALL=C sed 's#XXXXXXXXXXX#../../gotch#' tree.img >evil.img
    cat "$RUCKSACK_BUILD/stub" evil.img >deep/target/evil
    chmod +x deep/target/evil
    cd deep/target
    run --separate-stderr timeout 10 ./evil --appimage-extract
    [ "$status" -eq 1 ]
    [[ "$stderr" == *"not a single component"* ]]
    [ -z "$(find "$BATS_TEST_TMPDIR" -name 'gotch*')" ]
}

@test "a symlink and a directory of the same name: nothing goes through the symlink" {
    cd "$BATS_TEST_TMPDIR"
    mkdir -p pair/aa pair/ab outside
    rmdir pair/aa
    ln -s "$BATS_TEST_TMPDIR/outside" pair/aa
    echo gotcha >pair/ab/gotcha
    mksquashfs pair pair.img -noappend -quiet -no-progress -noI -noD -noF -comp gzip >/dev/null
    # both entries of the listing are called aa now
    at=$(LC_ALL=C grep -abo 'ab' pair.img | tail -n 1 | cut -d: -f1)
    cat "$RUCKSACK_BUILD/stub" pair.img >evil
    poke evil $((at + $(stat -c %s "$RUCKSACK_BUILD/stub") + 1)) 61
    chmod +x evil
    run --separate-stderr timeout 10 ./evil --appimage-extract
    [ -z "$(ls outside)" ]
    [ "$status" -eq 1 ]
}
