/* SPDX-License-Identifier: MIT */
#include "bundler/elfscan.h"

#include <elf.h>
#include <stdint.h>
#include <string.h>

#include "bundler/elf.h"
#include "bundler/jdoc.h"
#include "common/cleanup.h"
#include "common/err.h"
#include "common/xalloc.h"

enum { DLOPEN_NOTE_TYPE = 0x407c0c0a, SYMBOLS_MAX = 1 << 20, PATH_MIN_LEN = 6 };

/* The header of a table of fixed-size entries; false for what is not a 64-bit object of our order.
 */
static bool read_header(const struct elf *elf, Elf64_Ehdr *ret)
{
    if (elf->elf_class != ELFCLASS64 || elf->encoding != ELFDATA2LSB ||
        elf->size_bytes < sizeof(*ret))
        return false;
    memcpy(ret, elf->bytes, sizeof(*ret));
    return ret->e_phentsize == sizeof(Elf64_Phdr) && ret->e_phnum <= ELF_PROGRAM_MAX &&
           ret->e_phoff <= elf->size_bytes &&
           ret->e_phnum * sizeof(Elf64_Phdr) <= elf->size_bytes - ret->e_phoff;
}

static Elf64_Phdr segment_at(const struct elf *elf, const Elf64_Ehdr *header, size_t index)
{
    Elf64_Phdr segment;

    memcpy(&segment, elf->bytes + header->e_phoff + index * sizeof(segment), sizeof(segment));
    if (segment.p_offset > elf->size_bytes || segment.p_filesz > elf->size_bytes - segment.p_offset)
        return (Elf64_Phdr){.p_type = PT_NULL};
    return segment;
}

/* Where the imported symbols end in the symbol table. */
static size_t import_count(const struct elf *elf, uint64_t symbols, uint64_t strings)
{
    uint32_t words[4]; /* buckets, first exported symbol, ... / buckets, symbols */
    const void *table;
    uint64_t address;

    if (elf_dynamic(elf, DT_GNU_HASH, &address) &&
        (table = elf_bytes(elf, address, sizeof(words))) != NULL) {
        memcpy(words, table, sizeof(words));
        if (words[1] > 1) /* an object that exports nothing has 1 there */
            return words[1];
    } else if (elf_dynamic(elf, DT_HASH, &address) &&
               (table = elf_bytes(elf, address, 2 * sizeof(words[0]))) != NULL) {
        memcpy(words, table, 2 * sizeof(words[0]));
        return words[1];
    }
    return strings > symbols ? (strings - symbols) / sizeof(Elf64_Sym) : 0;
}

bool elfscan_imports(const struct elf *elf, const char *symbol)
{
    size_t symbols_size = 0;
    size_t strings_size = 0;
    const uint8_t *symbols;
    const char *strings;
    uint64_t symbols_at;
    uint64_t strings_at;
    size_t count;
    Elf64_Ehdr header;

    if (!read_header(elf, &header) || !elf_dynamic(elf, DT_SYMTAB, &symbols_at) ||
        !elf_dynamic(elf, DT_STRTAB, &strings_at))
        return false;
    symbols = elf_segment_bytes(elf, symbols_at, &symbols_size);
    strings = elf_segment_bytes(elf, strings_at, &strings_size);
    if (symbols == NULL || strings == NULL)
        return false;
    count = import_count(elf, symbols_at, strings_at);
    if (count > symbols_size / sizeof(Elf64_Sym))
        count = symbols_size / sizeof(Elf64_Sym);
    for (size_t i = 1; i < count && i < SYMBOLS_MAX; i++) {
        size_t len = strlen(symbol) + 1;
        Elf64_Sym entry;

        memcpy(&entry, symbols + i * sizeof(entry), sizeof(entry));
        if (entry.st_shndx == SHN_UNDEF && entry.st_name < strings_size &&
            strings_size - entry.st_name >= len &&
            memcmp(strings + entry.st_name, symbol, len) == 0)
            return true;
    }
    return false;
}

struct visitor {
    void (*visit)(const struct elfscan_note *note, void *context);
    void *context;
};

static bool visit_entry(const struct jdoc *entry, const struct visitor *visitor)
{
    const struct jdoc *list = jdoc_member(entry, "soname");
    const char *single = jdoc_text(entry, "soname");
    const char *priority = jdoc_text_or(entry, "priority", "recommended");
    const char *names[ELFSCAN_NAMES_MAX];
    struct elfscan_note note = {
        .names = names, .priority = ELFSCAN_RECOMMENDED, .feature = jdoc_text(entry, "feature")};

    if (single != NULL)
        names[note.name_count++] = single;
    for (size_t i = 0; i < jdoc_count(list) && note.name_count < ELFSCAN_NAMES_MAX; i++) {
        if (jdoc_text_at(list, i) == NULL)
            return false;
        names[note.name_count++] = jdoc_text_at(list, i);
    }
    for (size_t i = 0; i < note.name_count; i++)
        if (names[i][0] == '\0' || strchr(names[i], '/') != NULL)
            return false;
    if (strcmp(priority, "required") == 0)
        note.priority = ELFSCAN_REQUIRED;
    else if (strcmp(priority, "suggested") == 0)
        note.priority = ELFSCAN_SUGGESTED;
    else if (strcmp(priority, "recommended") != 0)
        return false;
    if (note.name_count == 0)
        return false;
    visitor->visit(&note, visitor->context);
    return true;
}

