/* SPDX-License-Identifier: MIT */
#pragma once
/*
 * Secrets in the bytes of a file: private keys of every form, and tokens that their makers gave a
 * prefix to be found by. Examples in documents, public keys, certificates and what is encrypted for
 * somebody else are none.
 */
#include <stdbool.h>
#include <stddef.h>

struct secrettext_finding {
    const char *what; /* "a private key"; a constant */
    size_t line;      /* of the file, from 1 */
};

/* Looks at so many bytes of the file called name. False when there is nothing. */
bool secrettext_find(const char *name, const char *bytes, size_t size,
                     struct secrettext_finding *ret);
