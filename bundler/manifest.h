/* SPDX-License-Identifier: MIT */
#pragma once
/*
 * The manifest: what is in the image and why, as JSON (schema in docs/format.md). Read by
 * `rucksack inspect` and `why`; no program of the bundle depends on it.
 */
#include <stddef.h>
#include <stdint.h>

struct app;
struct bundle;
struct closure;
struct err;
struct gems;
struct image;
struct jdoc;
struct owner;
struct plan;
struct probe;
struct provenance;
struct walk;

struct manifest_input {
    const struct app *app;
    const struct probe *probe;
    const struct gems *gems;
    const struct walk *walk;
    const struct owner *owners; /* by object of the walk */
    const struct closure *closure;
    const struct provenance *provenance;
    uint32_t time;               /* of the newest source: seconds since 1970 */
    const char *const *warnings; /* what the build found, one line each */
    size_t warning_count;
    const struct plan *plan; /* complete but for the manifest */
};

/* Owned by the caller. The same input gives the same bytes. */
[[nodiscard]] char *manifest_text(const struct manifest_input *input);

/* The manifest of a bundle, to be freed with jdoc_free(); NULL and E-IMAGE when it has none. */
[[nodiscard]] struct jdoc *manifest_read(const struct bundle *bundle, struct err *err);

/* The same of its bill of materials (sbom.h). */
[[nodiscard]] struct jdoc *manifest_read_sbom(const struct bundle *bundle, struct err *err);

/* A JSON document of an open image, by its path; NULL with err filled: E-IMAGE, E-READ. */
[[nodiscard]] struct jdoc *manifest_document(struct image *image, const char *path,
                                             struct err *err);
