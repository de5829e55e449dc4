/* SPDX-License-Identifier: MIT */
#pragma once
/*
 * The bill of materials of a bundle: CycloneDX 1.5 as JSON (ECMA-424's predecessor,
 * https://cyclonedx.org/docs/1.5/json/), package URLs by https://github.com/package-url/purl-spec.
 *
 * Components are Ruby, every gem, every package of the distribution with the objects that are of
 * it, and the objects of nobody. The serial number is derived from the contents: the same input
 * gives the same bytes.
 */
#include <stddef.h>
#include <stdint.h>

/* Name of the property that says where in the image the text of a licence is. */
#define SBOM_LICENSE_FILE "rucksack:license-file"

struct app;
struct closure;
struct licenses;
struct packages;
struct probe;
struct walk;

struct sbom_input {
    const struct app *app;
    const struct probe *probe;
    const struct walk *walk;
    const struct closure *closure;
    const struct packages *packages;
    const struct licenses *licenses;
    const char *revision; /* of the application's source, or NULL */
    uint32_t time;        /* of the newest source, or SOURCE_DATE_EPOCH: seconds since 1970 */
};

/* Owned by the caller. */
[[nodiscard]] char *sbom_text(const struct sbom_input *input);
