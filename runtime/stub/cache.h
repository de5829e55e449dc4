/* SPDX-License-Identifier: MIT */
#pragma once
/*
 * The image unpacked once, to run from ordinary files where nothing can be mounted.
 *
 *     <place>/m          the tree
 *     <place>/manifest   what it is: written when the tree is complete
 *     <place>/t          a tree that is not complete yet
 *
 * Under the place's lock there is one writer: two starts at once wait for each other. A tree is
 * used only if its manifest names this image and nothing in the tree has changed since (tree.h);
 * anything else under its name, prepared by others, half unpacked or damaged by a crash, is removed
 * and unpacked anew.
 *
 * After a crash of the machine files may have their size but not their contents. A tree in the
 * user's cache is therefore written to the disk before its manifest. A tree for one run is not, and
 * counts only as long as the machine runs.
 *
 * A process that runs from a tree is registered as its user with the place, which exec does not
 * undo. Trees of older versions of the app are removed after a new one was made, if neither a
 * registered process nor any open file (inuse.h) says that they are in use.
 */
#include <stdbool.h>

#include "runtime/stub/place.h"

struct err;
struct payload;
struct sqfs_image;

struct cache_request {
    const struct payload *payload;
    enum place_kind kind;
    const char *salt; /* as payload_key()'s */
    bool trusted;     /* as place_open()'s */
    /* Called when there is no tree to use: a start that finds one need not read the image. The
     * image stays the callee's. */
    bool (*open_image)(void *context, struct sqfs_image **ret, struct err *err);
    /* Called with a place that was only chosen, before anything is made in it; then end(), when the
     * tree is complete or given up. Each may be called for several places, one after the other. */
    bool (*begin)(void *context, struct place *place, struct err *err);
    void (*end)(void *context, bool complete);
    bool kept; /* a tree that is there needs neither */
    void *context;
};

/*
 * Makes the tree, or finds it, and registers the calling process as its user. A place that is
 * read-only, full or noexec leads to the next one; err names each. A damaged image does not.
 * SIGINT, SIGTERM and SIGHUP end the process as ever, but leave no half tree behind.
 */
[[nodiscard]] bool cache_unpack(const struct cache_request *request, struct place *ret,
                                struct err *err);

/* Whether the tree there was finished, by whomever; under the lock of the place. */
[[nodiscard]] bool cache_is_complete(const struct place *place);

/* Removes a tree and whatever unpacking left of one; under the lock of the place. */
void cache_remove(const struct place *place);
