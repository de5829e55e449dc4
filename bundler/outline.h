/* SPDX-License-Identifier: MIT */
#pragma once
/*
 * The part of an ELF file that matters where an image may follow it: where it ends, and where the
 * few sections lie that AppImages have. libelf is not used: it wants to understand the whole file,
 * and one like this is judged before anything of it is believed.
 *
 * ELF: System V ABI, "Object Files" (gabi). Sections: the AppImage specification, and
 * common/format.h.
 */
#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

struct err;

enum outline_section {
    OUTLINE_HEADER,    /* FORMAT_SECTION: only bundles have it */
    OUTLINE_UPDATE,    /* FORMAT_UPD_INFO_SECTION */
    OUTLINE_SIGNATURE, /* ".sha256_sig" */
    OUTLINE_SECTION_COUNT,
};

/* Where a section is, inside the file; of size 0 when it says that it is elsewhere. */
struct outline_place {
    uint64_t offset;
    uint64_t size_bytes;
    size_t found; /* how many sections have the name; the place is the last one's */
};

struct outline {
    uint64_t file_size;
    uint64_t end; /* behind the last section and the section header table */
    int machine;  /* EM_* */
    bool is_64;
    unsigned int type; /* of AppImage, as bytes 8 to 10 say; 0: they say nothing */
    struct outline_place sections[OUTLINE_SECTION_COUNT];
};

/*
 * Reads a little-endian ELF file; takes_32: of 32 bits, too. E-BUNDLE, without a hint, says what it
 * is not; E-TRUNCATED when the end of one that says it is an AppImage is missing; ERR_SYSTEM.
 */
[[nodiscard]] bool outline_read(struct outline *ret, int fd, bool takes_32, struct err *err);

/* The bytes at offset, all of them: E-TRUNCATED when the file ends before. */
[[nodiscard]] bool outline_read_bytes(int fd, uint64_t offset, void *buffer, size_t size_bytes,
                                      struct err *err);

/* E-TRUNCATED: so many bytes are missing. Returns false. */
bool outline_truncated(uint64_t missing_bytes, struct err *err);
