/* SPDX-License-Identifier: MIT */
/*
 * Mirrors elfsym.c. The oracle is readelf. Cases: versions asked for and offered · symbols by
 * either hash table · lazy and eager references · damaged tables, loops in them, random damage.
 */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>
#include <elf.h>

#include "bundler/elf.h"
#include "bundler/elfsym.h"
#include "common/err.h"
#include "fixture.h"

struct opened {
    struct elf elf;
    struct elfsym elfsym;
};

static void open_object(struct opened *ret, const char *path)
{
    struct err err = {0};

    if (!elf_open(&ret->elf, path, &err) || !elfsym_read(&ret->elfsym, &ret->elf, &err))
        fail_msg("%s", err.msg);
}

static void close_object(struct opened *object)
{
    elfsym_release(&object->elfsym);
    elf_release(&object->elf);
}

static bool defines(const struct opened *object, const char *name, const char *version)
{
    const struct elfsym_ref ref = {.name = name, .version = version};

    return elfsym_defines(&object->elfsym, &ref);
}

static const struct elfsym_ref *find_ref(const struct opened *object, const char *name)
{
    for (size_t i = 0; i < object->elfsym.ref_count; i++)
        if (strcmp(object->elfsym.refs[i].name, name) == 0)
            return &object->elfsym.refs[i];
    return NULL;
}

/* libv.so: old@V1, both@V1, both@@V2 (default), plain without a version of its own. */
static void make_versions(const char *style)
{
    MUST("echo \"V1 { global: old; both; local: *; }; V2 { global: both; plain; } V1;\" > v.map && "
         "echo \"__asm__(\\\".symver both1,both@V1\\\"); __asm__(\\\".symver both2,both@@V2\\\");"
         " int both1(void){return 1;} int both2(void){return 2;} int old(void){return 0;}"
         " int plain(void){return 3;}\" > v.c && "
         "$LIB -Wl,--hash-style=%s -Wl,--version-script=v.map -Wl,-soname,libv.so -o libv.so v.c",
         style);
}

static void check_lookups(const char *style)
{
    struct opened lib;

    make_versions(style);
    open_object(&lib, at("libv.so"));
    assert_true(elfsym_has_versions(&lib.elfsym));
    assert_true(elfsym_offers_version(&lib.elfsym, "V1"));
    assert_true(elfsym_offers_version(&lib.elfsym, "V2"));
    assert_false(elfsym_offers_version(&lib.elfsym, "V3"));
    assert_false(elfsym_offers_version(&lib.elfsym, "libv.so"));
    assert_true(defines(&lib, "both", "V1"));
    assert_true(defines(&lib, "both", "V2"));
    assert_false(defines(&lib, "both", "V3"));
    assert_true(defines(&lib, "both", NULL));
    assert_true(defines(&lib, "old", "V1"));
    assert_false(defines(&lib, "old", "V2"));
    assert_false(defines(&lib, "both1", NULL));
    assert_false(defines(&lib, "nothing", NULL));
    close_object(&lib);
}

static void test_lookup_by_gnu_hash(void **state)
{
    (void)state;
    check_lookups("gnu");
}

static void test_lookup_by_sysv_hash(void **state)
{
    (void)state;
    check_lookups("sysv");
}

static void test_needs_and_references(void **state)
{
    struct opened user;

    (void)state;
    make_versions("gnu");
    MUST("echo \"int both(void); int old(void); int late(void); int weak(void) "
         "__attribute__((weak)); extern int data; int *where(void){return &data;} "
         "int use(void){return both() + old() + late() + (weak ? weak() : 0);}\" > u.c && "
         "$LIB -Wl,-z,lazy -Wl,-soname,libu.so -o libu.so u.c libv.so && "
         "$LIB -Wl,-z,now -Wl,-soname,libu.so -o libnow.so u.c libv.so");
    open_object(&user, at("libu.so"));
    assert_int_equal(user.elfsym.need_count, 2);
    for (size_t i = 0; i < 2; i++) {
        assert_string_equal(user.elfsym.needs[i].file, "libv.so");
        assert_false(user.elfsym.needs[i].is_weak);
    }
    assert_int_equal(user.elfsym.ref_count, 4);
    assert_string_equal(find_ref(&user, "both")->version, "V2");
    assert_string_equal(find_ref(&user, "both")->file, "libv.so");
    assert_string_equal(find_ref(&user, "old")->version, "V1");
    assert_null(find_ref(&user, "late")->version);
    assert_true(find_ref(&user, "late")->is_lazy);
    assert_false(find_ref(&user, "data")->is_lazy);
    assert_null(find_ref(&user, "weak"));
    close_object(&user);
    open_object(&user, at("libnow.so"));
    assert_false(find_ref(&user, "late")->is_lazy);
    close_object(&user);
}

