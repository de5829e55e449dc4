/* SPDX-License-Identifier: MIT */
#pragma once
/*
 * The signature that a bundle carries in its header (struct format_signature, docs/format.md).
 *
 * It is over the bytes [0, end of the image), with the sums of the header and what of the field
 * follows the key read as zero: so it needs no file beside the bundle, and a snapshot behind the
 * image (a capsule) leaves it as it is. The key in it says which key to ask for, and is what a
 * first installation pins; whether it is a key to trust, only its owner can say.
 */
#include <stdbool.h>
#include <stdint.h>

#include "common/format.h"
#include "common/minisign.h"

struct err;

/* Whether the field is filled; whether it is right, signature_check() says. */
bool signature_is_there(const struct format_signature *signature);

/* The key that it says it was made with. */
struct minisign_key signature_key(const struct format_signature *signature);

/*
 * Whether the file that fd reads was signed with key; NULL: with the one that it carries, which
 * finds damage and a wrong comment, but anybody can make. section_offset: of the header; end: of
 * the image. ERR_CHECK, E-SIG when it is not, or carries no signature. Reads the file once.
 */
[[nodiscard]] bool signature_check(int fd, uint64_t section_offset, uint64_t end,
                                   const struct format_signature *signature,
                                   const struct minisign_key *key, struct err *err);

/* The field as it is when the file is signed: it says with which key. */
struct format_signature signature_begin(const struct minisign_key *key);

/* The whole field, for a file that has signature_begin() in it. E-SIG when the comment is too long
 * or no text. */
[[nodiscard]] bool signature_make(int fd, uint64_t section_offset, uint64_t end,
                                  const struct minisign_secret *secret, const char *comment,
                                  struct format_signature *ret, struct err *err);
