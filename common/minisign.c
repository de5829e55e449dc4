/* SPDX-License-Identifier: MIT */
#include "common/minisign.h"

#include <assert.h>
#include <endian.h>
#include <errno.h>
#include <inttypes.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include "common/base64.h"
#include "common/cleanup.h"
#include "common/err.h"
#include "common/xalloc.h"

#define UNTRUSTED "untrusted comment: "
#define TRUSTED "trusted comment: "
#define SIGNATURE_COMMENT "signature from rucksack secret key"

enum {
    ALGORITHM_SIZE = 2,
    PIECE_BYTES = 256 << 10,
    /* What a key's file asks for at most, as minisign writes it. Ours asks for less: 128 MiB is
     * what OWASP advises, and there is that much on every machine that builds. */
    OPERATIONS_MAX = 1 << 25,
    MEMORY_MAX = 1 << 30,
    OPERATIONS = 1 << 22,
    MEMORY = 1 << 27,
};

/* The bytes of a file's base64. All are arrays of bytes: no padding. */
struct public_bytes {
    uint8_t algorithm[ALGORITHM_SIZE]; /* "Ed" */
    struct minisign_key key;
};

struct signature_bytes {
    uint8_t algorithm[ALGORITHM_SIZE]; /* "ED" */
    uint8_t id[MINISIGN_ID_SIZE];
    uint8_t signature[PRIM_SIGNATURE_SIZE];
};

/* What the password hides, by XOR. */
struct hidden_bytes {
    uint8_t id[MINISIGN_ID_SIZE];
    uint8_t secret[PRIM_SECRET_SIZE];
    uint8_t checksum[32]; /* BLAKE2b-256 of algorithm, id and secret; zero without a password */
};

struct secret_bytes {
    uint8_t algorithm[ALGORITHM_SIZE]; /* "Ed" */
    uint8_t stretch[ALGORITHM_SIZE];   /* "Sc", or zero: no password */
    uint8_t check[ALGORITHM_SIZE];     /* "B2" */
    uint8_t salt[PRIM_SALT_SIZE];
    uint8_t operations[8]; /* little-endian */
    uint8_t memory[8];
    struct hidden_bytes hidden;
};

static_assert(sizeof(struct public_bytes) == 42);
static_assert(sizeof(struct signature_bytes) == 74);
static_assert(sizeof(struct secret_bytes) == 158);
static_assert(BASE64_LENGTH(sizeof(struct public_bytes)) + 1 == MINISIGN_PUBLIC_TEXT);

struct line {
    const char *text;
    size_t length;
};

/* Text that is left to read. */
struct reader {
    const char *at;
    size_t left;
};

static bool unreadable(const char *what, const char *why, const char *hint, struct err *err)
{
    (void)err_set(err, ERR_INPUT, "it is no %s: %s", what, why);
    (void)err_id(err, "E-SIG");
    return err_hint(err, "%s", hint);
}

static bool no_key(const char *why, struct err *err)
{
    return unreadable("public key", why, "'rucksack keygen' and 'minisign -G' write them", err);
}

static bool no_secret(const char *why, struct err *err)
{
    return unreadable("secret key", why, "'rucksack keygen' and 'minisign -G' write them", err);
}

static bool no_signature(const char *why, struct err *err)
{
    return unreadable("signature", why, "get it again from where the file was signed", err);
}

/* False at the end, and for a line without an end. */
static bool next_line(struct reader *reader, struct line *ret)
{
    const char *end = reader->left > 0 ? memchr(reader->at, '\n', reader->left) : NULL;

    if (end == NULL)
        return false;
    *ret = (struct line){reader->at, (size_t)(end - reader->at)};
    reader->left -= ret->length + 1;
    reader->at = end + 1;
    return true;
}

static bool starts_with(const struct line *line, const char *prefix)
{
    size_t length = strlen(prefix);

    return line->length >= length && memcmp(line->text, prefix, length) == 0;
}

bool minisign_is_comment(const char *text, size_t length)
{
    for (size_t i = 0; i < length; i++) {
        unsigned char byte = (unsigned char)text[i];

        if ((byte < ' ' && byte != '\t') || byte == 0x7f)
            return false;
    }
    return true;
}

