/* SPDX-License-Identifier: MIT */
#pragma once
/*
 * What is in a bundle on one screen: at most SUMMARY_LINES lines of 80 columns, for whoever is
 * asked to run it. Long lists say how much more there is. Every string of the bundle is made
 * visible.
 */
#include <stdbool.h>

struct appimage;
struct bundle;
struct err;
struct jdoc;

enum { SUMMARY_LINES = 40, SUMMARY_COLUMNS = 80 };

/* On stdout. E-IMAGE when the image is damaged; then nothing is printed. */
[[nodiscard]] bool summary_print(const struct bundle *bundle, const struct jdoc *manifest,
                                 struct err *err);

/* The same of an AppImage that another tool made. */
[[nodiscard]] bool summary_print_appimage(const struct appimage *appimage, struct err *err);

/* Its JSON document (docs/schema/inspect-appimage.json); NULL with err filled. */
[[nodiscard]] struct jdoc *summary_of_appimage(const struct appimage *appimage, struct err *err);
