/* SPDX-License-Identifier: MIT */
#pragma once
/*
 * The licences of what a bundle is made of: most of them ask that their text goes along. Collected
 * below FORMAT_LICENSES: of each gem what its directory has, of each package of the distribution
 * what that installed, and the common texts that those refer to. Equal files take their room once
 * (image.h).
 *
 * Sources: Debian Policy 12.5 (/usr/share/doc/NAME/copyright, machine-readable or not) and
 * /usr/share/common-licenses; Fedora's and openSUSE's /usr/share/licenses/NAME; Alpine ships none.
 */
#include <stdbool.h>
#include <stddef.h>

struct err;
struct packages;
struct plan;
struct probe;

/* Of one gem or package. */
struct licenses_item {
    char **names; /* "MIT", as its author says; sorted for packages */
    size_t name_count;
    char **files; /* image paths */
    size_t file_count;
};

struct licenses {
    struct licenses_item *gems; /* as in the probe */
    size_t gem_count;
    struct licenses_item *packages; /* as in packages->items */
    size_t package_count;
};

struct licenses_input {
    const struct probe *probe;
    const struct packages *packages;
    const char *root;   /* in front of the distribution's paths; "" for this machine */
    bool without_texts; /* only their names */
};

/* Adds the texts to the plan, and fills ret, which is to be released in either case. Fails as
 * plan_add_file() does. */
[[nodiscard]] bool licenses_plan(struct licenses *ret, const struct licenses_input *input,
                                 struct plan *plan, struct err *err);
void licenses_release(struct licenses *licenses);
