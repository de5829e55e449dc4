/* SPDX-License-Identifier: MIT */
/*
 * What bench/runtime measures with: the AppRun of its images, so that it runs wherever an image is
 * mounted, and the same program for a directory. Prints one line: seconds, seconds of processor
 * time, and what was done.
 *
 *     reader                       ends at once
 *     reader read [DIR]            reads every file
 *     reader walk [DIR]            reads every directory and asks for each entry's attributes
 *     reader random COUNT [DIR]    4 KiB from COUNT places of the tree's bytes
 *     reader time UID PROGRAM...   starts the program as that user and waits for its end
 *
 * DIR is $APPDIR where it is not named. After the line, a reader waits until its stdin is closed:
 * meanwhile the server can be looked at. Names are taken in alphabetical order, so that the order
 * is the same on every file system.
 */
#include <dirent.h>
#include <err.h>
#include <fcntl.h>
#include <grp.h>
#include <stdbool.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <sys/wait.h>
#include <time.h>
#include <unistd.h>

enum { CHUNK = 128 << 10, PAGE = 4096 };

struct file {
    char *path;
    uint64_t end; /* of its bytes in the row of all files' */
};

struct tree {
    struct file *files;
    size_t count, capacity;
    uint64_t entries;
    bool lists; /* keeps files */
    bool reads;
    uint64_t bytes;
};

static double now(void)
{
    struct timespec time;

    (void)clock_gettime(CLOCK_MONOTONIC, &time);
    return (double)time.tv_sec + (double)time.tv_nsec / 1e9;
}

static double processor_time(void)
{
    struct timespec time;

    (void)clock_gettime(CLOCK_PROCESS_CPUTIME_ID, &time);
    return (double)time.tv_sec + (double)time.tv_nsec / 1e9;
}

static void read_file(struct tree *tree, int dir, const char *name)
{
    static char buffer[CHUNK];
    int fd = openat(dir, name, O_RDONLY | O_CLOEXEC);
    ssize_t got;

    if (fd < 0)
        err(1, "%s", name);
    while ((got = read(fd, buffer, sizeof(buffer))) > 0)
        tree->bytes += (uint64_t)got;
    if (got < 0)
        err(1, "%s", name);
    (void)close(fd);
}

static void list_file(struct tree *tree, const char *path, const char *name, uint64_t size)
{
    if (size < PAGE)
        return;
    if (tree->count == tree->capacity) {
        tree->capacity = tree->capacity * 2 + 1024;
        tree->files = realloc(tree->files, tree->capacity * sizeof(*tree->files));
        if (tree->files == NULL)
            err(1, "memory");
    }
    tree->bytes += size;
    if (asprintf(&tree->files[tree->count].path, "%s/%s", path, name) < 0)
        err(1, "memory");
    tree->files[tree->count++].end = tree->bytes;
}

static int no_dots(const struct dirent *entry)
{
    return strcmp(entry->d_name, ".") != 0 && strcmp(entry->d_name, "..") != 0;
}

static int by_bytes(const struct dirent **a, const struct dirent **b)
{
    return strcmp((*a)->d_name, (*b)->d_name);
}

static void descend(struct tree *tree, const char *path)
{
    struct dirent **entries;
    int fd = open(path, O_RDONLY | O_DIRECTORY | O_CLOEXEC);
    int count = fd < 0 ? -1 : scandirat(fd, ".", &entries, no_dots, by_bytes);
    char *below;

    if (count < 0)
        err(1, "%s", path);
    for (int i = 0; i < count; i++) {
        const char *name = entries[i]->d_name;
        unsigned char type = entries[i]->d_type;
        struct stat st;

        tree->entries++;
        if ((!tree->reads || type == DT_UNKNOWN) &&
            fstatat(fd, name, &st, AT_SYMLINK_NOFOLLOW) != 0)
            err(1, "%s/%s", path, name);
        if (!tree->reads || type == DT_UNKNOWN)
            type = IFTODT(st.st_mode);
        if (type == DT_REG && tree->reads)
            read_file(tree, fd, name);
        else if (type == DT_REG && tree->lists)
            list_file(tree, path, name, (uint64_t)st.st_size);
        else if (type == DT_DIR) {
            if (asprintf(&below, "%s/%s", path, name) < 0)
                err(1, "memory");
            descend(tree, below);
            free(below);
        }
        free(entries[i]);
    }
    free(entries);
    (void)close(fd);
}

