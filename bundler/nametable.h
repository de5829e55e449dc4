/* SPDX-License-Identifier: MIT */
#pragma once
/*
 * Makes the name table of an image (common/nametable.h) from its final tree.
 *
 * The sizes of directories are known only when the image's metadata has been laid out, which needs
 * the size of the table: so it is made first, and the sizes are set later. The same tree gives the
 * same bytes.
 */
#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>
#include <sys/types.h>

struct err;

struct nametable_node {
    const char *path;    /* image path; "" is the root */
    const char *target;  /* of a symlink, else NULL */
    mode_t mode;         /* type and permissions */
    uint64_t size_bytes; /* of a file */
};

struct nametable {
    char *bytes;
    size_t size_bytes;
};

/*
 * nodes[i] has inode number i + 1; the root is first, parents come before all that is below them,
 * and that follows without a gap (plan_path_compare()). nodes[self] is the table's own file, whose
 * size is set here. ERR_INPUT for a tree that no image can hold, either.
 */
[[nodiscard]] bool nametable_make(struct nametable *ret, const struct nametable_node *nodes,
                                  size_t count, size_t self, uint32_t mtime, struct err *err);
void nametable_release(struct nametable *table);

/* Of nodes[index], now that it is known. */
void nametable_set_size(struct nametable *table, size_t index, uint64_t size_bytes);
