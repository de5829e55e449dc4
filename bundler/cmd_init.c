/* SPDX-License-Identifier: MIT */
/* `rucksack init [DIR]`: writes what was found in an application as its configuration. */
#include <errno.h>
#include <fcntl.h>
#include <stddef.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include "bundler/app.h"
#include "bundler/command.h"
#include "bundler/draft.h"
#include "bundler/jdoc.h"
#include "bundler/probe.h"
#include "common/cleanup.h"
#include "common/err.h"
#include "common/fs.h"
#include "common/unfinished.h"
#include "common/xalloc.h"

struct init_options {
    bool json;
};

static const struct option_entry options[] = {
    {"json", 0, OPTION_FLAG, offsetof(struct init_options, json), NULL,
     "one JSON document on stdout"},
    {.type = OPTION_END},
};

static bool is_there(const char *file, struct err *err)
{
    (void)err_set(err, ERR_INPUT, "'%s' is there already", file);
    (void)err_id(err, "E-CONFIG");
    return err_hint(err, "move it away to have another one made");
}

static bool write_new(const char *file, const char *text, struct err *err)
{
    cleanup_fd int fd = open(file, O_WRONLY | O_CREAT | O_EXCL | O_CLOEXEC, 0644);
    bool ok;

    if (fd < 0)
        return errno == EEXIST ? is_there(file, err) : err_sys(err, "'%s'", file);
    unfinished_watch(file);
    ok = fs_write_all(fd, text, strlen(text), err);
    if (!ok)
        (void)unlink(file);
    unfinished_forget(file);
    return ok || err_wrap(err, "'%s'", file);
}

static bool find_and_write(const char *dir, const char *file, struct err *err)
{
    const struct app_request request = {.path = dir};
    cleanup_with(app_release) struct app app = {0};
    cleanup_with(probe_release) struct probe probe = {0};
    struct probe_request question = {0};
    cleanup_free char *text = NULL;

    if (!app_detect(&app, &request, err))
        return false;
    if (app.kind != APP_SERVER) {
        (void)err_set(err, ERR_INPUT, "'%s' is a command; nothing of it is to be configured", dir);
        return err_id(err, "E-APP");
    }
    question.dir = app.dir;
    if (!probe_ask(&probe, &question, err) || !app_complete(&app, &request, &probe, err))
        return false;
    text = draft_text(&app);
    return write_new(file, text, err);
}

static bool run(const struct command_args *args, struct err *err)
{
    const struct init_options *given = args->options;
    const char *dir = args->operand_count > 0 ? args->operands[0] : ".";
    cleanup_free char *file = xasprintf("%s/" CONFIG_FILE, dir);

    if (access(file, F_OK) == 0)
        return is_there(file, err);
    if (!find_and_write(dir, file, err))
        return false;
    if (given->json)
        jdoc_print(jdoc_files(file, NULL));
    else
        puts(file);
    return true;
}

const struct command cmd_init = {
    .name = "init",
    .summary = "write what is found in an application as its rucksack.yml",
    .operands = "[DIR]",
    .operands_max = 1,
    .options = options,
    .options_size = sizeof(struct init_options),
    .examples = "  rucksack init\n  rucksack init ~/blog\n",
    .run = run,
};
