/* SPDX-License-Identifier: MIT */
/* Mirrors loader.c. Cases: asked and read give the same · interpreters that are refused · caches,
 * good and damaged · a hermetic copy, run. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>
#include <sys/stat.h>

#include "bundler/elf.h"
#include "bundler/loader.h"
#include "common/err.h"
#include "fixture.h"

static void open_loader(struct loader *loader, struct elf *program)
{
    struct err err = {0};

    MUST("echo \"int main(void){return 0;}\" > m.c && cc -o prog m.c");
    if (!elf_open(program, at("prog"), &err) || !loader_open(loader, program, &err))
        fail_msg("%s", err.msg);
}

static void asking_and_reading_agree(void **state)
{
    struct loader asked = {0};
    struct loader read = {0};
    struct elf program = {0};
    struct err err = {0};

    (void)state;
    open_loader(&asked, &program);
    assert_string_equal(asked.path, program.interp);
    assert_int_equal(asked.glibc_major, 2);
    assert_true(asked.glibc_minor > 10);
    assert_true(asked.default_dir_count > 0);
    assert_true(asked.cache_count > 0);
    assert_non_null(loader_cache_find(&asked, "libc.so.6"));
    assert_null(loader_cache_find(&asked, "libnone.so.6"));
    if (!loader_from_bytes(&read, program.interp, &err))
        fail_msg("%s", err.msg);
    assert_int_equal(read.default_dir_count, asked.default_dir_count);
    for (size_t i = 0; i < read.default_dir_count; i++)
        assert_string_equal(read.default_dirs[i], asked.default_dirs[i]);
    assert_string_equal(read.lib, asked.lib);
    assert_string_equal(read.cache_path, asked.cache_path);
    assert_int_equal(read.glibc_minor, asked.glibc_minor);
    assert_string_equal(read.soname, asked.soname);
    loader_release(&read);
    loader_release(&asked);
    loader_release(NULL);
    elf_release(&program);
}

/* glibc before 2.33: no --list-diagnostics, no version text; the file is called by its version. */
static void an_old_loader_is_read(void **state)
{
    struct loader loader = {0};
    struct loader old = {0};
    struct elf program = {0};
    struct err err = {0};
    size_t size;
    char *bytes;

    (void)state;
    open_loader(&loader, &program);
    bytes = slurp(loader.path, &size);
    for (char *text = bytes;
         (text = memmem(text, size - (size_t)(text - bytes), "stable release", 14)) != NULL;)
        memset(text, 'x', 14);
    spill(at("ld-2.31.so"), bytes, size);
    free(bytes);
    MUST("ln -s ld-2.31.so ld-linux.so.2"); /* not executable: it cannot be asked */
    free(program.interp);
    program.interp = strdup(at("ld-linux.so.2"));
    if (!loader_open(&old, &program, &err))
        fail_msg("%s", err.msg);
    assert_int_equal(old.glibc_major, 2);
    assert_int_equal(old.glibc_minor, 31);
    assert_string_equal(old.default_dirs[0], loader.default_dirs[0]);
    assert_non_null(loader_cache_find(&old, "libc.so.6"));
    loader_release(&old);
    loader_release(&loader);
    elf_release(&program);
}

static void assert_refused(const char *interp, const char *id)
{
    struct elf program = {.path = (char *)(uintptr_t) "prog", .interp = (char *)(uintptr_t)interp};
    struct loader loader = {0};
    struct err err = {0};

    assert_false(loader_open(&loader, &program, &err));
    assert_string_equal(err.id, id);
    assert_null(loader.path);
}

static void other_interpreters_are_refused(void **state)
{
    (void)state;
    MUST("echo \"int main(void){return 1;}\" > m.c && cc -o prog m.c && mkfifo fifo");
    assert_refused(NULL, "E-STATIC");
    assert_refused("/lib/ld-musl-x86_64.so.1", "E-LIBC");
    assert_refused("lib/ld.so", "E-LIBC");
    assert_refused(at("prog"), "E-LIBC");
    assert_refused(at("fifo"), "E-ELF");
    assert_refused(at("none"), "E-ELF");
}

