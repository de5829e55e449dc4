/* SPDX-License-Identifier: MIT */
/* Mirrors bundle.c. Cases: sealed, opened, verified · every kind of damage · cut files · files that
 * are no bundles · hostile headers and section tables · signed, and every byte of it changed · what
 * is not sealed. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <string.h>

#include <cmocka.h>

#include <elf.h>
#include <sys/stat.h>

#include "bundler/bundle.h"
#include "bundler/image.h"
#include "bundler/plan.h"
#include "common/cleanup.h"
#include "common/err.h"
#include "common/signature.h"
#include "tests/unit/scratch.h"

#if defined(__x86_64__)
enum { HERE = EM_X86_64, ELSEWHERE = EM_AARCH64 };
#else
enum { HERE = EM_AARCH64, ELSEWHERE = EM_X86_64 };
#endif

/* The smallest stub: an ELF header, the header section, the names, the section header table last.
 */
enum { SECTION = 512, NAMES = 2048, STUB_SIZE = 4096, SECTIONS = 3, FILES = 2 };
enum { TABLE = STUB_SIZE - SECTIONS * (int)sizeof(Elf64_Shdr) };

static unsigned char *good; /* the bytes of a sealed bundle */
static size_t good_size;

static void make_stub(unsigned char stub[STUB_SIZE])
{
    static const char names[] = "\0" FORMAT_SECTION "\0.shstrtab";
    Elf64_Ehdr elf = {.e_ident = {ELFMAG0, ELFMAG1, ELFMAG2, ELFMAG3, ELFCLASS64, ELFDATA2LSB,
                                  EV_CURRENT, 0, 'A', 'I', 2},
                      .e_type = ET_EXEC,
                      .e_machine = HERE,
                      .e_version = EV_CURRENT,
                      .e_shoff = TABLE,
                      .e_ehsize = sizeof(Elf64_Ehdr),
                      .e_shentsize = sizeof(Elf64_Shdr),
                      .e_shnum = SECTIONS,
                      .e_shstrndx = 2};
    Elf64_Shdr table[SECTIONS] = {
        {0},
        {.sh_name = 1,
         .sh_type = SHT_PROGBITS,
         .sh_offset = SECTION,
         .sh_size = FORMAT_HEADER_SIZE},
        {.sh_name = 11, .sh_type = SHT_STRTAB, .sh_offset = NAMES, .sh_size = sizeof(names)},
    };

    memset(stub, 0, STUB_SIZE);
    memcpy(stub, &elf, sizeof(elf));
    memcpy(stub + NAMES, names, sizeof(names));
    memcpy(stub + TABLE, table, sizeof(table));
}

static uint64_t append_image(int fd)
{
    struct plan_origin origin = {PLAN_PART_APP, "test"};
    struct image_options options = {.level = 3, .workers = 1, .mtime = 1};
    struct plan plan;
    struct err err = {0};
    uint64_t size = 0;

    plan_init(&plan);
    assert_true(plan_add_data(&plan, "AppRun", 0755, "#!", 2, origin, &err));
    assert_true(plan_add_data(&plan, "app/a.rb", 0644, "puts 1\n", 7, origin, &err));
    plan_sort(&plan);
    assert_true(image_write(&plan, fd, STUB_SIZE, &options, &size, &err));
    plan_release(&plan);
    return size;
}

static int make_bundle(void **state)
{
    unsigned char stub[STUB_SIZE];
    struct err err = {0};
    uint64_t size;
    cleanup_fd int fd = -1;

    if (scratch_enter(state) != 0)
        return -1;
    make_stub(stub);
    scratch_write("stub", stub, sizeof(stub));
    scratch_write("good", stub, sizeof(stub));
    fd = open("good", O_RDWR | O_CLOEXEC);
    size = append_image(fd);
    assert_true(bundle_seal(fd, STUB_SIZE, size, FORMAT_KIND_APP, "blog", &err));
    good_size = (size_t)(STUB_SIZE + size);
    good = malloc(good_size);
    return good != NULL && pread(fd, good, good_size, 0) == (ssize_t)good_size ? 0 : -1;
}

static int drop_bundle(void **state)
{
    free(good);
    return scratch_leave(state);
}

