/* SPDX-License-Identifier: MIT */
/*
 * The runtime stub: mounts the image behind it and becomes the image's AppRun.
 *
 * Only the first argument is looked at: everything else is the app's.
 */
#include <errno.h>
#include <fcntl.h>
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/auxv.h>
#include <sys/stat.h>
#include <unistd.h>

#include "common/cleanup.h"
#include "common/err.h"
#include "extract.h"
#include "lifetime.h"
#include "mount.h"
#include "payload.h"
#include "place.h"
#include "sqfs.h"

enum { EXIT_FAILED = 1, EXIT_NO_START = 125 };

#define FLAG_PREFIX "--appimage-"

struct start {
    int argc;
    char **argv;
    bool secure; /* started setuid: no variable counts */
    struct payload payload;
};

struct flag {
    const char *name;
    bool (*run)(struct start *start, struct err *err);
    const char *summary;
};

static void report(const struct err *err)
{
    fprintf(stderr, "rucksack: %s%s%s\n", err->id, err->id[0] != '\0' ? ": " : "", err->msg);
    if (err->hint[0] != '\0')
        fprintf(stderr, "hint: %s\n", err->hint);
}

static const char *variable(const struct start *start, const char *name)
{
    return start->secure ? NULL : getenv(name);
}

static bool open_payload(struct start *start, struct err *err)
{
    const char *target = variable(start, "TARGET_APPIMAGE");
    struct stat st;

    if (target != NULL && stat(target, &st) != 0)
        target = NULL;
    return payload_open(&start->payload, target, err);
}

static bool open_image(struct start *start, struct sqfs **ret, struct err *err)
{
    const struct payload *payload = &start->payload;

    return sqfs_open(ret, payload->fd, payload->image_offset, payload->image_size, err) ||
           err_wrap(err, "'%s'", payload->path);
}

/* ------------------------------------------------------------------- start */

static char *current_directory(void)
{
    for (size_t size = 256; size <= 1 << 20; size *= 2) {
        char *path = malloc(size);

        if (path == NULL || getcwd(path, size) != NULL)
            return path;
        free(path);
        if (errno != ERANGE)
            return NULL;
    }
    return NULL;
}

static bool set_variable(const char *name, const char *value, struct err *err)
{
    if (value == NULL ? unsetenv(name) == 0 : setenv(name, value, 1) == 0)
        return true;
    return err_sys(err, "cannot set %s", name);
}

static bool mount_for(struct start *start, int only, bool visible, struct mount *ret,
                      struct err *err)
{
    struct mount_request request = {
        .payload = &start->payload, .only = only, .visible = visible, .secure = start->secure};
    const char *wanted = variable(start, "RUCKSACK_MOUNT");
    bool done;

    if (only < 0 && wanted != NULL && wanted[0] != '\0') {
        request.only = mount_way_named(wanted);
        if (request.only < 0)
            return err_set(err, ERR_INPUT,
                           "RUCKSACK_MOUNT is '%s': kernel, fuse, fusermount, userns or extract",
                           wanted);
    }
    if (!open_image(start, &request.fs, err))
        return false;
    done = mount_image(&request, ret, err);
    sqfs_free(request.fs);
    return done;
}

/* Becomes the app; returns only on failure. */
static bool start_app(struct start *start, int only, struct err *err)
{
    cleanup_free char *cwd = current_directory();
    cleanup_free char *program = NULL;
    char *no_args[] = {start->payload.path, NULL};
    char **argv = start->argc > 0 ? start->argv : no_args;
    struct mount mount;

    if (!mount_for(start, only, false, &mount, err))
        return false;
    program = place_format("%s/AppRun", mount.root);
    if (program != NULL && set_variable("APPIMAGE", start->payload.path, err) &&
        set_variable("APPDIR", mount.root, err) && set_variable("OWD", cwd, err) &&
        set_variable("ARGV0", argv[0], err) && set_variable("TARGET_APPIMAGE", NULL, err)) {
        execv(program, argv);
        err_sys(err, "cannot start '%s'", program);
    }
    mount_release(&mount);
    return false;
}

static bool start_plainly(struct start *start, struct err *err)
{
    const char *extract = variable(start, "APPIMAGE_EXTRACT_AND_RUN");

    return start_app(start, extract != NULL && strcmp(extract, "1") == 0 ? MOUNT_EXTRACT : -1, err);
}

int main(int argc, char *argv[])
{
    struct start start = {
        .argc = argc, .argv = argv, .secure = getauxval(AT_SECURE) != 0, .payload = {.fd = -1}};
    struct err err = {0};

    if (!open_payload(&start, &err) || !start_plainly(&start, &err)) {
        report(&err);
        return EXIT_NO_START;
    }
    return 0;
}
