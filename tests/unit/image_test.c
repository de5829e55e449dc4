/* SPDX-License-Identifier: MIT */
/* Mirrors image.c. Cases: what was written is read back · the same bytes for any number of workers
 * · large directories, holes, long links · the order of files and that of the tree · other readers
 * and the kernel accept it · the name table · a full disk · no memory for a compressor · damaged
 * images and those that claim too much. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <string.h>

#include <cmocka.h>

#include <dlfcn.h>
#include <errno.h>
#include <sched.h>
#include <stdatomic.h>
#include <stdlib.h>
#include <sys/mount.h>
#include <sys/stat.h>
#include <sys/wait.h>
#include <unistd.h>
#include <zstd.h>
#include <zstd_errors.h>

#include "bundler/image.h"
#include "bundler/plan.h"
#include "common/cleanup.h"
#include "common/err.h"
#include "common/format.h"
#include "common/fs.h"
#include "common/nametable.h"
#include "common/proc.h"
#include "common/xalloc.h"
#include "tests/unit/scratch.h"

enum { LARGE = 300 << 10, MANY = 600, OFFSET = 8192, FUZZ_ROUNDS = 90, ENTRIES = MANY + 14 };

/* A damaged inode may ask for more memory than there is: libsquashfs reports that as an error, and
 * AddressSanitizer must let it. */
const char *__asan_default_options(void);
const char *__asan_default_options(void)
{
    return "allocator_may_return_null=1";
}

static char large[LARGE]; /* three blocks, the last one a fragment; does not compress well */

static void fill_plan(struct plan *plan)
{
    struct plan_origin origin = {PLAN_PART_APP, "test"};
    struct err err = {0};

    plan_init(plan);
    assert_true(plan_add_data(plan, "AppRun", 0755, "#!", 2, origin, &err));
    assert_true(plan_add_data(plan, "empty", 0644, "", 0, origin, &err));
    assert_true(plan_add_data(plan, "data/large", 0644, large, sizeof(large), origin, &err));
    assert_true(plan_add_data(plan, "data/twin", 0644, large, sizeof(large), origin, &err));
    assert_true(plan_add_file(plan, "data/source", "source", origin, &err));
    assert_true(plan_add_data(plan, "a/b", 0644, "1", 1, origin, &err));
    assert_true(plan_add_data(plan, "a-b", 0644, "2", 1, origin, &err));
    assert_true(plan_add_data(plan, "a.b", 0644, "3", 1, origin, &err));
    assert_true(plan_add_dir(plan, "nothing", origin, &err));
    assert_true(plan_add_symlink(plan, "lib/libz.so.1", "../data/large", origin, &err));
    for (int i = 0; i < MANY; i++) {
        cleanup_free char *path = xasprintf("many/file-%d", i);

        assert_true(plan_add_data(plan, path, 0644, path, strlen(path), origin, &err));
    }
    plan_sort(plan);
}

static uint64_t write_image(const char *path, unsigned int workers, uint64_t offset)
{
    struct image_options options = {.level = 3, .workers = workers, .mtime = 1};
    struct plan plan;
    struct err err = {0};
    uint64_t size = 0;
    cleanup_fd int fd = open(path, O_RDWR | O_CREAT | O_TRUNC | O_CLOEXEC, 0600);

    fill_plan(&plan);
    assert_true(image_write(&plan, fd, offset, &options, &size, &err));
    assert_int_equal(size % 4096, 0);
    plan_release(&plan);
    return size;
}

static int prepare(void **state)
{
    uint32_t x = 1;

    if (scratch_enter(state) != 0)
        return -1;
    for (size_t i = 0; i < sizeof(large); i++) {
        x = x * 1664525 + 1013904223;
        large[i] = (char)(x >> 27);
    }
    scratch_write("source", large, 5000);
    return 0;
}

static void assert_content(struct image *image, const char *path, const void *want, size_t size)
{
    cleanup_free char *got = NULL;
    size_t got_size = 0;
    struct err err = {0};

    assert_true(image_read(image, path, LARGE, &got, &got_size, &err));
    assert_int_equal(got_size, size);
    assert_memory_equal(got, want, size);
    assert_int_equal(got[size], '\0');
}

