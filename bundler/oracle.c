/* SPDX-License-Identifier: MIT */
#include "bundler/oracle.h"

#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <sys/xattr.h>
#include <unistd.h>

#include "bundler/loader.h"
#include "bundler/names.h"
#include "bundler/process.h"
#include "common/cleanup.h"
#include "common/err.h"
#include "common/proc.h"
#include "common/xalloc.h"

enum { OUTPUT_MAX = 4 << 20, TIMEOUT_MS = 10000, SIGNALED = 128, WORDS_MAX = 10 };

struct trace {
    struct names paths;   /* in order, without the file itself */
    struct names missing; /* in order */
    int exit_code;
    char *complaint;  /* the first line of stderr */
    bool is_unlinked; /* musl: it went on to relocate, and symbols are missing */
};

static void trace_release(struct trace *trace)
{
    names_release(&trace->paths);
    names_release(&trace->missing);
    free(trace->complaint);
}

/* NULL: it may be given to a loader. */
static const char *why_not(const char *path)
{
    struct stat st;

    if (stat(path, &st) != 0)
        return "it is gone";
    if (st.st_uid != 0 && st.st_uid != getuid())
        return "it belongs to another user";
    if ((st.st_mode & (S_ISUID | S_ISGID)) != 0)
        return "it runs with the rights of another user";
    if (getxattr(path, "security.capability", NULL, 0) >= 0)
        return "it has capabilities";
    return NULL;
}

/* glibc: "NAME => PATH (0x1234)", "PATH (0x1234)", "NAME => not found". */
static void take_line(struct trace *trace, const struct loader *loader, char *line)
{
    char *arrow = strstr(line, " => ");
    char *path = arrow == NULL ? line : arrow + 4;
    char *address = NULL;

    if (strncmp(line, "linux-vdso", 10) == 0 || strncmp(line, "linux-gate", 10) == 0)
        return;
    if (arrow != NULL && strcmp(path, "not found") == 0) {
        names_add(&trace->missing, xstrndup(line, (size_t)(arrow - line)));
        return;
    }
    for (char *at = path; (at = strstr(at, " (0x")) != NULL; at++)
        address = at;
    if (address == NULL || (loader->is_musl && arrow == NULL))
        return; /* "statically linked"; musl names itself first */
    *address = '\0';
    if (!loader->is_musl || !names_have(&trace->paths, path))
        names_add(&trace->paths, xstrdup(path));
}

/* musl: "Error loading shared library NAME: No such file ... (needed by PATH)", "Error relocating
 * PATH: SYMBOL: symbol not found" */
static void take_musl_error(struct trace *trace, const char *line)
{
    static const char start[] = "Error loading shared library ";
    const char *end = strstr(line, ": No such file or directory");

    if (end == NULL)
        end = strstr(line, ": Symbolic link loop");
    /* Before it relocates anything it has listed everything. An extension lacks Ruby's symbols. */
    trace->is_unlinked |= strncmp(line, "Error relocating ", strlen("Error relocating ")) == 0;
    if (strncmp(line, start, strlen(start)) == 0 && end != NULL)
        names_add(&trace->missing,
                  xstrndup(line + strlen(start), (size_t)(end - line) - strlen(start)));
}

static void each_line(char *text, struct trace *trace, const struct loader *loader, bool is_errors)
{
    for (char *line = text; *line != '\0';) {
        char *end = strchr(line, '\n');

        if (end != NULL)
            *end = '\0';
        if (is_errors)
            take_musl_error(trace, line);
        else
            take_line(trace, loader, line + strspn(line, "\t"));
        if (end == NULL)
            return;
        line = end + 1;
    }
}

/* "ld.so [OPTION...] FILE", of which musl's has two. */
static void fill_words(const char **words, const struct loader *loader,
                       const struct search_mode *mode, const char *path)
{
    size_t count = 0;

    words[count++] = loader->path;
    if (loader->is_musl)
        words[count++] = "--list";
    else if (mode->no_cache)
        words[count++] = "--inhibit-cache";
    if (mode->library_path != NULL) {
        words[count++] = "--library-path";
        words[count++] = mode->library_path;
    }
    if (mode->hwcaps_mask != NULL && !loader->is_musl) {
        words[count++] = "--glibc-hwcaps-mask";
        words[count++] = mode->hwcaps_mask;
    }
    words[count++] = path;
    words[count] = NULL;
}

