/* SPDX-License-Identifier: MIT */
#pragma once
/*
 * Templates: text with marks that are replaced at build.
 */

/* A copy of text with every occurrence of mark replaced. Owned by the caller. */
[[nodiscard]] char *text_replace(const char *text, const char *mark, const char *with);
