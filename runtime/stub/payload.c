/* SPDX-License-Identifier: MIT */
#include "runtime/stub/payload.h"

#include <assert.h>
#include <elf.h>
#include <errno.h>
#include <fcntl.h>
#include <limits.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/auxv.h>
#include <unistd.h>

#include "common/blake2b.h"
#include "common/cleanup.h"
#include "common/err.h"
#include "runtime/stub/sqfs.h"

/* A symlink's target of any length: the kernel's limit is a page, but nobody has to rely on it. */
static char *read_link(const char *path)
{
    for (size_t size = 256; size <= 1 << 20; size *= 2) {
        char *text = malloc(size);
        ssize_t got = text == NULL ? -1 : readlink(path, text, size);

        if (got >= 0 && (size_t)got < size) {
            text[got] = '\0';
            return text;
        }
        free(text);
        if (got < 0)
            return NULL;
    }
    return NULL;
}

static bool open_self(struct payload *payload, struct err *err)
{
    const char *name = (const char *)getauxval(AT_EXECFN);

    payload->fd = open("/proc/self/exe", O_RDONLY | O_CLOEXEC);
    if (payload->fd >= 0)
        return true;
    /* Without /proc the name that was executed is the best guess; of a descriptor it is none. */
    if (name != NULL && strncmp(name, "/dev/fd/", 8) != 0)
        payload->fd = open(name, O_RDONLY | O_CLOEXEC);
    if (payload->fd >= 0)
        return true;
    (void)err_sys(err, "cannot open the running program");
    return err_hint(err, "is /proc mounted? it is needed to find the program's own file");
}

static bool find_path(struct payload *payload, struct err *err)
{
    char link[64];

    (void)snprintf(link, sizeof(link), "/proc/self/fd/%d", payload->fd);
    payload->path = read_link(link);
    if (payload->path == NULL)
        payload->path = realpath((const char *)getauxval(AT_EXECFN), NULL);
    if (payload->path == NULL)
        return err_sys(err, "cannot find the program's own path");
    return true;
}

static bool damaged(struct err *err, const char *what)
{
    (void)err_set(err, ERR_INPUT, "the file is damaged: %s", what);
    (void)err_id(err, "E-IMAGE");
    return err_hint(err, "the file may be cut off or changed: download or build it again");
}

static bool read_at(const struct payload *payload, void *buf, size_t size, uint64_t offset)
{
    if (offset > (uint64_t)payload->stat.st_size || size > (uint64_t)payload->stat.st_size - offset)
        return false;
    return pread(payload->fd, buf, size, (off_t)offset) == (ssize_t)size;
}

/* The section header table, on the heap; *ret_elf is filled. */
static bool read_sections(const struct payload *payload, Elf64_Ehdr *ret_elf, Elf64_Shdr **ret,
                          struct err *err)
{
    Elf64_Shdr *sections;

    if (!read_at(payload, ret_elf, sizeof(*ret_elf), 0) ||
        memcmp(ret_elf->e_ident, ELFMAG, SELFMAG) != 0 ||
        ret_elf->e_ident[EI_CLASS] != ELFCLASS64 || ret_elf->e_ident[EI_DATA] != ELFDATA2LSB)
        return damaged(err, "not a 64-bit ELF file");
    if (ret_elf->e_shnum == 0 || ret_elf->e_shnum > PAYLOAD_SECTIONS_MAX ||
        ret_elf->e_shentsize != sizeof(Elf64_Shdr) || ret_elf->e_shstrndx >= ret_elf->e_shnum)
        return damaged(err, "impossible section table");
    sections = calloc(ret_elf->e_shnum, sizeof(*sections));
    if (sections == NULL)
        return err_sys(err, "reading the section table");
    if (!read_at(payload, sections, ret_elf->e_shnum * sizeof(*sections), ret_elf->e_shoff)) {
        free(sections);
        return damaged(err, "section table outside the file");
    }
    *ret = sections;
    return true;
}

