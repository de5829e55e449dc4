/* SPDX-License-Identifier: MIT */
/*
 * Mirrors closure.c. What it says about the bundle is asked of the loader: the plan is written to a
 * directory, and traced there with the library path. Cases: the same files · a library of an
 * object's own · two files of one name · a directory of the build machine · not packed.
 */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>
#include <sys/stat.h>

#include "bundler/closure.h"
#include "bundler/gems.h"
#include "bundler/plan.h"
#include "bundler/program.h"
#include "bundler/ruby.h"
#include "bundler/walk.h"
#include "common/err.h"
#include "fixture.h"

enum { OBJECTS_MAX = 8 };

#define ORIGIN                                                                                     \
    (struct plan_origin)                                                                           \
    {                                                                                              \
        PLAN_PART_GEMS, "gem 'x'"                                                                  \
    }

struct bundle {
    struct walk walk;
    struct plan plan;
    struct gems gems;
    struct programs programs;
    struct ruby ruby;
    struct closure closure;
    const char *dirs[OBJECTS_MAX];
    size_t dir_count;
    struct err err;
    bool ok;
};

/* sys/libf.so says 1, gem/own/libf.so says 2; m is the main program. */
static void make_libraries(void)
{
    MUST("mkdir -p sys gem/own && echo \"int f(void){return 1;}\" > one.c && "
         "echo \"int f(void){return 2;}\" > two.c && "
         "$LIB -Wl,-soname,libf.so -o sys/libf.so one.c && "
         "$LIB -Wl,-soname,libf.so -o gem/own/libf.so two.c && "
         "echo \"int f(void); int g(void){return f();}\" > x.c && "
         "echo \"int main(void){return 0;}\" > m.c && cc -o m m.c");
}

/* A file of the gem, at image path gem/NAME. */
static void pack(struct bundle *bundle, const char *name)
{
    char image[256];

    (void)snprintf(image, sizeof(image), "gem/%s", name);
    assert_true(plan_add_file(&bundle->plan, image, at(image), ORIGIN, &bundle->err));
    gems_add_object(&bundle->gems, at(image), image, "gem 'x'");
}

static void begin(struct bundle *bundle)
{
    *bundle = (struct bundle){.ruby = {.elf = strdup("bin/m")}};
    plan_init(&bundle->plan);
    assert_true(plan_add_file(&bundle->plan, "bin/m", at("m"), ORIGIN, &bundle->err));
}

/* Walks the gem's objects, packs what they need of the system, and settles. */
static void settle(struct bundle *bundle)
{
    struct walk_root roots[OBJECTS_MAX];
    struct closure_input input = {.walk = &bundle->walk,
                                  .gems = &bundle->gems,
                                  .programs = &bundle->programs,
                                  .ruby = &bundle->ruby,
                                  .dirs = bundle->dirs};

    for (size_t i = 0; i < bundle->gems.object_count; i++)
        roots[i] = (struct walk_root){bundle->gems.objects[i].path, "gem 'x'"};
    if (!walk_closure(&bundle->walk, at("m"), roots, bundle->gems.object_count, &bundle->err))
        fail_msg("%s", bundle->err.msg);
    for (size_t i = 1; i < bundle->walk.count; i++) {
        const struct walk_object *object = &bundle->walk.objects[i];

        if (!object->is_root && strncmp(object->path, at("gem"), strlen(at("gem"))) != 0)
            assert_true(plan_add_system(&bundle->plan, object->path, ORIGIN, &bundle->err));
        if (strcmp(object->name, "libc.so.6") == 0) {
            char *real = realpath(object->path, NULL);

            *strrchr(real, '/') = '\0';
            bundle->dirs[bundle->dir_count++] = real + 1; /* lives as long as the test */
        }
    }
    input.dir_count = bundle->dir_count;
    bundle->ok = closure_settle(&bundle->closure, &input, &bundle->plan, &bundle->err);
}

static void end(struct bundle *bundle)
{
    for (size_t i = 0; i < bundle->dir_count; i++)
        if (strstr(bundle->dirs[i], fixture_dir + 1) != bundle->dirs[i])
            free((char *)(uintptr_t)bundle->dirs[i] - 1);
    free(bundle->ruby.elf);
    bundle->ruby.elf = NULL;
    closure_release(&bundle->closure);
    gems_release(&bundle->gems);
    plan_release(&bundle->plan);
    walk_release(&bundle->walk);
}

