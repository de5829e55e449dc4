/* SPDX-License-Identifier: MIT */
/* `rucksack keygen [NAME]`: a pair of keys, for `rucksack sign` and `rucksack verify`. */
#include <errno.h>
#include <fcntl.h>
#include <stddef.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include "bundler/command.h"
#include "bundler/jdoc.h"
#include "bundler/signer.h"
#include "common/cleanup.h"
#include "common/err.h"
#include "common/fs.h"
#include "common/unfinished.h"
#include "common/xalloc.h"

struct keygen_options {
    bool json;
    bool no_password;
};

static const struct option_entry options[] = {
    {"no-password", 0, OPTION_FLAG, offsetof(struct keygen_options, no_password), NULL,
     "let the key be used without a password"},
    {"json", 0, OPTION_FLAG, offsetof(struct keygen_options, json), NULL,
     "one JSON document on stdout"},
    {.type = OPTION_END},
};

/* A key that is there is never written over: nobody could sign as before. */
static bool write_new(const char *path, const char *text, mode_t mode, struct err *err)
{
    cleanup_fd int fd = -1;
    bool ok;

    fd = open(path, O_WRONLY | O_CREAT | O_EXCL | O_CLOEXEC, mode);
    if (fd < 0) {
        int why = errno;

        (void)err_sys(err, "'%s'", path);
        (void)err_id(err, "E-OUTPUT");
        return err_hint(err, why == EEXIST ? "name another: rucksack keygen NAME"
                                           : "name a place where files can be made");
    }
    /* Not before it is ours: a signal would take another's away. */
    unfinished_watch(path);
    ok =
        fs_write_all(fd, text, strlen(text), err) && (fsync(fd) == 0 || err_sys(err, "'%s'", path));
    if (!ok)
        (void)unlink(path);
    unfinished_forget(path);
    return ok;
}

static bool write_pair(const char *name, const struct minisign_secret *secret, const char *password,
                       bool is_json, struct err *err)
{
    cleanup_free char *key_path = xasprintf("%s.key", name);
    cleanup_free char *public_path = xasprintf("%s.pub", name);
    cleanup_free char *public_text = minisign_key_text(&secret->key);
    char *text = NULL;
    bool ok;

    if (!minisign_secret_text(secret, password, &text, err))
        return false;
    ok = write_new(key_path, text, 0600, err);
    prim_wipe(text, strlen(text));
    free(text);
    if (!ok)
        return false;
    if (!write_new(public_path, public_text, 0644, err)) {
        (void)unlink(key_path);
        return false;
    }
    if (is_json)
        jdoc_print(jdoc_files(key_path, public_path, NULL));
    else
        printf("%s\n%s\n", key_path, public_path);
    return true;
}

static bool run(const struct command_args *args, struct err *err)
{
    const struct keygen_options *given = args->options;
    const char *name = args->operand_count > 0 ? args->operands[0] : "rucksack";
    struct minisign_secret secret;
    char *password = NULL;
    bool ok;

    signer_hide_memory();
    if (!signer_password(args->signing, &password, err))
        return false;
    if (password == NULL && !given->no_password) {
        (void)err_set(err, ERR_INPUT, "there is no password for the key");
        (void)err_id(err, "E-SIG");
        return err_hint(err, "set RUCKSACK_SIGN_PASSWORD or RUCKSACK_SIGN_PASSWORD_FILE; "
                             "--no-password does without");
    }
    ok = minisign_generate(&secret, err) &&
         write_pair(name, &secret, given->no_password ? NULL : password, given->json, err);
    prim_wipe(&secret, sizeof(secret));
    if (password != NULL)
        prim_wipe(password, strlen(password));
    free(password);
    return ok;
}

const struct command cmd_keygen = {
    .name = "keygen",
    .summary = "make a pair of keys to sign bundles with",
    .operands = "[NAME]",
    .operands_max = 1,
    .options = options,
    .options_size = sizeof(struct keygen_options),
    .examples = "  RUCKSACK_SIGN_PASSWORD_FILE=~/.key-password rucksack keygen blog\n",
    .run = run,
};
