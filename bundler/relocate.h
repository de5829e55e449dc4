/* SPDX-License-Identifier: MIT */
#pragma once
/*
 * Objects that name places outside of the image, and copies of them that do not.
 *
 * The loader is given the image's directories (--library-path), but three things in an object still
 * lead to the host: DT_RPATH comes before that path, DT_RUNPATH after it, and a DT_NEEDED with a
 * slash is opened as it stands. Elements that start with $ORIGIN and stay inside of the image are
 * right as they are; absolute ones, ones that depend on the working directory, and ones that climb
 * out of the image are taken away.
 *
 * Only numbers of PT_DYNAMIC and DT_VERNEED change: a tag becomes one that no loader knows, and a
 * string begins later ("/opt/lib:$ORIGIN" at "$ORIGIN", "/opt/lib/libz.so" at "libz.so"). String
 * bytes are never written, because linkers let symbols share their tails. What is left is a list
 * with such an element behind one to keep: there patchelf is run, and its work is compared with the
 * original.
 */
#include <stdbool.h>
#include <stddef.h>

struct elf;
struct err;
struct plan;

/* Whether the object can stay as it is at this image path. */
bool relocate_is_clean(const struct elf *elf, const char *image_path);

/* What of its DT_RUNPATH or DT_RPATH the copy keeps, owned by the caller; "" for nothing. */
char *relocate_search_path(const struct elf *elf, const char *image_path);

/*
 * Puts such a copy in the place of the plan's entry, where one is needed; else *ret_changed is
 * false. elf is the original file. With own_path_first, DT_RUNPATH becomes DT_RPATH, which comes
 * before the library path: for an object with a library of its own whose name another one has, too.
 * Errors:
 *   E-EDIT  patchelf is needed and not installed, or spoils the object
 *   E-ELF   the object's tables are damaged
 */
[[nodiscard]] bool relocate_object(const struct elf *elf, const char *image_path,
                                   bool own_path_first, struct plan *plan, bool *ret_changed,
                                   struct err *err);
