/* SPDX-License-Identifier: MIT */
#pragma once
/*
 * The verbs of `FILE service`. Each prints its results on standard output.
 *
 * Those that change something hold the lock of the service until it is healthy, and go on through
 * SIGINT, SIGTERM, SIGHUP and SIGPIPE: half an upgrade is none.
 */
#include <stdbool.h>

#include "runtime/service/app.h"

struct err;
struct options;

struct service {
    const char *root;     /* of the image that this program is in; borrowed */
    const char *file;     /* the bundle that it comes from; NULL: unpacked; borrowed */
    const char *identity; /* FORMAT_IDENTITY of that bundle; NULL: not told; borrowed */
    struct app app;       /* of that image */
};

/* E-INSTALLED, E-TAKEN, E-EMPTY, E-SECRET, and whatever a start can end with: then nothing of it
 * is left. */
[[nodiscard]] bool service_install(const struct service *service, const struct options *options,
                                   struct err *err);
[[nodiscard]] bool service_uninstall(const struct service *service, const struct options *options,
                                     struct err *err);

/* E-RELEASE, E-HEALTH, E-SCHEMA: what served until now serves on. */
[[nodiscard]] bool service_upgrade(const struct service *service, const struct options *options,
                                   struct err *err);
[[nodiscard]] bool service_rollback(const struct service *service, const struct options *options,
                                    struct err *err);

/* Puts a snapshot in the place of the state, and starts again. */
[[nodiscard]] bool service_restore(const struct service *service, const struct options *options,
                                   struct err *err);

/* As text, or docs/schema/status.json. E-NOSERVICE when it is not installed. */
[[nodiscard]] bool service_status(const struct service *service, const struct options *options,
                                  struct err *err);

/* Shows the key that is pinned, or pins another: as text, or docs/schema/trust.json. E-SIG. */
[[nodiscard]] bool service_trust(const struct service *service, const struct options *options,
                                 struct err *err);

/* What all verbs that change something begin with: root, systemd, the lock. *ret_fd is the lock, to
 * be closed by the caller. E-ROOT, E-SYSTEMD, E-BUSY. */
[[nodiscard]] bool service_begin(const struct service *service, int *ret_fd, struct err *err);
