/* SPDX-License-Identifier: MIT */
#include "pack.h"

#include <string.h>

enum {
    BLOB_SIZE_AT = 12, /* of ibf_header: magic, two versions, size */
    BLOB_MIN = 36,
    NUMBER_MAX = 9, /* bytes of an ibf number */
};

bool pack_open(struct pack *ret, const void *bytes, size_t size, const char *root)
{
    const struct iseqpack_header *header = bytes;

    if (size < sizeof(*header) || size > PACK_MAX ||
        memcmp(header->magic, ISEQPACK_MAGIC, sizeof(header->magic)) != 0 ||
        header->count > (size - sizeof(*header)) / sizeof(struct iseqpack_entry))
        return false;
    *ret = (struct pack){
        .bytes = bytes,
        .size = size,
        .entries = (const struct iseqpack_entry *)(header + 1),
        .count = header->count,
        .root = root,
        .root_size = strlen(root),
    };
    return true;
}

static bool holds(const struct pack *pack, uint64_t offset, uint64_t size)
{
    return offset <= pack->size && size <= pack->size - offset;
}

static uint32_t word_at(const unsigned char *at)
{
    uint32_t word;

    memcpy(&word, at, sizeof(word));
    return word;
}

/* An ibf number (ibf_load_small_value): zero bits at the low end of the first byte, then a one,
 * tell how many bytes follow. Returns how many it has, 0 for what is none. */
static size_t read_number(const unsigned char *at, size_t room, uint64_t *ret)
{
    size_t size = room == 0 ? 0 : at[0] == 0 ? NUMBER_MAX : (size_t)__builtin_ctz(at[0]) + 1;

    if (size == 0 || size > room)
        return 0;
    *ret = size >= NUMBER_MAX ? 0 : (uint64_t)at[0] >> size;
    for (size_t i = 1; i < size; i++)
        *ret = *ret << 8 | at[i];
    return size;
}

static size_t write_number(unsigned char *to, uint64_t value)
{
    size_t size = 1;

    while (size < NUMBER_MAX - 1 && value >> (7 * size) != 0)
        size++;
    for (size_t i = size; i-- > 1; value >>= 8)
        to[i] = (unsigned char)value;
    to[0] = (unsigned char)((value << size) | (1u << (size - 1)));
    return size;
}

/* A text of a blob: its object's first byte and encoding, then its bytes. */
struct text {
    const unsigned char *head;
    size_t head_size;
    const unsigned char *bytes;
    size_t size;
};

static bool read_text(const unsigned char *blob, size_t blob_size, uint32_t offset,
                      struct text *ret)
{
    uint64_t number;
    size_t encoding;
    size_t length;

    if (offset >= blob_size)
        return false;
    ret->head = blob + offset;
    encoding = read_number(ret->head + 1, blob_size - offset - 1, &number);
    if (encoding == 0)
        return false;
    ret->head_size = 1 + encoding;
    length = read_number(ret->head + ret->head_size, blob_size - offset - ret->head_size, &number);
    ret->bytes = ret->head + ret->head_size + length;
    ret->size = (size_t)number;
    return length != 0 && number <= blob_size - offset - ret->head_size - length;
}

/* Where the mark stands, or the end. */
static size_t find_mark(const unsigned char *bytes, size_t size, size_t from)
{
    static const char mark[] = ISEQPACK_ROOT;

    for (size_t at = from; at + sizeof(mark) - 1 <= size; at++)
        if (memcmp(bytes + at, mark, sizeof(mark) - 1) == 0)
            return at;
    return size;
}

static size_t rooted_size(const struct pack *pack, const struct text *text)
{
    size_t size = text->size;

    for (size_t at = 0; (at = find_mark(text->bytes, text->size, at)) < text->size;
         at += sizeof(ISEQPACK_ROOT) - 1)
        size += pack->root_size - (sizeof(ISEQPACK_ROOT) - 1);
    return size;
}

/* The object's first byte, and its encoding: one that was UTF-8 is this one. */
static size_t write_head(unsigned char *to, const struct text *text, enum pack_encoding encoding)
{
    uint64_t number;

    memcpy(to, text->head, text->head_size);
    if (read_number(to + 1, text->head_size - 1, &number) == 1 && number == PACK_UTF_8)
        (void)write_number(to + 1, encoding);
    return text->head_size;
}

