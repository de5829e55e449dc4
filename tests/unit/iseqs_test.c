/* SPDX-License-Identifier: MIT */
/* Mirrors iseqs.c. Cases: round trip · order · the same bytes in front when the application changes
 * · no value · no pack · offsets that lead out of it. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdlib.h>
#include <string.h>

#include <cmocka.h>

#include "bundler/iseqs.h"
#include "common/cleanup.h"
#include "common/err.h"
#include "common/iseqpack.h"

/* One offset, then the blob. */
static const char value[] = "\1\0\0\0\4\0\0\0blob of it";

static void fill(struct iseqs *iseqs, const char *app, size_t app_size)
{
    *iseqs = (struct iseqs){0};
    assert_true(iseqs_add(iseqs, "usr/lib/b.rb", value, sizeof(value)));
    assert_true(iseqs_add(iseqs, "app/a.rb", app, app_size));
    assert_true(iseqs_add(iseqs, "gems/c.rb", value, sizeof(value) - 3));
}

static char *packed(const char *app, size_t app_size, size_t *ret_size)
{
    cleanup_with(iseqs_release) struct iseqs iseqs = {0};
    struct err err = {0};
    char *pack = NULL;

    fill(&iseqs, app, app_size);
    assert_true(iseqs_write(&iseqs, &pack, ret_size, &err));
    return pack;
}

static void reads_what_it_wrote(void **state)
{
    cleanup_with(iseqs_release) struct iseqs found = {0};
    struct err err = {0};
    size_t size;
    cleanup_free char *pack = packed(value, sizeof(value), &size);

    (void)state;
    assert_true(iseqs_read(&found, pack, size, &err));
    assert_int_equal(found.count, 3);
    assert_string_equal(found.sources[0].path, "app/a.rb");
    assert_string_equal(found.sources[1].path, "gems/c.rb");
    assert_string_equal(found.sources[2].path, "usr/lib/b.rb");
    assert_int_equal(found.sources[1].size_bytes, sizeof(value) - 3);
    assert_memory_equal(found.sources[2].value, value, sizeof(value));
}

static void a_changed_application_leaves_the_rest_where_it_is(void **state)
{
    static const char longer[] = "\2\0\0\0\4\0\0\0\4\0\0\0blob of it, with one more text in it";
    struct iseqpack_entry one;
    struct iseqpack_entry two;
    size_t size;
    size_t longer_size;
    cleanup_free char *pack = packed(value, sizeof(value), &size);
    cleanup_free char *other = packed(longer, sizeof(longer), &longer_size);

    (void)state;
    assert_true(longer_size > size);
    for (size_t i = 1; i < 3; i++) {
        size_t at = sizeof(struct iseqpack_header) + i * sizeof(one);

        memcpy(&one, pack + at, sizeof(one));
        memcpy(&two, other + at, sizeof(two));
        assert_int_equal(one.blob_offset, two.blob_offset);
        assert_memory_equal(pack + one.blob_offset, other + two.blob_offset, one.blob_size);
    }
}

static void refuses_what_is_no_value(void **state)
{
    cleanup_with(iseqs_release) struct iseqs iseqs = {0};

    (void)state;
    assert_false(iseqs_add(&iseqs, "a.rb", "", 0));
    assert_false(iseqs_add(&iseqs, "a.rb", "\1\0\0", 3));
    assert_false(iseqs_add(&iseqs, "a.rb", "\2\0\0\0\4\0\0\0", 8));
    assert_int_equal(iseqs.count, 0);
}

static void refuses_what_is_no_pack(void **state)
{
    cleanup_with(iseqs_release) struct iseqs found = {0};
    struct err err = {0};
    size_t size;
    cleanup_free char *pack = packed(value, sizeof(value), &size);

    (void)state;
    assert_false(iseqs_read(&found, "", 0, &err));
    assert_false(iseqs_read(&found, "RSKISEQ0\0\0\0\0\0\0\0\0", 16, &err));
    for (size_t cut = 0; cut + 4 <= size; cut++) /* the last bytes may be padding */
        if (iseqs_read(&found, pack, cut, &err))
            fail_msg("%zu of %zu bytes were a pack", cut, size);
    /* every number of the first entry, out of it */
    for (size_t field = 0; field < 6; field++) {
        size_t at = sizeof(struct iseqpack_header) + field * sizeof(uint32_t);
        uint32_t kept;

        memcpy(&kept, pack + at, sizeof(kept));
        memset(pack + at, 0xff, sizeof(kept));
        assert_false(iseqs_read(&found, pack, size, &err));
        memcpy(pack + at, &kept, sizeof(kept));
    }
    assert_int_equal(found.count, 0);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(reads_what_it_wrote),
        cmocka_unit_test(a_changed_application_leaves_the_rest_where_it_is),
        cmocka_unit_test(refuses_what_is_no_value),
        cmocka_unit_test(refuses_what_is_no_pack),
    };

    return cmocka_run_group_tests(tests, NULL, NULL);
}
