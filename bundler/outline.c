/* SPDX-License-Identifier: MIT */
#include "bundler/outline.h"

#include <elf.h>
#include <endian.h>
#include <errno.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

#include "common/cleanup.h"
#include "common/err.h"
#include "common/format.h"
#include "common/xalloc.h"

static const char *const names[OUTLINE_SECTION_COUNT] = {
    [OUTLINE_HEADER] = FORMAT_SECTION,
    [OUTLINE_UPDATE] = FORMAT_UPD_INFO_SECTION,
    [OUTLINE_SIGNATURE] = ".sha256_sig",
};

/* The table of sections, whichever class the file is of. */
struct table {
    uint64_t offset;
    size_t count;
    size_t names; /* index of the section with their names */
    size_t entry_size;
    uint64_t size;
    unsigned char *bytes;
};

struct section {
    uint32_t name;
    uint64_t offset;
    uint64_t size; /* that it has in the file */
};

static bool unfit(const char *why, struct err *err)
{
    (void)err_set(err, ERR_INPUT, "%s", why);
    return err_id(err, "E-BUNDLE");
}

bool outline_truncated(uint64_t missing_bytes, struct err *err)
{
    (void)err_set(err, ERR_INPUT, "it is truncated: its last %llu bytes are missing",
                  (unsigned long long)missing_bytes);
    (void)err_id(err, "E-TRUNCATED");
    return err_hint(err, "copy it again from where it was built");
}

bool outline_read_bytes(int fd, uint64_t offset, void *buffer, size_t size_bytes, struct err *err)
{
    char *to = buffer;

    while (size_bytes > 0) {
        ssize_t length = pread(fd, to, size_bytes, (off_t)offset);

        if (length < 0 && errno == EINTR)
            continue;
        if (length < 0)
            return err_sys(err, "read");
        if (length == 0)
            return outline_truncated(size_bytes, err); /* somebody cut it while we read */
        to += length;
        offset += (uint64_t)length;
        size_bytes -= (size_t)length;
    }
    return true;
}

static bool fits(const struct outline *outline, uint64_t offset, uint64_t size)
{
    return offset <= outline->file_size && size <= outline->file_size - offset;
}

static void take_header_64(struct outline *outline, const void *bytes, struct table *table)
{
    Elf64_Ehdr header;

    memcpy(&header, bytes, sizeof(header));
    outline->machine = le16toh(header.e_machine);
    *table = (struct table){
        .offset = le64toh(header.e_shoff),
        .count = le16toh(header.e_shnum),
        .names = le16toh(header.e_shstrndx),
        .entry_size = le16toh(header.e_shentsize) == sizeof(Elf64_Shdr) ? sizeof(Elf64_Shdr) : 0,
    };
}

static void take_header_32(struct outline *outline, const void *bytes, struct table *table)
{
    Elf32_Ehdr header;

    memcpy(&header, bytes, sizeof(header));
    outline->machine = le16toh(header.e_machine);
    *table = (struct table){
        .offset = le32toh(header.e_shoff),
        .count = le16toh(header.e_shnum),
        .names = le16toh(header.e_shstrndx),
        .entry_size = le16toh(header.e_shentsize) == sizeof(Elf32_Shdr) ? sizeof(Elf32_Shdr) : 0,
    };
}

static bool read_header(struct outline *outline, int fd, bool takes_32, struct table *table,
                        struct err *err)
{
    unsigned char bytes[sizeof(Elf64_Ehdr)];

    if (!fits(outline, 0, sizeof(bytes)))
        return unfit("it is too short", err);
    if (!outline_read_bytes(fd, 0, bytes, sizeof(bytes), err))
        return false;
    if (memcmp(bytes, ELFMAG, SELFMAG) != 0)
        return unfit("it is not an ELF file", err);
    outline->is_64 = bytes[EI_CLASS] == ELFCLASS64;
    if ((!outline->is_64 && (!takes_32 || bytes[EI_CLASS] != ELFCLASS32)) ||
        bytes[EI_DATA] != ELFDATA2LSB)
        return unfit("it is not a 64-bit little-endian ELF file", err);
    if (bytes[8] == 'A' && bytes[9] == 'I')
        outline->type = bytes[10];
    if (outline->is_64)
        take_header_64(outline, bytes, table);
    else
        take_header_32(outline, bytes, table);
    /* e_shnum 0 with a table means more sections than any stub has (gabi, "ELF header"). */
    if (table->offset == 0 || table->count == 0 || table->names >= table->count ||
        table->entry_size == 0)
        return unfit("it has no section header table", err);
    table->size = (uint64_t)table->count * table->entry_size;
    return true;
}

