/* SPDX-License-Identifier: MIT */
/*
 * A program that is not ours gets the environment as the user had it: what the launcher took out
 * (RUCKSACK_ENV, see runtime/launch/environment.h) is put back, unless the caller has set the
 * variable itself, and what leads a library to its modules and data in the image is taken out: the
 * host's library of that name is another one. So is the host's file that the launcher chose. A
 * program of ours is left alone: its trampoline would take it out again.
 *
 * These run between vfork() and exec: no allocation by malloc, no lock. Where there is
 * nothing to change they only pass on.
 */
#include <errno.h>
#include <spawn.h>
#include <stdarg.h>
#include <string.h>
#include <sys/mman.h>
#include <unistd.h>

#include "common/format.h"
#include "common/launchfile.h"
#include "guest.h"

enum { LEADING_MAX = 4096 };

extern char **environ;

static const char saved_name[] = "RUCKSACK_ENV=";

struct restored {
    char **envp;  /* what to pass on */
    void *memory; /* NULL: envp is the caller's */
    size_t size;
};

/* Names of variables that lead into the image, each with its NUL. */
static char leading[LEADING_MAX];
static size_t leading_len;
/* NAME=PATH of what the launcher may have chosen, each with its NUL. */
static char choices[LEADING_MAX];
static size_t choices_len;

static void record_choice(const char *name, const char *path)
{
    size_t name_len = strlen(name);
    size_t size = name_len + 1 + strlen(path) + 1;

    if (size > sizeof(choices) - choices_len)
        guest_die("too many variables: ", name);
    memcpy(choices + choices_len, name, name_len);
    choices[choices_len + name_len] = '=';
    memcpy(choices + choices_len + name_len + 1, path, strlen(path) + 1);
    choices_len += size;
}

void exec_record(const struct launchfile_record *record)
{
    bool leads = launchfile_is(record, "fallback", 2) ||
                 (launchfile_is(record, "env", 2) && strstr(record->fields[2], "${ROOT}") != NULL);
    size_t len = strlen(record->fields[1]) + 1;

    if (launchfile_is(record, "host", 2))
        record_choice(record->fields[1], record->fields[2]);
    if (!leads)
        return;
    if (len > sizeof(leading) - leading_len)
        guest_die("too many variables: ", record->fields[1]);
    memcpy(leading + leading_len, record->fields[1], len);
    leading_len += len;
}

/* A value that the user or the application has chosen does not lead into the image, and stays. */
static bool leads_into_image(const char *entry)
{
    for (const char *name = leading; name < leading + leading_len; name += strlen(name) + 1) {
        size_t len = strlen(name);

        if (strncmp(entry, name, len) == 0 && entry[len] == '=')
            return strstr(entry + len, guest_root) != NULL;
    }
    return false;
}

static bool is_of_launcher(const char *entry)
{
    for (const char *choice = choices; choice < choices + choices_len;
         choice += strlen(choice) + 1) {
        if (strcmp(entry, choice) == 0)
            return true;
    }
    return leads_into_image(entry);
}

static size_t count_of_launcher(char *const envp[])
{
    size_t count = 0;

    for (; envp != NULL && *envp != NULL; envp++)
        count += is_of_launcher(*envp);
    return count;
}

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
    size_t room;
    size_t count = 0;
    char *text;

    if (is_ours(program) || (saved == NULL && count_of_launcher(envp) == 0))
        return result;
    if (saved == NULL)
        saved = "";
    room = count_entries(envp) + 2;
    for (const char *at = saved; *at != '\0'; at++)
        room += *at == ';';
    result.size = room * sizeof(char *) + strlen(saved) + 1;
    result.memory =
        mmap(NULL, result.size, PROT_READ | PROT_WRITE, MAP_PRIVATE | MAP_ANONYMOUS, -1, 0);
    if (result.memory == MAP_FAILED) {
        result.memory = NULL;
        return result;
    }
    result.envp = result.memory;
    for (char *const *entry = envp; *entry != NULL; entry++) {
        if (!is_of_launcher(*entry))
            result.envp[count++] = *entry;
    }
    text = (char *)(result.envp + room);
    while (*saved != '\0') {
        char *entry = text;

        saved = decode(saved, &text);
        if (!is_set(result.envp, entry)) /* the mapping's zeros end it */
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
    libc.execve = (exec_function *)guest_next("execve");
    libc.execvpe = (exec_function *)guest_next("execvpe");
    libc.posix_spawn = (spawn_function *)guest_next("posix_spawn");
    libc.posix_spawnp = (spawn_function *)guest_next("posix_spawnp");
}