/* Every symbol that readelf says libc defines is found under its version. */
static void test_libc_as_readelf(void **state)
{
    char name[256];
    char version[64];
    char path[256];
    struct opened libc;
    size_t count = 0;
    FILE *file;

    (void)state;
    MUST("cc -print-file-name=libc.so.6 > where && readelf -W --dyn-syms \"$(cat where)\" | "
         "sed -n \"s/.*\\(FUNC\\|OBJECT\\).*\\(GLOBAL\\|WEAK\\) *DEFAULT *[0-9]\\+ "
         "\\([A-Za-z0-9_]\\+\\)@\\+\\([A-Z_0-9.]\\+\\)$/\\3 \\4/p\" > symbols");
    file = fopen(at("where"), "re");
    assert_non_null(file);
    assert_int_equal(fscanf(file, "%255s", path), 1);
    fclose(file);
    open_object(&libc, path);
    file = fopen(at("symbols"), "re");
    assert_non_null(file);
    while (fscanf(file, "%255s %63s", name, version) == 2) {
        if (!defines(&libc, name, version))
            fail_msg("%s@%s", name, version);
        if (defines(&libc, name, "GLIBC_NEVER"))
            fail_msg("%s has every version", name);
        count++;
    }
    fclose(file);
    assert_true(count > 1000);
    close_object(&libc);
}

/* The file offset of a table, for tests that damage it. */
static size_t offset_of(const struct elf *elf, int64_t tag)
{
    size_t left;
    uint64_t address;

    assert_true(elf_dynamic(elf, tag, &address));
    return (size_t)((const uint8_t *)elf_segment_bytes(elf, address, &left) - elf->bytes);
}

static void put_words(const char *path, size_t offset, uint32_t value, size_t count)
{
    FILE *file = fopen(path, "r+e");

    assert_non_null(file);
    assert_int_equal(fseek(file, (long)offset, SEEK_SET), 0);
    for (size_t i = 0; i < count; i++)
        assert_int_equal(fwrite(&value, sizeof(value), 1, file), 1);
    assert_int_equal(fclose(file), 0);
}

static void test_chain_of_sysv_hash_loops(void **state)
{
    struct opened lib;
    size_t offset;
    uint32_t buckets;
    uint32_t chains;

    (void)state;
    make_versions("sysv");
    open_object(&lib, at("libv.so"));
    offset = offset_of(&lib.elf, DT_HASH);
    memcpy(&buckets, lib.elf.bytes + offset, sizeof(buckets));
    memcpy(&chains, lib.elf.bytes + offset + sizeof(buckets), sizeof(chains));
    close_object(&lib);
    put_words(at("libv.so"), offset + 8, 1, (size_t)buckets + chains);
    open_object(&lib, at("libv.so"));
    assert_false(defines(&lib, "nothing", NULL));
    close_object(&lib);
    put_words(at("libv.so"), offset, UINT32_MAX, 2);
    open_object(&lib, at("libv.so"));
    assert_false(defines(&lib, "old", "V1"));
    close_object(&lib);
}

static void test_gnu_hash_leads_outside(void **state)
{
    struct opened lib;
    size_t offset;

    (void)state;
    make_versions("gnu");
    open_object(&lib, at("libv.so"));
    offset = offset_of(&lib.elf, DT_GNU_HASH);
    close_object(&lib);
    for (size_t word = 0; word < 8; word++) {
        make_versions("gnu");
        put_words(at("libv.so"), offset + 4 * word, UINT32_MAX, 1);
        open_object(&lib, at("libv.so"));
        assert_false(defines(&lib, "nothing", NULL));
        close_object(&lib);
    }
}

static void assert_damaged(const char *path, const char *text)
{
    struct elfsym elfsym = {0};
    struct elf elf;
    struct err err = {0};

    assert_true(elf_open(&elf, path, &err));
    assert_false(elfsym_read(&elfsym, &elf, &err));
    assert_string_equal(err.id, "E-ELF");
    if (strstr(err.msg, text) == NULL || strstr(err.msg, path) == NULL)
        fail_msg("'%s' does not say '%s'", err.msg, text);
    assert_null(elfsym.tables);
    elf_release(&elf);
}

