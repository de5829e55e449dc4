/* SPDX-License-Identifier: MIT */
#include "runtime/keeper/site.h"

#include <errno.h>
#include <fcntl.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

#include "common/cleanup.h"
#include "common/err.h"
#include "common/format.h"
#include "common/fs.h"
#include "common/launchlist.h"
#include "common/xalloc.h"
#include "runtime/keeper/manifest.h"

static bool damaged(struct err *err)
{
    (void)err_set(err, ERR_INPUT, "damaged image: no name in its launch file");
    return err_id(err, "E-START");
}

static bool parse(struct site *site, size_t size, struct err *err)
{
    if (!launchlist_read(site->text, size, &site->records, &site->count, err))
        return err_id(err, "E-START");
    for (size_t i = 0; i < site->count; i++)
        if (launchfile_is(&site->records[i], "name", 1))
            site->name = site->records[i].fields[1];
    return site->name != NULL || damaged(err);
}

bool site_open(struct site *ret, const char *root, const char *dir, const char *file,
               struct err *err)
{
    struct site site = {.dir = dir, .file = file, .fd = -1};
    cleanup_free char *path = xasprintf("%s/" FORMAT_LAUNCH, root);
    size_t size;

    if (!fs_read_file(path, FORMAT_LAUNCH_MAX, &site.text, &size, err))
        return false;
    if (!parse(&site, size, err)) {
        site_release(&site);
        return false;
    }
    *ret = site;
    return true;
}

void site_release(struct site *site)
{
    cleanup_fd_value(&site->fd);
    free(site->records);
    free(site->text);
    *site = (struct site){.fd = -1};
}

bool site_enter(struct site *site, bool is_made, struct err *err)
{
    if (is_made && mkdir(site->dir, 0700) != 0 && errno != EEXIST) {
        (void)err_sys(err, "state directory '%s'", site->dir);
        (void)err_id(err, "E-WRITE");
        return err_hint(err, "name a writable one: RUCKSACK_STATE=/var/lib/%s", site->name);
    }
    site->fd = open(site->dir, O_RDONLY | O_DIRECTORY | O_CLOEXEC);
    if (site->fd >= 0)
        return true;
    if (errno != ENOENT) {
        (void)err_sys(err, "state directory '%s'", site->dir);
        return err_id(err, "E-WRITE");
    }
    (void)err_set(err, ERR_INPUT, "there is no state yet: no '%s'", site->dir);
    (void)err_id(err, "E-EMPTY");
    return err_hint(err, "start the app once, or name the place: RUCKSACK_STATE=DIR FILE backup");
}

char *site_path(const struct site *site, const char *path)
{
    return xasprintf("%s/%s", site->dir, path);
}

/* Of several names the first that is set, as the application would find it. */
static const char *set_name(const struct launchfile_record *record)
{
    for (size_t i = 1; i < record->count; i++) {
        const char *value = getenv(record->fields[i]);

        if (value != NULL && value[0] != '\0')
            return record->fields[i];
    }
    return NULL;
}

void site_add_secrets(const struct site *site, struct manifest *manifest)
{
    for (size_t i = 0; i < site->count; i++) {
        const struct launchfile_record *record = &site->records[i];
        struct manifest_secret *secret;
        const char *name;

        if (!launchfile_is(record, "secret", 1))
            continue;
        name = set_name(record);
        secret = manifest_add_secret(manifest, name != NULL ? name : record->fields[1]);
        secret->is_set = name != NULL;
        if (name != NULL)
            digest_fingerprint(manifest->id, getenv(name), secret->fingerprint);
    }
}

/* Only variables that the bundle calls secrets: an archive shall not ask for others. */
static bool is_ours(const struct site *site, const char *name)
{
    for (size_t i = 0; i < site->count; i++) {
        const struct launchfile_record *record = &site->records[i];

        for (size_t j = 1; launchfile_is(record, "secret", 1) && j < record->count; j++)
            if (strcmp(record->fields[j], name) == 0)
                return true;
    }
    return false;
}

bool site_check_secrets(const struct site *site, const struct manifest *manifest,
                        const char **ret_unset, struct err *err)
{
    *ret_unset = NULL;
    for (size_t i = 0; i < manifest->secret_count; i++) {
        const struct manifest_secret *secret = &manifest->secrets[i];
        const char *value = is_ours(site, secret->name) ? getenv(secret->name) : NULL;
        uint8_t fingerprint[DIGEST_SIZE];

        if (!secret->is_set)
            continue;
        if (value == NULL || value[0] == '\0') {
            *ret_unset = secret->name;
            continue;
        }
        digest_fingerprint(manifest->id, value, fingerprint);
        if (memcmp(fingerprint, secret->fingerprint, sizeof(fingerprint)) == 0)
            continue;
        (void)err_set(err, ERR_INPUT,
                      "the secret '%s' is not the one that the snapshot was made with",
                      secret->name);
        (void)err_id(err, "E-KEY");
        return err_hint(err,
                        "set that one; what it encrypts cannot be read with another. With a new "
                        "one on purpose: --other-secrets");
    }
    return true;
}
