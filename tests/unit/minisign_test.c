/* SPDX-License-Identifier: MIT */
/*
 * Mirrors minisign.c. Cases: what minisign wrote · what we wrote · another key · every bit of a
 * signature and of a public key · a password · damaged and overlong texts.
 */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdlib.h>
#include <string.h>
#include <sys/mman.h>
#include <unistd.h>

#include <cmocka.h>

#include "common/base64.h"
#include "common/cleanup.h"
#include "common/err.h"
#include "common/minisign.h"
#include "common/xalloc.h"

/* By minisign 0.11: `minisign -G -W`, `echo hi >f`, `minisign -Sm f`. */
static const char theirs_public[] = "untrusted comment: minisign public key DD46EE920C44ED96\n"
                                    "RWSW7UQMku5G3fCKD8qhXA0BnM/YGR7EPnYRwDqunRKBz7DtZXXb3bSm\n";
static const char theirs_secret[] =
    "untrusted comment: minisign encrypted secret key\n"
    "RWQAAEIyAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAlu1EDJLuRt0bqkzipSBM"
    "hW7XDmbkBBEozBSnvHHdK9p4r2+z7dDwbPCKD8qhXA0BnM/"
    "YGR7EPnYRwDqunRKBz7DtZXXb3bSmAAAAAAAAAAAAAAAAAAAA"
    "AAAAAAAAAAAAAAAAAAAAAAA=\n";
static const char theirs_signature[] =
    "untrusted comment: signature from minisign secret key\n"
    "RUSW7UQMku5G3RuZA9Uu6wA4jnvm2FwVrUOVd33ZDbppOn/RlJ51DmlE3r2XQvXoTbK8QaRsQwkeRWeh3waEQWmVZv9g"
    "yQLqpQs=\n"
    "trusted comment: timestamp:1795893368\tfile:f\thashed\n"
    "7kwPUOJQNuUaAz3b3rfTN51DJtdbbqx9Chqa5FgD8XG4QQDSThHr8ljsvDtawYWCYbnrMrbTX8pnU/NOSqUEDQ==\n";

static void hash_text(const char *text, uint8_t ret[MINISIGN_HASH_SIZE])
{
    int fd = memfd_create("text", MFD_CLOEXEC);
    struct err err = {0};

    assert_int_equal(write(fd, text, strlen(text)), (ssize_t)strlen(text));
    assert_true(minisign_hash(fd, strlen(text), NULL, 0, ret, &err));
    close(fd);
}

static bool accepts(const char *text, size_t size, const struct minisign_key *key,
                    const uint8_t hash[MINISIGN_HASH_SIZE])
{
    struct minisign_signature signature;
    struct err err = {0};

    if (minisign_read_signature(text, size, &signature, &err) &&
        minisign_verify(&signature, key, hash, &err))
        return true;
    assert_string_equal(err.id, "E-SIG");
    assert_true(err.hint[0] != '\0');
    return false;
}

static struct minisign_secret new_secret(void)
{
    struct minisign_secret secret;
    struct err err = {0};

    assert_true(minisign_generate(&secret, &err));
    return secret;
}

static char *sign_hash(const struct minisign_secret *secret, const uint8_t *hash)
{
    struct minisign_signature signature;

    minisign_sign(secret, hash, MINISIGN_OURS "blog", &signature);
    return minisign_signature_text(&signature);
}

static void what_minisign_wrote_is_read(void **state)
{
    uint8_t hash[MINISIGN_HASH_SIZE];
    struct minisign_secret secret;
    struct minisign_key key;
    struct err err = {0};
    char id[MINISIGN_ID_TEXT];

    (void)state;
    hash_text("hi\n", hash);
    assert_true(minisign_read_key(theirs_public, strlen(theirs_public), &key, &err));
    minisign_name_id(key.id, id);
    assert_string_equal(id, "DD46EE920C44ED96");
    assert_true(accepts(theirs_signature, strlen(theirs_signature), &key, hash));
    assert_false(minisign_is_locked(theirs_secret, strlen(theirs_secret)));
    assert_true(minisign_read_secret(theirs_secret, strlen(theirs_secret), NULL, &secret, &err));
    assert_memory_equal(&secret.key, &key, sizeof(key));
}

static void the_base64_of_a_key_is_enough(void **state)
{
    const char *base64 = strchr(theirs_public, '\n') + 1;
    struct minisign_key key;
    struct err err = {0};

    (void)state;
    assert_true(minisign_read_key(base64, strlen(base64) - 1, &key, &err));
}

