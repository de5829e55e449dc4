/* SPDX-License-Identifier: MIT */
#include "payload.h"

#include <elf.h>
#include <errno.h>
#include <fcntl.h>
#include <string.h>
#include <sys/auxv.h>
#include <unistd.h>

#include "common/cleanup.h"
#include "common/err.h"

enum { SECTION_MAX = 64 << 10, NAMES_MAX = 64 << 10, SECTIONS_MAX = 1024 };

/*
 * What outside tools read from and write to the stub. They must outlive --gc-sections and strip;
 * the bundler overwrites .rucksack, other tools the rest.
 */
#define RESERVE(name, place, size)                                                                 \
    __attribute__((used, retain, section(place))) static const uint8_t name[size] = {0}
RESERVE(reserved_upd_info, ".upd_info", FORMAT_UPD_INFO_SIZE);
RESERVE(reserved_sha256_sig, ".sha256_sig", FORMAT_SHA256_SIG_SIZE);
RESERVE(reserved_sig_key, ".sig_key", FORMAT_SIG_KEY_SIZE);
RESERVE(reserved_digest_md5, ".digest_md5", FORMAT_DIGEST_MD5_SIZE);
RESERVE(reserved_header, FORMAT_SECTION, FORMAT_HEADER_SIZE);

static bool read_at(int fd, void *data, size_t size, uint64_t offset)
{
    size_t done = 0;

    while (done < size) {
        ssize_t n = pread(fd, (char *)data + done, size - done, (off_t)(offset + done));

        if (n < 0 && errno == EINTR)
            continue;
        if (n <= 0)
            return false;
        done += (size_t)n;
    }
    return true;
}

/* The section headers, owned by the caller; *ret_end is the ELF end. */
static bool read_sections(const struct payload *payload, Elf64_Ehdr *elf, Elf64_Shdr **ret,
                          uint64_t *ret_end, struct err *err)
{
    cleanup_free Elf64_Shdr *sections = NULL;
    uint64_t file_size = (uint64_t)payload->stat.st_size;
    uint64_t end;

    if (!read_at(payload->fd, elf, sizeof(*elf), 0) || memcmp(elf->e_ident, ELFMAG, SELFMAG) != 0 ||
        elf->e_ident[EI_CLASS] != ELFCLASS64 || elf->e_ident[EI_DATA] != ELFDATA2LSB)
        return err_set(err, ERR_INPUT, "'%s' is not a 64-bit AppImage", payload->path);
    if (elf->e_shentsize != sizeof(Elf64_Shdr) || elf->e_shnum == 0 ||
        elf->e_shnum > SECTIONS_MAX || elf->e_shoff > file_size ||
        elf->e_shnum * sizeof(Elf64_Shdr) > file_size - elf->e_shoff)
        return err_set(err, ERR_INPUT, "'%s' is damaged: no section header table", payload->path);

    sections = calloc(elf->e_shnum, sizeof(*sections));
    if (sections == NULL)
        return err_sys(err, "cannot read '%s'", payload->path);
    if (!read_at(payload->fd, sections, elf->e_shnum * sizeof(*sections), elf->e_shoff))
        return err_set(err, ERR_INPUT, "'%s' is damaged: no section header table", payload->path);

    end = elf->e_shoff + elf->e_shnum * sizeof(Elf64_Shdr);
    for (unsigned i = 0; i < elf->e_shnum; i++) {
        const Elf64_Shdr *section = &sections[i];

        if (section->sh_type == SHT_NOBITS || section->sh_type == SHT_NULL)
            continue;
        if (section->sh_offset > file_size || section->sh_size > file_size - section->sh_offset)
            return err_set(err, ERR_INPUT, "'%s' is truncated", payload->path);
        if (section->sh_offset + section->sh_size > end)
            end = section->sh_offset + section->sh_size;
    }
    *ret = steal_ptr(&sections);
    *ret_end = end;
    return true;
}

static const Elf64_Shdr *find_section(const struct payload *payload, const Elf64_Ehdr *elf,
                                      const Elf64_Shdr *sections, const char *name)
{
    const Elf64_Shdr *names;
    size_t length = strlen(name) + 1;
    char found[32];

    if (elf->e_shstrndx >= elf->e_shnum || length > sizeof(found))
        return NULL;
    names = &sections[elf->e_shstrndx];
    if (names->sh_type != SHT_STRTAB || names->sh_size > NAMES_MAX)
        return NULL;
    for (unsigned i = 0; i < elf->e_shnum; i++) {
        if (sections[i].sh_type == SHT_NOBITS || sections[i].sh_name >= names->sh_size ||
            names->sh_size - sections[i].sh_name < length)
            continue;
        if (read_at(payload->fd, found, length, names->sh_offset + sections[i].sh_name) &&
            memcmp(found, name, length) == 0)
            return &sections[i];
    }
    return NULL;
}

