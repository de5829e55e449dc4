/* SPDX-License-Identifier: MIT */
/*
 * Compiled sources: answers RubyVM::InstructionSequence.load_iseq, which Ruby asks before it parses
 * a file (iseq.c of MRI, rb_iseq_load_iseq), from the pack of common/iseqpack.h.
 * iseqs.rb puts it there.
 *
 * A Ruby extension for every MRI from 2.7 on: it includes nothing of Ruby's, only calls functions
 * that each of them exports, and learns the values of nil and true from the Ruby that loads it.
 * Whatever is not right (another Ruby, a damaged pack, a file that is not in it, coverage, a
 * debugger, ruby -w) is answered with nil: then Ruby reads the source, as it would without us.
 */
#include <fcntl.h>
#include <stdbool.h>
#include <stdint.h>
#include <string.h>
#include <sys/mman.h>
#include <unistd.h>

#include "pack.h"

typedef uintptr_t VALUE;
typedef uintptr_t ID;

VALUE rb_eval_string(const char *text);
VALUE rb_path2class(const char *path);
VALUE rb_str_new(const char *text, long size);
VALUE rb_str_resize(VALUE text, long size);
VALUE rb_protect(VALUE (*call)(VALUE), VALUE argument, int *state);
VALUE rb_funcallv(VALUE self, ID name, int count, const VALUE *arguments);
VALUE *rb_ruby_verbose_ptr(void);
ID rb_intern(const char *name);
char *rb_string_value_cstr(volatile VALUE *text);
char *rb_string_value_ptr(volatile VALUE *text);
int rb_enc_get_index(VALUE text);
int rb_const_defined(VALUE module, ID name);
int rb_respond_to(VALUE self, ID name);
void rb_define_singleton_method(VALUE self, const char *name, void *method, int arity);
VALUE rb_singleton_class(VALUE object);
void rb_remove_method_id(VALUE class, ID name);
VALUE rb_require(const char *path);
void rb_define_module_function(VALUE module, const char *name, void *method, int arity);
void rb_gc_register_mark_object(VALUE object);
void rb_set_errinfo(VALUE error);
VALUE rb_define_module(const char *name);
/* Of ext/coverage; not in every build. */
VALUE rb_get_coverages(void) __attribute__((weak));
/* From Ruby 3.0 on. */
void rb_ext_ractor_safe(bool is_safe) __attribute__((weak));

__attribute__((visibility("default"))) void Init_iseqs(void);
__attribute__((visibility("default"))) void iseqs_await(const char *root);

enum { ROOT_MAX = 4096, LOADS_BETWEEN_DROPS = 32 };

static struct {
    struct pack pack; /* its bytes are NULL while there is none */
    char root[ROOT_MAX];
    unsigned int loads;
    VALUE class;
    VALUE object;
    VALUE nil;
    VALUE true_value;
    ID load;
    ID debugger;
    ID byebug;
    VALUE machine;
    ID keep_lines;          /* 0: this Ruby has no such switch */
    char starter[ROOT_MAX]; /* iseqs.rb, while it is not loaded */
} iseqs;

static bool keeps_lines(void)
{
    return iseqs.keep_lines != 0 &&
           rb_funcallv(iseqs.machine, iseqs.keep_lines, 0, NULL) == iseqs.true_value;
}

/* What needs the source to be parsed: warnings, coverage, debuggers that set breakpoints by node.
 */
static bool is_wanted(void)
{
    return !keeps_lines() && *rb_ruby_verbose_ptr() != iseqs.true_value &&
           (rb_get_coverages == NULL || rb_get_coverages() == 0 ||
            rb_get_coverages() == iseqs.nil) &&
           !rb_const_defined(iseqs.object, iseqs.debugger) &&
           !rb_const_defined(iseqs.object, iseqs.byebug);
}

/* All of the blob is copied (compile.rb has tried it). Until it is collected it would count as
 * memory for which Ruby collects. */
static VALUE call_load(VALUE blob)
{
    VALUE iseq = rb_funcallv(iseqs.class, iseqs.load, 1, &blob);

    (void)rb_str_resize(blob, 0);
    return iseq;
}

/* What was read stays in the page cache. In our memory it is of no more use, and counts. Meanwhile
 * another thread may have called stop(). */
static void drop_pages(void)
{
    if (++iseqs.loads % LOADS_BETWEEN_DROPS == 0 && iseqs.pack.bytes != NULL)
        (void)madvise((void *)(uintptr_t)iseqs.pack.bytes, iseqs.pack.size, MADV_DONTNEED);
}

static VALUE load_entry(const struct iseqpack_entry *entry, enum pack_encoding encoding)
{
    size_t size = pack_measure(&iseqs.pack, entry);
    volatile VALUE blob;
    VALUE iseq;
    int state = 0;

    if (size == 0)
        return iseqs.nil;
    blob = rb_str_new(NULL, (long)size);
    pack_fill(&iseqs.pack, entry, encoding, (unsigned char *)rb_string_value_ptr(&blob), size);
    iseq = rb_protect(call_load, blob, &state);
    drop_pages();
    if (state == 0)
        return iseq;
    rb_set_errinfo(iseqs.nil);
    return iseqs.nil;
}

