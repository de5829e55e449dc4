/* SPDX-License-Identifier: MIT */
/*
 * The verb `service`: an application as a service of systemd, on a server that has nothing but the
 * bundle. The launcher starts it:
 *
 *     service IMAGE-ROOT FILE VERB ARGUMENT...
 *
 * FILE is the bundle's, or empty when its image runs unpacked. FORMAT_IDENTITY tells which bundle
 * it was when it was started.
 */
#include <stdio.h>
#include <stdlib.h>
#include <sys/stat.h>

#include "common/cleanup.h"
#include "common/complaint.h"
#include "common/err.h"
#include "common/format.h"
#include "common/fs.h"
#include "common/text.h"
#include "common/xalloc.h"
#include "runtime/service/app.h"
#include "runtime/service/options.h"
#include "runtime/service/service.h"
#include "runtime/service/systemd.h"

enum { WORDS_BEFORE = 3, EXIT_FAILED = 1, EXIT_USAGE = 2, MASK = 022 };

static int report(const struct err *err)
{
    complaint_print(err);
    return err->kind == ERR_USAGE ? EXIT_USAGE : EXIT_FAILED;
}

static bool serve(const struct service *service, const struct options *options, struct err *err)
{
    switch (options->verb) {
    case OPTIONS_INSTALL:
        return service_install(service, options, err);
    case OPTIONS_UPGRADE:
        return service_upgrade(service, options, err);
    case OPTIONS_ROLLBACK:
        return service_rollback(service, options, err);
    case OPTIONS_RESTORE:
        return service_restore(service, options, err);
    case OPTIONS_STATUS:
        return service_status(service, options, err);
    case OPTIONS_UNINSTALL:
        return service_uninstall(service, options, err);
    case OPTIONS_TRUST:
        return service_trust(service, options, err);
    case OPTIONS_LOGS:
        return systemd_require(service->app.name, err) &&
               systemd_become_log(service->app.name, options->arguments, err);
    case OPTIONS_HELP:
        break;
    }
    return fputs(options_help(), stdout) >= 0 || err_sys(err, "standard output");
}

int main(int argc, char **argv)
{
    cleanup_free char *identity = NULL;
    struct service service = {0};
    struct options options;
    struct err err = {0};
    bool ok;

    (void)umask(MASK);
    ok = argc >= WORDS_BEFORE ||
         err_set(&err, ERR_USAGE, "started by hand: it is the launcher's: FILE service");
    ok = ok && options_parse(&options, argv + WORDS_BEFORE, &err);
    if (ok) {
        service.root = argv[1];
        service.file = argv[2][0] != '\0' ? argv[2] : NULL;
        identity = getenv(FORMAT_IDENTITY) != NULL ? xstrdup(getenv(FORMAT_IDENTITY)) : NULL;
        service.identity = identity;
        (void)unsetenv(FORMAT_IDENTITY);
    }
    ok = ok && app_open(&service.app, service.root, &err) && serve(&service, &options, &err);
    app_release(&service.app);
    ok = ok && fs_flush(stdout, "standard output", &err);
    return ok ? 0 : report(&err);
}
