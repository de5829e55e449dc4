/* SPDX-License-Identifier: MIT */
/*
 * Mirrors demand.c. The oracle is readelf. Cases: levels of the CPU, the kernel's version, neither;
 * damaged notes.
 */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>
#include <elf.h>

#include "bundler/demand.h"
#include "bundler/elf.h"
#include "common/err.h"
#include "fixture.h"

static struct demand demand_in(const char *path)
{
    struct demand demand;
    struct elf elf;
    struct err err = {0};

    if (!elf_open(&elf, path, &err))
        fail_msg("%s", err.msg);
    demand = demand_of(&elf);
    elf_release(&elf);
    return demand;
}

static void test_levels(void **state)
{
    static const char *const names[] = {"baseline", "v2", "v3", "v4"};

    (void)state;
    MUST("echo \"int f(void){return 1;}\" > f.c");
    for (unsigned int level = 1; level <= 4; level++) {
        /* ld takes the option only where it makes x86 objects */
        if (shell("$LIB -Wl,-z,x86-64-%s -o f.so f.c", names[level - 1]) != 0)
            skip();
        MUST("readelf -n f.so | grep -q \"x86 ISA needed:.*x86-64-%s\"", names[level - 1]);
        assert_int_equal(demand_in(at("f.so")).cpu_level, level);
    }
}

static void test_no_notes(void **state)
{
    struct demand demand;

    (void)state;
    MUST("echo \"int f(void){return 1;}\" > f.c && $LIB -o f.so f.c");
    demand = demand_in(at("f.so"));
    assert_int_equal(demand.cpu_level, 0);
    assert_int_equal(demand.linux_version, 0);
}

static void test_kernel_as_readelf(void **state)
{
    unsigned int major;
    unsigned int minor;
    unsigned int patch;
    char libc[256];
    FILE *file;

    (void)state;
    MUST("cc -print-file-name=libc.so.6 > abi && readelf -n \"$(cat abi)\" | "
         "sed -n \"s/.*OS: Linux, ABI: \\([0-9]*\\)\\.\\([0-9]*\\)\\.\\([0-9]*\\)/\\1 \\2 \\3/p\" "
         ">> abi");
    file = fopen(at("abi"), "re");
    assert_non_null(file);
    assert_int_equal(fscanf(file, "%255s %u %u %u", libc, &major, &minor, &patch), 4);
    fclose(file);
    assert_int_equal(demand_in(libc).linux_version, major << 16 | minor << 8 | patch);
}

/* Every byte of a note, damaged: an answer, whichever. */
static void test_damaged_notes(void **state)
{
    size_t size;
    char *bytes;
    char *note;
    unsigned int changed = 0;

    (void)state;
    MUST("echo \"int f(void){return 1;}\" > f.c");
    if (shell("$LIB -Wl,-z,x86-64-v3 -o f.so f.c") != 0)
        skip();
    bytes = slurp(at("f.so"), &size);
    note = memmem(bytes, size, "\5\0\0\0GNU", 8);
    assert_non_null(note);
    for (char *byte = note - 8; byte < note + 32; byte++) {
        char before = *byte;

        *byte = (char)0xff;
        spill(at("f.so"), bytes, size);
        changed += demand_in(at("f.so")).cpu_level != 3;
        *byte = before;
    }
    assert_true(changed > 16);
    free(bytes);
}

#define TEST(name) cmocka_unit_test_setup_teardown(name, fixture_enter, fixture_leave)

int main(void)
{
    const struct CMUnitTest tests[] = {
        TEST(test_levels),
        TEST(test_no_notes),
        TEST(test_kernel_as_readelf),
        TEST(test_damaged_notes),
    };

    return cmocka_run_group_tests(tests, NULL, NULL);
}