/* What stands between, behind, and whether there is a comment at all. As minisign does. */
static void a_key_has_lines_of_any_kind(void **state)
{
    static const char *const kinds[][3] = {{"untrusted comment: x", "\n", ""},
                                           {"untrusted comment: x", "\r\n", "\r\n"},
                                           {"untrusted comment: x", "\r\n", ""},
                                           {"", "", "\n"},
                                           {"", "", "\r\n"}};
    const char *public_line = strchr(theirs_public, '\n') + 1;
    const char *secret_line = strchr(theirs_secret, '\n') + 1;

    (void)state;
    for (size_t i = 0; i < sizeof(kinds) / sizeof(kinds[0]); i++) {
        cleanup_free char *public_text =
            xasprintf("%s%s%.*s%s", kinds[i][0], kinds[i][1], (int)strlen(public_line) - 1,
                      public_line, kinds[i][2]);
        cleanup_free char *secret_text =
            xasprintf("%s%s%.*s%s", kinds[i][0], kinds[i][1], (int)strlen(secret_line) - 1,
                      secret_line, kinds[i][2]);
        struct minisign_secret secret;
        struct minisign_key key;
        struct err err = {0};

        assert_true(minisign_read_key(public_text, strlen(public_text), &key, &err));
        assert_true(minisign_read_secret(secret_text, strlen(secret_text), NULL, &secret, &err));
        assert_memory_equal(&secret.key, &key, sizeof(key));
    }
}

static void what_we_wrote_is_read(void **state)
{
    struct minisign_secret secret = new_secret();
    struct minisign_secret again;
    struct minisign_key key;
    uint8_t hash[MINISIGN_HASH_SIZE];
    struct err err = {0};
    cleanup_free char *text = minisign_key_text(&secret.key);
    cleanup_free char *hidden = NULL;
    cleanup_free char *signature = NULL;

    (void)state;
    hash_text("text", hash);
    signature = sign_hash(&secret, hash);
    assert_true(minisign_read_key(text, strlen(text), &key, &err));
    assert_true(accepts(signature, strlen(signature), &key, hash));
    assert_true(minisign_secret_text(&secret, NULL, &hidden, &err));
    assert_true(minisign_read_secret(hidden, strlen(hidden), NULL, &again, &err));
    assert_memory_equal(&again, &secret, sizeof(secret));
}

static void another_key_and_another_text_are_refused(void **state)
{
    struct minisign_secret secret = new_secret();
    struct minisign_secret other = new_secret();
    uint8_t hash[MINISIGN_HASH_SIZE];
    cleanup_free char *text = NULL;

    (void)state;
    hash_text("text", hash);
    text = sign_hash(&secret, hash);
    assert_false(accepts(text, strlen(text), &other.key, hash));
    memcpy(other.key.id, secret.key.id, sizeof(other.key.id));
    assert_false(accepts(text, strlen(text), &other.key, hash));
    hash_text("tex", hash);
    assert_false(accepts(text, strlen(text), &secret.key, hash));
}

static void no_bit_of_a_signature_can_be_another(void **state)
{
    struct minisign_secret secret = new_secret();
    uint8_t hash[MINISIGN_HASH_SIZE];
    cleanup_free char *text = NULL;
    size_t size;

    (void)state;
    hash_text("text", hash);
    text = sign_hash(&secret, hash);
    size = strlen(text);
    for (size_t bit = 0; bit < 8 * size; bit++) {
        text[bit / 8] = (char)(text[bit / 8] ^ 1 << bit % 8);
        assert_false(accepts(text, size, &secret.key, hash));
        text[bit / 8] = (char)(text[bit / 8] ^ 1 << bit % 8);
    }
    for (size_t end = 0; end < size; end++)
        assert_false(accepts(text, end, &secret.key, hash));
    assert_true(accepts(text, size, &secret.key, hash));
}

/* But of the untrusted comment, which says nothing. */
static void no_bit_of_a_key_can_be_another(void **state)
{
    struct minisign_key right;
    struct err err = {0};
    char text[sizeof(theirs_public)];
    uint8_t hash[MINISIGN_HASH_SIZE];
    size_t begin = (size_t)(strchr(theirs_public, '\n') - theirs_public);

    (void)state;
    hash_text("hi\n", hash);
    memcpy(text, theirs_public, sizeof(text));
    assert_true(minisign_read_key(text, strlen(text), &right, &err));
    for (size_t bit = 8 * begin; bit < 8 * strlen(theirs_public); bit++) {
        struct minisign_key key;

        memcpy(text, theirs_public, sizeof(text));
        text[bit / 8] = (char)(text[bit / 8] ^ 1 << bit % 8);
        if (minisign_read_key(text, sizeof(text) - 1, &key, &err))
            assert_false(accepts(theirs_signature, strlen(theirs_signature), &key, hash));
    }
}

