/* SPDX-License-Identifier: MIT */
/*
 * Mirrors relocate.c. Every edited copy is given to the loader: it searches nowhere outside and
 * finds what it found before. Cases: clean objects · DT_RPATH, DT_RUNPATH, both · elements to keep
 * before and behind · climbing out · DT_NEEDED with a path, with versions · patchelf, none.
 */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>

#include "bundler/elf.h"
#include "bundler/plan.h"
#include "bundler/relocate.h"
#include "common/err.h"
#include "fixture.h"
#include "tests/unit/valgrind.h"

#define RPATH "-Wl,--disable-new-dtags"
#define RUNPATH "-Wl,--enable-new-dtags"

/* out/: where libraries are on this machine only. lib/: the bundle's. in/: beside the object. */
static void make_library(void)
{
    MUST("mkdir -p out lib gem/in && echo \"int f(void){return 1;}\" > f.c && "
         "echo \"V1 { global: f; };\" > v.map && "
         "$LIB -Wl,--version-script=v.map -Wl,-soname,libf.so -o out/libf.so f.c && "
         "cp out/libf.so lib/libf.so && "
         "echo \"int f(void); int main(void){return f() - 1;}\" > m.c && "
         "echo \"int f(void); int g(void){return f();}\" > x.c");
}

/* Edits `file` for the image path; the copy's bytes take the place of gem/copy. */
static bool edit_as(const char *file, const char *image_path, bool own_path_first, struct err *err)
{
    struct plan plan;
    struct elf elf;
    bool changed = false;
    bool ok;

    plan_init(&plan);
    assert_true(plan_add_file(&plan, image_path, file,
                              (struct plan_origin){PLAN_PART_GEMS, "gem 'x'"}, err));
    assert_true(elf_open(&elf, file, err));
    ok = relocate_object(&elf, image_path, own_path_first, &plan, &changed, err);
    assert_true(!ok || own_path_first || changed != relocate_is_clean(&elf, image_path));
    if (ok && changed) {
        const struct plan_entry *entry = plan_find(&plan, image_path);

        assert_int_equal(entry->type, PLAN_DATA);
        assert_int_equal(entry->part, PLAN_PART_GEMS);
        assert_string_equal(entry->reason, "gem 'x'");
        assert_int_equal(entry->mode, 0755);
        spill(at("gem/copy"), entry->data, entry->size_bytes);
        MUST("chmod 755 gem/copy");
    } else if (ok) {
        MUST("cp \"%s\" gem/copy", file);
    }
    elf_release(&elf);
    plan_release(&plan);
    return ok;
}

static bool edit(const char *file, const char *image_path, struct err *err)
{
    return edit_as(file, image_path, false, err);
}

static void must_edit(const char *file, const char *image_path)
{
    struct err err = {0};

    if (!edit(file, image_path, &err))
        fail_msg("%s", err.msg);
}

/* The copy runs with the library path, and the loader looks at nothing below out/. */
static void assert_runs_inside(void)
{
    MUST("LD_DEBUG=libs,files LD_DEBUG_OUTPUT=log LD_LIBRARY_PATH=\"$PWD/lib\" ./gem/copy && "
         "grep -q \"$PWD/lib/libf.so\" log.* && ! grep \"$PWD/out\" log.* && rm log.*");
}

static void test_clean_objects_stay(void **state)
{
    (void)state;
    make_library();
    MUST("cc " RUNPATH " -Wl,-rpath,\"\\$ORIGIN/../lib:\\${ORIGIN}/in/./x\" -o gem/m m.c "
         "out/libf.so");
    must_edit(at("gem/m"), "gem/m");
    MUST("cmp gem/m gem/copy && ./gem/copy");
}

static void test_absolute_rpath_and_runpath(void **state)
{
    static const char *const tags[] = {RPATH, RUNPATH};

    (void)state;
    make_library();
    for (size_t i = 0; i < 2; i++) {
        MUST("cc %s -Wl,-rpath,\"$PWD/out\" -o gem/m m.c out/libf.so", tags[i]);
        must_edit(at("gem/m"), "gem/m");
        assert_runs_inside();
        MUST("! ./gem/copy 2>/dev/null && ! cmp -s gem/m gem/copy");
    }
}

static void test_elements_of_the_working_directory(void **state)
{
    (void)state;
    make_library();
    MUST("cc " RUNPATH " -Wl,-rpath,out::\"\\$LIB\" -o gem/m m.c out/libf.so && ./gem/m");
    must_edit(at("gem/m"), "gem/m");
    MUST("! ./gem/copy 2>/dev/null");
    assert_runs_inside();
}

static void test_what_follows_is_kept(void **state)
{
    (void)state;
    make_library();
    MUST("cp out/libf.so gem/in && cc " RPATH " -Wl,-rpath,\"$PWD/out:\\$ORIGIN/in\" -o gem/m m.c "
         "out/libf.so");
    must_edit(at("gem/m"), "gem/m");
    MUST("LD_DEBUG=libs LD_DEBUG_OUTPUT=log ./gem/copy && grep -q gem/in/libf.so log.* && "
         "! grep \"$PWD/out\" log.*");
    /* nothing but numbers changed */
    MUST("test $(stat -c %%s gem/m) = $(stat -c %%s gem/copy) && "
         "test $(cmp -l gem/m gem/copy | wc -l) -le 8");
}

