/* SPDX-License-Identifier: MIT */
#pragma once
/*
 * Where images are mounted and unpacked: private directories with short, stable paths.
 *
 *     <base>/<key>/m       the image: a mount point, or its unpacked tree
 *     <base>/<key>/state   the launcher's symlink to the state directory
 *     <base>/<key>/lock    see lifetime.h
 *
 * A base that is not ours alone (owner, mode 0700, no symlink) is passed over, never used: what
 * somebody else prepared there could be executed.
 */
#include <stdbool.h>

struct err;
struct payload;

enum { PLACE_KEY_SIZE = 13 };

struct place {
    char *base, *dir, *root; /* "<base>", "<base>/<key>", "<base>/<key>/m" */
    int base_fd;             /* of base, close-on-exec */
    int dir_fd;              /* of dir, close-on-exec; -1 until place_make_dir() */
};

/*
 * 12 hex digits that tell apart image, file and state directory, so that starts which must not
 * share a mount do not. salt separates mounts that live in namespaces of their own.
 */
void place_key(const struct payload *payload, const char *salt, char ret[PLACE_KEY_SIZE]);

/* The first usable base for mounts. With secure, variables are not looked at. */
[[nodiscard]] bool place_for_mount(const char *key, bool secure, struct place *ret,
                                   struct err *err);

/* Candidate number index for unpacked images; *ret_end when there is no such candidate. */
[[nodiscard]] bool place_for_cache(const char *key, bool secure, unsigned index, struct place *ret,
                                   bool *ret_end, struct err *err);

[[nodiscard]] bool place_make_dir(struct place *place, struct err *err);
void place_release(struct place *place);

/* Formatted like printf, owned by the caller; NULL when out of memory. */
[[gnu::format(printf, 1, 2)]] char *place_format(const char *format, ...);