static bool run_trace(struct trace *trace, const struct loader *loader,
                      const struct search_mode *mode, const char *path, struct err *err)
{
    const char *words[WORDS_MAX];
    const char *const envp[] = {loader->is_musl ? NULL : "LD_TRACE_LOADED_OBJECTS=1", NULL};
    cleanup_with(proc_output_release) struct proc_output output = {0};

    fill_words(words, loader, mode, path);
    if (!proc_capture(&(struct proc_request){.argv = words,
                                             .envp = envp,
                                             .output_max_bytes = OUTPUT_MAX,
                                             .timeout_ms = TIMEOUT_MS},
                      &output, err))
        return false;
    trace->exit_code = output.timed_out ? SIGNALED : output.exit_code;
    trace->complaint = xstrndup(output.errors, strcspn(output.errors, "\n"));
    each_line(output.out, trace, loader, false);
    if (loader->is_musl)
        each_line(output.errors, trace, loader, true);
    return true;
}

static void list_maps(struct names *ret, const struct process *process)
{
    for (size_t i = 1; i < process->order_count; i++)
        names_add(ret, xstrdup(process->maps[process->order[i]].path));
}

static void list_missing(struct names *ret, const struct process *process)
{
    for (size_t i = 0; i < process->missing_count; i++)
        if (!names_have(ret, process->missing[i].name))
            names_add(ret, xstrdup(process->missing[i].name));
}

/* The first place where two lists part; NULL when they are the same. */
static char *first_difference(const struct names *ours, const struct names *theirs,
                              const char *what)
{
    for (size_t i = 0; i < ours->count || i < theirs->count; i++) {
        const char *our = i < ours->count ? ours->items[i] : "nothing";
        const char *their = i < theirs->count ? theirs->items[i] : "nothing";

        if (strcmp(our, their) != 0)
            return xasprintf("%s %zu: '%s', but the loader has '%s'", what, i + 1, our, their);
    }
    return NULL;
}

static void drop_doubles(struct names *names)
{
    struct names once = {0};

    for (size_t i = 0; i < names->count; i++)
        if (!names_have(&once, names->items[i]))
            names_add(&once, xstrdup(names->items[i]));
    names_release(names);
    *names = once;
}

static enum oracle_answer compare(const struct loader *loader, const struct process *process,
                                  struct trace *trace, char **ret_text)
{
    cleanup_with(names_release) struct names paths = {0};
    cleanup_with(names_release) struct names missing = {0};
    bool has_failed = trace->exit_code != 0 &&
                      !(loader->is_musl && (trace->missing.count > 0 || trace->is_unlinked));

    if (process == NULL || has_failed) {
        if (process == NULL && has_failed)
            return ORACLE_SAME;
        *ret_text =
            xasprintf("%s fails, and %s: %s", has_failed ? "the loader" : "the walk",
                      has_failed ? "the walk does not" : "the loader does not", trace->complaint);
        return ORACLE_DIFFERENT;
    }
    list_maps(&paths, process);
    list_missing(&missing, process);
    drop_doubles(&trace->missing);
    *ret_text = first_difference(&paths, &trace->paths, "object");
    if (*ret_text == NULL)
        *ret_text = first_difference(&missing, &trace->missing, "missing name");
    return *ret_text == NULL ? ORACLE_SAME : ORACLE_DIFFERENT;
}

enum oracle_answer oracle_compare(const struct loader *loader, const struct search_mode *mode,
                                  const char *path, const struct process *process, char **ret_text)
{
    cleanup_with(trace_release) struct trace trace = {0};
    const char *reason = why_not(path);
    struct err err = {0};

    *ret_text = NULL;
    if (reason == NULL)
        reason = why_not(loader->path);
    if (reason == NULL && run_trace(&trace, loader, mode, path, &err) && trace.exit_code < SIGNALED)
        return compare(loader, process, &trace, ret_text);
    *ret_text = xstrdup(reason != NULL       ? reason
                        : err.msg[0] != '\0' ? err.msg
                                             : "the loader crashed");
    return ORACLE_NONE;
}
