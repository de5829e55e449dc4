/* SPDX-License-Identifier: MIT */
#include "bundler/loader.h"

#include <ctype.h>
#include <elf.h>
#include <errno.h>
#include <fcntl.h>
#include <limits.h>
#include <stdint.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

#include "bundler/elf.h"
#include "common/cleanup.h"
#include "common/err.h"
#include "common/proc.h"
#include "common/xalloc.h"

enum {
    DIAGNOSTICS_MAX = 1 << 20,
    CACHE_MAX = 64 << 20,
    DEFAULT_DIRS_MAX = 64,
};

#define NOWHERE "/.no"

static bool unknown_loader(struct err *err, const char *path, const char *what)
{
    (void)err_set(err, ERR_INPUT, "the loader '%s' %s", path, what);
    (void)err_hint(err, "bundles need a Ruby that is linked against glibc");
    return err_id(err, "E-LIBC");
}

static void add_default_dir(struct loader *loader, const char *text, size_t len)
{
    loader->default_dirs = xrealloc_array(loader->default_dirs, loader->default_dir_count + 1,
                                          sizeof(*loader->default_dirs));
    loader->default_dirs[loader->default_dir_count++] = xstrndup(text, len);
}

static void clear_parameters(struct loader *loader)
{
    for (size_t i = 0; i < loader->default_dir_count; i++)
        free(loader->default_dirs[i]);
    free(loader->default_dirs);
    for (size_t i = 0; i < loader->variant_count; i++)
        free(loader->variants[i]);
    free(loader->variants);
    free(loader->lib);
    free(loader->platform);
    free(loader->cache_path);
    loader->default_dirs = NULL;
    loader->default_dir_count = 0;
    loader->variants = NULL;
    loader->variant_count = 0;
    loader->lib = NULL;
    loader->platform = NULL;
    loader->cache_path = NULL;
    loader->glibc_major = 0;
    loader->glibc_minor = 0;
}

/* "2.36" at the start of text */
static bool parse_version(struct loader *loader, const char *text)
{
    char *end;
    long major = strtol(text, &end, 10);
    long minor;

    if (end == text || *end != '.' || !isdigit((unsigned char)end[1]))
        return false;
    minor = strtol(end + 1, NULL, 10);
    if (major < 1 || major > 99 || minor < 0 || minor > 9999)
        return false;
    loader->glibc_major = (int)major;
    loader->glibc_minor = (int)minor;
    return true;
}

static void replace_text(char **text, char *value)
{
    free(*text);
    *text = value;
}

static void add_variant(struct loader *loader, char *dir)
{
    loader->variants =
        xrealloc_array(loader->variants, loader->variant_count + 1, sizeof(*loader->variants));
    loader->variants[loader->variant_count++] = dir;
}

/* What --list-diagnostics says about this machine's processor. */
struct processor {
    char *subdirs;   /* "x86-64-v4:x86-64-v3:x86-64-v2" */
    uint64_t active; /* which of them, the first one in bit 0 (dl-hwcaps_split_masked) */
};

static void processor_release(struct processor *processor)
{
    free(processor->subdirs);
}

/*
 * Before 2.37: every subset of these names, as a path, the longest first (_dl_important_hwcaps).
 * x86_64 is a capability there, and the platform, too.
 */
static void add_legacy_variants(struct loader *loader, bool is_x86_64)
{
    const char *parts[] = {"tls", loader->platform, "x86_64"};
    size_t count = loader->platform == NULL ? 1 : is_x86_64 ? 3 : 2;

    if (loader->glibc_major != 2 || loader->glibc_minor >= 37)
        return;
    for (size_t subset = (1u << count) - 1; subset > 0; subset--) {
        char *dir = xstrdup("");

        for (size_t i = 0; i < count; i++) {
            cleanup_free char *shorter = dir;

            if ((subset & 1u << (count - 1 - i)) == 0)
                dir = steal_ptr(&shorter);
            else
                dir = xasprintf("%s%s%s", shorter, shorter[0] == '\0' ? "" : "/", parts[i]);
        }
        add_variant(loader, dir);
    }
}

