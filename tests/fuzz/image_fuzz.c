/* SPDX-License-Identifier: MIT */
/* Everything that can be asked of an image: superblock, tables, inodes, directories, symlinks,
 * data. Mirrors sqfs.c. */
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>

#include "common/err.h"
#include "runtime/stub/sqfs.h"
#include "tests/fuzz/fuzz.h"

/* Bounds of one input's time; the image's own are far wider. */
enum { DIRECTORIES_MAX = 64, NODES_MAX = 1000, READ_SIZE = 1 << 16 };

static volatile uint8_t last_byte;

struct search {
    struct sqfs_image *image;
    uint64_t directories[DIRECTORIES_MAX];
    size_t found, nodes;
};

static void read_at(struct search *search, const struct sqfs_node *node, uint64_t offset)
{
    static uint8_t buf[READ_SIZE];
    struct err err;
    uint64_t hole;
    size_t got;

    if (!sqfs_image_read(search->image, node->ref, offset, buf, sizeof(buf), &got, &err))
        return;
    FUZZ_ASSERT(got <= sizeof(buf));
    FUZZ_ASSERT(sqfs_image_hole(search->image, node->ref, offset, got, &hole, &err));
    FUZZ_ASSERT(hole <= got && (hole == 0 || buf[hole - 1] == 0));
    FUZZ_ASSERT(offset >= node->size || got <= node->size - offset);
    FUZZ_ASSERT(got == sizeof(buf) || offset >= node->size || offset + got == node->size);
}

static void look_at_xattrs(struct search *search, uint64_t ref)
{
    struct sqfs_xattrs xattrs;
    struct err err;

    if (!sqfs_image_xattrs(search->image, ref, &xattrs, &err))
        return;
    FUZZ_ASSERT(xattrs.count == 0 || sqfs_image_has_xattrs(search->image));
    for (size_t i = 0; i < xattrs.count; i++) {
        const struct sqfs_xattr *xattr = &xattrs.entries[i];

        FUZZ_ASSERT(strlen(xattr->name) == xattr->name_len);
        FUZZ_ASSERT(xattr->name_len <= SQFS_XATTR_NAME_MAX);
        FUZZ_ASSERT(xattr->value_size <= SQFS_XATTR_VALUE_MAX);
        if (xattr->value_size > 0) /* is it readable? */
            last_byte = ((const uint8_t *)xattr->value)[xattr->value_size - 1];
        FUZZ_ASSERT(sqfs_xattrs_find(&xattrs, xattr->name) != NULL);
    }
    sqfs_xattrs_release(&xattrs);
}

static void look_at(struct search *search, uint64_t ref)
{
    struct sqfs_node node;
    struct err err;
    char *target;

    search->nodes++;
    if (!sqfs_image_node(search->image, ref, &node, &err))
        return;
    FUZZ_ASSERT(node.ref == ref && (node.mode & S_IFMT) != 0);
    if (S_ISDIR(node.mode) && search->found < DIRECTORIES_MAX)
        search->directories[search->found++] = ref;
    if (sqfs_image_target(search->image, ref, &target, &err)) {
        FUZZ_ASSERT(strlen(target) == node.size && node.size > 0);
        free(target);
    }
    look_at_xattrs(search, ref);
    read_at(search, &node, 0);
    read_at(search, &node, node.size / 2);
    read_at(search, &node, node.size > 100 ? node.size - 100 : 1);
}

static void check_entry(const struct sqfs_list *list, size_t i)
{
    const struct sqfs_entry *entry = &list->entries[i];

    FUZZ_ASSERT(strlen(entry->name) == entry->name_len);
    FUZZ_ASSERT(entry->name_len > 0 && entry->name_len <= SQFS_NAME_MAX);
    FUZZ_ASSERT(strchr(entry->name, '/') == NULL);
    FUZZ_ASSERT(strcmp(entry->name, ".") != 0 && strcmp(entry->name, "..") != 0);
    FUZZ_ASSERT(i == 0 || strcmp(list->entries[i - 1].name, entry->name) < 0);
    FUZZ_ASSERT(sqfs_list_find(list, entry->name, entry->name_len) == entry);
}

static void look_into(struct search *search, uint64_t ref)
{
    struct sqfs_list list;
    struct err err;

    if (!sqfs_image_list(search->image, ref, &list, &err))
        return;
    for (size_t i = 0; i < list.count && search->nodes < NODES_MAX; i++) {
        check_entry(&list, i);
        look_at(search, list.entries[i].ref);
    }
    sqfs_list_release(&list);
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
    struct search search = {0};
    struct err err = {0};
    uint64_t any = 0;

    if (!sqfs_image_open(&search.image, fuzz_file(data, size), 0, size, &err)) {
        FUZZ_ASSERT(err.msg[0] != '\0');
        return 0;
    }
    /* A ref of no inode at all, as a kernel that mounts a hostile image could ask for. */
    memcpy(&any, data + size - sizeof(any), sizeof(any));
    look_at(&search, any);
    look_at(&search, sqfs_image_root(search.image));
    for (size_t i = 0; i < search.found && search.nodes < NODES_MAX; i++)
        look_into(&search, search.directories[i]);
    sqfs_image_free(search.image);
    return 0;
}
