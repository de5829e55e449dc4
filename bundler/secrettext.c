/* SPDX-License-Identifier: MIT */
#include "bundler/secrettext.h"

#include <ctype.h>
#include <stdint.h>
#include <string.h>

#define COUNT(list) (sizeof(list) / sizeof((list)[0]))
#define ALNUM "0-9A-Za-z"

enum {
    KEY_BASE64_MIN = 64, /* the shortest, Ed25519 in PKCS #8, has 64 characters */
    KEY_SPAN_MAX = 4096, /* where they must begin and go on */
    TITLE_MAX = 40,      /* "RSA ", "OPENSSH ", "ENCRYPTED " */
    DISTINCT_MIN = 6,    /* fewer different characters are a placeholder */
};

struct bytes {
    const char *at;
    size_t size;
};

/* A token: the prefix and then so many characters of a class, written as for tr(1). */
struct token {
    const char *prefix;
    const char *class;
    size_t min;
    size_t max;
    const char *what;
};

/* Sources: the makers' documents, of GitHub also "token scanning partners". */
static const struct token tokens[] = {
    {"AKIA", "A-Z2-7", 16, 16, "an access key of AWS"},
    {"ASIA", "A-Z2-7", 16, 16, "an access key of AWS"},
    {"ghp_", ALNUM, 36, 36, "a token of GitHub"},
    {"gho_", ALNUM, 36, 36, "a token of GitHub"},
    {"ghu_", ALNUM, 36, 36, "a token of GitHub"},
    {"ghs_", ALNUM, 36, 36, "a token of GitHub"},
    {"ghr_", ALNUM, 36, 76, "a token of GitHub"},
    {"github_pat_", ALNUM "_", 60, 100, "a token of GitHub"},
    {"glpat-", ALNUM "_\\-", 20, 64, "a token of GitLab"},
    {"xoxb-", ALNUM "\\-", 24, 100, "a token of Slack"},
    {"xoxp-", ALNUM "\\-", 24, 100, "a token of Slack"},
    {"hooks.slack.com/services/T", ALNUM "/", 35, 60, "a webhook of Slack"},
    {"sk_live_", ALNUM, 24, 128, "a key of Stripe"},
    {"rk_live_", ALNUM, 24, 128, "a key of Stripe"},
    {"SG.", ALNUM "_.\\-", 60, 70, "a key of SendGrid"},
    {"npm_", ALNUM, 36, 36, "a token of npm"},
    {"pypi-AgE", ALNUM "_\\-", 50, 300, "a token of PyPI"},
    {"rubygems_", "0-9a-f", 48, 48, "a key of RubyGems"},
    {"dop_v1_", "0-9a-f", 64, 64, "a token of DigitalOcean"},
    {"shpat_", "0-9a-f", 32, 32, "a token of Shopify"},
    {"hvs.", ALNUM "_\\-", 24, 200, "a token of Vault"},
    {"AGE-SECRET-KEY-1", "0-9A-Z", 58, 58, "a key of age"},
    {"AccountKey=", ALNUM "+/", 80, 90, "a key of Azure"},
    {"RAILS_MASTER_KEY=", "0-9a-f", 32, 32, "the key of credentials"},
    {"SECRET_KEY_BASE=", "0-9a-f", 64, 256, "Rails' secret_key_base"},
    {"client-key-data: ", ALNUM "+/", 64, 16384, "the private key of a kubeconfig"},
    {"_authToken=", ALNUM "_\\-", 20, 200, "a token of npm"},
    {"RWRTY0Iy", ALNUM "+/", 200, 204, "a secret key of minisign"},
    {"RWQAAEIy", ALNUM "+/", 200, 204, "a secret key of minisign"},
};

/* Files that say what they are in their first bytes. */
struct magic {
    const char *bytes;
    size_t size;
    const char *what;
};

static const struct magic magics[] = {
    {"PuTTY-User-Key-File-", 20, "a private key"},
    {"\xFE\xED\xFE\xED", 4, "a key store of Java"},
    {"\x03\xD9\xA2\x9A", 4, "a password store of KeePass"},
};

static bool is_in_class(const char *class, char character)
{
    for (const char *at = class; *at != '\0'; at++) {
        if (*at == '\\')
            at++;
        else if (at[1] == '-') {
            if (character >= at[0] && character <= at[2])
                return true;
            at += 2;
            continue;
        }
        if (*at == character)
            return true;
    }
    return false;
}

/* "xxxxxxxx", "0000", "AKIAIOSFODNN7EXAMPLE": what documents write. */
static bool is_placeholder(const char *text, size_t length)
{
    bool seen[256] = {false};
    size_t distinct = 0;

    for (size_t i = 0; i < length; i++) {
        distinct += !seen[(unsigned char)text[i]];
        seen[(unsigned char)text[i]] = true;
    }
    return distinct < DISTINCT_MIN || memmem(text, length, "EXAMPLE", 7) != NULL ||
           memmem(text, length, "example", 7) != NULL || memmem(text, length, "1234567890", 10);
}

