/* SPDX-License-Identifier: MIT */
#pragma once
/*
 * gzip (RFC 1952) as a stream: one member without a name and time, so that the same bytes in give
 * the same bytes out. The only file of the tool that knows zlib.
 */
#include <stdbool.h>
#include <stddef.h>

struct err;
struct gzip;

/* Takes compressed bytes. */
typedef bool gzip_sink(void *context, const void *data, size_t size, struct err *err);

/* level: 1 to 9. */
struct gzip *gzip_new(int level, gzip_sink *sink, void *context);
[[nodiscard]] bool gzip_write(struct gzip *gzip, const void *data, size_t size, struct err *err);
[[nodiscard]] bool gzip_end(struct gzip *gzip, struct err *err);
void gzip_free(struct gzip *gzip);
