/* SPDX-License-Identifier: MIT */
#pragma once
/*
 * Zstandard streams (RFC 8878) to and from descriptors. The only file of this program that knows
 * libzstd. Every frame written has a checksum of its content, so that damage is noticed; a reader
 * takes any number of frames one after the other, skippable ones included.
 */
#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

struct err;
struct zwriter;
struct zreader;

/* Appends one frame at the descriptor's position. */
struct zwriter *zwriter_new(int fd);
[[nodiscard]] bool zwriter_write(struct zwriter *writer, const void *data, size_t size,
                                 struct err *err);
[[nodiscard]] bool zwriter_end(struct zwriter *writer, struct err *err);
void zwriter_free(struct zwriter *writer);

/* Room for so many bytes as a frame of exactly that length, whatever they compress to. */
uint64_t zframe_room(size_t size);

/* Writes data as a frame at the offset, and behind it a skippable one that fills the room. */
[[nodiscard]] bool zframe_fill(int fd, uint64_t offset, uint64_t room, const void *data,
                               size_t size, struct err *err);

/* Reads from the descriptor's position, at most limit bytes of it; UINT64_MAX: to its end. */
struct zreader *zreader_new(int fd, uint64_t limit);

/* The next bytes, owned by the reader until the next call; *ret_size 0 at the end. ERR_INPUT with
 * E-SNAPSHOT on damage, and when the end comes within a frame. */
[[nodiscard]] bool zreader_read(struct zreader *reader, const void **ret, size_t *ret_size,
                                struct err *err);
uint64_t zreader_taken(const struct zreader *reader); /* compressed bytes, for a display */
void zreader_free(struct zreader *reader);
