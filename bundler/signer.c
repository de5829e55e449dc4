/* SPDX-License-Identifier: MIT */
#include "bundler/signer.h"

#include <assert.h>
#include <errno.h>
#include <fcntl.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/prctl.h>
#include <sys/stat.h>
#include <unistd.h>

#include "bundler/bundle.h"
#include "bundler/output.h"
#include "common/cleanup.h"
#include "common/err.h"
#include "common/fs.h"
#include "common/signature.h"
#include "common/xalloc.h"

#define PASSWORD "RUCKSACK_SIGN_PASSWORD"
#define PASSWORD_FILE "RUCKSACK_SIGN_PASSWORD_FILE"
#define SUFFIX ".minisig"

enum { PIECE_BYTES = 1 << 20 };

static void free_secret(char **text)
{
    if (*text != NULL)
        prim_wipe(*text, strlen(*text));
    free(*text);
}

#define cleanup_secret cleanup_with(free_secret)

static bool bad_key(const char *path, struct err *err)
{
    (void)err_wrap(err, "key '%s'", path);
    (void)err_id(err, "E-SIG");
    return err_hint(err, "'rucksack keygen' makes a pair of keys");
}

static bool read_password(const char *path, char **ret, struct err *err)
{
    char *text = NULL;
    size_t size;

    if (!fs_read_file(path, MINISIGN_PASSWORD_MAX + 1, &text, &size, err)) {
        (void)err_wrap(err, PASSWORD_FILE);
        (void)err_id(err, "E-SIG");
        return err_hint(err, "name a file with the password as its only line");
    }
    size = strcspn(text, "\n");
    if (size > 0 && text[size - 1] == '\r')
        size--;
    text[size] = '\0';
    *ret = text;
    return true;
}

void signer_input_take(struct signer_input *ret)
{
    char *password = getenv(PASSWORD);
    const char *path = getenv(PASSWORD_FILE);

    *ret = (struct signer_input){
        .password = password != NULL ? xstrdup(password) : NULL,
        .path = path != NULL ? xstrdup(path) : NULL,
    };
    if (password != NULL)
        prim_wipe(password, strlen(password)); /* where it stands is what /proc shows */
    (void)unsetenv(PASSWORD);
    (void)unsetenv(PASSWORD_FILE);
}

void signer_input_release(struct signer_input *input)
{
    free_secret(&input->password);
    free(input->path);
    *input = (struct signer_input){0};
}

bool signer_password(struct signer_input *input, char **ret, struct err *err)
{
    cleanup_secret char *password = steal_ptr(&input->password);

    *ret = NULL;
    if (password == NULL && input->path != NULL && !read_password(input->path, &password, err))
        return false;
    if (password != NULL && (password[0] == '\0' || strlen(password) > MINISIGN_PASSWORD_MAX)) {
        (void)err_set(err, ERR_INPUT, "the password is empty, or has more than %d bytes",
                      MINISIGN_PASSWORD_MAX);
        (void)err_id(err, "E-SIG");
        return err_hint(err, "set " PASSWORD " or " PASSWORD_FILE);
    }
    *ret = steal_ptr(&password);
    return true;
}

bool signer_load(const char *path, struct signer_input *input, struct minisign_secret *ret,
                 struct err *err)
{
    cleanup_secret char *password = NULL;
    cleanup_secret char *text = NULL;
    size_t size;

    if (!signer_password(input, &password, err))
        return false;
    if (!fs_read_file(path, MINISIGN_TEXT_MAX, &text, &size, err) ||
        !minisign_read_secret(text, size, password, ret, err))
        return bad_key(path, err);
    return true;
}

void signer_hide_memory(void)
{
    (void)prctl(PR_SET_DUMPABLE, 0);
}

