/* SPDX-License-Identifier: MIT */
/* Mirrors elfscan.c. Cases: notes (walker cases: object, array, text, several, damaged, 8-aligned)
 * · names and paths in data · imports under each hash table · random damage. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>

#include "bundler/elf.h"
#include "bundler/elfscan.h"
#include "common/err.h"
#include "fixture.h"

struct found {
    char text[65536];
    size_t len;
};

static void add(struct found *found, const char *text)
{
    size_t len = strlen(text);

    if (found->len + len + 2 < sizeof(found->text)) {
        memcpy(found->text + found->len, text, len);
        found->len += len;
        found->text[found->len++] = ' ';
        found->text[found->len] = '\0';
    }
}

static void take_note(const struct elfscan_note *note, void *context)
{
    static const char *const names[] = {"required", "recommended", "suggested"};
    struct found *found = context;

    for (size_t i = 0; i < note->name_count; i++)
        add(found, note->names[i]);
    add(found, names[note->priority]);
    if (note->feature != NULL)
        add(found, note->feature);
}

static void take_text(const char *text, void *context)
{
    add(context, text);
}

static void open_good(struct elf *elf, const char *name)
{
    struct err err = {0};

    if (!elf_open(elf, at(name), &err))
        fail_msg("%s", err.msg);
}

/* An object with one note of this JSON, written as a C string without blanks. */
static void make_note(const char *json, int align)
{
    MUST("printf \"%%s\\n\" \".section .note.dlopen,\\\"a\\\",%%note\" \".balign %d\" "
         "\".long 4\" \".long 2f-1f\" \".long 0x407c0c0a\" \".asciz \\\"FDO\\\"\" "
         "\".balign %d\" \"1: .asciz \\\"%s\\\"\" \"2: .balign %d\" >n.s && $LIB -o n.so n.s",
         align, align, json, align);
}

static void assert_notes(const char *want, bool want_ok)
{
    struct found found = {0};
    struct elf elf;

    open_good(&elf, "n.so");
    assert_int_equal(elfscan_notes(&elf, take_note, &found), want_ok);
    elf_release(&elf);
    assert_string_equal(found.text, want);
}

#define Q "\\\\\\\""

static void notes_are_read(void **state)
{
    (void)state;
    make_note("[{" Q "soname" Q ":[" Q "liba.so.1" Q "," Q "liba.so.0" Q "]," Q "priority" Q ":" Q
              "required" Q "," Q "feature" Q ":" Q "f" Q "}]",
              4);
    assert_notes("liba.so.1 liba.so.0 required f ", true);
    make_note("{" Q "soname" Q ":" Q "libb.so.2" Q "," Q "other" Q ":1}", 4);
    assert_notes("libb.so.2 recommended ", true);
    make_note("[{" Q "soname" Q ":[" Q "a" Q "]," Q "priority" Q ":" Q "suggested" Q "},{" Q
              "soname" Q ":[" Q "b" Q "]}]",
              8);
    assert_notes("a suggested b recommended ", true);
    MUST("echo \"int x;\" >e.c && $LIB -o n.so e.c");
    assert_notes("", true);
}

static void damaged_notes_are_passed_over(void **state)
{
    (void)state;
    make_note("[{" Q "soname" Q ":", 4);
    assert_notes("", false);
    make_note("[{" Q "feature" Q ":" Q "f" Q "}]", 4);
    assert_notes("", false);
    make_note("[{" Q "soname" Q ":[" Q "../x" Q "]},{" Q "soname" Q ":[" Q "b" Q "]}]", 4);
    assert_notes("b recommended ", false);
    make_note("[{" Q "soname" Q ":[" Q "b" Q "]," Q "priority" Q ":" Q "no" Q "}]", 4);
    assert_notes("", false);
    MUST("printf \"%%s\\n\" \".section .note.dlopen,\\\"a\\\",%%note\" \".balign 4\" "
         "\".long 4\" \".long 0x7fffffff\" \".long 0x407c0c0a\" \".asciz \\\"FDO\\\"\" >n.s && "
         "$LIB -o n.so n.s");
    assert_notes("", false);
}

struct wanted {
    const char *text;
    size_t count;
    bool is_wrong;
};

static void take_wanted(const char *text, void *context)
{
    struct wanted *wanted = context;

    wanted->count += strcmp(text, wanted->text) == 0;
    wanted->is_wrong |= text[0] == '\0' || strpbrk(text, "% /") != NULL || strcmp(text, "**") == 0;
}

