/* SPDX-License-Identifier: MIT */
/*
 * A program that is not ours gets the environment as the user had it: what the launcher took out
 * (RUCKSACK_ENV, see runtime/launch/environment.h) is put back, unless the caller has set the
 * variable itself. A program of ours is left alone: its trampoline would take it out again.
 *
 * These run between vfork() and exec: no allocation by malloc, no lock. In a process where the user
 * had set nothing (the normal case) they only pass on.
 */
#include <dlfcn.h>
#include <errno.h>
#include <spawn.h>
#include <string.h>
#include <sys/mman.h>
#include <unistd.h>

#include "guest.h"

extern char **environ;

static const char saved_name[] = "RUCKSACK_ENV=";

struct restored {
    char **envp;  /* what to pass on */
    void *memory; /* NULL: envp is the caller's */
    size_t size;
};

static const char *find_saved(char *const envp[])
{
    for (; envp != NULL && *envp != NULL; envp++) {
        if (strncmp(*envp, saved_name, sizeof(saved_name) - 1) == 0)
            return *envp + sizeof(saved_name) - 1;
    }
    return NULL;
}

static bool is_ours(const char *program)
{
    return guest_root_len > 0 && strncmp(program, guest_root, guest_root_len) == 0 &&
           program[guest_root_len] == '/';
}

static unsigned int hex_value(char digit)
{
    return digit >= 'A' ? (unsigned int)(digit - 'A') + 10 : (unsigned int)(digit - '0');
}

/* Copies one entry up to its ';' or the end; the result is never longer than its source. */
static const char *decode(const char *at, char **to)
{
    while (*at != '\0' && *at != ';') {
        if (at[0] == '%' && at[1] != '\0' && at[2] != '\0') {
            *(*to)++ = (char)(hex_value(at[1]) << 4 | hex_value(at[2]));
            at += 3;
        } else {
            *(*to)++ = *at++;
        }
    }
    *(*to)++ = '\0';
    return *at == ';' ? at + 1 : at;
}

static bool is_set(char *const envp[], const char *entry)
{
    size_t len = strcspn(entry, "=") + 1;

    for (; *envp != NULL; envp++) {
        if (strncmp(*envp, entry, len) == 0)
            return true;
    }
    return false;
}

static size_t count_entries(char *const envp[])
{
    size_t count = 0;

    while (envp[count] != NULL)
        count++;
    return count;
}

/* Builds the environment in one anonymous mapping: pointers first, then the decoded texts. */
static struct restored restore(const char *program, char *const envp[])
{
    const char *saved = is_ours(program) ? NULL : find_saved(envp);
    struct restored result = {(char **)envp, NULL, 0};
    size_t count;
    size_t entries = 1;
    char *text;

    if (saved == NULL)
        return result;
    count = count_entries(envp);
    for (const char *at = saved; *at != '\0'; at++)
        entries += *at == ';';
    result.size = (count + entries + 1) * sizeof(char *) + strlen(saved) + 1;
    result.memory =
        mmap(NULL, result.size, PROT_READ | PROT_WRITE, MAP_PRIVATE | MAP_ANONYMOUS, -1, 0);
    if (result.memory == MAP_FAILED) {
        result.memory = NULL;
        return result;
    }
    result.envp = result.memory;
    memcpy(result.envp, envp, count * sizeof(char *));
    text = (char *)(result.envp + count + entries + 1);
    while (*saved != '\0') {
        char *entry = text;

        saved = decode(saved, &text);
        if (!is_set(envp, entry))
            result.envp[count++] = entry;
    }
    result.envp[count] = NULL;
    return result;
}

/* After a failed exec, and in the parent after a spawn. */
static void forget(const struct restored *restored)
{
    int kept = errno;

    if (restored->memory != NULL)
        munmap(restored->memory, restored->size);
    errno = kept;
}

typedef int exec_function(const char *, char *const[], char *const[]);
typedef int spawn_function(pid_t *, const char *, const posix_spawn_file_actions_t *,
                           const posix_spawnattr_t *, char *const[], char *const[]);

static struct {
    exec_function *execve;
    exec_function *execvpe;
    spawn_function *posix_spawn;
    spawn_function *posix_spawnp;
} libc;

void exec_init(void)
{
    libc.execve = (exec_function *)dlsym(RTLD_NEXT, "execve");
    libc.execvpe = (exec_function *)dlsym(RTLD_NEXT, "execvpe");
    libc.posix_spawn = (spawn_function *)dlsym(RTLD_NEXT, "posix_spawn");
    libc.posix_spawnp = (spawn_function *)dlsym(RTLD_NEXT, "posix_spawnp");
}

static int exec_with(exec_function *next, const char *program, char *const argv[],
                     char *const envp[])
{
    struct restored restored = restore(program, envp);
    int result = next(program, argv, restored.envp);

    forget(&restored);
    return result;
}

GUEST_EXPORT int execve(const char *program, char *const argv[], char *const envp[])
{
    return exec_with(libc.execve, program, argv, envp);
}

GUEST_EXPORT int execv(const char *program, char *const argv[])
{
    return exec_with(libc.execve, program, argv, environ);
}

/* The search in PATH is libc's own: whether the program found is ours is not known, so what it
 * gets is the user's environment; a trampoline takes out what must not be there. */
GUEST_EXPORT int execvpe(const char *program, char *const argv[], char *const envp[])
{
    return exec_with(libc.execvpe, program, argv, envp);
}

GUEST_EXPORT int execvp(const char *program, char *const argv[])
{
    return exec_with(libc.execvpe, program, argv, environ);
}

static int spawn_with(spawn_function *next, pid_t *pid, const char *program,
                      const posix_spawn_file_actions_t *actions,
                      const posix_spawnattr_t *attributes, char *const argv[], char *const envp[])
{
    struct restored restored = restore(program, envp);
    int result = next(pid, program, actions, attributes, argv, restored.envp);

    forget(&restored);
    return result;
}

GUEST_EXPORT int posix_spawn(pid_t *pid, const char *program,
                             const posix_spawn_file_actions_t *actions,
                             const posix_spawnattr_t *attributes, char *const argv[],
                             char *const envp[])
{
    return spawn_with(libc.posix_spawn, pid, program, actions, attributes, argv, envp);
}

GUEST_EXPORT int posix_spawnp(pid_t *pid, const char *program,
                              const posix_spawn_file_actions_t *actions,
                              const posix_spawnattr_t *attributes, char *const argv[],
                              char *const envp[])
{
    return spawn_with(libc.posix_spawnp, pid, program, actions, attributes, argv, envp);
}
