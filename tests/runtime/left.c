/* SPDX-License-Identifier: MIT */
/*
 * What a start could leave behind: processes, mounts, loop devices, files below the temporary
 * directories. The cache (CACHE, where it is no usual place) is meant to stay, and /dev/t is the
 * tests' own.
 *
 * left FILE            writes what there is now
 * left FILE SECONDS    waits until nothing else is there; status 1 and a list when something stays
 */
#include <dirent.h>
#include <fcntl.h>
#include <ftw.h>
#include <stdbool.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/ioctl.h>
#include <sys/stat.h>
#include <time.h>
#include <unistd.h>

#include <linux/loop.h>

enum { PAUSE_MS = 10, FDS = 32, LOOPS = 64 };

static FILE *out;

static void list_processes(void)
{
    DIR *proc = opendir("/proc");
    const struct dirent *entry;

    while (proc != NULL && (entry = readdir(proc)) != NULL) {
        char path[300], line[256] = "";
        long pid = strtol(entry->d_name, NULL, 10);
        const char *name, *end;
        FILE *stat;

        if (pid <= 0 || pid == getpid())
            continue;
        (void)snprintf(path, sizeof(path), "/proc/%ld/stat", pid);
        stat = fopen(path, "re");
        if (stat == NULL)
            continue;
        name = fgets(line, sizeof(line), stat) != NULL ? strchr(line, '(') : NULL;
        end = name != NULL ? strrchr(name, ')') : NULL;
        if (end != NULL && end[1] == ' ' && end[2] != 'Z')
            (void)fprintf(out, "process %ld %.*s\n", pid, (int)(end + 1 - name), name);
        (void)fclose(stat);
    }
    if (proc != NULL)
        (void)closedir(proc);
}

static void list_mounts(void)
{
    FILE *mounts = fopen("/proc/self/mountinfo", "re");
    char *line = NULL;
    size_t size = 0;

    while (mounts != NULL && getline(&line, &size, mounts) > 0)
        (void)fprintf(out, "mount %s", line);
    free(line);
    if (mounts != NULL)
        (void)fclose(mounts);
}

static bool is_in_work(uint64_t inode)
{
    DIR *work = opendir("/mnt");
    const struct dirent *entry;
    bool found = false;

    while (work != NULL && !found && (entry = readdir(work)) != NULL)
        found = entry->d_ino == inode;
    if (work != NULL)
        (void)closedir(work);
    return found;
}

/* Loop devices are the machine's: only those on a file of ours count. */
static void list_loops(void)
{
    for (int i = 0; i < LOOPS; i++) {
        struct loop_info64 info;
        char path[32];
        int fd;

        (void)snprintf(path, sizeof(path), "/dev/loop%d", i);
        fd = open(path, O_RDONLY | O_CLOEXEC);
        if (fd < 0)
            continue;
        if (ioctl(fd, LOOP_GET_STATUS64, &info) == 0 && is_in_work(info.lo_inode))
            (void)fprintf(out, "loop device %d\n", i);
        (void)close(fd);
    }
}

static int list_file(const char *path, const struct stat *st, int type, struct FTW *where)
{
    const char *cache = getenv("CACHE");

    (void)st, (void)type, (void)where;
    if (strcmp(path, "/tmp/home/.cache") == 0 || (cache != NULL && strcmp(path, cache) == 0))
        return FTW_SKIP_SUBTREE;
    (void)fprintf(out, "file %s\n", path);
    return FTW_CONTINUE;
}

static void list_files(void)
{
    static const char *const roots[] = {"/tmp", "/run", "/var/tmp", "/dev/shm"};

    for (size_t i = 0; i < sizeof(roots) / sizeof(roots[0]); i++)
        (void)nftw(roots[i], list_file, FDS, FTW_PHYS | FTW_ACTIONRETVAL);
}

static char *take_inventory(void)
{
    char *text = NULL;
    size_t size;

    out = open_memstream(&text, &size);
    if (out == NULL)
        exit(120);
    (void)fputc('\n', out);
    list_processes();
    list_mounts();
    list_loops();
    list_files();
    (void)fclose(out);
    return text;
}

/* Prints or counts the lines of now that were not there before. */
static int compare(const char *before, const char *now, bool print)
{
    int left = 0;

    for (const char *line = now, *end; (end = strchr(line + 1, '\n')) != NULL; line = end) {
        char *text = strndup(line, (size_t)(end + 1 - line));

        if (text == NULL)
            exit(120);
        if (strstr(before, text) == NULL) {
            left++;
            if (print)
                (void)fputs(text + 1, stdout);
        }
        free(text);
    }
    return left;
}

static char *read_file(const char *path)
{
    FILE *file = fopen(path, "re");
    char *text = NULL;
    size_t size = 0;

    if (file == NULL || getdelim(&text, &size, '\0', file) < 0)
        exit(120);
    (void)fclose(file);
    return text;
}

static int wait_for_nothing(const char *path, long seconds)
{
    const struct timespec pause = {.tv_nsec = PAUSE_MS * 1000000};
    char *before = read_file(path);

    for (long i = 0;; i++) {
        char *now = take_inventory();
        bool last = i >= seconds * 1000 / PAUSE_MS;
        int left = compare(before, now, last);

        free(now);
        if (left == 0)
            return 0;
        if (last)
            return 1;
        (void)nanosleep(&pause, NULL);
    }
}

int main(int argc, char **argv)
{
    FILE *file;

    if (argc > 2)
        return wait_for_nothing(argv[1], strtol(argv[2], NULL, 10));
    file = argc > 1 ? fopen(argv[1], "we") : NULL;
    if (file == NULL)
        return 2;
    return fputs(take_inventory(), file) < 0 || fclose(file) != 0;
}
