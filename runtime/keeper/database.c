/* SPDX-License-Identifier: MIT */
#include "runtime/keeper/database.h"

#include <errno.h>
#include <fcntl.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include <sqlite3.h>

#include "common/cleanup.h"
#include "common/err.h"
#include "common/text.h"
#include "common/xalloc.h"
#include "runtime/keeper/interrupt.h"

enum {
    BUSY_MS = 1000,         /* SQLite waits so long by itself */
    BUSY_ROUNDS = 60,       /* and so many times */
    TABLES_MAX = 100000,    /* more is no schema */
    PROGRESS_STEPS = 10000, /* of the virtual machine, between looks at signals */
};

struct database_hold {
    sqlite3 *db;
};

static const char magic[16] = "SQLite format 3";
static const char *const sides[] = {"-wal", "-shm", "-journal"};

bool database_is(int dirfd, const char *name, bool *ret, struct err *err)
{
    cleanup_fd int fd = openat(dirfd, name, O_RDONLY | O_NOFOLLOW | O_NONBLOCK | O_CLOEXEC);
    char head[sizeof(magic)] = {0};
    ssize_t length = fd >= 0 ? read(fd, head, sizeof(head)) : -1;

    if (length < 0 && !(fd < 0 && errno == ENOENT)) {
        (void)err_sys(err, "its first bytes");
        (void)err_id(err, "E-READ");
        return err_hint(err, "make it readable: a database that is taken for a file is lost");
    }
    *ret = length == (ssize_t)sizeof(head) && memcmp(head, magic, sizeof(magic)) == 0;
    return true;
}

bool database_is_likely(int dirfd, const char *path)
{
    static const char *const endings[] = {".sqlite3", ".sqlite", ".db"};
    size_t len = strlen(path);

    for (size_t i = 0; i < sizeof(endings) / sizeof(endings[0]); i++) {
        size_t end = strlen(endings[i]);

        if (len > end && strcmp(path + len - end, endings[i]) == 0)
            return true;
    }
    for (size_t i = 0; i < sizeof(sides) / sizeof(sides[0]); i++) {
        cleanup_free char *side = xasprintf("%s%s", path, sides[i]);

        if (faccessat(dirfd, side, F_OK, AT_SYMLINK_NOFOLLOW) == 0)
            return true;
    }
    return false;
}

bool database_owner(const char *name, char *ret, size_t size)
{
    size_t len = strlen(name);

    for (size_t i = 0; i < sizeof(sides) / sizeof(sides[0]); i++) {
        size_t end = strlen(sides[i]);

        if (len > end && len - end < size && strcmp(name + len - end, sides[i]) == 0) {
            memcpy(ret, name, len - end);
            ret[len - end] = '\0';
            return true;
        }
    }
    return false;
}

static int interrupted(void *context)
{
    (void)context;
    return interrupt_came();
}

/* SQLite's words, and what a user can do about them. */
static bool failed(sqlite3 *db, int code, const char *path, struct err *err)
{
    const char *name = strrchr(path, '/') != NULL ? strrchr(path, '/') + 1 : path;

    switch (code & 0xff) {
    case SQLITE_FULL:
        errno = ENOSPC;
        return err_sys(err, "'%s'", path);
    case SQLITE_INTERRUPT:
        return interrupt_check(err) && err_set(err, ERR_SYSTEM, "interrupted");
    case SQLITE_BUSY:
    case SQLITE_LOCKED:
        (void)err_set(err, ERR_INPUT, "'%s' is locked: somebody has been writing for a minute",
                      path);
        (void)err_id(err, "E-DBBUSY");
        return err_hint(err, "end the long transaction, and try again");
    case SQLITE_CORRUPT:
    case SQLITE_NOTADB:
        (void)err_set(err, ERR_INPUT, "'%s' is damaged: %s", path, sqlite3_errmsg(db));
        (void)err_id(err, "E-DATABASE");
        return err_hint(err, "look at it: sqlite3 %.200s 'PRAGMA integrity_check'", name);
    case SQLITE_IOERR:
    case SQLITE_CANTOPEN:
        errno = db != NULL ? sqlite3_system_errno(db) : ENOMEM;
        if (errno != 0)
            return err_sys(err, "'%s'", path);
        [[fallthrough]];
    default:
        return err_set(err, ERR_SYSTEM, "'%s': sqlite: %s", path,
                       db != NULL ? sqlite3_errmsg(db) : sqlite3_errstr(code));
    }
}

