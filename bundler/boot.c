/* SPDX-License-Identifier: MIT */
#include "bundler/boot.h"

#include <arpa/inet.h>
#include <ctype.h>
#include <errno.h>
#include <fcntl.h>
#include <poll.h>
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/mman.h>
#include <sys/socket.h>
#include <sys/stat.h>
#include <sys/wait.h>
#include <unistd.h>

#include "bundler/asset.h"
#include "bundler/caller.h"
#include "bundler/cell.h"
#include "bundler/childenv.h"
#include "bundler/extras.h"
#include "bundler/hostfile.h"
#include "bundler/plan.h"
#include "bundler/report.h"
#include "common/cleanup.h"
#include "common/err.h"
#include "common/format.h"
#include "common/fs.h"
#include "common/path.h"
#include "common/proc.h"
#include "common/text.h"
#include "common/words.h"
#include "common/xalloc.h"

enum {
    PORT = 9292,
    PATIENCE_MS = 180 * 1000, /* to the first answer: Rails, traced, on a busy machine */
    PAUSE_MS = 5,
    END_MS = 5 * 1000,  /* from SIGTERM to SIGKILL */
    OUTPUT_MAX = 16000, /* bytes of the app's last words */
    FROM_MAX = 3,       /* lines of a backtrace that are shown */
    ENVIRONMENT_EXTRA = 8,
    NOT_STARTED = 127,
    LINES_MAX = 20,
};

/* What the cell tells the outside; in memory that both share. */
struct outcome {
    enum boot_result result;
    int status;
    int exit_code;
    uint64_t elapsed_us;
    struct err err; /* of the cell */
};

struct attempt {
    const struct boot_request *request;
    int bundle;
    int stub;
    int log;
    char **environment;
    struct outcome *outcome;
};

static bool is_set(const char *assignment)
{
    cleanup_free char *name = xstrndup(assignment, strcspn(assignment, "="));

    return getenv(name) != NULL;
}

static char **make_environment(const struct boot_request *request, int bundle)
{
    /* Names of places that are not in the cell, what would lead the stub elsewhere, and what
     * belongs to who sits here: from what a start opens follows what is packed, and how. */
    static const char *const without[] = {"HOME=",
                                          "TMPDIR=",
                                          "XDG_",
                                          "PORT=",
                                          "RUCKSACK",
                                          "APPIMAGE",
                                          "OWD=",
                                          "APPDIR=",
                                          "TARGET_APPIMAGE",
                                          "STATE_DIRECTORY=",
                                          "LANG",
                                          "LC_",
                                          "TZ=",
                                          NULL};
    size_t more = words_count(request->environment);
    cleanup_free const char **with = xcalloc(more + ENVIRONMENT_EXTRA, sizeof(*with));
    cleanup_free char *port = xasprintf("PORT=%d", PORT);
    cleanup_free char *target = xasprintf("TARGET_APPIMAGE=/proc/self/fd/%d", bundle);
    size_t used = 0;

    for (size_t i = 0; i < more; i++)
        if (!is_set(request->environment[i]))
            with[used++] = request->environment[i];
    with[used++] = "HOME=/tmp";
    with[used++] = "LANG=C.UTF-8";
    with[used++] = "RUCKSACK_STATE=/state";
    with[used++] = port;
    with[used++] = target;
    return childenv_make(without, with);
}

/* The status of an answer, 0 when nobody listens or what answers is no HTTP. */
static int ask(const char *health, uint64_t deadline_us)
{
    cleanup_free char *request = xasprintf("GET %s HTTP/1.0\r\nHost: localhost\r\n\r\n", health);
    struct sockaddr_in address = {
        .sin_family = AF_INET,
        .sin_port = htons(PORT),
        .sin_addr.s_addr = htonl(INADDR_LOOPBACK),
    };
    cleanup_fd int fd = socket(AF_INET, SOCK_STREAM | SOCK_CLOEXEC, 0);
    char answer[16] = "";
    size_t used = 0;
    uint64_t now = proc_clock_us();
    struct timeval limit = {.tv_sec =
                                now < deadline_us ? (long)((deadline_us - now) / 1000000) + 1 : 1};
    int status = 0;

    if (fd < 0 || setsockopt(fd, SOL_SOCKET, SO_RCVTIMEO, &limit, sizeof(limit)) != 0 ||
        connect(fd, (const struct sockaddr *)&address, sizeof(address)) != 0 ||
        send(fd, request, strlen(request), MSG_NOSIGNAL) < 0)
        return 0;
    while (used < sizeof(answer) - 1) {
        ssize_t got = recv(fd, answer + used, sizeof(answer) - 1 - used, 0);

        if (got <= 0)
            break;
        used += (size_t)got;
    }
    if (strncmp(answer, "HTTP/1.", 7) == 0 && isdigit((unsigned char)answer[7]))
        status = (int)strtol(answer + 8, NULL, 10);
    return status;
}

