/* SPDX-License-Identifier: MIT */
#include "bundler/listing.h"

#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "bundler/image.h"
#include "bundler/report.h"
#include "bundler/weight.h"
#include "common/cleanup.h"
#include "common/text.h"
#include "common/xalloc.h"

/* What has one name in one directory: files [first, first + count) of those sorted by path. */
struct branch {
    size_t first;
    size_t count;
    size_t name_len;
    bool is_directory;
    uint64_t bytes;
    uint64_t packed;
};

struct listing {
    const struct weights *files;
    unsigned int depth;
};

/* All of a directory in one piece: '/' sorts before every other byte. */
static int by_path(const void *a, const void *b)
{
    const char *x = ((const struct weight *)a)->name;
    const char *y = ((const struct weight *)b)->name;

    while (*x != '\0' && *x == *y) {
        x++;
        y++;
    }
    return (*x == '/' ? 1 : (unsigned char)*x * 2) - (*y == '/' ? 1 : (unsigned char)*y * 2);
}

static int by_packed(const void *a, const void *b)
{
    const struct branch *x = a;
    const struct branch *y = b;

    if (x->packed != y->packed)
        return x->packed < y->packed ? 1 : -1;
    return (x->first > y->first) - (x->first < y->first);
}

/* The names of one directory, which skip bytes of each path lead to. */
static struct branch *branches_of(const struct listing *listing, const struct branch *directory,
                                  size_t skip, size_t *ret_count)
{
    struct branch *branches = NULL;
    size_t capacity = 0;
    size_t count = 0;

    for (size_t i = directory->first; i < directory->first + directory->count; i++) {
        const struct weight *file = &listing->files->items[i];
        const char *name = file->name + skip;
        size_t len = strcspn(name, "/");
        struct branch *last = count > 0 ? &branches[count - 1] : NULL;

        if (last == NULL || last->name_len != len ||
            memcmp(listing->files->items[last->first].name + skip, name, len) != 0) {
            branches = xgrow(branches, &capacity, count, sizeof(*branches));
            last = &branches[count++];
            *last = (struct branch){.first = i, .name_len = len, .is_directory = name[len] == '/'};
        }
        last->count++;
        last->bytes += file->bytes;
        last->packed += file->packed;
    }
    if (count > 0)
        qsort(branches, count, sizeof(*branches), by_packed);
    *ret_count = count;
    return branches;
}

static void print_branch(const struct branch *branch, const char *name, unsigned int level)
{
    cleanup_free char *shown = text_visible(name);
    cleanup_free char *packed = report_size(branch->packed);
    cleanup_free char *bytes = report_size(branch->bytes);

    printf("%10s%10s  %*s%s", packed, bytes, 2 * (int)level, "", shown);
    if (branch->is_directory)
        printf("/ (%zu file%s)", branch->count, branch->count == 1 ? "" : "s");
    putchar('\n');
}

/* The image is not deeper than 128 directories. */
static void print_directory(const struct listing *listing, const struct branch *directory,
                            size_t skip, unsigned int level)
{
    size_t count;
    cleanup_free struct branch *branches = branches_of(listing, directory, skip, &count);

    for (size_t i = 0; i < count; i++) {
        const struct branch *branch = &branches[i];
        cleanup_free char *name =
            xstrndup(listing->files->items[branch->first].name + skip, branch->name_len);

        print_branch(branch, name, level);
        if (branch->is_directory && level + 1 < listing->depth)
            print_directory(listing, branch, skip + branch->name_len + 1, level + 1);
    }
}

bool listing_print(struct image *image, unsigned int depth, struct err *err)
{
    cleanup_with(weights_release) struct weights files = {0};
    struct listing listing = {.files = &files, .depth = depth};
    struct branch root = {0};

    if (!weights_read_files(&files, image, err))
        return false;
    if (files.count > 0)
        qsort(files.items, files.count, sizeof(*files.items), by_path);
    root.count = files.count;
    printf("%10s%10s\n", "in file", "unpacked");
    if (depth > 0)
        print_directory(&listing, &root, 0, 0);
    return true;
}
