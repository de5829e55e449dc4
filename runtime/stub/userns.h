/* SPDX-License-Identifier: MIT */
#pragma once
/*
 * FUSE without a helper: a user namespace in which we are ourselves and may mount.
 *
 * The namespaces are entered by the first process itself and cannot be left again, so a child tries
 * everything first: where user namespaces are forbidden (AppArmor on Ubuntu, sysctl, seccomp) the
 * process must come out as it went in.
 */
#include <stdbool.h>

struct err;
struct place;

/* Tries in a child whether userns_enter() would work. Says why not. */
[[nodiscard]] bool userns_probe(const struct place *place, struct err *err);

/* Enters the namespaces and mounts at place->root; *ret_fd is the open /dev/fuse. The place is one
 * of hidden.h. */
[[nodiscard]] bool userns_enter(const struct place *place, int *ret_fd, struct err *err);