[[gnu::noreturn]] static void become_app(const struct attempt *attempt)
{
    const char *const *arguments = attempt->request->arguments;
    size_t count = words_count(arguments);
    const char **argv = xcalloc(count + 2, sizeof(*argv));
    int null = open("/dev/null", O_RDONLY | O_CLOEXEC);

    argv[0] = attempt->request->name;
    for (size_t i = 0; i < count; i++)
        argv[i + 1] = arguments[i];
    if (null >= 0 && dup2(null, STDIN_FILENO) >= 0 && dup2(attempt->log, STDOUT_FILENO) >= 0 &&
        dup2(attempt->log, STDERR_FILENO) >= 0 && setsid() > 0 && trace_begin())
        (void)fexecve(attempt->stub, (char *const *)(uintptr_t)argv, attempt->environment);
    _exit(NOT_STARTED);
}

/* True once the app has ended. As first process we inherit what others leave: it is reaped too. */
static bool has_ended(pid_t app, int *ret_code)
{
    pid_t pid;
    int status;

    while ((pid = waitpid(-1, &status, WNOHANG)) > 0) {
        if (pid != app)
            continue;
        *ret_code = WIFEXITED(status) ? WEXITSTATUS(status) : 128 + WTERMSIG(status);
        return true;
    }
    return false;
}

/* So that state is closed as in real life. What does not end now ends with this process. */
static void end_app(pid_t app)
{
    uint64_t deadline = proc_clock_us() + END_MS * 1000ULL;
    int code;

    (void)kill(app, SIGTERM);
    while (proc_clock_us() < deadline && !has_ended(app, &code))
        (void)poll(NULL, 0, PAUSE_MS);
}

/* The first process of the cell. */
static void supervise(void *context)
{
    const struct attempt *attempt = context;
    struct outcome *outcome = attempt->outcome;
    bool is_command = attempt->request->arguments != NULL;
    uint64_t begin = proc_clock_us();
    uint64_t deadline = begin + PATIENCE_MS * 1000ULL;
    pid_t app = fork();

    if (app < 0) {
        (void)err_sys(&outcome->err, "cannot start a process");
        return;
    }
    if (app == 0)
        become_app(attempt);
    outcome->result = BOOT_SILENT;
    while (proc_clock_us() < deadline) {
        if (has_ended(app, &outcome->exit_code)) {
            outcome->result = is_command && outcome->exit_code == 0 ? BOOT_DONE : BOOT_ENDED;
            outcome->elapsed_us = proc_clock_us() - begin;
            return;
        }
        outcome->status = is_command ? 0 : ask(attempt->request->health, deadline);
        if (outcome->status != 0) {
            outcome->result = BOOT_ANSWERED;
            outcome->elapsed_us = proc_clock_us() - begin;
            break;
        }
        (void)poll(NULL, 0, PAUSE_MS);
    }
    end_app(app);
}

/* The process that trace_run() watches. */
static int enter_cell(void *context)
{
    struct attempt *attempt = context;

    return cell_run(supervise, attempt, &attempt->outcome->err) ? 0 : 1;
}

/* The end of what the app said, from a whole line on. */
static char *last_words(int log)
{
    struct stat st;
    char text[OUTPUT_MAX + 1];
    off_t from;
    ssize_t got;
    const char *start = text;

    if (fstat(log, &st) != 0)
        return xstrdup("");
    from = st.st_size > OUTPUT_MAX ? st.st_size - OUTPUT_MAX : 0;
    got = pread(log, text, OUTPUT_MAX, from);
    text[got > 0 ? got : 0] = '\0';
    if (from > 0 && strchr(text, '\n') != NULL)
        start = strchr(text, '\n') + 1;
    return xstrdup(start);
}

