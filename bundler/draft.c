/* SPDX-License-Identifier: MIT */
#include "bundler/draft.h"

#include <ctype.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "bundler/app.h"
#include "common/cleanup.h"
#include "common/xalloc.h"

/* Whether YAML 1.1 reads the text as it stands, in a map of one line too. */
static bool is_plain(const char *text)
{
    if (!isalnum((unsigned char)text[0]) && text[0] != '/')
        return false;
    for (const char *at = text; *at != '\0'; at++)
        if (!isalnum((unsigned char)*at) && strchr(" ./_-$+=", *at) == NULL)
            return false;
    return text[strlen(text) - 1] != ' ';
}

static void put_text(FILE *out, const char *text)
{
    if (is_plain(text)) {
        fputs(text, out);
        return;
    }
    fputc('"', out);
    for (; *text != '\0'; text++) {
        if (*text == '"' || *text == '\\')
            fputc('\\', out);
        fputc(*text, out);
    }
    fputc('"', out);
}

static void put_entry(FILE *out, const char *key, const char *value, const char *why)
{
    if (value == NULL)
        return;
    fprintf(out, "\n# %s\n%s: ", why, key);
    put_text(out, value);
    fputc('\n', out);
}

static void put_pairs(FILE *out, const char *key, const struct config_pairs *pairs, const char *why)
{
    if (pairs->count == 0)
        return;
    fprintf(out, "\n# %s\n%s:\n", why, key);
    for (size_t i = 0; i < pairs->count; i++) {
        fprintf(out, "  %s: ", pairs->items[i].name);
        put_text(out, pairs->items[i].value);
        fputc('\n', out);
    }
}

static void put_list(FILE *out, const char *key, const struct config_list *list, const char *why)
{
    if (list->count == 0)
        return;
    fprintf(out, "\n# %s\n%s:\n", why, key);
    for (size_t i = 0; i < list->count; i++) {
        fputs("  - ", out);
        put_text(out, list->items[i]);
        fputc('\n', out);
    }
}

static void put_class(FILE *out, const struct states *states, enum state_class class)
{
    bool is_first = true;

    for (size_t i = 0; i < states->count; i++) {
        const struct state *state = &states->items[i];

        if (state->class != class || state->is_led)
            continue;
        if (is_first)
            fprintf(out, "  %s:\n", state_class_name(class));
        is_first = false;
        fputs("    - ", out);
        put_text(out, state->found);
        fprintf(out, " # %s\n", state->reason);
    }
}

static void put_states(FILE *out, const struct states *states)
{
    if (states->count == 0)
        return;
    fputs("\n# What the application writes. It is kept outside of the file, in NAME.state beside "
          "it:\n"
          "# data for ever, cache until it is cleared, run for one boot, log until it is rotated.\n"
          "state:\n",
          out);
    for (enum state_class class = STATE_DATA; class <= STATE_LOG; class ++)
        put_class(out, states, class);
}

char *draft_text(const struct app *app)
{
    const struct config *config = &app->config;
    char *text = NULL;
    size_t size = 0;
    FILE *out = xmemstream(&text, &size);

    fprintf(out,
            "# What `rucksack build` has found here (%s: %s).\n"
            "# Every key may be left out: then it is found again at each build. man rucksack.yml\n",
            app->evidence, app->summary);
    put_entry(out, "name", app->name,
              "Identity: names the state directory, whatever the file is called.");
    put_pairs(out, "processes", &config->processes,
              "FILE run NAME starts one; web is the default.");
    put_entry(out, "release", config->release, "What prepares a new version: FILE run release");
    put_entry(out, "console", config->console, "FILE console");
    put_entry(out, "health", config->any_health ? NULL : config->health,
              "The path that answers when the app is up.");
    if (config->any_health)
        fputs("\n# health: /up   a path that answers with 200 when the app is up\n", out);
    put_pairs(out, "env", &config->env, "Set where the one who starts the file has not set it.");
    put_states(out, &app->states);
    put_list(out, "secrets", &config->secrets,
             "Variables that must be set at start; A|B: one of them.");
    fputs(config->secrets.count > 0
              ? "\n"
              : "\n# secrets: [SECRET_KEY_BASE]   names of variables that must be set at start\n",
          out);
    fputs("# include: [vendor/fonts]      files that would be left out\n"
          "# exclude: [doc]               files that would be packed\n"
          "# keep: [puma/ext]             files of gems that would be left out\n"
          "# libs: {include: [libmagic.so.1], never: [libcuda.so.1]}\n",
          out);
    (void)fclose(out);
    return text;
}
