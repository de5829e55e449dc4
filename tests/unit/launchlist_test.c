/* SPDX-License-Identifier: MIT */
/* Mirrors launchlist.c. Cases: all records, none · another version · a line that is no record. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdlib.h>
#include <string.h>

#include <cmocka.h>

#include "common/err.h"
#include "common/launchlist.h"

static void all_records_in_order(void **state)
{
    char text[] = "rucksack\t1\nname\tx\n\nstate\tdata\tdb";
    struct launchfile_record *records = NULL;
    struct err err = {0};
    size_t count = 0;

    (void)state;
    assert_true(launchlist_read(text, sizeof(text) - 1, &records, &count, &err));
    assert_int_equal(count, 3);
    assert_true(launchfile_is(&records[0], "name", 1));
    assert_true(launchfile_is(&records[1], "", 0));
    assert_string_equal(records[2].fields[2], "db");
    free(records);
}

static void the_first_line_alone_is_a_file(void **state)
{
    char text[] = "rucksack\t1\n";
    struct launchfile_record *records = NULL;
    struct err err = {0};
    size_t count = 7;

    (void)state;
    assert_true(launchlist_read(text, sizeof(text) - 1, &records, &count, &err));
    assert_int_equal(count, 0);
    free(records);
}

/* size: of text, without the NUL at its end. */
static void assert_refused(char *text, size_t size, const char *why)
{
    struct launchfile_record *records = NULL;
    struct err err = {0};
    size_t count = 7;

    assert_false(launchlist_read(text, size, &records, &count, &err));
    assert_int_equal(err.kind, ERR_INPUT);
    assert_non_null(strstr(err.msg, why));
    assert_null(records);
    assert_int_equal(count, 7);
}

static void what_is_damaged_is_refused(void **state)
{
    char empty[] = "";
    char newer[] = "rucksack\t2\nname\tx\n";
    char many[] = "rucksack\t1\nname\tx\na\tb\tc\td\te\n";
    char nul[] = "rucksack\t1\na\0b\nname\tx\n";

    (void)state;
    assert_refused(empty, 0, "no launch file of version 1");
    assert_refused(newer, sizeof(newer) - 1, "no launch file of version 1");
    assert_refused(many, sizeof(many) - 1, "record 2");
    assert_refused(nul, sizeof(nul) - 1, "record 1");
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(all_records_in_order),
        cmocka_unit_test(the_first_line_alone_is_a_file),
        cmocka_unit_test(what_is_damaged_is_refused),
    };

    return cmocka_run_group_tests(tests, NULL, NULL);
}