static bool run(sqlite3 *db, const char *path, const char *sql, struct err *err)
{
    int code = sqlite3_exec(db, sql, NULL, NULL, NULL);

    return code == SQLITE_OK || failed(db, code, path, err);
}

static bool open_with(const char *name, const char *path, int flags, sqlite3 **ret, struct err *err)
{
    sqlite3 *db = NULL;
    int code = sqlite3_open_v2(name, &db, flags | SQLITE_OPEN_EXRESCODE, NULL);

    if (code != SQLITE_OK) {
        (void)failed(db, code, path, err);
        (void)sqlite3_close(db);
        return false;
    }
    (void)sqlite3_busy_timeout(db, BUSY_MS);
    sqlite3_progress_handler(db, PROGRESS_STEPS, interrupted, NULL);
    *ret = db;
    return true;
}

/* Index contents cannot be compared without the application's collation: see check_indexes(). */
static int compare_bytes(void *context, int a_size, const void *a, int b_size, const void *b)
{
    int size = a_size < b_size ? a_size : b_size;
    int order = size > 0 ? memcmp(a, b, (size_t)size) : 0;

    (void)context;
    return order != 0 ? order : a_size - b_size;
}

static void stand_in(void *context, sqlite3 *db, int encoding, const char *name)
{
    bool *is_foreign = context;

    *is_foreign = true;
    (void)sqlite3_create_collation(db, name, encoding, NULL, compare_bytes);
}

/* file:PATH?immutable=1, as https://sqlite.org/uri.html wants it. */
static char *immutable_uri(const char *path)
{
    static const char plain[] =
        "abcdefghijklmnopqrstuvwxyzABCDEFGHIJKLMNOPQRSTUVWXYZ0123456789/._-";
    static const char suffix[] = "?immutable=1";
    char *uri = xcalloc(strlen("file:") + 3 * strlen(path) + sizeof(suffix), 1);
    char *at = stpcpy(uri, "file:");

    for (; *path != '\0'; path++) {
        if (strchr(plain, *path) != NULL)
            *at++ = *path;
        else
            at += snprintf(at, 4, "%%%02X", (unsigned char)*path);
    }
    (void)stpcpy(at, suffix);
    return uri;
}

/* A database that is only read, and not trusted. */
static bool open_copy(const char *path, const char *shown, bool *ret_is_foreign, sqlite3 **ret,
                      struct err *err)
{
    cleanup_free char *uri = immutable_uri(path);

    *ret_is_foreign = false;
    if (!open_with(uri, shown, SQLITE_OPEN_READONLY | SQLITE_OPEN_URI, ret, err))
        return false;
    (void)sqlite3_db_config(*ret, SQLITE_DBCONFIG_DEFENSIVE, 1, NULL);
    (void)sqlite3_db_config(*ret, SQLITE_DBCONFIG_TRUSTED_SCHEMA, 0, NULL);
    (void)sqlite3_collation_needed(*ret, ret_is_foreign, stand_in);
    if (run(*ret, shown,
            "PRAGMA cell_size_check = ON; PRAGMA ignore_check_constraints = ON;"
            "PRAGMA temp_store = MEMORY; PRAGMA mmap_size = 0",
            err))
        return true;
    (void)sqlite3_close(*ret);
    *ret = NULL;
    return false;
}

/* One step copies everything under one lock; writers who were faster are waited for. */
static bool copy_all(sqlite3 *from, sqlite3 *to, const char *path, const char *copy,
                     struct err *err)
{
    sqlite3_backup *backup = sqlite3_backup_init(to, "main", from, "main");
    int code = SQLITE_BUSY;
    int result;

    if (backup == NULL)
        return failed(to, sqlite3_extended_errcode(to), copy, err);
    for (int i = 0; i < BUSY_ROUNDS && !interrupt_came(); i++) {
        code = sqlite3_backup_step(backup, -1);
        if (code != SQLITE_BUSY && code != SQLITE_LOCKED)
            break;
        (void)sqlite3_sleep(BUSY_MS / 10);
    }
    result = sqlite3_backup_finish(backup);
    if (!interrupt_check(err))
        return false;
    if (code == SQLITE_DONE && result == SQLITE_OK)
        return true;
    /* The backup's own error is in the destination; SQLite does not say whose file it was. */
    return failed(to, result != SQLITE_OK ? result : code, path, err);
}

