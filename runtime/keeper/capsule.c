/* SPDX-License-Identifier: MIT */
#include "runtime/keeper/capsule.h"

#include <elf.h>
#include <endian.h>
#include <errno.h>
#include <fcntl.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

#include "common/cleanup.h"
#include "common/err.h"
#include "common/fs.h"
#include "common/trailer.h"
#include "common/xalloc.h"
#include "runtime/keeper/digest.h"
#include "runtime/keeper/interrupt.h"

enum { PIECE_BYTES = 256 << 10, SECTIONS_MAX = 1024 };

static bool read_at(int fd, void *buf, size_t size, uint64_t offset)
{
    return offset <= INT64_MAX && pread(fd, buf, size, (off_t)offset) == (ssize_t)size;
}

static bool is_named(int fd, const Elf64_Shdr *names, const Elf64_Shdr *section)
{
    char name[sizeof(FORMAT_SECTION)];
    uint64_t offset;

    return !__builtin_add_overflow(names->sh_offset, section->sh_name, &offset) &&
           read_at(fd, name, sizeof(name), offset) &&
           memcmp(name, FORMAT_SECTION, sizeof(name)) == 0;
}

/* Of the section header table: the stub found the header by it, too, when it started us. */
static bool read_header(int fd, struct format_header *ret)
{
    Elf64_Ehdr elf;
    cleanup_free Elf64_Shdr *sections = NULL;

    if (!read_at(fd, &elf, sizeof(elf), 0) || memcmp(elf.e_ident, ELFMAG, SELFMAG) != 0 ||
        elf.e_shentsize != sizeof(Elf64_Shdr) || elf.e_shnum == 0 || elf.e_shnum > SECTIONS_MAX ||
        elf.e_shstrndx >= elf.e_shnum)
        return false;
    sections = xcalloc(elf.e_shnum, sizeof(*sections));
    if (!read_at(fd, sections, elf.e_shnum * sizeof(*sections), elf.e_shoff))
        return false;
    for (size_t i = 0; i < elf.e_shnum; i++)
        if (sections[i].sh_type == SHT_PROGBITS && sections[i].sh_size == sizeof(*ret) &&
            is_named(fd, &sections[elf.e_shstrndx], &sections[i]))
            return read_at(fd, ret, sizeof(*ret), sections[i].sh_offset) &&
                   memcmp(ret->magic, FORMAT_MAGIC, sizeof(ret->magic)) == 0;
    return false;
}

static bool open_bundle(struct capsule *capsule, const char *path, uint64_t *ret_size,
                        struct err *err)
{
    struct format_header header = {0};
    uint64_t offset;
    struct stat st;

    capsule->fd = open(path, O_RDONLY | O_CLOEXEC | O_NONBLOCK);
    if (capsule->fd < 0 || fstat(capsule->fd, &st) != 0)
        return err_sys(err, "'%s'", path);
    *ret_size = (uint64_t)st.st_size;
    if (S_ISREG(st.st_mode) && read_header(capsule->fd, &header)) {
        offset = le64toh(header.image_offset);
        if (!__builtin_add_overflow(offset, le64toh(header.image_size), &capsule->bundle_size) &&
            capsule->bundle_size <= *ret_size) {
            digest_hex(header.image_hash, sizeof(header.image_hash), capsule->hash);
            return true;
        }
    }
    (void)err_set(err, ERR_INPUT, "'%s' is no bundle", path);
    (void)err_id(err, "E-BUNDLE");
    return err_hint(err, "name a capsule, or a snapshot: NAME-TIME.tar.zst");
}

bool capsule_open(struct capsule *ret, const char *path, struct err *err)
{
    struct capsule capsule = {.fd = -1};
    struct format_trailer trailer;
    uint64_t size = 0;

    if (!open_bundle(&capsule, path, &size, err) ||
        !trailer_read(capsule.fd, size, capsule.bundle_size, &trailer, &capsule.has_snapshot,
                      err)) {
        capsule_release(&capsule);
        return false;
    }
    if (capsule.has_snapshot) {
        capsule.snapshot_offset = trailer.snapshot_offset;
        capsule.snapshot_size = trailer.snapshot_size;
        memcpy(capsule.snapshot_hash, trailer.snapshot_hash, sizeof(trailer.snapshot_hash));
    }
    *ret = capsule;
    return true;
}

void capsule_release(struct capsule *capsule)
{
    cleanup_fd_value(&capsule->fd);
    *capsule = (struct capsule){.fd = -1};
}

bool capsule_is(int fd)
{
    char head[SELFMAG];

    return pread(fd, head, sizeof(head), 0) == (ssize_t)sizeof(head) &&
           memcmp(head, ELFMAG, sizeof(head)) == 0;
}

bool capsule_check(const struct capsule *capsule, struct err *err)
{
    uint8_t hash[FORMAT_HASH_SIZE];

    if (!trailer_hash(capsule->fd, capsule->snapshot_offset, capsule->snapshot_size, hash, err))
        return false;
    if (memcmp(hash, capsule->snapshot_hash, sizeof(hash)) == 0)
        return true;
    (void)err_set(err, ERR_INPUT, "the capsule is damaged: its snapshot differs");
    (void)err_id(err, "E-SNAPSHOT");
    return err_hint(err, "take another copy of it, or the snapshot before it");
}

bool capsule_copy_bundle(const struct capsule *capsule, int fd, struct err *err)
{
    cleanup_free char *piece = xcalloc(PIECE_BYTES, 1);
    uint64_t offset = 0;

    while (offset < capsule->bundle_size) {
        uint64_t left = capsule->bundle_size - offset;
        size_t want = left < PIECE_BYTES ? (size_t)left : PIECE_BYTES;
        ssize_t length = pread(capsule->fd, piece, want, (off_t)offset);

        if (length < 0 && errno == EINTR && interrupt_check(err))
            continue;
        if (length <= 0)
            return length == 0 ? err_set(err, ERR_INPUT, "the bundle became shorter meanwhile")
                               : err_sys(err, "reading the bundle");
        if (!interrupt_check(err) || !fs_write_all(fd, piece, (size_t)length, err))
            return false;
        offset += (uint64_t)length;
    }
    return true;
}

bool capsule_seal(int fd, uint64_t offset, struct err *err)
{
    struct format_trailer trailer;
    uint8_t hash[FORMAT_HASH_SIZE];
    off_t end = lseek(fd, 0, SEEK_END);

    if (end < 0 || (uint64_t)end < offset)
        return err_sys(err, "seek");
    if (!trailer_hash(fd, offset, (uint64_t)end - offset, hash, err))
        return false;
    trailer_make(&trailer, offset, (uint64_t)end - offset, hash);
    return fs_write_all(fd, &trailer, sizeof(trailer), err);
}
