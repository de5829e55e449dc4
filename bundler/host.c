/* SPDX-License-Identifier: MIT */
#include "bundler/host.h"

#include <errno.h>
#include <fcntl.h>
#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/prctl.h>
#include <sys/stat.h>
#include <sys/statvfs.h>
#include <sys/syscall.h>
#include <sys/utsname.h>
#include <unistd.h>

#include <linux/capability.h>

#include "common/cleanup.h"
#include "common/xalloc.h"

enum { OLDEST_MAJOR = 4, OLDEST_MINOR = 18 };

#define HINT_ADMIN                                                                                 \
    "in a container: --cap-add SYS_ADMIN; on a host: be root outside of any user namespace"
#define HINT_PRIVILEGES "systemd: NoNewPrivileges=no; a container: without no-new-privileges"
#define HINT_FUSE "modprobe fuse; in a container: --device /dev/fuse"
#define HINT_HELPER "apt install fuse3, dnf install fuse3, apk add fuse3"

/* Takes text and hint, which are on the heap. */
static void add(struct host *host, const char *name, enum host_state state, char *text, char *hint)
{
    host->facts = xgrow(host->facts, &host->fact_capacity, host->fact_count, sizeof(*host->facts));
    host->facts[host->fact_count++] = (struct host_fact){name, state, text, hint};
}

/* A text of /proc or /lib; NULL: none. Files of /proc/sys refuse to be read in one large piece,
 * which getdelim() does not. */
static char *read_text(const char *path)
{
    cleanup_file FILE *file = fopen(path, "re");
    char *text = NULL;
    size_t size = 0;

    if (file != NULL && getdelim(&text, &size, '\0', file) >= 0)
        return text;
    free(text);
    return NULL;
}

/* -1 when there is no such file, or no number in it. */
static long read_number(const char *path)
{
    cleanup_free char *text = read_text(path);
    char *end;
    long number;

    if (text == NULL)
        return -1;
    number = strtol(text, &end, 10);
    return end != text ? number : -1;
}

static bool is_admin(void)
{
    struct __user_cap_header_struct header = {.version = _LINUX_CAPABILITY_VERSION_3};
    struct __user_cap_data_struct data[_LINUX_CAPABILITY_U32S_3] = {0};

    return syscall(SYS_capget, &header, data) == 0 &&
           (data[CAP_TO_INDEX(CAP_SYS_ADMIN)].effective & CAP_TO_MASK(CAP_SYS_ADMIN)) != 0;
}

static bool is_root(void)
{
    return geteuid() == 0;
}

static void examine_kernel(struct host *host)
{
    struct utsname name;
    int major = 0, minor = 0;
    bool old;

    if (uname(&name) != 0)
        return;
    old = sscanf(name.release, "%d.%d", &major, &minor) == 2 &&
          (major < OLDEST_MAJOR || (major == OLDEST_MAJOR && minor < OLDEST_MINOR));
    add(host, "kernel", old ? HOST_NO : HOST_OK,
        xasprintf("%s %s, %s", name.sysname, name.release, name.machine),
        old ? xasprintf("bundles need Linux %d.%d or later", OLDEST_MAJOR, OLDEST_MINOR) : NULL);
}

static void examine_rights(struct host *host)
{
    bool admin = is_admin();

    if (is_root())
        add(host, "user", admin ? HOST_OK : HOST_NO,
            xasprintf("root %s CAP_SYS_ADMIN", admin ? "with" : "without"),
            admin ? NULL : xstrdup(HINT_ADMIN));
    else
        add(host, "user", HOST_PLAIN,
            xasprintf("%u%s", (unsigned int)geteuid(), admin ? " with CAP_SYS_ADMIN" : ""), NULL);
    if (prctl(PR_GET_NO_NEW_PRIVS, 0, 0, 0, 0) == 1)
        add(host, "privileges", is_root() ? HOST_PLAIN : HOST_NO,
            xstrdup("no_new_privs is set: setuid programs get no rights"),
            is_root() ? NULL : xstrdup(HINT_PRIVILEGES));
    if (prctl(PR_GET_SECCOMP, 0, 0, 0, 0) > 0)
        add(host, "seccomp", HOST_PLAIN, xstrdup("a filter of system calls is active"), NULL);
    if (access("/proc/self/exe", F_OK) != 0)
        add(host, "proc", HOST_NO, xstrdup("/proc is not mounted"),
            xstrdup("mount -t proc proc /proc"));
}