static void names_and_paths_are_found(void **state)
{
    struct found sonames = {0};
    struct found paths = {0};
    struct elf elf;

    (void)state;
    MUST("cat >s.c <<END\n"
         "const char *const t[] = {\"libone.so.1\", \"/usr/x/libtwo-1.2.so\", \"lib%%s.so\",\n"
         "  \"libneeded.so\", \"libself.so\", \"libx.so.1a\", \"lib.so\", \"xlibz.so\",\n"
         "  \"/usr/lib/a:/etc/b:rel:/home/c\", \"/var/x\"};\n"
         "END\n"
         "echo \"int n;\" >n.c && $LIB -Wl,-soname,libneeded.so -o libneeded.so n.c && "
         "$LIB -Wl,-soname,libself.so -o s.so s.c ./libneeded.so");
    open_good(&elf, "s.so");
    elfscan_sonames(&elf, take_text, &sonames);
    elfscan_paths(&elf, take_text, &paths);
    elf_release(&elf);
    assert_string_equal(sonames.text, "libone.so.1 libtwo-1.2.so ");
    assert_string_equal(paths.text, "/usr/x/libtwo-1.2.so /usr/lib/a /etc/b ");
    sonames = (struct found){0};
    elfscan_names("x\0liba.so.1,libb.so.2\0libcut.so", 31, take_text, &sonames);
    assert_string_equal(sonames.text, "liba.so.1 libb.so.2 libcut.so ");
}

static void components_are_found(void **state)
{
    static const char *const expected[] = {"modules-*.*", "lib-2.0", "base_*.x", "loaders-*-end"};
    struct elf elf;

    (void)state;
    MUST("cat >s.c <<'END'\n"
         "const char *const t[] = {\"found %%s/modules-%%d.%%d\", \"/usr/x/lib-2.0\",\n"
         "  \"base_%%\" \"02lx.x\", \"loaders-%%\" \"zu-end\", \"%%s%%d\", \"two words\", "
         "\"ends-in/\"};\n"
         "END\n"
         "$LIB -o s.so s.c");
    open_good(&elf, "s.so");
    for (size_t i = 0; i < sizeof(expected) / sizeof(expected[0]); i++) {
        struct wanted wanted = {.text = expected[i]};

        elfscan_components(&elf, take_wanted, &wanted);
        if (wanted.count != 1 || wanted.is_wrong)
            fail_msg("%s: %zu", expected[i], wanted.count);
    }
    elf_release(&elf);
}

static void imports_are_known(void **state)
{
    static const char *const styles[] = {"gnu", "sysv", "both"};

    (void)state;
    for (size_t i = 0; i < sizeof(styles) / sizeof(styles[0]); i++) {
        struct elf elf;

        MUST("echo \"void iconv_open(void); void own(void) { iconv_open(); }\" >i.c && "
             "$LIB -Wl,--hash-style=%s -o i.so i.c",
             styles[i]);
        open_good(&elf, "i.so");
        assert_true(elfscan_imports(&elf, "iconv_open"));
        assert_false(elfscan_imports(&elf, "iconv"));
        assert_false(elfscan_imports(&elf, "own"));
        elf_release(&elf);
    }
    /* Nothing exported: the GNU table does not say how many symbols there are. */
    MUST("echo \"void iconv_open(void); int main(void) { iconv_open(); }\" >i.c && "
         "cc -Wl,--unresolved-symbols=ignore-all -Wl,--hash-style=gnu -o i.so i.c");
    struct elf elf;

    open_good(&elf, "i.so");
    assert_true(elfscan_imports(&elf, "iconv_open"));
    elf_release(&elf);
}

static void damage_is_no_crash(void **state)
{
    uint32_t seed = 7;
    size_t size;
    char *bytes;

    (void)state;
    make_note("[{" Q "soname" Q ":[" Q "liba.so.1" Q "]}]", 4);
    bytes = slurp(at("n.so"), &size);
    for (size_t round = 0; round < 300; round++) {
        char *copy = malloc(size);
        struct found found = {0};
        struct err err = {0};
        struct elf elf;
        FILE *file;

        assert_non_null(copy);
        memcpy(copy, bytes, size);
        for (size_t i = 0; i < 8; i++) {
            seed = seed * 1664525 + 1013904223;
            copy[(seed >> 8) % (size < 4096 ? size : 4096)] = (char)(seed >> 24);
        }
        file = fopen(at("d.so"), "we");
        assert_non_null(file);
        assert_int_equal(fwrite(copy, 1, size, file), size);
        fclose(file);
        free(copy);
        if (!elf_open(&elf, at("d.so"), &err))
            continue;
        (void)elfscan_notes(&elf, take_note, &found);
        (void)elfscan_imports(&elf, "iconv_open");
        elfscan_sonames(&elf, take_text, &found);
        elfscan_paths(&elf, take_text, &found);
        elfscan_components(&elf, take_text, &found);
        elf_release(&elf);
    }
    free(bytes);
}

int main(void)
{
#define TEST(name) cmocka_unit_test_setup_teardown(name, fixture_enter, fixture_leave)
    const struct CMUnitTest tests[] = {
        TEST(notes_are_read),
        TEST(damaged_notes_are_passed_over),
        TEST(names_and_paths_are_found),
        TEST(components_are_found),
        TEST(imports_are_known),
        TEST(damage_is_no_crash),
    };

    return cmocka_run_group_tests(tests, NULL, NULL);
}