static bool check_table(const struct outline *outline, const struct table *table, struct err *err)
{
    if (fits(outline, table->offset, table->size))
        return true;
    /* A runtime is tagged and small: only then is "cut" likelier than "no AppImage". */
    if (outline->type == 2 && table->offset < UINT32_MAX)
        return outline_truncated(table->offset + table->size - outline->file_size, err);
    return unfit("its section header table lies outside of it", err);
}

static struct section section_at(const struct outline *outline, const struct table *table,
                                 size_t index)
{
    const unsigned char *at = table->bytes + index * table->entry_size;
    struct section section;
    uint32_t type;

    if (outline->is_64) {
        Elf64_Shdr header;

        memcpy(&header, at, sizeof(header));
        type = le32toh(header.sh_type);
        section = (struct section){le32toh(header.sh_name), le64toh(header.sh_offset),
                                   le64toh(header.sh_size)};
    } else {
        Elf32_Shdr header;

        memcpy(&header, at, sizeof(header));
        type = le32toh(header.sh_type);
        section = (struct section){le32toh(header.sh_name), le32toh(header.sh_offset),
                                   le32toh(header.sh_size)};
    }
    if (type == SHT_NOBITS || type == SHT_NULL)
        section.size = 0;
    return section;
}

/* The section names, at most 64 KiB of them: a stub has a dozen. NULL with err filled otherwise. */
static char *read_names(const struct outline *outline, int fd, const struct table *table,
                        uint64_t *ret_size, struct err *err)
{
    struct section section = section_at(outline, table, table->names);
    cleanup_free char *text = NULL;

    if (section.size > UINT64_MAX - section.offset || section.size == 0 ||
        section.size > UINT16_MAX || !fits(outline, section.offset, section.size)) {
        (void)unfit("its sections have no names", err);
        return NULL;
    }
    text = xcalloc((size_t)section.size, 1);
    if (!outline_read_bytes(fd, section.offset, text, (size_t)section.size, err))
        return NULL;
    *ret_size = section.size;
    return steal_ptr(&text);
}

static bool is_named(const struct section *section, const char *text, uint64_t text_size,
                     const char *name)
{
    size_t size = strlen(name) + 1;

    return section->name < text_size && text_size - section->name >= size &&
           memcmp(text + section->name, name, size) == 0;
}

static void note_section(struct outline *outline, const struct section *section, const char *text,
                         uint64_t text_size)
{
    for (size_t i = 0; i < OUTLINE_SECTION_COUNT; i++) {
        struct outline_place *place = &outline->sections[i];

        if (!is_named(section, text, text_size, names[i]))
            continue;
        place->found++;
        place->offset = section->offset;
        place->size_bytes = section->size;
    }
}

/* The names of foreign files may be anything; what is used must be in the file. */
static bool find_sections(struct outline *outline, int fd, const struct table *table,
                          struct err *err)
{
    uint64_t text_size = 0;
    cleanup_free char *text = read_names(outline, fd, table, &text_size, err);

    if (text == NULL)
        return false;
    outline->end = table->offset + table->size;
    for (size_t i = 0; i < table->count; i++) {
        struct section section = section_at(outline, table, i);

        if (section.size > UINT64_MAX - section.offset)
            return unfit("a section lies outside of it", err);
        if (section.size > 0 && section.offset + section.size > outline->end)
            outline->end = section.offset + section.size;
        note_section(outline, &section, text, text_size);
    }
    for (size_t i = 0; i < OUTLINE_SECTION_COUNT; i++) {
        struct outline_place *place = &outline->sections[i];

        if (!fits(outline, place->offset, place->size_bytes))
            *place = (struct outline_place){.found = place->found};
    }
    return true;
}

bool outline_read(struct outline *ret, int fd, bool takes_32, struct err *err)
{
    struct outline outline = {0};
    cleanup_free unsigned char *bytes = NULL;
    struct table table = {0};
    struct stat st;

    if (fstat(fd, &st) != 0)
        return err_sys(err, "size");
    outline.file_size = (uint64_t)st.st_size;
    if (!read_header(&outline, fd, takes_32, &table, err) || !check_table(&outline, &table, err))
        return false;
    bytes = xcalloc(table.count, table.entry_size);
    table.bytes = bytes;
    if (!outline_read_bytes(fd, table.offset, bytes, (size_t)table.size, err) ||
        !find_sections(&outline, fd, &table, err))
        return false;
    *ret = outline;
    return true;
}