static bool copy_open(sqlite3 *from, const char *path, const char *copy, struct err *err)
{
    sqlite3 *to = NULL;
    bool ok;

    if (!open_with(copy, copy, SQLITE_OPEN_READWRITE | SQLITE_OPEN_CREATE, &to, err))
        return false;
    ok = run(to, copy, "PRAGMA journal_mode = OFF; PRAGMA synchronous = OFF", err) &&
         copy_all(from, to, path, copy, err);
    (void)sqlite3_close(to);
    return ok;
}

/*
 * Opened for writing where that is allowed: a hot journal or a left-over WAL must be taken in
 * first. The last one to close writes a WAL back and removes it: one that was there before us is
 * the application's business.
 */
static bool open_live(const char *path, sqlite3 **ret, struct err *err)
{
    cleanup_free char *wal = xasprintf("%s-wal", path);
    bool has_wal = access(wal, F_OK) == 0;

    if (!open_with(path, path, SQLITE_OPEN_READWRITE, ret, err))
        return false;
    (void)sqlite3_db_config(*ret, SQLITE_DBCONFIG_NO_CKPT_ON_CLOSE, has_wal, NULL);
    return true;
}

bool database_copy(const char *path, const char *copy, struct err *err)
{
    sqlite3 *from = NULL;
    bool ok = open_live(path, &from, err) && copy_open(from, path, copy, err);

    (void)sqlite3_close(from);
    return ok;
}

static bool check_open(sqlite3 *db, const char *path, const char *sql, struct err *err)
{
    sqlite3_stmt *statement = NULL;
    int code = sqlite3_prepare_v2(db, sql, -1, &statement, NULL);
    bool ok;

    if (code == SQLITE_OK)
        code = sqlite3_step(statement);
    if (code != SQLITE_ROW) {
        (void)sqlite3_finalize(statement);
        return failed(db, code, path, err);
    }
    const char *answer = (const char *)sqlite3_column_text(statement, 0);

    ok = answer != NULL && strcmp(answer, "ok") == 0;
    if (!ok) {
        (void)err_set(err, ERR_INPUT, "'%s' is damaged: %.300s", path,
                      answer != NULL ? answer : "no answer");
        (void)err_id(err, "E-DATABASE");
        (void)err_hint(err, "look at it: sqlite3 FILE 'PRAGMA integrity_check'");
        for (char *at = err->msg; (at = strchr(at, '\n')) != NULL;)
            *at = ' ';
    }
    (void)sqlite3_finalize(statement);
    return ok;
}

/*
 * Whether indexes have what the tables have; not where that is computed by functions that only the
 * application knows. What needs no index, quick_check has seen.
 */
static bool check_indexes(sqlite3 *db, const char *path, struct err *err)
{
    static const char sql[] = "PRAGMA integrity_check(1)";
    sqlite3_stmt *statement = NULL;
    int code = sqlite3_prepare_v2(db, sql, -1, &statement, NULL);

    (void)sqlite3_finalize(statement);
    return (code & 0xff) == SQLITE_ERROR || check_open(db, path, sql, err);
}

bool database_check(const char *path, const char *shown, bool is_thorough, struct err *err)
{
    bool is_foreign;
    sqlite3 *db = NULL;
    bool ok;

    if (!open_copy(path, shown, &is_foreign, &db, err))
        return false;
    /* The schema is read by the first statement: then it is known whether indexes can be compared.
     */
    ok = check_open(db, shown, "PRAGMA quick_check(1)", err) &&
         (!is_thorough || is_foreign || check_indexes(db, shown, err));
    (void)sqlite3_close(db);
    return ok;
}

static bool number_of(sqlite3 *db, const char *path, const char *sql, int64_t *ret, struct err *err)
{
    sqlite3_stmt *statement = NULL;
    int code = sqlite3_prepare_v2(db, sql, -1, &statement, NULL);

    if (code == SQLITE_OK)
        code = sqlite3_step(statement);
    if (code == SQLITE_ROW)
        *ret = sqlite3_column_int64(statement, 0);
    (void)sqlite3_finalize(statement);
    return code == SQLITE_ROW || failed(db, code, path, err);
}

