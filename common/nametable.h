/* SPDX-License-Identifier: MIT */
#pragma once
/*
 * The name table of an image (FORMAT_NAMES): its only definition. docs/format.md describes it.
 *
 *     struct nametable_header
 *     struct nametable_entry[count]     in the order of inode numbers; entry 0 is the root
 *     uint32_t[1 << slot_bits]          the hash table
 *     char[strings_size]                the names of all entries, then the targets of symlinks,
 *                                       without a NUL
 *
 * Entry i has inode number i + 1; parents come before their children. All integers are
 * little-endian. Every section begins at a multiple of 8 or at the end of one that ends at a
 * multiple of 4, so that the mapped file can be used as it is.
 *
 * The table is looked up by the hash of a whole path below the root ("app/config.ru"), which is
 * found at the slot that the hash names or, at most probe_max slots, behind it. A slot is the
 * number of an entry, or 0. Whether the entry has that path is seen by the names from it up to the
 * root.
 *
 * A reader checks the header once, and each number when it uses it. Nothing here uses a libc: the
 * guest object reads the table.
 */
#include <assert.h>
#include <stddef.h>
#include <stdint.h>

#define NAMETABLE_MAGIC "RSNAMES"

enum {
    NAMETABLE_VERSION = 1,
    NAMETABLE_SLOT_BITS_MAX = 26,
    NAMETABLE_COUNT_MAX = 1 << 24,
    NAMETABLE_PROBE_MAX = 4096,
    NAMETABLE_NAME_MAX = 255, /* bytes of one name */
};

struct nametable_header {
    uint8_t magic[8]; /* with its NUL */
    uint32_t version;
    uint32_t count;
    uint32_t slot_bits;
    uint32_t probe_max;
    uint32_t self;  /* the entry of the table's own file */
    uint32_t mtime; /* of every inode, seconds since the epoch */
    uint64_t size;  /* of the file, bytes */
    uint32_t strings_size;
    uint32_t names_size; /* of the strings, those that are names */
};

struct nametable_entry {
    uint64_t size;   /* as st_size: of a file, of a directory's listing, of a symlink's target */
    uint32_t parent; /* the root's is itself */
    uint32_t name;   /* offset in the strings; it ends where the next entry's begins */
    uint32_t extra;  /* directory: st_nlink; symlink: offset of the target; else 0 */
    uint16_t mode;   /* type and permissions, as st_mode */
    uint16_t reserved;
};

static_assert(sizeof(struct nametable_header) == 48);
static_assert(sizeof(struct nametable_entry) == 24);

/* FNV-1a, 64 bits (draft-eastlake-fnv): it can be continued from any prefix of a path. */
static const uint64_t nametable_hash_empty = UINT64_C(0xcbf29ce484222325);

/* hash: of all bytes before, nametable_hash_empty of none. */
static inline uint64_t nametable_hash_byte(uint64_t hash, char byte)
{
    return (hash ^ (uint8_t)byte) * UINT64_C(0x100000001b3);
}

static inline uint64_t nametable_hash(uint64_t hash, const char *text, size_t len)
{
    for (size_t i = 0; i < len; i++)
        hash = nametable_hash_byte(hash, text[i]);
    return hash;
}

/* The low bits of an FNV hash alone are poor: the high ones are folded in. */
static inline uint32_t nametable_slot(uint64_t hash, uint32_t slot_bits)
{
    return (uint32_t)((hash ^ hash >> 32) & ((UINT64_C(1) << slot_bits) - 1));
}

/* Length of an entry's name; of damaged entries it may be anything. */
static inline uint32_t nametable_name_len(const struct nametable_header *header,
                                          const struct nametable_entry *entries, uint32_t index)
{
    uint32_t end = index + 1 < header->count ? entries[index + 1].name : header->names_size;

    return end - entries[index].name;
}

/* Offsets of the sections; only for a header that nametable_is_valid(). */
static inline size_t nametable_slots_at(const struct nametable_header *header)
{
    return sizeof(*header) + (size_t)header->count * sizeof(struct nametable_entry);
}

static inline size_t nametable_strings_at(const struct nametable_header *header)
{
    return nametable_slots_at(header) + (sizeof(uint32_t) << header->slot_bits);
}

/* Whether the header of a file of so many bytes can be believed: then all sections lie inside. */
static inline int nametable_is_valid(const struct nametable_header *header, uint64_t file_size)
{
    static const char magic[8] = NAMETABLE_MAGIC;

    if (file_size < sizeof(*header))
        return 0;
    for (size_t i = 0; i < sizeof(magic); i++)
        if (header->magic[i] != (uint8_t)magic[i])
            return 0;
    return header->version == NAMETABLE_VERSION && header->size == file_size && header->count > 0 &&
           header->count <= NAMETABLE_COUNT_MAX && header->self < header->count &&
           header->slot_bits <= NAMETABLE_SLOT_BITS_MAX &&
           header->probe_max <= NAMETABLE_PROBE_MAX && header->names_size <= header->strings_size &&
           nametable_strings_at(header) + header->strings_size == file_size;
}
