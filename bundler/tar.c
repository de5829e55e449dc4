/* SPDX-License-Identifier: MIT */
#include "bundler/tar.h"

#include <assert.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>

#include "common/cleanup.h"
#include "common/err.h"
#include "common/xalloc.h"

enum {
    BLOCK = 512,
    PERMISSIONS = 07777,
    OWNER_MAX = 07777777,
};

static const uint64_t NUMBER_MAX = 077777777777; /* of eleven octal digits */

struct header {
    char name[100];
    char mode[8];
    char uid[8];
    char gid[8];
    char size[12];
    char mtime[12];
    char checksum[8];
    char type;
    char link[100];
    char magic[6];
    char version[2];
    char user[32];
    char group[32];
    char major[8];
    char minor[8];
    char prefix[155];
    char padding[12];
};

static_assert(sizeof(struct header) == BLOCK);

static bool give(struct tar *tar, const void *data, size_t size, struct err *err)
{
    tar->done_bytes += size;
    return size == 0 || tar->sink(tar->context, data, size, err);
}

static bool fill_block(struct tar *tar, struct err *err)
{
    static const char zeros[BLOCK];

    return give(tar, zeros, (BLOCK - tar->done_bytes % BLOCK) % BLOCK, err);
}

static void put_octal(char *field, size_t size, uint64_t number)
{
    char text[24];

    (void)snprintf(text, sizeof(text), "%0*llo", (int)size - 1, (unsigned long long)number);
    assert(strlen(text) == size - 1);
    memcpy(field, text, size);
}

/* What does not fit is in the pax header; here is as much of it as there is room for. */
static void put_text(char *field, size_t size, const char *text)
{
    memcpy(field, text, strnlen(text, size));
}

static bool give_header(struct tar *tar, const struct tar_entry *entry, char type, struct err *err)
{
    struct header header = {0};
    const unsigned char *bytes = (const unsigned char *)&header;
    unsigned int sum = 0;

    assert(entry->owner <= OWNER_MAX && entry->mtime >= 0 && (uint64_t)entry->mtime <= NUMBER_MAX);
    put_text(header.name, sizeof(header.name), entry->path);
    put_octal(header.mode, sizeof(header.mode), entry->mode & PERMISSIONS);
    put_octal(header.uid, sizeof(header.uid), entry->owner);
    put_octal(header.gid, sizeof(header.gid), entry->owner);
    put_octal(header.size, sizeof(header.size),
              entry->size_bytes <= NUMBER_MAX ? entry->size_bytes : 0);
    put_octal(header.mtime, sizeof(header.mtime), (uint64_t)entry->mtime);
    memset(header.checksum, ' ', sizeof(header.checksum));
    header.type = type;
    if (entry->target != NULL)
        put_text(header.link, sizeof(header.link), entry->target);
    memcpy(header.magic, "ustar", sizeof(header.magic));
    memset(header.version, '0', sizeof(header.version));
    put_octal(header.major, sizeof(header.major), 0);
    put_octal(header.minor, sizeof(header.minor), 0);
    for (size_t i = 0; i < sizeof(header); i++)
        sum += bytes[i];
    put_octal(header.checksum, sizeof(header.checksum) - 1, sum);
    return give(tar, &header, sizeof(header), err);
}

static size_t digits(size_t number)
{
    size_t count = 1;

    while (number >= 10) {
        number /= 10;
        count++;
    }
    return count;
}

/* "27 path=...\n": the number counts itself. Takes records. */
static char *add_record(char *records, const char *key, const char *value)
{
    size_t rest = strlen(key) + strlen(value) + sizeof(" =\n") - 1;
    size_t len = rest + digits(rest);
    char *longer;

    len = rest + digits(len);
    longer = xasprintf("%s%zu %s=%s\n", records, len, key, value);
    free(records);
    return longer;
}

static bool give_extended(struct tar *tar, const char *records, int64_t mtime, struct err *err)
{
    const struct tar_entry entry = {
        .path = "pax", .mode = S_IFREG | 0644, .size_bytes = strlen(records), .mtime = mtime};

    return give_header(tar, &entry, 'x', err) && give(tar, records, strlen(records), err) &&
           fill_block(tar, err);
}

static char *records_of(const struct tar_entry *entry)
{
    char *records = xstrdup("");

    if (strlen(entry->path) > sizeof(((struct header *)NULL)->name))
        records = add_record(records, "path", entry->path);
    if (entry->target != NULL && strlen(entry->target) > sizeof(((struct header *)NULL)->link))
        records = add_record(records, "linkpath", entry->target);
    if (entry->size_bytes > NUMBER_MAX) {
        cleanup_free char *size = xasprintf("%llu", (unsigned long long)entry->size_bytes);

        records = add_record(records, "size", size);
    }
    return records;
}

bool tar_entry(struct tar *tar, const struct tar_entry *entry, struct err *err)
{
    struct tar_entry plain = *entry;
    cleanup_free char *path = xasprintf("%s%s", entry->path, S_ISDIR(entry->mode) ? "/" : "");
    cleanup_free char *records = NULL;
    char type = '0';

    assert(tar->missing_bytes == 0);
    plain.path = path;
    if (!S_ISREG(entry->mode)) {
        plain.size_bytes = 0;
        type = S_ISDIR(entry->mode) ? '5' : '2';
    }
    records = records_of(&plain);
    tar->missing_bytes = plain.size_bytes;
    return (records[0] == '\0' || give_extended(tar, records, entry->mtime, err)) &&
           give_header(tar, &plain, type, err);
}

bool tar_data(struct tar *tar, const void *data, size_t size, struct err *err)
{
    assert(size <= tar->missing_bytes);
    tar->missing_bytes -= size;
    return give(tar, data, size, err) && (tar->missing_bytes > 0 || fill_block(tar, err));
}

bool tar_end(struct tar *tar, struct err *err)
{
    static const char zeros[2 * BLOCK];

    assert(tar->missing_bytes == 0);
    return give(tar, zeros, sizeof(zeros), err);
}

bool tar_file(struct tar *tar, const char *path, const void *data, size_t size, int64_t mtime,
              struct err *err)
{
    const struct tar_entry entry = {
        .path = path, .mode = S_IFREG | 0644, .size_bytes = size, .mtime = mtime};

    return tar_entry(tar, &entry, err) && tar_data(tar, data, size, err);
}
