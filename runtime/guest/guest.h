/* SPDX-License-Identifier: MIT */
#pragma once
/*
 * The guest object: preloaded into every program that the launcher starts. It
 *
 * - puts the image's directories into Ruby's compiled-in load path (loadpath.c),
 * - lets libc find the image's locale and gconv data (locale.c),
 * - gives the user's environment back to programs that are not ours (exec.c, shell.c),
 * - answers from memory what the kernel would say of the image's paths (names.c), as long as they
 *   mean the same (confine.c),
 * - finds in the image what the host does not have at its compiled-in place (fallback.c),
 * - both in libc's functions that take a path (interpose.c),
 * - lets ps show the program's words without the loader's (title.c),
 * - has Ruby take compiled sources before it has read one of its own (compiled.c).
 *
 * It is loaded into whatever libc the bundle carries: no DT_NEEDED, no symbol versions, no Ruby
 * symbol, no constructor of a libc at work. It must not allocate in the exec functions: they run
 * between vfork() and exec.
 */
#include <spawn.h>
#include <stdbool.h>
#include <stddef.h>
#include <sys/types.h>

/* Longest path that the guest builds; a longer one is left to the kernel to refuse. */
enum { GUEST_PATH_MAX = 4096 };

/* The image root without a '/' at the end, and its length. Empty until guest_init() has run. */
extern char guest_root[GUEST_PATH_MAX];
extern size_t guest_root_len;

/* Writes "<root>/<image path>"; false when it does not fit. */
bool guest_path(char ret[GUEST_PATH_MAX], const char *image_path);

/* One line on stderr and exit code 125: a process that would run half-prepared must not start. */
[[gnu::noreturn]] void guest_die(const char *message, const char *detail);

/* The function of this name that would be called without us; NULL where libc has none. */
void *guest_next(const char *name);

/* Reads the launch file; once, however often it is called. Constructors of libraries run before
 * ours, and some already open files and make locales: what they call begins with this. */
void guest_prepare(void);

/* Takes the records of the launch file, one by one, then says it was the last. */
struct launchfile_record;
void loadpath_record(const struct launchfile_record *record);
void loadpath_apply(char *const argv[]);
void locale_record(const struct launchfile_record *record);
void exec_record(const struct launchfile_record *record);
void fallback_record(const struct launchfile_record *record);
void names_record(const struct launchfile_record *record);

/* Maps the name table, after its record. */
void names_init(void);

/* From here on the process's command line begins at argv[0], where the kernel allows it. */
void title_apply(char *const argv[]);

/* Look up libc's own functions, once: between vfork() and exec it is too late for dlsym(). */
void locale_init(void);
void exec_init(void);
void shell_init(void);
void interpose_init(void);
void confine_init(void);

/* Whether a program that is not ours would get another environment than this one. */
bool exec_restores(char *const envp[]);

/* posix_spawn(3) of a program that may be ours or not. */
int exec_spawn(pid_t *pid, const char *program, const posix_spawn_file_actions_t *actions,
               const posix_spawnattr_t *attributes, char *const argv[], char *const envp[]);

typedef int access_function(const char *path, int mode);

/* Whether the host's path is one that the image has, too. */
bool fallback_lists(const char *path);

/* Whether a call that has just failed for this path, with errno set, shall be tried again with the
 * path in the image; never when errno is not ENOENT. */
bool fallback_path(char ret[GUEST_PATH_MAX], const char *path);

/* Whether this is the library by which the image's Ruby says that it can run code now. */
bool compiled_is_moment(const char *path);
/* Then: after it was loaded. */
typedef void *dlopen_function(const char *path, int mode);
void compiled_begin(dlopen_function *next, access_function *access);

/* From now on the kernel is asked for everything. */
void names_off(void);

/*
 * What the kernel would answer. Each returns whether it does so; then the result is in *ret, with
 * errno set if that is a failure. A call that is not answered has changed nothing.
 */
struct stat;
struct statx;
typedef char *realpath_function(const char *path, char *resolved);

/* There is nothing at the path to be opened. */
bool names_absent(const char *path, bool follow);
/* Nor is it a directory. */
bool names_no_dir(const char *path);
bool names_stat(const char *path, bool follow, struct stat *st, int *ret);
bool names_statat(const char *path, int flags, struct stat *st, int *ret);
bool names_statx(const char *path, int flags, unsigned int mask, struct statx *st, int *ret);
bool names_access(const char *path, int mode, int *ret);
bool names_readlink(const char *path, char *text, size_t size, ssize_t *ret);
/* next is libc's; resolved has GUEST_PATH_MAX bytes or is NULL. */
bool names_realpath(const char *path, char *resolved, realpath_function *next, char **ret);
/* The descriptor is a file of the image. */
bool names_are_no_tty(int fd);

/* What the program shall find instead of libc's; everything else is hidden. */
#define GUEST_EXPORT __attribute__((visibility("default")))
