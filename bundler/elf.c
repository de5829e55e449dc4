/* SPDX-License-Identifier: MIT */
#include "bundler/elf.h"

#include <errno.h>
#include <fcntl.h>
#include <gelf.h>
#include <libelf.h>
#include <stdarg.h>
#include <stdlib.h>
#include <string.h>
#include <sys/mman.h>
#include <sys/stat.h>
#include <unistd.h>

#include "common/cleanup.h"
#include "common/err.h"
#include "common/xalloc.h"

struct elf_load {
    uint64_t vaddr;
    uint64_t offset;
    uint64_t file_size;
    uint32_t flags;
};

/* A DT_AUXILIARY or DT_FILTER whose name is an offset still. */
struct raw_filter {
    uint64_t name;
    bool is_auxiliary;
    size_t needed_before;
};

/* Where the interesting parts of PT_DYNAMIC are; string offsets wait for the string table. */
struct dynamic {
    uint64_t strtab;
    uint64_t strsz;
    bool has_strtab;
    bool has_strsz;
    uint64_t *needed;
    size_t needed_count;
    size_t needed_capacity;
    struct raw_filter *filters;
    size_t filter_count;
    size_t filter_capacity;
    uint64_t soname;
    uint64_t rpath;
    uint64_t runpath;
    bool has_soname;
    bool has_rpath;
    bool has_runpath;
    uint64_t flags_1;
};

static void dynamic_release(struct dynamic *dynamic)
{
    free(dynamic->needed);
    free(dynamic->filters);
}

static void handle_end(Elf **handle)
{
    if (*handle != NULL)
        elf_end(*handle);
}

[[gnu::format(printf, 3, 4)]] static bool damaged(struct err *err, const char *path,
                                                  const char *fmt, ...)
{
    char what[256];
    va_list args;

    va_start(args, fmt);
    (void)vsnprintf(what, sizeof(what), fmt, args);
    va_end(args);
    (void)err_set(err, ERR_INPUT, "'%s': %s", path, what);
    return err_id(err, "E-ELF");
}

/* The stat comes first: opening a fifo or a device can block or have effects. O_NONBLOCK covers
 * the moment between the two. */
static int open_regular(const char *path, struct stat *ret_stat)
{
    cleanup_fd int fd = -1;
    struct stat st;

    if (stat(path, &st) < 0)
        return -1;
    if (!S_ISREG(st.st_mode)) {
        errno = S_ISDIR(st.st_mode) ? EISDIR : ENXIO;
        return -1;
    }
    fd = open(path, O_RDONLY | O_CLOEXEC | O_NONBLOCK | O_NOCTTY);
    if (fd < 0 || fstat(fd, &st) < 0)
        return -1;
    if (!S_ISREG(st.st_mode)) {
        errno = ENXIO;
        return -1;
    }
    *ret_stat = st;
    return steal_fd(&fd);
}

static bool open_failed(struct err *err, const char *path)
{
    if (errno == EISDIR)
        return damaged(err, path, "is a directory");
    if (errno == ENXIO)
        return damaged(err, path, "is not a regular file");
    (void)err_sys(err, "'%s'", path);
    return err_id(err, "E-ELF");
}

/* Says nothing of the file: another time it could be opened. */
static bool is_of_the_machine(int sys_errno)
{
    return sys_errno == EIO || sys_errno == EMFILE || sys_errno == ENFILE || sys_errno == ENOMEM;
}

bool elf_is_elf(const char *path)
{
    unsigned char magic[SELFMAG];
    struct stat st;
    cleanup_fd int fd = open_regular(path, &st);
    ssize_t got;

    if (fd < 0)
        return is_of_the_machine(errno);
    got = pread(fd, magic, SELFMAG, 0);
    return got < 0 || (got == SELFMAG && memcmp(magic, ELFMAG, SELFMAG) == 0);
}

static int half(const unsigned char *bytes, int encoding)
{
    return encoding == ELFDATA2MSB ? bytes[0] << 8 | bytes[1] : bytes[1] << 8 | bytes[0];
}

/* The fields that class and byte order do not move: e_ident, e_type, e_machine. */
struct ident {
    int elf_class;
    int encoding;
    int type;
    int machine;
};