/* Opens and verifies these bytes; false when either refuses them. */
static bool accepts(const unsigned char *bytes, size_t size, struct err *err)
{
    struct bundle_findings findings;
    struct bundle bundle;
    bool ok;

    *err = (struct err){0};
    scratch_write("case", bytes, size);
    if (!bundle_open(&bundle, "case", err))
        return false;
    ok = bundle_verify(&bundle, &findings, err);
    bundle_close(&bundle);
    return ok;
}

static bool accepts_changed(size_t at, const void *with, size_t len, struct err *err)
{
    unsigned char *copy = malloc(good_size);
    bool ok;

    memcpy(copy, good, good_size);
    memcpy(copy + at, with, len);
    ok = accepts(copy, good_size, err);
    free(copy);
    return ok;
}

static void assert_refused(const unsigned char *bytes, size_t size, const char *id, const char *why)
{
    struct err err;

    assert_false(accepts(bytes, size, &err));
    assert_string_equal(err.id, id);
    assert_non_null(strstr(err.msg, why));
}

static void assert_change_refused(size_t at, const void *with, size_t len, const char *id,
                                  const char *why)
{
    struct err err;

    assert_false(accepts_changed(at, with, len, &err));
    assert_string_equal(err.id, id);
    assert_non_null(strstr(err.msg, why));
}

static void a_sealed_bundle_opens_and_verifies(void **state)
{
    struct bundle_findings findings;
    struct bundle bundle;
    struct err err = {0};

    (void)state;
    assert_true(bundle_open(&bundle, "good", &err));
    assert_string_equal(bundle.header.name, "blog");
    assert_int_equal(bundle.header.kind, FORMAT_KIND_APP);
    assert_int_equal(bundle.header.image_offset, STUB_SIZE);
    assert_int_equal(bundle.section_offset, SECTION);
    assert_int_equal(bundle.file_size, good_size);
    assert_true(bundle_check_machine(&bundle, &err));
    assert_true(bundle_verify(&bundle, &findings, &err));
    assert_true(findings.is_stub_ok && findings.is_image_ok && findings.is_content_ok);
    assert_int_equal(findings.files, FILES);
    assert_int_equal(findings.trailing_bytes, 0);
    bundle_close(&bundle);
    bundle_close(&bundle);
    bundle_close(NULL);
}

/* The bytes on disk are little-endian at the offsets of docs/format.md. */
static void the_header_is_where_the_specification_says(void **state)
{
    const unsigned char *header = good + SECTION;

    (void)state;
    assert_memory_equal(header, "RUCKSACK\1\0\0\0\1\0\0\0\0\x10\0\0\0\0\0\0", 24);
    assert_int_equal(header[24] | header[25] << 8 | header[26] << 16, good_size - STUB_SIZE);
    assert_string_equal((const char *)header + 104, "blog");
}

static void every_changed_byte_of_the_header_is_reported(void **state)
{
    (void)state;
    for (size_t i = 0; i < FORMAT_HEADER_SIZE; i++) {
        unsigned char changed = good[SECTION + i] ^ (unsigned char)(1 << (i % 8));
        struct err err;

        if (accepts_changed(SECTION + i, &changed, 1, &err))
            fail_msg("byte %zu of the header may be changed", i);
        assert_true(err.id[0] != '\0');
    }
}

static void changed_bytes_of_stub_and_image_are_reported(void **state)
{
    (void)state;
    for (size_t i = 0; i < good_size; i += i < STUB_SIZE ? 11 : 7) {
        unsigned char changed = good[i] ^ 0x40;
        struct err err;

        if (accepts_changed(i, &changed, 1, &err))
            fail_msg("byte %zu may be changed", i);
    }
}

static void a_difference_is_named(void **state)
{
    unsigned char changed = good[300] ^ 1;
    unsigned char *longer = calloc(good_size + 3, 1);
    struct err err;

    (void)state;
    assert_change_refused(300, &changed, 1, "E-VERIFY", "the stub or its header differs");
    changed = good[STUB_SIZE + 100] ^ 1;
    assert_change_refused(STUB_SIZE + 100, &changed, 1, "E-VERIFY", "the image differs");
    memcpy(longer, good, good_size);
    assert_false(accepts(longer, good_size + 3, &err));
    assert_int_equal(err.kind, ERR_CHECK);
    assert_non_null(strstr(err.msg, "3 bytes follow the image"));
    assert_null(strstr(err.msg, "differs"));
    free(longer);
}

