/* SPDX-License-Identifier: MIT */
#include "bundler/appimage.h"

#include <fcntl.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

#include "bundler/outline.h"
#include "common/cleanup.h"
#include "common/err.h"
#include "common/format.h"
#include "common/text.h"
#include "common/xalloc.h"

/* The first volume descriptor of an ISO 9660 image begins at sector 16: ECMA-119, 8.1. */
enum { ISO_MAGIC_AT = 16 * 2048 + 1, DESKTOP_MAX = 1 << 16 };

static bool has_bytes(int fd, uint64_t offset, const void *bytes, size_t size)
{
    char found[8];

    return size <= sizeof(found) && pread(fd, found, size, (off_t)offset) == (ssize_t)size &&
           memcmp(found, bytes, size) == 0;
}

static bool is_iso(int fd)
{
    return has_bytes(fd, ISO_MAGIC_AT, "CD001", 5);
}

static bool is_squashfs(int fd, uint64_t offset)
{
    return has_bytes(fd, offset, "hsqs", 4);
}

static bool refuse_iso(const char *path, struct err *err)
{
    (void)err_set(err, ERR_INPUT,
                  "'%s' is an AppImage of type 1, or another ISO 9660 image: only those of type 2 "
                  "are read",
                  path);
    (void)err_id(err, "E-BUNDLE");
    return err_hint(err, "look into it by 'bsdtar -tf FILE', or mount it: mount -o loop,ro FILE "
                         "DIR");
}

/* Right behind the runtime, or on the next page. */
static bool find_image(struct appimage *appimage, const struct outline *outline, struct err *err)
{
    uint64_t end = outline->end;
    uint64_t page = (end + FORMAT_ALIGN - 1) / FORMAT_ALIGN * FORMAT_ALIGN;

    if (outline->end >= outline->file_size)
        return outline_truncated(1, err);
    appimage->image_offset = is_squashfs(appimage->fd, end) ? end : page;
    if (is_squashfs(appimage->fd, appimage->image_offset))
        return true;
    (void)err_set(err, ERR_INPUT, "its image is %s",
                  has_bytes(appimage->fd, end, "DWARFS", 6)
                      ? "DwarFS, which is not read"
                      : "no squashfs, or damaged at its beginning");
    (void)err_id(err, "E-BUNDLE");
    return err_hint(err, "get the file again, or ask the file itself: FILE --appimage-help");
}

static bool open_image(struct appimage *appimage, struct err *err)
{
    uint64_t offset = appimage->image_offset;
    uint64_t size = appimage->file_size - offset;

    if (!image_read_facts(appimage->fd, offset, size, &appimage->facts, err))
        return false;
    if (appimage->facts.used_bytes > size && appimage->facts.used_bytes < (uint64_t)1 << 40)
        return outline_truncated(appimage->facts.used_bytes - size, err);
    if (!image_open(&appimage->image, appimage->fd, offset, size, err))
        return false;
    image_allow_links(appimage->image);
    return true;
}

static bool is_zero(const char *bytes, size_t size)
{
    for (size_t i = 0; i < size; i++)
        if (bytes[i] != '\0')
            return false;
    return true;
}

/* The sections are zero where nobody has filled them. */
static bool read_sections(struct appimage *appimage, const struct outline *outline, struct err *err)
{
    const struct outline_place *update = &outline->sections[OUTLINE_UPDATE];
    const struct outline_place *signature = &outline->sections[OUTLINE_SIGNATURE];
    char text[APPIMAGE_UPDATE_MAX] = "";
    size_t size;

    size = update->size_bytes < sizeof(text) ? (size_t)update->size_bytes : sizeof(text);
    if (update->found > 0 && !outline_read_bytes(appimage->fd, update->offset, text, size, err))
        return false;
    if (update->found > 0 && text[0] != '\0')
        appimage->update = xstrndup(text, size);
    size = signature->size_bytes < sizeof(text) ? (size_t)signature->size_bytes : sizeof(text);
    if (signature->found > 0 &&
        !outline_read_bytes(appimage->fd, signature->offset, text, size, err))
        return false;
    appimage->is_signed = signature->found > 0 && !is_zero(text, size);
    return true;
}

static bool read_all(struct appimage *appimage, const struct outline *outline, struct err *err)
{
    appimage->file_size = outline->file_size;
    appimage->machine = outline->machine;
    appimage->is_64 = outline->is_64;
    return find_image(appimage, outline, err) && read_sections(appimage, outline, err) &&
           open_image(appimage, err);
}