bool signer_load_key(const char *given, struct minisign_key *ret, struct err *err)
{
    cleanup_free char *text = NULL;
    struct err ignored = {0};
    size_t size;

    if (strlen(given) == MINISIGN_PUBLIC_TEXT - 1 &&
        minisign_read_key(given, strlen(given), ret, &ignored))
        return true;
    if (!fs_read_file(given, MINISIGN_TEXT_MAX, &text, &size, err) ||
        !minisign_read_key(text, size, ret, err))
        return bad_key(given, err);
    return true;
}

char *signer_comment(const char *name, const char *text)
{
    return text == NULL ? xasprintf(MINISIGN_OURS "%s", name)
                        : xasprintf(MINISIGN_OURS "%s: %s", name, text);
}

static bool copy(int from, int to, uint64_t size, struct err *err)
{
    cleanup_free char *piece = xcalloc(PIECE_BYTES, 1);
    uint64_t offset = 0;

    while (offset < size) {
        uint64_t left = size - offset;
        size_t want = left < PIECE_BYTES ? (size_t)left : PIECE_BYTES;
        ssize_t length = pread(from, piece, want, (off_t)offset);

        if (length < 0 && errno == EINTR)
            continue;
        if (length < 0)
            return err_sys(err, "read");
        if (length == 0)
            return err_set(err, ERR_INPUT, "it became shorter meanwhile");
        if (!fs_write_all(to, piece, (size_t)length, err))
            return false;
        offset += (uint64_t)length;
    }
    return true;
}

/* Of bytes that nobody else can change: what was checked is what is signed. */
static bool check_copy(const struct bundle *original, int fd, struct err *err)
{
    struct bundle_findings findings;
    struct bundle bundle = *original;

    bundle.fd = fd;
    return bundle_verify(&bundle, &findings, err);
}

bool signer_make_text(int fd, const char *path, const struct minisign_secret *secret,
                      const char *comment, char **ret, struct err *err)
{
    struct minisign_signature signature;
    uint8_t hash[MINISIGN_HASH_SIZE];
    struct stat st;

    if (fstat(fd, &st) != 0)
        return err_sys(err, "'%s'", path);
    if (!minisign_hash(fd, (uint64_t)st.st_size, NULL, 0, hash, err))
        return err_wrap(err, "'%s'", path);
    minisign_sign(secret, hash, comment, &signature);
    *ret = minisign_signature_text(&signature);
    return true;
}

bool signer_write_beside(const char *path, const char *text, struct err *err)
{
    cleanup_free char *beside = xasprintf("%s" SUFFIX, path);
    struct output output;
    bool ok;

    assert(text != NULL);
    ok = output_open(&output, beside, err);
    if (ok) {
        ok = fs_write_all(output.fd, text, strlen(text), err) && output_publish(&output, 0644, err);
        if (!ok)
            (void)output_explain(beside, err);
    }
    output_release(&output);
    return ok;
}

/* The file keeps its owner where that is allowed, and its permissions: from then on its owner can
 * write it, so both signatures are made before. The signature of what it was is gone before, too:
 * at no time there is one that does not fit. */
static bool write_signed(const struct bundle *bundle, const char *real,
                         const struct minisign_secret *secret, const char *comment,
                         struct output *output, struct err *err)
{
    cleanup_free char *beside = xasprintf("%s" SUFFIX, real);
    cleanup_free char *text = NULL;
    struct stat st;

    if (fstat(bundle->fd, &st) != 0)
        return err_sys(err, "'%s'", bundle->path);
    if (!copy(bundle->fd, output->fd, bundle->file_size, err) ||
        !check_copy(bundle, output->fd, err) || !bundle_sign(output->fd, secret, comment, err) ||
        !signer_make_text(output->fd, real, secret, comment, &text, err))
        return false;
    (void)!fchown(output->fd, st.st_uid, st.st_gid);
    if (unlink(beside) != 0 && errno != ENOENT)
        return err_sys(err, "'%s'", beside);
    return output_publish(output, st.st_mode & 0777, err) && signer_write_beside(real, text, err);
}

/* A link's own name is nothing that is written beside. */
static char *resolve(const char *path)
{
    struct stat st;

    return lstat(path, &st) == 0 && S_ISLNK(st.st_mode) ? realpath(path, NULL) : xstrdup(path);
}

