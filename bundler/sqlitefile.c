/* SPDX-License-Identifier: MIT */
#include "bundler/sqlitefile.h"

#include <errno.h>
#include <stdbool.h>
#include <stddef.h>
#include <string.h>
#include <unistd.h>

#include "common/cleanup.h"
#include "common/xalloc.h"

#define MAGIC "SQLite format 3" /* and a NUL */

enum {
    HEADER_SIZE = 100, /* in front of the first page's own */
    FREE_PAGES = 36,   /* of the header: their number */
    LOG_HEADER_SIZE = 32,
    PAGE_MAX = 65536,
    DEPTH_MAX = 20,
    PAGES_MAX = 10000, /* of the schema; more is no honest one */
    NAME_MAX_BYTES = 64,

    INTERIOR_INDEX = 2,
    INTERIOR_TABLE = 5,
    LEAF_INDEX = 10,
    LEAF_TABLE = 13,
};

struct database {
    int fd;
    uint32_t page_size;
    uint32_t usable; /* of a page */
    uint32_t page_count;
    uint32_t pages_read;
    size_t text_step;  /* bytes of an ASCII character: 1 or 2 */
    size_t text_place; /* which of them is it */
    bool has_rows;
};

/* A page in memory, and where its own header is. */
struct page {
    uint8_t *bytes;
    size_t header;
    size_t size;
};

static uint32_t get16(const uint8_t *at)
{
    return (uint32_t)(at[0] << 8 | at[1]);
}

static uint32_t get32(const uint8_t *at)
{
    return get16(at) << 16 | get16(at + 2);
}

static bool read_at(int fd, void *buffer, size_t size, uint64_t offset)
{
    ssize_t length;

    do
        length = pread(fd, buffer, size, (off_t)offset);
    while (length < 0 && errno == EINTR);
    return length == (ssize_t)size;
}

/* To be freed; NULL when there is no such page. */
static uint8_t *read_page(struct database *database, uint32_t number, struct page *ret)
{
    uint8_t *bytes;

    if (number == 0 || number > database->page_count || ++database->pages_read > PAGES_MAX)
        return NULL;
    bytes = xcalloc(database->page_size, 1);
    if (!read_at(database->fd, bytes, database->page_size,
                 (uint64_t)(number - 1) * database->page_size)) {
        free(bytes);
        return NULL;
    }
    *ret = (struct page){bytes, number == 1 ? HEADER_SIZE : 0, database->page_size};
    return bytes;
}

/* Big-endian, 7 bits a byte, 8 in the ninth. False behind the end. */
static bool get_varint(const uint8_t *bytes, size_t size, size_t *at, uint64_t *ret)
{
    uint64_t value = 0;

    for (int i = 0; i < 9; i++) {
        uint8_t byte;

        if (*at >= size)
            return false;
        byte = bytes[(*at)++];
        if (i == 8) {
            *ret = value << 8 | byte;
            return true;
        }
        value = value << 7 | (byte & 0x7f);
        if (byte < 0x80)
            break;
    }
    *ret = value;
    return true;
}

/* Bytes of a value of that serial type. */
static uint64_t size_of(uint64_t type)
{
    static const uint8_t sizes[] = {0, 1, 2, 3, 4, 6, 8, 8, 0, 0, 0, 0};

    return type < sizeof(sizes) ? sizes[type] : (type - 12) / 2;
}

/* How much of a payload stands in a leaf ("Cell Payload Overflow Pages"). */
static uint64_t local_size(const struct database *database, uint64_t payload)
{
    uint64_t usable = database->usable;
    uint64_t least = (usable - 12) * 32 / 255 - 23;
    uint64_t some;

    if (payload <= usable - 35)
        return payload;
    some = least + (payload - least) % (usable - 4);
    return some <= usable - 35 ? some : least;
}

/* A text of ASCII, at most NAME_MAX_BYTES of it. */
static void get_text(const struct database *database, const uint8_t *at, uint64_t size,
                     char ret[NAME_MAX_BYTES + 1])
{
    size_t length = 0;

    for (uint64_t i = database->text_place; i < size && length < NAME_MAX_BYTES;
         i += database->text_step)
        ret[length++] = (char)at[i];
    ret[length] = '\0';
}

/* What SQLite and migrations keep for themselves says nothing of anybody. */
static bool is_own_table(const char *name)
{
    return strncmp(name, "sqlite_", 7) == 0 || strcmp(name, "schema_migrations") == 0 ||
           strcmp(name, "ar_internal_metadata") == 0;
}

/* The first page of a table. */
static bool look_at_table(struct database *database, uint32_t root)
{
    struct page page;
    cleanup_free uint8_t *bytes = read_page(database, root, &page);
    uint8_t type;

    if (bytes == NULL)
        return false;
    type = bytes[page.header];
    if (type != LEAF_TABLE && type != LEAF_INDEX && type != INTERIOR_TABLE &&
        type != INTERIOR_INDEX)
        return false;
    database->has_rows |=
        type == INTERIOR_TABLE || type == INTERIOR_INDEX || get16(bytes + page.header + 3) > 0;
    return true;
}