static bool is_launcher(const char *program)
{
    return strcmp(text_base_name(program), "AppRun") == 0;
}

/* The launcher lies at the image's root, and is the first of its programs. */
static char *find_root(const struct trace *trace)
{
    const struct trace_file *first = NULL;

    for (size_t i = 0; i < trace->count; i++) {
        const struct trace_file *file = &trace->files[i];

        if (file->is_executed && file->error == 0 && is_launcher(file->path) &&
            (first == NULL || file->order < first->order))
            first = file;
    }
    return first != NULL ? xstrndup(first->path, strlen(first->path) - strlen("/AppRun")) : NULL;
}

static bool attempt_boot(struct boot *boot, struct attempt *attempt, struct err *err)
{
    const struct outcome *outcome = attempt->outcome;
    struct err why = {0};

    if (!asset_open(ASSET_STUB, &attempt->stub, err))
        return false;
    attempt->log = memfd_create("output", MFD_CLOEXEC);
    if (attempt->log < 0)
        return err_sys(err, "output");
    if (!trace_run(&boot->trace, enter_cell, attempt, &why)) {
        boot->result = BOOT_FORBIDDEN;
        boot->reason = xstrdup(why.msg);
        return true;
    }
    boot->result = outcome->err.msg[0] != '\0' ? BOOT_FORBIDDEN : outcome->result;
    boot->reason = outcome->err.msg[0] != '\0' ? xstrdup(outcome->err.msg) : NULL;
    boot->status = outcome->status;
    boot->may_fail = attempt->request->may_fail;
    boot->is_script = attempt->request->is_script;
    boot->exit_code = outcome->exit_code;
    boot->elapsed_us = outcome->elapsed_us;
    boot->output = last_words(attempt->log);
    boot->root = find_root(&boot->trace);
    return true;
}

/* A descriptor to read from, which the app inherits: the file has no name yet, and no other way
 * leads to it from a root of its own. */
static bool open_bundle(int fd, int *ret, struct err *err)
{
    cleanup_free char *path = xasprintf("/proc/self/fd/%d", fd);

    *ret = open(path, O_RDONLY); /* NOLINT(android-cloexec-open) */
    return *ret >= 0 || err_sys(err, "'%s'", path);
}

static void attempt_release(struct attempt *attempt)
{
    const int fds[] = {attempt->bundle, attempt->stub, attempt->log};

    for (size_t i = 0; i < sizeof(fds) / sizeof(fds[0]); i++)
        if (fds[i] >= 0)
            (void)close(fds[i]);
    childenv_free(attempt->environment);
    (void)munmap(attempt->outcome, sizeof(*attempt->outcome));
}

bool boot_check(struct boot *ret, const struct boot_request *request, struct err *err)
{
    struct attempt attempt = {.request = request, .bundle = -1, .stub = -1, .log = -1};
    struct boot boot = {0};
    bool ok;

    attempt.outcome = mmap(NULL, sizeof(*attempt.outcome), PROT_READ | PROT_WRITE,
                           MAP_SHARED | MAP_ANONYMOUS, -1, 0);
    if (attempt.outcome == MAP_FAILED)
        return err_sys(err, "memory");
    ok = open_bundle(request->fd, &attempt.bundle, err);
    attempt.environment = make_environment(request, attempt.bundle);
    ok = ok && attempt_boot(&boot, &attempt, err);
    attempt_release(&attempt);
    if (ok)
        *ret = boot;
    return ok;
}

void boot_release(struct boot *boot)
{
    trace_release(&boot->trace);
    free(boot->output);
    free(boot->reason);
    free(boot->root);
    *boot = (struct boot){0};
}

/* What is no news: the cell's own, and what the stub and the launcher look for. */
static bool is_expected(const struct trace_file *file)
{
    static const char *const prefixes[] = {"/tmp/", "/state", "/.no/"};

    for (size_t i = 0; i < sizeof(prefixes) / sizeof(prefixes[0]); i++)
        if (strncmp(file->path, prefixes[i], strlen(prefixes[i])) == 0)
            return true;
    return hostfile_is_expected(file->path) || is_launcher(file->program);
}

