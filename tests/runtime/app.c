/* SPDX-License-Identifier: MIT */
/*
 * The AppRun of the suite's image: does what its first argument says and tells what it sees.
 * Static, so that it runs in an empty root.
 */
#include <dirent.h>
#include <errno.h>
#include <fcntl.h>
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/resource.h>
#include <sys/socket.h>
#include <sys/stat.h>
#include <time.h>
#include <unistd.h>

extern char **environ;

static int arguments;
static char **words;

static const char *word(int index)
{
    return index < arguments ? words[index] : "";
}

static const char *variable(const char *name)
{
    const char *value = getenv(name);

    return value != NULL ? value : "(unset)";
}

static void pause_ms(long ms)
{
    struct timespec time = {.tv_sec = ms / 1000, .tv_nsec = ms % 1000 * 1000000};

    (void)nanosleep(&time, NULL);
}

/* APPDIR/name, for as long as the process lives. */
static char *image_path(const char *name)
{
    char *path = NULL;

    return asprintf(&path, "%s/%s", variable("APPDIR"), name) < 0 ? NULL : path;
}

static int show_start(void)
{
    return printf("%s|%s|%s|%s|%d|%s\n", variable("APPDIR"), variable("OWD"), variable("APPIMAGE"),
                  variable("ARGV0"), arguments, word(2)) < 0;
}

/* print NAME...: the variables' values, one a line */
static int show_variables(void)
{
    for (int i = 2; i < arguments; i++)
        printf("%s\n", variable(words[i]));
    return 0;
}

static int show_environment(void)
{
    for (char **entry = environ; *entry != NULL; entry++)
        printf("%s\n", *entry);
    return 0;
}

/* The length of a name that may be too long to print. */
static int show_arguments(void)
{
    printf("argv0:%zu\n", arguments > 0 ? strlen(words[0]) : 0);
    for (int i = 1; i < arguments; i++)
        printf("%s\n", words[i]);
    return 0;
}

/* Every open descriptor and where it leads. */
static int show_descriptors(void)
{
    DIR *dir = opendir("/proc/self/fd");
    const struct dirent *entry;

    while (dir != NULL && (entry = readdir(dir)) != NULL) {
        char target[512] = "";
        ssize_t length = readlinkat(dirfd(dir), entry->d_name, target, sizeof(target) - 1);

        if (length > 0 && strtol(entry->d_name, NULL, 10) != dirfd(dir))
            printf("%s:%s\n", entry->d_name, target);
    }
    return 0;
}

static int end_by_signal(void)
{
    struct rlimit none = {0, 0};
    int number = (int)strtol(word(2), NULL, 10);
    sigset_t all;

    (void)setrlimit(RLIMIT_CORE, &none);
    (void)signal(number, SIG_DFL);
    (void)sigfillset(&all);
    (void)sigprocmask(SIG_UNBLOCK, &all, NULL);
    (void)raise(number);
    return 1;
}

static int end_by_exit(void)
{
    return (int)strtol(word(2), NULL, 10);
}

/* Says its process id once it runs, and stays until killed. */
static int hold(void)
{
    printf("%d\n", (int)getpid());
    (void)fflush(stdout);
    while (pause() < 0)
        continue;
    return 0;
}

static int stay(void)
{
    printf("%d\n", (int)getpid());
    (void)fflush(stdout);
    pause_ms((long)(strtod(word(2), NULL) * 1000));
    return 0;
}

/* Until a signal that is caught; proves that it arrives. */
static void on_signal(int number)
{
    static const char text[] = "caught\n";

    (void)number;
    if (write(STDOUT_FILENO, text, sizeof(text) - 1) > 0)
        _exit(42);
    _exit(43);
}

static int trap(void)
{
    (void)signal((int)strtol(word(2), NULL, 10), on_signal);
    return hold();
}

static int image_readable(const char *path)
{
    char text[16] = "";
    int fd = open(path, O_RDONLY | O_CLOEXEC);
    ssize_t got = fd >= 0 ? read(fd, text, sizeof(text) - 1) : -1;

    if (fd >= 0)
        (void)close(fd);
    return got == 7 && strcmp(text, "a file\n") == 0;
}

static void leave_all(void)
{
    (void)setsid();
    (void)signal(SIGHUP, SIG_IGN);
    for (int fd = 0; fd < 1024; fd++)
        (void)close(fd);
}

/*
 * daemon STOP [cwd|exe]: a background process without any descriptor that reads a file of the image
 * again and again until STOP appears, and leaves STOP.good or STOP.bad. It keeps the image by its
 * program; with "cwd" by its directory only.
 */
static int daemonize(void)
{
    char *file = image_path("d/file");
    char *result = NULL;
    int good = 1;

    if (file == NULL || fork() != 0)
        return file == NULL;
    leave_all();
    if (strcmp(word(3), "cwd") == 0 && chdir(image_path("d")) != 0)
        return 1;
    while (access(word(2), F_OK) != 0) {
        good = good && image_readable(file);
        pause_ms(10);
    }
    good = good && image_readable(file);
    if (asprintf(&result, "%s.%s", word(2), good ? "good" : "bad") < 0)
        return 1;
    return open(result, O_WRONLY | O_CREAT, 0600) < 0;
}

static int cat(int fd)
{
    char bytes[4096];
    ssize_t got;

    while ((got = read(fd, bytes, sizeof(bytes))) > 0)
        if (fwrite(bytes, 1, (size_t)got, stdout) != (size_t)got)
            return 1;
    return got < 0;
}

/* read NAME: a file of the image */
static int read_image(void)
{
    const char *path = image_path(word(2));
    int fd = path != NULL ? open(path, O_RDONLY) : -1;

    return fd < 0 || cat(fd);
}

/* accept FD: is it a listening socket? */
static int check_listener(void)
{
    int listens = 0;
    socklen_t size = sizeof(listens);
    int fd = (int)strtol(word(2), NULL, 10);

    if (getsockopt(fd, SOL_SOCKET, SO_ACCEPTCONN, &listens, &size) != 0)
        return 1;
    printf("%s %s %d %s\n", variable("LISTEN_FDS"),
           strtol(variable("LISTEN_PID"), NULL, 10) == getpid() ? "self" : "other", listens,
           variable("NOTIFY_SOCKET"));
    return 0;
}

/* again PROGRAM ARG...: executes it in place */
static int execute(void)
{
    (void)execv(word(2), words + 2);
    perror(word(2));
    return 1;
}

/* lines N: so many, without end for 0 */
static int write_lines(void)
{
    long count = strtol(word(2), NULL, 10);

    for (long i = 0; count == 0 || i < count; i++)
        if (puts("line") < 0)
            return 1;
    return 0;
}

static const struct {
    const char *name;
    int (*run)(void);
} verbs[] = {
    {"start", show_start},
    {"print", show_variables},
    {"env", show_environment},
    {"args", show_arguments},
    {"fds", show_descriptors},
    {"signal", end_by_signal},
    {"exit", end_by_exit},
    {"hold", hold},
    {"sleep", stay},
    {"trap", trap},
    {"daemon", daemonize},
    {"read", read_image},
    {"accept", check_listener},
    {"again", execute},
    {"lines", write_lines},
};

int main(int argc, char **argv)
{
    arguments = argc;
    words = argv;
    for (size_t i = 0; i < sizeof(verbs) / sizeof(verbs[0]); i++)
        if (strcmp(word(1), verbs[i].name) == 0)
            return verbs[i].run();
    (void)fprintf(stderr, "app: unknown verb '%s'\n", word(1));
    return 2;
}