static void a_cache_of_our_own_is_read(void **state)
{
    struct loader loader = {0};
    struct elf program = {0};

    (void)state;
    open_loader(&loader, &program);
    MUST("mkdir d; $LIB -Wl,-soname,libq.so.7 -o d/libq-1.2.so -xc /dev/null");
    MUST("$LIB -Wl,-soname,libl.so.1 -o d/libl.so.1 -xc /dev/null");
    MUST("pwd | sed s,\\$,/d, > conf");
    if (shell("PATH=$PATH:/sbin:/usr/sbin ldconfig -C new -f conf 2>/dev/null") != 0 ||
        shell("PATH=$PATH:/sbin:/usr/sbin ldconfig -c compat -C old -f conf 2>/dev/null") != 0)
        skip();
    /* known by its soname, which is a link that ldconfig made; not by its file name */
    for (int i = 0; i < 2; i++) {
        loader_read_cache(&loader, &program, at(i == 0 ? "new" : "old"));
        assert_non_null(loader_cache_find(&loader, "libq.so.7"));
        assert_string_equal(loader_cache_find(&loader, "libl.so.1"), at("d/libl.so.1"));
        assert_null(loader_cache_find(&loader, "libq-1.2.so"));
    }
    /* a directory is searched only through the cache: later files wait for the next ldconfig */
    MUST("$LIB -Wl,-soname,libn.so.1 -o d/libn.so.1 -xc /dev/null");
    loader_read_cache(&loader, &program, at("new"));
    assert_null(loader_cache_find(&loader, "libn.so.1"));
    loader_release(&loader);
    elf_release(&program);
}

/* What is chosen for a processor is never chosen for a bundle; and damage anywhere is survived. */
static void variants_of_a_cache_are_for_this_machine(void **state)
{
    struct loader loader = {0};
    struct elf program = {0};
    uint32_t random = 0xca95;
    const char *best;
    char *good;
    size_t size;

    (void)state;
    open_loader(&loader, &program);
    if (loader.variant_count == 0 || strncmp(loader.variants[0], "glibc-hwcaps/", 13) != 0)
        skip();
    MUST("mkdir -p d/%s; $LIB -Wl,-soname,libv.so.1 -o d/libv.so.1 -xc /dev/null; "
         "cp d/libv.so.1 d/%s; mkdir -p d/glibc-hwcaps/other; cp d/libv.so.1 d/glibc-hwcaps/other",
         loader.variants[0], loader.variants[0]);
    MUST("pwd | sed s,\\$,/d, > conf");
    if (shell("PATH=$PATH:/sbin:/usr/sbin ldconfig -X -C new -f conf 2>/dev/null") != 0)
        skip();
    loader_read_cache(&loader, &program, at("new"));
    assert_string_equal(loader_cache_find(&loader, "libv.so.1"), at("d/libv.so.1"));
    best = loader_cache_find_here(&loader, "libv.so.1", NULL);
    assert_non_null(best);
    assert_non_null(strstr(best, loader.variants[0]));
    good = slurp(at("new"), &size);
    for (int round = 0; round < 500; round++) {
        char *bytes = malloc(size);

        assert_non_null(bytes);
        memcpy(bytes, good, size);
        for (int i = 0; i < 3; i++) {
            random = random * 1103515245u + 12345u;
            bytes[(random >> 8) % size] = (char)(random >> 20);
        }
        spill(at("bad"), bytes, size);
        free(bytes);
        loader_read_cache(&loader, &program, at("bad"));
        best = loader_cache_find_here(&loader, "libv.so.1", NULL);
        assert_true(best == NULL || best[0] == '/');
    }
    free(good);
    loader_release(&loader);
    elf_release(&program);
}