/* One row of the schema: type, name, table's name, first page, SQL. */
static bool look_at_record(struct database *database, const uint8_t *record, size_t size)
{
    uint64_t header_size;
    uint64_t types[4];
    uint64_t offsets[4];
    uint64_t offset;
    uint64_t root = 0;
    char text[NAME_MAX_BYTES + 1];
    size_t at = 0;

    if (!get_varint(record, size, &at, &header_size) || header_size > size)
        return false;
    offset = header_size;
    for (size_t i = 0; i < 4; i++) {
        if (!get_varint(record, (size_t)header_size, &at, &types[i]) ||
            size_of(types[i]) > size - offset)
            return false;
        offsets[i] = offset;
        offset += size_of(types[i]);
    }
    get_text(database, record + offsets[0], size_of(types[0]), text);
    if (strcmp(text, "table") != 0)
        return true;
    get_text(database, record + offsets[1], size_of(types[1]), text);
    if (types[3] > 9 || size_of(types[3]) > 4)
        return false;
    for (size_t i = 0; i < size_of(types[3]); i++)
        root = root << 8 | record[offsets[3] + i];
    if (types[3] == 9)
        root = 1;
    /* A virtual table has no page. */
    return root == 0 || is_own_table(text) || look_at_table(database, (uint32_t)root);
}

static bool look_at_cell(struct database *database, const struct page *page, size_t at)
{
    uint64_t payload;
    uint64_t rowid;
    uint64_t local;

    if (!get_varint(page->bytes, page->size, &at, &payload) ||
        !get_varint(page->bytes, page->size, &at, &rowid) || payload > INT32_MAX)
        return false;
    local = local_size(database, payload);
    return local <= page->size - at && look_at_record(database, page->bytes + at, (size_t)local);
}

/* A page of the schema's tree, and those below it. */
static bool look_at_schema(struct database *database, uint32_t number, int depth) /* NOLINT */
{
    struct page page;
    cleanup_free uint8_t *bytes = NULL;
    bool is_leaf;
    size_t cells;

    bytes = depth > DEPTH_MAX ? NULL : read_page(database, number, &page);
    if (bytes == NULL)
        return false;
    is_leaf = bytes[page.header] == LEAF_TABLE;
    if (!is_leaf && bytes[page.header] != INTERIOR_TABLE)
        return false;
    cells = get16(bytes + page.header + 3);
    for (size_t i = 0; i < cells && !database->has_rows; i++) {
        size_t pointer = page.header + (is_leaf ? 8 : 12) + 2 * i;
        size_t at = pointer + 2 <= page.size ? get16(bytes + pointer) : page.size;

        if (at + 4 > page.size)
            return false;
        if (is_leaf ? !look_at_cell(database, &page, at)
                    : !look_at_schema(database, get32(bytes + at), depth + 1))
            return false;
    }
    return is_leaf || database->has_rows ||
           look_at_schema(database, get32(bytes + page.header + 8), depth + 1);
}

/* A write-ahead log behind its header, or a rollback journal: pages of a database, as they are or
 * as they were ("The Write-Ahead Log", "The Rollback Journal"). */
static bool is_log(const uint8_t *head, uint64_t size_bytes)
{
    static const uint8_t journal[] = {0xd9, 0xd5, 0x05, 0xf9, 0x20, 0xa1, 0x63, 0xd7};

    return ((get32(head) & ~1u) == 0x377f0682 && size_bytes > LOG_HEADER_SIZE) ||
           memcmp(head, journal, sizeof(journal)) == 0;
}

enum sqlitefile_kind sqlitefile_look(int fd, uint64_t size_bytes)
{
    struct database database = {.fd = fd};
    uint8_t header[HEADER_SIZE];
    uint32_t encoding;

    if (size_bytes < 16 || !read_at(fd, header, 16, 0))
        return SQLITEFILE_NONE;
    if (is_log(header, size_bytes))
        return SQLITEFILE_ROWS;
    if (memcmp(header, MAGIC, sizeof(MAGIC)) != 0)
        return SQLITEFILE_NONE;
    if (size_bytes < sizeof(header) || !read_at(fd, header, sizeof(header), 0))
        return SQLITEFILE_UNREADABLE;
    database.page_size = get16(header + 16) == 1 ? PAGE_MAX : get16(header + 16);
    if (database.page_size < 512 || (database.page_size & (database.page_size - 1)) != 0 ||
        database.page_size - header[20] < 480)
        return SQLITEFILE_UNREADABLE;
    database.usable = database.page_size - header[20];
    database.page_count = size_bytes / database.page_size > UINT32_MAX
                              ? UINT32_MAX
                              : (uint32_t)(size_bytes / database.page_size);
    encoding = get32(header + 56); /* 0, before the first table: any */
    database.text_step = encoding == 2 || encoding == 3 ? 2 : 1;
    database.text_place = encoding == 3 ? 1 : 0;
    if (!look_at_schema(&database, 1, 0))
        return SQLITEFILE_UNREADABLE;
    /* Pages that are free have what stood in them. */
    return database.has_rows || get32(header + FREE_PAGES) != 0 ? SQLITEFILE_ROWS
                                                                : SQLITEFILE_EMPTY;
}