/* A line of a key: people paste it, and their editors end it in their ways, or not at all. */
static bool next_key_line(struct reader *reader, struct line *ret)
{
    if (reader->left == 0)
        return false;
    if (!next_line(reader, ret)) {
        *ret = (struct line){reader->at, reader->left};
        reader->left = 0;
    }
    if (ret->length > 0 && ret->text[ret->length - 1] == '\r')
        ret->length--;
    return true;
}

/* The two lines of a key, or the second alone, and nothing else. */
static bool read_key_lines(const char *text, size_t size, uint8_t *ret, size_t ret_size)
{
    struct reader reader = {text, size};
    struct line line;

    return size <= MINISIGN_TEXT_MAX && next_key_line(&reader, &line) &&
           (!starts_with(&line, UNTRUSTED) || next_key_line(&reader, &line)) && reader.left == 0 &&
           base64_decode(line.text, line.length, ret, ret_size);
}

bool minisign_read_key(const char *text, size_t size, struct minisign_key *ret, struct err *err)
{
    struct public_bytes bytes;

    if (!read_key_lines(text, size, (uint8_t *)&bytes, sizeof(bytes)))
        return no_key("not a comment and a line of base64", err);
    if (memcmp(bytes.algorithm, "Ed", ALGORITHM_SIZE) != 0)
        return no_key("it is of an unknown algorithm", err);
    *ret = bytes.key;
    return true;
}

static void sum_secret(const struct secret_bytes *bytes, uint8_t ret[32])
{
    struct prim_hash hash;

    prim_hash_init(&hash, 32);
    prim_hash_update(&hash, bytes->algorithm, sizeof(bytes->algorithm));
    prim_hash_update(&hash, bytes->hidden.id, sizeof(bytes->hidden.id));
    prim_hash_update(&hash, bytes->hidden.secret, sizeof(bytes->hidden.secret));
    prim_hash_final(&hash, ret, 32);
}

static uint64_t number_of(const uint8_t bytes[8])
{
    uint64_t number;

    memcpy(&number, bytes, sizeof(number));
    return le64toh(number);
}

static void put_number(uint64_t number, uint8_t ret[8])
{
    number = htole64(number);
    memcpy(ret, &number, sizeof(number));
}

/* Hides what is plain, and shows what is hidden. */
static bool apply_password(struct secret_bytes *bytes, const char *password, struct err *err)
{
    uint64_t operations = number_of(bytes->operations);
    uint64_t memory = number_of(bytes->memory);
    uint8_t stream[sizeof(bytes->hidden)];
    uint8_t *hidden = (uint8_t *)&bytes->hidden;

    if (operations > OPERATIONS_MAX || memory > MEMORY_MAX)
        return no_secret("it asks for more than 1 GiB of memory", err);
    if (!prim_stretch(stream, sizeof(stream), password, bytes->salt, operations, (size_t)memory)) {
        (void)err_set(err, ERR_SYSTEM, "the password needs %" PRIu64 " MiB of memory",
                      memory >> 20);
        (void)err_id(err, "E-SIG");
        return err_hint(err, "sign on a machine that has it, or take the password off the key: "
                             "'minisign -C -W'");
    }
    for (size_t i = 0; i < sizeof(stream); i++)
        hidden[i] ^= stream[i];
    prim_wipe(stream, sizeof(stream));
    return true;
}

static bool is_zero(const uint8_t *bytes, size_t size)
{
    uint8_t any = 0;

    for (size_t i = 0; i < size; i++)
        any |= bytes[i];
    return any == 0;
}

static bool unlock(struct secret_bytes *bytes, const char *password, struct err *err)
{
    uint8_t sum[32];

    if (is_zero(bytes->stretch, sizeof(bytes->stretch)))
        return true;
    if (memcmp(bytes->stretch, "Sc", ALGORITHM_SIZE) != 0)
        return no_secret("its password is of an unknown kind", err);
    if (password == NULL || password[0] == '\0') {
        (void)err_set(err, ERR_INPUT, "the key has a password, and none was given");
        (void)err_id(err, "E-SIG");
        return err_hint(err, "set RUCKSACK_SIGN_PASSWORD, or RUCKSACK_SIGN_PASSWORD_FILE");
    }
    if (!apply_password(bytes, password, err))
        return false;
    sum_secret(bytes, sum);
    if (prim_equals(sum, bytes->hidden.checksum, sizeof(sum)))
        return true;
    (void)err_set(err, ERR_INPUT, "the password is not the key's, or the key is damaged");
    (void)err_id(err, "E-SIG");
    return err_hint(err, "set RUCKSACK_SIGN_PASSWORD to the one that it was made with");
}