static void a_damaged_cache_is_empty(void **state)
{
    struct loader loader = {0};
    struct elf program = {0};
    uint32_t random = 0xcac4e;
    char *good;
    size_t size;

    (void)state;
    open_loader(&loader, &program);
    good = slurp(loader.cache_path, &size);
    MUST(": > empty; echo text > text; head -c 30 /etc/ld.so.cache > cut; mkfifo fifo");
    for (int i = 0; i < 5; i++) {
        static const char *const names[] = {"empty", "text", "cut", "fifo", "none"};

        loader_read_cache(&loader, &program, at(names[i]));
        assert_int_equal(loader.cache_count, 0);
        assert_null(loader_cache_find(&loader, "libc.so.6"));
    }
    for (int round = 0; round < 300; round++) {
        char *bytes = malloc(size);

        assert_non_null(bytes);
        memcpy(bytes, good, size);
        for (int i = 0; i < 8; i++) {
            random = random * 1103515245u + 12345u;
            bytes[(random >> 8) % (i < 2 ? 48 : 4800 < size ? 4800 : size)] = (char)(random >> 3);
        }
        spill(at("random"), bytes, size - (size_t)round % size);
        free(bytes);
        loader_read_cache(&loader, &program, at("random"));
        (void)loader_cache_find(&loader, "libc.so.6");
    }
    free(good);
    loader_release(&loader);
    elf_release(&program);
}

static void make_hermetic_copy(const struct loader *loader)
{
    struct err err = {0};
    size_t size;
    char *bytes = slurp(loader->path, &size);

    if (!loader_make_hermetic(loader, bytes, size, &err))
        fail_msg("%s", err.msg);
    spill(at("ld.so"), bytes, size);
    assert_int_equal(chmod(at("ld.so"), 0755), 0);
    /* twice: there is nothing left to hide, so it must say so */
    assert_false(loader_make_hermetic(loader, bytes, size, &err));
    assert_string_equal(err.id, "E-LIBC");
    free(bytes);
}

static void a_hermetic_copy_never_finds_the_hosts_files(void **state)
{
    struct loader loader = {0};
    struct elf program = {0};

    (void)state;
    open_loader(&loader, &program);
    make_hermetic_copy(&loader);
    MUST("mkdir empty full; cp \"%s\" full/", loader_cache_find(&loader, "libc.so.6"));
    /* the host's loader has what the copy must not have */
    MUST("%s --inhibit-cache --library-path empty ./prog", loader.path);
    assert_int_equal(shell("./ld.so --library-path empty ./prog 2>err"), 127);
    MUST("grep -q \"libc.so.6: cannot open shared object file\" err");
    assert_int_equal(shell("./ld.so --inhibit-cache --library-path empty ./prog 2>err"), 127);
    MUST("./ld.so --inhibit-cache --library-path full ./prog");
    MUST("./ld.so --library-path full ./prog");
    MUST("! strings -a ld.so | grep -E \"^(/usr)?/lib(64)?/|^/etc/ld\" | grep -v ld-linux");
    if (shell("./ld.so --list-diagnostics > diagnostics") == 0) {
        MUST("grep -q \"path.system_dirs.0x0.=.*/[.]no/\" diagnostics");
        MUST("! grep path.system_dirs diagnostics | grep -v \"=.*/[.]no/*.$\"");
    }
    loader_release(&loader);
    elf_release(&program);
}

static void bytes_without_the_strings_are_refused(void **state)
{
    struct loader loader = {0};
    struct elf program = {0};
    struct err err = {0};
    char bytes[100] = "nothing of a loader";

    (void)state;
    open_loader(&loader, &program);
    assert_false(loader_make_hermetic(&loader, bytes, sizeof(bytes), &err));
    assert_string_equal(err.id, "E-LIBC");
    assert_false(loader_make_hermetic(&loader, bytes, 0, &err));
    loader_release(&loader);
    elf_release(&program);
}

int main(void)
{
#define CASE(name) cmocka_unit_test_setup_teardown(name, fixture_enter, fixture_leave)
    const struct CMUnitTest tests[] = {
        CASE(asking_and_reading_agree),
        CASE(an_old_loader_is_read),
        CASE(other_interpreters_are_refused),
        CASE(a_cache_of_our_own_is_read),
        CASE(variants_of_a_cache_are_for_this_machine),
        CASE(a_damaged_cache_is_empty),
        CASE(a_hermetic_copy_never_finds_the_hosts_files),
        CASE(bytes_without_the_strings_are_refused),
    };

    return cmocka_run_group_tests(tests, NULL, NULL);
}