static struct image *open_written(const char *path, int *ret_fd)
{
    uint64_t size = write_image(path, 2, OFFSET);
    struct image *image = NULL;
    struct err err = {0};

    *ret_fd = open(path, O_RDONLY | O_CLOEXEC);
    assert_true(image_open(&image, *ret_fd, OFFSET, size, &err));
    return image;
}

static void files_are_read_back_as_written(void **state)
{
    cleanup_fd int fd = -1;
    struct image *image = open_written("image", &fd);
    struct err err = {0};

    (void)state;
    assert_content(image, "AppRun", "#!", 2);
    assert_content(image, "empty", "", 0);
    assert_content(image, "data/large", large, sizeof(large));
    assert_content(image, "data/twin", large, sizeof(large));
    assert_content(image, "data/source", large, 5000);
    assert_content(image, "a/b", "1", 1);
    assert_content(image, "a-b", "2", 1);
    assert_content(image, "a.b", "3", 1);
    assert_content(image, "many/file-0", "many/file-0", 11);
    assert_content(image, "many/file-599", "many/file-599", 13);
    assert_true(image_check(image, &err));
    image_free(image);
    image_free(NULL);
}

static void assert_unreadable(struct image *image, const char *path, size_t max)
{
    char *data = NULL;
    size_t size;
    struct err err = {0};

    assert_false(image_read(image, path, max, &data, &size, &err));
    assert_string_equal(err.id, "E-IMAGE");
    assert_null(data);
}

static void what_is_no_file_or_too_large_is_not_read(void **state)
{
    cleanup_fd int fd = -1;
    struct image *image = open_written("image", &fd);

    (void)state;
    assert_unreadable(image, "absent", LARGE);
    assert_unreadable(image, "many", LARGE);
    assert_unreadable(image, "", LARGE);
    assert_unreadable(image, "lib/libz.so.1", LARGE);
    assert_unreadable(image, "AppRun/x", LARGE);
    assert_unreadable(image, "../source", LARGE);
    assert_unreadable(image, "data/large", LARGE - 1);
    image_free(image);
}

struct tally {
    size_t nodes;
    size_t in_many;
    char last[64];
};

static bool count_node(const struct image_node *node, void *context, struct err *err)
{
    struct tally *tally = context;

    (void)err;
    tally->nodes++;
    tally->in_many += strncmp(node->path, "many/", 5) == 0;
    if (strcmp(node->path, "lib/libz.so.1") == 0)
        assert_string_equal(node->target, "../data/large");
    else
        assert_null(node->target);
    if (strcmp(node->path, "AppRun") == 0)
        assert_int_equal(node->mode, S_IFREG | 0755);
    if (strcmp(node->path, "nothing") == 0)
        assert_int_equal(node->mode, S_IFDIR | 0755);
    if (strcmp(node->path, "data/large") == 0)
        assert_int_equal(node->size_bytes, LARGE);
    (void)snprintf(tally->last, sizeof(tally->last), "%s", node->path);
    return true;
}

static bool stop(const struct image_node *node, void *context, struct err *err)
{
    size_t *count = context;

    (void)node;
    (*count)++;
    return err_set(err, ERR_INPUT, "enough");
}

static void each_visits_every_node_once(void **state)
{
    cleanup_fd int fd = -1;
    struct image *image = open_written("image", &fd);
    struct tally tally = {0};
    size_t visits = 0;
    struct err err = {0};

    (void)state;
    assert_true(image_each(image, count_node, &tally, &err));
    assert_int_equal(tally.in_many, MANY);
    assert_int_equal(tally.nodes, ENTRIES);
    assert_string_equal(tally.last, "nothing");
    assert_false(image_each(image, stop, &visits, &err));
    assert_int_equal(visits, 1);
    assert_string_equal(err.msg, "enough");
    image_free(image);
}