static void add_variants(struct loader *loader, const struct processor *processor)
{
    const char *at = processor->subdirs == NULL ? "" : processor->subdirs;

    for (uint64_t active = processor->active; *at != '\0'; active >>= 1) {
        size_t len = strcspn(at, ":");

        if ((active & 1) != 0)
            add_variant(loader, xasprintf("glibc-hwcaps/%.*s", (int)len, at));
        at += len + (at[len] == ':');
    }
    add_legacy_variants(loader, processor->subdirs != NULL &&
                                    strncmp(processor->subdirs, "x86-64-", 7) == 0);
}

static bool take_processor(struct processor *processor, const char *line, size_t len)
{
    static const char subdirs[] = "dl_hwcaps_subdirs=\"";
    static const char active[] = "dl_hwcaps_subdirs_active=0x";

    if (len > strlen(subdirs) && strncmp(line, subdirs, strlen(subdirs)) == 0) {
        free(processor->subdirs);
        processor->subdirs = xstrndup(line + strlen(subdirs), len - strlen(subdirs) - 1);
        return true;
    }
    if (len <= strlen(active) || strncmp(line, active, strlen(active)) != 0)
        return false;
    processor->active = strtoull(line + strlen(active), NULL, 16);
    return true;
}

/* One line of --list-diagnostics: name="value". Strings that need escapes hold a backslash. */
static bool take_diagnostic(struct loader *loader, const char *line, size_t len)
{
    const char *equals = memchr(line, '=', len);
    const char *value = equals == NULL ? NULL : equals + 2;
    size_t name_len = equals == NULL ? 0 : (size_t)(equals - line);
    size_t value_len;

    if (equals == NULL || len < name_len + 3 || equals[1] != '"' || line[len - 1] != '"')
        return true;
    value_len = (size_t)(line + len - 1 - value);
#define IS(text) (name_len == strlen(text) && memcmp(line, text, name_len) == 0)
    if (IS("dl_dst_lib")) {
        replace_text(&loader->lib, xstrndup(value, value_len));
    } else if (IS("dl_platform")) {
        replace_text(&loader->platform, xstrndup(value, value_len));
    } else if (IS("path.sysconfdir")) {
        replace_text(&loader->cache_path, xasprintf("%.*s/ld.so.cache", (int)value_len, value));
    } else if (IS("version.version")) {
        cleanup_free char *version = xstrndup(value, value_len);

        return parse_version(loader, version);
    } else if (strncmp(line, "path.system_dirs[", strlen("path.system_dirs[")) == 0) {
        if (value_len < strlen(NOWHERE) + 1 || value[0] != '/' || value[value_len - 1] != '/' ||
            memchr(value, '\\', value_len) != NULL || loader->default_dir_count == DEFAULT_DIRS_MAX)
            return false;
        add_default_dir(loader, value, value_len);
    }
#undef IS
    return true;
}

/* False when this loader cannot be asked; the caller then reads it. */
static bool ask(struct loader *loader)
{
    const char *const argv[] = {loader->path, "--list-diagnostics", NULL};
    const char *const envp[] = {NULL};
    cleanup_with(proc_output_release) struct proc_output output = {0};
    cleanup_with(processor_release) struct processor processor = {0};
    struct err ignored = {0};

    if (!proc_capture(
            &(struct proc_request){.argv = argv, .envp = envp, .output_max_bytes = DIAGNOSTICS_MAX},
            &output, &ignored) ||
        output.exit_code != 0)
        return false;
    for (const char *line = output.out; *line != '\0';) {
        size_t len = strcspn(line, "\n");

        if (!take_processor(&processor, line, len) && !take_diagnostic(loader, line, len))
            return false;
        line += len + (line[len] == '\n');
    }
    if (loader->default_dir_count == 0 || loader->lib == NULL || loader->cache_path == NULL ||
        loader->glibc_major == 0)
        return false;
    add_variants(loader, &processor);
    return true;
}

bool loader_takes_argv0(const struct loader *loader)
{
    return loader->glibc_major > 2 || (loader->glibc_major == 2 && loader->glibc_minor >= 33);
}

/* Length of the directory string at text, "/usr/lib/" without its NUL, or 0. */
static size_t dir_length(const char *text, size_t left)
{
    size_t len = strnlen(text, left);

    if (len == left || len <= strlen(NOWHERE) || text[0] != '/' || text[len - 1] != '/')
        return 0;
    for (size_t i = 0; i < len; i++)
        if (!isgraph((unsigned char)text[i]))
            return 0;
    return memmem(text, len, "/lib", 4) != NULL ? len : 0;
}

