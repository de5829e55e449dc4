/* SPDX-License-Identifier: MIT */
/* Mirrors elf.c. Cases: what a linker wrote · what fits a search · damaged files · fifos · random
 * damage · bytes by content and by address. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>
#include <elf.h>
#include <sys/stat.h>

#include "bundler/elf.h"
#include "common/err.h"
#include "fixture.h"

static void open_good(struct elf *elf, const char *name)
{
    struct err err = {0};

    if (!elf_open(elf, name, &err))
        fail_msg("%s", err.msg);
}

static void assert_refused(const char *name, const char *why)
{
    struct elf elf = {0};
    struct err err = {0};

    assert_false(elf_open(&elf, at(name), &err));
    assert_string_equal(err.id, "E-ELF");
    if (strstr(err.msg, why) == NULL || strstr(err.msg, name) == NULL)
        fail_msg("'%s' does not say '%s' of '%s'", err.msg, why, name);
}

/* Position of the program header of a type, or of its dynamic entry. 64 bit, as the test host. */
static Elf64_Phdr *program_header(char *bytes, uint32_t type)
{
    Elf64_Ehdr *ehdr = (Elf64_Ehdr *)(void *)bytes;
    Elf64_Phdr *phdr = (Elf64_Phdr *)(void *)(bytes + ehdr->e_phoff);

    for (size_t i = 0; i < ehdr->e_phnum; i++)
        if (phdr[i].p_type == type)
            return &phdr[i];
    fail_msg("no program header %u", type);
    return NULL;
}

static Elf64_Dyn *dynamic_entry(char *bytes, int64_t tag)
{
    Elf64_Phdr *phdr = program_header(bytes, PT_DYNAMIC);
    Elf64_Dyn *dyn = (Elf64_Dyn *)(void *)(bytes + phdr->p_offset);

    for (; dyn->d_tag != DT_NULL; dyn++)
        if (dyn->d_tag == tag)
            return dyn;
    assert_int_equal(tag, DT_NULL);
    return dyn;
}

static void make_library(void)
{
    MUST("$LIB -Wl,-soname,libb.so.1 -o libb.so -xc /dev/null");
    MUST("echo \"const char text[] = \\\"needle in a haystack\\\";\" > a.c");
    MUST("$LIB -Wl,-soname,liba.so.1 -Wl,--enable-new-dtags -Wl,-rpath,/x:\\$ORIGIN "
         "-Wl,-z,nodefaultlib -o liba.so a.c libb.so");
}

static void dynamic_section_is_read(void **state)
{
    struct elf elf = {0};

    (void)state;
    make_library();
    assert_true(elf_is_elf(at("liba.so")));
    assert_false(elf_is_elf(at("a.c")));
    assert_false(elf_is_elf(at("none")));
    open_good(&elf, at("liba.so"));
    assert_string_equal(elf.soname, "liba.so.1");
    assert_string_equal(elf.runpath, "/x:$ORIGIN");
    assert_null(elf.rpath);
    assert_null(elf.interp);
    assert_int_equal(elf.needed_count, 1);
    assert_string_equal(elf.needed[0], "libb.so.1");
    assert_true(elf_ignores_default_dirs(&elf));
    assert_false(elf_is_program(&elf));
    elf_release(&elf);
    elf_release(&elf);
    elf_release(NULL);
}

static void programs_have_an_interpreter(void **state)
{
    struct elf elf = {0};

    (void)state;
    MUST("echo \"int main(void){return 0;}\" > m.c");
    MUST("cc -o pie -pie -fPIE m.c && cc -o exec -no-pie m.c && cc -o static -static m.c");
    MUST("cc -o rpath -Wl,--disable-new-dtags,-rpath,/r m.c");
    open_good(&elf, at("pie"));
    assert_non_null(elf.interp);
    assert_true(elf_is_program(&elf));
    elf_release(&elf);
    open_good(&elf, at("exec"));
    assert_true(elf_is_program(&elf));
    elf_release(&elf);
    open_good(&elf, at("rpath"));
    assert_string_equal(elf.rpath, "/r");
    assert_null(elf.runpath);
    elf_release(&elf);
    open_good(&elf, at("static"));
    assert_null(elf.interp);
    assert_false(elf.has_dynamic);
    elf_release(&elf);
}

static void sections_are_not_needed(void **state)
{
    struct elf elf = {0};
    size_t size;
    char *bytes;

    (void)state;
    make_library();
    bytes = slurp(at("liba.so"), &size);
    ((Elf64_Ehdr *)(void *)bytes)->e_shoff = 0;
    ((Elf64_Ehdr *)(void *)bytes)->e_shnum = 0;
    spill(at("liba.so"), bytes, size);
    free(bytes);
    open_good(&elf, at("liba.so"));
    assert_string_equal(elf.needed[0], "libb.so.1");
    elf_release(&elf);
}