static void a_password_hides_the_key(void **state)
{
    struct minisign_secret secret = new_secret();
    struct minisign_secret again;
    struct err err = {0};
    cleanup_free char *text = NULL;

    (void)state;
    assert_true(minisign_secret_text(&secret, "pass word", &text, &err));
    assert_true(minisign_is_locked(text, strlen(text)));
    assert_true(minisign_read_secret(text, strlen(text), "pass word", &again, &err));
    assert_memory_equal(&again, &secret, sizeof(secret));
    assert_false(minisign_read_secret(text, strlen(text), "pass worD", &again, &err));
    assert_non_null(strstr(err.msg, "password is not the key's"));
    assert_false(minisign_read_secret(text, strlen(text), NULL, &again, &err));
    assert_non_null(strstr(err.hint, "RUCKSACK_SIGN_PASSWORD"));
}

/* A file must not have us take all of the machine's memory, nor sign with half of a key. */
static void damaged_secret_keys_are_refused(void **state)
{
    enum { SIZE = 158, AT_MEMORY = 46, AT_PUBLIC = 94 };
    const char *base64 = strchr(theirs_secret, '\n') + 1;
    char text[sizeof(theirs_secret)];
    uint8_t bytes[SIZE];
    struct minisign_secret secret;
    struct err err = {0};
    size_t begin = (size_t)(base64 - theirs_secret);

    (void)state;
    assert_true(base64_decode(base64, strlen(base64) - 1, bytes, sizeof(bytes)));
    memcpy(text, theirs_secret, sizeof(text));
    bytes[AT_PUBLIC] ^= 1;
    base64_encode(bytes, sizeof(bytes), text + begin);
    text[sizeof(text) - 2] = '\n';
    assert_false(minisign_read_secret(text, sizeof(text) - 1, NULL, &secret, &err));
    assert_non_null(strstr(err.msg, "damaged"));
    bytes[AT_PUBLIC] ^= 1;
    memcpy(bytes + 2, "Sc", 2);
    bytes[AT_MEMORY + 5] = 1;
    base64_encode(bytes, sizeof(bytes), text + begin);
    text[sizeof(text) - 2] = '\n';
    assert_false(minisign_read_secret(text, sizeof(text) - 1, "x", &secret, &err));
    assert_non_null(strstr(err.msg, "1 GiB"));
}

static void other_texts_are_refused(void **state)
{
    static const char *const texts[] = {
        "",
        "\n",
        "untrusted comment: \n",
        "untrusted comment: x\nRWQ=\n",
        ("untrusted comment: minisign public key\n"
         "RWSW7UQMku5G3fCKD8qhXA0BnM/YGR7EPnYRwDqunRKBz7DtZXXb3bSm\nmore\n"),
        "comment: x\nRWSW7UQMku5G3fCKD8qhXA0BnM/YGR7EPnYRwDqunRKBz7DtZXXb3bSm\n",
        "RUSW7UQMku5G3fCKD8qhXA0BnM/YGR7EPnYRwDqunRKBz7DtZXXb3bSm",
    };
    struct minisign_key key;
    struct minisign_signature signature;
    struct minisign_secret secret;

    (void)state;
    for (size_t i = 0; i < sizeof(texts) / sizeof(texts[0]); i++) {
        struct err err = {0};

        assert_false(minisign_read_key(texts[i], strlen(texts[i]), &key, &err));
        assert_string_equal(err.id, "E-SIG");
        assert_false(minisign_read_signature(texts[i], strlen(texts[i]), &signature, &err));
        assert_false(minisign_read_secret(texts[i], strlen(texts[i]), NULL, &secret, &err));
    }
}

/* Ed25519 of the file itself needs all of it in memory. */
static void the_old_kind_is_named(void **state)
{
    char text[sizeof(theirs_signature)];
    struct minisign_signature signature;
    struct err err = {0};

    (void)state;
    memcpy(text, theirs_signature, sizeof(text));
    strchr(text, '\n')[2] = 'W'; /* "RUS" to "RWS": Ed */
    assert_false(minisign_read_signature(text, strlen(text), &signature, &err));
    assert_non_null(strstr(err.hint, "minisign -l"));
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(what_minisign_wrote_is_read),
        cmocka_unit_test(the_base64_of_a_key_is_enough),
        cmocka_unit_test(a_key_has_lines_of_any_kind),
        cmocka_unit_test(what_we_wrote_is_read),
        cmocka_unit_test(another_key_and_another_text_are_refused),
        cmocka_unit_test(no_bit_of_a_signature_can_be_another),
        cmocka_unit_test(no_bit_of_a_key_can_be_another),
        cmocka_unit_test(a_password_hides_the_key),
        cmocka_unit_test(damaged_secret_keys_are_refused),
        cmocka_unit_test(other_texts_are_refused),
        cmocka_unit_test(the_old_kind_is_named),
    };

    return cmocka_run_group_tests(tests, NULL, NULL);
}
