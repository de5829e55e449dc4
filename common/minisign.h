/* SPDX-License-Identifier: MIT */
#pragma once
/*
 * Keys and signatures in minisign's file formats: what `minisign -V` and `minisign -S` read and
 * write. Source: https://jedisct1.github.io/minisign, "File formats".
 *
 * A file is two or four lines: an untrusted comment, base64; of a signature also a trusted comment
 * and the base64 of a second signature, over the first and that comment. Only prehashed signatures
 * ("ED": Ed25519 of the BLAKE2b-512 of the file) are read and written. minisign makes the older
 * ones ("Ed"), for which a file must be held in memory, with -l alone.
 *
 * Everything that is read is hostile. Base64 is canonical, nothing follows the last line, and of a
 * signature that we made (MINISIGN_OURS) the untrusted comment is fixed, too: no byte of it can be
 * another.
 */
#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "common/prim.h"

struct err;

enum {
    MINISIGN_ID_SIZE = 8,
    MINISIGN_COMMENT_MAX = 1023,  /* bytes of a trusted comment; minisign itself takes more */
    MINISIGN_TEXT_MAX = 16 << 10, /* bytes of a file */
    MINISIGN_PUBLIC_TEXT = 57,    /* of a public key's base64, with its NUL */
    MINISIGN_ID_TEXT = 17,        /* of a key's id as minisign prints it, with its NUL */
    MINISIGN_HASH_SIZE = 64,      /* BLAKE2b-512 */
    MINISIGN_PASSWORD_MAX = 1024, /* minisign's own */
};

/* What the trusted comment of our signatures begins with. */
#define MINISIGN_OURS "rucksack "

struct minisign_key {
    uint8_t id[MINISIGN_ID_SIZE]; /* random; names the pair, proves nothing */
    uint8_t point[PRIM_PUBLIC_SIZE];
};

/* To be wiped (prim_wipe). */
struct minisign_secret {
    struct minisign_key key;
    uint8_t secret[PRIM_SECRET_SIZE];
};

struct minisign_signature {
    uint8_t id[MINISIGN_ID_SIZE];
    uint8_t signature[PRIM_SIGNATURE_SIZE];         /* of the hash */
    uint8_t comment_signature[PRIM_SIGNATURE_SIZE]; /* of signature and comment */
    char comment[MINISIGN_COMMENT_MAX + 1];         /* trusted, once it is verified */
};

/* Whether a text can be a trusted comment: it is shown on terminals, so it has no control
 * characters but the tabs of minisign's own. */
bool minisign_is_comment(const char *text, size_t length);

/* A public key: such a file's text, or its base64 alone; with either end of lines, and without the
 * last one. ERR_INPUT, E-SIG. */
[[nodiscard]] bool minisign_read_key(const char *text, size_t size, struct minisign_key *ret,
                                     struct err *err);

/* Whether a secret key's text says that it needs a password; false also for what is no key. */
bool minisign_is_locked(const char *text, size_t size);

/*
 * A secret key, its text as of a public one. password is used when it is locked, and may be NULL
 * otherwise. ERR_INPUT, E-SIG: no such key, a wrong password, more work asked for than minisign
 * ever does (1 GiB).
 */
[[nodiscard]] bool minisign_read_secret(const char *text, size_t size, const char *password,
                                        struct minisign_secret *ret, struct err *err);

/* A signature, with comments but not yet verified. ERR_INPUT, E-SIG. */
[[nodiscard]] bool minisign_read_signature(const char *text, size_t size,
                                           struct minisign_signature *ret, struct err *err);

/* A new pair. ERR_SYSTEM. */
[[nodiscard]] bool minisign_generate(struct minisign_secret *ret, struct err *err);

/* Files' texts, owned by the caller. password NULL: the key is not locked. */
[[nodiscard]] char *minisign_key_text(const struct minisign_key *key);
[[nodiscard]] bool minisign_secret_text(const struct minisign_secret *secret, const char *password,
                                        char **ret, struct err *err);
[[nodiscard]] char *minisign_signature_text(const struct minisign_signature *signature);

/* The base64 alone, as in `minisign -P`, and the id as minisign prints it. */
void minisign_name_key(const struct minisign_key *key, char ret[MINISIGN_PUBLIC_TEXT]);
void minisign_name_id(const uint8_t id[MINISIGN_ID_SIZE], char ret[MINISIGN_ID_TEXT]);

/* Signs a hash. comment: of at most MINISIGN_COMMENT_MAX bytes. */
void minisign_sign(const struct minisign_secret *secret, const uint8_t hash[MINISIGN_HASH_SIZE],
                   const char *comment, struct minisign_signature *ret);

/* ERR_CHECK, E-SIG: by another key, of another hash, or with another comment. */
[[nodiscard]] bool minisign_verify(const struct minisign_signature *signature,
                                   const struct minisign_key *key,
                                   const uint8_t hash[MINISIGN_HASH_SIZE], struct err *err);

/* Bytes [from, to) of a file, which are read as zero. */
struct minisign_gap {
    uint64_t from;
    uint64_t to;
};

/* The hash of bytes [0, size) of fd, with those gaps, in order; the file position is left alone.
 * ERR_SYSTEM; E-TRUNCATED when the file ends before. */
[[nodiscard]] bool minisign_hash(int fd, uint64_t size_bytes, const struct minisign_gap *gaps,
                                 size_t gap_count, uint8_t ret[MINISIGN_HASH_SIZE],
                                 struct err *err);
