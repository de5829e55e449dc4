/* SPDX-License-Identifier: MIT */
#pragma once
/*
 * Whose bundles a service takes: /etc/NAME/trust is minisign's file of a public key.
 *
 * The first signed release that is installed pins its key: from then on every release must be
 * signed with that one. Who has never seen a signature takes any bundle.
 */
#include <stdbool.h>

#include "common/minisign.h"

struct bundlefile;
struct err;

/* *ret_found false: no key is pinned. E-SIG when the file of it is damaged. */
[[nodiscard]] bool trust_load(const char *name, struct minisign_key *ret, bool *ret_found,
                              struct err *err);

/* E-SIG unless the bundle is signed with the pinned key; without one, when it has a signature that
 * does not fit. */
[[nodiscard]] bool trust_check(const char *name, const struct bundlefile *file, struct err *err);

/* Pins the key of a bundle that was checked, if it is signed and none is pinned. */
[[nodiscard]] bool trust_pin(const char *name, const struct bundlefile *file, struct err *err);

/* Pins the key of a file: a public key's, or a bundle that is signed. *ret: the key. */
[[nodiscard]] bool trust_take(const char *name, const char *path, struct minisign_key *ret,
                              struct err *err);

/* No key is pinned any more. */
[[nodiscard]] bool trust_forget(const char *name, struct err *err);
