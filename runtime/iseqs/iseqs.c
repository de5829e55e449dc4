/* SPDX-License-Identifier: MIT */
/*
 * Compiled sources: answers RubyVM::InstructionSequence.load_iseq, which Ruby asks before it parses a
 * file (iseq.c of MRI, rb_iseq_load_iseq), from the pack of common/iseqpack.h.
 *
 * A Ruby extension for every MRI from 2.7 on: it includes nothing of Ruby's, only calls functions that
 * each of them exports, and learns the values of nil and true from the Ruby that loads it. Whatever is
 * not right (another Ruby, a damaged pack, a file that is not in it, coverage, a debugger, ruby -w) is
 * answered with nil: then Ruby reads the source, as it would without us.
 */
#include <fcntl.h>
#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>
#include <string.h>
#include <sys/mman.h>
#include <unistd.h>

#include "common/iseqpack.h"

typedef uintptr_t VALUE;
typedef uintptr_t ID;

VALUE rb_eval_string(const char *text);
VALUE rb_path2class(const char *path);
VALUE rb_str_new(const char *text, long size);
VALUE rb_protect(VALUE (*call)(VALUE), VALUE argument, int *state);
VALUE rb_funcallv(VALUE self, ID name, int count, const VALUE *arguments);
VALUE *rb_ruby_verbose_ptr(void);
ID rb_intern(const char *name);
char *rb_string_value_cstr(volatile VALUE *text);
char *rb_string_value_ptr(volatile VALUE *text);
int rb_const_defined(VALUE module, ID name);
int rb_respond_to(VALUE self, ID name);
void rb_define_singleton_method(VALUE self, const char *name, void *method, int arity);
void rb_define_module_function(VALUE module, const char *name, void *method, int arity);
void rb_gc_register_mark_object(VALUE object);
void rb_set_errinfo(VALUE error);
VALUE rb_define_module(const char *name);
/* Of ext/coverage; not in every build. */
VALUE rb_get_coverages(void) __attribute__((weak));

__attribute__((visibility("default"))) void Init_iseqs(void);

enum {
    ROOT_MAX = 4096,
    PACK_MAX = 1 << 30,
    BLOB_SIZE_AT = 12, /* of ibf_header: magic, two versions, size */
    BLOB_MIN = 36,
    NUMBER_MAX = 9, /* bytes of an ibf number */
};

static struct {
    const unsigned char *bytes; /* NULL: there is none */
    size_t size;
    const struct iseqpack_entry *entries;
    uint32_t count;
    char root[ROOT_MAX];
    size_t root_size;
    VALUE class;
    VALUE object;
    VALUE nil;
    VALUE true_value;
    ID load;
    ID debugger;
    ID byebug;
    VALUE machine;
    ID keep_lines; /* 0: this Ruby has no such switch */
} pack;

static bool holds(uint64_t offset, uint64_t size)
{
    return offset <= pack.size && size <= pack.size - offset;
}

static uint32_t word_at(const unsigned char *at)
{
    uint32_t word;

    memcpy(&word, at, sizeof(word));
    return word;
}

/* An ibf number (ibf_load_small_value): zero bits at the low end of the first byte, then a one, tell
 * how many bytes follow. Returns how many it has, 0 for what is none. */
static size_t read_number(const unsigned char *at, size_t room, uint64_t *ret)
{
    size_t size = room == 0 ? 0 : at[0] == 0 ? NUMBER_MAX : (size_t)__builtin_ctz(at[0]) + 1;

    if (size == 0 || size > room)
        return 0;
    *ret = size >= NUMBER_MAX ? 0 : (uint64_t)at[0] >> size;
    for (size_t i = 1; i < size; i++)
        *ret = *ret << 8 | at[i];
    return size;
}

static size_t write_number(unsigned char *to, uint64_t value)
{
    size_t size = 1;

    while (size < NUMBER_MAX - 1 && value >> (7 * size) != 0)
        size++;
    for (size_t i = size; i-- > 1; value >>= 8)
        to[i] = (unsigned char)value;
    to[0] = (unsigned char)((value << size) | (1u << (size - 1)));
    return size;
}

/* A text of a blob: its object's first byte and encoding, then its bytes. */
struct text {
    const unsigned char *head;
    size_t head_size;
    const unsigned char *bytes;
    size_t size;
};

static bool read_text(const unsigned char *blob, size_t blob_size, uint32_t offset, struct text *ret)
{
    uint64_t number;
    size_t encoding;
    size_t length;

    if (offset >= blob_size)
        return false;
    ret->head = blob + offset;
    encoding = read_number(ret->head + 1, blob_size - offset - 1, &number);
    if (encoding == 0)
        return false;
    ret->head_size = 1 + encoding;
    length = read_number(ret->head + ret->head_size, blob_size - offset - ret->head_size, &number);
    ret->bytes = ret->head + ret->head_size + length;
    ret->size = (size_t)number;
    return length != 0 && number <= blob_size - offset - ret->head_size - length;
}