/* Whether a list of modules names squashfs, be it compressed or not. */
static bool lists_squashfs(const char *release, const char *list)
{
    cleanup_free char *path = xasprintf("/lib/modules/%s/%s", release, list);
    cleanup_free char *text = read_text(path);

    return text != NULL && strstr(text, "/squashfs.ko") != NULL;
}

static void examine_squashfs(struct host *host)
{
    cleanup_free char *known = read_text("/proc/filesystems");
    struct utsname name;

    if (known != NULL && strstr(known, "\tsquashfs\n") != NULL)
        add(host, "squashfs", HOST_OK, xstrdup("in the kernel"), NULL);
    else if (uname(&name) == 0 && (lists_squashfs(name.release, "modules.dep") ||
                                   lists_squashfs(name.release, "modules.builtin")))
        add(host, "squashfs", HOST_OK, xstrdup("a module, loaded when it is needed"), NULL);
    else if (known == NULL)
        add(host, "squashfs", HOST_PLAIN, xstrdup("not known without /proc"), NULL);
    else
        add(host, "squashfs", is_root() ? HOST_NO : HOST_PLAIN, xstrdup("not in the kernel"),
            is_root() ? xstrdup("modprobe squashfs, on the host of a container") : NULL);
}

static bool can_open(const char *path)
{
    cleanup_fd int fd = open(path, O_RDWR | O_CLOEXEC | O_NONBLOCK);

    return fd >= 0;
}

static void examine_loop(struct host *host)
{
    static const char path[] = "/dev/loop-control";

    if (can_open(path))
        add(host, "loop", HOST_OK, xstrdup(path), NULL);
    else if (is_root())
        add(host, "loop", HOST_NO, xasprintf("%s: %s", path, strerror(errno)),
            xstrdup("modprobe loop; in a container: --privileged"));
    else
        add(host, "loop", HOST_PLAIN, xasprintf("%s: for root only", path), NULL);
}

static void examine_fuse(struct host *host)
{
    static const char path[] = "/dev/fuse";

    if (can_open(path))
        add(host, "fuse", HOST_OK, xstrdup(path), NULL);
    else if (errno == EACCES)
        /* The setuid helper opens it as the user, too. */
        add(host, "fuse", HOST_NO, xasprintf("%s: %s", path, strerror(errno)),
            xasprintf("chmod 666 %s", path));
    else
        add(host, "fuse", HOST_NO, xasprintf("%s: %s", path, strerror(errno)), xstrdup(HINT_FUSE));
}

/* As execvp(3) would find it; NULL when it does not. */
static char *find_program(const char *name)
{
    const char *path = getenv("PATH");

    if (strchr(name, '/') != NULL)
        return access(name, X_OK) == 0 ? xstrdup(name) : NULL;
    if (path == NULL)
        path = "/bin:/usr/bin";
    for (size_t len; *path != '\0'; path += len + (path[len] == ':')) {
        cleanup_free char *file = NULL;

        len = strcspn(path, ":");
        file = xasprintf("%.*s/%s", (int)len, path, name);
        if (access(file, X_OK) == 0)
            return steal_ptr(&file);
    }
    return NULL;
}

static void examine_helper(struct host *host)
{
    static const char name[] = "fusermount";
    const char *given = getenv("FUSERMOUNT_PROG");
    enum host_state missing = is_root() ? HOST_PLAIN : HOST_NO;
    cleanup_free char *program = find_program(given != NULL ? given : "fusermount3");
    struct stat st;

    if (program == NULL && given == NULL)
        program = find_program("fusermount");
    if (program == NULL && given != NULL)
        add(host, name, missing, xasprintf("'%s', of FUSERMOUNT_PROG, cannot be run", given),
            xstrdup("unset FUSERMOUNT_PROG"));
    else if (program == NULL || stat(program, &st) != 0)
        add(host, name, missing, xstrdup("not found"), xstrdup(HINT_HELPER));
    else if (access("/etc/mtab", F_OK) != 0)
        /* Without it the helper mounts, but refuses to unmount. */
        add(host, name, missing, xasprintf("%s, but no /etc/mtab", program),
            xstrdup("ln -s ../proc/self/mounts /etc/mtab"));
    else if (st.st_uid == 0 && (st.st_mode & S_ISUID) != 0)
        add(host, name, HOST_OK, xasprintf("%s, setuid root", program), NULL);
    else
        /* Wrappers of NixOS and Guix have capabilities instead. */
        add(host, name, HOST_PLAIN, xasprintf("%s, not setuid root", program),
            xasprintf("chown root %s; chmod u+s %s", program, program));
}