/* Signing with a public half that is not the secret's tells everybody the secret. */
static bool take_secret(const struct secret_bytes *bytes, struct minisign_secret *ret,
                        struct err *err)
{
    struct minisign_secret secret;

    memcpy(secret.key.id, bytes->hidden.id, sizeof(secret.key.id));
    prim_pair(bytes->hidden.secret, secret.key.point, secret.secret);
    if (!prim_equals(secret.secret, bytes->hidden.secret, sizeof(secret.secret))) {
        prim_wipe(&secret, sizeof(secret));
        return no_secret("it is damaged", err);
    }
    *ret = secret;
    prim_wipe(&secret, sizeof(secret));
    return true;
}

bool minisign_is_locked(const char *text, size_t size)
{
    struct secret_bytes bytes;
    bool is_locked = read_key_lines(text, size, (uint8_t *)&bytes, sizeof(bytes)) &&
                     !is_zero(bytes.stretch, sizeof(bytes.stretch));

    prim_wipe(&bytes, sizeof(bytes));
    return is_locked;
}

bool minisign_read_secret(const char *text, size_t size, const char *password,
                          struct minisign_secret *ret, struct err *err)
{
    struct secret_bytes bytes;
    bool ok;

    if (!read_key_lines(text, size, (uint8_t *)&bytes, sizeof(bytes)))
        return no_secret("not a comment and a line of base64", err);
    if (memcmp(bytes.algorithm, "Ed", ALGORITHM_SIZE) != 0 ||
        memcmp(bytes.check, "B2", ALGORITHM_SIZE) != 0)
        ok = no_secret("it is of an unknown algorithm", err);
    else
        ok = unlock(&bytes, password, err) && take_secret(&bytes, ret, err);
    prim_wipe(&bytes, sizeof(bytes));
    return ok;
}

static bool read_trusted(const struct line *line, struct minisign_signature *ret, struct err *err)
{
    const char *comment = line->text + strlen(TRUSTED);
    size_t length = line->length - strlen(TRUSTED);

    if (length > MINISIGN_COMMENT_MAX || !minisign_is_comment(comment, length))
        return no_signature("its trusted comment is too long or not text", err);
    memcpy(ret->comment, comment, length);
    ret->comment[length] = '\0';
    return true;
}

bool minisign_read_signature(const char *text, size_t size, struct minisign_signature *ret,
                             struct err *err)
{
    struct reader reader = {text, size};
    struct minisign_signature signature = {0};
    struct signature_bytes bytes;
    struct line lines[4];

    if (size > MINISIGN_TEXT_MAX)
        return no_signature("it is too long", err);
    for (size_t i = 0; i < 4; i++)
        if (!next_line(&reader, &lines[i]))
            return no_signature("it has less than four lines", err);
    if (reader.left != 0)
        return no_signature("it has more than four lines", err);
    if (!starts_with(&lines[0], UNTRUSTED) || !starts_with(&lines[2], TRUSTED))
        return no_signature("its comments are not where they should be", err);
    if (!base64_decode(lines[1].text, lines[1].length, (uint8_t *)&bytes, sizeof(bytes)) ||
        !base64_decode(lines[3].text, lines[3].length, signature.comment_signature,
                       sizeof(signature.comment_signature)))
        return no_signature("its base64 is damaged", err);
    if (memcmp(bytes.algorithm, "Ed", ALGORITHM_SIZE) == 0)
        return unreadable("signature that can be read",
                          "it is of minisign's old kind, which needs the whole file in memory",
                          "sign it again, without 'minisign -l'", err);
    if (memcmp(bytes.algorithm, "ED", ALGORITHM_SIZE) != 0)
        return no_signature("it is of an unknown algorithm", err);
    if (!read_trusted(&lines[2], &signature, err))
        return false;
    if (strncmp(signature.comment, MINISIGN_OURS, strlen(MINISIGN_OURS)) == 0 &&
        (lines[0].length != strlen(UNTRUSTED SIGNATURE_COMMENT) ||
         memcmp(lines[0].text, UNTRUSTED SIGNATURE_COMMENT, lines[0].length) != 0))
        return no_signature("its first line is not the one that rucksack writes", err);
    memcpy(signature.id, bytes.id, sizeof(signature.id));
    memcpy(signature.signature, bytes.signature, sizeof(signature.signature));
    *ret = signature;
    return true;
}

