/* SPDX-License-Identifier: MIT */
/*
 * Mirrors linkage.c. The oracle is the loader as `ldd -r` runs it. Cases: versions that are there,
 * missing, weak, or of a library without any · symbols of the closure, of another root, of nobody ·
 * libraries of the system.
 */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>
#include <glob.h>

#include "bundler/linkage.h"
#include "bundler/walk.h"
#include "common/err.h"
#include "fixture.h"

enum { ROOTS_MAX = 8, SYSTEM_SAMPLE = 40 };

struct checked {
    struct walk walk;
    struct linkage linkage;
    struct err err;
    bool ok;
};

/* main, and roots up to NULL */
static void check(struct checked *ret, const char *program, ...)
{
    struct walk_root roots[ROOTS_MAX];
    size_t count = 0;
    const char *path;
    va_list paths;

    *ret = (struct checked){0};
    va_start(paths, program);
    while ((path = va_arg(paths, const char *)) != NULL)
        roots[count++] = (struct walk_root){path, "gem 'x'"};
    va_end(paths);
    if (!walk_closure(&ret->walk, program, roots, count, &ret->err))
        fail_msg("%s", ret->err.msg);
    ret->ok = linkage_check(&ret->linkage, &ret->walk, &ret->err);
}

static void check_release(struct checked *checked)
{
    linkage_release(&checked->linkage);
    walk_release(&checked->walk);
}

static void assert_fits(const char *program, const char *root)
{
    struct checked checked;

    check(&checked, program, root, NULL);
    if (!checked.ok)
        fail_msg("%s", checked.err.msg);
    if (checked.linkage.count > 0)
        fail_msg("%s", checked.linkage.warnings[0]);
    check_release(&checked);
}

static void make_main(void)
{
    MUST("echo \"int main(void){return 0;}\" > m.c && cc -o m m.c");
}

/* ext.so was linked with libv.so of versions V1 and V2 and uses f@V2. */
static void make_extension(void)
{
    make_main();
    MUST("echo \"V1 { global: e; local: *; }; V2 { global: f; } V1;\" > v.map && "
         "echo \"int e(void){return 1;} int f(void){return 2;}\" > v.c && "
         "$LIB -Wl,--version-script=v.map -Wl,-soname,libv.so -o libv.so v.c && "
         "echo \"int f(void); int g(void){return f();}\" > x.c && "
         "$LIB -Wl,-rpath,\"\\$ORIGIN\" -o ext.so x.c libv.so");
}

static void test_version_is_there(void **state)
{
    (void)state;
    make_extension();
    assert_fits(at("m"), at("ext.so"));
}

static void test_version_is_missing(void **state)
{
    struct checked checked;

    (void)state;
    make_extension();
    MUST("echo \"V1 { global: e; f; local: *; };\" > v.map && "
         "$LIB -Wl,--version-script=v.map -Wl,-soname,libv.so -o libv.so v.c");
    check(&checked, at("m"), at("ext.so"), NULL);
    assert_false(checked.ok);
    assert_string_equal(checked.err.id, "E-VERSION");
    assert_non_null(strstr(checked.err.msg, at("ext.so")));
    assert_non_null(strstr(checked.err.msg, "gem 'x'"));
    assert_non_null(strstr(checked.err.msg, "'V2'"));
    assert_non_null(strstr(checked.err.msg, at("libv.so")));
    assert_non_null(strstr(checked.err.hint, "libv.so"));
    check_release(&checked);
    /* the loader refuses it, too */
    MUST("echo \"#include <dlfcn.h>\nint main(int c, char **v){return dlopen(v[c - 1], "
         "RTLD_LAZY) == 0;}\" > d.c && cc -o d d.c && ! ./d ./ext.so");
}

/* Another file of that name has the version: for its own askers only. */
static void test_version_of_the_other_file(void **state)
{
    struct checked checked;

    (void)state;
    make_extension();
    MUST("mkdir new && cp libv.so ext.so new/ && echo \"V1 { global: e; f; local: *; };\" > v.map "
         "&& "
         "$LIB -Wl,--version-script=v.map -Wl,-soname,libv.so -o libv.so v.c");
    check(&checked, at("m"), at("new/ext.so"), at("ext.so"), NULL);
    assert_false(checked.ok);
    assert_string_equal(checked.err.id, "E-VERSION");
    assert_non_null(strstr(checked.err.msg, at("libv.so")));
    check_release(&checked);
    assert_fits(at("m"), at("new/ext.so"));
}

/* The first entry of DT_VERNEED in ext.so: version 1, one name, which follows. */
static size_t find_need(const char *bytes, size_t size)
{
    for (size_t i = 0; i + 32 < size; i++)
        if (memcmp(bytes + i, "\1\0\1\0", 4) == 0 &&
            memcmp(bytes + i + 8, "\x10\0\0\0\0\0\0\0", 8) == 0)
            return i;
    fail_msg("no DT_VERNEED");
    return 0;
}