/* The object once more, with the root in the place of the mark. Returns what it wrote. */
static size_t write_rooted(const struct pack *pack, unsigned char *to, const struct text *text,
                           enum pack_encoding encoding)
{
    unsigned char *start = to;
    size_t from = 0;

    to += write_head(to, text, encoding);
    to += write_number(to, rooted_size(pack, text));
    while (from < text->size) {
        size_t at = find_mark(text->bytes, text->size, from);

        memcpy(to, text->bytes + from, at - from);
        to += at - from;
        from = at;
        if (at < text->size) {
            memcpy(to, pack->root, pack->root_size);
            to += pack->root_size;
            from += sizeof(ISEQPACK_ROOT) - 1;
        }
    }
    return (size_t)(to - start);
}

/* The n-th text of an entry: where the word is that points to it, and what it points to. */
static bool text_of(const struct pack *pack, const struct iseqpack_entry *entry, uint32_t n,
                    uint32_t *ret_word, struct text *ret)
{
    const unsigned char *blob = pack->bytes + entry->blob_offset;
    uint32_t word = word_at(pack->bytes + entry->texts_offset + (size_t)n * sizeof(uint32_t));

    if (word > entry->blob_size - sizeof(uint32_t))
        return false;
    *ret_word = word;
    return read_text(blob, entry->blob_size, word_at(blob + word), ret);
}

static bool is_sound(const struct pack *pack, const struct iseqpack_entry *entry)
{
    return entry->blob_size >= BLOB_MIN && holds(pack, entry->blob_offset, entry->blob_size) &&
           holds(pack, entry->texts_offset, (uint64_t)entry->texts_count * sizeof(uint32_t));
}

size_t pack_measure(const struct pack *pack, const struct iseqpack_entry *entry)
{
    size_t size = entry->blob_size;
    struct text text;
    uint32_t word;

    for (uint32_t i = 0; i < entry->texts_count; i++) {
        if (!text_of(pack, entry, i, &word, &text))
            return 0;
        size += text.head_size + NUMBER_MAX + rooted_size(pack, &text);
        if (size > PACK_MAX)
            return 0;
    }
    return size;
}

/* A copy whose object list points to texts for this root, behind it. */
void pack_fill(const struct pack *pack, const struct iseqpack_entry *entry,
               enum pack_encoding encoding, unsigned char *to, size_t room)
{
    size_t size = entry->blob_size;
    uint32_t total;
    struct text text;
    uint32_t word;

    memcpy(to, pack->bytes + entry->blob_offset, entry->blob_size);
    for (uint32_t i = 0; i < entry->texts_count && text_of(pack, entry, i, &word, &text); i++) {
        uint32_t offset = (uint32_t)size;

        size += write_rooted(pack, to + size, &text, encoding);
        memcpy(to + word, &offset, sizeof(offset));
    }
    memset(to + size, 0, room - size);
    total = (uint32_t)room;
    memcpy(to + BLOB_SIZE_AT, &total, sizeof(total));
}

static int compare(const struct pack *pack, const char *path, size_t size,
                   const struct iseqpack_entry *entry)
{
    size_t least = size < entry->path_size ? size : entry->path_size;
    int order = memcmp(path, pack->bytes + entry->path_offset, least);

    return order != 0 ? order : (size > entry->path_size) - (size < entry->path_size);
}

const struct iseqpack_entry *pack_find(const struct pack *pack, const char *path)
{
    size_t size = strlen(path);
    uint32_t low = 0;
    uint32_t high = pack->count;

    while (low < high) {
        uint32_t middle = low + (high - low) / 2;
        const struct iseqpack_entry *entry = &pack->entries[middle];
        int order;

        if (!holds(pack, entry->path_offset, entry->path_size))
            return NULL;
        order = compare(pack, path, size, entry);
        if (order == 0)
            return is_sound(pack, entry) ? entry : NULL;
        if (order < 0)
            high = middle;
        else
            low = middle + 1;
    }
    return NULL;
}