/* An array of objects; in older texts of the specification one object. */
static bool visit_json(const char *text, size_t size, const struct visitor *visitor)
{
    struct err ignored = {0};
    struct jdoc *root;
    bool ok = true;

    while (size > 0 && text[size - 1] == '\0')
        size--;
    root = jdoc_parse(text, size, &ignored);
    if (root == NULL)
        return false;
    if (jdoc_count(root) == 0)
        ok = visit_entry(root, visitor);
    for (size_t i = 0; i < jdoc_count(root); i++)
        ok = visit_entry(jdoc_at(root, i), visitor) && ok;
    jdoc_free(root);
    return ok;
}

static size_t aligned(size_t size, size_t align)
{
    return (size + align - 1) & ~(align - 1);
}

/* Notes of one segment. The last one may lack its padding. */
static bool visit_segment(const uint8_t *bytes, size_t size, size_t align, size_t *count,
                          const struct visitor *visitor)
{
    bool ok = true;

    for (size_t at = 0; size - at >= sizeof(Elf64_Nhdr);) {
        Elf64_Nhdr note;
        size_t desc;
        size_t next;

        memcpy(&note, bytes + at, sizeof(note));
        if (note.n_namesz > size || note.n_descsz > size)
            return false;
        desc = at + aligned(sizeof(note) + note.n_namesz, align);
        next = desc + aligned(note.n_descsz, align);
        if (desc > size || note.n_descsz > size - desc)
            return false;
        if (note.n_type == DLOPEN_NOTE_TYPE && note.n_namesz == 4 &&
            memcmp(bytes + at + sizeof(note), "FDO", 4) == 0) {
            if (++*count > ELFSCAN_NOTES_MAX)
                return false;
            ok = visit_json((const char *)bytes + desc, note.n_descsz, visitor) && ok;
        }
        if (next >= size)
            break;
        at = next;
    }
    return ok;
}

bool elfscan_notes(const struct elf *elf,
                   void (*visit)(const struct elfscan_note *note, void *context), void *context)
{
    struct visitor visitor = {visit, context};
    size_t count = 0;
    Elf64_Ehdr header;
    bool ok = true;

    if (!read_header(elf, &header))
        return true;
    for (size_t i = 0; i < header.e_phnum; i++) {
        Elf64_Phdr segment = segment_at(elf, &header, i);

        if (segment.p_type == PT_NOTE)
            ok = visit_segment(elf->bytes + segment.p_offset, segment.p_filesz,
                               segment.p_align == 8 ? 8 : 4, &count, &visitor) &&
                 ok;
    }
    return ok;
}

/* Machine code is full of NULs, so most of what ends with one is too short for a string: passes
 * that over, and looks at eight bytes at once whether there is a NUL at all ("Determine if a word
 * has a zero byte", Bit Twiddling Hacks). */
static const char *skip_short(const char *at, const char *end)
{
    while (end - at >= (ptrdiff_t)sizeof(uint64_t)) {
        const char *last = NULL;
        uint64_t word;

        memcpy(&word, at, sizeof(word));
        if (((word - 0x0101010101010101) & ~word & 0x8080808080808080) == 0)
            return at;
        for (int i = 0; i < PATH_MIN_LEN; i++)
            last = at[i] == '\0' ? at + i : last;
        if (last == NULL)
            return at;
        at = last + 1;
    }
    return at;
}

/* Every NUL-terminated string of the segments that are mapped read-only. */
static void each_string(const struct elf *elf,
                        void (*visit)(const char *text, size_t len, void *context), void *context)
{
    Elf64_Ehdr header;

    if (!read_header(elf, &header))
        return;
    for (size_t i = 0; i < header.e_phnum; i++) {
        Elf64_Phdr segment = segment_at(elf, &header, i);
        const char *at = (const char *)elf->bytes + segment.p_offset;
        const char *end = at + segment.p_filesz;
        const char *nul;

        if (segment.p_type != PT_LOAD || (segment.p_flags & PF_W) != 0)
            continue;
        for (; at < end; at = nul + 1) {
            size_t len;

            at = skip_short(at, end);
            nul = memchr(at, '\0', (size_t)(end - at));
            if (nul == NULL)
                break;
            len = (size_t)(nul - at);

            if (len >= PATH_MIN_LEN && len < ELFSCAN_STRING_MAX)
                visit(at, len, context);
        }
    }
}