static bool read_ident(struct ident *ret, const char *path, const unsigned char *bytes, size_t size,
                       struct err *err)
{
    size_t header_size;

    if (size < SELFMAG || memcmp(bytes, ELFMAG, SELFMAG) != 0)
        return damaged(err, path,
                       size < SELFMAG ? "is too short for an ELF object"
                                      : "is not an ELF object (bad magic)");
    if (size < EI_NIDENT || (bytes[EI_CLASS] != ELFCLASS32 && bytes[EI_CLASS] != ELFCLASS64))
        return damaged(err, path, "e_ident: no known class");
    header_size = bytes[EI_CLASS] == ELFCLASS32 ? sizeof(Elf32_Ehdr) : sizeof(Elf64_Ehdr);
    if (size < header_size)
        return damaged(err, path, "is shorter than an ELF header");
    if (bytes[EI_DATA] != ELFDATA2LSB && bytes[EI_DATA] != ELFDATA2MSB)
        return damaged(err, path, "e_ident: no known byte order");
    if (bytes[EI_VERSION] != EV_CURRENT)
        return damaged(err, path, "e_ident: version %d", bytes[EI_VERSION]);
    ret->elf_class = bytes[EI_CLASS];
    ret->encoding = bytes[EI_DATA];
    ret->type = half(bytes + EI_NIDENT, bytes[EI_DATA]);
    ret->machine = half(bytes + EI_NIDENT + 2, bytes[EI_DATA]);
    return true;
}

enum elf_fit elf_fit(const char *path, const struct elf *like, struct err *err)
{
    unsigned char bytes[sizeof(Elf64_Ehdr)];
    struct ident ident = {0};
    struct stat st;
    ssize_t size;
    cleanup_fd int fd = open_regular(path, &st);

    if (fd < 0) {
        if (errno == ENOENT || errno == EACCES || errno == ENOTDIR)
            return ELF_FIT_ABSENT;
        if (errno != EISDIR && errno != ENXIO && !is_of_the_machine(errno))
            return ELF_FIT_ABANDON;
        (void)open_failed(err, path);
        return ELF_FIT_BROKEN;
    }
    size = pread(fd, bytes, sizeof(bytes), 0);
    if (size < 0) {
        (void)open_failed(err, path);
        return ELF_FIT_BROKEN;
    }
    if (!read_ident(&ident, path, bytes, (size_t)size, err))
        return ELF_FIT_BROKEN;
    if (ident.elf_class != like->elf_class || ident.machine != like->machine)
        return ELF_FIT_FOREIGN;
    if (ident.encoding != like->encoding) {
        (void)damaged(err, path, "e_ident: other byte order than '%s'", like->path);
        return ELF_FIT_BROKEN;
    }
    if (bytes[EI_OSABI] != ELFOSABI_SYSV && bytes[EI_OSABI] != ELFOSABI_GNU) {
        (void)damaged(err, path, "e_ident: OS ABI %d", bytes[EI_OSABI]);
        return ELF_FIT_BROKEN;
    }
    return ELF_FIT_YES;
}

/* PROT_WRITE on a private mapping: libelf may convert in place. It never reaches the file. */
static bool map_file(struct elf *elf, struct err *err)
{
    struct stat st;
    cleanup_fd int fd = open_regular(elf->path, &st);
    void *bytes;

    if (fd < 0)
        return open_failed(err, elf->path);
    if (st.st_size == 0)
        return damaged(err, elf->path, "is empty");
    bytes = mmap(NULL, (size_t)st.st_size, PROT_READ | PROT_WRITE, MAP_PRIVATE, fd, 0);
    if (bytes == MAP_FAILED)
        return open_failed(err, elf->path);
    elf->bytes = bytes;
    elf->size_bytes = (size_t)st.st_size;
    elf->dev = st.st_dev;
    elf->ino = st.st_ino;
    return true;
}

static bool fits(uint64_t offset, uint64_t size, uint64_t limit)
{
    return offset <= limit && size <= limit - offset;
}

