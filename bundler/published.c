/* SPDX-License-Identifier: MIT */
#include "bundler/published.h"

#include <ctype.h>
#include <stdlib.h>
#include <string.h>

#include "common/cleanup.h"
#include "common/err.h"
#include "common/fs.h"
#include "common/proc.h"
#include "common/xalloc.h"

enum { OUTPUT_MAX_BYTES = 16 << 20 };

extern char **environ;

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

static char *cache_dir(void)
{
    const char *cache = getenv("XDG_CACHE_HOME");
    const char *home = getenv("HOME");

    if (cache != NULL && cache[0] == '/')
        return xasprintf("%s/rucksack/gems", cache);
    if (home != NULL && home[0] == '/')
        return xasprintf("%s/.cache/rucksack/gems", home);
    return NULL;
}

static char **install_environment(const char *home)
{
    size_t count = 0;
    size_t used = 0;
    char **envp;

    while (environ[count] != NULL)
        count++;
    envp = xcalloc(count + 3, sizeof(*envp));
    for (size_t i = 0; i < count; i++) {
        if (strncmp(environ[i], "GEM_HOME=", 9) != 0 && strncmp(environ[i], "GEM_PATH=", 9) != 0)
            envp[used++] = xstrdup(environ[i]);
    }
    envp[used++] = xasprintf("GEM_HOME=%s", home);
    envp[used] = xasprintf("GEM_PATH=%s", home);
    return envp;
}

static const char *last_words(char *text)
{
    size_t len = strlen(text);

    while (len > 0 && (text[len - 1] == '\n' || text[len - 1] == ' '))
        text[--len] = '\0';
    while (len > 0 && text[len - 1] != '\n')
        len--;
    return text + len;
}

static bool install(const struct published *published, const char *version, struct err *err)
{
    const char *argv[10] = {"gem",           "install",        published->name,
                            "--no-document", "--conservative", "--no-suggestions"};
    char **envp = install_environment(published->home);
    struct proc_request request = {
        .argv = argv, .envp = (const char *const *)envp, .output_max_bytes = OUTPUT_MAX_BYTES};
    struct proc_output output = {0};
    bool ok;

    if (version != NULL) {
        argv[6] = "--version";
        argv[7] = version;
    }
    ok = proc_capture(&request, &output, err);
    for (size_t i = 0; envp[i] != NULL; i++)
        free(envp[i]);
    free(envp);
    if (!ok)
        return err_hint(err, "install Ruby with its RubyGems");
    ok = output.exit_code == 0;
    if (!ok) {
        (void)err_set(err, ERR_INPUT, "'gem install %s' failed with code %d: %.700s",
                      published->name, output.exit_code, last_words(output.errors));
        (void)err_hint(err, "see what it says: gem install %s", published->name);
    }
    proc_output_release(&output);
    return ok;
}

bool published_install(struct published *ret, const char *wanted, struct err *err)
{
    size_t name_len = strcspn(wanted, "@");
    const char *version = wanted[name_len] == '@' ? wanted + name_len + 1 : NULL;
    cleanup_free char *cache = cache_dir();

    *ret = (struct published){.name = xstrndup(wanted, name_len)};
    if (!is_word(ret->name) || (version != NULL && !is_word(version))) {
        (void)err_set(err, ERR_INPUT, "'%.100s' is no name of a gem", wanted);
        (void)err_id(err, "E-GEM");
        return err_hint(err, "rucksack build --gem NAME or --gem NAME@VERSION");
    }
    if (cache == NULL) {
        (void)err_set(err, ERR_INPUT, "neither XDG_CACHE_HOME nor HOME says where to install");
        (void)err_id(err, "E-OUTPUT");
        return err_hint(err, "name a directory: XDG_CACHE_HOME=DIR");
    }
    ret->home = xasprintf("%s/%s", cache, wanted);
    return (fs_mkdir_p(ret->home, 0700, err) && install(ret, version, err)) || err_id(err, "E-GEM");
}

void published_release(struct published *published)
{
    free(published->name);
    free(published->home);
    *published = (struct published){0};
}
