/* SPDX-License-Identifier: MIT */
#pragma once
/*
 * What a snapshot says of itself: `manifest.json`, its first entry (docs/format.md). The only file
 * of this program that knows jansson.
 *
 * A manifest that manifest_parse() accepts can be relied on as far as it goes: every path is below
 * INVENTORY_TOP, clean and named once; every directory comes before what is in it, and is listed;
 * no link leads out; sizes can be added up; all lists are sorted by path. Whether it is true is for
 * the restore to see.
 */
#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "runtime/keeper/database.h"
#include "runtime/keeper/digest.h"
#include "runtime/keeper/lineage.h"

struct err;

#define MANIFEST_NAME "manifest.json"

enum { MANIFEST_FORMAT = 1, MANIFEST_BYTES_MAX = 256 << 20 };

struct manifest_file {
    char *path;
    uint64_t size_bytes;
    uint8_t sha256[DIGEST_SIZE];
    bool is_database;
    struct database_facts facts; /* of a database */
    bool is_gone;                /* for the backup: it vanished, and is not written */
    bool is_seen;                /* for the restore: it came */
};

struct manifest_link {
    char *path;
    char *target;
    bool is_seen;
};

struct manifest_secret {
    char *name;
    bool is_set; /* it was when the snapshot was made */
    uint8_t fingerprint[DIGEST_SIZE];
};

struct manifest {
    char *name; /* of the app */
    char *host;
    int64_t time; /* seconds since 1970 */
    uint8_t id[DIGEST_ID_SIZE];
    struct lineage lineage;
    char *bundle; /* hash of the image, in hexadecimal; NULL: unknown */
    char **directories;
    size_t directory_count;
    struct manifest_file *files;
    size_t file_count;
    struct manifest_link *links;
    size_t link_count;
    struct manifest_secret *secrets;
    size_t secret_count;
};

/* Copies its arguments; the result is valid until the next one is added. */
struct manifest_file *manifest_add_file(struct manifest *manifest, const char *path);
void manifest_add_directory(struct manifest *manifest, const char *path);
void manifest_add_link(struct manifest *manifest, const char *path, const char *target);
struct manifest_secret *manifest_add_secret(struct manifest *manifest, const char *name);

/* JSON, on the heap. */
[[nodiscard]] bool manifest_text(const struct manifest *manifest, char **ret, struct err *err);

/* E-SNAPSHOT when it is no manifest, not of this format, or breaks a rule above. */
[[nodiscard]] bool manifest_parse(struct manifest *ret, const char *text, size_t size,
                                  struct err *err);
void manifest_release(struct manifest *manifest);

/* In a manifest that was parsed; NULL when there is none. */
bool manifest_has_directory(const struct manifest *manifest, const char *path);
struct manifest_file *manifest_find_file(struct manifest *manifest, const char *path);
struct manifest_link *manifest_find_link(struct manifest *manifest, const char *path);

/* Of all databases; bytes of all files. */
uint64_t manifest_rows(const struct manifest *manifest);
uint64_t manifest_bytes(const struct manifest *manifest);

/*
 * What a state would lose that was made anew, as the lineage notes it: rows, but for those that
 * migrations write themselves (Active Record's own two tables), and files that are no databases.
 */
void manifest_measure(const struct manifest *manifest, struct lineage *ret);

/* UTC: "2026-11-23T02:14:09Z". */
enum { MANIFEST_TIME_SIZE = 32 };
void manifest_time(int64_t seconds, char ret[MANIFEST_TIME_SIZE]);