static bool leads_inside(const struct extras_pairs *inside, const char *path)
{
    for (size_t i = 0; i < inside->count; i++)
        if (path_lies_in(path, inside->items[i].name))
            return true;
    return false;
}

/* What an attempt by some program was: the trace has one for each program. */
static bool is_missed(const struct trace *trace, size_t at, bool is_executed)
{
    const struct trace_file *file = &trace->files[at];

    if (file->error != ENOENT || file->is_executed != is_executed || is_expected(file))
        return false;
    for (size_t i = at; i-- > 0 && strcmp(trace->files[i].path, file->path) == 0;)
        if (trace->files[i].error == ENOENT && trace->files[i].is_executed == is_executed &&
            !is_expected(&trace->files[i]))
            return false;
    return true;
}

/* Programs that were not found, and who asks for them. */
struct missing {
    struct caller *callers;
    bool *is_sought; /* in PATH; else it was executed by a path */
    size_t count;
};

static bool is_listed(const struct missing *missing, const char *name)
{
    for (size_t i = 0; i < missing->count; i++)
        if (strcmp(text_base_name(missing->callers[i].program), text_base_name(name)) == 0)
            return true;
    return false;
}

static void list_program(struct missing *missing, const char *name, bool is_sought)
{
    if (is_listed(missing, name))
        return;
    missing->is_sought =
        xrealloc_array(missing->is_sought, missing->count + 1, sizeof(*missing->is_sought));
    missing->callers =
        xrealloc_array(missing->callers, missing->count + 1, sizeof(*missing->callers));
    missing->is_sought[missing->count] = is_sought;
    missing->callers[missing->count++] = (struct caller){.program = name};
}

static void list_programs(struct missing *missing, const struct trace *trace,
                          const struct extras_pairs *inside)
{
    for (size_t i = 0; i < trace->sought_count; i++)
        if (!trace->sought[i].is_found)
            list_program(missing, trace->sought[i].name, true);
    for (size_t i = 0; i < trace->count; i++)
        if (is_missed(trace, i, true) && !leads_inside(inside, trace->files[i].path))
            list_program(missing, trace->files[i].path, false);
}

static void missing_release(struct missing *missing)
{
    for (size_t i = 0; i < missing->count; i++)
        free(missing->callers[i].where);
    free(missing->is_sought);
    free(missing->callers);
}

static void say_programs(const struct missing *missing, const struct report *report)
{
    for (size_t i = 0; i < missing->count && i < LINES_MAX; i++) {
        const struct caller *caller = &missing->callers[i];
        const char *how = missing->is_sought[i] ? "a program, not in PATH" : "executed, not there";
        cleanup_free char *text =
            caller->where == NULL
                ? xstrdup(how)
                : xasprintf("%s: %s%s", how, caller->is_call ? "" : "named in ", caller->where);

        report_phase(report, "missed", caller->program, text);
    }
}

/* Programs first: without one of them little works. */
static void say_missed(const struct trace *trace, const struct extras_pairs *inside,
                       const struct plan *plan, const struct report *report)
{
    cleanup_with(missing_release) struct missing missing = {0};
    size_t count;

    list_programs(&missing, trace, inside);
    callers_find(missing.callers, missing.count, plan);
    say_programs(&missing, report);
    count = missing.count;
    for (size_t i = 0; i < trace->count; i++) {
        if (!is_missed(trace, i, false) || leads_inside(inside, trace->files[i].path) ||
            count++ >= LINES_MAX)
            continue;
        report_phase(report, "missed", trace->files[i].path, "opened, not there");
    }
    if (count > LINES_MAX) {
        cleanup_free char *more = xasprintf("and %zu more", count - LINES_MAX);

        report_phase(report, "missed", more, NULL);
    }
}

const char *boot_image_path(const struct boot *boot, const struct trace_file *file,
                            const char *path)
{
    const char *root = boot->root;

    return root != NULL && path_lies_in(file->program, root) && !is_launcher(file->program) &&
                   path_lies_in(path, root) && path[strlen(root)] == '/'
               ? path + strlen(root) + 1
               : NULL;
}

