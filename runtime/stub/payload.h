/* SPDX-License-Identifier: MIT */
#pragma once
/*
 * The file that carries the image: the stub's own, or the one TARGET_APPIMAGE names.
 *
 * The image starts where the ELF ends (AppImage specification, type 2). One descriptor is opened
 * and kept: what was checked is what gets mounted, whatever happens to the path meanwhile.
 */
#include <stdbool.h>
#include <stdint.h>
#include <sys/stat.h>

#include "common/format.h"

struct err;

struct payload {
    int fd;                      /* read-only, close-on-exec */
    char *path;                  /* absolute, symlinks resolved */
    struct stat stat;            /* of fd */
    uint64_t image_offset;       /* bytes; the ELF end */
    uint64_t image_size;         /* bytes */
    bool has_header;             /* false: a foreign image */
    uint64_t header_offset;      /* bytes; where the header is in the file */
    struct format_header header; /* zero without has_header */
};

/*
 * target is a path, or NULL for the running program. ERR_INPUT when it is no ELF file, or its
 * header disagrees with it (a truncated download); an absent image is not an error here:
 * image_size is 0. Released by payload_release().
 */
[[nodiscard]] bool payload_open(struct payload *ret, const char *target, struct err *err);
void payload_release(struct payload *payload);

/* Text of an ELF section up to its first NUL, owned by the caller; "" without that section. */
[[nodiscard]] bool payload_section(const struct payload *payload, const char *name, char **ret_text,
                                   struct err *err);
