/* SPDX-License-Identifier: MIT */
#pragma once
/*
 * AppImages that other tools made: found, and read as far as any AppImage can be.
 *
 * Type 2 is an ELF runtime with a squashfs image behind it; type 1 is an ISO 9660 image, which is
 * only recognised. AppImage specification, "draft.md". The file is hostile, as a bundle is
 * (bundle.h); nothing of it is run.
 */
#include <stdbool.h>
#include <stdint.h>

#include "bundler/image.h"

struct err;

enum { APPIMAGE_UPDATE_MAX = 1024 };

struct appimage {
    int fd;     /* read only */
    char *path; /* as the caller named it */
    uint64_t file_size;
    uint64_t image_offset; /* where the runtime ends */
    int machine;           /* EM_* of the runtime */
    bool is_64;
    bool is_signed; /* by OpenPGP; nobody has compared it */
    char *update;   /* update information, or NULL */
    struct image_facts facts;
    struct image *image;
};

/* What its image tells of the program. Texts are hostile, and NULL where there is none. */
struct appimage_contents {
    uint64_t files; /* regular ones */
    uint64_t bytes; /* unpacked */
    bool has_start; /* AppRun is there, without which nothing starts */
    char *desktop;  /* path of the desktop entry */
    char *name;     /* its keys: Name, Exec, X-AppImage-Version */
    char *command;
    char *version;
};

/*
 * False with *ret_is_one false: the file is no AppImage, or a bundle of ours, and err says nothing.
 * False with true: it is an AppImage, and err says why it cannot be read: E-BUNDLE (of type 1, or
 * with an image of another kind), E-TRUNCATED, E-IMAGE.
 */
[[nodiscard]] bool appimage_open(struct appimage *ret, const char *path, bool *ret_is_one,
                                 struct err *err);
void appimage_close(struct appimage *appimage);

/* E-IMAGE when the image is damaged. */
[[nodiscard]] bool appimage_read(const struct appimage *appimage, struct appimage_contents *ret,
                                 struct err *err);
void appimage_contents_release(struct appimage_contents *contents);
