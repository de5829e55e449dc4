/* SPDX-License-Identifier: MIT */
#pragma once
/*
 * What a bundle has as one HTML page, for `rucksack inspect --html`: it needs no network and no
 * other file, and shows a table even to a browser that runs no scripts.
 *
 * The document is hostile. Its strings come into the page as text only: `<`, `>` and `&` are
 * escaped in markup and in the JSON alike, characters that reorder a line are made visible, and the
 * page's policy (Content-Security-Policy) has the browser run its own script and style, told by
 * their hashes, and load nothing.
 */
#include <stdbool.h>

struct bundle;
struct err;
struct jdoc;

/*
 * Writes the page to path: complete or not at all; "-" is standard output. The document is what
 * `rucksack inspect --json` prints (docs/format.md); `start`, of timeline.h, and the bill of
 * materials, if the bundle has one, are added to it. ERR_INPUT when path is there and no regular
 * file; E-IMAGE when the bundle is damaged.
 */
[[nodiscard]] bool page_save(const struct bundle *bundle, struct jdoc *document, const char *path,
                             struct err *err);