static void only_the_same_machine_fits(void **state)
{
    struct elf elf = {0};
    struct err err = {0};

    (void)state;
    make_library();
    open_good(&elf, at("liba.so"));
    MUST("cp libb.so c32.so; printf \"\\001\" | dd of=c32.so bs=1 seek=4 conv=notrunc 2>/dev/null");
    MUST("cp libb.so riscv.so; printf \"\\363\\0\" | dd of=riscv.so bs=1 seek=18 conv=notrunc "
         "2>/dev/null");
    MUST("cp libb.so abi3.so; printf \"\\003\" | dd of=abi3.so bs=1 seek=7 conv=notrunc "
         "2>/dev/null");
    MUST("cp libb.so abi9.so; printf \"\\011\" | dd of=abi9.so bs=1 seek=7 conv=notrunc "
         "2>/dev/null");
    MUST("ln -s nowhere dangling.so; ln -s loop.so loop.so; mkdir dir.so; mkfifo fifo.so; "
         "echo text > text.so; : > empty.so");
    assert_int_equal(elf_fit(at("libb.so"), &elf, &err), ELF_FIT_YES);
    assert_int_equal(elf_fit(at("abi3.so"), &elf, &err), ELF_FIT_YES);
    assert_int_equal(elf_fit(at("c32.so"), &elf, &err), ELF_FIT_FOREIGN);
    assert_int_equal(elf_fit(at("riscv.so"), &elf, &err), ELF_FIT_FOREIGN);
    assert_int_equal(elf_fit(at("dangling.so"), &elf, &err), ELF_FIT_ABSENT);
    assert_int_equal(elf_fit(at("libb.so/x"), &elf, &err), ELF_FIT_ABSENT);
    assert_int_equal(elf_fit(at("loop.so"), &elf, &err), ELF_FIT_ABANDON);
    assert_int_equal(elf_fit(at("abi9.so"), &elf, &err), ELF_FIT_BROKEN);
    assert_int_equal(elf_fit(at("dir.so"), &elf, &err), ELF_FIT_BROKEN);
    assert_int_equal(elf_fit(at("fifo.so"), &elf, &err), ELF_FIT_BROKEN);
    assert_int_equal(elf_fit(at("text.so"), &elf, &err), ELF_FIT_BROKEN);
    assert_int_equal(elf_fit(at("empty.so"), &elf, &err), ELF_FIT_BROKEN);
    assert_string_equal(elf_machine_name(EM_AARCH64), "aarch64");
    assert_string_equal(elf_machine_name(12345), "unknown machine");
    elf_release(&elf);
}

static void files_that_are_no_objects_are_named(void **state)
{
    (void)state;
    make_library();
    MUST("mkfifo fifo.so; mkdir dir.so; : > empty.so; printf text > short.so; "
         "head -c 300 /dev/zero > zero.so; head -c 1000 liba.so > cut.so; head -c 40 liba.so > "
         "header.so");
    MUST("cc -c -o object.o a.c && cc -g -shared -o debug.so a.c && "
         "objcopy --only-keep-debug debug.so libx.debug");
    assert_refused("fifo.so", "not a regular file");
    assert_refused("dir.so", "directory");
    assert_refused("empty.so", "is empty");
    assert_refused("short.so", "magic");
    assert_refused("zero.so", "magic");
    assert_refused("header.so", "ELF header");
    assert_refused("cut.so", "PT_LOAD");
    assert_refused("object.o", "e_type");
    assert_refused("libx.debug", "PT_DYNAMIC");
    assert_refused("none.so", "No such file");
}

enum damage {
    DAMAGE_PHNUM,
    DAMAGE_NEEDED,
    DAMAGE_STRTAB,
    DAMAGE_STRSZ,
    DAMAGE_NO_STRSZ,
    DAMAGE_NO_NULL,
    DAMAGE_UNENDED,
    DAMAGE_COUNT,
};

static void damage(char *bytes, enum damage what)
{
    Elf64_Ehdr *ehdr = (Elf64_Ehdr *)(void *)bytes;

    switch (what) {
    case DAMAGE_PHNUM:
        ehdr->e_phnum = PN_XNUM;
        ehdr->e_shoff = 0;
        ehdr->e_shnum = 0;
        break;
    case DAMAGE_NEEDED:
        dynamic_entry(bytes, DT_NEEDED)->d_un.d_val = 0x7fffffff;
        break;
    case DAMAGE_STRTAB:
        dynamic_entry(bytes, DT_STRTAB)->d_un.d_ptr = 0x7fffffff0000;
        break;
    case DAMAGE_STRSZ:
        dynamic_entry(bytes, DT_STRSZ)->d_un.d_val = UINT64_MAX;
        break;
    case DAMAGE_NO_STRSZ:
        dynamic_entry(bytes, DT_STRSZ)->d_tag = DT_DEBUG;
        break;
    case DAMAGE_NO_NULL:
        program_header(bytes, PT_DYNAMIC)->p_memsz =
            (size_t)(dynamic_entry(bytes, DT_NULL) - dynamic_entry(bytes, DT_NEEDED)) *
            sizeof(Elf64_Dyn);
        break;
    case DAMAGE_UNENDED:
        dynamic_entry(bytes, DT_STRSZ)->d_un.d_val =
            dynamic_entry(bytes, DT_NEEDED)->d_un.d_val + 3;
        break;
    case DAMAGE_COUNT:
        break;
    }
}

