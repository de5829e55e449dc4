/* SPDX-License-Identifier: MIT */
#include "bundler/bundle.h"

#include <elf.h>
#include <endian.h>
#include <errno.h>
#include <fcntl.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

#include "bundler/elf.h"
#include "bundler/hash.h"
#include "bundler/image.h"
#include "bundler/outline.h"
#include "common/checksum.h"
#include "common/cleanup.h"
#include "common/err.h"
#include "common/machine.h"
#include "common/signature.h"
#include "common/trailer.h"
#include "common/xalloc.h"

static bool not_a_bundle(const char *why, struct err *err)
{
    (void)err_set(err, ERR_INPUT, "it is not a Rucksack bundle: %s", why);
    (void)err_id(err, "E-BUNDLE");
    return err_hint(err, "name a file that 'rucksack build' wrote; if it was one, get it again");
}

static bool made_by_others(struct err *err)
{
    (void)err_set(err, ERR_INPUT,
                  "it is not a Rucksack bundle: it has no section '" FORMAT_SECTION
                  "', another tool made this AppImage");
    (void)err_id(err, "E-BUNDLE");
    return err_hint(err, "'rucksack inspect' shows what is in it");
}

static bool read_outline(struct outline *outline, int fd, struct err *err)
{
    const struct outline_place *place = &outline->sections[OUTLINE_HEADER];
    struct err why = {0};

    if (!outline_read(outline, fd, false, &why)) {
        if (strcmp(why.id, "E-BUNDLE") == 0)
            return not_a_bundle(why.msg, err);
        *err = why;
        return false;
    }
    if (place->found == 0)
        return outline->type == 2 ? made_by_others(err)
                                  : not_a_bundle("it has no section '" FORMAT_SECTION "'", err);
    if (place->found > 1 || place->size_bytes != FORMAT_HEADER_SIZE || place->offset == 0)
        return not_a_bundle("its section '" FORMAT_SECTION "' is wrong", err);
    return true;
}

static void swap_header(struct format_header *header)
{
    header->version = le32toh(header->version);
    header->kind = le32toh(header->kind);
    header->image_offset = le64toh(header->image_offset);
    header->image_size = le64toh(header->image_size);
    header->checksum = le64toh(header->checksum);
}

/* The name becomes part of file names and is shown on terminals: no byte but visible ASCII, no
 * slash, not hidden. */
static bool is_name(const char name[FORMAT_NAME_SIZE])
{
    size_t len = strnlen(name, FORMAT_NAME_SIZE);

    if (len == 0 || len == FORMAT_NAME_SIZE || name[0] == '.')
        return false;
    for (size_t i = 0; i < len; i++) {
        if (name[i] <= ' ' || name[i] > '~' || name[i] == '/')
            return false;
    }
    return true;
}

static bool check_header(const struct outline *outline, const struct format_header *header,
                         struct err *err)
{
    if (memcmp(header->magic, FORMAT_MAGIC, sizeof(header->magic)) != 0)
        return not_a_bundle("its header is empty or damaged", err);
    if (header->version > FORMAT_VERSION) {
        (void)err_set(err, ERR_INPUT, "it has format %u; this rucksack reads format %d",
                      header->version, FORMAT_VERSION);
        (void)err_id(err, "E-BUNDLE");
        return err_hint(err, "update rucksack");
    }
    if (header->version != FORMAT_VERSION)
        return not_a_bundle("its header has no version", err);
    if (header->kind != FORMAT_KIND_APP && header->kind != FORMAT_KIND_CLI)
        return not_a_bundle("it is of an unknown kind", err);
    if (!is_name(header->name))
        return not_a_bundle("its name is damaged", err);
    if (header->image_offset % FORMAT_ALIGN != 0 || header->image_offset != outline->end)
        return not_a_bundle("its image does not follow its stub", err);
    if (header->image_size == 0 || header->image_size > INT64_MAX - header->image_offset)
        return not_a_bundle("its image has an impossible size", err);
    if (header->image_offset > outline->file_size ||
        header->image_size > outline->file_size - header->image_offset)
        return outline_truncated(header->image_offset + header->image_size - outline->file_size,
                                 err);
    return true;
}