static bool check_header(struct payload *payload, struct err *err)
{
    const struct format_header *header = &payload->header;
    static const struct format_header empty;
    uint64_t rest = (uint64_t)payload->stat.st_size - payload->image_offset;

    /* An empty header belongs to a stub that somebody else put in front of an image. */
    if (memcmp(header, &empty, sizeof(empty)) == 0)
        return true;
    if (memcmp(header->magic, FORMAT_MAGIC, sizeof(header->magic)) != 0)
        return err_set(err, ERR_INPUT, "'%s' is damaged: its header has no magic number",
                       payload->path);
    if (header->version != FORMAT_VERSION)
        return err_set(err, ERR_INPUT, "'%s' has format version %u, this stub knows %d",
                       payload->path, header->version, FORMAT_VERSION);
    if (header->image_offset != payload->image_offset)
        return err_set(err, ERR_INPUT, "'%s' is damaged: its header names another image offset",
                       payload->path);
    if (header->image_size > rest)
        return err_set(err, ERR_INPUT, "'%s' is truncated: %llu of %llu image bytes are there",
                       payload->path, (unsigned long long)rest,
                       (unsigned long long)header->image_size);
    payload->image_size = header->image_size;
    payload->has_header = true;
    return true;
}

/* Any length: /proc links and paths are not bounded by PATH_MAX. */
static char *read_link(const char *link)
{
    for (size_t size = 256; size <= 1 << 20; size *= 2) {
        char *path = malloc(size);
        ssize_t n = path != NULL ? readlink(link, path, size) : -1;

        if (n >= 0 && (size_t)n < size) {
            path[n] = '\0';
            return path;
        }
        free(path);
        if (n < 0)
            return NULL;
    }
    return NULL;
}

static bool open_file(struct payload *payload, const char *target, struct err *err)
{
    const char *name = target != NULL ? target : "/proc/self/exe";
    char link[32];

    payload->fd = open(name, O_RDONLY | O_CLOEXEC | O_NOCTTY | O_NONBLOCK);
    if (payload->fd < 0 && target == NULL) {
        /* Without /proc the kernel still told us which path it executed. */
        name = (const char *)(uintptr_t)getauxval(AT_EXECFN);
        if (name != NULL)
            payload->fd = open(name, O_RDONLY | O_CLOEXEC);
    }
    if (payload->fd < 0)
        return err_sys(err, "cannot open '%s'", name != NULL ? name : "/proc/self/exe");
    if (fstat(payload->fd, &payload->stat) != 0)
        return err_sys(err, "cannot read '%s'", name);
    if (!S_ISREG(payload->stat.st_mode))
        return err_set(err, ERR_INPUT, "'%s' is not a regular file", name);

    snprintf(link, sizeof(link), "/proc/self/fd/%d", payload->fd);
    payload->path = read_link(link);
    if (payload->path == NULL)
        payload->path = realpath(name, NULL);
    if (payload->path == NULL)
        return err_sys(err, "cannot find the path of '%s'", name);
    return true;
}

bool payload_open(struct payload *ret, const char *target, struct err *err)
{
    struct payload payload = {.fd = -1};
    cleanup_free Elf64_Shdr *sections = NULL;
    const Elf64_Shdr *section;
    Elf64_Ehdr elf;

    if (!open_file(&payload, target, err) ||
        !read_sections(&payload, &elf, &sections, &payload.image_offset, err))
        goto fail;
    payload.image_size = (uint64_t)payload.stat.st_size - payload.image_offset;
    section = find_section(&payload, &elf, sections, FORMAT_SECTION);
    if (section != NULL && section->sh_size >= sizeof(payload.header) &&
        read_at(payload.fd, &payload.header, sizeof(payload.header), section->sh_offset)) {
        payload.header_offset = section->sh_offset;
        if (!check_header(&payload, err))
            goto fail;
    }
    *ret = payload;
    return true;
fail:
    payload_release(&payload);
    return false;
}

void payload_release(struct payload *payload)
{
    cleanup_fd_value(&payload->fd);
    payload->fd = -1;
    free(payload->path);
    payload->path = NULL;
}

bool payload_section(const struct payload *payload, const char *name, char **ret_text,
                     struct err *err)
{
    cleanup_free Elf64_Shdr *sections = NULL;
    const Elf64_Shdr *section;
    Elf64_Ehdr elf;
    uint64_t end;
    size_t size;
    char *text;

    if (!read_sections(payload, &elf, &sections, &end, err))
        return false;
    section = find_section(payload, &elf, sections, name);
    size = section == NULL ? 0 : section->sh_size < SECTION_MAX ? section->sh_size : SECTION_MAX;
    text = calloc(1, size + 1);
    if (text == NULL || (size > 0 && !read_at(payload->fd, text, size, section->sh_offset))) {
        free(text);
        return err_sys(err, "cannot read section '%s' of '%s'", name, payload->path);
    }
    *ret_text = text;
    return true;
}