/* File offset of an address; *ret_left: bytes of the segment behind it in the file. */
static bool translate(const struct elf *elf, uint64_t vaddr, uint64_t *ret_offset,
                      uint64_t *ret_left)
{
    for (size_t i = 0; i < elf->load_count; i++) {
        const struct elf_load *load = &elf->loads[i];

        if (vaddr >= load->vaddr && vaddr - load->vaddr < load->file_size) {
            *ret_offset = load->offset + (vaddr - load->vaddr);
            *ret_left = load->file_size - (vaddr - load->vaddr);
            return true;
        }
    }
    return false;
}

static bool read_interp(struct elf *elf, const GElf_Phdr *phdr, struct err *err)
{
    const char *text;

    if (elf->interp != NULL)
        return true;
    if (!fits(phdr->p_offset, phdr->p_filesz, elf->size_bytes) || phdr->p_filesz == 0)
        return damaged(err, elf->path, "PT_INTERP lies outside of the file");
    text = (const char *)elf->bytes + phdr->p_offset;
    if (phdr->p_filesz > ELF_STRING_MAX || memchr(text, '\0', phdr->p_filesz) == NULL)
        return damaged(err, elf->path, "PT_INTERP is not a string");
    elf->interp = xstrdup(text);
    return true;
}

static bool read_program_headers(struct elf *elf, Elf *handle, GElf_Phdr *ret_dynamic,
                                 struct err *err)
{
    GElf_Ehdr ehdr;
    size_t count;

    if (gelf_getehdr(handle, &ehdr) == NULL || elf_getphdrnum(handle, &count) < 0)
        return damaged(err, elf->path, "ELF header: %s", elf_errmsg(-1));
    if (count > ELF_PROGRAM_MAX)
        return damaged(err, elf->path, "e_phnum: %zu program headers", count);
    if (count > 0 && !fits(ehdr.e_phoff, count * ehdr.e_phentsize, elf->size_bytes))
        return damaged(err, elf->path, "e_phoff: program headers lie outside of the file");
    elf->loads = xcalloc(count, sizeof(*elf->loads));
    for (size_t i = 0; i < count; i++) {
        GElf_Phdr phdr;

        if (gelf_getphdr(handle, (int)i, &phdr) == NULL)
            return damaged(err, elf->path, "program header %zu: %s", i, elf_errmsg(-1));
        if (phdr.p_type == PT_INTERP && !read_interp(elf, &phdr, err))
            return false;
        if (phdr.p_type == PT_DYNAMIC) {
            *ret_dynamic = phdr;
            elf->has_dynamic = true;
        }
        if (phdr.p_type != PT_LOAD)
            continue;
        if (!fits(phdr.p_offset, phdr.p_filesz, elf->size_bytes))
            return damaged(err, elf->path, "program header %zu: PT_LOAD ends behind the file", i);
        elf->loads[elf->load_count++] = (struct elf_load){
            .vaddr = phdr.p_vaddr,
            .offset = phdr.p_offset,
            .file_size = phdr.p_filesz,
            .flags = phdr.p_flags,
        };
    }
    return true;
}

static void keep_entry(struct elf *elf, size_t *capacity, const GElf_Dyn *entry)
{
    elf->dynamic = xgrow(elf->dynamic, capacity, elf->dynamic_count, sizeof(*elf->dynamic));
    elf->dynamic[elf->dynamic_count++] = (struct elf_entry){entry->d_tag, entry->d_un.d_val};
}

static void take_filter(struct dynamic *dynamic, const GElf_Dyn *entry)
{
    dynamic->filters = xgrow(dynamic->filters, &dynamic->filter_capacity, dynamic->filter_count,
                             sizeof(*dynamic->filters));
    dynamic->filters[dynamic->filter_count++] = (struct raw_filter){
        .name = entry->d_un.d_val,
        .is_auxiliary = entry->d_tag == DT_AUXILIARY,
        .needed_before = dynamic->needed_count,
    };
}