static VALUE load_iseq(VALUE self, VALUE name)
{
    volatile VALUE text = name;
    const char *path = rb_string_value_cstr(&text);
    const struct iseqpack_entry *entry = NULL;

    (void)self;
    if (iseqs.pack.bytes != NULL && strncmp(path, iseqs.root, iseqs.pack.root_size) == 0 &&
        path[iseqs.pack.root_size] == '/' && is_wanted())
        entry = pack_find(&iseqs.pack, path + iseqs.pack.root_size + 1);
    if (entry == NULL)
        return iseqs.nil;
    /* Of the name that Ruby has found, as __FILE__ would have it: in the locale C it is US-ASCII.
     */
    return load_entry(entry, rb_enc_get_index(text) == PACK_US_ASCII ? PACK_US_ASCII : PACK_UTF_8);
}

/* Where there is no pack for it, and nobody else either: Ruby reads the source. */
static VALUE load_nothing(VALUE self, VALUE name)
{
    (void)self;
    (void)name;
    return iseqs.nil;
}

static bool map(const char *path)
{
    int fd = open(path, O_RDONLY | O_CLOEXEC);
    off_t size = fd >= 0 ? lseek(fd, 0, SEEK_END) : -1;
    void *bytes = MAP_FAILED;

    if (size > 0 && size <= PACK_MAX)
        bytes = mmap(NULL, (size_t)size, PROT_READ, MAP_SHARED, fd, 0);
    if (fd >= 0)
        close(fd);
    if (bytes == MAP_FAILED)
        return false;
    if (pack_open(&iseqs.pack, bytes, (size_t)size, iseqs.root))
        return true;
    munmap(bytes, (size_t)size);
    return false;
}

/* RucksackIseqs.start(root, pack): whether sources below root are taken from it from now on. */
static VALUE start(VALUE self, VALUE given_root, VALUE given_pack)
{
    volatile VALUE root = given_root;
    volatile VALUE file = given_pack;
    const char *path = rb_string_value_cstr(&root);
    size_t size = strlen(path);

    (void)self;
    if (iseqs.pack.bytes != NULL || size == 0 || size >= ROOT_MAX)
        return iseqs.nil;
    memcpy(iseqs.root, path, size + 1);
    if (!map(rb_string_value_cstr(&file)))
        return iseqs.nil;
    rb_define_singleton_method(iseqs.class, "load_iseq", (void *)load_nothing, 1);
    return iseqs.true_value;
}

/* RucksackIseqs.stop: sources are parsed again, as when other options of the compiler are set. */
static VALUE stop(VALUE self)
{
    (void)self;
    if (iseqs.pack.bytes != NULL)
        munmap((void *)(uintptr_t)iseqs.pack.bytes, iseqs.pack.size);
    iseqs.pack.bytes = NULL;
    return iseqs.nil;
}

static void learn(void)
{
    iseqs.nil = rb_eval_string("nil");
    iseqs.true_value = rb_eval_string("true");
    iseqs.object = rb_path2class("Object");
    iseqs.class = rb_path2class("RubyVM::InstructionSequence");
    iseqs.machine = rb_path2class("RubyVM");
    if (rb_respond_to(iseqs.machine, rb_intern("keep_script_lines")))
        iseqs.keep_lines = rb_intern("keep_script_lines");
    iseqs.load = rb_intern("load_from_binary");
    iseqs.debugger = rb_intern("DEBUGGER__");
    iseqs.byebug = rb_intern("Byebug");
}

static VALUE call_require(VALUE path)
{
    return rb_require((const char *)path);
}

/* Ruby's first file: by now all its options are set, which iseqs.rb looks at. It loads us again, as
 * an extension. */
static VALUE load_first(VALUE self, VALUE name)
{
    int state = 0;

    rb_remove_method_id(rb_singleton_class(iseqs.class), rb_intern("load_iseq"));
    if (!is_wanted())
        return iseqs.nil; /* operating_system.rb will try */
    (void)rb_protect(call_require, (VALUE)iseqs.starter, &state);
    if (state != 0)
        rb_set_errinfo(iseqs.nil);
    return load_iseq(self, name);
}

/* The guest calls this when Ruby has its classes, but has read no file yet. */
void iseqs_await(const char *root)
{
    static const char starter[] = "/" ISEQPACK_STARTER;
    size_t size = strlen(root);

    if (size + sizeof(starter) > sizeof(iseqs.starter))
        return;
    memcpy(iseqs.starter, root, size);
    memcpy(iseqs.starter + size, starter, sizeof(starter));
    learn();
    rb_define_singleton_method(iseqs.class, "load_iseq", (void *)load_first, 1);
}

void Init_iseqs(void)
{
    VALUE module = rb_define_module("RucksackIseqs");

    /* A Ractor requires files, too; what is here does not change once it has begun. */
    if (rb_ext_ractor_safe != NULL)
        rb_ext_ractor_safe(true);
    learn();
    rb_define_module_function(module, "start", (void *)start, 2);
    rb_define_module_function(module, "load_iseq", (void *)load_iseq, 1);
    rb_define_module_function(module, "stop", (void *)stop, 0);
}