/* A table of that name that is none of Active Record's has no such column: no migration then. */
static char *newest_migration(sqlite3 *db)
{
    sqlite3_stmt *statement = NULL;
    char *version = NULL;

    if (sqlite3_prepare_v2(db, "SELECT max(version) FROM schema_migrations", -1, &statement,
                           NULL) == SQLITE_OK &&
        sqlite3_step(statement) == SQLITE_ROW && sqlite3_column_text(statement, 0) != NULL)
        version = text_visible((const char *)sqlite3_column_text(statement, 0));
    (void)sqlite3_finalize(statement);
    return version;
}

static bool count_table(sqlite3 *db, const char *path, const char *name,
                        struct database_facts *facts, struct err *err)
{
    char *sql = sqlite3_mprintf("SELECT count(*) FROM main.\"%w\"", name);
    int64_t rows = 0;
    bool ok = sql != NULL ? number_of(db, path, sql, &rows, err)
                          : err_set(err, ERR_SYSTEM, "out of memory");

    sqlite3_free(sql);
    if (!ok)
        return false;
    facts->tables = xrealloc_array(facts->tables, facts->count + 1, sizeof(*facts->tables));
    facts->tables[facts->count++] = (struct database_table){text_visible(name), (uint64_t)rows};
    return true;
}

/* Virtual tables have no root page; what they hold is in ordinary ones. */
static bool count_tables(sqlite3 *db, const char *path, struct database_facts *facts,
                         struct err *err)
{
    sqlite3_stmt *statement = NULL;
    int code = sqlite3_prepare_v2(db,
                                  "SELECT name FROM sqlite_schema WHERE type = 'table' AND "
                                  "rootpage > 0 AND name NOT LIKE 'sqlite\\_%' ESCAPE '\\' "
                                  "ORDER BY name",
                                  -1, &statement, NULL);

    while (code == SQLITE_OK || code == SQLITE_ROW) {
        code = sqlite3_step(statement);
        if (code != SQLITE_ROW)
            break;
        const char *name = (const char *)sqlite3_column_text(statement, 0);

        if (name == NULL || facts->count >= TABLES_MAX)
            code = SQLITE_CORRUPT;
        else if (!count_table(db, path, name, facts, err)) {
            (void)sqlite3_finalize(statement);
            return false;
        }
    }
    (void)sqlite3_finalize(statement);
    return code == SQLITE_DONE || failed(db, code, path, err);
}

bool database_describe(const char *path, const char *shown, struct database_facts *ret,
                       struct err *err)
{
    struct database_facts facts = {0};
    bool is_foreign;
    sqlite3 *db = NULL;
    bool ok;

    if (!open_copy(path, shown, &is_foreign, &db, err))
        return false;
    ok = number_of(db, shown, "PRAGMA user_version", &facts.user_version, err) &&
         count_tables(db, shown, &facts, err);
    facts.migration = ok ? newest_migration(db) : NULL;
    (void)sqlite3_close(db);
    if (ok)
        *ret = facts;
    else
        database_facts_release(&facts);
    return ok;
}

void database_facts_release(struct database_facts *facts)
{
    for (size_t i = 0; i < facts->count; i++)
        free(facts->tables[i].name);
    free(facts->tables);
    free(facts->migration);
    *facts = (struct database_facts){0};
}

uint64_t database_rows(const struct database_facts *facts)
{
    uint64_t rows = 0;

    for (size_t i = 0; i < facts->count; i++)
        rows += facts->tables[i].rows;
    return rows;
}

bool database_hold(const char *path, struct database_hold **ret, struct err *err)
{
    struct database_hold *hold = xcalloc(1, sizeof(*hold));
    int code = SQLITE_BUSY;
    bool ok = open_live(path, &hold->db, err);

    for (int i = 0; ok && i < BUSY_ROUNDS && !interrupt_came(); i++) {
        code = sqlite3_exec(hold->db, "BEGIN IMMEDIATE", NULL, NULL, NULL);
        if ((code & 0xff) != SQLITE_BUSY)
            break;
    }
    ok = ok && interrupt_check(err) && (code == SQLITE_OK || failed(hold->db, code, path, err));
    if (ok)
        *ret = hold;
    else
        database_hold_free(hold);
    return ok;
}

void database_hold_free(struct database_hold *hold)
{
    if (hold == NULL)
        return;
    (void)sqlite3_close(hold->db); /* rolls back the transaction, which is empty */
    free(hold);
}