static void dynamic_take(struct dynamic *dynamic, const GElf_Dyn *entry)
{
    uint64_t value = entry->d_un.d_val;

    switch (entry->d_tag) {
    case DT_NEEDED:
        dynamic->needed = xgrow(dynamic->needed, &dynamic->needed_capacity, dynamic->needed_count,
                                sizeof(*dynamic->needed));
        dynamic->needed[dynamic->needed_count++] = value;
        break;
    case DT_AUXILIARY:
    case DT_FILTER:
        take_filter(dynamic, entry);
        break;
    case DT_STRTAB:
        dynamic->strtab = value;
        dynamic->has_strtab = true;
        break;
    case DT_STRSZ:
        dynamic->strsz = value;
        dynamic->has_strsz = true;
        break;
    case DT_SONAME:
        dynamic->soname = value;
        dynamic->has_soname = true;
        break;
    case DT_RPATH:
        dynamic->rpath = value;
        dynamic->has_rpath = true;
        break;
    case DT_RUNPATH:
        dynamic->runpath = value;
        dynamic->has_runpath = true;
        break;
    case DT_FLAGS_1:
        dynamic->flags_1 = value;
        break;
    default:
        break;
    }
}

/* The loader reads PT_DYNAMIC where the segments put it, not at p_offset. */
static bool read_dynamic(struct dynamic *ret, struct elf *elf, Elf *handle, const GElf_Phdr *phdr,
                         struct err *err)
{
    size_t entry_size = elf->elf_class == ELFCLASS32 ? sizeof(Elf32_Dyn) : sizeof(Elf64_Dyn);
    uint64_t offset;
    uint64_t size;
    size_t capacity = 0;
    Elf_Data *data;
    size_t count;

    if (!translate(elf, phdr->p_vaddr, &offset, &size))
        return damaged(err, elf->path, "PT_DYNAMIC has no bytes in the file (debug symbols only?)");
    if (phdr->p_memsz < size)
        size = phdr->p_memsz;
    count = size / entry_size;
    if (count > ELF_DYNAMIC_MAX)
        count = ELF_DYNAMIC_MAX;
    data = count == 0
               ? NULL
               : elf_getdata_rawchunk(handle, (int64_t)offset, count * entry_size, ELF_T_DYN);
    if (data == NULL)
        return damaged(err, elf->path, "PT_DYNAMIC cannot be read");
    for (size_t i = 0; i < count; i++) {
        GElf_Dyn entry;

        if (gelf_getdyn(data, (int)i, &entry) == NULL)
            return damaged(err, elf->path, "PT_DYNAMIC entry %zu: %s", i, elf_errmsg(-1));
        if (entry.d_tag == DT_NULL)
            return true;
        keep_entry(elf, &capacity, &entry);
        dynamic_take(ret, &entry);
    }
    return damaged(err, elf->path, "PT_DYNAMIC has no DT_NULL");
}

struct string_table {
    const char *text;
    uint64_t size;
};

static bool string_table(struct string_table *ret, const struct elf *elf,
                         const struct dynamic *dynamic, struct err *err)
{
    uint64_t offset;
    uint64_t left;

    if (!dynamic->has_strtab || !dynamic->has_strsz)
        return damaged(err, elf->path, "PT_DYNAMIC has no %s",
                       dynamic->has_strtab ? "DT_STRSZ" : "DT_STRTAB");
    if (!translate(elf, dynamic->strtab, &offset, &left))
        return damaged(err, elf->path, "DT_STRTAB 0x%llx lies outside of every segment",
                       (unsigned long long)dynamic->strtab);
    if (dynamic->strsz > left)
        return damaged(err, elf->path, "DT_STRSZ %llu is larger than its segment",
                       (unsigned long long)dynamic->strsz);
    *ret = (struct string_table){(const char *)elf->bytes + offset, dynamic->strsz};
    return true;
}

static bool copy_string(char **ret, const struct elf *elf, const struct string_table *table,
                        uint64_t offset, const char *field, struct err *err)
{
    size_t left;
    size_t len;

    if (offset >= table->size)
        return damaged(err, elf->path,
                       "%s: offset 0x%llx lies outside of the %llu bytes of strings", field,
                       (unsigned long long)offset, (unsigned long long)table->size);
    left = table->size - offset;
    len = strnlen(table->text + offset, left);
    if (len == left)
        return damaged(err, elf->path, "%s: string without an end", field);
    if (len > ELF_STRING_MAX)
        return damaged(err, elf->path, "%s: string of %zu bytes", field, len);
    *ret = xstrndup(table->text + offset, len);
    return true;
}