static bool read_bundle(struct bundle *bundle, struct err *err)
{
    struct outline outline;

    if (!read_outline(&outline, bundle->fd, err) ||
        !outline_read_bytes(bundle->fd, outline.sections[OUTLINE_HEADER].offset, &bundle->header,
                            sizeof(bundle->header), err))
        return false;
    swap_header(&bundle->header);
    bundle->file_size = outline.file_size;
    bundle->section_offset = outline.sections[OUTLINE_HEADER].offset;
    bundle->machine = outline.machine;
    return check_header(&outline, &bundle->header, err);
}

bool bundle_open(struct bundle *ret, const char *path, struct err *err)
{
    /* O_NONBLOCK: a fifo must be refused, not waited for. */
    cleanup_fd int fd = open(path, O_RDONLY | O_CLOEXEC | O_NONBLOCK | O_NOCTTY);
    struct bundle bundle = {.fd = fd};
    struct stat st;

    if (fd < 0 || fstat(fd, &st) != 0) {
        (void)err_sys(err, "'%s'", path);
        (void)err_id(err, "E-BUNDLE");
        return err_hint(err, "name a file that 'rucksack build' wrote");
    }
    if (!S_ISREG(st.st_mode)) {
        (void)not_a_bundle("it is not a regular file", err);
        return err_wrap(err, "'%s'", path);
    }
    if (!read_bundle(&bundle, err))
        return err_wrap(err, "'%s'", path);
    bundle.path = xstrdup(path);
    (void)steal_fd(&fd);
    *ret = bundle;
    return true;
}

void bundle_close(struct bundle *bundle)
{
    if (bundle == NULL || bundle->path == NULL)
        return;
    close(bundle->fd);
    free(bundle->path);
    *bundle = (struct bundle){.fd = -1};
}

bool bundle_open_image(const struct bundle *bundle, struct image **ret, struct err *err)
{
    return image_open(ret, bundle->fd, bundle->header.image_offset, bundle->header.image_size, err);
}

bool bundle_check_machine(const struct bundle *bundle, struct err *err)
{
    if (bundle->machine == MACHINE_ELF)
        return true;
    (void)err_set(err, ERR_INPUT, "'%s' is for %s, and this machine is %s", bundle->path,
                  elf_machine_name(bundle->machine), elf_machine_name(MACHINE_ELF));
    (void)err_id(err, "E-ARCH");
    return err_hint(err, "build it on %s", elf_machine_name(MACHINE_ELF));
}

/* The hash of the bytes before the image, with its own place read as zero. */
static bool hash_stub(int fd, uint64_t section_offset, uint64_t image_offset,
                      uint8_t ret[FORMAT_HASH_SIZE], struct err *err)
{
    static const uint8_t zeros[FORMAT_HASH_SIZE];
    uint64_t field = section_offset + offsetof(struct format_header, stub_hash);
    uint64_t rest = field + sizeof(zeros);
    struct hash hash;

    hash_init(&hash);
    if (!hash_update_range(&hash, fd, 0, field, err))
        return false;
    hash_update(&hash, zeros, sizeof(zeros));
    if (!hash_update_range(&hash, fd, rest, image_offset - rest, err))
        return false;
    hash_final(&hash, ret);
    return true;
}

/* What a start compares; see format.h. */
static bool sum_file(int fd, uint64_t section_offset, uint64_t end, uint64_t *ret, struct err *err)
{
    uint64_t from = section_offset + FORMAT_SUMS_OFFSET;

    return checksum_file(fd, from, from + FORMAT_SUMS_SIZE, end, ret, err);
}

static bool count_file(const struct image_node *node, void *context, struct err *err)
{
    uint64_t *files = context;

    (void)err;
    *files += (node->mode & S_IFMT) == S_IFREG;
    return true;
}

/* Whether everything in the image decodes; *ret_why is filled when it does not. */
static bool content_decodes(const struct bundle *bundle, uint64_t *ret_files, struct err *ret_why)
{
    struct image *image = NULL;
    uint64_t files = 0;
    bool ok = bundle_open_image(bundle, &image, ret_why) && image_check(image, ret_why) &&
              image_each(image, count_file, &files, ret_why);

    image_free(image);
    if (ok)
        *ret_files = files;
    return ok;
}