/* Where the mark stands, or the end. */
static size_t find_mark(const unsigned char *bytes, size_t size, size_t from)
{
    static const char mark[] = ISEQPACK_ROOT;

    for (size_t at = from; at + sizeof(mark) - 1 <= size; at++)
        if (memcmp(bytes + at, mark, sizeof(mark) - 1) == 0)
            return at;
    return size;
}

static size_t rooted_size(const struct text *text)
{
    size_t size = text->size;

    for (size_t at = 0; (at = find_mark(text->bytes, text->size, at)) < text->size;
         at += sizeof(ISEQPACK_ROOT) - 1)
        size += pack.root_size - (sizeof(ISEQPACK_ROOT) - 1);
    return size;
}

/* The object once more, with the root in the place of the mark. Returns what it wrote. */
static size_t write_rooted(unsigned char *to, const struct text *text)
{
    unsigned char *start = to;
    size_t from = 0;

    memcpy(to, text->head, text->head_size);
    to += text->head_size;
    to += write_number(to, rooted_size(text));
    while (from < text->size) {
        size_t at = find_mark(text->bytes, text->size, from);

        memcpy(to, text->bytes + from, at - from);
        to += at - from;
        from = at;
        if (at < text->size) {
            memcpy(to, pack.root, pack.root_size);
            to += pack.root_size;
            from += sizeof(ISEQPACK_ROOT) - 1;
        }
    }
    return (size_t)(to - start);
}

/* The n-th text of an entry: where the word is that points to it, and what it points to. */
static bool text_of(const struct iseqpack_entry *entry, uint32_t n, uint32_t *ret_word,
                    struct text *ret)
{
    const unsigned char *blob = pack.bytes + entry->blob_offset;
    uint32_t word = word_at(pack.bytes + entry->texts_offset + (size_t)n * sizeof(uint32_t));

    if (word > entry->blob_size - sizeof(uint32_t))
        return false;
    *ret_word = word;
    return read_text(blob, entry->blob_size, word_at(blob + word), ret);
}

static bool is_sound(const struct iseqpack_entry *entry)
{
    return entry->blob_size >= BLOB_MIN && holds(entry->blob_offset, entry->blob_size) &&
           holds(entry->texts_offset, (uint64_t)entry->texts_count * sizeof(uint32_t));
}

/* How many bytes the blob has with its texts for this root behind it; 0: damaged. */
static size_t measure(const struct iseqpack_entry *entry)
{
    size_t size = entry->blob_size;
    struct text text;
    uint32_t word;

    for (uint32_t i = 0; i < entry->texts_count; i++) {
        if (!text_of(entry, i, &word, &text))
            return 0;
        size += text.head_size + NUMBER_MAX + rooted_size(&text);
        if (size > PACK_MAX)
            return 0;
    }
    return size;
}

/* Copies the blob and lets its object list point to texts for this root. */
static void fill(unsigned char *to, size_t room, const struct iseqpack_entry *entry)
{
    size_t size = entry->blob_size;
    uint32_t total;
    struct text text;
    uint32_t word;

    memcpy(to, pack.bytes + entry->blob_offset, entry->blob_size);
    for (uint32_t i = 0; i < entry->texts_count && text_of(entry, i, &word, &text); i++) {
        uint32_t offset = (uint32_t)size;

        size += write_rooted(to + size, &text);
        memcpy(to + word, &offset, sizeof(offset));
    }
    memset(to + size, 0, room - size);
    total = (uint32_t)room;
    memcpy(to + BLOB_SIZE_AT, &total, sizeof(total));
}

static int compare(const char *path, size_t size, const struct iseqpack_entry *entry)
{
    size_t least = size < entry->path_size ? size : entry->path_size;
    int order = memcmp(path, pack.bytes + entry->path_offset, least);

    return order != 0 ? order : (size > entry->path_size) - (size < entry->path_size);
}

static const struct iseqpack_entry *find(const char *path)
{
    size_t size = strlen(path);
    uint32_t low = 0;
    uint32_t high = pack.count;

    while (low < high) {
        uint32_t middle = low + (high - low) / 2;
        const struct iseqpack_entry *entry = &pack.entries[middle];
        int order;

        if (!holds(entry->path_offset, entry->path_size))
            return NULL;
        order = compare(path, size, entry);
        if (order == 0)
            return is_sound(entry) ? entry : NULL;
        if (order < 0)
            high = middle;
        else
            low = middle + 1;
    }
    return NULL;
}

