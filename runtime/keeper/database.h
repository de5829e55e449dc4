/* SPDX-License-Identifier: MIT */
#pragma once
/*
 * SQLite databases: copied while others write, checked, counted. The only file that knows SQLite.
 *
 * A copy is made by the online backup API in one step (https://sqlite.org/backup.html): the state
 * of one moment between two transactions, in every journal mode. Copies, and databases out of an
 * archive, are hostile and nobody's but ours: they are opened as immutable, so that no side file
 * appears and none is believed, without trust in their schema.
 */
#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

struct err;

struct database_table {
    char *name; /* made visible: SQLite takes any bytes */
    uint64_t rows;
};

struct database_facts {
    int64_t user_version;
    char *migration; /* the newest of schema_migrations (Active Record), or NULL */
    struct database_table *tables;
    size_t count;
};

/* Holds off all writers of a database, or nothing. */
struct database_hold;

/* Whether the file begins as a database (https://sqlite.org/fileformat2.html, 1.3); one that is not
 * there does not. E-READ. */
[[nodiscard]] bool database_is(int dirfd, const char *name, bool *ret, struct err *err);

/* Whether name is a side file of a database: then ret, of size bytes, is the database's name. */
bool database_owner(const char *name, char *ret, size_t size);

/* Whether the file is called as databases are, or has side files beside it. */
bool database_is_likely(int dirfd, const char *path);

/*
 * Copies to a new file. Waits for writers, up to a minute: then E-DBBUSY. E-DATABASE when the
 * source is damaged, sys_errno ENOSPC when the copy has no room.
 */
[[nodiscard]] bool database_copy(const char *path, const char *copy, struct err *err);

/* quick_check, or the whole integrity_check: E-DATABASE with what it found. shown: its name in
 * messages. */
[[nodiscard]] bool database_check(const char *path, const char *shown, bool is_thorough,
                                  struct err *err);

/* Counts all rows of all tables. */
[[nodiscard]] bool database_describe(const char *path, const char *shown,
                                     struct database_facts *ret, struct err *err);
void database_facts_release(struct database_facts *facts);
uint64_t database_rows(const struct database_facts *facts);

/* Waits until no transaction writes and lets none begin until the hold is released. */
[[nodiscard]] bool database_hold(const char *path, struct database_hold **ret, struct err *err);
void database_hold_free(struct database_hold *hold);