static void must_settle(struct bundle *bundle)
{
    settle(bundle);
    if (!bundle->ok)
        fail_msg("%s", bundle->err.msg);
}

/* Writes the plan below image/. */
static void write_plan(struct bundle *bundle)
{
    plan_sort(&bundle->plan);
    MUST("rm -rf image && mkdir image");
    for (size_t i = 0; i < bundle->plan.count; i++) {
        const struct plan_entry *entry = bundle->plan.entries[i];
        char path[4096];

        (void)snprintf(path, sizeof(path), "%s/image/%s", fixture_dir, entry->path);
        if (entry->type == PLAN_DIR)
            assert_true(entry->path[0] == '\0' || mkdir(path, 0755) == 0);
        else if (entry->type == PLAN_SYMLINK)
            assert_int_equal(symlink(entry->target, path), 0);
        else if (entry->type == PLAN_DATA)
            spill(path, entry->data, entry->size_bytes);
        else
            MUST("cp \"%s\" \"%s\"", entry->source, path);
    }
}

/* The loader, with the bundle's library path, takes this file of the image for libf.so. */
static void assert_loads(struct bundle *bundle, const char *object, const char *image)
{
    char path[4096] = "";

    write_plan(bundle);
    for (size_t i = 0; i < bundle->dir_count + bundle->closure.dir_count; i++) {
        size_t used = strlen(path);

        (void)snprintf(path + used, sizeof(path) - used, "%s$PWD/image/%s", i > 0 ? ":" : "",
                       i < bundle->dir_count ? bundle->dirs[i]
                                             : bundle->closure.dirs[i - bundle->dir_count]);
    }
    MUST("LD_TRACE_LOADED_OBJECTS=1 \"%s\" --library-path \"%s\" \"$PWD/image/%s\" > out && "
         "grep -q \"libf.so => $PWD/image/%s \" out",
         bundle->walk.interp, path, object, image);
}

static void test_same_files(void **state)
{
    struct bundle bundle;

    (void)state;
    make_libraries();
    MUST("$LIB -Wl,-rpath,\"\\$ORIGIN/own\" -o gem/x.so x.c gem/own/libf.so -lc");
    begin(&bundle);
    pack(&bundle, "x.so");
    pack(&bundle, "own/libf.so");
    must_settle(&bundle);
    assert_int_equal(bundle.closure.warning_count, 0);
    assert_int_equal(bundle.closure.dir_count, 0);
    for (size_t i = 0; i < bundle.closure.object_count; i++) {
        assert_false(bundle.closure.is_edited[i]);
        assert_non_null(bundle.closure.images[i]);
    }
    assert_loads(&bundle, "gem/x.so", "gem/own/libf.so");
    end(&bundle);
}

/* As a library path would shadow it. */
static void test_own_library_comes_first(void **state)
{
    struct bundle bundle;

    (void)state;
    make_libraries();
    MUST("$LIB -Wl,-rpath,\"\\$ORIGIN/own\" -o gem/x.so x.c gem/own/libf.so && "
         "$LIB -Wl,-rpath,\"$PWD/sys\" -o gem/y.so x.c sys/libf.so");
    begin(&bundle);
    bundle.dirs[bundle.dir_count++] = at("sys") + 1;
    pack(&bundle, "x.so");
    pack(&bundle, "y.so");
    pack(&bundle, "own/libf.so");
    must_settle(&bundle);
    assert_int_equal(bundle.closure.warning_count, 0);
    assert_loads(&bundle, "gem/x.so", "gem/own/libf.so");
    assert_loads(&bundle, "gem/y.so", at("sys/libf.so") + 1);
    end(&bundle);
}

static bool has_edge(const struct closure *closure, const char *from, const char *to)
{
    for (size_t i = 0; i < closure->edge_count; i++)
        if (strcmp(closure->images[closure->edges[i].from], from) == 0 &&
            strcmp(closure->images[closure->edges[i].to], to) == 0)
            return true;
    return false;
}

/* liba.so says nothing of where its libf.so is: x.so does, by an RPATH that it inherits. That
 * another libf.so is there, for y.so, does not matter. */
