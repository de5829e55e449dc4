# SPDX-License-Identifier: MIT
# What the tests of the keeper share: the program as the launcher starts it, with an image of one
# launch file, and states to keep.

: "${RUCKSACK_BUILD:?set by make check}"
keeper_program=$RUCKSACK_BUILD/keeper
torture=$RUCKSACK_BUILD/torture

make_image() {
    image=$BATS_TEST_TMPDIR/image
    mkdir -p "$image/.rucksack"
    printf 'rucksack\t1\nname\tblog\nsecret\tMASTER_KEY\nstate\tsqlite\tdata\n' >"$image/.rucksack/launch"
    state=$BATS_TEST_TMPDIR/blog.state
    cd "$BATS_TEST_TMPDIR"
}

# keeper VERB...: of $state
keeper() {
    ${tracer:-} "$keeper_program" "$image" "$state" "${file:-}" "$@"
}

sql() {
    sqlite3 "$@"
}

# A state with a database of so many rows and two files.
make_state() {
    mkdir -p "$state/data/uploads"
    sql "$state/data/blog.sqlite3" "PRAGMA journal_mode = ${2:-wal};
        CREATE TABLE posts (id INTEGER PRIMARY KEY, text TEXT);
        WITH RECURSIVE n(i) AS (SELECT 1 UNION ALL SELECT i + 1 FROM n WHERE i < $1)
        INSERT INTO posts SELECT i, 'post ' || i FROM n" >/dev/null
    echo "$1 rows" >"$state/data/uploads/a.txt"
    head -c 3000000 /dev/zero >"$state/data/uploads/big"
}

rows() {
    sql "$1/data/blog.sqlite3" 'SELECT count(*) FROM posts'
}

# A state is what it was: as many rows, and the files of then.
is_whole() {
    [ "$(sql "$1/blog.sqlite3" 'PRAGMA integrity_check')" = ok ]
    [ "$(sql "$1/blog.sqlite3" 'SELECT count(*) FROM posts')" = "$2" ]
    [ "$(cat "$1/uploads/a.txt")" = "$2 rows" ]
}
