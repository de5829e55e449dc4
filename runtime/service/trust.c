/* SPDX-License-Identifier: MIT */
#include "runtime/service/trust.h"

#include <errno.h>
#include <string.h>
#include <unistd.h>

#include "common/cleanup.h"
#include "common/err.h"
#include "common/fs.h"
#include "common/signature.h"
#include "common/xalloc.h"
#include "runtime/service/bundlefile.h"

static char *place_of(const char *name)
{
    return xasprintf("/etc/%s/trust", name);
}

bool trust_load(const char *name, struct minisign_key *ret, bool *ret_found, struct err *err)
{
    cleanup_free char *place = place_of(name);
    cleanup_free char *text = NULL;
    size_t size;

    *ret_found = false;
    if (access(place, F_OK) != 0 && errno == ENOENT)
        return true;
    if (!fs_read_file(place, MINISIGN_TEXT_MAX, &text, &size, err) ||
        !minisign_read_key(text, size, ret, err)) {
        (void)err_id(err, "E-SIG");
        return err_wrap(err, "'%s'", place);
    }
    *ret_found = true;
    return true;
}

static bool check(const struct bundlefile *file, const struct minisign_key *key, struct err *err)
{
    const struct format_header *header = &file->header;

    return signature_check(file->fd, file->header_offset, header->image_offset + header->image_size,
                           &header->signature, key, err);
}

bool trust_check(const char *name, const struct bundlefile *file, struct err *err)
{
    struct err why = {0};
    struct minisign_key key;
    bool is_pinned;

    if (!trust_load(name, &key, &is_pinned, err))
        return false;
    if (!is_pinned)
        return !signature_is_there(&file->header.signature) || check(file, NULL, err);
    if (check(file, &key, &why))
        return true;
    (void)err_set(err, ERR_INPUT,
                  "'%s' takes only bundles signed with the key in /etc/%s/trust: %s", name, name,
                  why.msg);
    (void)err_id(err, "E-SIG");
    return err_hint(err, "if its owner says that the key changed: FILE service trust KEY.pub");
}

static bool write_key(const char *name, const struct minisign_key *key, struct err *err)
{
    cleanup_free char *place = place_of(name);
    cleanup_free char *dir = xasprintf("/etc/%s", name);
    cleanup_free char *text = minisign_key_text(key);

    return fs_mkdir_p(dir, 0755, err) && fs_put_file(place, text, strlen(text), 0644, err);
}

bool trust_pin(const char *name, const struct bundlefile *file, struct err *err)
{
    struct minisign_key key;
    bool is_pinned;

    if (!signature_is_there(&file->header.signature))
        return true;
    if (!trust_load(name, &key, &is_pinned, err))
        return false;
    key = is_pinned ? key : signature_key(&file->header.signature);
    return is_pinned || write_key(name, &key, err);
}

static bool read_bundle_key(const char *path, struct minisign_key *ret, struct err *err)
{
    struct bundlefile file;
    bool ok;

    if (!bundlefile_open(&file, path, err))
        return false;
    ok = check(&file, NULL, err);
    *ret = signature_key(&file.header.signature);
    bundlefile_release(&file);
    return ok;
}

bool trust_take(const char *name, const char *path, struct minisign_key *ret, struct err *err)
{
    cleanup_free char *text = NULL;
    struct err ignored = {0};
    size_t size;
    bool ok;

    if (fs_read_file(path, MINISIGN_TEXT_MAX, &text, &size, &ignored))
        ok = minisign_read_key(text, size, ret, err);
    else
        ok = read_bundle_key(path, ret, err);
    return ok && write_key(name, ret, err);
}

bool trust_forget(const char *name, struct err *err)
{
    cleanup_free char *place = place_of(name);

    return unlink(place) == 0 || errno == ENOENT || err_sys(err, "'%s'", place);
}