/* A chroot into a mount of its own is only seen by who may look at process 1. */
static bool is_chroot(void)
{
    struct statx root;
    struct stat own, first;

    if (statx(AT_FDCWD, "/", 0, STATX_BASIC_STATS, &root) == 0 &&
        (root.stx_attributes_mask & STATX_ATTR_MOUNT_ROOT) != 0 &&
        (root.stx_attributes & STATX_ATTR_MOUNT_ROOT) == 0)
        return true;
    return stat("/", &own) == 0 && stat("/proc/1/root/.", &first) == 0 &&
           (own.st_dev != first.st_dev || own.st_ino != first.st_ino);
}

static void forbid(struct host *host, const char *text, const char *hint)
{
    add(host, "userns", is_root() ? HOST_PLAIN : HOST_NO, xstrdup(text),
        hint != NULL ? xstrdup(hint) : NULL);
}

static void examine_namespaces(struct host *host)
{
    if (access("/proc/self/ns/user", F_OK) != 0)
        forbid(host, "not in the kernel, or not known without /proc", NULL);
    else if (read_number("/proc/sys/user/max_user_namespaces") == 0)
        forbid(host, "forbidden: user.max_user_namespaces is 0",
               "sysctl user.max_user_namespaces=10000");
    else if (read_number("/proc/sys/kernel/unprivileged_userns_clone") == 0 && !is_admin())
        forbid(host, "forbidden: kernel.unprivileged_userns_clone is 0",
               "sysctl kernel.unprivileged_userns_clone=1");
    else if (read_number("/proc/sys/kernel/apparmor_restrict_unprivileged_userns") == 1 &&
             !is_admin())
        forbid(host, "forbidden by AppArmor: kernel.apparmor_restrict_unprivileged_userns is 1",
               "an AppArmor profile with 'userns,' for the file, or sysctl "
               "kernel.apparmor_restrict_unprivileged_userns=0");
    else if (is_chroot())
        forbid(host, "forbidden: this is a chroot", NULL);
    else
        add(host, "userns", HOST_OK, xstrdup("no setting forbids user namespaces"), NULL);
}

static void examine_variables(struct host *host)
{
    static const char *const names[] = {"RUCKSACK_MOUNT", "APPIMAGE_EXTRACT_AND_RUN",
                                        "FUSERMOUNT_PROG", "NO_CLEANUP"};

    for (size_t i = 0; i < sizeof(names) / sizeof(names[0]); i++) {
        const char *value = getenv(names[i]);

        if (value != NULL)
            add(host, "variable", HOST_PLAIN, xasprintf("%s=%s", names[i], value), NULL);
    }
}

struct candidate {
    const char *variable; /* or NULL */
    const char *suffix;   /* below the variable's value; else the path */
    bool is_shared;       /* others write there too: our part carries the user's id */
    bool for_mounts;
    bool for_caches;
    bool for_runs;
};

/* runtime/stub/place.h has the order. */
static const struct candidate candidates[] = {
    {"XDG_RUNTIME_DIR", "", false, .for_mounts = true},
    {"XDG_CACHE_HOME", "", false, .for_caches = true},
    {"HOME", "/.cache", false, .for_caches = true},
    {"TMPDIR", "", true, .for_runs = true},
    {NULL, "/tmp", true, true, true, true},
    {NULL, "/run", true, true, true, true},
    {NULL, "/dev/shm", true, true, true, true},
    {NULL, "/var/tmp", true, true, true, true},
};

static bool is_quotable(const char *path)
{
    for (; *path != '\0'; path++) {
        if ((unsigned char)*path <= ' ' || strchr(":;\"'\\$`*?[]#&|<>(){}~!%", *path) != NULL)
            return false;
    }
    return true;
}

static bool object(struct host_dir *dir, const char *reason)
{
    dir->reason = xstrdup(reason);
    dir->for_mounts = dir->for_caches = dir->for_runs = false;
    return false;
}

/* What we would make there, if somebody was there first. */
static bool check_part(struct host_dir *dir)
{
    cleanup_free char *reason = NULL;
    struct stat st;

    if (lstat(dir->part, &st) != 0)
        return errno == ENOENT || object(dir, strerror(errno));
    dir->has_part = true;
    if (S_ISDIR(st.st_mode) && st.st_uid == geteuid() && (st.st_mode & 0777) == 0700)
        return true;
    reason = xasprintf("'%s' is not a private directory of this user", dir->part);
    return object(dir, reason);
}