static void assert_same_files(const char *a, const char *b)
{
    cleanup_free char *left = NULL;
    cleanup_free char *right = NULL;
    size_t left_size = 0;
    size_t right_size = 0;
    struct err err = {0};

    assert_true(fs_read_file(a, 64 << 20, &left, &left_size, &err));
    assert_true(fs_read_file(b, 64 << 20, &right, &right_size, &err));
    assert_int_equal(left_size, right_size);
    assert_memory_equal(left, right, left_size);
}

static void any_number_of_workers_gives_the_same_bytes(void **state)
{
    (void)state;
    (void)write_image("one", 1, 0);
    (void)write_image("four", 4, 0);
    (void)write_image("again", 4, 0);
    assert_same_files("one", "four");
    assert_same_files("four", "again");
}

static void extraction_gives_the_files_back(void **state)
{
    cleanup_fd int fd = -1;
    cleanup_fd int dir = -1;
    struct image *image = open_written("image", &fd);
    struct err err = {0};
    struct stat st;
    char target[64] = {0};

    (void)state;
    assert_int_equal(mkdir("out", 0755), 0);
    dir = open("out", O_RDONLY | O_DIRECTORY | O_CLOEXEC);
    assert_true(image_extract(image, dir, &err));
    scratch_write("want", large, sizeof(large));
    assert_same_files("out/data/large", "want");
    assert_same_files("out/data/source", "source");
    assert_int_equal(stat("out/AppRun", &st), 0);
    assert_true((st.st_mode & S_IXUSR) != 0);
    assert_int_equal(stat("out/empty", &st), 0);
    assert_int_equal(st.st_size, 0);
    assert_int_equal(readlink("out/lib/libz.so.1", target, sizeof(target) - 1), 13);
    assert_string_equal(target, "../data/large");
    /* Nothing that is there is replaced. */
    assert_false(image_extract(image, dir, &err));
    image_free(image);
}

/* Another implementation of the format agrees; skipped where there is none. */
static void unsquashfs_accepts_the_image(void **state)
{
    const char *argv[] = {"unsquashfs", "-q", "-n", "-d", "other", "plain", NULL};
    struct proc_request request = {.argv = argv, .output_max_bytes = 1 << 20};
    struct proc_output output = {0};
    struct err err = {0};

    (void)state;
    (void)write_image("plain", 2, 0);
    if (!proc_capture(&request, &output, &err))
        skip();
    assert_int_equal(output.exit_code, 0);
    proc_output_release(&output);
    scratch_write("want", large, sizeof(large));
    assert_same_files("other/data/twin", "want");
    assert_same_files("other/data/source", "source");
    assert_int_equal(access("other/many/file-599", R_OK), 0);
}

enum { CROWD = 4000, HOLE = 3 << 20, LINK_LENGTH = 4000 };

/* What takes the rarer kinds of inode: a directory of more than 64 KiB, holes, a long link. */
static void fill_hard_plan(struct plan *plan)
{
    struct plan_origin origin = {PLAN_PART_APP, "test"};
    cleanup_free char *hole = xcalloc(HOLE, 1);
    cleanup_free char *target = xcalloc(LINK_LENGTH + 1, 1);
    struct err err = {0};

    plan_init(plan);
    memset(target, 'x', LINK_LENGTH);
    memcpy(hole + HOLE / 2, "middle", 6);
    assert_true(plan_add_symlink(plan, "long", target, origin, &err));
    assert_true(plan_add_data(plan, "holes", 0644, hole, HOLE, origin, &err));
    assert_true(plan_add_data(plan, "zeros", 0644, hole, 1000, origin, &err));
    assert_true(plan_add_data(plan, "void", 0644, hole, HOLE / 4, origin, &err));
    for (int i = 0; i < CROWD; i++) {
        cleanup_free char *path = xasprintf("crowd/a-name-of-some-length-%d/x", i);

        assert_true(plan_add_data(plan, path, 0755, path, strlen(path), origin, &err));
    }
}

static uint64_t write_plan(const char *path, const struct plan *plan)
{
    struct image_options options = {.level = 3, .mtime = 1};
    struct err err = {0};
    uint64_t size = 0;
    cleanup_fd int fd = open(path, O_RDWR | O_CREAT | O_TRUNC | O_CLOEXEC, 0600);

    if (!image_write(plan, fd, 0, &options, &size, &err))
        fail_msg("%s", err.msg);
    return size;
}