/* GNU ld writes no weak needs; other linkers do. */
static void test_weak_need_is_missing(void **state)
{
    struct checked checked;
    size_t size;
    char *bytes;

    (void)state;
    make_extension();
    bytes = slurp(at("ext.so"), &size);
    bytes[find_need(bytes, size) + 16 + 4] = 2; /* vna_flags: VER_FLG_WEAK */
    spill(at("ext.so"), bytes, size);
    free(bytes);
    MUST("readelf -VW ext.so | grep -q \"Flags: WEAK\" && "
         "echo \"V1 { global: e; f; local: *; };\" > v.map && "
         "$LIB -Wl,--version-script=v.map -Wl,-soname,libv.so -o libv.so v.c && "
         "echo \"#include <dlfcn.h>\nint main(int c, char **v){return dlopen(v[c - 1], "
         "RTLD_LAZY) == 0;}\" > d.c && cc -o d d.c && ./d ./ext.so");
    check(&checked, at("m"), at("ext.so"), NULL);
    assert_true(checked.ok);
    assert_int_equal(checked.linkage.count, 1); /* the call fails, not the load */
    check_release(&checked);
}

static void test_library_without_versions(void **state)
{
    (void)state;
    make_extension();
    MUST("$LIB -Wl,-soname,libv.so -o libv.so v.c");
    assert_fits(at("m"), at("ext.so"));
}

static void test_symbol_of_nobody(void **state)
{
    struct checked checked;

    (void)state;
    make_main();
    MUST("echo \"int a(void); int b(void); int c(void); int d(void); int w(void) "
         "__attribute__((weak)); int g(void){return a() + b() + c() + d() + (w ? w() : 0);}\" "
         "> x.c && $LIB -Wl,-z,lazy -o ext.so x.c && $LIB -Wl,-z,now -o now.so x.c");
    check(&checked, at("m"), at("ext.so"), at("now.so"), NULL);
    assert_true(checked.ok);
    assert_int_equal(checked.linkage.count, 2);
    assert_non_null(strstr(checked.linkage.warnings[0], at("ext.so")));
    assert_non_null(strstr(checked.linkage.warnings[0], "gem 'x'"));
    assert_non_null(strstr(checked.linkage.warnings[0], " and 1 more; it fails at the first call"));
    assert_non_null(strstr(checked.linkage.warnings[1], at("now.so")));
    assert_non_null(strstr(checked.linkage.warnings[1], "it fails when it is loaded"));
    check_release(&checked);
}

static void test_symbol_of_another_root(void **state)
{
    struct checked checked;

    (void)state;
    make_main();
    MUST("echo \"int other(void); int g(void){return other();}\" > x.c && $LIB -o ext.so x.c && "
         "echo \"int other(void){return 1;}\" > o.c && $LIB -o o.so o.c");
    check(&checked, at("m"), at("ext.so"), at("o.so"), NULL);
    assert_true(checked.ok);
    assert_int_equal(checked.linkage.count, 0);
    check_release(&checked);
}

static void test_symbol_of_main_program(void **state)
{
    (void)state;
    MUST("echo \"int of_main(void){return 1;} int main(void){return 0;}\" > m.c && "
         "cc -rdynamic -o m m.c && "
         "echo \"int of_main(void); int g(void){return of_main();}\" > x.c && $LIB -o ext.so x.c");
    assert_fits(at("m"), at("ext.so"));
}

static void test_damaged_extension(void **state)
{
    struct checked checked;
    size_t size;
    char *bytes;

    (void)state;
    make_extension();
    bytes = slurp(at("ext.so"), &size);
    memset(bytes + find_need(bytes, size) + 4, 0x7f, 4); /* vn_file */
    spill(at("ext.so"), bytes, size);
    free(bytes);
    check(&checked, at("m"), at("ext.so"), NULL);
    assert_false(checked.ok);
    assert_string_equal(checked.err.id, "E-ELF");
    assert_non_null(strstr(checked.err.msg, "DT_VERNEED"));
    check_release(&checked);
}

/* Libraries of the system: warnings exactly where `ldd -r` has something to say. */
static void test_system_as_loader(void **state)
{
    glob_t found;
    size_t step;
    size_t count = 0;

    (void)state;
    make_main();
    assert_int_equal(glob("/usr/lib/*-linux-gnu/lib*.so.*", 0, NULL, &found), 0);
    step = found.gl_pathc / SYSTEM_SAMPLE + 1;
    for (size_t i = 0; i < found.gl_pathc; i += step) {
        struct checked checked = {0};
        struct walk_root root = {found.gl_pathv[i], "the system"};
        bool is_complete = shell("ldd -r \"%s\" > out 2>&1 && ! grep -qE "
                                 "\"undefined symbol|not found|not defined\" out",
                                 found.gl_pathv[i]) == 0;

        if (!walk_closure(&checked.walk, at("m"), &root, 1, &checked.err)) {
            assert_false(is_complete);
            continue;
        }
        assert_true(linkage_check(&checked.linkage, &checked.walk, &checked.err));
        if (is_complete != (checked.linkage.count == 0))
            fail_msg("%s: %s", found.gl_pathv[i],
                     is_complete ? checked.linkage.warnings[0] : "no warning");
        check_release(&checked);
        count++;
    }
    globfree(&found);
    assert_true(count > 0);
}

#define TEST(name) cmocka_unit_test_setup_teardown(name, fixture_enter, fixture_leave)

int main(void)
{
    const struct CMUnitTest tests[] = {
        TEST(test_version_is_there),          TEST(test_version_is_missing),
        TEST(test_version_of_the_other_file), TEST(test_weak_need_is_missing),
        TEST(test_library_without_versions),  TEST(test_symbol_of_nobody),
        TEST(test_symbol_of_another_root),    TEST(test_symbol_of_main_program),
        TEST(test_damaged_extension),         TEST(test_system_as_loader),
    };

    return cmocka_run_group_tests(tests, NULL, NULL);
}
