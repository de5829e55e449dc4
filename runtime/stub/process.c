/* SPDX-License-Identifier: MIT */
#include "runtime/stub/process.h"

#include <errno.h>
#include <linux/futex.h>
#include <poll.h>
#include <sched.h>
#include <signal.h>
#include <stdlib.h>
#include <string.h>
#include <sys/resource.h>
#include <sys/syscall.h>
#include <sys/wait.h>
#include <time.h>
#include <unistd.h>

#include "common/cleanup.h"

/* The numbers are the same on every architecture (all calls since Linux 5.1); older kernel headers
 * lack the names. */
enum { CALL_PIDFD_OPEN = 434, CALL_CLOSE_RANGE = 436 };

enum { CHILD_CHECK_NS = 20000000 };

int process_open(pid_t pid)
{
    return (int)syscall(CALL_PIDFD_OPEN, pid, 0);
}

bool process_runs(pid_t pid)
{
    cleanup_fd int fd = process_open(pid);
    struct pollfd ready = {.fd = fd, .events = POLLIN};

    if (fd >= 0)
        return poll(&ready, 1, 0) == 0;
    if (errno == ESRCH)
        return false;
    return kill(pid, 0) == 0 || errno == EPERM;
}

bool process_ends_all(void)
{
    /* The kernel's own (PID_NS_INIT_INO in linux/nsfs.h). */
    static const char host[] = "pid:[4026531836]";
    char name[sizeof(host)];

    if (getpid() == 1)
        return true;
    return getppid() == 1 && access("/run/systemd/system", F_OK) != 0 &&
           readlink("/proc/self/ns/pid", name, sizeof(name)) > 0 &&
           strncmp(name, host, strlen(host)) != 0;
}

bool process_await(atomic_int *word, pid_t child)
{
    const struct timespec patience = {.tv_nsec = CHILD_CHECK_NS};

    while (atomic_load(word) == 0) {
        if (syscall(SYS_futex, word, FUTEX_WAIT_PRIVATE, 0, &patience, NULL, 0) == 0)
            continue;
        if (waitpid(child, NULL, WNOHANG) == child)
            return atomic_load(word) != 0;
    }
    return true;
}

void process_tell(atomic_int *word, int value)
{
    atomic_store(word, value);
    (void)syscall(SYS_futex, word, FUTEX_WAKE_PRIVATE, 1, NULL, NULL, 0);
}

size_t process_cpus(void)
{
    cpu_set_t set;

    return sched_getaffinity(0, sizeof(set), &set) == 0 ? (size_t)CPU_COUNT(&set) : 1;
}

static int compare_fds(const void *a, const void *b)
{
    int left = *(const int *)a, right = *(const int *)b;

    return left < right ? -1 : left > right;
}

static void close_range_of_fds(unsigned int first, unsigned int last)
{
    struct rlimit limit;

    if (first > last || syscall(CALL_CLOSE_RANGE, first, last, 0) == 0)
        return;
    /* Before Linux 5.9. A lowered limit hides what was opened above it: start from the hard one. */
    if (getrlimit(RLIMIT_NOFILE, &limit) != 0 || limit.rlim_max > 1 << 16)
        limit.rlim_max = 1 << 16;
    for (unsigned int fd = first; fd <= last && fd < limit.rlim_max; fd++)
        (void)close((int)fd);
}

void process_close_fds(int *keep, size_t count)
{
    unsigned int next = 0;

    qsort(keep, count, sizeof(keep[0]), compare_fds);
    for (size_t i = 0; i < count; i++) {
        if (keep[i] < 0 || (unsigned int)keep[i] < next)
            continue;
        if (keep[i] > 0)
            close_range_of_fds(next, (unsigned int)keep[i] - 1);
        next = (unsigned int)keep[i] + 1;
    }
    close_range_of_fds(next, ~0U);
}

uint64_t process_now_ms(void)
{
    struct timespec now;

    (void)clock_gettime(CLOCK_MONOTONIC, &now);
    return (uint64_t)now.tv_sec * 1000 + (uint64_t)now.tv_nsec / 1000000;
}