static void assert_crowd(const char *dir)
{
    for (int i = 0; i < CROWD; i++) {
        cleanup_free char *path = xasprintf("%s/crowd/a-name-of-some-length-%d/x", dir, i);

        if (access(path, X_OK) != 0)
            fail_msg("%s: %s", path, strerror(errno));
    }
}

static void assert_hard_tree(const char *dir)
{
    cleanup_free char *holes = xasprintf("%s/holes", dir);
    cleanup_free char *link = xasprintf("%s/long", dir);
    cleanup_free char *data = NULL;
    char target[LINK_LENGTH + 2];
    size_t size = 0;
    struct err err = {0};

    assert_crowd(dir);
    assert_true(fs_read_file(holes, HOLE, &data, &size, &err));
    assert_int_equal(size, HOLE);
    assert_memory_equal(data + HOLE / 2, "middle", 6);
    assert_int_equal(data[0], 0);
    assert_int_equal(data[HOLE - 1], 0);
    assert_int_equal(readlink(link, target, sizeof(target)), LINK_LENGTH);
}

static void rare_inodes_are_read_back(void **state)
{
    struct image *image = NULL;
    struct plan plan;
    struct err err = {0};
    uint64_t size;
    cleanup_fd int fd = -1;
    cleanup_fd int dir = -1;

    (void)state;
    fill_hard_plan(&plan);
    size = write_plan("hard", &plan);
    plan_release(&plan);
    fd = open("hard", O_RDONLY | O_CLOEXEC);
    assert_true(image_open(&image, fd, 0, size, &err));
    assert_true(image_check(image, &err));
    assert_int_equal(mkdir("hard-out", 0755), 0);
    dir = open("hard-out", O_RDONLY | O_DIRECTORY | O_CLOEXEC);
    assert_true(image_extract(image, dir, &err));
    image_free(image);
    assert_hard_tree("hard-out");
}

/* Returns whether the program ran and ended well. */
static bool runs(const char *const argv[])
{
    struct proc_request request = {.argv = (const char **)(uintptr_t)argv,
                                   .output_max_bytes = 1 << 20};
    struct proc_output output = {0};
    struct err err = {0};
    bool ok = proc_capture(&request, &output, &err) && output.exit_code == 0;

    proc_output_release(&output);
    return ok;
}

/* Needs root and a loop device; elsewhere the end-to-end tests mount images. */
static void the_kernel_accepts_the_image(void **state)
{
    const char *const argv[] = {"mount", "-t", "squashfs", "-o", "loop,ro", "hard", "mnt", NULL};
    struct plan plan;
    struct stat root;
    struct stat crowd;

    (void)state;
    fill_hard_plan(&plan);
    (void)write_plan("hard", &plan);
    plan_release(&plan);
    assert_int_equal(mkdir("mnt", 0755), 0);
    if (unshare(CLONE_NEWNS) != 0 || mount("none", "/", "none", MS_REC | MS_PRIVATE, NULL) != 0 ||
        !runs(argv))
        skip();
    assert_hard_tree("mnt");
    assert_int_equal(stat("mnt", &root), 0);
    assert_int_equal(stat("mnt/crowd", &crowd), 0);
    assert_int_equal(umount("mnt"), 0);
    assert_int_equal(root.st_nlink, 3);
    assert_int_equal(crowd.st_nlink, CROWD + 2);
    assert_int_equal(crowd.st_mtime, 1);
    assert_int_equal(crowd.st_uid, 0);
}

enum { WIDE = 9000, WIDE_DIRS = 40 };