static void damage_is_named_by_its_field(void **state)
{
    static const char *const fields[DAMAGE_COUNT] = {
        [DAMAGE_PHNUM] = "program header", [DAMAGE_NEEDED] = "DT_NEEDED",
        [DAMAGE_STRTAB] = "DT_STRTAB",     [DAMAGE_STRSZ] = "DT_STRSZ",
        [DAMAGE_NO_STRSZ] = "DT_STRSZ",    [DAMAGE_NO_NULL] = "DT_NULL",
        [DAMAGE_UNENDED] = "DT_NEEDED",
    };

    (void)state;
    make_library();
    for (enum damage what = 0; what < DAMAGE_COUNT; what++) {
        size_t size;
        char *bytes = slurp(at("liba.so"), &size);

        damage(bytes, what);
        spill(at("bad.so"), bytes, size);
        free(bytes);
        assert_refused("bad.so", what == DAMAGE_PHNUM ? "" : fields[what]);
    }
}

/* xorshift: the same damage on every run */
static uint32_t next_random(uint32_t *random)
{
    *random ^= *random << 13;
    *random ^= *random >> 17;
    *random ^= *random << 5;
    return *random;
}

static void random_damage_never_crashes(void **state)
{
    uint32_t random = 0x5eed;
    size_t opened = 0;
    size_t size;
    char *good;

    (void)state;
    make_library();
    good = slurp(at("liba.so"), &size);
    for (int round = 0; round < 2000; round++) {
        Elf64_Phdr *phdr = program_header(good, PT_DYNAMIC);
        char *bytes = malloc(size);
        struct elf elf = {0};
        struct err err = {0};

        assert_non_null(bytes);
        memcpy(bytes, good, size);
        for (uint32_t i = 0; i <= next_random(&random) % 4; i++) {
            size_t area = next_random(&random) % 2 == 0 ? 0 : phdr->p_offset;
            size_t length = area == 0 ? 64 + 56 * 9 : phdr->p_filesz;

            bytes[area + next_random(&random) % length] = (char)next_random(&random);
        }
        spill(at("random.so"), bytes, size);
        if (elf_open(&elf, at("random.so"), &err))
            opened++;
        else
            assert_string_equal(err.id, "E-ELF");
        elf_release(&elf);
        free(bytes);
    }
    free(good);
    assert_true(opened > 0);
}

static void bytes_are_found_in_read_only_segments(void **state)
{
    struct elf_match matches[2];
    struct elf elf = {0};
    size_t count = 0;

    (void)state;
    make_library();
    open_good(&elf, at("liba.so"));
    assert_true(elf_find_bytes(&elf, "needle in", 9, matches, 2, &count));
    assert_int_equal(count, 1);
    assert_memory_equal(elf.bytes + matches[0].offset, "needle in", 9);
    assert_string_equal(elf_bytes(&elf, matches[0].vaddr, 21), "needle in a haystack");
    assert_true(matches[0].remaining_bytes >= 21);
    assert_null(elf_bytes(&elf, matches[0].vaddr, matches[0].remaining_bytes + 1));
    assert_null(elf_bytes(&elf, UINT64_MAX, 1));
    assert_false(elf_find_bytes(&elf, "no such bytes", 13, matches, 2, &count));
    assert_true(elf_find_bytes(&elf, "\0", 1, matches, 2, &count));
    assert_true(count > 2);
    elf_release(&elf);
}

int main(void)
{
#define CASE(name) cmocka_unit_test_setup_teardown(name, fixture_enter, fixture_leave)
    const struct CMUnitTest tests[] = {
        CASE(dynamic_section_is_read),
        CASE(programs_have_an_interpreter),
        CASE(sections_are_not_needed),
        CASE(only_the_same_machine_fits),
        CASE(files_that_are_no_objects_are_named),
        CASE(damage_is_named_by_its_field),
        CASE(random_damage_never_crashes),
        CASE(bytes_are_found_in_read_only_segments),
    };

    return cmocka_run_group_tests(tests, NULL, NULL);
}