static size_t count_dirs(const char *text, size_t left)
{
    size_t count = 0;
    size_t len;

    while (count < DEFAULT_DIRS_MAX && (len = dir_length(text, left)) > 0) {
        count++;
        text += len + 1;
        left -= len + 1;
    }
    return count;
}

/* system_dirs[] is the longest run of directory strings in the file. */
static void find_default_dirs(struct loader *loader, const char *bytes, size_t size)
{
    const char *best = NULL;
    size_t best_count = 0;
    const char *at = bytes;

    while ((at = memmem(at, size - (size_t)(at - bytes), "\0/", 2)) != NULL) {
        size_t count;

        at++;
        count = count_dirs(at, size - (size_t)(at - bytes));
        if (count > best_count) {
            best = at;
            best_count = count;
        }
    }
    for (size_t i = 0; i < best_count; i++) {
        size_t len = strlen(best);

        add_default_dir(loader, best, len);
        best += len + 1;
    }
}

/* The next string that ends in `suffix`, which begins with a slash; whole, from its first byte. */
static char *find_path(char *bytes, size_t size, char *from, const char *suffix)
{
    char *at = memmem(from, size - (size_t)(from - bytes), suffix, strlen(suffix) + 1);

    while (at != NULL) {
        char *start = at;

        while (start > bytes && isgraph((unsigned char)start[-1]))
            start--;
        if (start[0] == '/' && start > bytes && start[-1] == '\0')
            return start;
        at = memmem(at + 1, size - (size_t)(at + 1 - bytes), suffix, strlen(suffix) + 1);
    }
    return NULL;
}

/* dl_dst_lib of glibc: slibdir without its prefix. The first default directory is slibdir. */
static char *lib_of(const char *dir)
{
    const char *text = strncmp(dir, "/usr/", 5) == 0 ? dir + 5 : dir + 1;

    return xstrndup(text, strlen(text) - 1);
}

/*
 * Since 2.34 the loader holds its own --version text. Before, its file was called ld-2.31.so and
 * PT_INTERP led there by a symlink.
 */
static bool find_version(struct loader *loader, const char *bytes, size_t size)
{
    static const char marker[] = "stable release version ";
    const char *text = memmem(bytes, size, marker, strlen(marker));
    cleanup_free char *real = NULL;
    const char *base;

    if (text != NULL && memchr(text, '\0', size - (size_t)(text - bytes)) != NULL)
        return parse_version(loader, text + strlen(marker));
    real = realpath(loader->path, NULL);
    base = real == NULL ? NULL : strrchr(real, '/') + 1;
    return base != NULL && strncmp(base, "ld-", 3) == 0 && parse_version(loader, base + 3);
}

static bool read_parameters(struct loader *loader, const struct elf *elf, struct err *err)
{
    char *bytes = (char *)(uintptr_t)elf->bytes;
    const char *cache;

    clear_parameters(loader);
    find_default_dirs(loader, bytes, elf->size_bytes);
    cache = find_path(bytes, elf->size_bytes, bytes, "/ld.so.cache");
    if (loader->default_dir_count == 0 || cache == NULL ||
        !find_version(loader, bytes, elf->size_bytes))
        return unknown_loader(err, loader->path, "is not one of a known glibc");
    loader->cache_path = xstrdup(cache);
    loader->lib = lib_of(loader->default_dirs[0]);
    if (elf->machine == EM_X86_64)
        loader->platform = xstrdup("x86_64");
    else if (elf->machine == EM_AARCH64)
        loader->platform = xstrdup("aarch64");
    return true;
}

static bool start(struct loader *ret, struct elf *elf, const char *interp, struct err *err)
{
    const char *base = strrchr(interp, '/');

    if (base == NULL || interp[0] != '/')
        return unknown_loader(err, interp, "is not an absolute path");
    if (strncmp(base, "/ld-musl-", strlen("/ld-musl-")) == 0) {
        (void)err_set(err, ERR_INPUT, "the loader '%s' is musl's", interp);
        (void)err_hint(err, "musl is not supported yet: build with a Ruby linked against glibc, "
                            "for example in a Debian container");
        return err_id(err, "E-LIBC");
    }
    if (!elf_open(elf, interp, err))
        return err_wrap(err, "loader");
    ret->path = xstrdup(interp);
    ret->soname = elf->soname == NULL ? NULL : xstrdup(elf->soname);
    return true;
}

