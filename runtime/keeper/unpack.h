/* SPDX-License-Identifier: MIT */
#pragma once
/*
 * A snapshot becomes a directory, exactly as its manifest says or not at all.
 *
 * The directory is new, ours, and nobody else's to enter until the end. Names come from the
 * manifest, which is sound (manifest.h); an entry of the archive that the manifest does not list,
 * that differs from it, or comes twice is refused. Ownership is never taken from an archive:
 * everything gets the owner that is given.
 */
#include <stdbool.h>
#include <sys/types.h>

struct err;
struct progress;
struct reading;

struct unpack_owner {
    bool is_given; /* else what is made is ours */
    uid_t uid;
    gid_t gid;
};

/*
 * Unpacks below dirfd, called path, and checks every database with integrity_check and its rows.
 * E-SNAPSHOT, E-DATABASE, E-SPACE. What was unpacked before a failure is left to the caller.
 */
[[nodiscard]] bool unpack_run(struct reading *reading, int dirfd, const char *path,
                              const struct unpack_owner *owner, struct progress *progress,
                              struct err *err);