/* "gem 'rack'", in whose directory the path of the image lies; NULL: in none. */
static const char *gem_of(const struct plan *plan, const char *path)
{
    static const char gems[] = FORMAT_GEM_DIR "/gems/";
    size_t len = strncmp(path, gems, strlen(gems)) == 0
                     ? strlen(gems) + strcspn(path + strlen(gems), "/")
                     : 0;
    cleanup_free char *dir = xstrndup(path, len);
    const struct plan_entry *entry = len > 0 ? plan_find(plan, dir) : NULL;

    return entry != NULL ? entry->reason : NULL;
}

/* What fails here fails on the server, too, and many a rescue hides it. */
static void say_written(const struct boot *boot, const struct plan *plan,
                        const struct report *report)
{
    const struct trace *trace = &boot->trace;
    size_t count = 0;

    for (size_t i = 0; i < trace->count && count < LINES_MAX; i++) {
        const struct trace_file *file = &trace->files[i];
        const char *inside = boot_image_path(boot, file, file->path);
        const char *gem = inside != NULL ? gem_of(plan, inside) : NULL;
        cleanup_free char *what = NULL;

        if (file->error != EROFS)
            continue;
        what = gem == NULL
                   ? xasprintf("E-WRITE: writes '%s', which is in the image; name it as state",
                               inside != NULL ? inside : file->path)
                   : xasprintf("E-WRITE: writes '%s', which is in the image, in the directory of "
                               "%s; have it write elsewhere",
                               inside, gem);
        report_phase(report, "warning", what, NULL);
        count++;
    }
}

/* Of a backtrace the first lines tell most. */
static void say_output(const struct boot *boot)
{
    const struct report loud = {.quiet = false};
    size_t from = 0;

    for (const char *line = boot->output; *line != '\0';) {
        size_t len = strcspn(line, "\n");
        cleanup_free char *text = xstrndup(line, len);

        from = strncmp(line, "\tfrom ", 6) == 0 ? from + 1 : 0;
        if (from <= FROM_MAX)
            report_phase(&loud, "app", text, NULL);
        line += len + (line[len] == '\n');
    }
}

static void say_success(const struct boot *boot, const struct report *report)
{
    cleanup_free char *what = boot->result == BOOT_DONE
                                  ? xstrdup("runs in an empty root")
                                  : xasprintf("answers %d in an empty root", boot->status);
    cleanup_free char *took = xasprintf("%.1f s", (double)boot->elapsed_us / 1e6);

    report_phase(report, "check", what, took);
}

bool boot_judge(const struct boot *boot, const struct extras_pairs *inside, const struct plan *plan,
                const struct report *report, struct err *err)
{
    cleanup_free char *what = NULL;

    if (boot->result == BOOT_FORBIDDEN) {
        what = xasprintf("not possible here: %s", boot->reason);
        report_phase(report, "check", what, NULL);
        return true;
    }
    if (!report->quiet) { /* to find who asks for a program reads all sources */
        say_missed(&boot->trace, inside, plan, report);
        say_written(boot, plan, report);
    }
    if (boot->result == BOOT_ANSWERED || boot->result == BOOT_DONE) {
        /* It may be meant so, without a database; or a gem did not find what it starts. */
        if (boot->status >= 500 && !report->quiet)
            say_output(boot);
        say_success(boot, report);
        return true;
    }
    if (boot->may_fail) {
        what = xasprintf("--help in an empty root: code %d; try other arguments: --check ARGS",
                         boot->exit_code);
        report_phase(report, "check", what, NULL);
        return true;
    }
    say_output(boot);
    if (boot->result == BOOT_ENDED)
        (void)err_set(err, ERR_INPUT, "started in an empty root, the app ended with code %d",
                      boot->exit_code);
    else
        (void)err_set(err, ERR_INPUT,
                      "started in an empty root, the app did not answer on port %d "
                      "within %d seconds",
                      PORT, PATIENCE_MS / 1000);
    if (boot->is_script)
        (void)err_hint(err, "what it reads beside itself, by names that it computes, is packed by "
                            "--trace CMD; or build without this check: --no-check");
    else
        (void)err_hint(err, "set what it needs in the environment of the build, or build without "
                            "this check: --no-check");
    return err_id(err, "E-CHECK");
}