static bool section_named(const struct payload *payload, const Elf64_Ehdr *elf,
                          const Elf64_Shdr *sections, const Elf64_Shdr *section, const char *name)
{
    const Elf64_Shdr *names = &sections[elf->e_shstrndx];
    char found[32] = "";
    size_t size = strlen(name) + 1;

    if (size > sizeof(found) || section->sh_name >= names->sh_size ||
        !read_at(payload, found, size, names->sh_offset + section->sh_name))
        return false;
    return memcmp(found, name, size) == 0;
}

static const Elf64_Shdr *find_section(const struct payload *payload, const Elf64_Ehdr *elf,
                                      const Elf64_Shdr *sections, const char *name)
{
    for (size_t i = 0; i < elf->e_shnum; i++)
        if (sections[i].sh_type == SHT_PROGBITS &&
            section_named(payload, elf, sections, &sections[i], name))
            return &sections[i];
    return NULL;
}

static bool find_end(struct payload *payload, const Elf64_Ehdr *elf, const Elf64_Shdr *sections,
                     struct err *err)
{
    const Elf64_Shdr *last = &sections[elf->e_shnum - 1];
    uint64_t end = elf->e_shoff + (uint64_t)elf->e_shentsize * elf->e_shnum;
    uint64_t last_end;

    if (last->sh_type != SHT_NOBITS) {
        if (__builtin_add_overflow(last->sh_offset, last->sh_size, &last_end))
            return damaged(err, "section outside the file");
        if (last_end > end)
            end = last_end;
    }
    if (end > (uint64_t)payload->stat.st_size)
        return damaged(err, "section outside the file");
    payload->image_offset = end;
    payload->image_size = (uint64_t)payload->stat.st_size - end;
    return true;
}

/* A header of zeros is no header: a stub that something else was appended to. */
static bool check_header(struct payload *payload, struct err *err)
{
    static const struct format_header empty;
    const struct format_header *header = &payload->header;

    if (memcmp(header, &empty, sizeof(empty)) == 0)
        return true;
    if (memcmp(header->magic, FORMAT_MAGIC, sizeof(header->magic)) != 0)
        return damaged(err, "its header has no magic number");
    if (header->version != FORMAT_VERSION)
        return damaged(err, "unknown format version");
    if (header->image_offset != payload->image_offset)
        return damaged(err, "the image is not where the header says");
    if (header->image_size > payload->image_size)
        return damaged(err, "truncated, the image does not end in it");
    payload->image_size = header->image_size;
    payload->ours = true;
    return true;
}

static bool read_elf(struct payload *payload, struct err *err)
{
    cleanup_free Elf64_Shdr *sections = NULL;
    const Elf64_Shdr *section;
    Elf64_Ehdr elf;

    if (fstat(payload->fd, &payload->stat) != 0)
        return err_sys(err, "'%s'", payload->path);
    if (!S_ISREG(payload->stat.st_mode))
        return err_set(err, ERR_INPUT, "'%s' is not a regular file", payload->path);
    if (!read_sections(payload, &elf, &sections, err) || !find_end(payload, &elf, sections, err))
        return false;
    section = find_section(payload, &elf, sections, FORMAT_SECTION);
    if (section == NULL || section->sh_size < sizeof(payload->header))
        return true;
    if (!read_at(payload, &payload->header, sizeof(payload->header), section->sh_offset))
        return damaged(err, "section outside the file");
    payload->header_offset = section->sh_offset;
    return check_header(payload, err);
}

/* A descriptor that we were given for the file: what was checked through it is what we open, and
 * the app is not to inherit it. */
static void close_given(const char *target)
{
    static const char prefix[] = "/proc/self/fd/";
    char *end;
    long number;

    if (strncmp(target, prefix, strlen(prefix)) != 0)
        return;
    number = strtol(target + strlen(prefix), &end, 10);
    if (*end == '\0' && end > target + strlen(prefix) && number > STDERR_FILENO &&
        number <= INT_MAX)
        (void)close((int)number);
}

