/* SPDX-License-Identifier: MIT */
/* Mirrors base64.c. Cases: RFC 4648, section 10 · every text that is not the canonical one. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <string.h>

#include <cmocka.h>

#include "common/base64.h"

static void the_vectors_of_the_rfc(void **state)
{
    static const char *const texts[] = {"",         "Zg==",     "Zm8=",    "Zm9v",
                                        "Zm9vYg==", "Zm9vYmE=", "Zm9vYmFy"};
    char text[BASE64_LENGTH(6) + 1];
    uint8_t bytes[6];

    (void)state;
    for (size_t size = 0; size < sizeof(texts) / sizeof(texts[0]); size++) {
        base64_encode((const uint8_t *)"foobar", size, text);
        assert_string_equal(text, texts[size]);
        assert_true(base64_decode(text, strlen(text), bytes, size));
        assert_memory_equal(bytes, "foobar", size);
    }
}

/* Two bytes: of all texts of four characters that differ from theirs in one, none means the same.
 */
static void no_other_text_means_the_same(void **state)
{
    uint8_t bytes[2];
    char text[] = "Zm8=";

    (void)state;
    for (size_t i = 0; i < 4; i++) {
        char right = text[i];

        for (int other = 0; other < 256; other++) {
            text[i] = (char)other;
            if (text[i] != right && base64_decode(text, 4, bytes, 2))
                assert_memory_not_equal(bytes, "foobar", 2);
        }
        text[i] = right;
    }
    assert_false(base64_decode("Zm9=", 4, bytes, 2));
    assert_false(base64_decode("Zm8", 3, bytes, 2));
    assert_false(base64_decode("Zm8==", 5, bytes, 2));
    assert_false(base64_decode("Zm8\n", 4, bytes, 2));
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(the_vectors_of_the_rfc),
        cmocka_unit_test(no_other_text_means_the_same),
    };

    return cmocka_run_group_tests(tests, NULL, NULL);
}