/* A name table of several blocks, and directories of several headers. */
static void fill_wide_plan(struct plan *plan)
{
    struct plan_origin origin = {PLAN_PART_APP, "test"};
    struct err err = {0};

    fill_plan(plan);
    for (int i = 0; i < WIDE; i++) {
        cleanup_free char *path =
            xasprintf("wide/%d/a-name-that-is-not-short-%d", i % WIDE_DIRS * i % WIDE_DIRS, i);

        assert_true(plan_add_data(plan, path, 0644, path, strlen(path), origin, &err));
    }
    assert_true(plan_add_symlink(plan, "out", "../state", origin, &err));
    assert_true(plan_add_data(plan, FORMAT_NAMES, 0644, "", 0, origin, &err));
    plan_sort(plan);
}

static void write_named(const char *path, unsigned int workers, const struct plan *plan)
{
    struct image_options options = {
        .level = 1, .workers = workers, .mtime = 1, .names = FORMAT_NAMES};
    struct err err = {0};
    uint64_t size = 0;
    cleanup_fd int fd = open(path, O_RDWR | O_CREAT | O_TRUNC | O_CLOEXEC, 0600);

    if (!image_write(plan, fd, 0, &options, &size, &err))
        fail_msg("%s", err.msg);
}

static void assert_entry(const char *table, uint32_t index, const char *path)
{
    const struct nametable_header *header = (const struct nametable_header *)(const void *)table;
    const struct nametable_entry *entry =
        (const struct nametable_entry *)(const void *)(table + sizeof(*header)) + index;
    char target[64];
    struct stat st;

    assert_int_equal(lstat(path, &st), 0);
    assert_int_equal(st.st_ino, index + 1);
    assert_int_equal(st.st_mode, entry->mode);
    assert_int_equal(st.st_size, entry->size);
    assert_int_equal(st.st_nlink, S_ISDIR(st.st_mode) ? entry->extra : 1);
    assert_int_equal(st.st_mtime, header->mtime);
    if (!S_ISLNK(st.st_mode))
        return;
    assert_int_equal(readlink(path, target, sizeof(target)), st.st_size);
    assert_memory_equal(target, table + nametable_strings_at(header) + entry->extra,
                        (size_t)st.st_size);
}

static void the_name_table_says_what_the_kernel_does(void **state)
{
    const char *const argv[] = {"mount", "-t", "squashfs", "-o", "loop,ro", "named", "mnt2", NULL};
    cleanup_free char *table = NULL;
    struct plan plan;
    struct err err = {0};
    size_t size;

    (void)state;
    fill_wide_plan(&plan);
    write_named("named", 1, &plan);
    write_named("named-4", 4, &plan);
    assert_same_files("named", "named-4");
    assert_int_equal(mkdir("mnt2", 0755), 0);
    if (unshare(CLONE_NEWNS) != 0 || mount("none", "/", "none", MS_REC | MS_PRIVATE, NULL) != 0 ||
        !runs(argv)) {
        plan_release(&plan);
        skip();
    }
    assert_true(fs_read_file("mnt2/" FORMAT_NAMES, 64 << 20, &table, &size, &err));
    assert_true(size > 512 << 10);
    assert_true(nametable_is_valid((const struct nametable_header *)(const void *)table, size));
    for (uint32_t i = 0; i < plan.count; i++) {
        cleanup_free char *path = xasprintf("mnt2/%s", plan.entries[i]->path);

        assert_entry(table, i, path);
    }
    plan_release(&plan);
    assert_int_equal(umount("mnt2"), 0);
}

static int backwards(const void *a, const void *b)
{
    const struct plan_entry *const *left = a;
    const struct plan_entry *const *right = b;

    return plan_path_compare((*right)->path, (*left)->path);
}

/* Contents lie as the plan says: in an image that is ordered for a boot, not by name. */
static void the_tree_does_not_depend_on_the_order_of_files(void **state)
{
    struct image *image = NULL;
    struct tally tally = {0};
    struct plan plan;
    struct err err = {0};
    uint64_t size;
    cleanup_fd int fd = -1;

    (void)state;
    fill_plan(&plan);
    qsort(plan.entries, plan.count, sizeof(plan.entries[0]), backwards);
    size = write_plan("backwards", &plan);
    plan_release(&plan);
    fd = open("backwards", O_RDONLY | O_CLOEXEC);
    assert_true(image_open(&image, fd, 0, size, &err));
    assert_true(image_each(image, count_node, &tally, &err));
    assert_int_equal(tally.nodes, ENTRIES);
    assert_content(image, "data/large", large, sizeof(large));
    assert_content(image, "many/file-0", "many/file-0", 11);
    image_free(image);
}