bool signer_sign(const char *path, const struct minisign_secret *secret, const char *text,
                 char **ret, struct err *err)
{
    cleanup_free char *comment = NULL;
    cleanup_free char *real = NULL;
    struct bundle bundle;
    struct output output;
    bool ok;

    if (!bundle_open(&bundle, path, err))
        return false;
    comment = signer_comment(bundle.header.name, text);
    real = resolve(path);
    ok = real != NULL || err_sys(err, "'%s'", path);
    if (ok) {
        ok = output_open(&output, real, err) &&
             write_signed(&bundle, real, secret, comment, &output, err);
        if (!ok)
            (void)output_explain(real, err);
        output_release(&output);
    }
    bundle_close(&bundle);
    if (ok)
        *ret = steal_ptr(&real);
    return ok;
}

static bool verify_text(const struct bundle *bundle, const char *text, size_t size,
                        const struct minisign_key *key, struct signer_findings *findings,
                        struct err *err)
{
    struct minisign_signature signature;
    uint8_t hash[MINISIGN_HASH_SIZE];

    if (!minisign_read_signature(text, size, &signature, err)) {
        err->kind = ERR_CHECK;
        return false;
    }
    if (!minisign_hash(bundle->fd, bundle->file_size, NULL, 0, hash, err) ||
        !minisign_verify(&signature, key, hash, err))
        return false;
    findings->has_file = true;
    if (!findings->is_signed)
        memcpy(findings->comment, signature.comment, sizeof(findings->comment));
    return true;
}

/* The file beside, which is there: unreadable is an error. */
static bool verify_beside(const struct bundle *bundle, const char *beside,
                          const struct minisign_key *key, struct signer_findings *findings,
                          struct err *err)
{
    cleanup_free char *text = NULL;
    size_t size;

    if (!fs_read_file(beside, MINISIGN_TEXT_MAX, &text, &size, err)) {
        (void)err_id(err, "E-SIG");
        return err_hint(err, "get it again, or take it away");
    }
    return verify_text(bundle, text, size, key, findings, err) || err_wrap(err, "'%s'", beside);
}

static bool is_there(const char *path)
{
    return access(path, F_OK) == 0 || errno != ENOENT;
}

static bool find_beside(const struct bundle *bundle, const struct minisign_key *key,
                        struct signer_findings *findings, struct err *err)
{
    cleanup_free char *beside = xasprintf("%s" SUFFIX, bundle->path);
    cleanup_free char *real = NULL;

    if (!is_there(beside)) {
        real = resolve(bundle->path);
        if (real == NULL)
            return true;
        free(beside);
        beside = xasprintf("%s" SUFFIX, real);
        if (!is_there(beside))
            return true;
    }
    findings->is_file_unknown = key == NULL;
    return key == NULL || verify_beside(bundle, beside, key, findings, err);
}

bool signer_verify(const struct bundle *bundle, const struct minisign_key *key,
                   struct signer_findings *ret, struct err *err)
{
    const struct format_signature *carried = &bundle->header.signature;
    uint64_t end = bundle->header.image_offset + bundle->header.image_size;

    *ret = (struct signer_findings){.is_signed = signature_is_there(carried)};
    if (ret->is_signed) {
        ret->key = signature_key(carried);
        if (!signature_check(bundle->fd, bundle->section_offset, end, carried, key, err))
            return err_wrap(err, "'%s'", bundle->path);
        (void)snprintf(ret->comment, sizeof(ret->comment), "%s", carried->comment);
        key = key != NULL ? key : &ret->key;
    }
    if (!find_beside(bundle, key, ret, err))
        return false;
    if (ret->is_signed || ret->has_file || key == NULL)
        return true;
    (void)err_set(err, ERR_CHECK, "'%s' is not signed", bundle->path);
    (void)err_id(err, "E-SIG");
    return err_hint(err, "'rucksack sign -s KEY FILE' signs it");
}
