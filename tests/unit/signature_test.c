/* SPDX-License-Identifier: MIT */
/*
 * Mirrors signature.c. Cases: signed · another key · no signature · every bit of a file with its
 * header · a key that is not the one it was signed with · what follows the image.
 */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <string.h>
#include <sys/mman.h>
#include <unistd.h>

#include <cmocka.h>

#include "common/err.h"
#include "common/signature.h"

enum { SECTION = 100, END = 1500, FIELD = SECTION + FORMAT_SIGNATURE_OFFSET };

struct fixture {
    int fd;
    struct minisign_secret secret;
    struct format_signature signature;
};

/* Not a bundle, but bytes around a header, signed. */
static struct fixture make(void)
{
    struct fixture fixture = {.fd = memfd_create("bundle", MFD_CLOEXEC)};
    uint8_t bytes[END];
    struct err err = {0};

    for (size_t i = 0; i < sizeof(bytes); i++)
        bytes[i] = (uint8_t)(i * 7);
    assert_true(minisign_generate(&fixture.secret, &err));
    fixture.signature = signature_begin(&fixture.secret.key);
    memcpy(bytes + FIELD, &fixture.signature, sizeof(fixture.signature));
    assert_int_equal(pwrite(fixture.fd, bytes, sizeof(bytes), 0), sizeof(bytes));
    assert_true(signature_make(fixture.fd, SECTION, END, &fixture.secret, "rucksack blog",
                               &fixture.signature, &err));
    assert_int_equal(pwrite(fixture.fd, &fixture.signature, sizeof(fixture.signature), FIELD),
                     sizeof(fixture.signature));
    return fixture;
}

static bool check(struct fixture *fixture, const struct minisign_key *key)
{
    struct format_signature signature;
    struct err err = {0};

    assert_int_equal(pread(fixture->fd, &signature, sizeof(signature), FIELD), sizeof(signature));
    if (signature_check(fixture->fd, SECTION, END, &signature, key, &err))
        return true;
    assert_int_equal(err.kind, ERR_CHECK);
    assert_string_equal(err.id, "E-SIG");
    return false;
}

static void flip(struct fixture *fixture, size_t bit)
{
    uint8_t byte;

    assert_int_equal(pread(fixture->fd, &byte, 1, (off_t)(bit / 8)), 1);
    byte = (uint8_t)(byte ^ 1 << bit % 8);
    assert_int_equal(pwrite(fixture->fd, &byte, 1, (off_t)(bit / 8)), 1);
}

static void what_was_signed_is_accepted(void **state)
{
    struct fixture fixture = make();
    struct minisign_secret other;
    struct err err = {0};

    (void)state;
    assert_true(signature_is_there(&fixture.signature));
    assert_true(check(&fixture, &fixture.secret.key));
    assert_true(check(&fixture, NULL));
    assert_true(minisign_generate(&other, &err));
    assert_false(check(&fixture, &other.key));
    assert_int_equal(pwrite(fixture.fd, "snapshot", 8, END), 8);
    assert_true(check(&fixture, &fixture.secret.key));
    close(fixture.fd);
}

static void no_signature_is_not_one(void **state)
{
    struct fixture fixture = make();
    const struct format_signature none = {0};

    (void)state;
    assert_int_equal(pwrite(fixture.fd, &none, sizeof(none), FIELD), sizeof(none));
    assert_false(signature_is_there(&none));
    assert_false(check(&fixture, &fixture.secret.key));
    assert_false(check(&fixture, NULL));
    close(fixture.fd);
}

/* All but the two sums, which the sums' own checks look at; in turn with and without the key. */
static void no_bit_can_be_another(void **state)
{
    struct fixture fixture = make();
    const size_t sums = SECTION + FORMAT_SUMS_OFFSET;

    (void)state;
    for (size_t bit = 0; bit < (size_t)8 * END; bit++) {
        bool is_sum = bit / 8 >= sums && bit / 8 < sums + FORMAT_SUMS_SIZE;

        flip(&fixture, bit);
        assert_int_equal(check(&fixture, bit % 3 == 0 ? NULL : &fixture.secret.key), is_sum);
        flip(&fixture, bit);
    }
    assert_true(check(&fixture, &fixture.secret.key));
    close(fixture.fd);
}

static void long_comments_are_refused(void **state)
{
    struct fixture fixture = make();
    char comment[FORMAT_COMMENT_SIZE + 1] = {0};
    struct err err = {0};

    (void)state;
    memset(comment, 'x', FORMAT_COMMENT_SIZE);
    assert_false(signature_make(fixture.fd, SECTION, END, &fixture.secret, comment,
                                &fixture.signature, &err));
    comment[FORMAT_COMMENT_SIZE - 1] = '\0';
    assert_true(signature_make(fixture.fd, SECTION, END, &fixture.secret, comment,
                               &fixture.signature, &err));
    close(fixture.fd);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(what_was_signed_is_accepted),
        cmocka_unit_test(no_signature_is_not_one),
        cmocka_unit_test(no_bit_can_be_another),
        cmocka_unit_test(long_comments_are_refused),
    };

    return cmocka_run_group_tests(tests, NULL, NULL);
}
