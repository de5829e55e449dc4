/* SPDX-License-Identifier: MIT */
/* Mirrors nametable.c. Cases: every path is found as the guest looks for it, and no other · what an
 * entry says · names, then targets · the same tree, the same bytes · trees that are refused ·
 * headers that are not believed. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>

#include <cmocka.h>

#include "bundler/nametable.h"
#include "common/err.h"
#include "common/nametable.h"
#include "common/xalloc.h"

enum { SELF = 2, MTIME = 1234567890 };

static const struct nametable_node tree[] = {
    {"", NULL, S_IFDIR | 0755, 0},
    {".rucksack", NULL, S_IFDIR | 0755, 0},
    {".rucksack/names", NULL, S_IFREG | 0644, 0},
    {"a", NULL, S_IFDIR | 0755, 0},
    {"a/a", NULL, S_IFDIR | 0755, 0},
    {"a/a/version.rb", NULL, S_IFREG | 0644, 10},
    {"a/b", NULL, S_IFDIR | 0755, 0},
    {"a/b/run", NULL, S_IFREG | 0755, 5000000000},
    {"a/b/version.rb", NULL, S_IFREG | 0644, 20},
    {"a-b", NULL, S_IFDIR | 0755, 0},
    {"a-b/link", "../a/b", S_IFLNK | 0777, 0},
    {"version.rb", NULL, S_IFREG | 0644, 0},
};

enum { COUNT = sizeof(tree) / sizeof(tree[0]) };

static struct nametable make(const struct nametable_node *nodes, size_t count)
{
    struct nametable table;
    struct err err;

    if (!nametable_make(&table, nodes, count, SELF, MTIME, &err))
        fail_msg("%s", err.msg);
    return table;
}

static const struct nametable_header *header_of(const struct nametable *table)
{
    return (const struct nametable_header *)(const void *)table->bytes;
}

static const struct nametable_entry *entries_of(const struct nametable *table)
{
    return (const struct nametable_entry *)(const void *)(table->bytes +
                                                          sizeof(struct nametable_header));
}

static const char *text_of(const struct nametable *table, uint32_t offset)
{
    return table->bytes + nametable_strings_at(header_of(table)) + offset;
}

/* The path of an entry, by its parents. The caller frees it. */
static char *path_of(const struct nametable *table, uint32_t index)
{
    const struct nametable_entry *entry = &entries_of(table)[index];
    char *parent, *path;

    if (index == 0)
        return xstrdup("");
    parent = path_of(table, entry->parent);
    path = xasprintf("%s%s%.*s", parent, parent[0] != '\0' ? "/" : "",
                     (int)nametable_name_len(header_of(table), entries_of(table), index),
                     text_of(table, entry->name));
    free(parent);
    return path;
}

/* As the guest does it. 0: absent. */
static uint32_t look_up(const struct nametable *table, const char *path)
{
    const struct nametable_header *header = header_of(table);
    const uint32_t *slots =
        (const uint32_t *)(const void *)(table->bytes + nametable_slots_at(header));
    uint64_t hash = nametable_hash(nametable_hash_empty, path, strlen(path));
    uint32_t mask = (UINT32_C(1) << header->slot_bits) - 1;

    for (uint32_t probe = 0; probe <= header->probe_max; probe++) {
        uint32_t index = slots[(nametable_slot(hash, header->slot_bits) + probe) & mask];
        char *found;
        bool same;

        if (index == 0)
            return 0;
        found = path_of(table, index);
        same = strcmp(found, path) == 0;
        free(found);
        if (same)
            return index;
    }
    return 0;
}

static void every_path_is_found_and_no_other(void **state)
{
    static const char *const absent[] = {"b",       "a/",           "/a",
                                         "a/a/run", "a/version.rb", "a-b/link/run"};
    struct nametable table = make(tree, COUNT);

    (void)state;
    assert_true(nametable_is_valid(header_of(&table), table.size_bytes));
    assert_int_equal(header_of(&table)->count, COUNT);
    assert_int_equal(header_of(&table)->self, SELF);
    assert_int_equal(header_of(&table)->mtime, MTIME);
    for (uint32_t i = 1; i < COUNT; i++)
        assert_int_equal(look_up(&table, tree[i].path), i);
    for (size_t i = 0; i < sizeof(absent) / sizeof(absent[0]); i++)
        assert_int_equal(look_up(&table, absent[i]), 0);
    nametable_release(&table);
}

static void entries_say_what_stat_does(void **state)
{
    struct nametable table = make(tree, COUNT);
    const struct nametable_entry *entries = entries_of(&table);

    (void)state;
    for (uint32_t i = 0; i < COUNT; i++)
        assert_int_equal(entries[i].mode, tree[i].mode);
    assert_int_equal(entries[0].extra, 5); /* three directories, and two as any has */
    assert_int_equal(entries[3].extra, 4);
    assert_int_equal(entries[6].extra, 2);
    assert_int_equal(entries[7].size, 5000000000);
    assert_int_equal(entries[7].extra, 0);
    assert_int_equal(entries[SELF].size, table.size_bytes);
    assert_int_equal(entries[10].size, strlen("../a/b"));
    assert_memory_equal(text_of(&table, entries[10].extra), "../a/b", 6);
    nametable_set_size(&table, 6, 1 << 20);
    assert_int_equal(entries[6].size, 1 << 20);
    assert_int_equal(entries[6].parent, 3);
    nametable_release(&table);
}

