/* SPDX-License-Identifier: MIT */
/*
 * Mirrors sqlitefile.c. Databases are SQLite's own. Cases: no database · no rows · rows, in every
 * size of page and encoding, in tables of each kind, of many · in free pages and logs · what
 * migrations keep · every byte of one changed.
 */
#include <fcntl.h>
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

#include <cmocka.h>

#include "bundler/sqlitefile.h"
#include "common/cleanup.h"
#include "tests/unit/scratch.h"

static enum sqlitefile_kind look(const char *path)
{
    cleanup_fd int fd = open(path, O_RDONLY | O_CLOEXEC);
    struct stat st;

    assert_int_equal(fstat(fd, &st), 0);
    return sqlitefile_look(fd, (uint64_t)st.st_size);
}

/* What sqlite3(1) makes of that SQL. */
static enum sqlitefile_kind made(const char *sql)
{
    FILE *shell;

    (void)unlink("db");
    shell = popen("sqlite3 db >/dev/null", "we");
    assert_non_null(shell);
    assert_true(fputs(sql, shell) >= 0);
    assert_int_equal(pclose(shell), 0);
    return look("db");
}

static void other_files_are_none(void **state)
{
    (void)state;
    scratch_write("text", "text", 4);
    scratch_write("nothing", "", 0);
    scratch_write("named", "SQLite format 3 is a format", 27);
    scratch_write("cut", "SQLite format 3", 16);
    assert_int_equal(look("text"), SQLITEFILE_NONE);
    assert_int_equal(look("nothing"), SQLITEFILE_NONE);
    assert_int_equal(look("named"), SQLITEFILE_NONE);
    assert_int_equal(look("cut"), SQLITEFILE_UNREADABLE);
}

static void tables_without_rows_are_empty(void **state)
{
    (void)state;
    assert_int_equal(made("VACUUM;"), SQLITEFILE_EMPTY);
    assert_int_equal(made("CREATE TABLE a (x); CREATE INDEX i ON a (x); CREATE VIEW v AS SELECT 1;"
                          "CREATE TABLE b (x PRIMARY KEY) WITHOUT ROWID;"),
                     SQLITEFILE_EMPTY);
    assert_int_equal(made("CREATE TABLE a (x); INSERT INTO a VALUES (1); DELETE FROM a;"),
                     SQLITEFILE_EMPTY);
}

static void deleted_rows_in_free_pages_count(void **state)
{
    (void)state;
    assert_int_equal(made("CREATE TABLE a (x); INSERT INTO a VALUES (zeroblob(100000));"
                          "DROP TABLE a;"),
                     SQLITEFILE_ROWS);
    assert_int_equal(made("CREATE TABLE a (x); INSERT INTO a VALUES (zeroblob(100000));"
                          "DROP TABLE a; VACUUM;"),
                     SQLITEFILE_EMPTY);
}

/* SQLite's own, copied while a connection holds them. */
static void logs_of_a_database_count(void **state)
{
    uint8_t head[32] = {0x37, 0x7f, 0x06, 0x82};

    (void)state;
    assert_int_equal(made("PRAGMA journal_mode = wal; CREATE TABLE a (x);"
                          "\n.shell cp db-wal log\n"),
                     SQLITEFILE_EMPTY);
    assert_int_equal(look("log"), SQLITEFILE_ROWS);
    assert_int_equal(made("CREATE TABLE a (x); INSERT INTO a VALUES (zeroblob(9000));"
                          "PRAGMA cache_size = 1; BEGIN; UPDATE a SET x = zeroblob(900000);"
                          "\n.shell cp db-journal log\nROLLBACK;"),
                     SQLITEFILE_ROWS);
    assert_int_equal(look("log"), SQLITEFILE_ROWS);
    scratch_write("log", (const char *)head, sizeof(head));
    assert_int_equal(look("log"), SQLITEFILE_NONE); /* nothing behind its header */
}

static void what_migrations_keep_does_not_count(void **state)
{
    (void)state;
    assert_int_equal(made("CREATE TABLE schema_migrations (version); CREATE TABLE users (id INTEGER"
                          " PRIMARY KEY AUTOINCREMENT); INSERT INTO schema_migrations VALUES ('1');"
                          "CREATE TABLE ar_internal_metadata (key, value); INSERT INTO "
                          "ar_internal_metadata VALUES (1, 2);"),
                     SQLITEFILE_EMPTY);
    assert_int_equal(made("CREATE TABLE users (id INTEGER PRIMARY KEY AUTOINCREMENT);"
                          "INSERT INTO users VALUES (1);"),
                     SQLITEFILE_ROWS);
}