static void a_full_disk_is_named(void **state)
{
    struct image_options options = {.level = 1, .workers = 2};
    struct plan plan;
    struct err err = {0};
    uint64_t size;
    cleanup_fd int fd = open("/dev/full", O_RDWR | O_CLOEXEC);

    (void)state;
    fill_plan(&plan);
    assert_false(image_write(&plan, fd, 0, &options, &size, &err));
    assert_int_equal(err.kind, ERR_SYSTEM);
    assert_int_equal(err.sys_errno, ENOSPC);
    plan_release(&plan);
}

static atomic_int compressed; /* blocks */
static atomic_int failing;    /* from this block on there is no memory; 0: there is */

/* libsquashfs finds this one, instead of that of the library. */
size_t ZSTD_compressCCtx(ZSTD_CCtx *context, void *out, size_t room, const void *in, size_t size,
                         int level)
{
    typedef size_t compress(ZSTD_CCtx *, void *, size_t, const void *, size_t, int);
    compress *real = (compress *)(uintptr_t)dlsym(RTLD_NEXT, "ZSTD_compressCCtx");

    if (atomic_fetch_add(&compressed, 1) + 1 >= atomic_load(&failing) && failing > 0)
        return (size_t)-ZSTD_error_memory_allocation;
    return real(context, out, room, in, size, level);
}

/* By a child: it ends. */
static void a_compressor_without_memory_ends_it(void **state)
{
    int count;

    (void)state;
    atomic_store(&compressed, 0);
    (void)write_image("rich", 2, 0);
    count = atomic_load(&compressed);
    assert_true(count >= 4);
    for (int first = 1; first <= count; first++) {
        int status = 0;
        pid_t child = fork();

        assert_true(child >= 0);
        if (child == 0) {
            (void)alarm(20);
            (void)!freopen("/dev/null", "w", stderr);
            atomic_store(&compressed, 0);
            atomic_store(&failing, first);
            (void)write_image("poor", 1 + (unsigned int)first % 3, 0);
            _exit(0);
        }
        assert_int_equal(waitpid(child, &status, 0), child);
        assert_true(WIFEXITED(status));
        assert_int_equal(WEXITSTATUS(status), 1);
    }
}

/* What is said of a plan that cannot be written. */
static struct err refusal_of(const struct plan *plan)
{
    struct image_options options = {.level = 1, .workers = 1};
    struct err err = {0};
    uint64_t size;
    cleanup_fd int fd = open("refused", O_RDWR | O_CREAT | O_CLOEXEC, 0600);

    assert_false(image_write(plan, fd, 0, &options, &size, &err));
    return err;
}

static void an_absent_source_is_named(void **state)
{
    struct plan_origin origin = {PLAN_PART_APP, "test"};
    struct plan plan;
    struct err err = {0};

    (void)state;
    plan_init(&plan);
    assert_non_null(strstr(refusal_of(&plan).msg, "nothing to pack"));
    scratch_write("vanishing", "x", 1);
    assert_true(plan_add_file(&plan, "vanishing", "vanishing", origin, &err));
    assert_int_equal(unlink("vanishing"), 0);
    err = refusal_of(&plan);
    assert_non_null(strstr(err.msg, "'vanishing'"));
    assert_int_equal(err.sys_errno, ENOENT);
    plan_release(&plan);
}

static void a_source_that_changed_is_refused(void **state)
{
    struct plan_origin origin = {PLAN_PART_APP, "test"};
    struct plan plan;
    struct err err = {0};

    (void)state;
    plan_init(&plan);
    scratch_write("changing", "before", 6);
    assert_true(plan_add_file(&plan, "changing", "changing", origin, &err));
    plan_sort(&plan);
    scratch_write("changing", "longer", 7);
    assert_non_null(strstr(refusal_of(&plan).msg, "changed while"));
    scratch_write("changing", "less", 4);
    assert_non_null(strstr(refusal_of(&plan).msg, "changed while"));
    plan_release(&plan);
}

