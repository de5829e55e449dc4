/* SPDX-License-Identifier: MIT */
/* Mirrors layer.c. Cases: the tree, its owner, links that lead out · places that the image has, and
 * has not · the same bytes twice · a name that would remove another file. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <string.h>

#include <cmocka.h>

#include <sys/stat.h>

#include "bundler/bundle.h"
#include "bundler/image.h"
#include "bundler/layer.h"
#include "bundler/plan.h"
#include "common/cleanup.h"
#include "common/err.h"
#include "common/fs.h"
#include "tests/unit/scratch.h"

static const struct layer_place places[] = {
    {"etc", S_IFDIR | 0755, 0, NULL},     {"etc/passwd", S_IFREG | 0644, 0, "root:x:0:0::/:\n"},
    {"tmp", S_IFDIR | 01777, 0, NULL},    {"state", S_IFLNK | 0777, 0, "/var/lib/a"},
    {"home", S_IFDIR | 0700, 1001, NULL},
};

/* An image with these and whatever name. */
static struct bundle make_bundle(const char *name)
{
    static const struct image_options options = {.level = 1, .workers = 1, .mtime = 7};
    struct plan_origin origin = {PLAN_PART_APP, "test"};
    struct bundle bundle = {.fd = open("image", O_RDWR | O_CREAT | O_TRUNC | O_CLOEXEC, 0600)};
    struct plan plan;
    struct err err = {0};
    uint64_t size = 0;

    plan_init(&plan);
    assert_true(plan_add_data(&plan, "AppRun", 0755, "#!", 2, origin, &err));
    assert_true(plan_add_data(&plan, "etc/passwd", 0644, "ours\n", 5, origin, &err));
    assert_true(plan_add_data(&plan, name, 0644, "1", 1, origin, &err));
    assert_true(plan_add_symlink(&plan, "app/data", "../../state/data", origin, &err));
    assert_true(plan_add_symlink(&plan, "app/db/x", "../../../../state/x", origin, &err));
    assert_true(plan_add_symlink(&plan, "app/db/in", "../lib/in", origin, &err));
    assert_true(plan_add_symlink(&plan, "top", "../state", origin, &err));
    plan_sort(&plan);
    assert_true(image_write(&plan, bundle.fd, 0, &options, &size, &err));
    plan_release(&plan);
    bundle.header.image_size = size;
    return bundle;
}

static bool write_layer(const char *name, const char *to, struct layer *ret, struct err *err)
{
    struct bundle bundle = make_bundle(name);
    cleanup_fd int image_fd = bundle.fd;
    cleanup_fd int fd = open(to, O_WRONLY | O_CREAT | O_TRUNC | O_CLOEXEC, 0600);

    (void)image_fd;
    return layer_write(&bundle, places, sizeof(places) / sizeof(places[0]), fd, ret, err);
}

static void test_tree(void **state)
{
    struct layer layer;
    struct err err = {0};
    cleanup_free char *listing = NULL;
    size_t size = 0;

    (void)state;
    assert_true(write_layer("app/x", "a.tgz", &layer, &err));
    assert_int_equal(system("tar --numeric-owner --utc --full-time -tvzf a.tgz | awk "
                            "'{ print $1, $2, $4, $5, $6, $7, $8 }' | sed 's/ *$//' >listing"),
                     0);
    assert_true(fs_read_file("listing", 4096, &listing, &size, &err));
    assert_string_equal(listing, "-rwxr-xr-x 0/0 1970-01-01 00:00:07 AppRun\n"
                                 "drwxr-xr-x 0/0 1970-01-01 00:00:07 app/\n"
                                 "lrwxrwxrwx 0/0 1970-01-01 00:00:07 app/data -> ../state/data\n"
                                 "drwxr-xr-x 0/0 1970-01-01 00:00:07 app/db/\n"
                                 "lrwxrwxrwx 0/0 1970-01-01 00:00:07 app/db/in -> ../lib/in\n"
                                 "lrwxrwxrwx 0/0 1970-01-01 00:00:07 app/db/x -> ../../state/x\n"
                                 "-rw-r--r-- 0/0 1970-01-01 00:00:07 app/x\n"
                                 "drwxr-xr-x 0/0 1970-01-01 00:00:07 etc/\n"
                                 "-rw-r--r-- 0/0 1970-01-01 00:00:07 etc/passwd\n"
                                 "lrwxrwxrwx 0/0 1970-01-01 00:00:07 top -> state\n"
                                 "drwxrwxrwt 0/0 1970-01-01 00:00:07 tmp/\n"
                                 "lrwxrwxrwx 0/0 1970-01-01 00:00:07 state -> /var/lib/a\n"
                                 "drwx------ 1001/1001 1970-01-01 00:00:07 home/\n");
    assert_int_equal(system("test \"$(tar -xOzf a.tgz etc/passwd)\" = ours"), 0);
}

static void test_hashes(void **state)
{
    struct layer layer;
    struct layer again;
    struct stat st;
    struct err err = {0};

    (void)state;
    assert_true(write_layer("app/x", "a.tgz", &layer, &err));
    assert_true(write_layer("app/x", "b.tgz", &again, &err));
    assert_int_equal(system("cmp a.tgz b.tgz"), 0);
    assert_string_equal(layer.digest, again.digest);
    assert_int_equal(stat("a.tgz", &st), 0);
    assert_int_equal(st.st_size, layer.size_bytes);
    assert_int_equal(layer.mtime, 7);
    assert_int_equal(setenv("digest", layer.digest, 1), 0);
    assert_int_equal(setenv("diff_id", layer.diff_id, 1), 0);
    assert_int_equal(system("echo \"$digest  a.tgz\" | sha256sum -c --quiet && "
                            "gzip -dc a.tgz >a.tar && "
                            "echo \"$diff_id  a.tar\" | sha256sum -c --quiet"),
                     0);
}

static void test_whiteout(void **state)
{
    struct layer layer;
    struct err err = {0};

    (void)state;
    assert_true(write_layer("app/not.wh.x", "a.tgz", &layer, &err));
    assert_false(write_layer("app/.wh.x", "a.tgz", &layer, &err));
    assert_string_equal(err.id, "E-NAME");
    assert_non_null(strstr(err.msg, "'app/.wh.x'"));
    err = (struct err){0};
    assert_false(write_layer("app/.wh..wh..opq", "a.tgz", &layer, &err));
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_tree),
        cmocka_unit_test(test_hashes),
        cmocka_unit_test(test_whiteout),
    };

    return cmocka_run_group_tests(tests, scratch_enter, scratch_leave);
}
