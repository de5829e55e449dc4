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
#include <time.h>
#include <unistd.h>

#include "common/cleanup.h"
#include "common/err.h"
#include "extract.h"
#include "integrity.h"
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
    int failure; /* exit code if something fails from now on */
    struct payload payload;
};

struct flag {
    const char *name; /* without FLAG_PREFIX */
    const char *argument;
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
    if (!integrity_check(&start->payload, err) || !open_image(start, &request.fs, err))
        return false;
    done = mount_image(&request, ret, err);
    sqfs_free(request.fs);
    return done;
}

/* What --appimage-portable-* made is a wish of the user's; what others put there is not. */
static bool set_portable(const char *file, const char *suffix, const char *name, struct err *err)
{
    cleanup_free char *path = place_format("%s%s", file, suffix);
    struct stat st;

    if (path == NULL || lstat(path, &st) != 0 || !S_ISDIR(st.st_mode) || st.st_uid != geteuid())
        return true;
    return set_variable(name, path, err);
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
        set_variable("ARGV0", argv[0], err) && set_variable("TARGET_APPIMAGE", NULL, err) &&
        set_portable(start->payload.path, ".home", "HOME", err) &&
        set_portable(start->payload.path, ".config", "XDG_CONFIG_HOME", err)) {
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

/* ------------------------------------------------------------------- flags */

static bool print_line(const char *text, struct err *err)
{
    return (printf("%s\n", text) >= 0 && fflush(stdout) == 0) || err_sys(err, "standard output");
}

static bool run_version(struct start *start, struct err *err)
{
    (void)start;
    return print_line("rucksack " VERSION, err);
}

static bool run_offset(struct start *start, struct err *err)
{
    char number[32];

    if (!open_payload(start, err))
        return false;
    snprintf(number, sizeof(number), "%llu", (unsigned long long)start->payload.image_offset);
    return print_line(number, err);
}

static bool run_extract(struct start *start, struct err *err)
{
    const char *pattern = start->argc > 2 ? start->argv[2] : NULL;
    cleanup_fd int dir_fd = -1;
    struct sqfs *fs;
    bool done;

    if (!open_payload(start, err) || !open_image(start, &fs, err))
        return false;
    start->failure = EXIT_FAILED;
    if (mkdir("squashfs-root", 0755) == 0 || errno == EEXIST)
        dir_fd = open("squashfs-root", O_RDONLY | O_DIRECTORY | O_NOFOLLOW | O_CLOEXEC);
    done = dir_fd >= 0 ? extract_tree(fs, dir_fd, pattern, "squashfs-root/", err)
                       : err_sys(err, "cannot make the directory 'squashfs-root'");
    sqfs_free(fs);
    return done && (fflush(stdout) == 0 || err_sys(err, "standard output"));
}

static bool run_list(struct start *start, struct err *err)
{
    struct sqfs *fs;
    bool done;

    if (!open_payload(start, err) || !open_image(start, &fs, err))
        return false;
    start->failure = EXIT_FAILED;
    done = extract_list(fs, err);
    sqfs_free(fs);
    return done && (fflush(stdout) == 0 || err_sys(err, "standard output"));
}

static bool run_extract_and_run(struct start *start, struct err *err)
{
    /* The app must not see the flag. */
    for (int i = 1; i < start->argc; i++)
        start->argv[i] = start->argv[i + 1];
    start->argc--;
    return open_payload(start, err) && start_app(start, MOUNT_EXTRACT, err);
}

/* Returns after SIGINT, SIGTERM or SIGHUP; meanwhile nobody else can unmount. */
static bool hold_mount(const struct mount *mount, struct err *err)
{
    cleanup_fd int busy = open(mount->root, O_PATH | O_DIRECTORY | O_CLOEXEC);
    sigset_t ends;
    int signal_number;

    if (busy < 0)
        return err_sys(err, "'%s'", mount->root);
    sigemptyset(&ends);
    sigaddset(&ends, SIGINT);
    sigaddset(&ends, SIGTERM);
    sigaddset(&ends, SIGHUP);
    sigprocmask(SIG_BLOCK, &ends, NULL);
    if (!print_line(mount->root, err))
        return false;
    while (sigwait(&ends, &signal_number) != 0)
        continue;
    return true;
}

static bool run_mount(struct start *start, struct err *err)
{
    struct timespec wait = {.tv_nsec = 5000000};
    struct mount mount;
    bool done, unmounted;

    if (!open_payload(start, err) || !mount_for(start, -1, true, &mount, err))
        return false;
    cleanup_fd_value(&mount.lock_fd);
    mount.lock_fd = -1;
    done = hold_mount(&mount, err);
    /* Still in use: our server, or the one we joined, unmounts when that ends. */
    unmounted = lifetime_unmount(mount.root, mount.fusermount, mount.way == MOUNT_KERNEL);
    if (mount.way == MOUNT_KERNEL && rmdir(mount.root) == 0) {
        *strrchr(mount.root, '/') = '\0';
        rmdir(mount.root);
    }
    for (int i = 0; unmounted && i < 200 && access(mount.root, F_OK) == 0; i++)
        nanosleep(&wait, NULL);
    mount_release(&mount);
    return done;
}

static bool print_section(struct start *start, const char *name, struct err *err)
{
    cleanup_free char *text = NULL;

    return open_payload(start, err) && payload_section(&start->payload, name, &text, err) &&
           print_line(text, err);
}

static bool run_updateinfo(struct start *start, struct err *err)
{
    return print_section(start, ".upd_info", err);
}

static bool run_signature(struct start *start, struct err *err)
{
    return print_section(start, ".sha256_sig", err);
}

static bool make_portable(struct start *start, const char *suffix, struct err *err)
{
    cleanup_free char *path = NULL;

    if (!open_payload(start, err))
        return false;
    start->failure = EXIT_FAILED;
    path = place_format("%s%s", start->payload.path, suffix);
    if (path == NULL || (mkdir(path, 0700) != 0 && errno != EEXIST))
        return err_sys(err, "cannot make '%s%s'", start->payload.path, suffix);
    return print_line(path, err);
}

static bool run_portable_home(struct start *start, struct err *err)
{
    return make_portable(start, ".home", err);
}

static bool run_portable_config(struct start *start, struct err *err)
{
    return make_portable(start, ".config", err);
}

static bool run_help(struct start *start, struct err *err);

static const struct flag flags[] = {
    {"help", "", run_help, "this text"},
    {"version", "", run_version, "version of this runtime"},
    {"offset", "", run_offset, "where the image starts in this file"},
    {"list", "", run_list, "paths in the image"},
    {"extract", " [PATTERN]", run_extract, "unpack into ./squashfs-root"},
    {"extract-and-run", " [ARG...]", run_extract_and_run, "start without a mount"},
    {"mount", "", run_mount, "mount, print where, unmount on Ctrl-C"},
    {"updateinfo", "", run_updateinfo, "how to update this file"},
    {"updateinformation", "", run_updateinfo, "the same"},
    {"signature", "", run_signature, "signature in this file"},
    {"portable-home", "", run_portable_home, "make FILE.home, to be HOME from then on"},
    {"portable-config", "", run_portable_config, "make FILE.config, the same for XDG_CONFIG_HOME"},
};

enum { FLAGS = sizeof(flags) / sizeof(flags[0]) };

static bool run_help(struct start *start, struct err *err)
{
    (void)start;
    printf("Options of the runtime; anything else goes to the app:\n\n");
    for (size_t i = 0; i < FLAGS; i++) {
        int width = printf("  " FLAG_PREFIX "%s%s", flags[i].name, flags[i].argument);

        printf("%*s%s\n", width < 40 ? 40 - width : 1, "", flags[i].summary);
    }
    return print_line("\nVariables: TARGET_APPIMAGE, APPIMAGE_EXTRACT_AND_RUN=1, FUSERMOUNT_PROG,\n"
                      "RUCKSACK_MOUNT=kernel|fuse|fusermount|userns|extract",
                      err);
}

static bool run(struct start *start, struct err *err)
{
    const char *argument = start->argc > 1 ? start->argv[1] : "";

    if (strncmp(argument, FLAG_PREFIX, strlen(FLAG_PREFIX)) != 0)
        return open_payload(start, err) && start_plainly(start, err);
    for (size_t i = 0; i < FLAGS; i++) {
        if (strcmp(argument + strlen(FLAG_PREFIX), flags[i].name) == 0)
            return flags[i].run(start, err);
    }
    start->failure = EXIT_FAILED;
    err_set(err, ERR_USAGE, "'%s' is not an option of this runtime", argument);
    return err_hint(err, "see " FLAG_PREFIX "help");
}

/*
 * A descriptor of ours must not become somebody's standard output. What fills a closed one behaves
 * as closed, and is closed again by the exec.
 */
static void fill_standard_streams(void)
{
    int fd;

    do {
        fd = open("/", O_PATH | O_CLOEXEC);
    } while (fd >= 0 && fd <= 2);
    cleanup_fd_value(&fd);
}

int main(int argc, char *argv[])
{
    struct start start = {.argc = argc,
                          .argv = argv,
                          .secure = getauxval(AT_SECURE) != 0,
                          .failure = EXIT_NO_START,
                          .payload = {.fd = -1}};
    struct err err = {0};
    bool done;

    fill_standard_streams();
    done = run(&start, &err);
    if (!done)
        report(&err);
    payload_release(&start.payload);
    return done ? 0 : start.failure;
}