static bool ignore_node(const struct image_node *node, void *context, struct err *err)
{
    (void)node;
    (void)context;
    (void)err;
    return true;
}

/* Whatever an image says, the four ways to read it end, with or without an error. */
static bool survive(const char *bytes, size_t size)
{
    struct image *image = NULL;
    struct err err = {0};
    cleanup_free char *data = NULL;
    size_t data_size;
    cleanup_fd int fd = -1;
    cleanup_fd int dir = -1;
    bool ok;

    scratch_write("damaged", bytes, size);
    fd = open("damaged", O_RDONLY | O_CLOEXEC);
    if (!image_open(&image, fd, 0, size, &err)) {
        assert_string_equal(err.id, "E-IMAGE");
        return false;
    }
    assert_true(fs_remove_tree(AT_FDCWD, "target", &err));
    assert_int_equal(mkdir("target", 0700), 0);
    dir = open("target", O_RDONLY | O_DIRECTORY | O_CLOEXEC);
    ok = image_check(image, &err);
    ok = image_each(image, ignore_node, NULL, &err) && ok;
    ok = image_read(image, "data/large", LARGE, &data, &data_size, &err) && ok;
    ok = image_extract(image, dir, &err) && ok;
    image_free(image);
    return ok;
}

/* A third each: superblock, tables at the end, anywhere. */
static void damage(char *bytes, size_t size, int round)
{
    size_t at = (size_t)random();

    at = round % 3 == 0 ? at % 96 : round % 3 == 1 ? size - 1 - at % (32 << 10) : at % size;
    bytes[at] = (char)(bytes[at] ^ (1 + random() % 255));
}

static void survive_damage(const char *good, size_t size)
{
    cleanup_free char *copy = xcalloc(size, 1);

    assert_true(survive(good, size));
    srandom(7);
    (void)alarm(240); /* a reader that hangs fails the test */
    for (int round = 0; round < FUZZ_ROUNDS; round++) {
        memcpy(copy, good, size);
        for (int i = 0; i <= round % 4; i++)
            damage(copy, size, round);
        (void)survive(copy, size);
    }
    (void)alarm(0);
}

static void damaged_images_end_in_an_error(void **state)
{
    cleanup_free char *good = NULL;
    size_t size = 0;
    struct err err = {0};

    (void)state;
    (void)write_image("whole", 1, 0);
    assert_true(fs_read_file("whole", 64 << 20, &good, &size, &err));
    survive_damage(good, size);
    for (size_t cut = 0; cut < size; cut += 1 + size / 40)
        assert_false(survive(good, cut));
}

/* Without compression the damage reaches inodes and directories instead of the decompressor. */
static void damaged_inodes_end_in_an_error(void **state)
{
    const char *argv[] = {"mksquashfs", "tree",        "bare",       "-quiet", "-no-progress",
                          "-noI",       "-noF",        "-no-xattrs", "-comp",  "zstd",
                          "-noappend",  "-no-exports", NULL};
    struct proc_request request = {.argv = argv, .output_max_bytes = 1 << 20};
    struct proc_output output = {0};
    cleanup_free char *good = NULL;
    size_t size = 0;
    struct err err = {0};

    (void)state;
    assert_true(fs_mkdir_p("tree/data/deep/er", 0755, &err));
    scratch_write("tree/data/large", large, sizeof(large));
    scratch_write("tree/data/deep/er/file", "x", 1);
    assert_int_equal(symlink("../data", "tree/data/deep/link"), 0);
    for (int i = 0; i < 40; i++) {
        cleanup_free char *path = xasprintf("tree/data/deep/file-%d", i);

        scratch_write(path, path, strlen(path));
    }
    if (!proc_capture(&request, &output, &err))
        skip();
    assert_int_equal(output.exit_code, 0);
    proc_output_release(&output);
    assert_true(fs_read_file("bare", 64 << 20, &good, &size, &err));
    survive_damage(good, size);
}

