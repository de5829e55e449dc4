/* SPDX-License-Identifier: MIT */
#pragma once
/*
 * An empty root without a network, to see whether a bundle needs anything of this machine.
 *
 *     /proc  /dev (null zero full random urandom fuse)  /tmp  /state
 *
 * Namespaces (namespaces(7)) of its own for mounts, processes, network and, for who is not root,
 * for users. The loopback device is up. Nothing of it is seen outside, and everything in it ends
 * with its first process, also after SIGKILL.
 */
#include <stdbool.h>

struct err;

/* What the first process does. It ends when this returns. */
typedef void cell_program(void *context);

/*
 * Makes the cell in the calling process, which must have one thread, and runs the program in it as
 * its first process (pid 1), with all descriptors. Returns when that has ended. False, with errno's
 * reason in err, when this machine allows no such thing.
 */
[[nodiscard]] bool cell_run(cell_program *program, void *context, struct err *err);