static void rows_are_found_in_every_kind_of_table(void **state)
{
    (void)state;
    assert_int_equal(made("CREATE TABLE a (x); INSERT INTO a VALUES (1);"), SQLITEFILE_ROWS);
    assert_int_equal(
        made("CREATE TABLE a (x PRIMARY KEY) WITHOUT ROWID; INSERT INTO a VALUES (1);"),
        SQLITEFILE_ROWS);
    assert_int_equal(made("CREATE TABLE a (x); WITH RECURSIVE n (i) AS (SELECT 1 UNION ALL SELECT "
                          "i + 1 FROM n WHERE i < 5000) INSERT INTO a SELECT i FROM n;"),
                     SQLITEFILE_ROWS);
    assert_int_equal(
        made("PRAGMA journal_mode = WAL; CREATE TABLE a (x); INSERT INTO a VALUES (1);"),
        SQLITEFILE_ROWS);
    assert_int_equal(made("CREATE VIRTUAL TABLE a USING fts5 (x); INSERT INTO a VALUES ('text');"),
                     SQLITEFILE_ROWS);
}

static void every_page_size_and_encoding_is_read(void **state)
{
    static const char *const encodings[] = {"UTF-8", "UTF-16le", "UTF-16be"};
    static const char row[] = "INSERT INTO a VALUES (1);";
    char sql[512];
    int used;

    (void)state;
    for (int size = 512; size <= 65536; size *= 2) {
        for (size_t i = 0; i < 3; i++) {
            used = snprintf(sql, sizeof(sql),
                            "PRAGMA page_size = %d; PRAGMA encoding = '%s'; CREATE TABLE "
                            "schema_migrations (x); INSERT INTO schema_migrations VALUES (1);"
                            "CREATE TABLE a (x);",
                            size, encodings[i]);
            assert_int_equal(made(sql), SQLITEFILE_EMPTY);
            (void)snprintf(sql + used, sizeof(sql) - (size_t)used, "%s", row);
            assert_int_equal(made(sql), SQLITEFILE_ROWS);
        }
    }
}

/* The schema has pages of its own, and a table's SQL is longer than a page. */
static void the_last_of_many_tables_counts(void **state)
{
    enum { TABLES = 400, SIZE = 1 << 17 };
    cleanup_free char *sql = malloc(SIZE);
    int used = 0;

    (void)state;
    used += snprintf(sql, SIZE, "PRAGMA page_size = 512; BEGIN;");
    for (int i = 0; i < TABLES; i++)
        used += snprintf(sql + used, (size_t)(SIZE - used),
                         "CREATE TABLE t%d (x, y DEFAULT '%*s');", i, i == 7 ? 2000 : 3, "");
    used += snprintf(sql + used, (size_t)(SIZE - used), "COMMIT;");
    assert_int_equal(made(sql), SQLITEFILE_EMPTY);
    (void)snprintf(sql + used, (size_t)(SIZE - used), "INSERT INTO t%d (x) VALUES (1);",
                   TABLES - 1);
    assert_int_equal(made(sql), SQLITEFILE_ROWS);
}

/* Nothing but an answer, whatever the file says; memory and time are those of its size. */
static void no_changed_byte_harms(void **state)
{
    cleanup_free char *bytes = NULL;
    size_t size;
    struct err err = {0};

    (void)state;
    assert_int_equal(made("PRAGMA page_size = 512; CREATE TABLE a (x); CREATE TABLE b (x);"),
                     SQLITEFILE_EMPTY);
    assert_true(fs_read_file("db", 1 << 20, &bytes, &size, &err));
    for (size_t i = 0; i < size; i++) {
        char right = bytes[i];

        for (int value = 0; value < 256; value += 51) {
            bytes[i] = (char)value;
            scratch_write("changed", bytes, size);
            (void)look("changed");
        }
        bytes[i] = right;
    }
    for (size_t end = 16; end < size; end += 100) {
        scratch_write("changed", bytes, end);
        assert_int_equal(look("changed"), SQLITEFILE_UNREADABLE);
    }
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(other_files_are_none),
        cmocka_unit_test(tables_without_rows_are_empty),
        cmocka_unit_test(deleted_rows_in_free_pages_count),
        cmocka_unit_test(logs_of_a_database_count),
        cmocka_unit_test(what_migrations_keep_does_not_count),
        cmocka_unit_test(rows_are_found_in_every_kind_of_table),
        cmocka_unit_test(every_page_size_and_encoding_is_read),
        cmocka_unit_test(the_last_of_many_tables_counts),
        cmocka_unit_test(no_changed_byte_harms),
    };

    return cmocka_run_group_tests(tests, scratch_enter, scratch_leave);
}
