/* SPDX-License-Identifier: MIT */
#pragma once
/*
 * Whether a file is a SQLite database that has rows of somebody: so much of the file format as that
 * takes, without SQLite, which would want to lock it, and to recover it where a process died.
 *
 * Source: https://www.sqlite.org/fileformat2.html. Read are the schema table and, of each table of
 * it, the first page: it is a leaf with so many rows, or has others below. Pages that are free
 * count as rows: what was deleted stands in them. So do a write-ahead log and a rollback journal,
 * which lie beside a database and hold pages of it. The file is hostile; what cannot be read counts
 * as rows.
 */
#include <stdint.h>

enum sqlitefile_kind {
    SQLITEFILE_NONE,  /* no database */
    SQLITEFILE_EMPTY, /* no rows but those that migrations keep for themselves */
    SQLITEFILE_ROWS,
    SQLITEFILE_UNREADABLE, /* it begins as a database */
};

/* fd: of a regular file of so many bytes; its position is left alone. */
enum sqlitefile_kind sqlitefile_look(int fd, uint64_t size_bytes);