bool minisign_generate(struct minisign_secret *ret, struct err *err)
{
    uint8_t seed[PRIM_SEED_SIZE];
    struct minisign_secret secret;

    if (!prim_random(seed, sizeof(seed), err) ||
        !prim_random(secret.key.id, sizeof(secret.key.id), err))
        return false;
    prim_pair(seed, secret.key.point, secret.secret);
    prim_wipe(seed, sizeof(seed));
    *ret = secret;
    prim_wipe(&secret, sizeof(secret));
    return true;
}

void minisign_name_key(const struct minisign_key *key, char ret[MINISIGN_PUBLIC_TEXT])
{
    struct public_bytes bytes = {.algorithm = {'E', 'd'}, .key = *key};

    base64_encode((const uint8_t *)&bytes, sizeof(bytes), ret);
}

/* As a number of 64 bits, which is little-endian in the file. */
void minisign_name_id(const uint8_t id[MINISIGN_ID_SIZE], char ret[MINISIGN_ID_TEXT])
{
    (void)snprintf(ret, MINISIGN_ID_TEXT, "%016" PRIX64, number_of(id));
}

char *minisign_key_text(const struct minisign_key *key)
{
    char base64[MINISIGN_PUBLIC_TEXT];
    char id[MINISIGN_ID_TEXT];

    minisign_name_key(key, base64);
    minisign_name_id(key->id, id);
    return xasprintf(UNTRUSTED "rucksack public key %s\n%s\n", id, base64);
}

bool minisign_secret_text(const struct minisign_secret *secret, const char *password, char **ret,
                          struct err *err)
{
    struct secret_bytes bytes = {.algorithm = {'E', 'd'}, .check = {'B', '2'}};
    char base64[BASE64_LENGTH(sizeof(bytes)) + 1];
    bool ok = true;

    memcpy(bytes.hidden.id, secret->key.id, sizeof(bytes.hidden.id));
    memcpy(bytes.hidden.secret, secret->secret, sizeof(bytes.hidden.secret));
    if (password != NULL) {
        memcpy(bytes.stretch, "Sc", ALGORITHM_SIZE);
        put_number(OPERATIONS, bytes.operations);
        put_number(MEMORY, bytes.memory);
        sum_secret(&bytes, bytes.hidden.checksum);
        ok = prim_random(bytes.salt, sizeof(bytes.salt), err) &&
             apply_password(&bytes, password, err);
    }
    if (ok) {
        base64_encode((const uint8_t *)&bytes, sizeof(bytes), base64);
        *ret = xasprintf(UNTRUSTED "rucksack %s key\n%s\n",
                         password != NULL ? "encrypted secret" : "secret", base64);
        prim_wipe(base64, sizeof(base64));
    }
    prim_wipe(&bytes, sizeof(bytes));
    return ok;
}

char *minisign_signature_text(const struct minisign_signature *signature)
{
    struct signature_bytes bytes = {.algorithm = {'E', 'D'}};
    char base64[BASE64_LENGTH(sizeof(bytes)) + 1];
    char second[BASE64_LENGTH(sizeof(signature->comment_signature)) + 1];

    memcpy(bytes.id, signature->id, sizeof(bytes.id));
    memcpy(bytes.signature, signature->signature, sizeof(bytes.signature));
    base64_encode((const uint8_t *)&bytes, sizeof(bytes), base64);
    base64_encode(signature->comment_signature, sizeof(signature->comment_signature), second);
    return xasprintf(UNTRUSTED SIGNATURE_COMMENT "\n%s\n" TRUSTED "%s\n%s\n", base64,
                     signature->comment, second);
}

/* What the second signature is over; returns its size. */
static size_t join(const struct minisign_signature *signature,
                   uint8_t ret[PRIM_SIGNATURE_SIZE + MINISIGN_COMMENT_MAX])
{
    size_t length = strnlen(signature->comment, MINISIGN_COMMENT_MAX);

    memcpy(ret, signature->signature, PRIM_SIGNATURE_SIZE);
    memcpy(ret + PRIM_SIGNATURE_SIZE, signature->comment, length);
    return PRIM_SIGNATURE_SIZE + length;
}

