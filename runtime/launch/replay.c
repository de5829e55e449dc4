/* SPDX-License-Identifier: MIT */
#include "replay.h"

#include <errno.h>
#include <fcntl.h>
#include <poll.h>
#include <sched.h>
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/prctl.h>
#include <sys/stat.h>
#include <sys/syscall.h>
#include <sys/wait.h>
#include <unistd.h>

#include "bundle.h"
#include "common/cleanup.h"
#include "common/format.h"
#include "common/launchfile.h"

enum {
    CHUNK_BYTES = 128 << 10, /* readahead(2) reads no more than the device's window at once */
    DESCRIPTORS = 256,       /* closed one by one where there is no close_range(2) */
    CALL_PIDFD_OPEN = 434,
    CALL_CLOSE_RANGE = 436,
};

struct replay {
    pid_t app;
    int app_fd; /* pidfd, or -1 */
    int root;
    bool is_command; /* not the app */
};

static bool has_ended(const struct replay *replay)
{
    struct pollfd ready = {.fd = replay->app_fd, .events = POLLIN};

    return replay->app_fd >= 0 ? poll(&ready, 1, 0) != 0
                               : kill(replay->app, 0) != 0 && errno == ESRCH;
}

/* Only regular files: a path of the image may lead to anything of the host's. */
static void read_file(const struct replay *replay, const char *path, bool whole)
{
    cleanup_fd int fd =
        openat(replay->root, path, O_RDONLY | O_NOFOLLOW | O_NONBLOCK | O_NOCTTY | O_CLOEXEC);
    struct stat st;

    if (fd < 0 || !whole || fstat(fd, &st) != 0 || !S_ISREG(st.st_mode) ||
        st.st_size > FORMAT_PROFILE_READ_MAX)
        return;
    for (off_t at = 0; at < st.st_size && !has_ended(replay); at += CHUNK_BYTES)
        (void)readahead(fd, at, CHUNK_BYTES);
}

static char *read_profile(int root, size_t *ret_size)
{
    cleanup_fd int fd = openat(root, FORMAT_PROFILE, O_RDONLY | O_NOFOLLOW | O_CLOEXEC);
    cleanup_free char *text = NULL;
    struct stat st;

    if (fd < 0 || fstat(fd, &st) != 0 || !S_ISREG(st.st_mode) || st.st_size > FORMAT_LAUNCH_MAX)
        return NULL;
    text = calloc((size_t)st.st_size + 1, 1);
    if (text == NULL || read(fd, text, (size_t)st.st_size) != st.st_size)
        return NULL;
    *ret_size = (size_t)st.st_size;
    return steal_ptr(&text);
}

/* From the first file of the app or its gems on, a command goes its own way. */
static bool is_of_app(const char *path)
{
    return strncmp(path, FORMAT_APP_DIR "/", sizeof(FORMAT_APP_DIR)) == 0 ||
           strncmp(path, FORMAT_GEM_DIR "/", sizeof(FORMAT_GEM_DIR)) == 0;
}

static bool is_inside(const char *path)
{
    return path[0] != '/' && path[0] != '\0' && strstr(path, "..") == NULL;
}

static void replay_profile(const struct replay *replay)
{
    size_t size = 0;
    cleanup_free char *text = read_profile(replay->root, &size);
    struct launchfile_record record;
    struct launchfile file;

    if (text == NULL || !launchfile_begin(&file, text, size))
        return;
    while (launchfile_next(&file, &record) && !has_ended(replay)) {
        bool whole = launchfile_is(&record, "read", 1);

        if (!whole && !launchfile_is(&record, "open", 1))
            continue;
        if (replay->is_command && is_of_app(record.fields[1]))
            return;
        if (is_inside(record.fields[1]))
            read_file(replay, record.fields[1], whole);
    }
}

/* Descriptors of the app's would keep its pipes open; those that are kept become 0 and 1. */
static void leave_descriptors(struct replay *replay)
{
    int root = fcntl(replay->root, F_DUPFD_CLOEXEC, STDERR_FILENO);
    int app = replay->app_fd < 0 ? -1 : fcntl(replay->app_fd, F_DUPFD_CLOEXEC, STDERR_FILENO);

    replay->root = dup2(root, STDIN_FILENO);
    replay->app_fd = app < 0 ? -1 : dup2(app, STDOUT_FILENO);
    if (syscall(CALL_CLOSE_RANGE, app < 0 ? STDOUT_FILENO : STDERR_FILENO, ~0U, 0) == 0)
        return;
    for (int fd = app < 0 ? STDOUT_FILENO : STDERR_FILENO; fd < DESCRIPTORS; fd++)
        (void)close(fd);
}

[[gnu::noreturn]] static void run(struct replay *replay)
{
    (void)setsid();
    (void)prctl(PR_SET_NAME, "rucksack-replay");
    leave_descriptors(replay);
    if (replay->root >= 0 && chdir("/") == 0)
        replay_profile(replay);
    _exit(0);
}

static bool is_worth_it(void)
{
    cpu_set_t cpus;

    return getpid() != 1 && sched_getaffinity(0, sizeof(cpus), &cpus) == 0 && CPU_COUNT(&cpus) > 1;
}

void replay_start(const struct bundle *bundle, bool is_command)
{
    cleanup_free char *profile = bundle_path(bundle, FORMAT_PROFILE);
    cleanup_fd int root =
        open(bundle->root[0] != '\0' ? bundle->root : "/", O_RDONLY | O_DIRECTORY | O_CLOEXEC);
    cleanup_fd int app = -1;
    struct replay replay = {.app = getpid(), .root = root, .is_command = is_command};
    pid_t pid;

    if (profile == NULL || root < 0 || !is_worth_it() || access(profile, R_OK) != 0)
        return;
    app = (int)syscall(CALL_PIDFD_OPEN, replay.app, 0);
    replay.app_fd = app;
    pid = vfork();
    if (pid == 0) {
        if (fork() == 0)
            run(&replay);
        _exit(0);
    }
    while (pid > 0 && waitpid(pid, NULL, 0) < 0 && errno == EINTR)
        continue;
}