/* A damaged capsule is a finding, not an error. */
static bool find_snapshot(const struct bundle *bundle, uint64_t end,
                          struct bundle_findings *findings, struct err *err)
{
    struct format_trailer trailer;
    uint8_t hash[FORMAT_HASH_SIZE];
    struct err why = {0};

    if (findings->trailing_bytes == 0)
        return true;
    if (!trailer_read(bundle->fd, bundle->file_size, end, &trailer, &findings->is_capsule, &why))
        return why.kind == ERR_INPUT || err_set(err, ERR_SYSTEM, "'%s': %s", bundle->path, why.msg);
    if (!findings->is_capsule)
        return true;
    if (!hash_range(bundle->fd, trailer.snapshot_offset, trailer.snapshot_size, hash, err))
        return err_wrap(err, "'%s'", bundle->path);
    findings->is_snapshot_ok = memcmp(hash, trailer.snapshot_hash, sizeof(hash)) == 0;
    findings->trailing_bytes = 0;
    return true;
}

static bool report_findings(const struct bundle *bundle, const struct bundle_findings *findings,
                            const struct err *why, struct err *err)
{
    cleanup_free char *trailing = NULL;
    cleanup_free char *content = NULL;
    const char *stub = findings->is_stub_ok ? "" : "; the stub or its header differs";
    const char *image = findings->is_image_ok ? "" : "; the image differs";
    const char *snapshot = "";

    trailing = findings->trailing_bytes == 0
                   ? xstrdup("")
                   : xasprintf("; %llu bytes follow the image",
                               (unsigned long long)findings->trailing_bytes);
    content = findings->is_content_ok ? xstrdup("") : xasprintf("; its content: %s", why->msg);
    if (findings->is_capsule && !findings->is_snapshot_ok)
        snapshot = "; its snapshot differs";
    if (stub[0] == '\0' && image[0] == '\0' && trailing[0] == '\0' && content[0] == '\0' &&
        snapshot[0] == '\0')
        return true;
    (void)err_set(err, ERR_CHECK, "'%s' is not as it was built%s%s%s%s%s", bundle->path, stub,
                  image, snapshot, trailing, content);
    (void)err_id(err, "E-VERIFY");
    return err_hint(err, "do not run it; copy it again from where it was built");
}

static bool compare_hashes(const struct bundle *bundle, struct bundle_findings *findings,
                           struct err *err)
{
    const struct format_header *header = &bundle->header;
    uint64_t end = header->image_offset + header->image_size;
    uint8_t stub[FORMAT_HASH_SIZE];
    uint8_t image[FORMAT_HASH_SIZE];
    uint64_t sum;

    *findings = (struct bundle_findings){.trailing_bytes = bundle->file_size - end};
    if (!find_snapshot(bundle, end, findings, err))
        return false;
    if (!hash_stub(bundle->fd, bundle->section_offset, header->image_offset, stub, err) ||
        !hash_range(bundle->fd, header->image_offset, header->image_size, image, err) ||
        !sum_file(bundle->fd, bundle->section_offset, end, &sum, err))
        return err_wrap(err, "'%s'", bundle->path);
    findings->is_image_ok = memcmp(image, header->image_hash, sizeof(image)) == 0;
    /* The checksum lies in the header; with an image that is right it can only be wrong itself. */
    findings->is_stub_ok = memcmp(stub, header->stub_hash, sizeof(stub)) == 0 &&
                           (!findings->is_image_ok || sum == header->checksum);
    return true;
}

bool bundle_verify(const struct bundle *bundle, struct bundle_findings *findings, struct err *err)
{
    struct err why = {0};

    if (!compare_hashes(bundle, findings, err))
        return false;
    findings->is_content_ok = content_decodes(bundle, &findings->files, &why);
    if (!findings->is_content_ok && why.kind == ERR_SYSTEM) {
        *err = why; /* says nothing of the bundle */
        return err_wrap(err, "'%s'", bundle->path);
    }
    return report_findings(bundle, findings, &why, err);
}

