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

# Both walkers end with 0, 1 or 125; a signal or the timeout is more than 125.
survives() {
    local code
    rm -rf squashfs-root
    timeout 10 "$1" --appimage-extract >/dev/null 2>error && code=0 || code=$?
    [ "$code" -le 1 ] || [ "$code" -eq 125 ] || { echo "$2: $code"; return 1; }
    [ "$(wc -l <error)" -le 1 ] || { echo "$2: $(cat error)"; return 1; }
}

@test "flipped bytes" {
    cd "$BATS_TEST_TMPDIR"
    RANDOM=7
    for app in app gzip; do
        offset=$("$WORK/$app" --appimage-offset)
        size=$(stat -c %s "$WORK/$app.img")
        cp "$WORK/$app" flipped
        for i in $(seq 100); do
            # The superblock and the tables at the end are where it hurts.
            case $((i % 3)) in
            0) at=$((RANDOM % 96)) ;;
            1) at=$((size - 4096 + RANDOM % 4096)) ;;
            2) at=$(((RANDOM * 32768 + RANDOM) % size)) ;;
            esac
            # Flips add up to at most ten: the more, the sooner it stops.
            [ $((i % 10)) -ne 0 ] || cp "$WORK/$app" flipped
            poke flipped $((offset + at)) "$(printf %02x $((RANDOM % 256)))"
            survives ./flipped "$app byte $at"
        done
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
