/* SPDX-License-Identifier: MIT */
#pragma once
/*
 * Text: templates whose marks are replaced at build, and strings of others made fit to be shown.
 */
#include <stdbool.h>

/* A copy of text with every occurrence of mark replaced. Owned by the caller. */
[[nodiscard]] char *text_replace(const char *text, const char *mark, const char *with);

/*
 * A copy that cannot steer a terminal: control characters (C0, DEL, C1), the characters that
 * reorder a line (Unicode UAX 9) and bytes that are not UTF-8 become "\\x1b", byte by byte. A
 * backslash stays what it is. Owned by the caller.
 */
[[nodiscard]] char *text_visible(const char *text);

/* A copy in which each byte that is not UTF-8 (RFC 3629) is U+FFFD instead: paths are bytes, and
 * JSON is not. Owned by the caller. */
[[nodiscard]] char *text_utf8(const char *text);

/* That as a string of JSON (RFC 8259, section 7), in its quotes, for programs that have no library
 * for it. Owned by the caller. */
[[nodiscard]] char *text_json(const char *text);

/* Whether all of it is UTF-8 without control characters (C0, DEL, C1): it can be written down
 * anywhere, though not every such text is fit to be shown. */
bool text_is_plain(const char *text);

/* The last lines, so many, without blank ones behind them; cuts those off the text. Points into it.
 */
const char *text_last_lines(char *text, unsigned int lines);

/* What follows the last slash of a path; all of it where there is none. Points into it. */
const char *text_base_name(const char *path);

/* Whether end, which may be empty, is the end of text. */
bool text_ends_with(const char *text, const char *end);

/* Adds an item to a list, with the separator in between where the list is not empty. The list is
 * allocated anew. */
void text_join(char **list, const char *separator, const char *item);
