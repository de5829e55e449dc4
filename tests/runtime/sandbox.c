/* SPDX-License-Identifier: MIT */
/*
 * sandbox WORK USER: runs WORK/script as root or as an ordinary user; see helper.bash.
 *
 * In mount and process namespaces of its own: devices, temporary directories and processes end with
 * it. HIDE in the environment names what is missing: fuse, loop, userns, helper,
 * mtab (the mount table's usual name), name (of the user). WORK/prepare, if there, runs before,
 * always as root.
 */
#include <errno.h>
#include <fcntl.h>
#include <grp.h>
#include <mntent.h>
#include <sched.h>
#include <signal.h>
#include <stdbool.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/mount.h>
#include <sys/prctl.h>
#include <sys/stat.h>
#include <sys/sysmacros.h>
#include <sys/wait.h>
#include <unistd.h>

enum { USER_ID = 1001, LOOPS = 64, LOOP_MAJOR = 7, MISC_MAJOR = 10 };

[[gnu::noreturn]] static void die(const char *what)
{
    perror(what);
    exit(120);
}

static void check(int result, const char *what)
{
    if (result < 0)
        die(what);
}

static bool hidden(const char *what)
{
    const char *hide = getenv("HIDE");

    return hide != NULL && strstr(hide, what) != NULL;
}

static void copy(const char *from, const char *to, const char *more)
{
    FILE *in = fopen(from, "re"), *out = fopen(to, "we");
    char bytes[4096];
    size_t got;

    if (in == NULL || out == NULL)
        die(from);
    while ((got = fread(bytes, 1, sizeof(bytes), in)) > 0)
        if (fwrite(bytes, 1, got, out) != got)
            die(to);
    if (fputs(more, out) < 0 || fclose(out) != 0)
        die(to);
    (void)fclose(in);
}

/* Mounts of apps that run outside are copied into this namespace; here they only confuse. */
static void drop_foreign_mounts(void)
{
    FILE *mounts = setmntent("/proc/self/mounts", "re");
    const struct mntent *entry;

    if (mounts == NULL)
        die("/proc/self/mounts");
    while ((entry = getmntent(mounts)) != NULL)
        if (strcmp(entry->mnt_type, "fuse.rucksack") == 0)
            (void)umount2(entry->mnt_dir, MNT_DETACH);
    (void)endmntent(mounts);
}

static void node(const char *path, mode_t mode, unsigned int major, unsigned int minor)
{
    check(mknod(path, mode, makedev(major, minor)), path);
}

static void make_devices(void)
{
    char path[32];

    node("/dev/null", S_IFCHR | 0666, 1, 3);
    node("/dev/zero", S_IFCHR | 0666, 1, 5);
    node("/dev/full", S_IFCHR | 0666, 1, 7);
    node("/dev/urandom", S_IFCHR | 0666, 1, 9);
    check(symlink("/proc/self/fd", "/dev/fd"), "/dev/fd");
    if (!hidden("fuse"))
        node("/dev/fuse", S_IFCHR | 0666, MISC_MAJOR, 229);
    if (hidden("loop"))
        return;
    node("/dev/loop-control", S_IFCHR | 0600, MISC_MAJOR, 237);
    for (unsigned int i = 0; i < LOOPS; i++) {
        (void)snprintf(path, sizeof(path), "/dev/loop%u", i);
        node(path, S_IFBLK | 0600, LOOP_MAJOR, i);
    }
}

static int reap(pid_t until)
{
    int status;
    pid_t pid;

    check(until, "fork");
    do
        pid = wait(&status);
    while (pid != until && (pid > 0 || errno == EINTR));
    return WIFEXITED(status) ? WEXITSTATUS(status) : 128 + WTERMSIG(status);
}

/* The mount helper wants a mount table, and to know its caller by name. A system without the first
 * gets a copy of /etc with it. */
static void make_mount_table(void)
{
    pid_t pid;

    if (access("/etc/mtab", F_OK) == 0 && !hidden("mtab"))
        return;
    pid = fork();
    if (pid == 0) {
        (void)execlp("cp", "cp", "-a", "/etc", "/dev/etc", (char *)NULL);
        die("cp");
    }
    if (reap(pid) != 0)
        exit(120);
    (void)unlink("/dev/etc/mtab");
    if (!hidden("mtab"))
        check(symlink("/proc/self/mounts", "/dev/etc/mtab"), "/etc/mtab");
    check(mount("/dev/etc", "/etc", NULL, MS_BIND, NULL), "/etc");
}

