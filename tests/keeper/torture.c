/* SPDX-License-Identifier: MIT */
/*
 * Writes into a database as an application would, and sees whether a copy of it is the state of one
 * moment between two transactions.
 *
 *     torture write FILE MODE BLOB-BYTES    until it is killed; MODE: wal, delete, truncate
 *     torture pair FILE FILE                the same number into both, in one transaction
 *     torture collate FILE                  an index in an order that only this program knows
 *     torture function FILE                 an index of what only this program computes
 *     torture verify FILE                   prints how many transactions there were
 *
 * Every transaction changes some rows with blobs, and in the same breath a line of totals: a torn
 * copy has totals that do not fit its rows, or fails integrity_check.
 */
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include <sqlite3.h>

enum { ROWS_MAX = 200, CHANGES_MAX = 4, BUSY_MS = 60000, PAUSE_US = 500 };

static void fail(sqlite3 *db, const char *what)
{
    fprintf(stderr, "torture: %s: %s\n", what, sqlite3_errmsg(db));
    exit(1);
}

static void run(sqlite3 *db, const char *sql)
{
    if (sqlite3_exec(db, sql, NULL, NULL, NULL) != SQLITE_OK)
        fail(db, sql);
}

static int64_t number(sqlite3 *db, const char *sql)
{
    sqlite3_stmt *statement;
    int64_t value;

    if (sqlite3_prepare_v2(db, sql, -1, &statement, NULL) != SQLITE_OK ||
        sqlite3_step(statement) != SQLITE_ROW)
        fail(db, sql);
    value = sqlite3_column_int64(statement, 0);
    sqlite3_finalize(statement);
    return value;
}

static sqlite3 *open_file(const char *path)
{
    sqlite3 *db;

    if (sqlite3_open(path, &db) != SQLITE_OK)
        fail(db, path);
    sqlite3_busy_timeout(db, BUSY_MS);
    return db;
}

static void change(sqlite3 *db, int blob_bytes)
{
    char sql[256];

    snprintf(sql, sizeof(sql),
             "INSERT OR REPLACE INTO entries VALUES (%d, 'text %d', randomblob(%d))",
             rand() % ROWS_MAX, rand(), rand() % blob_bytes + 1);
    run(db, sql);
}

static void write_for_ever(const char *path, const char *mode, int blob_bytes)
{
    sqlite3 *db = open_file(path);
    char sql[64];

    snprintf(sql, sizeof(sql), "PRAGMA journal_mode = %s", mode);
    run(db, sql);
    run(db, "BEGIN IMMEDIATE;"
            "CREATE TABLE IF NOT EXISTS entries (id INTEGER PRIMARY KEY, text TEXT, data BLOB);"
            "CREATE INDEX IF NOT EXISTS by_text ON entries (text);"
            "CREATE TABLE IF NOT EXISTS totals (id INTEGER PRIMARY KEY, n, bytes, done);"
            "INSERT OR IGNORE INTO totals VALUES (1, 0, 0, 0); COMMIT");
    srand((unsigned int)getpid());
    for (;;) {
        run(db, "BEGIN IMMEDIATE");
        for (int i = rand() % CHANGES_MAX; i >= 0; i--)
            change(db, blob_bytes);
        if (rand() % 8 == 0)
            run(db, "DELETE FROM entries WHERE id % 7 = 3");
        run(db, "UPDATE totals SET done = done + 1, n = (SELECT count(*) FROM entries),"
                " bytes = (SELECT sum(length(data)) FROM entries)");
        run(db, "COMMIT");
        usleep(PAUSE_US);
    }
}

static void write_pair(const char *first, const char *second)
{
    sqlite3 *db = open_file(first);
    char *attach = sqlite3_mprintf("ATTACH %Q AS other", second);

    run(db, attach);
    run(db, "BEGIN IMMEDIATE; CREATE TABLE IF NOT EXISTS main.t (n);"
            "CREATE TABLE IF NOT EXISTS other.t (n); INSERT INTO main.t VALUES (0);"
            "INSERT INTO other.t VALUES (0); COMMIT");
    for (;;) {
        run(db,
            "BEGIN IMMEDIATE; UPDATE main.t SET n = n + 1; UPDATE other.t SET n = n + 1; COMMIT");
        usleep(PAUSE_US);
    }
}

static int backwards(void *context, int a_size, const void *a, int b_size, const void *b)
{
    int order = memcmp(b, a, (size_t)(a_size < b_size ? a_size : b_size));

    (void)context;
    return order != 0 ? order : b_size - a_size;
}

static int collate(const char *path)
{
    sqlite3 *db = open_file(path);

    sqlite3_create_collation(db, "backwards", SQLITE_UTF8, NULL, backwards);
    run(db, "CREATE TABLE words (w TEXT COLLATE backwards); CREATE INDEX by_w ON words (w);"
            "INSERT INTO words VALUES ('a'), ('b'), ('c')");
    return sqlite3_close(db) != SQLITE_OK;
}

static void length_of(sqlite3_context *context, int count, sqlite3_value **values)
{
    (void)count;
    sqlite3_result_int(context, sqlite3_value_bytes(values[0]));
}

static int function(const char *path)
{
    sqlite3 *db = open_file(path);

    sqlite3_create_function(db, "length_of", 1, SQLITE_UTF8 | SQLITE_DETERMINISTIC, NULL, length_of,
                            NULL, NULL);
    run(db, "CREATE TABLE words (w TEXT); CREATE INDEX by_length ON words (length_of(w));"
            "INSERT INTO words VALUES ('a'), ('bb'), ('ccc')");
    return sqlite3_close(db) != SQLITE_OK;
}

static int verify(const char *path)
{
    sqlite3 *db = open_file(path);
    sqlite3_stmt *statement;
    const char *answer;

    if (sqlite3_prepare_v2(db, "PRAGMA integrity_check", -1, &statement, NULL) != SQLITE_OK ||
        sqlite3_step(statement) != SQLITE_ROW)
        fail(db, path);
    answer = (const char *)sqlite3_column_text(statement, 0);
    if (strcmp(answer, "ok") != 0) {
        printf("bad: %s\n", answer);
        return 1;
    }
    sqlite3_finalize(statement);
    if (number(db, "SELECT n = (SELECT count(*) FROM entries) AND coalesce(bytes, 0) ="
                   " (SELECT coalesce(sum(length(data)), 0) FROM entries) FROM totals") != 1) {
        puts("bad: the totals do not fit");
        return 1;
    }
    printf("%lld\n", (long long)number(db, "SELECT done FROM totals"));
    sqlite3_close(db);
    return 0;
}

int main(int argc, char **argv)
{
    if (argc == 5 && strcmp(argv[1], "write") == 0)
        write_for_ever(argv[2], argv[3], (int)strtol(argv[4], NULL, 10));
    if (argc == 4 && strcmp(argv[1], "pair") == 0)
        write_pair(argv[2], argv[3]);
    if (argc == 3 && strcmp(argv[1], "collate") == 0)
        return collate(argv[2]);
    if (argc == 3 && strcmp(argv[1], "function") == 0)
        return function(argv[2]);
    if (argc == 3 && strcmp(argv[1], "verify") == 0)
        return verify(argv[2]);
    fputs("torture: write FILE MODE BLOB-BYTES | pair FILE FILE | collate FILE | function FILE | "
          "verify FILE\n",
          stderr);
    return 2;
}
