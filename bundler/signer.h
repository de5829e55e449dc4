/* SPDX-License-Identifier: MIT */
#pragma once
/*
 * Signing bundles, and checking the signatures of those at hand: the one in the header and the file
 * beside it, FILE.minisig.
 */
#include <stdbool.h>
#include <stdint.h>

#include "common/minisign.h"

struct bundle;
struct err;

/* The password of a key as the user gives it: RUCKSACK_SIGN_PASSWORD, or the first line of the file
 * that RUCKSACK_SIGN_PASSWORD_FILE names. */
struct signer_input {
    char *password;
    char *path;
};

/* Takes both out of the environment, whatever the command: no program that is started later sees
 * them, nor does /proc/PID/environ show the password. Before any thread is started. */
void signer_input_take(struct signer_input *ret);
void signer_input_release(struct signer_input *input); /* wipes */

/* The password; NULL where neither is set. Once: it is taken out of *input*. Owned by the caller,
 * who wipes it. E-SIG. */
[[nodiscard]] bool signer_password(struct signer_input *input, char **ret, struct err *err);

/* The secret key in a file, with that password. E-SIG. To be wiped (prim_wipe). */
[[nodiscard]] bool signer_load(const char *path, struct signer_input *input,
                               struct minisign_secret *ret, struct err *err);

/* No program of the same user reads this one's memory from now on, and no dump has it. Not for what
 * starts others in namespaces of theirs: the kernel gives root what is theirs in /proc. */
void signer_hide_memory(void);

/* A public key: a file, or the base64 alone. E-SIG. */
[[nodiscard]] bool signer_load_key(const char *given, struct minisign_key *ret, struct err *err);

/* What our signatures say beside the name; text NULL: nothing. Owned by the caller. */
[[nodiscard]] char *signer_comment(const char *name, const char *text);

/* Signs the bundle at path, anew where it is signed: checks it, writes a copy that carries the
 * signature into its place, and FILE.minisig. *ret is that FILE: path, or what a link leads to;
 * owned by the caller. E-VERIFY when it is damaged; E-OUTPUT, E-SPACE. */
[[nodiscard]] bool signer_sign(const char *path, const struct minisign_secret *secret,
                               const char *text, char **ret, struct err *err);

/* The text of FILE.minisig for the bytes that fd has, to be made while nobody else can write them;
 * path is for messages. Owned by the caller. */
[[nodiscard]] bool signer_make_text(int fd, const char *path, const struct minisign_secret *secret,
                                    const char *comment, char **ret, struct err *err);

/* Writes that text beside the file at path. */
[[nodiscard]] bool signer_write_beside(const char *path, const char *text, struct err *err);

/* What signer_verify() found. */
struct signer_findings {
    bool is_signed;                         /* in its header */
    bool has_file;                          /* FILE.minisig is there, and was compared */
    bool is_file_unknown;                   /* it is there, and no key to compare it with */
    struct minisign_key key;                /* of the header */
    char comment[MINISIGN_COMMENT_MAX + 1]; /* of the header, else of the file */
};

/*
 * Checks every signature that is there, with key; NULL: with the one in the header. The file beside
 * is looked for where the bundle was named, then where a link leads to. ERR_CHECK, E-SIG when one
 * does not fit, or when key is given and there is none.
 */
[[nodiscard]] bool signer_verify(const struct bundle *bundle, const struct minisign_key *key,
                                 struct signer_findings *ret, struct err *err);