static void test_damaged_versions(void **state)
{
    struct opened lib;
    size_t offset;

    (void)state;
    make_versions("gnu");
    open_object(&lib, at("libv.so"));
    offset = offset_of(&lib.elf, DT_VERDEF);
    close_object(&lib);
    put_words(at("libv.so"), offset, UINT32_MAX, 1);
    assert_damaged(at("libv.so"), "DT_VERDEF: entry 0x0");
    make_versions("gnu");
    /* vd_next of the first entry: behind everything, so the chain ends there */
    put_words(at("libv.so"), offset + 16, 0xfffffff0, 1);
    open_object(&lib, at("libv.so"));
    assert_false(elfsym_offers_version(&lib.elfsym, "V2"));
    close_object(&lib);
}

static void test_needed_versions_outside(void **state)
{
    struct opened user;
    size_t offset;

    (void)state;
    make_versions("gnu");
    MUST("echo \"int old(void); int use(void){return old();}\" > u.c && "
         "$LIB -o libu.so u.c libv.so && cp libu.so again.so");
    open_object(&user, at("libu.so"));
    offset = offset_of(&user.elf, DT_VERNEED);
    close_object(&user);
    put_words(at("libu.so"), offset + 4, UINT32_MAX, 1); /* vn_file */
    assert_damaged(at("libu.so"), "DT_VERNEED: entry 0x0");
    put_words(at("again.so"), offset + 8, UINT32_MAX, 1); /* vn_aux */
    assert_damaged(at("again.so"), "DT_VERNEED: entry 0x0 has no versions");
}

/* A file with anything in it is read or refused, and nothing else. */
static void test_random_damage(void **state)
{
    struct opened lib;
    size_t size;
    size_t read = 0;
    size_t refused = 0;
    char *bytes;
    char *copy;
    uint32_t seed = 1;

    (void)state;
    make_versions("both");
    MUST("echo \"int old(void); extern int data; int *use(void){old(); return &data;}\" > u.c && "
         "$LIB -Wl,--hash-style=both -o libu.so u.c libv.so");
    bytes = slurp(at("libu.so"), &size);
    copy = malloc(size);
    assert_non_null(copy);
    for (int round = 0; round < 1000; round++) {
        struct err err = {0};

        memcpy(copy, bytes, size);
        for (int change = 0; change < 8; change++) {
            seed = seed * 1664525 + 1013904223;
            copy[64 + (seed >> 8) % (size < 4096 ? size - 64 : 4032)] = (char)(seed >> 3);
        }
        spill(at("damaged.so"), copy, size);
        if (!elf_open(&lib.elf, at("damaged.so"), &err)) {
            refused++;
            continue;
        }
        if (elfsym_read(&lib.elfsym, &lib.elf, &err)) {
            (void)defines(&lib, "old", "V1");
            (void)defines(&lib, "nothing", NULL);
            elfsym_release(&lib.elfsym);
            read++;
        } else {
            assert_string_equal(err.id, "E-ELF");
            refused++;
        }
        elf_release(&lib.elf);
    }
    assert_true(read > 0 && refused > 0);
    free(bytes);
    free(copy);
}

static void test_other_class(void **state)
{
    struct elf elf = {.path = (char *)(uintptr_t) "x.so", .elf_class = ELFCLASS32};
    struct elfsym elfsym = {0};
    struct err err = {0};

    (void)state;
    assert_false(elfsym_read(&elfsym, &elf, &err));
    assert_string_equal(err.id, "E-ELF");
}

#define TEST(name) cmocka_unit_test_setup_teardown(name, fixture_enter, fixture_leave)

int main(void)
{
    const struct CMUnitTest tests[] = {
        TEST(test_lookup_by_gnu_hash),
        TEST(test_lookup_by_sysv_hash),
        TEST(test_needs_and_references),
        TEST(test_libc_as_readelf),
        TEST(test_chain_of_sysv_hash_loops),
        TEST(test_gnu_hash_leads_outside),
        TEST(test_damaged_versions),
        TEST(test_needed_versions_outside),
        TEST(test_random_damage),
        TEST(test_other_class),
    };

    return cmocka_run_group_tests(tests, NULL, NULL);
}