static void a_cut_file_says_how_much_is_missing(void **state)
{
    (void)state;
    assert_refused(good, good_size - 1, "E-TRUNCATED", "last 1 bytes");
    assert_refused(good, STUB_SIZE + 1, "E-TRUNCATED", "missing");
    assert_refused(good, STUB_SIZE, "E-TRUNCATED", "missing");
    assert_refused(good, STUB_SIZE - 1, "E-TRUNCATED", "last 1 bytes");
    assert_refused(good, 64, "E-TRUNCATED", "missing");
    assert_refused(good, 63, "E-BUNDLE", "too short");
    assert_refused(good, 0, "E-BUNDLE", "not a Rucksack bundle");
}

static void assert_path_refused(const char *path, const char *id)
{
    struct bundle bundle;
    struct err err = {0};

    assert_false(bundle_open(&bundle, path, &err));
    assert_string_equal(err.id, id);
    assert_non_null(strstr(err.msg, path));
}

static void other_files_are_no_bundles(void **state)
{
    char zeros[8192] = {0};

    (void)state;
    scratch_write("text", "#!/bin/sh\nexit 0\n", 17);
    scratch_write("zeros", zeros, sizeof(zeros));
    assert_int_equal(mkfifo("fifo", 0600), 0);
    assert_path_refused("text", "E-BUNDLE");
    assert_path_refused("zeros", "E-BUNDLE");
    assert_path_refused("stub", "E-BUNDLE");
    assert_path_refused("fifo", "E-BUNDLE");
    assert_path_refused(".", "E-BUNDLE");
    assert_path_refused("/dev/null", "E-BUNDLE");
    assert_path_refused("/proc/self/exe", "E-BUNDLE");
    assert_path_refused("absent", "E-BUNDLE");
}

static void a_later_version_asks_for_an_update(void **state)
{
    struct err err;

    (void)state;
    assert_false(accepts_changed(SECTION + 8, "\2", 1, &err));
    assert_string_equal(err.id, "E-BUNDLE");
    assert_non_null(strstr(err.hint, "update rucksack"));
}

static void another_machine_is_named(void **state)
{
    unsigned char machine[2] = {ELSEWHERE & 0xFF, ELSEWHERE >> 8};
    unsigned char *copy = malloc(good_size);
    struct bundle bundle;
    struct err err = {0};

    (void)state;
    memcpy(copy, good, good_size);
    memcpy(copy + offsetof(Elf64_Ehdr, e_machine), machine, 2);
    scratch_write("foreign", copy, good_size);
    assert_true(bundle_open(&bundle, "foreign", &err));
    assert_false(bundle_check_machine(&bundle, &err));
    assert_string_equal(err.id, "E-ARCH");
    assert_non_null(strstr(err.msg, "x86-64"));
    assert_non_null(strstr(err.msg, "aarch64"));
    bundle_close(&bundle);
    free(copy);
}

static void header_fields_are_checked(void **state)
{
    char name[FORMAT_NAME_SIZE];

    (void)state;
    memset(name, 'x', sizeof(name));
    assert_change_refused(SECTION, "X", 1, "E-BUNDLE", "header is empty or damaged");
    assert_change_refused(SECTION + 8, "\0", 1, "E-BUNDLE", "no version");
    assert_change_refused(SECTION + 12, "\3", 1, "E-BUNDLE", "unknown kind");
    assert_change_refused(SECTION + 12, "\0", 1, "E-BUNDLE", "unknown kind");
    assert_change_refused(SECTION + 16, "\0\x20", 2, "E-BUNDLE", "does not follow");
    assert_change_refused(SECTION + 24, "\0\0\0\0\0\0\0", 8, "E-BUNDLE", "impossible size");
    assert_change_refused(SECTION + 24, "\xff\xff\xff\xff\xff\xff\xff\xff", 8, "E-BUNDLE",
                          "impossible size");
    assert_change_refused(SECTION + 28, "\1", 1, "E-TRUNCATED", "missing");
    assert_change_refused(SECTION + 104, name, sizeof(name), "E-BUNDLE", "name");
    assert_change_refused(SECTION + 104, "\0", 1, "E-BUNDLE", "name");
    assert_change_refused(SECTION + 104, "..", 3, "E-BUNDLE", "name");
    assert_change_refused(SECTION + 104, "a/b", 4, "E-BUNDLE", "name");
    assert_change_refused(SECTION + 104, "a\x1b[2J", 6, "E-BUNDLE", "name");
    assert_change_refused(SECTION + 104, "a\xff", 3, "E-BUNDLE", "name");
}