static bool keeps_lines(void)
{
    return pack.keep_lines != 0 &&
           rb_funcallv(pack.machine, pack.keep_lines, 0, NULL) == pack.true_value;
}

/* What needs the source to be parsed: warnings, coverage, debuggers that set breakpoints by node. */
static bool is_wanted(void)
{
    return !keeps_lines() && *rb_ruby_verbose_ptr() != pack.true_value &&
           (rb_get_coverages == NULL || rb_get_coverages() == 0 || rb_get_coverages() == pack.nil) &&
           !rb_const_defined(pack.object, pack.debugger) &&
           !rb_const_defined(pack.object, pack.byebug);
}

static VALUE call_load(VALUE blob)
{
    return rb_funcallv(pack.class, pack.load, 1, &blob);
}

static VALUE load_entry(const struct iseqpack_entry *entry)
{
    size_t size = measure(entry);
    volatile VALUE blob;
    VALUE iseq;
    int state = 0;

    if (size == 0)
        return pack.nil;
    blob = rb_str_new(NULL, (long)size);
    fill((unsigned char *)rb_string_value_ptr(&blob), size, entry);
    iseq = rb_protect(call_load, blob, &state);
    if (state == 0)
        return iseq;
    rb_set_errinfo(pack.nil);
    return pack.nil;
}

static VALUE load_iseq(VALUE self, VALUE name)
{
    volatile VALUE text = name;
    const char *path = rb_string_value_cstr(&text);
    const struct iseqpack_entry *entry = NULL;

    (void)self;
    if (pack.bytes != NULL && strncmp(path, pack.root, pack.root_size) == 0 &&
        path[pack.root_size] == '/' && is_wanted())
        entry = find(path + pack.root_size + 1);
    return entry != NULL ? load_entry(entry) : pack.nil;
}

static bool map(const char *path)
{
    const struct iseqpack_header *header;
    int fd = open(path, O_RDONLY | O_CLOEXEC);
    off_t size = fd >= 0 ? lseek(fd, 0, SEEK_END) : -1;
    void *bytes = MAP_FAILED;

    if (size >= (off_t)sizeof(*header) && size <= PACK_MAX)
        bytes = mmap(NULL, (size_t)size, PROT_READ, MAP_SHARED, fd, 0);
    if (fd >= 0)
        close(fd);
    if (bytes == MAP_FAILED)
        return false;
    header = bytes;
    pack.size = (size_t)size;
    if (memcmp(header->magic, ISEQPACK_MAGIC, sizeof(header->magic)) != 0 ||
        header->count > (pack.size - sizeof(*header)) / sizeof(*pack.entries)) {
        munmap(bytes, pack.size);
        return false;
    }
    pack.entries = (const struct iseqpack_entry *)(header + 1);
    pack.count = header->count;
    pack.bytes = bytes;
    return true;
}

/* RucksackIseqs.start(root, pack): whether sources below root are taken from it from now on. */
static VALUE start(VALUE self, VALUE given_root, VALUE given_pack)
{
    volatile VALUE root = given_root;
    volatile VALUE file = given_pack;
    const char *path = rb_string_value_cstr(&root);
    size_t size = strlen(path);

    (void)self;
    if (pack.bytes != NULL || size == 0 || size >= ROOT_MAX || !map(rb_string_value_cstr(&file)))
        return pack.nil;
    memcpy(pack.root, path, size + 1);
    pack.root_size = size;
    rb_define_singleton_method(pack.class, "load_iseq", (void *)load_iseq, 1);
    return pack.true_value;
}

/* RucksackIseqs.stop: sources are parsed again, as when other options of the compiler are set. */
static VALUE stop(VALUE self)
{
    (void)self;
    if (pack.bytes != NULL)
        munmap((void *)(uintptr_t)pack.bytes, pack.size);
    pack.bytes = NULL;
    return pack.nil;
}

void Init_iseqs(void)
{
    VALUE module = rb_define_module("RucksackIseqs");

    pack.nil = rb_eval_string("nil");
    pack.true_value = rb_eval_string("true");
    pack.object = rb_path2class("Object");
    pack.class = rb_path2class("RubyVM::InstructionSequence");
    pack.machine = rb_path2class("RubyVM");
    if (rb_respond_to(pack.machine, rb_intern("keep_script_lines")))
        pack.keep_lines = rb_intern("keep_script_lines");
    pack.load = rb_intern("load_from_binary");
    pack.debugger = rb_intern("DEBUGGER__");
    pack.byebug = rb_intern("Byebug");
    rb_define_module_function(module, "start", (void *)start, 2);
    rb_define_module_function(module, "stop", (void *)stop, 0);
}