bool loader_from_bytes(struct loader *ret, const char *interp, struct err *err)
{
    cleanup_with(elf_release) struct elf elf = {0};
    struct loader loader = {0};

    if (!start(&loader, &elf, interp, err) || !read_parameters(&loader, &elf, err)) {
        loader_release(&loader);
        return false;
    }
    *ret = loader;
    return true;
}

bool loader_open(struct loader *ret, const struct elf *program, struct err *err)
{
    cleanup_with(elf_release) struct elf elf = {0};
    struct loader loader = {0};

    if (program->interp == NULL) {
        (void)err_set(err, ERR_INPUT, "'%s' is statically linked", program->path);
        (void)err_hint(err, "static Rubies are not supported yet: use one that is linked "
                            "dynamically");
        return err_id(err, "E-STATIC");
    }
    if (!start(&loader, &elf, program->interp, err) ||
        (!ask(&loader) && !read_parameters(&loader, &elf, err))) {
        loader_release(&loader);
        return false;
    }
    loader_read_cache(&loader, program, loader.cache_path);
    *ret = loader;
    return true;
}

void loader_release(struct loader *loader)
{
    if (loader == NULL)
        return;
    clear_parameters(loader);
    free(loader->path);
    free(loader->soname);
    free(loader->cache_bytes);
    free(loader->cache_entries);
    *loader = (struct loader){0};
}

static bool read_small_file(const char *path, size_t max, char **ret, size_t *ret_size)
{
    cleanup_fd int fd = open(path, O_RDONLY | O_CLOEXEC | O_NONBLOCK | O_NOCTTY);
    cleanup_free char *bytes = NULL;
    size_t used = 0;
    struct stat st;

    if (fd < 0 || fstat(fd, &st) < 0 || !S_ISREG(st.st_mode) || st.st_size > (off_t)max)
        return false;
    bytes = xcalloc((size_t)st.st_size + 1, 1);
    while (used < (size_t)st.st_size) {
        ssize_t got = read(fd, bytes + used, (size_t)st.st_size - used);

        if (got < 0 && errno == EINTR)
            continue;
        if (got <= 0)
            break;
        used += (size_t)got;
    }
    *ret = steal_ptr(&bytes);
    *ret_size = used;
    return true;
}

/* flags of a cache entry: libc6 in the low byte, ABI in the high one (dl-cache.h) */
static uint32_t cache_abi(const struct elf *program)
{
    bool is_64 = program->elf_class == ELFCLASS64;

    switch (program->machine) {
    case EM_X86_64:
        return is_64 ? 0x0303 : 0x0803;
    case EM_AARCH64:
        return 0x0a03;
    case EM_PPC64:
        return 0x0503;
    case EM_S390:
        return is_64 ? 0x0403 : 0x0003;
    case EM_RISCV:
        return 0x1003;
    case EM_LOONGARCH:
        return 0x1203;
    default:
        return 0x0003;
    }
}

static uint32_t word(const char *bytes)
{
    uint32_t value;

    memcpy(&value, bytes, sizeof(value));
    return value;
}

/* The cache that old and new loaders can read is an old one with the new one behind it. */
static size_t new_cache_start(const char *bytes, size_t size)
{
    static const char old_magic[] = "ld.so-1.7.0";
    uint64_t end;

    if (size < 16 || memcmp(bytes, old_magic, strlen(old_magic)) != 0)
        return 0;
    end = 16 + (uint64_t)word(bytes + 12) * 12;
    end = (end + 7) / 8 * 8;
    return end > size ? size : (size_t)end;
}

static const char *cache_string(const char *bytes, size_t size, uint32_t offset)
{
    if (offset >= size || memchr(bytes + offset, '\0', size - offset) == NULL)
        return NULL;
    return bytes + offset;
}

/* The strings of the section with tag 1: names of directories below glibc-hwcaps. */
struct cache_hwcaps {
    const char *bytes; /* of the whole cache */
    size_t size;
    size_t offset; /* of the array */
    size_t count;
};

