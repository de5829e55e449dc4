/* SPDX-License-Identifier: MIT */
#include "bundler/relocate.h"

#include <elf.h>
#include <errno.h>
#include <fcntl.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include "bundler/elf.h"
#include "bundler/elfsym.h"
#include "bundler/plan.h"
#include "bundler/tempdir.h"
#include "common/cleanup.h"
#include "common/err.h"
#include "common/fs.h"
#include "common/proc.h"
#include "common/xalloc.h"

enum {
    OBJECT_MAX = 1 << 30,
    PATCHELF_OUTPUT_MAX = 64 << 10,
    /* The last tag for operating systems: glibc passes over it. */
    TAG_UNKNOWN = 0x6ffff000,
};

/* The place of an element of a search path, or of a library's path. */
static bool stays_inside(const char *text, size_t len, const char *image_path)
{
    static const char *const origins[] = {"$ORIGIN", "${ORIGIN}"};
    long depth = 0;
    size_t at = 0;

    for (size_t i = 0; i < 2; i++)
        if (len >= strlen(origins[i]) && strncmp(text, origins[i], strlen(origins[i])) == 0)
            at = strlen(origins[i]);
    if (at == 0 || (at < len && text[at] != '/'))
        return false;
    for (const char *slash = image_path; (slash = strchr(slash, '/')) != NULL; slash++)
        depth++;
    while (at < len) {
        size_t part = strcspn(text + at, "/:");

        if (part == 2 && strncmp(text + at, "..", 2) == 0)
            depth--;
        else if (part > 0 && !(part == 1 && text[at] == '.'))
            depth++;
        if (depth < 0)
            return false;
        at += part + 1;
    }
    return true;
}

/* What of a search path stays. */
struct kept {
    size_t count;   /* elements that stay */
    size_t dropped; /* elements that do not */
    size_t start;   /* offset of the first one that stays */
    bool is_tail;   /* all of them, and nothing else, are from there to the end */
    char *text;     /* they, joined by colons */
};

static void kept_release(struct kept *kept)
{
    free(kept->text);
}

static void sift(struct kept *ret, const char *list, const char *image_path)
{
    *ret = (struct kept){.is_tail = true, .text = xstrdup("")};
    for (size_t at = 0; list[0] != '\0';) {
        size_t len = strcspn(list + at, ":");

        if (!stays_inside(list + at, len, image_path)) {
            ret->dropped++;
            ret->is_tail &= ret->count == 0;
        } else {
            char *joined =
                xasprintf("%s%s%.*s", ret->text, ret->count > 0 ? ":" : "", (int)len, list + at);

            free(ret->text);
            ret->text = joined;
            if (ret->count++ == 0)
                ret->start = at;
        }
        if (list[at + len] == '\0')
            break;
        at += len + 1;
    }
}

static const char *search_path(const struct elf *elf)
{
    return elf->runpath != NULL ? elf->runpath : elf->rpath;
}

static bool is_outside(const char *needed, const char *image_path)
{
    return strchr(needed, '/') != NULL && !stays_inside(needed, strlen(needed), image_path);
}

bool relocate_is_clean(const struct elf *elf, const char *image_path)
{
    cleanup_with(kept_release) struct kept kept = {0};

    for (size_t i = 0; i < elf->needed_count; i++)
        if (is_outside(elf->needed[i], image_path))
            return false;
    if (search_path(elf) == NULL)
        return true;
    sift(&kept, search_path(elf), image_path);
    return kept.dropped == 0;
}

char *relocate_search_path(const struct elf *elf, const char *image_path)
{
    cleanup_with(kept_release) struct kept kept = {0};

    if (search_path(elf) == NULL)
        return xstrdup("");
    sift(&kept, search_path(elf), image_path);
    return steal_ptr(&kept.text);
}

static bool damaged(const struct elf *elf, const char *what, struct err *err)
{
    (void)err_set(err, ERR_INPUT, "'%s': %s", elf->path, what);
    return err_id(err, "E-ELF");
}

