/* SPDX-License-Identifier: MIT */
#pragma once
/*
 * What objects look for and nothing packs, so that it is not a surprise on the server: a directory
 * of modules that neither recipe nor gem brings is a warning of the build, data is a note.
 *
 * An object names a place as an absolute path in its read-only data, or puts it together from its
 * library's directory and a name: "gdk-pixbuf-2.0", "%s/vips-modules-%d.%d". Names are compared
 * with the directories that there are beside the object. Directories that a recipe knows are its
 * business, be it applied or not.
 */
struct cookbook;
struct extras;
struct plan;
struct walk;

struct unpacked {
    const struct walk *walk;
    const struct cookbook *cookbook;
    const struct plan *plan;
    struct extras *extras;
};

/* After everything was planned. */
void unpacked_say(const struct unpacked *unpacked);