static void find_cache_hwcaps(struct cache_hwcaps *ret, const char *bytes, size_t size)
{
    enum { MAGIC = 0xeaa42174, SECTION = 16, TAG_HWCAPS = 1 };
    size_t start = word(bytes + 32);
    size_t count;

    *ret = (struct cache_hwcaps){.bytes = bytes, .size = size};
    if (start == 0 || start > size || size - start < 8 || word(bytes + start) != (uint32_t)MAGIC)
        return;
    count = word(bytes + start + 4);
    if (count > (size - start - 8) / SECTION)
        return;
    for (size_t i = 0; i < count; i++) {
        const char *section = bytes + start + 8 + i * SECTION;
        size_t offset = word(section + 8);
        size_t length = word(section + 12);

        if (word(section) != TAG_HWCAPS || offset > size || length > size - offset)
            continue;
        ret->offset = offset;
        ret->count = length / 4;
    }
}

/* 0: the base file; 1 + index in loader->variants; -1: nothing for this machine. */
static long cache_variant(const struct loader *loader, const struct cache_hwcaps *hwcaps,
                          const char *entry)
{
    static const char prefix[] = "glibc-hwcaps/";
    uint32_t index = word(entry + 16);
    uint32_t high = word(entry + 20);
    const char *name;

    if (index == 0 && high == 0)
        return 0;
    /* bit 62 says that the lower half is an index; ten bits above it are the least ISA level */
    if (high >> 10 != 1u << 20 || index >= hwcaps->count)
        return -1;
    name = cache_string(hwcaps->bytes, hwcaps->size,
                        word(hwcaps->bytes + hwcaps->offset + 4 * (size_t)index));
    for (size_t i = 0; name != NULL && i < loader->variant_count; i++)
        if (strncmp(loader->variants[i], prefix, strlen(prefix)) == 0 &&
            strcmp(loader->variants[i] + strlen(prefix), name) == 0)
            return (long)i + 1;
    return -1;
}

/* Of equal names the one that came first in the file stays first. */
static int compare_entries(const void *left, const void *right)
{
    const struct loader_cache_entry *a = left;
    const struct loader_cache_entry *b = right;
    int order = strcmp(a->name, b->name);

    if (order != 0)
        return order;
    return a->order < b->order ? -1 : a->order > b->order;
}

static void take_cache_entries(struct loader *loader, const char *bytes, size_t size, uint32_t abi)
{
    enum { HEADER = 48, ENTRY = 24 };
    static const char magic[] = "glibc-ld.so.cache1.1";
    const unsigned native = __BYTE_ORDER__ == __ORDER_LITTLE_ENDIAN__ ? 2 : 3;
    struct cache_hwcaps hwcaps;
    size_t count;

    if (size < HEADER || memcmp(bytes, magic, strlen(magic)) != 0)
        return;
    if ((bytes[28] & 3) != 0 && (unsigned)(bytes[28] & 3) != native)
        return;
    count = word(bytes + 20);
    if (count > (size - HEADER) / ENTRY)
        return;
    find_cache_hwcaps(&hwcaps, bytes, size);
    loader->cache_entries = xcalloc(count, sizeof(*loader->cache_entries));
    for (size_t i = 0; i < count; i++) {
        const char *entry = bytes + HEADER + i * ENTRY;
        const char *name = cache_string(bytes, size, word(entry + 4));
        const char *path = cache_string(bytes, size, word(entry + 8));
        long variant = cache_variant(loader, &hwcaps, entry);

        if (word(entry) == abi && variant >= 0 && name != NULL && path != NULL && path[0] == '/')
            loader->cache_entries[loader->cache_count++] = (struct loader_cache_entry){
                .name = name, .path = path, .order = i, .variant = (size_t)variant};
    }
    qsort(loader->cache_entries, loader->cache_count, sizeof(*loader->cache_entries),
          compare_entries);
}

void loader_read_cache(struct loader *loader, const struct elf *program, const char *path)
{
    size_t size;
    size_t start_offset;

    free(loader->cache_bytes);
    free(loader->cache_entries);
    loader->cache_bytes = NULL;
    loader->cache_entries = NULL;
    loader->cache_count = 0;
    if (!read_small_file(path, CACHE_MAX, &loader->cache_bytes, &size))
        return;
    start_offset = new_cache_start(loader->cache_bytes, size);
    take_cache_entries(loader, loader->cache_bytes + start_offset, size - start_offset,
                       cache_abi(program));
}