static bool check_owner(struct host_dir *dir, bool is_shared)
{
    struct stat st;

    if (stat(dir->path, &st) != 0)
        return object(dir, strerror(errno));
    dir->has_path = true;
    if (!S_ISDIR(st.st_mode))
        return object(dir, "not a directory");
    if (st.st_uid != geteuid() && st.st_uid != 0)
        return object(dir, "belongs to somebody else");
    if ((st.st_mode & 022) != 0 && (!is_shared || (st.st_mode & S_ISVTX) == 0))
        return object(dir, "is writable by others");
    return true;
}

static void check_dir(struct host_dir *dir, bool is_shared)
{
    struct statvfs fs;

    dir->part = is_shared ? xasprintf("%s/rucksack-%u", dir->path, (unsigned int)geteuid())
                          : xasprintf("%s/rucksack", dir->path);
    if (!is_quotable(dir->path)) {
        (void)object(dir, "its name has a character that search paths cannot quote");
        return;
    }
    if (!check_owner(dir, is_shared))
        return;
    if (statvfs(dir->path, &fs) != 0) {
        (void)object(dir, strerror(errno));
        return;
    }
    dir->free_bytes = (uint64_t)fs.f_bavail * fs.f_frsize;
    if ((fs.f_flag & ST_RDONLY) != 0)
        (void)object(dir, "read-only");
    else if (faccessat(AT_FDCWD, dir->path, W_OK | X_OK, AT_EACCESS) != 0)
        (void)object(dir, "cannot be written");
    else if (check_part(dir) && (fs.f_flag & ST_NOEXEC) != 0) {
        dir->reason = xstrdup("noexec: not to unpack to");
        dir->for_caches = dir->for_runs = false;
    }
}

/* ~/.cache is made by the first start that needs it. */
static bool is_made_when_needed(const struct candidate *candidate, const char *value,
                                struct host_dir *dir)
{
    if (candidate->suffix[0] == '\0' || access(dir->path, F_OK) == 0 ||
        faccessat(AT_FDCWD, value, W_OK | X_OK, AT_EACCESS) != 0)
        return false;
    dir->part = xasprintf("%s/rucksack", dir->path);
    dir->reason = xstrdup("made when it is needed");
    return true;
}

static void examine_dirs(struct host *host)
{
    for (size_t i = 0; i < sizeof(candidates) / sizeof(candidates[0]); i++) {
        const struct candidate *candidate = &candidates[i];
        const char *value = candidate->variable != NULL ? getenv(candidate->variable) : "";
        struct host_dir *dir;

        if (value == NULL || (candidate->variable != NULL && value[0] != '/'))
            continue;
        host->dirs = xgrow(host->dirs, &host->dir_capacity, host->dir_count, sizeof(*host->dirs));
        dir = &host->dirs[host->dir_count++];
        *dir = (struct host_dir){.path = xasprintf("%s%s", value, candidate->suffix),
                                 .for_mounts = candidate->for_mounts,
                                 .for_caches = candidate->for_caches,
                                 .for_runs = candidate->for_runs};
        if (!is_made_when_needed(candidate, value, dir))
            check_dir(dir, candidate->is_shared);
    }
}

void host_examine(struct host *ret)
{
    *ret = (struct host){0};
    examine_kernel(ret);
    examine_rights(ret);
    examine_squashfs(ret);
    examine_loop(ret);
    examine_fuse(ret);
    examine_helper(ret);
    examine_namespaces(ret);
    examine_variables(ret);
    examine_dirs(ret);
}

void host_tidy(const struct host *host)
{
    /* rmdir(2) refuses what somebody else uses meanwhile. */
    for (size_t i = 0; i < host->dir_count; i++) {
        if (!host->dirs[i].has_part)
            (void)rmdir(host->dirs[i].part);
        if (!host->dirs[i].has_path)
            (void)rmdir(host->dirs[i].path);
    }
}

void host_release(struct host *host)
{
    for (size_t i = 0; i < host->fact_count; i++) {
        free(host->facts[i].text);
        free(host->facts[i].hint);
    }
    for (size_t i = 0; i < host->dir_count; i++) {
        free(host->dirs[i].path);
        free(host->dirs[i].part);
        free(host->dirs[i].reason);
    }
    free(host->facts);
    free(host->dirs);
    *host = (struct host){0};
}

const char *host_state_name(enum host_state state)
{
    return state == HOST_OK ? "ok" : state == HOST_NO ? "no" : "-";
}