static void section_tables_are_checked(void **state)
{
    const size_t second = TABLE + sizeof(Elf64_Shdr);
    const size_t third = second + sizeof(Elf64_Shdr);
    Elf64_Shdr copy;

    (void)state;
    assert_change_refused(offsetof(Elf64_Ehdr, e_shoff), "\0\0\0\0\0\0\0", 8, "E-BUNDLE",
                          "no section header table");
    assert_change_refused(offsetof(Elf64_Ehdr, e_shoff) + 4, "\xff\xff\xff\xff", 4, "E-BUNDLE",
                          "lies outside");
    assert_change_refused(offsetof(Elf64_Ehdr, e_shnum), "\0", 1, "E-BUNDLE", "no section header");
    assert_change_refused(offsetof(Elf64_Ehdr, e_shentsize), "\0", 1, "E-BUNDLE",
                          "no section header");
    assert_change_refused(offsetof(Elf64_Ehdr, e_shstrndx), "\3", 1, "E-BUNDLE",
                          "no section header");
    assert_change_refused(EI_CLASS, "\1", 1, "E-BUNDLE", "64-bit");
    assert_change_refused(EI_DATA, "\2", 1, "E-BUNDLE", "little-endian");
    assert_change_refused(second + offsetof(Elf64_Shdr, sh_offset),
                          "\xff\xff\xff\xff\xff\xff\xff\xff", 8, "E-BUNDLE", "outside");
    assert_change_refused(second + offsetof(Elf64_Shdr, sh_offset) + 4, "\xff\xff\xff\xff", 4,
                          "E-BUNDLE", FORMAT_SECTION);
    assert_change_refused(second + offsetof(Elf64_Shdr, sh_size), "\xff", 1, "E-BUNDLE",
                          FORMAT_SECTION);
    assert_change_refused(second + offsetof(Elf64_Shdr, sh_type), "\x08", 1, "E-BUNDLE",
                          FORMAT_SECTION);
    assert_change_refused(second + offsetof(Elf64_Shdr, sh_name), "\xff\xff\xff\xff", 4, "E-BUNDLE",
                          FORMAT_SECTION);
    assert_change_refused(third + offsetof(Elf64_Shdr, sh_size) + 2, "\1", 1, "E-BUNDLE", "names");
    memcpy(&copy, good + second, sizeof(copy));
    assert_change_refused(TABLE, &copy, sizeof(copy), "E-BUNDLE", FORMAT_SECTION);
}

/* Nothing may be read outside of the file, whatever the ELF header and the table say. */
static void random_structures_never_crash(void **state)
{
    unsigned char *copy = malloc(good_size);
    struct err err;

    (void)state;
    srandom(1);
    for (int round = 0; round < 3000; round++) {
        memcpy(copy, good, good_size);
        for (int i = 0; i < 1 + round % 4; i++) {
            size_t at = (size_t)random() % 2 == 0 ? (size_t)random() % sizeof(Elf64_Ehdr)
                                                  : TABLE + (size_t)random() % (STUB_SIZE - TABLE);

            copy[at] ^= (unsigned char)(1 + random() % 255);
        }
        if (memcmp(copy, good, good_size) != 0)
            assert_false(accepts(copy, good_size, &err));
    }
    free(copy);
}

static void assert_not_sealed(const char *name, enum format_kind kind, uint64_t offset,
                              uint64_t size, const char *why)
{
    struct err err = {0};
    cleanup_fd int fd = -1;

    scratch_write("unsealed", good, good_size);
    fd = open("unsealed", O_RDWR | O_CLOEXEC);
    assert_false(bundle_seal(fd, offset, size, kind, name, &err));
    assert_non_null(strstr(err.msg, why));
}

/* The bytes of a signed copy; the caller frees them. */
static unsigned char *make_signed(struct minisign_secret *ret)
{
    unsigned char *bytes = malloc(good_size);
    struct err err = {0};
    cleanup_fd int fd = -1;

    scratch_write("case", good, good_size);
    fd = open("case", O_RDWR | O_CLOEXEC);
    assert_true(minisign_generate(ret, &err));
    assert_true(bundle_sign(fd, ret, "rucksack blog", &err));
    assert_int_equal(pread(fd, bytes, good_size, 0), good_size);
    return bytes;
}