/* The first entry of a name. */
static size_t first_entry(const struct loader *loader, const char *soname)
{
    size_t low = 0;
    size_t high = loader->cache_count;

    while (low < high) {
        size_t middle = low + (high - low) / 2;

        if (strcmp(loader->cache_entries[middle].name, soname) < 0)
            low = middle + 1;
        else
            high = middle;
    }
    return low;
}

const char *loader_cache_find(const struct loader *loader, const char *soname)
{
    for (size_t i = first_entry(loader, soname);
         i < loader->cache_count && strcmp(loader->cache_entries[i].name, soname) == 0; i++)
        if (loader->cache_entries[i].variant == 0)
            return loader->cache_entries[i].path;
    return NULL;
}

bool loader_uses_variant(const struct loader *loader, size_t variant, const char *mask)
{
    static const char prefix[] = "glibc-hwcaps/";
    const char *name = loader->variants[variant] + strlen(prefix);

    if (mask == NULL || strncmp(loader->variants[variant], prefix, strlen(prefix)) != 0)
        return true;
    for (const char *at = mask; *at != '\0';) {
        size_t len = strcspn(at, ":");

        if (len == strlen(name) && strncmp(at, name, len) == 0)
            return true;
        at += len + (at[len] == ':');
    }
    return false;
}

const char *loader_cache_find_here(const struct loader *loader, const char *soname,
                                   const char *mask)
{
    const struct loader_cache_entry *best = NULL;

    for (size_t i = first_entry(loader, soname);
         i < loader->cache_count && strcmp(loader->cache_entries[i].name, soname) == 0; i++) {
        const struct loader_cache_entry *entry = &loader->cache_entries[i];

        if (entry->variant > 0 && !loader_uses_variant(loader, entry->variant - 1, mask))
            continue;
        if (best == NULL ||
            (entry->variant > 0 && (best->variant == 0 || entry->variant < best->variant)))
            best = entry;
    }
    return best == NULL ? NULL : best->path;
}

/* Same length: "/.no", slashes, and the last component where there is one. */
static void send_nowhere(char *path, size_t len)
{
    const char *slash = memrchr(path, '/', len);
    size_t keep = (size_t)(slash - path);

    memcpy(path, NOWHERE, strlen(NOWHERE));
    if (keep > strlen(NOWHERE))
        memset(path + strlen(NOWHERE), '/', keep - strlen(NOWHERE));
}

static bool hide_default_dirs(const struct loader *loader, char *bytes, size_t size,
                              struct err *err)
{
    cleanup_free char *block = NULL;
    size_t block_size = 0;
    bool found = false;
    char *at = bytes;

    for (size_t i = 0; i < loader->default_dir_count; i++) {
        size_t len = strlen(loader->default_dirs[i]) + 1;

        block = xrealloc_array(block, block_size + len, 1);
        memcpy(block + block_size, loader->default_dirs[i], len);
        block_size += len;
    }
    while (block_size > 0 &&
           (at = memmem(at, size - (size_t)(at - bytes), block, block_size)) != NULL) {
        for (char *end = at + block_size; at < end; at += strlen(at) + 1)
            send_nowhere(at, strlen(at));
        found = true;
    }
    return found || unknown_loader(err, loader->path, "does not show its default directories");
}

static bool hide_file(const struct loader *loader, char *bytes, size_t size, const char *suffix,
                      struct err *err)
{
    char *at = find_path(bytes, size, bytes, suffix);

    if (at == NULL)
        return unknown_loader(err, loader->path, "does not show the path of a configuration file");
    for (; at != NULL; at = find_path(bytes, size, at, suffix)) {
        size_t len = strlen(at);

        if (len < strlen(NOWHERE) + strlen(suffix))
            return unknown_loader(err, loader->path, "has a path that is too short to hide");
        send_nowhere(at, len);
        at += len;
    }
    return true;
}

bool loader_make_hermetic(const struct loader *loader, char *bytes, size_t size_bytes,
                          struct err *err)
{
    return hide_default_dirs(loader, bytes, size_bytes, err) &&
           hide_file(loader, bytes, size_bytes, "/ld.so.cache", err) &&
           hide_file(loader, bytes, size_bytes, "/ld.so.preload", err);
}
