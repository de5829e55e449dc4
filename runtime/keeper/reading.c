/* SPDX-License-Identifier: MIT */
#include "runtime/keeper/reading.h"

#include <errno.h>
#include <fcntl.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

#include "common/cleanup.h"
#include "common/err.h"
#include "common/xalloc.h"
#include "runtime/keeper/capsule.h"
#include "runtime/keeper/tar.h"
#include "runtime/keeper/zstream.h"

static bool from_zstd(void *context, const void **ret, size_t *ret_size, struct err *err)
{
    return zreader_read(context, ret, ret_size, err);
}

static bool none(struct err *err, const char *why)
{
    (void)err_set(err, ERR_INPUT, "no snapshot: %s", why);
    (void)err_id(err, "E-SNAPSHOT");
    return err_hint(err, "name one that 'backup' wrote: NAME-TIME.tar.zst, or a capsule");
}

static bool open_capsule(struct reading *reading, const char *path, uint64_t *ret_limit,
                         struct err *err)
{
    struct capsule capsule;
    bool ok;

    if (!capsule_open(&capsule, path, err))
        return false;
    ok = capsule.has_snapshot ? capsule_check(&capsule, err) : none(err, "the bundle carries none");
    if (ok && lseek(capsule.fd, (off_t)capsule.snapshot_offset, SEEK_SET) < 0)
        ok = err_sys(err, "seek");
    if (ok) {
        reading->fd = steal_fd(&capsule.fd);
        *ret_limit = capsule.snapshot_size;
    }
    capsule_release(&capsule);
    return ok;
}

static bool open_file(struct reading *reading, const char *path, uint64_t *ret_limit,
                      struct err *err)
{
    cleanup_fd int fd = -1;
    struct stat st;

    *ret_limit = UINT64_MAX;
    fd = strcmp(path, "-") == 0 ? dup(STDIN_FILENO) : open(path, O_RDONLY | O_CLOEXEC);
    if (fd < 0 || fstat(fd, &st) != 0)
        return err_sys(err, "'%s'", path);
    if (S_ISDIR(st.st_mode))
        return none(err, "it is a directory");
    if (S_ISREG(st.st_mode) && capsule_is(fd))
        return open_capsule(reading, path, ret_limit, err);
    reading->fd = steal_fd(&fd);
    return true;
}

static bool read_text(struct reading *reading, char *text, uint64_t size, struct err *err)
{
    uint64_t used = 0;

    while (used < size) {
        size_t length;

        if (!tar_reader_data(reading->tar, text + used, (size_t)(size - used), &length, err))
            return false;
        if (length == 0)
            return none(err, "its manifest is cut off");
        used += length;
    }
    return true;
}

static bool read_manifest(struct reading *reading, struct err *err)
{
    cleanup_free char *text = NULL;
    struct tar_entry entry;
    bool is_end;

    if (!tar_reader_next(reading->tar, &entry, &is_end, err))
        return false;
    if (is_end || entry.type != TAR_FILE || strcmp(entry.path, MANIFEST_NAME) != 0)
        return none(err, "it does not begin with a " MANIFEST_NAME);
    if (entry.size_bytes > MANIFEST_BYTES_MAX)
        return none(err, "its manifest is too large");
    text = xcalloc((size_t)entry.size_bytes + 1, 1);
    return read_text(reading, text, entry.size_bytes, err) &&
           manifest_parse(&reading->manifest, text, (size_t)entry.size_bytes, err);
}

static bool begin(struct reading *reading, tar_source *source, void *context, struct err *err)
{
    reading->tar = tar_reader_new(source, context);
    return read_manifest(reading, err);
}

bool reading_open(struct reading *ret, const char *path, struct err *err)
{
    struct reading reading = {.fd = -1};
    uint64_t limit;
    bool ok = open_file(&reading, path, &limit, err);

    if (ok) {
        reading.zstd = zreader_new(reading.fd, limit);
        ok = begin(&reading, from_zstd, reading.zstd, err);
    }
    if (ok)
        *ret = reading;
    else
        reading_close(&reading);
    return ok;
}

bool reading_begin(struct reading *ret, tar_source *source, void *context, struct err *err)
{
    struct reading reading = {.fd = -1};
    bool ok = begin(&reading, source, context, err);

    if (ok)
        *ret = reading;
    else
        reading_close(&reading);
    return ok;
}

void reading_close(struct reading *reading)
{
    tar_reader_free(reading->tar);
    zreader_free(reading->zstd);
    manifest_release(&reading->manifest);
    cleanup_fd_value(&reading->fd);
    *reading = (struct reading){.fd = -1};
}
