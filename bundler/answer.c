/* SPDX-License-Identifier: MIT */
#include "bundler/answer.h"

#include <stddef.h>
#include <stdlib.h>
#include <string.h>

#include "bundler/app.h"
#include "bundler/store.h"
#include "bundler/witness.h"
#include "common/cleanup.h"
#include "common/err.h"
#include "common/fs.h"
#include "common/xalloc.h"

enum { ANSWER_MAX = 64 << 20, FILE_MAX = 16 << 20 };

static const char *const names[] = {"Gemfile", "Gemfile.lock", "gems.rb", "gems.locked"};

enum { NAMES = sizeof(names) / sizeof(names[0]) };

static struct store_piece piece_of(const char *path, char **ret)
{
    struct err ignored = {0};
    size_t size = 0;

    *ret = NULL;
    if (!fs_read_file(path, FILE_MAX, ret, &size, &ignored))
        size = 0;
    return (struct store_piece){*ret != NULL ? *ret : "", size};
}

static struct store_key key_of(const char *question, const struct app *app)
{
    struct store_piece pieces[NAMES + 2] = {{question, strlen(question)}};
    char *texts[NAMES + 1] = {NULL};
    struct store_key key;

    witness_listen(false); /* the answer counts, and is asked for again */
    for (size_t i = 0; i < NAMES; i++) {
        cleanup_free char *path = xasprintf("%s/%s", app->dir, names[i]);

        pieces[i + 1] = piece_of(path, &texts[i]);
    }
    pieces[NAMES + 1] = piece_of(app->script != NULL ? app->script : "", &texts[NAMES]);
    witness_listen(true);
    key = store_key(pieces, NAMES + 2);
    for (size_t i = 0; i < NAMES + 1; i++)
        free(texts[i]);
    return key;
}

char *answer_recall(const char *question, const struct app *app)
{
    struct store *store = store_open("answers");
    struct store_key key = key_of(question, app);
    size_t size = 0;
    char *text = store_load(store, &key, ANSWER_MAX, &size);

    store_close(store);
    return text;
}

void answer_keep(const char *question, const struct app *app, const char *text)
{
    struct store *store = store_open("answers");
    struct store_key key = key_of(question, app);

    store_put(store, &key, text, strlen(text));
    store_close(store);
}
