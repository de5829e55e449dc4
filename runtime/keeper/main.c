/* SPDX-License-Identifier: MIT */
/*
 * The keeper: snapshots of a site's state, on a server that has nothing but the bundle. The
 * launcher starts it:
 *
 *     keeper IMAGE-ROOT STATE-DIRECTORY FILE backup|restore ARGUMENT...
 *
 * FILE is the bundle's, or empty when its image runs unpacked. Results go to standard output,
 * unless the snapshot itself does, and everything else to standard error.
 */
#include <locale.h>
#include <stdio.h>
#include <sys/stat.h>

#include "common/cleanup.h"
#include "common/complaint.h"
#include "common/err.h"
#include "common/fs.h"
#include "common/text.h"
#include "runtime/keeper/backup.h"
#include "runtime/keeper/interrupt.h"
#include "runtime/keeper/options.h"
#include "runtime/keeper/restore.h"
#include "runtime/keeper/site.h"

enum { WORDS_BEFORE = 4, EXIT_FAILED = 1, EXIT_USAGE = 2, EXIT_CHECK = 3, MASK = 077 };

static int report(const struct err *err)
{
    complaint_print(err);
    if (err->kind == ERR_USAGE)
        return EXIT_USAGE;
    return err->kind == ERR_CHECK ? EXIT_CHECK : EXIT_FAILED;
}

static bool keep(char *const words[], const struct options *options, struct err *err)
{
    const char *file = words[3][0] != '\0' ? words[3] : NULL;
    struct site site;
    bool ok;

    if (!site_open(&site, words[1], words[2], file, err))
        return false;
    interrupt_watch();
    ok = options->verb == OPTIONS_BACKUP ? backup_run(&site, options, err)
                                         : restore_run(&site, options, err);
    site_release(&site);
    return ok;
}

int main(int argc, char **argv)
{
    struct options options;
    struct err err = {0};
    bool ok;

    (void)umask(MASK);
    (void)setlocale(LC_CTYPE, "C.UTF-8"); /* musl's own, whatever the system has: see tar.h */
    ok = argc > WORDS_BEFORE ||
         err_set(&err, ERR_USAGE, "started by hand: it is the launcher's: FILE backup");
    ok = ok && options_parse(&options, argv + WORDS_BEFORE, &err);
    if (ok && options.help)
        fputs(options_help(options.verb), stdout);
    ok = ok && (options.help || keep(argv, &options, &err));
    ok = ok && fs_flush(stdout, "standard output", &err);
    if (!ok) {
        int code = report(&err);

        interrupt_end();
        return code;
    }
    return 0;
}