/* A copy of an object, of the same layout as its original up to the end of the segments. */
struct copy {
    const struct elf *elf;
    char *bytes;
    size_t size;
};

/* The copy's bytes for an address of the original, NULL when it has less of them. */
static char *copy_at(const struct copy *copy, uint64_t vaddr, size_t len)
{
    const uint8_t *bytes = elf_bytes(copy->elf, vaddr, len);
    size_t offset;

    if (bytes == NULL)
        return NULL;
    offset = (size_t)(bytes - copy->elf->bytes);
    return offset > copy->size || len > copy->size - offset ? NULL : copy->bytes + offset;
}

/* The original's header was checked when it was opened. */
static char *dynamic_of(const struct copy *copy, struct err *err)
{
    size_t size = copy->elf->dynamic_count * sizeof(Elf64_Dyn);
    Elf64_Ehdr header;
    Elf64_Phdr phdr;

    memcpy(&header, copy->elf->bytes, sizeof(header));
    for (size_t i = 0; header.e_phentsize == sizeof(phdr) && i < header.e_phnum; i++) {
        memcpy(&phdr, copy->elf->bytes + header.e_phoff + i * sizeof(phdr), sizeof(phdr));
        if (phdr.p_type == PT_DYNAMIC) {
            char *bytes = copy_at(copy, phdr.p_vaddr, size);

            if (bytes != NULL)
                return bytes;
        }
    }
    (void)damaged(copy->elf, "PT_DYNAMIC cannot be found again", err);
    return NULL;
}

/* The loader compares the names of DT_VERNEED with those it loaded: they must begin later, too. */
static bool shift_versions(const struct copy *copy, uint64_t value, uint32_t shift, struct err *err)
{
    uint64_t at = 0;
    Elf64_Verneed need;

    if (!elf_dynamic(copy->elf, DT_VERNEED, &at))
        return true;
    for (size_t i = 0; i < ELFSYM_VERSION_MAX; i++) {
        char *bytes = copy_at(copy, at, sizeof(need));

        if (bytes == NULL)
            return damaged(copy->elf, "DT_VERNEED cannot be read", err);
        memcpy(&need, bytes, sizeof(need));
        if (need.vn_file == value) {
            need.vn_file += shift;
            memcpy(bytes, &need, sizeof(need));
        }
        if (need.vn_next == 0)
            return true;
        at += need.vn_next;
    }
    return damaged(copy->elf, "DT_VERNEED has no end", err);
}

static bool edit_needed(const struct copy *copy, const char *needed, Elf64_Dyn *entry,
                        const char *image_path, struct err *err)
{
    uint64_t value = entry->d_un.d_val;
    uint32_t shift;

    if (!is_outside(needed, image_path))
        return true;
    shift = (uint32_t)(strrchr(needed, '/') + 1 - needed);
    entry->d_un.d_val += shift;
    return shift_versions(copy, value, shift, err);
}

/* With both tags the loader reads DT_RUNPATH only. If that goes, DT_RPATH must not come back. */
static void edit_path(const struct elf *elf, const struct kept *kept, bool own_path_first,
                      Elf64_Dyn *entry)
{
    bool is_used = entry->d_tag == DT_RUNPATH || elf->runpath == NULL;

    if (kept->dropped == 0 && !own_path_first)
        return;
    if (is_used && kept->count > 0) {
        entry->d_tag = own_path_first ? DT_RPATH : entry->d_tag;
        entry->d_un.d_val += kept->start;
    } else {
        entry->d_tag = TAG_UNKNOWN;
    }
}