static void make_directory(const char *path, mode_t mode)
{
    check(mkdir(path, mode), path);
}

static void hide_helper(void)
{
    static const char *const names[] = {"/usr/bin/fusermount3", "/usr/bin/fusermount"};

    for (size_t i = 0; i < sizeof(names) / sizeof(names[0]); i++)
        if (access(names[i], F_OK) == 0)
            check(mount("/dev/null", names[i], NULL, MS_BIND, NULL), names[i]);
}

static void furnish(const char *work, bool as_user)
{
    static const char *const empty[] = {"/tmp", "/run", "/var/tmp"};

    check(mount(NULL, "/", NULL, MS_PRIVATE | MS_REC, NULL), "/");
    check(mount("proc", "/proc", "proc", MS_NOSUID | MS_NODEV | MS_NOEXEC, NULL), "/proc");
    drop_foreign_mounts();
    check(mount(work, "/mnt", NULL, MS_BIND, NULL), work);
    for (size_t i = 0; i < sizeof(empty) / sizeof(empty[0]); i++)
        check(mount("tmpfs", empty[i], "tmpfs", 0, "mode=1777"), empty[i]);
    check(mount("tmpfs", "/dev", "tmpfs", 0, "mode=755"), "/dev");
    make_devices();
    make_directory("/dev/shm", 01777);
    make_directory("/dev/t", 01777);
    make_directory("/tmp/home", 0755);
    if (as_user)
        check(chown("/tmp/home", USER_ID, USER_ID), "/tmp/home");
    if (hidden("helper"))
        hide_helper();
    make_mount_table();
    copy("/etc/passwd", "/dev/passwd",
         hidden("name") ? "" : "tester:x:1001:1001::/tmp/home:/bin/sh\n");
    check(mount("/dev/passwd", "/etc/passwd", NULL, MS_BIND, NULL), "/etc/passwd");
    copy("/mnt/inside", "/dev/inside", "");
    copy("/mnt/script", "/dev/script", "");
}

static void clean_environment(void)
{
    static const char *const names[] = {
        "APPDIR",
        "APPIMAGE",
        "APPIMAGE_EXTRACT_AND_RUN",
        "ARGV0",
        "FUSERMOUNT_PROG",
        "NO_CLEANUP",
        "OWD",
        "RUCKSACK_MOUNT",
        "RUCKSACK_STATE",
        "STATE_DIRECTORY",
        "TARGET_APPIMAGE",
        "TMPDIR",
        "XDG_CACHE_HOME",
        "XDG_RUNTIME_DIR",
        "BASH_ENV",
    };

    for (size_t i = 0; i < sizeof(names) / sizeof(names[0]); i++)
        check(unsetenv(names[i]), names[i]);
    check(setenv("HOME", "/tmp/home", 1), "HOME");
}

static pid_t start_shell(const char *script, bool as_user)
{
    pid_t pid = fork();

    if (pid != 0)
        return pid;
    if (as_user && hidden("userns"))
        check(chroot("/dev/chroot"), "/dev/chroot");
    if (as_user) {
        check(setgroups(0, NULL), "groups");
        check(setresgid(USER_ID, USER_ID, USER_ID), "group");
        check(setresuid(USER_ID, USER_ID, USER_ID), "user");
    }
    (void)execlp("bash", "bash", script, (char *)NULL);
    die("bash");
}

/* The first process of the namespace: it must stay, to reap what is orphaned. */
static int inside(const char *work, bool as_user)
{
    check(prctl(PR_SET_PDEATHSIG, SIGKILL), "prctl");
    furnish(work, as_user);
    (void)umask(022);
    check(chdir("/mnt"), "/mnt");
    clean_environment();
    if (access("/mnt/prepare", F_OK) == 0 && reap(start_shell("/mnt/prepare", false)) != 0)
        return 121;
    if (hidden("userns")) { /* the kernel forbids new user namespaces in a chroot */
        make_directory("/dev/chroot", 0755);
        check(mount("/", "/dev/chroot", NULL, MS_BIND | MS_REC, NULL), "/dev/chroot");
    }
    return reap(start_shell("/dev/inside", as_user));
}

int main(int argc, char **argv)
{
    pid_t pid;

    (void)umask(0);
    if (argc != 3)
        return 2;
    check(unshare(CLONE_NEWNS | CLONE_NEWPID), "unshare");
    pid = fork();
    if (pid == 0)
        exit(inside(argv[1], strcmp(argv[2], "user") == 0));
    return reap(pid);
}