void minisign_sign(const struct minisign_secret *secret, const uint8_t hash[MINISIGN_HASH_SIZE],
                   const char *comment, struct minisign_signature *ret)
{
    uint8_t joined[PRIM_SIGNATURE_SIZE + MINISIGN_COMMENT_MAX];
    size_t length = strlen(comment);

    assert(length <= MINISIGN_COMMENT_MAX && minisign_is_comment(comment, length));
    *ret = (struct minisign_signature){0};
    memcpy(ret->id, secret->key.id, sizeof(ret->id));
    memcpy(ret->comment, comment, length);
    prim_sign(hash, MINISIGN_HASH_SIZE, secret->secret, ret->signature);
    length = join(ret, joined);
    prim_sign(joined, length, secret->secret, ret->comment_signature);
}

bool minisign_verify(const struct minisign_signature *signature, const struct minisign_key *key,
                     const uint8_t hash[MINISIGN_HASH_SIZE], struct err *err)
{
    uint8_t joined[PRIM_SIGNATURE_SIZE + MINISIGN_COMMENT_MAX];
    size_t length = join(signature, joined);

    if (memcmp(signature->id, key->id, sizeof(key->id)) != 0) {
        char theirs[MINISIGN_ID_TEXT];
        char ours[MINISIGN_ID_TEXT];

        minisign_name_id(signature->id, theirs);
        minisign_name_id(key->id, ours);
        (void)err_set(err, ERR_CHECK, "it was signed with the key %s, not with %s", theirs, ours);
    } else if (!prim_verify(hash, MINISIGN_HASH_SIZE, key->point, signature->signature)) {
        (void)err_set(err, ERR_CHECK, "it is not what was signed");
    } else if (!prim_verify(joined, length, key->point, signature->comment_signature)) {
        (void)err_set(err, ERR_CHECK, "the comment of its signature is not what was signed");
    } else {
        return true;
    }
    (void)err_id(err, "E-SIG");
    return err_hint(err, "do not run it; get file and key again from those who signed it");
}

/* The next piece of the file, those bytes of it zero that lie in a gap. */
static bool hash_piece(struct prim_hash *hash, int fd, uint64_t offset, uint8_t *piece,
                       size_t *size, const struct minisign_gap *gaps, size_t gap_count,
                       struct err *err)
{
    ssize_t length;

    do
        length = pread(fd, piece, *size, (off_t)offset);
    while (length < 0 && errno == EINTR);
    if (length < 0)
        return err_sys(err, "read");
    if (length == 0) {
        (void)err_set(err, ERR_INPUT, "the file ends early");
        return err_id(err, "E-TRUNCATED");
    }
    for (size_t i = 0; i < gap_count; i++) {
        uint64_t end = offset + (uint64_t)length;
        uint64_t from = gaps[i].from > offset ? gaps[i].from : offset;
        uint64_t to = gaps[i].to < end ? gaps[i].to : end;

        if (from < to)
            memset(piece + (from - offset), 0, (size_t)(to - from));
    }
    prim_hash_update(hash, piece, (size_t)length);
    *size = (size_t)length;
    return true;
}

bool minisign_hash(int fd, uint64_t size_bytes, const struct minisign_gap *gaps, size_t gap_count,
                   uint8_t ret[MINISIGN_HASH_SIZE], struct err *err)
{
    cleanup_free uint8_t *piece = xcalloc(PIECE_BYTES, 1);
    struct prim_hash hash;
    uint64_t offset = 0;

    if (size_bytes > INT64_MAX)
        return err_set(err, ERR_INPUT, "no file is that large");
    prim_hash_init(&hash, MINISIGN_HASH_SIZE);
    while (offset < size_bytes) {
        uint64_t left = size_bytes - offset;
        size_t size = left < PIECE_BYTES ? (size_t)left : PIECE_BYTES;

        if (!hash_piece(&hash, fd, offset, piece, &size, gaps, gap_count, err))
            return false;
        offset += size;
    }
    prim_hash_final(&hash, ret, MINISIGN_HASH_SIZE);
    return true;
}