/*
 * What starts itself again. A gem's executable by $0 (Unicorn's new master) is a script, and needs
 * an `env` that not every root has; a program by /proc/self/exe (node's process.execPath) is the
 * loader's copy. The trampoline of the same name is what was meant.
 */
static const char *trampoline_of(char ret[GUEST_PATH_MAX], const char *program)
{
    static const char *const dirs[] = {FORMAT_DIR "/exe/", FORMAT_DIR "/ld/"};
    static const char programs[] = FORMAT_DIR "/bin/";

    for (size_t i = 0; is_ours(program) && i < sizeof(dirs) / sizeof(dirs[0]); i++) {
        size_t len = guest_root_len + 1 + strlen(dirs[i]);
        size_t start = guest_root_len + 1 + strlen(programs);

        if (strncmp(program + guest_root_len + 1, dirs[i], strlen(dirs[i])) != 0 ||
            start + strlen(program + len) >= GUEST_PATH_MAX || !guest_path(ret, programs))
            continue;
        memcpy(ret + start, program + len, strlen(program + len) + 1);
        return ret;
    }
    return program;
}

static int exec_with(exec_function *next, const char *given, char *const argv[], char *const envp[])
{
    char inside[GUEST_PATH_MAX];
    char trampoline[GUEST_PATH_MAX];
    const char *program = trampoline_of(trampoline, given);
    struct restored restored = restore(program, envp);
    int result = next(program, argv, restored.envp);

    forget(&restored);
    return fallback_path(inside, program) ? next(inside, argv, envp) : result;
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

/* The words of a variadic call, the first of them and the NULL included, on the caller's stack. */
#define COLLECT_WORDS(argv, first, list)                                                           \
    do {                                                                                           \
        va_list counted;                                                                           \
        size_t count = 1;                                                                          \
                                                                                                   \
        va_copy(counted, list);                                                                    \
        while (va_arg(counted, char *) != NULL)                                                    \
            count++;                                                                               \
        va_end(counted);                                                                           \
        (argv) = __builtin_alloca((count + 1) * sizeof(*(argv)));                                  \
        (argv)[0] = (char *)(first);                                                               \
        for (size_t i = 1; i <= count; i++)                                                        \
            (argv)[i] = va_arg(list, char *);                                                      \
    } while (0)

static int exec_list(exec_function *next, const char *program, const char *first, va_list list)
{
    char **argv;

    COLLECT_WORDS(argv, first, list);
    return exec_with(next, program, argv, environ);
}

/* Ruby's way to a shell: system("...") with anything that needs one. */
GUEST_EXPORT int execl(const char *program, const char *first, ...)
{
    va_list list;
    int result;

    va_start(list, first);
    result = exec_list(libc.execve, program, first, list);
    va_end(list);
    return result;
}

GUEST_EXPORT int execlp(const char *program, const char *first, ...)
{
    va_list list;
    int result;

    va_start(list, first);
    result = exec_list(libc.execvpe, program, first, list);
    va_end(list);
    return result;
}

GUEST_EXPORT int execle(const char *program, const char *first, ...)
{
    char **argv;
    char *const *envp;
    va_list list;

    va_start(list, first);
    COLLECT_WORDS(argv, first, list);
    envp = va_arg(list, char *const *);
    va_end(list);
    return exec_with(libc.execve, program, argv, envp);
}

static int spawn_with(spawn_function *next, pid_t *pid, const char *given,
                      const posix_spawn_file_actions_t *actions,
                      const posix_spawnattr_t *attributes, char *const argv[], char *const envp[])
{
    char inside[GUEST_PATH_MAX];
    char trampoline[GUEST_PATH_MAX];
    const char *program = trampoline_of(trampoline, given);
    struct restored restored = restore(program, envp);
    int result = next(pid, program, actions, attributes, argv, restored.envp);
    int kept = errno;

    forget(&restored);
    errno = result; /* posix_spawn(3) returns it */
    if (fallback_path(inside, program))
        result = next(pid, inside, actions, attributes, argv, envp);
    errno = kept;
    return result;
}

bool exec_restores(char *const envp[])
{
    return find_saved(envp) != NULL || count_of_launcher(envp) > 0;
}

int exec_spawn(pid_t *pid, const char *program, const posix_spawn_file_actions_t *actions,
               const posix_spawnattr_t *attributes, char *const argv[], char *const envp[])
{
    return spawn_with(libc.posix_spawn, pid, program, actions, attributes, argv, envp);
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
