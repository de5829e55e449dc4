/* SPDX-License-Identifier: MIT */
#pragma once
/*
 * What a bundle says of itself beside its manifest: who signed it, where it listens, which
 * variables it must be given. For `rucksack inspect`.
 */
#include <stdbool.h>
#include <stdint.h>

struct bundle;
struct err;
struct image;
struct jdoc;

/*
 * An object with `signature` (`signed`, `valid`, `key`, `comment`, `why`), and of an application
 * `health`, `release` and the arrays `secrets` and `ports` (`process`, `variable`, `default`): see
 * docs/schema/inspect.json. A signature that does not fit is a finding. Owned by the caller; NULL
 * with err filled (E-IMAGE) when the launch file is damaged.
 */
[[nodiscard]] struct jdoc *facts_of(const struct bundle *bundle, struct image *image,
                                    struct err *err);