static bool is_token(const struct token *token, struct bytes all, const char *found)
{
    const char *body = found + strlen(token->prefix);
    size_t left = (size_t)(all.at + all.size - body);
    size_t length = 0;

    if (found > all.at && isalnum((unsigned char)found[-1]) && token->prefix[0] != 'h')
        return false;
    while (length < left && length <= token->max && is_in_class(token->class, body[length]))
        length++;
    return length >= token->min && length <= token->max && !is_placeholder(body, length);
}

static const char *find_token(struct bytes all, const char **ret_what)
{
    for (size_t i = 0; i < COUNT(tokens); i++) {
        const char *at = all.at;
        size_t length = strlen(tokens[i].prefix);

        while ((at = memmem(at, (size_t)(all.at + all.size - at), tokens[i].prefix, length)) !=
               NULL) {
            if (is_token(&tokens[i], all, at)) {
                *ret_what = tokens[i].what;
                return at;
            }
            at += length;
        }
    }
    return NULL;
}

static bool is_base64(char character)
{
    return isalnum((unsigned char)character) || character == '+' || character == '/' ||
           character == '=';
}

/* "Proc-Type: 4,ENCRYPTED", "Version: GnuPG v1": to the end of the line. */
static size_t skip_header(struct bytes text)
{
    const char *end = memchr(text.at, '\n', text.size);
    size_t length = end == NULL ? text.size : (size_t)(end - text.at);

    return memmem(text.at, length, ": ", 2) != NULL ? length : 0;
}

/* Whether a key follows, maybe as a string of JSON or Ruby, where a line ends in "\n": enough
 * base64 before anything else. */
static bool has_key(struct bytes text)
{
    size_t found = 0;

    if (text.size > KEY_SPAN_MAX)
        text.size = KEY_SPAN_MAX;
    while (text.size > 0 && found < KEY_BASE64_MIN) {
        size_t step = 1;

        if (text.at[0] == '\\' && text.size > 1 && (text.at[1] == 'n' || text.at[1] == 'r'))
            step = 2;
        else if (text.at[0] == '\n' && skip_header((struct bytes){text.at + 1, text.size - 1}) > 0)
            step = 1 + skip_header((struct bytes){text.at + 1, text.size - 1});
        else if (is_base64(text.at[0]))
            found++;
        else if (strchr(" \t\r\n\"'+,|<>~-", text.at[0]) == NULL || text.at[0] == '-')
            break;
        text.at += step;
        text.size -= step;
    }
    return found >= KEY_BASE64_MIN;
}

/* "-----BEGIN RSA PRIVATE KEY-----" and a key behind it; RFC 7468, RFC 4716, RFC 9580. */
static const char *find_private_key(struct bytes all)
{
    static const char *const ends[] = {"PRIVATE KEY-----", "PRIVATE KEY BLOCK-----"};
    const char *at = all.at;

    while ((at = memmem(at, (size_t)(all.at + all.size - at), "-----BEGIN ", 11)) != NULL) {
        struct bytes title = {at + 11, (size_t)(all.at + all.size - at - 11)};

        for (size_t i = 0; i < COUNT(ends); i++) {
            size_t length = strlen(ends[i]);
            size_t span = title.size < TITLE_MAX ? title.size : TITLE_MAX;
            const char *end = memmem(title.at, span, ends[i], length);

            if (end != NULL && memchr(title.at, '\n', (size_t)(end - title.at)) == NULL &&
                has_key((struct bytes){end + length, (size_t)(all.at + all.size - end) - length}))
                return at;
        }
        at += 11;
    }
    return NULL;
}

/* PKCS #12: a sequence whose first member is the number 3 (RFC 7292). */
static bool is_pkcs12(const char *name, struct bytes all)
{
    const unsigned char *bytes = (const unsigned char *)all.at;
    const char *dot = strrchr(name, '.');
    size_t at;

    if (dot == NULL || all.size < 8 || (strcmp(dot, ".p12") != 0 && strcmp(dot, ".pfx") != 0))
        return false;
    at = bytes[1] > 0x80 && bytes[1] < 0x84 ? (size_t)2 + (bytes[1] & 0x7f) : 2;
    return bytes[0] == 0x30 && memcmp(bytes + at, "\x02\x01\x03", 3) == 0;
}

static const char *find_magic(const char *name, struct bytes all)
{
    for (size_t i = 0; i < COUNT(magics); i++)
        if (all.size >= magics[i].size && memcmp(all.at, magics[i].bytes, magics[i].size) == 0)
            return magics[i].what;
    return is_pkcs12(name, all) ? "a private key with its certificate" : NULL;
}

static size_t line_of(struct bytes all, const char *at)
{
    size_t line = 1;

    for (const char *byte = all.at; byte < at; byte++)
        line += *byte == '\n';
    return line;
}

bool secrettext_find(const char *name, const char *bytes, size_t size,
                     struct secrettext_finding *ret)
{
    struct bytes all = {bytes, size};
    const char *what = find_magic(name, all);
    const char *at = bytes;

    if (what == NULL) {
        what = "a private key";
        at = find_private_key(all);
    }
    if (at == NULL)
        at = find_token(all, &what);
    if (at == NULL)
        return false;
    *ret = (struct secrettext_finding){what, line_of(all, at)};
    return true;
}