/* What carries no mark is one, too, if an image follows it: some tools forget the mark. */
static bool is_appimage(const struct outline *outline, int fd)
{
    return outline->sections[OUTLINE_HEADER].found == 0 &&
           (outline->type == 2 || is_squashfs(fd, outline->end));
}

bool appimage_open(struct appimage *ret, const char *path, bool *ret_is_one, struct err *err)
{
    /* O_NONBLOCK: a fifo must be refused, not waited for. */
    cleanup_fd int fd = open(path, O_RDONLY | O_CLOEXEC | O_NONBLOCK | O_NOCTTY);
    cleanup_with(appimage_close) struct appimage appimage = {.fd = -1};
    struct outline outline;
    struct err why = {0};
    struct stat st;

    *ret_is_one = false;
    if (fd < 0 || fstat(fd, &st) != 0 || !S_ISREG(st.st_mode))
        return false;
    *ret_is_one = is_iso(fd);
    if (*ret_is_one)
        return refuse_iso(path, err);
    if (!outline_read(&outline, fd, true, &why)) {
        *ret_is_one = strcmp(why.id, "E-TRUNCATED") == 0;
        *err = why;
        return err_wrap(err, "'%s'", path);
    }
    *ret_is_one = is_appimage(&outline, fd);
    if (!*ret_is_one)
        return false;
    appimage.path = xstrdup(path);
    appimage.fd = steal_fd(&fd);
    if (!read_all(&appimage, &outline, err))
        return err_wrap(err, "'%s', an AppImage of another tool", path);
    *ret = appimage;
    appimage = (struct appimage){.fd = -1};
    return true;
}

void appimage_close(struct appimage *appimage)
{
    image_free(appimage->image);
    cleanup_fd_value(&appimage->fd);
    free(appimage->path);
    free(appimage->update);
    *appimage = (struct appimage){.fd = -1};
}

void appimage_contents_release(struct appimage_contents *contents)
{
    free(contents->desktop);
    free(contents->name);
    free(contents->command);
    free(contents->version);
    *contents = (struct appimage_contents){0};
}

static bool visit(const struct image_node *node, void *context, struct err *err)
{
    struct appimage_contents *contents = context;
    bool is_top = strchr(node->path, '/') == NULL;

    (void)err;
    if (S_ISREG(node->mode)) {
        contents->files++;
        contents->bytes += node->size_bytes;
    }
    contents->has_start = contents->has_start || strcmp(node->path, "AppRun") == 0;
    if (is_top && contents->desktop == NULL && text_ends_with(node->path, ".desktop"))
        contents->desktop = xstrdup(node->target != NULL ? node->target : node->path);
    return true;
}

/* The value of a key of the first group, Desktop Entry Specification: "Name=Krita"; or NULL. */
static char *value_of(const char *text, const char *key)
{
    size_t len = strlen(key);
    bool is_group = false;

    for (const char *line = text; *line != '\0';) {
        size_t size = strcspn(line, "\r\n");

        if (line[0] == '[' && is_group)
            return NULL;
        is_group = is_group || line[0] == '[';
        if (is_group && size > len && strncmp(line, key, len) == 0 && line[len] == '=')
            return xstrndup(line + len + 1, size - len - 1);
        line += size;
        line += strspn(line, "\r\n");
    }
    return NULL;
}

/* A link to nowhere, or a text that is too long, only says nothing of the program. */
static void read_desktop(const struct appimage *appimage, struct appimage_contents *contents)
{
    cleanup_free char *text = NULL;
    struct err ignored = {0};
    size_t size;

    if (contents->desktop == NULL ||
        !image_read(appimage->image, contents->desktop, DESKTOP_MAX, &text, &size, &ignored))
        return;
    contents->name = value_of(text, "Name");
    contents->command = value_of(text, "Exec");
    contents->version = value_of(text, "X-AppImage-Version");
}

bool appimage_read(const struct appimage *appimage, struct appimage_contents *ret, struct err *err)
{
    cleanup_with(appimage_contents_release) struct appimage_contents contents = {0};

    if (!image_each(appimage->image, visit, &contents, err))
        return err_wrap(err, "'%s', an AppImage of another tool", appimage->path);
    read_desktop(appimage, &contents);
    *ret = contents;
    contents = (struct appimage_contents){0};
    return true;
}