static bool edit_tags(const struct copy *copy, const struct kept *kept, bool own_path_first,
                      const char *image_path, struct err *err)
{
    const struct elf *elf = copy->elf;
    char *dynamic = dynamic_of(copy, err);
    size_t needed = 0;

    if (dynamic == NULL)
        return false;
    for (size_t i = 0; i < elf->dynamic_count; i++) {
        Elf64_Dyn entry;

        memcpy(&entry, dynamic + i * sizeof(entry), sizeof(entry));
        if (entry.d_tag != elf->dynamic[i].tag)
            return damaged(elf, "PT_DYNAMIC cannot be found again", err);
        if (entry.d_tag == DT_NEEDED &&
            !edit_needed(copy, elf->needed[needed++], &entry, image_path, err))
            return false;
        if (entry.d_tag == DT_RPATH || entry.d_tag == DT_RUNPATH)
            edit_path(elf, kept, own_path_first, &entry);
        memcpy(dynamic + i * sizeof(entry), &entry, sizeof(entry));
    }
    return true;
}

struct scratch {
    char *dir;
    char *file;
};

static void scratch_release(struct scratch *scratch)
{
    struct err ignored = {0};

    (void)tempdir_remove(scratch->dir, &ignored);
    free(scratch->file);
}

static bool scratch_write(struct scratch *scratch, const struct copy *copy, struct err *err)
{
    cleanup_fd int fd = -1;

    if (!tempdir_make(&scratch->dir, err))
        return false;
    scratch->file = xasprintf("%s/object", scratch->dir);
    fd = open(scratch->file, O_WRONLY | O_CREAT | O_EXCL | O_CLOEXEC, 0700);
    return (fd >= 0 && fs_write_all(fd, copy->bytes, copy->size, err)) ||
           err_sys(err, "'%s'", scratch->file);
}

static bool run_patchelf(const struct elf *elf, const char *file, const char *path, struct err *err)
{
    const char *argv[] = {"patchelf", "--set-rpath", path, file, NULL};
    struct proc_output output = {0};
    bool ok;

    if (!proc_capture(&(struct proc_request){.argv = argv, .output_max_bytes = PATCHELF_OUTPUT_MAX},
                      &output, err)) {
        (void)err_wrap(err, "'%s' searches libraries in '%s'", elf->path, search_path(elf));
        (void)err_hint(err, "install the program 'patchelf', which can take directories of this "
                            "machine out of it, or build the gem without them");
        return err_id(err, "E-EDIT");
    }
    ok = output.exit_code == 0;
    if (!ok) {
        (void)err_set(err, ERR_INPUT, "'%s': patchelf: %.*s", elf->path,
                      (int)strcspn(output.errors, "\n"), output.errors);
        (void)err_hint(err, "build the gem again without directories in its search path");
        (void)err_id(err, "E-EDIT");
    }
    proc_output_release(&output);
    return ok;
}

static bool same_text(const char *a, const char *b)
{
    return a == b || (a != NULL && b != NULL && strcmp(a, b) == 0);
}

/* patchelf has been known to overwrite symbol names that share their tail with a path. */
static bool is_same_object(const struct elfsym *a, const struct elfsym *b)
{
    bool same = a->need_count == b->need_count && a->ref_count == b->ref_count &&
                a->elf->needed_count == b->elf->needed_count &&
                same_text(a->elf->soname, b->elf->soname);

    for (size_t i = 0; same && i < a->elf->needed_count; i++)
        same = strcmp(a->elf->needed[i], b->elf->needed[i]) == 0;
    for (size_t i = 0; same && i < a->need_count; i++)
        same = strcmp(a->needs[i].file, b->needs[i].file) == 0 &&
               strcmp(a->needs[i].name, b->needs[i].name) == 0;
    for (size_t i = 0; same && i < a->ref_count; i++)
        same = strcmp(a->refs[i].name, b->refs[i].name) == 0 &&
               same_text(a->refs[i].version, b->refs[i].version);
    return same;
}

