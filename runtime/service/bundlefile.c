/* SPDX-License-Identifier: MIT */
#include "runtime/service/bundlefile.h"

#include <elf.h>
#include <endian.h>
#include <errno.h>
#include <fcntl.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

#include "common/blake2b.h"
#include "common/cleanup.h"
#include "common/err.h"
#include "common/fs.h"
#include "common/machine.h"
#include "common/trailer.h"
#include "common/xalloc.h"

enum { PIECE_BYTES = 256 << 10, SECTIONS_MAX = 1024 };

struct elf {
    Elf64_Ehdr header;
    Elf64_Shdr *sections;
    uint64_t end;
};

static bool read_at(int fd, void *buf, size_t size, uint64_t offset)
{
    return offset <= INT64_MAX && pread(fd, buf, size, (off_t)offset) == (ssize_t)size;
}

/* The table, and where the ELF part ends: every reader finds the image there. */
static bool read_elf(struct elf *elf, int fd, uint64_t file_size)
{
    const Elf64_Ehdr *header = &elf->header;
    uint64_t table;

    if (!read_at(fd, &elf->header, sizeof(elf->header), 0) ||
        memcmp(header->e_ident, ELFMAG, SELFMAG) != 0 || header->e_ident[EI_CLASS] != ELFCLASS64 ||
        header->e_ident[EI_DATA] != ELFDATA2LSB || header->e_shentsize != sizeof(Elf64_Shdr) ||
        header->e_shnum == 0 || header->e_shnum > SECTIONS_MAX ||
        header->e_shstrndx >= header->e_shnum)
        return false;
    table = header->e_shnum * sizeof(Elf64_Shdr);
    if (header->e_shoff > file_size || table > file_size - header->e_shoff)
        return false;
    elf->sections = xcalloc(header->e_shnum, sizeof(*elf->sections));
    elf->end = header->e_shoff + table;
    if (!read_at(fd, elf->sections, (size_t)table, header->e_shoff))
        return false;
    for (size_t i = 0; i < header->e_shnum; i++) {
        const Elf64_Shdr *section = &elf->sections[i];
        uint64_t end;

        if (section->sh_type == SHT_NULL || section->sh_type == SHT_NOBITS)
            continue;
        if (__builtin_add_overflow(section->sh_offset, section->sh_size, &end) || end > file_size)
            return false;
        if (end > elf->end)
            elf->end = end;
    }
    return true;
}

static bool is_header(int fd, const struct elf *elf, const Elf64_Shdr *section)
{
    const Elf64_Shdr *names = &elf->sections[elf->header.e_shstrndx];
    char name[sizeof(FORMAT_SECTION)];

    return section->sh_type == SHT_PROGBITS && section->sh_size == sizeof(struct format_header) &&
           section->sh_name < names->sh_size && sizeof(name) <= names->sh_size - section->sh_name &&
           read_at(fd, name, sizeof(name), names->sh_offset + section->sh_name) &&
           memcmp(name, FORMAT_SECTION, sizeof(name)) == 0;
}

static bool find_header(struct bundlefile *file, const struct elf *elf)
{
    for (size_t i = 0; i < elf->header.e_shnum; i++) {
        if (!is_header(file->fd, elf, &elf->sections[i]))
            continue;
        file->header_offset = elf->sections[i].sh_offset;
        return read_at(file->fd, &file->header, sizeof(file->header), file->header_offset);
    }
    return false;
}

static bool no_bundle(const char *path, const char *why, struct err *err)
{
    (void)err_set(err, ERR_INPUT, "'%s' is no bundle: %s", path, why);
    (void)err_id(err, "E-BUNDLE");
    return err_hint(err, "name a file that 'rucksack build' wrote; get it again");
}

static bool check_header(struct bundlefile *file, const char *path, uint64_t elf_end,
                         uint64_t file_size, struct err *err)
{
    struct format_header *header = &file->header;
    uint64_t end;

    header->version = le32toh(header->version);
    header->kind = le32toh(header->kind);
    header->image_offset = le64toh(header->image_offset);
    header->image_size = le64toh(header->image_size);
    if (memcmp(header->magic, FORMAT_MAGIC, sizeof(header->magic)) != 0)
        return no_bundle(path, "it has no header", err);
    if (header->version != FORMAT_VERSION)
        return no_bundle(path, "it is of a later format", err);
    if (header->kind != FORMAT_KIND_APP)
        return no_bundle(path, "it is a command, not an application", err);
    if (memchr(header->name, '\0', sizeof(header->name)) == NULL || header->name[0] == '\0' ||
        header->image_offset != elf_end || header->image_offset % FORMAT_ALIGN != 0 ||
        header->image_size == 0 ||
        __builtin_add_overflow(header->image_offset, header->image_size, &end))
        return no_bundle(path, "its header is damaged", err);
    if (end <= file_size)
        return true;
    (void)err_set(err, ERR_INPUT, "'%s': %llu bytes are missing at its end", path,
                  (unsigned long long)(end - file_size));
    (void)err_id(err, "E-TRUNCATED");
    return err_hint(err, "get the file again");
}