/* A library of its own, where the library path has another one of that name. */
static void test_own_path_first(void **state)
{
    struct err err = {0};

    (void)state;
    make_library();
    MUST("cp out/libf.so gem/in && cc " RUNPATH " -Wl,-rpath,\"$PWD/out:\\$ORIGIN/in\" -o gem/m "
         "m.c out/libf.so");
    assert_true(edit_as(at("gem/m"), "gem/m", true, &err));
    MUST("LD_LIBRARY_PATH=\"$PWD/lib\" LD_DEBUG=libs LD_DEBUG_OUTPUT=log ./gem/copy && "
         "grep -q gem/in/libf.so log.* && ! grep \"$PWD/lib/libf.so\\|$PWD/out\" log.*");
}

static void test_climbing_out(void **state)
{
    (void)state;
    make_library();
    MUST("cc " RUNPATH " -Wl,-rpath,\"\\$ORIGIN/../out\" -o gem/m m.c out/libf.so");
    must_edit(at("gem/m"), "gem/m");
    MUST("cmp gem/m gem/copy");
    must_edit(at("gem/m"), "m"); /* now .. is what the image is mounted at */
    assert_runs_inside();
}

static void test_both_tags(void **state)
{
    struct elf elf;
    size_t size;
    char *bytes;
    struct err err = {0};

    (void)state;
    make_library();
    /* DT_DEBUG, which only programs have, becomes a DT_RPATH with the same string */
    MUST("cc " RUNPATH " -Wl,-rpath,\"$PWD/out\" -o gem/m m.c out/libf.so");
    bytes = slurp(at("gem/m"), &size);
    assert_true(elf_open(&elf, at("gem/m"), &err));
    for (size_t i = 0; i + 16 <= size; i += 8) {
        int64_t entry[2];
        uint64_t runpath;

        memcpy(entry, bytes + i, sizeof(entry));
        assert_true(elf_dynamic(&elf, 29, &runpath));
        if (entry[0] == 21 && entry[1] == 0) {
            entry[0] = 15;
            entry[1] = (int64_t)runpath;
            memcpy(bytes + i, entry, sizeof(entry));
        }
    }
    elf_release(&elf);
    spill(at("gem/m"), bytes, size);
    free(bytes);
    MUST("readelf -d gem/m | grep -q RPATH && readelf -d gem/m | grep -q RUNPATH && ./gem/m");
    must_edit(at("gem/m"), "gem/m");
    assert_runs_inside();
}

static void test_needed_with_a_path(void **state)
{
    (void)state;
    make_library();
    /* a soname with a path: that is what is needed, and what the versions name */
    MUST("$LIB -Wl,--version-script=v.map -Wl,-soname,\"$PWD/out/libf.so\" -o out/libf.so f.c && "
         "cp out/libf.so lib && cc -o gem/m m.c out/libf.so && "
         "readelf -d gem/m | grep -q \"NEEDED.*$PWD/out/libf.so\" && "
         "readelf -VW gem/m | grep -q \"File: $PWD/out/libf.so\" && ./gem/m");
    must_edit(at("gem/m"), "gem/m");
    assert_runs_inside();
}

static void test_patchelf_keeps_the_first(void **state)
{
    (void)state;
    make_library();
    MUST("cp out/libf.so gem/in && cc -g " RPATH " -Wl,-rpath,\"\\$ORIGIN/in:$PWD/out\" -o gem/m "
         "m.c out/libf.so");
    must_edit(at("gem/m"), "gem/m");
    MUST("readelf -d gem/copy | grep -qF \"[\\$ORIGIN/in]\" && ./gem/copy && rm gem/in/libf.so && "
         "! ./gem/copy 2>/dev/null");
    assert_runs_inside();
}

static void test_no_patchelf(void **state)
{
    char *path;
    struct err err = {0};

    (void)state;
    if (is_in_valgrind())
        skip();
    path = strdup(getenv("PATH"));
    make_library();
    MUST("cc -Wl,-rpath,\"\\$ORIGIN/in:$PWD/out\" -o gem/m m.c out/libf.so");
    assert_int_equal(setenv("PATH", at("gem"), 1), 0);
    assert_false(edit(at("gem/m"), "gem/m", &err));
    assert_int_equal(setenv("PATH", path, 1), 0);
    free(path);
    assert_string_equal(err.id, "E-EDIT");
    assert_non_null(strstr(err.msg, at("gem/m")));
    assert_non_null(strstr(err.hint, "patchelf"));
}

#define TEST(name) cmocka_unit_test_setup_teardown(name, fixture_enter, fixture_leave)

int main(void)
{
    const struct CMUnitTest tests[] = {
        TEST(test_clean_objects_stay),
        TEST(test_absolute_rpath_and_runpath),
        TEST(test_elements_of_the_working_directory),
        TEST(test_what_follows_is_kept),
        TEST(test_own_path_first),
        TEST(test_climbing_out),
        TEST(test_both_tags),
        TEST(test_needed_with_a_path),
        TEST(test_patchelf_keeps_the_first),
        TEST(test_no_patchelf),
    };

    return cmocka_run_group_tests(tests, NULL, NULL);
}