static bool compare(const struct elf *before, const struct elf *after, struct err *err)
{
    cleanup_with(elfsym_release) struct elfsym old = {0};
    cleanup_with(elfsym_release) struct elfsym new = {0};

    if (!elfsym_read(&old, before, err))
        return false;
    if (elfsym_read(&new, after, err) && is_same_object(&old, &new))
        return true;
    *err = (struct err){0};
    (void)err_set(err, ERR_INPUT, "'%s': patchelf spoils it", before->path);
    (void)err_hint(err, "build the gem again without directories in its search path");
    return err_id(err, "E-EDIT");
}

/* patchelf needs the section headers, so it gets the original; what is not mapped goes again. */
static bool patch_path(struct copy *copy, const char *path, struct err *err)
{
    cleanup_with(scratch_release) struct scratch scratch = {0};
    cleanup_with(elf_release) struct elf patched = {0};
    struct copy original = {copy->elf, (char *)(uintptr_t)copy->elf->bytes, copy->elf->size_bytes};
    char *bytes;
    size_t size;

    if (!scratch_write(&scratch, &original, err) ||
        !run_patchelf(copy->elf, scratch.file, path, err) ||
        !elf_open(&patched, scratch.file, err) || !compare(copy->elf, &patched, err))
        return false;
    bytes = elf_trimmed(&patched, &size);
    if (bytes == NULL) {
        size = patched.size_bytes;
        bytes = xcalloc(size, 1);
        memcpy(bytes, patched.bytes, size);
    }
    free(copy->bytes);
    copy->bytes = bytes;
    copy->size = size;
    return true;
}

static void copy_release(struct copy *copy)
{
    free(copy->bytes);
}

static bool read_entry(struct copy *copy, const struct plan_entry *entry, struct err *err)
{
    if (entry->type == PLAN_FILE)
        return fs_read_file(entry->source, OBJECT_MAX, &copy->bytes, &copy->size, err);
    copy->bytes = xcalloc(entry->size_bytes + 1, 1);
    copy->size = entry->size_bytes;
    memcpy(copy->bytes, entry->data, entry->size_bytes);
    return true;
}

/* The new bytes, opened again as the loader will find them. */
static bool check_copy(const struct copy *copy, const char *image_path, struct err *err)
{
    cleanup_with(scratch_release) struct scratch scratch = {0};
    cleanup_with(elf_release) struct elf elf = {0};

    if (!scratch_write(&scratch, copy, err) || !elf_open(&elf, scratch.file, err))
        return err_wrap(err, "copy of '%s'", copy->elf->path);
    if (relocate_is_clean(&elf, image_path))
        return true;
    (void)err_set(err, ERR_INPUT, "'%s' still leads out of the image after it was edited",
                  copy->elf->path);
    (void)err_hint(err, "build the gem again without directories in its search path");
    return err_id(err, "E-EDIT");
}

bool relocate_object(const struct elf *elf, const char *image_path, bool own_path_first,
                     struct plan *plan, bool *ret_changed, struct err *err)
{
    const struct plan_entry *entry = plan_find(plan, image_path);
    cleanup_with(copy_release) struct copy copy = {.elf = elf};
    cleanup_with(kept_release) struct kept kept = {0};
    cleanup_free char *reason = NULL;
    enum plan_part part;
    uint16_t mode;

    *ret_changed = false;
    if (entry == NULL || (entry->type != PLAN_FILE && entry->type != PLAN_DATA) ||
        elf->elf_class != ELFCLASS64 || (relocate_is_clean(elf, image_path) && !own_path_first))
        return true;
    sift(&kept, search_path(elf) == NULL ? "" : search_path(elf), image_path);
    part = entry->part;
    mode = entry->mode;
    reason = xstrdup(entry->reason);
    if (!read_entry(&copy, entry, err))
        return false;
    if (kept.count > 0 && !kept.is_tail ? !patch_path(&copy, kept.text, err)
                                        : !edit_tags(&copy, &kept, own_path_first, image_path, err))
        return false;
    if (!check_copy(&copy, image_path, err))
        return false;
    *ret_changed = true;
    return plan_replace_data(plan, image_path, mode, copy.bytes, copy.size,
                             (struct plan_origin){part, reason}, err);
}
