/* SPDX-License-Identifier: MIT */
/* Mirrors launchfile.c. Cases: records and their fields · lines that are none · other versions. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <string.h>

#include <cmocka.h>

#include "common/launchfile.h"

static void records_come_in_order(void **state)
{
    char text[] = "rucksack\t1\nname\tblog\nprogram\ta\tb\tc\nempty\t\n\nlast";
    struct launchfile file;
    struct launchfile_record record;

    (void)state;
    assert_true(launchfile_begin(&file, text, sizeof(text) - 1));
    assert_true(launchfile_next(&file, &record));
    assert_true(launchfile_is(&record, "name", 1));
    assert_false(launchfile_is(&record, "name", 2));
    assert_false(launchfile_is(&record, "nam", 1));
    assert_false(launchfile_is(&record, "names", 1));
    assert_string_equal(record.fields[1], "blog");
    assert_string_equal(record.fields[2], "");
    assert_true(launchfile_next(&file, &record));
    assert_true(launchfile_is(&record, "program", 3));
    assert_string_equal(record.fields[3], "c");
    assert_true(launchfile_next(&file, &record));
    assert_int_equal(record.count, 2);
    assert_string_equal(record.fields[1], "");
    assert_true(launchfile_next(&file, &record));
    assert_string_equal(record.fields[0], "");
    assert_true(launchfile_next(&file, &record));
    assert_true(launchfile_is(&record, "last", 0));
    assert_false(launchfile_next(&file, &record));
    assert_ptr_equal(file.at, file.end);
}

static void assert_stops(char *text, size_t size)
{
    struct launchfile file;
    struct launchfile_record record;

    assert_true(launchfile_begin(&file, text, size));
    assert_false(launchfile_next(&file, &record));
    assert_ptr_not_equal(file.at, file.end);
}

static void lines_that_are_no_records_end_the_file(void **state)
{
    char many[] = "rucksack\t1\na\tb\tc\td\te\nname\tx\n";
    char nul[] = "rucksack\t1\na\0b\nname\tx\n";

    (void)state;
    assert_stops(many, sizeof(many) - 1);
    assert_stops(nul, sizeof(nul) - 1);
}

static void assert_foreign(const char *text)
{
    char copy[64] = "";
    struct launchfile file;

    memcpy(copy, text, strlen(text));
    assert_false(launchfile_begin(&file, copy, strlen(text)));
}

static void other_versions_are_refused(void **state)
{
    (void)state;
    assert_foreign("");
    assert_foreign("\n");
    assert_foreign("rucksack\n");
    assert_foreign("rucksack\t2\n");
    assert_foreign("rucksack\t11\n");
    assert_foreign("name\t1\n");
}

static void a_file_of_one_record_ends_at_once(void **state)
{
    char text[] = "rucksack\t1";
    struct launchfile file;
    struct launchfile_record record;

    (void)state;
    assert_true(launchfile_begin(&file, text, sizeof(text) - 1));
    assert_false(launchfile_next(&file, &record));
    assert_ptr_equal(file.at, file.end);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(records_come_in_order),
        cmocka_unit_test(lines_that_are_no_records_end_the_file),
        cmocka_unit_test(other_versions_are_refused),
        cmocka_unit_test(a_file_of_one_record_ends_at_once),
    };

    return cmocka_run_group_tests(tests, NULL, NULL);
}
