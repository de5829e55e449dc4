/* SPDX-License-Identifier: MIT */
#pragma once
/*
 * LZ4 blocks, decoding only (lz4, doc/lz4_Block_format.md).
 *
 * liblz4.a has encoder and decoder in one section: it would add 61 kB to a stub for which 350 kB is
 * the aim. A fuzz target holds this against liblz4.
 */
#include <stdbool.h>
#include <stddef.h>

/* Decodes src into dst, at most size bytes; false on damaged input and where it does not fit. */
[[nodiscard]] bool lz4_decode(const void *src, size_t src_size, void *dst, size_t size,
                              size_t *ret_size);