static bool read_bundle(struct bundlefile *file, const char *path, uint64_t size, struct err *err)
{
    struct elf elf = {0};
    bool ok;

    if (!read_elf(&elf, file->fd, size) || !find_header(file, &elf))
        ok = no_bundle(path, "it has no header", err);
    else
        ok = check_header(file, path, elf.end, size, err);
    free(elf.sections);
    if (!ok)
        return false;
    if (elf.header.e_machine == MACHINE_ELF)
        return true;
    (void)err_set(err, ERR_INPUT, "'%s' is for another kind of CPU", path);
    (void)err_id(err, "E-ARCH");
    return err_hint(err, "build it on a machine of this kind");
}

static bool read_trailer(struct bundlefile *file, uint64_t size, struct err *err)
{
    uint64_t end = file->header.image_offset + file->header.image_size;
    struct format_trailer trailer;

    if (!trailer_read(file->fd, size, end, &trailer, &file->has_snapshot, err))
        return false;
    if (file->has_snapshot) {
        file->snapshot_offset = trailer.snapshot_offset;
        file->snapshot_size = trailer.snapshot_size;
    }
    return true;
}

bool bundlefile_open(struct bundlefile *ret, const char *path, struct err *err)
{
    /* O_NONBLOCK: a fifo must be refused, not waited for. */
    struct bundlefile file = {.fd = open(path, O_RDONLY | O_CLOEXEC | O_NONBLOCK)};
    struct stat st;
    bool ok;

    if (file.fd < 0 || fstat(file.fd, &st) != 0) {
        (void)err_sys(err, "'%s'", path);
        bundlefile_release(&file);
        return err_id(err, "E-BUNDLE");
    }
    if (!S_ISREG(st.st_mode))
        ok = no_bundle(path, "it is no regular file", err);
    else
        ok = read_bundle(&file, path, (uint64_t)st.st_size, err) &&
             read_trailer(&file, (uint64_t)st.st_size, err);
    if (!ok) {
        bundlefile_release(&file);
        return false;
    }
    format_hex(file.header.image_hash, FORMAT_HASH_SIZE, file.hash);
    *ret = file;
    return true;
}

bool bundlefile_open_own(struct bundlefile *ret, const char *path, const char *identity,
                         struct err *err)
{
    char found[FORMAT_IDENTITY_SIZE];

    if (!bundlefile_open(ret, path, err))
        return false;
    format_identity(&ret->header, found);
    if (identity == NULL || strcmp(found, identity) == 0)
        return true;
    bundlefile_release(ret);
    (void)err_set(err, ERR_INPUT, "'%s' is not the bundle that was started, by now", path);
    (void)err_id(err, "E-BUNDLE");
    return err_hint(err, "somebody has replaced it: look at it, and start it again");
}

void bundlefile_release(struct bundlefile *file)
{
    cleanup_fd_value(&file->fd);
    *file = (struct bundlefile){.fd = -1};
}

bool bundlefile_copy(const struct bundlefile *file, int to, struct err *err)
{
    cleanup_free char *piece = xcalloc(PIECE_BYTES, 1);
    uint64_t end = file->header.image_offset + file->header.image_size;
    uint64_t offset = 0;

    while (offset < end) {
        size_t want = end - offset < PIECE_BYTES ? (size_t)(end - offset) : PIECE_BYTES;
        ssize_t length = pread(file->fd, piece, want, (off_t)offset);

        if (length < 0 && errno == EINTR)
            continue;
        if (length <= 0)
            return length == 0 ? err_set(err, ERR_INPUT, "the bundle became shorter meanwhile")
                               : err_sys(err, "reading the bundle");
        if (!fs_write_all(to, piece, (size_t)length, err)) {
            if (err->sys_errno == ENOSPC)
                (void)err_id(err, "E-SPACE");
            return err_hint(err, "make room below /opt, and again");
        }
        offset += (uint64_t)length;
    }
    return true;
}

static bool differs(const char *what, struct err *err)
{
    (void)err_set(err, ERR_INPUT, "the bundle is not what was built: its %s differs", what);
    (void)err_id(err, "E-VERIFY");
    return err_hint(err, "get the file again");
}

/* The stub with the field of its own hash as zeros. */
static bool hash_stub(const struct bundlefile *file, uint8_t ret[FORMAT_HASH_SIZE], struct err *err)
{
    size_t size = (size_t)file->header.image_offset;
    uint64_t field = file->header_offset + offsetof(struct format_header, stub_hash);
    cleanup_free char *stub = NULL;
    struct blake2b hash;

    if (size > 64u << 20 || field > size - FORMAT_HASH_SIZE)
        return differs("header", err);
    stub = xcalloc(size, 1);
    if (!read_at(file->fd, stub, size, 0))
        return err_sys(err, "reading the bundle");
    memset(stub + field, 0, FORMAT_HASH_SIZE);
    blake2b_init(&hash);
    blake2b_update(&hash, stub, size);
    blake2b_final(&hash, ret);
    return true;
}

bool bundlefile_verify(const struct bundlefile *file, struct err *err)
{
    const struct format_header *header = &file->header;
    uint8_t hash[FORMAT_HASH_SIZE];

    if (!hash_stub(file, hash, err))
        return false;
    if (memcmp(hash, header->stub_hash, sizeof(hash)) != 0)
        return differs("stub", err);
    if (!trailer_hash(file->fd, header->image_offset, header->image_size, hash, err))
        return false;
    return memcmp(hash, header->image_hash, sizeof(hash)) == 0 || differs("image", err);
}