static const struct file *find_file(const struct tree *tree, uint64_t place)
{
    size_t low = 0, high = tree->count - 1;

    while (low < high) {
        size_t middle = (low + high) / 2;

        if (tree->files[middle].end > place)
            high = middle;
        else
            low = middle + 1;
    }
    return &tree->files[low];
}

/* splitmix64: the same places in every run. */
static uint64_t next_random(uint64_t *state)
{
    uint64_t z = *state += UINT64_C(0x9e3779b97f4a7c15);

    z = (z ^ (z >> 30)) * UINT64_C(0xbf58476d1ce4e5b9);
    z = (z ^ (z >> 27)) * UINT64_C(0x94d049bb133111eb);
    return z ^ (z >> 31);
}

static void read_randomly(const char *root, unsigned long count)
{
    struct tree tree = {.lists = true};
    uint64_t state = 1;
    char page[PAGE];
    double start, used;

    descend(&tree, root);
    if (tree.count == 0)
        errx(1, "no files");
    start = now();
    used = processor_time();
    for (unsigned long i = 0; i < count; i++) {
        uint64_t place = next_random(&state) % tree.bytes;
        const struct file *file = find_file(&tree, place);
        int fd = open(file->path, O_RDONLY | O_CLOEXEC);

        if (fd < 0 || pread(fd, page, PAGE, (off_t)((file->end - place - 1) / PAGE * PAGE)) <= 0)
            err(1, "%s", file->path);
        (void)close(fd);
    }
    printf("%.6f %.6f %lu\n", now() - start, processor_time() - used, count);
}

static int time_program(char **argv)
{
    uid_t uid = (uid_t)strtoul(argv[0], NULL, 10);
    double start = now();
    pid_t pid = fork();
    int status;

    if (pid == 0) {
        int null = open("/dev/null", O_RDWR);

        (void)dup2(null, STDOUT_FILENO);
        if (uid != 0 && (setgroups(0, NULL) != 0 || setgid(uid) != 0 || setuid(uid) != 0))
            err(1, "user");
        execv(argv[1], argv + 1);
        err(1, "%s", argv[1]);
    }
    if (pid < 0 || waitpid(pid, &status, 0) != pid || status != 0)
        errx(1, "%s: status %d", argv[1], status);
    printf("%.6f %d\n", now() - start, status);
    return 0;
}

static void await_end(void)
{
    char byte;

    (void)fflush(stdout);
    while (read(STDIN_FILENO, &byte, 1) > 0)
        continue;
}

int main(int argc, char **argv)
{
    const char *what = argc > 1 ? argv[1] : "";
    int first = strcmp(what, "random") == 0 ? 3 : 2;
    const char *root = argc > first ? argv[first] : getenv("APPDIR");
    struct tree tree = {.reads = strcmp(what, "read") == 0};
    double start = now();

    if (argc < 2)
        return 0;
    if (strcmp(what, "time") == 0 && argc > 3)
        return time_program(argv + 2);
    if (root == NULL)
        errx(1, "no directory");
    if (strcmp(what, "random") == 0) {
        read_randomly(root, strtoul(argv[2], NULL, 10));
    } else {
        descend(&tree, root);
        printf("%.6f %.6f %llu %llu\n", now() - start, processor_time(),
               (unsigned long long)tree.entries, (unsigned long long)tree.bytes);
    }
    await_end();
    return 0;
}