static bool copy_filters(struct elf *elf, const struct dynamic *dynamic,
                         const struct string_table *table, struct err *err)
{
    elf->filters = xcalloc(dynamic->filter_count, sizeof(*elf->filters));
    for (size_t i = 0; i < dynamic->filter_count; i++) {
        const struct raw_filter *raw = &dynamic->filters[i];

        if (!copy_string(&elf->filters[i].name, elf, table, raw->name,
                         raw->is_auxiliary ? "DT_AUXILIARY" : "DT_FILTER", err))
            return false;
        elf->filters[i].is_auxiliary = raw->is_auxiliary;
        elf->filters[i].needed_before = raw->needed_before;
        elf->filter_count++;
    }
    return true;
}

static bool copy_strings(struct elf *elf, const struct dynamic *dynamic, struct err *err)
{
    struct string_table table = {0};

    elf->flags_1 = dynamic->flags_1;
    if (dynamic->needed_count == 0 && dynamic->filter_count == 0 && !dynamic->has_soname &&
        !dynamic->has_rpath && !dynamic->has_runpath)
        return true;
    if (!string_table(&table, elf, dynamic, err))
        return false;
    elf->needed = xcalloc(dynamic->needed_count, sizeof(*elf->needed));
    for (size_t i = 0; i < dynamic->needed_count; i++) {
        if (!copy_string(&elf->needed[i], elf, &table, dynamic->needed[i], "DT_NEEDED", err))
            return false;
        elf->needed_count++;
    }
    if (!copy_filters(elf, dynamic, &table, err))
        return false;
    if (dynamic->has_soname &&
        !copy_string(&elf->soname, elf, &table, dynamic->soname, "DT_SONAME", err))
        return false;
    if (dynamic->has_runpath)
        return copy_string(&elf->runpath, elf, &table, dynamic->runpath, "DT_RUNPATH", err);
    return !dynamic->has_rpath ||
           copy_string(&elf->rpath, elf, &table, dynamic->rpath, "DT_RPATH", err);
}

static bool parse_all(struct elf *elf, struct err *err)
{
    cleanup_with(dynamic_release) struct dynamic dynamic = {0};
    cleanup_with(handle_end) Elf *handle = NULL;
    struct ident ident = {0};
    GElf_Phdr phdr = {0};

    if (!read_ident(&ident, elf->path, elf->bytes, elf->size_bytes, err))
        return false;
    if (ident.type != ET_EXEC && ident.type != ET_DYN)
        return damaged(err, elf->path, "e_type %d: neither a program nor a shared object",
                       ident.type);
    elf->elf_class = ident.elf_class;
    elf->encoding = ident.encoding;
    elf->type = ident.type;
    elf->machine = ident.machine;
    (void)elf_version(EV_CURRENT);
    handle = elf_memory((char *)(uintptr_t)elf->bytes, elf->size_bytes);
    if (handle == NULL || elf_kind(handle) != ELF_K_ELF)
        return damaged(err, elf->path, "ELF header: %s", elf_errmsg(-1));
    if (!read_program_headers(elf, handle, &phdr, err))
        return false;
    if (!elf->has_dynamic)
        return true;
    return read_dynamic(&dynamic, elf, handle, &phdr, err) && copy_strings(elf, &dynamic, err);
}

/* What libelf has no memory for says nothing of the file; the reason is only in what malloc() left.
 */
static bool parse(struct elf *elf, struct err *err)
{
    bool ok;

    errno = 0;
    ok = parse_all(elf, err);
    if (!ok && errno == ENOMEM)
        xdie();
    return ok;
}

bool elf_open(struct elf *ret, const char *path, struct err *err)
{
    struct elf elf = {.path = xstrdup(path)};

    if (!map_file(&elf, err) || !parse(&elf, err)) {
        elf_release(&elf);
        return false;
    }
    *ret = elf;
    return true;
}

void elf_release(struct elf *elf)
{
    if (elf == NULL)
        return;
    for (size_t i = 0; i < elf->needed_count; i++)
        free(elf->needed[i]);
    free(elf->needed);
    for (size_t i = 0; i < elf->filter_count; i++)
        free(elf->filters[i].name);
    free(elf->filters);
    free(elf->path);
    free(elf->interp);
    free(elf->soname);
    free(elf->rpath);
    free(elf->runpath);
    free(elf->dynamic);
    free(elf->loads);
    if (elf->bytes != NULL)
        munmap((void *)(uintptr_t)elf->bytes, elf->size_bytes);
    *elf = (struct elf){0};
}