static void names_come_first_then_targets(void **state)
{
    static const char names[] = ".rucksack"
                                "names"
                                "a"
                                "a"
                                "version.rb"
                                "b"
                                "run"
                                "version.rb"
                                "a-b"
                                "link"
                                "version.rb";
    struct nametable table = make(tree, COUNT);

    (void)state;
    assert_int_equal(header_of(&table)->names_size, strlen(names));
    assert_int_equal(header_of(&table)->strings_size, strlen(names) + strlen("../a/b"));
    assert_memory_equal(text_of(&table, 0), names, strlen(names));
    nametable_release(&table);
}

static void the_same_tree_gives_the_same_bytes(void **state)
{
    struct nametable one = make(tree, COUNT);
    struct nametable two = make(tree, COUNT);

    (void)state;
    assert_int_equal(one.size_bytes, two.size_bytes);
    assert_memory_equal(one.bytes, two.bytes, one.size_bytes);
    nametable_release(&one);
    nametable_release(&two);
}

static void thousands_are_found(void **state)
{
    enum { MANY = 20000 };
    struct nametable_node *nodes = xcalloc(MANY, sizeof(*nodes));
    char **names = xcalloc(MANY, sizeof(*names));
    struct nametable table;

    (void)state;
    memcpy(nodes, tree, 3 * sizeof(*nodes));
    for (size_t i = 3; i < MANY; i++) {
        names[i] = xasprintf("file-%zu", i);
        nodes[i] = (struct nametable_node){names[i], NULL, S_IFREG | 0644, i};
    }
    table = make(nodes, MANY);
    for (uint32_t i = 3; i < MANY; i++) {
        char *absent = xasprintf("%s.rb", names[i]);

        assert_int_equal(look_up(&table, names[i]), i);
        assert_int_equal(look_up(&table, absent), 0);
        free(absent);
        free(names[i]);
    }
    free(names);
    free(nodes);
    nametable_release(&table);
}

static void refused(const struct nametable_node *last, const char *why)
{
    struct nametable_node nodes[4];
    struct nametable table;
    struct err err;

    memcpy(nodes, tree, 3 * sizeof(*nodes));
    nodes[3] = *last;
    assert_false(nametable_make(&table, nodes, 4, SELF, MTIME, &err));
    assert_non_null(strstr(err.msg, why));
}

static void trees_that_no_image_has_are_refused(void **state)
{
    char name[NAMETABLE_NAME_MAX + 2];
    struct nametable_node node = {name, NULL, S_IFREG | 0644, 0};

    (void)state;
    memset(name, 'n', sizeof(name) - 1);
    name[sizeof(name) - 1] = '\0';
    refused(&node, "a name of 256 bytes");
    node = (struct nametable_node){"secret", NULL, S_IFDIR | 0700, 0};
    refused(&node, "not everybody may read it");
}

static bool is_believed(const struct nametable *table, size_t offset, uint64_t value, size_t size)
{
    char *bytes = xcalloc(table->size_bytes, 1);
    bool valid;

    memcpy(bytes, table->bytes, table->size_bytes);
    memcpy(bytes + offset, &value, size);
    valid =
        nametable_is_valid((const struct nametable_header *)(const void *)bytes, table->size_bytes);
    free(bytes);
    return valid;
}

#define BELIEVED(member, value)                                                                    \
    is_believed(&table, offsetof(struct nametable_header, member), value,                          \
                sizeof(((struct nametable_header *)NULL)->member))

static void damaged_headers_are_not_believed(void **state)
{
    struct nametable table = make(tree, COUNT);

    (void)state;
    assert_true(BELIEVED(mtime, 0));
    assert_false(BELIEVED(magic, 0));
    assert_false(BELIEVED(version, 2));
    assert_false(BELIEVED(count, 0));
    assert_false(BELIEVED(count, COUNT - 1));
    assert_false(BELIEVED(count, COUNT + 1));
    assert_false(BELIEVED(count, UINT32_MAX));
    assert_false(BELIEVED(self, COUNT));
    assert_false(BELIEVED(slot_bits, NAMETABLE_SLOT_BITS_MAX));
    assert_false(BELIEVED(slot_bits, 64));
    assert_false(BELIEVED(probe_max, NAMETABLE_PROBE_MAX + 1));
    assert_false(BELIEVED(size, table.size_bytes + 1));
    assert_false(BELIEVED(strings_size, 0));
    assert_false(BELIEVED(names_size, UINT32_MAX));
    assert_false(BELIEVED(strings_size, UINT32_MAX));
    for (uint64_t size = 0; size < table.size_bytes; size++)
        assert_false(nametable_is_valid(header_of(&table), size));
    nametable_release(&table);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(every_path_is_found_and_no_other),
        cmocka_unit_test(entries_say_what_stat_does),
        cmocka_unit_test(names_come_first_then_targets),
        cmocka_unit_test(the_same_tree_gives_the_same_bytes),
        cmocka_unit_test(thousands_are_found),
        cmocka_unit_test(trees_that_no_image_has_are_refused),
        cmocka_unit_test(damaged_headers_are_not_believed),
    };

    return cmocka_run_group_tests(tests, NULL, NULL);
}
