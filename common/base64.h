/* SPDX-License-Identifier: MIT */
#pragma once
/*
 * Base64 (RFC 4648, section 4) of a known number of bytes, in its one canonical form: with padding,
 * without line breaks, unused bits zero. So no two texts mean the same bytes. (libsodium 1.0.18
 * also takes texts that differ from it in one bit: minisign_test.c.)
 */
#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

/* Characters of so many bytes, without a NUL. */
#define BASE64_LENGTH(size) (((size) + 2) / 3 * 4)

/* With a NUL: ret has BASE64_LENGTH(size) + 1 bytes. */
void base64_encode(const uint8_t *data, size_t size, char *ret);

/* False unless text is that form of exactly size bytes. */
[[nodiscard]] bool base64_decode(const char *text, size_t length, uint8_t *ret, size_t size);