bool bundle_check_hashes(const struct bundle *bundle, struct err *err)
{
    const struct err none = {0};
    struct bundle_findings findings;

    if (!compare_hashes(bundle, &findings, err))
        return false;
    findings.is_content_ok = true;
    if (report_findings(bundle, &findings, &none, err))
        return true;
    err->kind = ERR_INPUT;
    return false;
}

static bool write_exactly(int fd, uint64_t offset, const void *data, size_t size, struct err *err)
{
    const char *from = data;

    while (size > 0) {
        ssize_t length = pwrite(fd, from, size, (off_t)offset);

        if (length < 0 && errno == EINTR)
            continue;
        if (length < 0)
            return err_sys(err, "write");
        from += length;
        offset += (uint64_t)length;
        size -= (size_t)length;
    }
    return true;
}

static bool make_header(struct format_header *header, enum format_kind kind, const char *name,
                        struct err *err)
{
    if (strlen(name) >= sizeof(header->name))
        return err_set(err, ERR_INPUT, "'%.100s' is too long for a name", name);
    header->version = FORMAT_VERSION;
    header->kind = kind;
    memcpy(header->magic, FORMAT_MAGIC, sizeof(header->magic));
    memcpy(header->name, name, strlen(name));
    return true;
}

bool bundle_set_update_info(int fd, const char *text, struct err *err)
{
    const struct outline_place *place;
    struct outline outline;

    if (!read_outline(&outline, fd, err))
        return false;
    place = &outline.sections[OUTLINE_UPDATE];
    if (place->found == 0 || place->size_bytes != FORMAT_UPD_INFO_SIZE ||
        strlen(text) >= FORMAT_UPD_INFO_SIZE)
        return err_set(err, ERR_INPUT, "the stub has no room for update information");
    return write_exactly(fd, place->offset, text, strlen(text), err);
}

/* header: in the file's byte order, all but its sums, which it gets here. */
static bool write_header(int fd, uint64_t section_offset, struct format_header *header,
                         uint64_t image_offset, uint64_t end, struct err *err)
{
    uint64_t sum;

    header->checksum = 0;
    memset(header->stub_hash, 0, sizeof(header->stub_hash));
    if (!write_exactly(fd, section_offset, header, sizeof(*header), err) ||
        !sum_file(fd, section_offset, end, &sum, err))
        return false;
    header->checksum = htole64(sum);
    if (!write_exactly(fd, section_offset, header, sizeof(*header), err) ||
        !hash_stub(fd, section_offset, image_offset, header->stub_hash, err))
        return false;
    return write_exactly(fd, section_offset, header, sizeof(*header), err);
}

bool bundle_seal(int fd, uint64_t image_offset_bytes, uint64_t image_size_bytes,
                 enum format_kind kind, const char *name, struct err *err)
{
    struct format_header header = {.image_offset = image_offset_bytes,
                                   .image_size = image_size_bytes};
    struct outline outline;

    /* The reader's rules, so that nothing is written that it would refuse. */
    if (!make_header(&header, kind, name, err) || !read_outline(&outline, fd, err) ||
        !check_header(&outline, &header, err))
        return false;
    if (outline.file_size != image_offset_bytes + image_size_bytes)
        return err_set(err, ERR_INPUT, "the file does not end with its image");
    if (!hash_range(fd, image_offset_bytes, image_size_bytes, header.image_hash, err))
        return false;
    swap_header(&header);
    return write_header(fd, outline.sections[OUTLINE_HEADER].offset, &header, image_offset_bytes,
                        outline.file_size, err);
}

bool bundle_sign(int fd, const struct minisign_secret *secret, const char *comment, struct err *err)
{
    struct bundle bundle = {.fd = fd};
    struct format_header header;
    uint64_t image_offset;
    uint64_t end;

    if (!read_bundle(&bundle, err))
        return false;
    header = bundle.header;
    image_offset = header.image_offset;
    end = image_offset + header.image_size;
    header.signature = signature_begin(&secret->key);
    swap_header(&header);
    /* What is signed has the key in it, and no sums. */
    return write_exactly(fd, bundle.section_offset, &header, sizeof(header), err) &&
           signature_make(fd, bundle.section_offset, end, secret, comment, &header.signature,
                          err) &&
           write_header(fd, bundle.section_offset, &header, image_offset, end, err);
}
