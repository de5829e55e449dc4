/* SPDX-License-Identifier: MIT */
#include "bundler/published.h"

#include <ctype.h>
#include <stdlib.h>
#include <string.h>

#include "bundler/cachedir.h"
#include "bundler/childenv.h"
#include "common/cleanup.h"
#include "common/err.h"
#include "common/fs.h"
#include "common/proc.h"
#include "common/text.h"
#include "common/xalloc.h"

enum { OUTPUT_MAX_BYTES = 16 << 20 };

/* Gem::Specification::VALID_NAME_PATTERN, and what a version is made of. */
static bool is_word(const char *text)
{
    if (!isalnum((unsigned char)text[0]))
        return false;
    while (isalnum((unsigned char)*text) || strchr("._-", *text) != NULL) {
        if (*text++ == '\0')
            return true;
    }
    return *text == '\0';
}

static bool install(const struct published *published, const char *version, struct err *err)
{
    const char *argv[10] = {"gem",           "install",        published->name,
                            "--no-document", "--conservative", "--no-suggestions"};
    static const char *const without[] = {"GEM_HOME=", "GEM_PATH=", NULL};
    cleanup_free char *gem_home = xasprintf("GEM_HOME=%s", published->home);
    cleanup_free char *gem_path = xasprintf("GEM_PATH=%s", published->home);
    const char *const with[] = {gem_home, gem_path, NULL};
    char **envp = childenv_make(without, with);
    struct proc_request request = {
        .argv = argv, .envp = (const char *const *)envp, .output_max_bytes = OUTPUT_MAX_BYTES};
    struct proc_output output = {0};
    bool ok;

    if (version != NULL) {
        argv[6] = "--version";
        argv[7] = version;
    }
    ok = proc_capture(&request, &output, err);
    childenv_free(envp);
    if (!ok)
        return err_hint(err, "install Ruby with its RubyGems");
    ok = output.exit_code == 0;
    if (!ok) {
        (void)err_set(err, ERR_INPUT, "'gem install %s' failed with code %d: %.700s",
                      published->name, output.exit_code, text_last_lines(output.errors, 1));
        (void)err_hint(err, "see what it says: gem install %s", published->name);
    }
    proc_output_release(&output);
    return ok;
}

bool published_install(struct published *ret, const char *wanted, struct err *err)
{
    size_t name_len = strcspn(wanted, "@");
    const char *version = wanted[name_len] == '@' ? wanted + name_len + 1 : NULL;
    cleanup_free char *cache = NULL;

    *ret = (struct published){.name = xstrndup(wanted, name_len)};
    if (!is_word(ret->name) || (version != NULL && !is_word(version))) {
        (void)err_set(err, ERR_INPUT, "'%.100s' is no name of a gem", wanted);
        (void)err_id(err, "E-GEM");
        return err_hint(err, "rucksack build --gem NAME or --gem NAME@VERSION");
    }
    if (!cachedir_make("gems", &cache, err))
        return false;
    ret->home = xasprintf("%s/%s", cache, wanted);
    return (fs_mkdir_p(ret->home, 0700, err) && install(ret, version, err)) || err_id(err, "E-GEM");
}

void published_release(struct published *published)
{
    free(published->name);
    free(published->home);
    *published = (struct published){0};
}