bool elf_ignores_default_dirs(const struct elf *elf)
{
    return (elf->flags_1 & DF_1_NODEFLIB) != 0;
}

bool elf_is_program(const struct elf *elf)
{
    return elf->type == ET_EXEC || (elf->flags_1 & DF_1_PIE) != 0 ||
           (elf->interp != NULL && elf->soname == NULL);
}

const char *elf_machine_name(int machine)
{
    static const struct {
        int machine;
        const char *name;
    } names[] = {
        {EM_X86_64, "x86-64"}, {EM_AARCH64, "aarch64"}, {EM_386, "i386"},
        {EM_ARM, "arm"},       {EM_RISCV, "riscv"},     {EM_PPC64, "ppc64"},
        {EM_PPC, "powerpc"},   {EM_S390, "s390"},       {EM_LOONGARCH, "loongarch"},
        {EM_MIPS, "mips"},     {EM_SPARCV9, "sparc64"},
    };

    for (size_t i = 0; i < sizeof(names) / sizeof(names[0]); i++)
        if (names[i].machine == machine)
            return names[i].name;
    return "unknown machine";
}

bool elf_find_bytes(const struct elf *elf, const void *needle, size_t len,
                    struct elf_match *ret_matches, size_t max, size_t *ret_count)
{
    size_t count = 0;

    for (size_t i = 0; i < elf->load_count && len > 0; i++) {
        const struct elf_load *load = &elf->loads[i];
        const uint8_t *at = elf->bytes + load->offset;
        const uint8_t *end = at + load->file_size;

        if ((load->flags & PF_R) == 0 || (load->flags & PF_W) != 0)
            continue;
        while ((at = memmem(at, (size_t)(end - at), needle, len)) != NULL) {
            uint64_t offset = (uint64_t)(at - elf->bytes);

            if (count < max)
                ret_matches[count] = (struct elf_match){
                    .vaddr = load->vaddr + (offset - load->offset),
                    .offset = offset,
                    .remaining_bytes = load->file_size - (offset - load->offset),
                };
            count++;
            at++;
        }
    }
    if (count > 0)
        *ret_count = count;
    return count > 0;
}

bool elf_dynamic(const struct elf *elf, int64_t tag, uint64_t *ret)
{
    for (size_t i = 0; i < elf->dynamic_count; i++) {
        if (elf->dynamic[i].tag == tag) {
            *ret = elf->dynamic[i].value;
            return true;
        }
    }
    return false;
}

const void *elf_segment_bytes(const struct elf *elf, uint64_t vaddr, size_t *ret_len)
{
    uint64_t offset;
    uint64_t left;

    if (!translate(elf, vaddr, &offset, &left))
        return NULL;
    *ret_len = left;
    return elf->bytes + offset;
}

const void *elf_bytes(const struct elf *elf, uint64_t vaddr, size_t len)
{
    uint64_t offset;
    uint64_t left;

    if (!translate(elf, vaddr, &offset, &left) || len > left)
        return NULL;
    return elf->bytes + offset;
}

char *elf_trimmed(const struct elf *elf, size_t *ret_size)
{
    uint64_t end = sizeof(Elf64_Ehdr);
    Elf64_Ehdr header;
    char *copy;

    if (elf->elf_class != ELFCLASS64 || elf->encoding != ELFDATA2LSB)
        return NULL;
    memcpy(&header, elf->bytes, sizeof(header));
    if (header.e_phoff > elf->size_bytes)
        return NULL;
    end = header.e_phoff + (uint64_t)header.e_phnum * header.e_phentsize;
    for (size_t i = 0; i < elf->load_count; i++) {
        uint64_t load_end = elf->loads[i].offset + elf->loads[i].file_size;

        end = load_end > end ? load_end : end;
    }
    if (end > elf->size_bytes || elf->size_bytes - end < ELF_TRIM_MIN)
        return NULL;
    header.e_shoff = 0;
    header.e_shnum = 0;
    header.e_shstrndx = SHN_UNDEF;
    copy = xstrndup((const char *)elf->bytes, (size_t)end);
    memcpy(copy, &header, sizeof(header));
    *ret_size = (size_t)end;
    return copy;
}
