/* SPDX-License-Identifier: MIT */
/*
 * A bundle as the tool reads it: ELF header, sections, our header with its signature, the trailer
 * of a capsule, and the image. What is accepted fits the file. Mirrors bundle.c, signature.c,
 * trailer.c and image.c.
 */
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "bundler/bundle.h"
#include "bundler/image.h"
#include "bundler/jdoc.h"
#include "bundler/weight.h"
#include "common/err.h"
#include "common/signature.h"
#include "tests/fuzz/fuzz.h"

enum { MANIFEST_MAX = 1 << 20 };

/* libsquashfs allocates what an inode says it needs before it reads any of it: 4 GB of a symlink
 * are its word for a damaged one. Here there are none, as on a machine that is full, and the error
 * is ours. */
const char *__asan_default_options(void);
const char *__asan_default_options(void)
{
    return "allocator_may_return_null=1:max_allocation_size_mb=256";
}

static void check_header(const struct bundle *bundle, size_t size)
{
    const struct format_header *header = &bundle->header;
    uint64_t end = header->image_offset + header->image_size;
    struct err err = {0};

    FUZZ_ASSERT(bundle->file_size == size && end <= size && header->image_size > 0);
    FUZZ_ASSERT(bundle->section_offset + sizeof(*header) <= header->image_offset);
    FUZZ_ASSERT(strnlen(header->name, sizeof(header->name)) < sizeof(header->name));
    if (!signature_check(bundle->fd, bundle->section_offset, end, &header->signature, NULL, &err))
        FUZZ_ASSERT(err.msg[0] != '\0');
}

static void look_inside(const struct bundle *bundle)
{
    struct weights weights = {0};
    struct jdoc *manifest = NULL;
    struct image *image;
    struct err err = {0};
    char *text = NULL;
    size_t size;

    if (!image_open(&image, bundle->fd, bundle->header.image_offset, bundle->header.image_size,
                    &err)) {
        FUZZ_ASSERT(err.msg[0] != '\0');
        return;
    }
    if (image_read(image, FORMAT_MANIFEST, MANIFEST_MAX, &text, &size, &err)) {
        FUZZ_ASSERT(size <= MANIFEST_MAX && text[size] == '\0');
        manifest = jdoc_parse(text, size, &err);
    }
    if (weights_read(&weights, image, manifest, &err))
        FUZZ_ASSERT(weights.count == 0 || weights.items != NULL);
    weights_release(&weights);
    jdoc_free(manifest);
    free(text);
    image_free(image);
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
    struct bundle_findings findings;
    struct bundle bundle;
    struct err err = {0};
    char path[64];

    (void)snprintf(path, sizeof(path), "/proc/self/fd/%d", fuzz_file(data, size));
    if (!bundle_open(&bundle, path, &err)) {
        FUZZ_ASSERT(err.msg[0] != '\0' && err.hint[0] != '\0');
        return 0;
    }
    check_header(&bundle, size);
    if (!bundle_verify(&bundle, &findings, &err))
        FUZZ_ASSERT(err.msg[0] != '\0');
    look_inside(&bundle);
    bundle_close(&bundle);
    return 0;
}
