/* SPDX-License-Identifier: MIT */
#pragma once
/*
 * The bundle as a file: stub, image, hashes; complete or not there at all.
 */
#include <stdbool.h>
#include <stdint.h>

struct err;
struct minisign_secret;
struct plan;

struct assemble_options {
    const char *output;      /* path of the bundle */
    const char *name;        /* identity, for the header */
    uint32_t kind;           /* enum format_kind */
    int level;               /* zstd level */
    uint32_t mtime;          /* of every inode */
    bool no_cache;           /* compress every block */
    const char *update_info; /* for AppImage tools (updateinfo.h); NULL: none */
    /* Signs the file, and writes FILE.minisig; NULL: neither. */
    const struct minisign_secret *secret;
    /* Looks at the file, complete and open for reading, before anybody can see it: false with err
     * filled, and there will be none. */
    bool (*check)(int fd, void *context, struct err *err);
    void *context;
    /* Called while the image is written, as image_options.progress; may be NULL. */
    void (*progress)(uint64_t done_bytes, void *context);
    void *progress_context;
};

/*
 * Writes to a temporary file beside the output, syncs it and renames it into place with mode 0755.
 * On failure, and when a signal ends the process (SIGINT, SIGTERM, SIGHUP), nothing is left.
 * E-OUTPUT when the output is a directory or its directory cannot be written, E-SPACE when its file
 * system is full.
 */
[[nodiscard]] bool assemble_write(const struct plan *plan, const struct assemble_options *options,
                                  uint64_t *ret_size_bytes, struct err *err);

/* The same without an end: only the check sees the file. */
[[nodiscard]] bool assemble_draft(const struct plan *plan, const struct assemble_options *options,
                                  struct err *err);