static void assert_claims_too_much(const char *path)
{
    struct image *image = NULL;
    struct stat st;
    struct err err = {0};
    cleanup_fd int fd = open(path, O_RDONLY | O_CLOEXEC);

    assert_int_equal(fstat(fd, &st), 0);
    assert_true(image_open(&image, fd, 0, (uint64_t)st.st_size, &err));
    assert_false(image_check(image, &err));
    image_free(image);
    assert_string_equal(err.id, "E-IMAGE");
    if (strstr(err.msg, "claims to hold more") == NULL)
        fail_msg("%s", err.msg);
}

static bool make_squashfs(const char *tree, const char *path)
{
    const char *const argv[] = {"mksquashfs", tree,    path,   "-quiet", "-no-progress", "-noI",
                                "-noappend",  "-comp", "zstd", "-b",     "1M",           NULL};

    return runs(argv);
}

/* More names than inodes: a small image could make a reader remember a thousand times its size. */
static void hard_links_are_refused(void **state)
{
    struct err err = {0};

    (void)state;
    assert_true(fs_mkdir_p("linked", 0755, &err));
    scratch_write("linked/a", "x", 1);
    assert_int_equal(link("linked/a", "linked/b"), 0);
    assert_int_equal(link("linked/a", "linked/c"), 0);
    if (!make_squashfs("linked", "linked.image"))
        skip();
    assert_claims_too_much("linked.image");
}

/*
 * A file of one hole, whose size is raised to more than a terabyte: the sizes of its blocks are
 * then whatever follows its inode, here the targets of long symlinks.
 */
static void terabytes_of_nothing_are_refused(void **state)
{
    static const uint64_t honest = ((uint64_t)1 << 22) + 1;
    static const uint64_t claimed = ((uint64_t)1 << 40) + 1;
    char target[LINK_LENGTH + 1] = {0};
    cleanup_free char *bytes = NULL;
    size_t size = 0;
    char *found;
    struct err err = {0};

    (void)state;
    assert_true(fs_mkdir_p("sparse", 0755, &err));
    scratch_write("sparse/a", "", 0);
    assert_int_equal(truncate("sparse/a", (off_t)honest), 0);
    memset(target, 'x', LINK_LENGTH);
    for (int i = 0; i < 1100; i++) {
        cleanup_free char *link = xasprintf("sparse/b%d", i);

        assert_int_equal(symlink(target, link), 0);
    }
    if (!make_squashfs("sparse", "sparse.image"))
        skip();
    assert_true(fs_read_file("sparse.image", 64 << 20, &bytes, &size, &err));
    found = memmem(bytes, size, &honest, sizeof(honest));
    assert_non_null(found);
    memcpy(found, &claimed, sizeof(claimed));
    scratch_write("sparse.image", bytes, size);
    assert_claims_too_much("sparse.image");
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(files_are_read_back_as_written),
        cmocka_unit_test(what_is_no_file_or_too_large_is_not_read),
        cmocka_unit_test(each_visits_every_node_once),
        cmocka_unit_test(any_number_of_workers_gives_the_same_bytes),
        cmocka_unit_test(extraction_gives_the_files_back),
        cmocka_unit_test(unsquashfs_accepts_the_image),
        cmocka_unit_test(rare_inodes_are_read_back),
        cmocka_unit_test(the_kernel_accepts_the_image),
        cmocka_unit_test(the_name_table_says_what_the_kernel_does),
        cmocka_unit_test(the_tree_does_not_depend_on_the_order_of_files),
        cmocka_unit_test(a_full_disk_is_named),
        cmocka_unit_test(a_compressor_without_memory_ends_it),
        cmocka_unit_test(an_absent_source_is_named),
        cmocka_unit_test(a_source_that_changed_is_refused),
        cmocka_unit_test(damaged_images_end_in_an_error),
        cmocka_unit_test(damaged_inodes_end_in_an_error),
        cmocka_unit_test(hard_links_are_refused),
        cmocka_unit_test(terabytes_of_nothing_are_refused),
    };

    return cmocka_run_group_tests(tests, prepare, scratch_leave);
}
