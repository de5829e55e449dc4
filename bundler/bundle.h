/* SPDX-License-Identifier: MIT */
#pragma once
/*
 * A bundle as a file: found, believed, verified, sealed (common/format.h, docs/format.md).
 *
 * The file is hostile: it is read as bytes, nothing of it is mapped or run, and every offset is
 * checked against the file's size before it is used. What bundle_open() accepts has a header whose
 * fields fit the file; only bundle_verify() says that its bytes are the ones that were written.
 */
#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "common/format.h"

struct err;
struct image;
struct minisign_secret;

struct bundle {
    int fd;     /* read only; its position means nothing */
    char *path; /* as the caller named it */
    uint64_t file_size;
    uint64_t section_offset;     /* of the header, from the start of the file */
    struct format_header header; /* in the processor's byte order */
    int machine;                 /* EM_* of the stub */
};

/*
 * Opens a regular file. E-BUNDLE when it is no bundle, or one of a later format; E-TRUNCATED when
 * it is shorter than it says. ret is written only on success.
 */
[[nodiscard]] bool bundle_open(struct bundle *ret, const char *path, struct err *err);
void bundle_close(struct bundle *bundle);

/* Its image (image.h); the bundle must outlive it. E-IMAGE, E-READ. */
[[nodiscard]] bool bundle_open_image(const struct bundle *bundle, struct image **ret,
                                     struct err *err);

/* E-ARCH when the stub is for another machine than this program. */
[[nodiscard]] bool bundle_check_machine(const struct bundle *bundle, struct err *err);

/* What bundle_verify() found. */
struct bundle_findings {
    bool is_stub_ok;         /* stub_hash fits bytes [0, image_offset), checksum the file */
    bool is_image_ok;        /* image_hash fits the image */
    bool is_content_ok;      /* every block of the image decodes */
    uint64_t files;          /* regular files in the image, when is_content_ok */
    uint64_t trailing_bytes; /* behind the image: no honest bundle has any but a capsule's */
    bool is_capsule;         /* a snapshot is behind the image, and fits its hash */
    bool is_snapshot_ok;     /* of what claims to be a capsule */
};

/*
 * Makes every check, also after one failed. ERR_CHECK with E-VERIFY names all that differs; then
 * findings are filled, too. Other errors mean that the file could not be read.
 */
[[nodiscard]] bool bundle_verify(const struct bundle *bundle, struct bundle_findings *findings,
                                 struct err *err);

/* Of these checks only those of hashes and size, for a start: E-VERIFY (ERR_INPUT) when one fails.
 */
[[nodiscard]] bool bundle_check_hashes(const struct bundle *bundle, struct err *err);

/*
 * Fills the section .upd_info of the stub at the beginning of fd with text (updateinfo.h), of which
 * the header's hashes know: so before bundle_seal().
 */
[[nodiscard]] bool bundle_set_update_info(int fd, const char *text, struct err *err);

/*
 * Fills the header of a bundle whose stub and image are in place: fd, open for reading and writing,
 * holds the stub at 0 and ends with the image. ERR_INPUT when the stub has no room for a header or
 * the rest does not fit together.
 */
[[nodiscard]] bool bundle_seal(int fd, uint64_t image_offset_bytes, uint64_t image_size_bytes,
                               enum format_kind kind, const char *name, struct err *err);

/*
 * Signs the bundle that fd, open for reading and writing, holds: fills the signature of its header
 * and sums it anew. A signature that is there is replaced. Nothing behind the image changes.
 * E-SIG when the comment is no comment; E-BUNDLE and E-TRUNCATED as bundle_open().
 */
[[nodiscard]] bool bundle_sign(int fd, const struct minisign_secret *secret, const char *comment,
                               struct err *err);