bool payload_open(struct payload *ret, const char *target, struct err *err)
{
    struct payload payload = {.fd = -1};

    /* Tools set TARGET_APPIMAGE carelessly: a name that leads nowhere is ignored. */
    if (target != NULL)
        payload.fd = open(target, O_RDONLY | O_CLOEXEC | O_NONBLOCK);
    if (target != NULL && payload.fd >= 0)
        close_given(target);
    if ((payload.fd < 0 && !open_self(&payload, err)) || !find_path(&payload, err) ||
        !read_elf(&payload, err)) {
        payload_release(&payload);
        return false;
    }
    *ret = payload;
    return true;
}

void payload_release(struct payload *payload)
{
    if (payload == NULL)
        return;
    cleanup_fd_value(&payload->fd);
    free(payload->path);
    *payload = (struct payload){.fd = -1};
}

bool payload_require_image(const struct payload *payload, struct err *err)
{
    if (payload->image_size > 0)
        return true;
    (void)err_set(err, ERR_INPUT, "'%s' carries no image", payload->path);
    (void)err_id(err, "E-IMAGE");
    return err_hint(err, "this is a bare runtime: append a squashfs image, or set TARGET_APPIMAGE");
}

bool payload_section(const struct payload *payload, const char *name, char **ret, struct err *err)
{
    cleanup_free Elf64_Shdr *sections = NULL;
    const Elf64_Shdr *section;
    Elf64_Ehdr elf;
    size_t size = 0;
    char *text;

    if (!read_sections(payload, &elf, &sections, err))
        return false;
    section = find_section(payload, &elf, sections, name);
    if (section != NULL && section->sh_size > PAYLOAD_SECTION_BYTES_MAX)
        return damaged(err, "impossible section size");
    if (section != NULL)
        size = (size_t)section->sh_size;
    text = calloc(1, size + 1);
    if (text == NULL)
        return err_sys(err, "section '%s'", name);
    if (size > 0 && !read_at(payload, text, size, section->sh_offset)) {
        free(text);
        return damaged(err, "section outside the file");
    }
    *ret = text;
    return true;
}

void payload_identity(const struct payload *payload, uint8_t ret[PAYLOAD_IDENTITY_SIZE])
{
    const struct stat *st = &payload->stat;
    const uint64_t file[] = {
        st->st_dev,
        st->st_ino,
        (uint64_t)st->st_size,
        (uint64_t)st->st_mtim.tv_sec,
        (uint64_t)st->st_mtim.tv_nsec,
        (uint64_t)st->st_ctim.tv_sec,
        (uint64_t)st->st_ctim.tv_nsec,
    };
    uint8_t superblock[SQFS_SUPERBLOCK_SIZE] = {0};
    struct blake2b hash;

    static_assert((int)PAYLOAD_IDENTITY_SIZE == (int)BLAKE2B_SIZE);
    blake2b_init(&hash);
    if (payload->ours) {
        blake2b_update(&hash, "ours", sizeof("ours"));
        blake2b_update(&hash, payload->header.image_hash, FORMAT_HASH_SIZE);
    } else {
        (void)read_at(payload, superblock, sizeof(superblock), payload->image_offset);
        blake2b_update(&hash, "file", sizeof("file"));
        blake2b_update(&hash, file, sizeof(file));
        blake2b_update(&hash, superblock, sizeof(superblock));
    }
    blake2b_final(&hash, ret);
}

/* With its NUL, so that two texts never run together; an absent text differs from an empty one. */
static void hash_text(struct blake2b *hash, const char *text)
{
    if (text == NULL)
        blake2b_update(hash, "\1", 1);
    else
        blake2b_update(hash, text, strlen(text) + 1);
}

void payload_key(const struct payload *payload, const char *salt, char ret[PAYLOAD_KEY_SIZE])
{
    uint8_t digest[BLAKE2B_SIZE];
    struct blake2b hash;

    payload_identity(payload, digest);
    blake2b_init(&hash);
    blake2b_update(&hash, digest, sizeof(digest));
    hash_text(&hash, payload->path);
    hash_text(&hash, getenv("RUCKSACK_STATE"));
    hash_text(&hash, getenv("STATE_DIRECTORY"));
    hash_text(&hash, salt);
    blake2b_final(&hash, digest);
    format_hex(digest, PAYLOAD_KEY_SIZE / 2, ret);
}
