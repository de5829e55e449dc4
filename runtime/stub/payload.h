/* SPDX-License-Identifier: MIT */
#pragma once
/*
 * The file that holds the image: our own, or the one that TARGET_APPIMAGE names.
 *
 * The file is opened once and never named again: what is mounted is what was measured, whatever
 * happens to the path meanwhile. The image begins at the ELF end, as every reader of AppImages
 * computes it: the end of the section header table or of the last section, whichever is later.
 */
#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>
#include <sys/stat.h>

#include "common/format.h"

struct err;

enum {
    PAYLOAD_SECTIONS_MAX = 1024,
    PAYLOAD_SECTION_BYTES_MAX = 1 << 20, /* of one section that is printed */
    PAYLOAD_KEY_SIZE = 13,               /* 12 hex digits, NUL */
    PAYLOAD_IDENTITY_SIZE = 32,
};

struct payload {
    int fd;
    char *path; /* absolute, symlinks resolved; of a deleted file: what the kernel still says */
    struct stat stat;
    uint64_t image_offset;
    uint64_t image_size;    /* to the end of the file, or what the header says */
    bool ours;              /* header is filled and agrees with the file */
    uint64_t header_offset; /* bytes; where the header is in the file */
    struct format_header header;
};

/*
 * target NULL or absent: the running program. /proc/self/fd/N: of that descriptor, which is closed.
 * ERR_INPUT when the file is no 64-bit ELF file of this byte order, or its header contradicts it.
 */
[[nodiscard]] bool payload_open(struct payload *ret, const char *target, struct err *err);
void payload_release(struct payload *payload);

/* ERR_INPUT unless something follows the ELF part. */
[[nodiscard]] bool payload_require_image(const struct payload *payload, struct err *err);

/*
 * The text of a section: its bytes up to the first NUL, on the heap; empty when there is no such
 * section.
 */
[[nodiscard]] bool payload_section(const struct payload *payload, const char *name, char **ret,
                                   struct err *err);

/*
 * What tells this image from every other: BLAKE2b over the hash in our header, or, for foreign
 * images, over the file's device, inode, size and times, and the superblock. A foreign file that is
 * only touched becomes another; one that is written to never stays the same.
 */
void payload_identity(const struct payload *payload, uint8_t ret[PAYLOAD_IDENTITY_SIZE]);

/*
 * The name of the directory that this image is mounted in. Different for images that differ, for
 * different paths of one image (state lies beside the file), for different values of the variables
 * that move the state (a mount is shared only by starts that would have equal state links), and for
 * different salts: the first 48 bits of a BLAKE2b. It names things; that they are what they should
 * be is for payload_identity() to tell.
 */
void payload_key(const struct payload *payload, const char *salt, char ret[PAYLOAD_KEY_SIZE]);