struct texts {
    const struct elf *elf;
    void (*visit)(const char *text, void *context);
    void *context;
};

/* Of names of files. strspn(3) makes a table of its letters at each call: too slow for all strings
 * of all objects. */
static bool is_name_byte(char byte)
{
    return (byte >= 'a' && byte <= 'z') || (byte >= 'A' && byte <= 'Z') ||
           (byte >= '0' && byte <= '9') || byte == '_' || byte == '+' || byte == '-' || byte == '.';
}

/* "libz.so", "libz.so.1", "libfoo-1.2.so.3.4" */
static bool is_soname(const char *text)
{
    const char *so;
    const char *at;

    if (strncmp(text, "lib", 3) != 0)
        return false;
    for (at = text; is_name_byte(*at); at++)
        continue;
    so = *at == '\0' ? strstr(text + 3, ".so") : NULL;
    if (so == NULL || so == text + 3)
        return false;
    at = so + 3;
    while (*at == '.' && at[1] >= '0' && at[1] <= '9')
        at += 1 + strspn(at + 1, "0123456789");
    return *at == '\0';
}

static void take_soname(const char *text, size_t len, void *context)
{
    const struct texts *texts = context;
    const struct elf *elf = texts->elf;
    const char *slash = text[0] == '/' ? strrchr(text, '/') : NULL;
    const char *name = slash == NULL ? text : slash + 1;

    (void)len;
    if (!is_soname(name) || (elf->soname != NULL && strcmp(elf->soname, name) == 0))
        return;
    for (size_t i = 0; i < elf->needed_count; i++)
        if (strcmp(elf->needed[i], name) == 0)
            return;
    texts->visit(name, texts->context);
}

void elfscan_sonames(const struct elf *elf, void (*visit)(const char *soname, void *context),
                     void *context)
{
    each_string(elf, take_soname, &(struct texts){elf, visit, context});
}

void elfscan_names(const char *bytes, size_t size, void (*visit)(const char *soname, void *context),
                   void *context)
{
    const char *end = bytes + size;

    for (const char *at = bytes; at < end;) {
        const char *stop = at;
        cleanup_free char *name = NULL;

        while (stop < end && *stop != '\0' && *stop != ',')
            stop++;
        if (stop - at >= PATH_MIN_LEN && stop - at < ELFSCAN_STRING_MAX) {
            name = xstrndup(at, (size_t)(stop - at));
            if (is_soname(name))
                visit(name, context);
        }
        at = stop + 1;
    }
}

static void take_path(const char *text, size_t len, void *context)
{
    static const char *const tops[] = {"/usr/", "/lib", "/etc/", "/opt/"};
    const struct texts *texts = context;
    const char *end = text + len;

    if (text[0] != '/')
        return;
    for (const char *at = text; at < end; at++) {
        size_t part = strcspn(at, ":");
        cleanup_free char *path = xstrndup(at, part);

        for (size_t i = 0; i < sizeof(tops) / sizeof(tops[0]); i++)
            if (strncmp(path, tops[i], strlen(tops[i])) == 0)
                texts->visit(path, texts->context);
        at += part;
    }
}

void elfscan_paths(const struct elf *elf, void (*visit)(const char *path, void *context),
                   void *context)
{
    each_string(elf, take_path, &(struct texts){elf, visit, context});
}

/* "%d", "%02x", "%s" and their like; the rest of the text is taken as it is. */
static char *as_pattern(const char *text)
{
    char *pattern = xcalloc(strlen(text) + 1, 1);
    char *end = pattern;

    while (*text != '\0') {
        if (*text != '%') {
            *end++ = *text++;
            continue;
        }
        text += 1 + strspn(text + 1, "0123456789.lzh");
        text += *text != '\0';
        *end++ = '*';
    }
    return pattern;
}

static void take_component(const char *text, size_t len, void *context)
{
    const struct texts *texts = context;
    const char *slash = memrchr(text, '/', len);
    const char *name = slash == NULL ? text : slash + 1;
    cleanup_free char *pattern = NULL;
    const char *last = name;
    size_t literal = 0;

    while (is_name_byte(*last) || *last == '%')
        last++;
    if (name[0] == '\0' || *last != '\0')
        return;
    if (strchr(name, '%') == NULL) {
        texts->visit(name, texts->context);
        return;
    }
    pattern = as_pattern(name);
    for (const char *at = pattern; *at != '\0'; at++)
        literal += *at != '*';
    if (literal >= PATH_MIN_LEN)
        texts->visit(pattern, texts->context);
}

void elfscan_components(const struct elf *elf, void (*visit)(const char *pattern, void *context),
                        void *context)
{
    each_string(elf, take_component, &(struct texts){elf, visit, context});
}
