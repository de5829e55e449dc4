/* SPDX-License-Identifier: MIT */
#pragma once
/*
 * Text in columns, for what is read by people: labels, padding, bars. Texts are visible already
 * (text_visible()); one character is one column, as it is nearly everywhere.
 */
#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

enum { SHEET_LABEL = 11, SHEET_BAR = 24 };

/* In characters of UTF-8, not in bytes. */
size_t sheet_width(const char *text);

/* The text on stdout, with blanks up to so many columns. */
void sheet_pad(const char *text, size_t width);

/* A label in front of a line; emphasised on a terminal. The first line of a list carries it, the
 * others are indented. */
void sheet_label(const char *label);
void sheet_label_once(const char *label, bool is_first);

/* A copy that is not wider, and ends in "..." if the text was. Owned by the caller. */
[[nodiscard]] char *sheet_cut(const char *text, size_t width);

/* "####": the most has SHEET_BAR of them, and whatever is there at all one. Owned by the caller. */
[[nodiscard]] char *sheet_bar(uint64_t amount, uint64_t most);

/* "2026-11-28 21:00 UTC" of seconds since the epoch; NULL when they are none, or of no time that an
 * image can have. Owned by the caller. */
[[nodiscard]] char *sheet_time(int64_t seconds);