/* By its signature alone: what anybody can sum anew does not count. */
static bool signature_fits(const unsigned char *bytes, const struct minisign_key *key)
{
    struct bundle bundle;
    struct err err = {0};
    bool ok;

    scratch_write("case", bytes, good_size);
    if (!bundle_open(&bundle, "case", &err))
        return false;
    ok = signature_check(bundle.fd, bundle.section_offset,
                         bundle.header.image_offset + bundle.header.image_size,
                         &bundle.header.signature, key, &err);
    bundle_close(&bundle);
    return ok;
}

static void a_signed_bundle_verifies_and_is_signed_anew(void **state)
{
    struct minisign_secret secret;
    struct minisign_secret other;
    unsigned char *bytes = make_signed(&secret);
    struct err err;
    cleanup_fd int fd = -1;

    (void)state;
    assert_true(accepts(bytes, good_size, &err));
    assert_true(signature_fits(bytes, &secret.key));
    fd = open("case", O_RDWR | O_CLOEXEC);
    assert_true(minisign_generate(&other, &err));
    assert_true(bundle_sign(fd, &other, "rucksack blog", &err));
    assert_int_equal(pread(fd, bytes, good_size, 0), good_size);
    assert_true(accepts(bytes, good_size, &err));
    assert_true(signature_fits(bytes, &other.key));
    assert_false(signature_fits(bytes, &secret.key));
    free(bytes);
}

static void no_byte_of_a_signed_bundle_can_be_another(void **state)
{
    const size_t sums = SECTION + FORMAT_SUMS_OFFSET;
    struct minisign_secret secret;
    unsigned char *bytes = make_signed(&secret);
    struct err err;

    (void)state;
    for (size_t i = 0; i < good_size; i++) {
        bool is_sum = i >= sums && i < sums + FORMAT_SUMS_SIZE;
        unsigned char right = bytes[i];

        bytes[i] ^= (unsigned char)(1 << i % 8);
        if (is_sum ? accepts(bytes, good_size, &err) : signature_fits(bytes, &secret.key))
            fail_msg("byte %zu of a signed file may be changed", i);
        bytes[i] = right;
    }
    assert_true(signature_fits(bytes, &secret.key));
    free(bytes);
}

static void what_would_be_refused_is_not_sealed(void **state)
{
    char name[FORMAT_NAME_SIZE + 1] = {0};
    uint64_t size = good_size - STUB_SIZE;

    (void)state;
    memset(name, 'x', FORMAT_NAME_SIZE);
    assert_not_sealed("", FORMAT_KIND_APP, STUB_SIZE, size, "name");
    assert_not_sealed("a b", FORMAT_KIND_APP, STUB_SIZE, size, "name");
    assert_not_sealed(name, FORMAT_KIND_APP, STUB_SIZE, size, "too long");
    assert_not_sealed("a", FORMAT_KIND_NONE, STUB_SIZE, size, "kind");
    assert_not_sealed("a", FORMAT_KIND_APP, 2 * STUB_SIZE, size, "follow");
    assert_not_sealed("a", FORMAT_KIND_APP, STUB_SIZE, size - 1, "end with its image");
    assert_not_sealed("a", FORMAT_KIND_APP, STUB_SIZE, size + 1, "missing");
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(a_sealed_bundle_opens_and_verifies),
        cmocka_unit_test(the_header_is_where_the_specification_says),
        cmocka_unit_test(every_changed_byte_of_the_header_is_reported),
        cmocka_unit_test(changed_bytes_of_stub_and_image_are_reported),
        cmocka_unit_test(a_difference_is_named),
        cmocka_unit_test(a_cut_file_says_how_much_is_missing),
        cmocka_unit_test(other_files_are_no_bundles),
        cmocka_unit_test(a_later_version_asks_for_an_update),
        cmocka_unit_test(another_machine_is_named),
        cmocka_unit_test(header_fields_are_checked),
        cmocka_unit_test(section_tables_are_checked),
        cmocka_unit_test(random_structures_never_crash),
        cmocka_unit_test(a_signed_bundle_verifies_and_is_signed_anew),
        cmocka_unit_test(no_byte_of_a_signed_bundle_can_be_another),
        cmocka_unit_test(what_would_be_refused_is_not_sealed),
    };

    return cmocka_run_group_tests(tests, make_bundle, drop_bundle);
}
