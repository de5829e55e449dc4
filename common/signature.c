/* SPDX-License-Identifier: MIT */
#include "common/signature.h"

#include <stddef.h>
#include <string.h>

#include "common/err.h"

static bool hash_bundle(int fd, uint64_t section_offset, uint64_t end,
                        uint8_t ret[MINISIGN_HASH_SIZE], struct err *err)
{
    uint64_t sums = section_offset + FORMAT_SUMS_OFFSET;
    uint64_t field = section_offset + FORMAT_SIGNATURE_OFFSET;
    uint64_t made = field + offsetof(struct format_signature, signature);
    const struct minisign_gap gaps[] = {
        {sums, sums + FORMAT_SUMS_SIZE},
        {made, field + sizeof(struct format_signature)},
    };

    return minisign_hash(fd, end, gaps, sizeof(gaps) / sizeof(gaps[0]), ret, err);
}

static bool refuse(const char *what, struct err *err)
{
    (void)err_set(err, ERR_CHECK, "%s", what);
    (void)err_id(err, "E-SIG");
    return err_hint(err, "do not run it; get file and key again from those who signed it");
}

bool signature_is_there(const struct format_signature *signature)
{
    static const struct format_signature none;

    return memcmp(signature, &none, sizeof(none)) != 0;
}

struct minisign_key signature_key(const struct format_signature *signature)
{
    struct minisign_key key;

    memcpy(key.id, signature->id, sizeof(key.id));
    memcpy(key.point, signature->key, sizeof(key.point));
    return key;
}

/* Every byte behind the comment's end is zero: none of the field can be another. */
static bool read_comment(const char comment[FORMAT_COMMENT_SIZE], char ret[FORMAT_COMMENT_SIZE])
{
    size_t length = strnlen(comment, FORMAT_COMMENT_SIZE);

    for (size_t i = length; i < FORMAT_COMMENT_SIZE; i++)
        if (comment[i] != '\0')
            return false;
    if (length == FORMAT_COMMENT_SIZE || !minisign_is_comment(comment, length))
        return false;
    memcpy(ret, comment, length + 1);
    return true;
}

bool signature_check(int fd, uint64_t section_offset, uint64_t end,
                     const struct format_signature *signature, const struct minisign_key *key,
                     struct err *err)
{
    struct minisign_key carried = signature_key(signature);
    struct minisign_signature made = {0};
    uint8_t hash[MINISIGN_HASH_SIZE];

    if (!signature_is_there(signature)) {
        (void)err_set(err, ERR_CHECK, "it is not signed");
        (void)err_id(err, "E-SIG");
        return err_hint(err, "'rucksack sign -s KEY FILE' signs it");
    }
    if (memcmp(signature->algorithm, "ED", sizeof(signature->algorithm)) != 0)
        return refuse("its signature is of an unknown algorithm", err);
    if (!read_comment(signature->comment, made.comment))
        return refuse("the comment of its signature is damaged", err);
    memcpy(made.id, signature->id, sizeof(made.id));
    memcpy(made.signature, signature->signature, sizeof(made.signature));
    memcpy(made.comment_signature, signature->comment_signature, sizeof(made.comment_signature));
    if (!hash_bundle(fd, section_offset, end, hash, err) ||
        !minisign_verify(&made, key != NULL ? key : &carried, hash, err))
        return false;
    if (key != NULL && memcmp(&carried, key, sizeof(carried)) != 0)
        return refuse("it carries another key than the one it was signed with", err);
    return true;
}

struct format_signature signature_begin(const struct minisign_key *key)
{
    struct format_signature signature = {.algorithm = {'E', 'D'}};

    memcpy(signature.id, key->id, sizeof(signature.id));
    memcpy(signature.key, key->point, sizeof(signature.key));
    return signature;
}

bool signature_make(int fd, uint64_t section_offset, uint64_t end,
                    const struct minisign_secret *secret, const char *comment,
                    struct format_signature *ret, struct err *err)
{
    struct format_signature signature = signature_begin(&secret->key);
    struct minisign_signature made;
    uint8_t hash[MINISIGN_HASH_SIZE];
    size_t length = strlen(comment);

    if (length >= sizeof(signature.comment) || !minisign_is_comment(comment, length)) {
        (void)err_set(err, ERR_INPUT, "the comment is too long, or not text of one line");
        (void)err_id(err, "E-SIG");
        return err_hint(err, "there is room for %zu bytes", sizeof(signature.comment) - 1);
    }
    if (!hash_bundle(fd, section_offset, end, hash, err))
        return false;
    minisign_sign(secret, hash, comment, &made);
    memcpy(signature.signature, made.signature, sizeof(signature.signature));
    memcpy(signature.comment_signature, made.comment_signature,
           sizeof(signature.comment_signature));
    memcpy(signature.comment, comment, length);
    *ret = signature;
    return true;
}