static void test_library_by_inherited_path(void **state)
{
    struct bundle bundle;

    (void)state;
    make_libraries();
    MUST("$LIB -Wl,-soname,liba.so -o gem/own/liba.so x.c gem/own/libf.so && "
         "echo \"int g(void); int h(void){return g();}\" > h.c && "
         "$LIB -Wl,--disable-new-dtags -Wl,-rpath,\"\\$ORIGIN/own\" -Wl,-rpath-link,gem/own "
         "-o gem/x.so h.c gem/own/liba.so && "
         "$LIB -Wl,-rpath,\"$PWD/sys\" -o gem/y.so x.c sys/libf.so");
    begin(&bundle);
    bundle.dirs[bundle.dir_count++] = at("sys") + 1;
    pack(&bundle, "y.so");
    pack(&bundle, "x.so");
    pack(&bundle, "own/liba.so");
    pack(&bundle, "own/libf.so");
    must_settle(&bundle);
    if (bundle.closure.warning_count > 0)
        fail_msg("%s", bundle.closure.warnings[0]);
    assert_true(has_edge(&bundle.closure, "gem/own/liba.so", "gem/own/libf.so"));
    assert_false(has_edge(&bundle.closure, "gem/own/liba.so", at("sys/libf.so") + 1));
    assert_loads(&bundle, "gem/x.so", "gem/own/libf.so");
    assert_loads(&bundle, "gem/y.so", at("sys/libf.so") + 1);
    end(&bundle);
}

static void test_two_files_of_one_name(void **state)
{
    struct bundle bundle;

    (void)state;
    make_libraries();
    MUST("mkdir other && cp gem/own/libf.so other && "
         "$LIB -Wl,-rpath,\"$PWD/other\" -o gem/x.so x.c other/libf.so && "
         "$LIB -Wl,-rpath,\"$PWD/sys\" -o gem/y.so x.c sys/libf.so");
    begin(&bundle);
    bundle.dirs[bundle.dir_count++] = at("other") + 1;
    bundle.dirs[bundle.dir_count++] = at("sys") + 1;
    pack(&bundle, "x.so");
    pack(&bundle, "y.so");
    must_settle(&bundle);
    assert_int_equal(bundle.closure.warning_count, 1);
    assert_non_null(strstr(bundle.closure.warnings[0], "'libf.so' is two files"));
    assert_non_null(strstr(bundle.closure.warnings[0], at("gem/y.so")));
    assert_non_null(strstr(bundle.closure.warnings[0], at("sys/libf.so")));
    assert_non_null(strstr(bundle.closure.warnings[0], at("other/libf.so")));
    end(&bundle);
}

/* In a gem, found by a path of the build machine: its directory joins the library path. */
static void test_absolute_path_into_the_gem(void **state)
{
    struct bundle bundle;

    (void)state;
    make_libraries();
    MUST("$LIB -Wl,-rpath,\"$PWD/gem/own\" -o gem/x.so x.c gem/own/libf.so");
    begin(&bundle);
    pack(&bundle, "x.so");
    pack(&bundle, "own/libf.so");
    must_settle(&bundle);
    assert_int_equal(bundle.closure.dir_count, 1);
    assert_string_equal(bundle.closure.dirs[0], "gem/own");
    assert_loads(&bundle, "gem/x.so", "gem/own/libf.so");
    end(&bundle);
}

static void test_not_packed(void **state)
{
    struct bundle bundle;

    (void)state;
    make_libraries();
    MUST("$LIB -Wl,-rpath,\"$PWD/gem/own\" -o gem/x.so x.c gem/own/libf.so");
    begin(&bundle);
    pack(&bundle, "x.so");
    settle(&bundle);
    assert_false(bundle.ok);
    assert_string_equal(bundle.err.id, "E-LIB");
    assert_non_null(strstr(bundle.err.msg, at("gem/own/libf.so")));
    assert_non_null(strstr(bundle.err.msg, at("gem/x.so")));
    assert_non_null(strstr(bundle.err.msg, "gem 'x'"));
    assert_non_null(strstr(bundle.err.hint, "library's package"));
    end(&bundle);
}

#define TEST(name) cmocka_unit_test_setup_teardown(name, fixture_enter, fixture_leave)

int main(void)
{
    const struct CMUnitTest tests[] = {
        TEST(test_same_files),
        TEST(test_own_library_comes_first),
        TEST(test_library_by_inherited_path),
        TEST(test_two_files_of_one_name),
        TEST(test_absolute_path_into_the_gem),
        TEST(test_not_packed),
    };

    return cmocka_run_group_tests(tests, NULL, NULL);
}
