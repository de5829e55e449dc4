/* SPDX-License-Identifier: MIT */
#include "bundler/probe.h"

#include <fcntl.h>
#include <stdlib.h>
#include <string.h>
#include <sys/mman.h>
#include <sys/stat.h>
#include <unistd.h>

#include "bundler/asset.h"
#include "bundler/jdoc.h"
#include "bundler/tempdir.h"
#include "common/cleanup.h"
#include "common/err.h"
#include "common/fs.h"
#include "common/proc.h"
#include "common/text.h"
#include "common/unfinished.h"
#include "common/xalloc.h"

enum { ANSWER_MAX = 64 << 20, OUTPUT_MAX = 1 << 20 };

extern char **environ;

/*
 * The script has a name only until Ruby has loaded it, and the answer none: a build that is killed
 * leaves nothing. Ruby opens the answer through our /proc/PID/fd.
 */
struct scratch {
    char *dir;
    char *script;
    int answer;
};

static void scratch_release(struct scratch *scratch)
{
    if (scratch->script != NULL)
        (void)unlink(scratch->script);
    if (scratch->dir != NULL)
        (void)rmdir(scratch->dir);
    unfinished_forget(scratch->script);
    unfinished_forget(scratch->dir);
    cleanup_fd_value(&scratch->answer);
    free(scratch->script);
    free(scratch->dir);
}

static bool scratch_init(struct scratch *scratch, struct err *err)
{
    struct asset front = asset_get(ASSET_STANDALONE);
    struct asset script = asset_get(ASSET_PROBE);
    cleanup_fd int fd = -1;

    if (!tempdir_make(&scratch->dir, err))
        return false;
    unfinished_watch(scratch->dir);
    scratch->script = xasprintf("%s/probe.rb", scratch->dir);
    unfinished_watch(scratch->script);
    scratch->answer = memfd_create("rucksack-answer", MFD_CLOEXEC);
    if (scratch->answer < 0)
        return err_sys(err, "memfd_create");
    fd = open(scratch->script, O_WRONLY | O_CREAT | O_EXCL | O_CLOEXEC, 0600);
    if (fd < 0)
        return err_sys(err, "'%s'", scratch->script);
    return fs_write_all(fd, front.data, front.size, err) &&
           fs_write_all(fd, script.data, script.size, err);
}

/*
 * Inside `bundle exec`, Bundler keeps in BUNDLER_ORIG_* what each variable was: the application
 * that is packed need not be the one whose bundle runs us. See Bundler's
 * lib/bundler/environment_preserver.rb Returns NULL when the variable was not set.
 */
static char *original(const char *assignment)
{
    int len = (int)strcspn(assignment, "=");
    cleanup_free char *key = xasprintf("BUNDLER_ORIG_%.*s", len, assignment);
    const char *value = getenv(key);

    if (value == NULL)
        return xstrdup(assignment);
    return strcmp(value, "BUNDLER_ENVIRONMENT_PRESERVER_INTENTIONALLY_NIL") == 0
               ? NULL
               : xasprintf("%.*s=%s", len, assignment, value);
}

/* Our environment, but with the probe and without what the user's RUBYOPT would load into it. */
static char **probe_environment(const struct scratch *scratch, const struct probe_request *request)
{
    const struct {
        const char *name;
        const char *value;
    } more[] = {
        {"RUCKSACK_SCRIPT", request->script},
        {"RUCKSACK_GEM", request->gem},
        {"RUCKSACK_EXECUTABLE", request->executable},
        {"GEM_HOME", request->gem_home},
        {"GEM_PATH", request->gem_home},
    };
    size_t count = 0;
    size_t used = 0;
    char **envp;

    while (environ[count] != NULL)
        count++;
    envp = xcalloc(count + 3 + sizeof(more) / sizeof(more[0]), sizeof(*envp));
    for (size_t i = 0; i < sizeof(more) / sizeof(more[0]); i++) {
        if (more[i].value != NULL)
            envp[used++] = xasprintf("%s=%s", more[i].name, more[i].value);
    }
    for (size_t i = 0; i < count; i++) {
        if (strncmp(environ[i], "RUBYOPT=", 8) == 0 ||
            (request->gem_home != NULL && strncmp(environ[i], "GEM_", 4) == 0) ||
            strncmp(environ[i], "BUNDLER_ORIG_", 13) == 0)
            continue;
        envp[used] = original(environ[i]);
        used += envp[used] != NULL;
    }
    envp[used++] = xasprintf("RUBYOPT=-r%s", scratch->script);
    envp[used] = xasprintf("RUCKSACK_PROBE=/proc/%ld/fd/%d", (long)getpid(), scratch->answer);
    return envp;
}

static void free_environment(char **envp)
{
    for (size_t i = 0; envp[i] != NULL; i++)
        free(envp[i]);
    free(envp);
}

/* What probe_begin() has started. */
struct probe_run {
    struct scratch scratch;
    struct proc_run *process;
    char *dir;
    const char *program;
};

static void run_free(struct probe_run *run)
{
    scratch_release(&run->scratch);
    free(run->dir);
    free(run);
}

static bool start_ruby(struct probe_run *run, const struct probe_request *wanted, struct err *err)
{
    static const char *const bundle[] = {"bundle", NULL};
    static const char *const ruby[] = {"ruby", "-e", "", NULL};
    bool is_bundle = wanted->script == NULL && wanted->gem == NULL;
    char **envp = probe_environment(&run->scratch, wanted);
    struct proc_request request = {.argv = is_bundle ? bundle : ruby,
                                   .envp = (const char *const *)envp,
                                   .cwd = wanted->dir,
                                   .output_max_bytes = OUTPUT_MAX};

    run->process = proc_start(&request, err);
    free_environment(envp);
    run->program = request.argv[0];
    if (run->process != NULL)
        return true;
    if (!is_bundle) {
        (void)err_id(err, "E-RUBY");
        return err_hint(err, "install Ruby, or put it on PATH");
    }
    (void)err_id(err, "E-NO-BUNDLE");
    return err_hint(err, "install Bundler for the Ruby of this app: gem install bundler");
}

static bool wait_for_ruby(struct probe_run *run, struct err *err)
{
    struct proc_output output = {0};
    bool ok;

    if (!proc_finish(run->process, &output, err)) {
        (void)err_id(err, "E-NO-BUNDLE");
        return err_hint(err, "see what 'bundle check' says in '%s'", run->dir);
    }
    ok = output.exit_code == 0;
    if (!ok) {
        (void)err_set(err, ERR_INPUT, "'%s' failed with code %d: %.600s", run->program,
                      output.exit_code, text_last_lines(output.errors, 1));
        (void)err_id(err, "E-GEMFILE");
        (void)err_hint(err, "see what 'bundle check' says in '%s'", run->dir);
    }
    proc_output_release(&output);
    return ok;
}

static bool take_answer(struct probe *probe, const char *text, size_t size, struct err *err)
{
    const struct jdoc *problem;
    const char *message;

    probe->answer = jdoc_parse(text, size, err);
    if (probe->answer == NULL)
        return err_wrap(err, "the answer of 'bundle'");
    problem = jdoc_member(probe->answer, "error");
    if (problem == NULL)
        return true;
    message = jdoc_text_or(problem, "message", "");
    (void)err_set(err, ERR_INPUT, "%s",
                  message[0] != '\0' ? message : "it failed, and says no reason");
    (void)err_id(err, jdoc_text_or(problem, "id", "E-GEMFILE"));
    return err_hint(err, "%s", jdoc_text_or(problem, "hint", "see what 'bundle check' says"));
}

static bool read_answer(struct probe *probe, const struct scratch *scratch, struct err *err)
{
    cleanup_free char *path = xasprintf("/proc/self/fd/%d", scratch->answer);
    cleanup_free char *text = NULL;
    size_t size;

    if (!fs_read_file(path, ANSWER_MAX, &text, &size, err))
        return err_wrap(err, "the answer of 'bundle'");
    if (size == 0) {
        (void)err_set(err, ERR_INPUT, "'bundle' started no Ruby");
        (void)err_id(err, "E-NO-BUNDLE");
        return err_hint(err, "see what 'command -v bundle' names; it must be Bundler's");
    }
    return take_answer(probe, text, size, err);
}

static bool read_ruby(struct probe *probe, struct err *err)
{
    const struct jdoc *answer = jdoc_member(probe->answer, "ruby");
    const struct jdoc *bundler = jdoc_member(probe->answer, "bundler");
    struct probe_ruby *ruby = &probe->ruby;
    const struct {
        const char *key;
        const char **field;
    } texts[] = {
        {"version", &ruby->version},
        {"platform", &ruby->platform},
        {"program", &ruby->program},
        {"elf", &ruby->elf},
        {"api", &ruby->api},
        {"prefix", &ruby->prefix},
        {"stdlib", &ruby->stdlib},
        {"archlib", &ruby->archlib},
        {"sitelib", &ruby->sitelib},
        {"rubygems", &ruby->rubygems},
        {"default_specs", &ruby->default_specs},
        {"default_index", &ruby->default_index},
        {"gem_platform", &ruby->gem_platform},
        {"extension_api", &ruby->extension_api},
    };

    for (size_t i = 0; i < sizeof(texts) / sizeof(texts[0]); i++) {
        *texts[i].field = jdoc_text(answer, texts[i].key);
        if (*texts[i].field == NULL)
            return err_set(err, ERR_INPUT, "the Ruby of 'bundle' does not say its '%s'",
                           texts[i].key);
    }
    ruby->libruby = jdoc_text(answer, "libruby");
    probe->gemfile = jdoc_text_or(probe->answer, "gemfile", "/Gemfile");
    probe->bundler_version = jdoc_text_or(bundler, "version", "");
    probe->bundler_lib = jdoc_text_or(bundler, "lib", "");
    if (strcmp(jdoc_text_or(answer, "engine", ""), "ruby") == 0)
        return true;
    (void)err_set(err, ERR_INPUT, "'%s' is %s; only MRI can be packed", ruby->program,
                  jdoc_text_or(answer, "engine", "unknown"));
    return err_id(err, "E-RUBY");
}

static bool is_component(const char *name)
{
    return name != NULL && name[0] != '\0' && strchr(name, '/') == NULL && strcmp(name, ".") != 0 &&
           strcmp(name, "..") != 0;
}

static bool read_gem(struct probe_gem *gem, const struct jdoc *answer, struct err *err)
{
    *gem = (struct probe_gem){
        .name = jdoc_text(answer, "name"),
        .version = jdoc_text(answer, "version"),
        .platform = jdoc_text_or(answer, "platform", "ruby"),
        .full_name = jdoc_text(answer, "full_name"),
        .dir = jdoc_text(answer, "dir"),
        .extension_dir = jdoc_text(answer, "extension_dir"),
        .bindir = jdoc_text_or(answer, "bindir", "bin"),
        .gemspec = jdoc_text(answer, "gemspec"),
        .executables = jdoc_member(answer, "executables"),
        .require_paths = jdoc_member(answer, "require_paths"),
        .licenses = jdoc_member(answer, "licenses"),
        .files = jdoc_member(answer, "files"),
        .is_default = jdoc_bool(answer, "default"),
    };
    if (!is_component(gem->name) || !is_component(gem->full_name) || gem->version == NULL ||
        gem->dir == NULL || gem->gemspec == NULL)
        return err_set(err, ERR_INPUT, "gem '%s': incomplete specification",
                       gem->name != NULL ? gem->name : "?");
    for (size_t i = 0; i < jdoc_count(gem->executables); i++) {
        if (!is_component(jdoc_text_at(gem->executables, i)))
            return err_set(err, ERR_INPUT, "gem '%s': bad executable name", gem->name);
    }
    return true;
}

static int by_full_name(const void *a, const void *b)
{
    return strcmp(((const struct probe_gem *)a)->full_name,
                  ((const struct probe_gem *)b)->full_name);
}

static bool read_gems(struct probe *probe, struct err *err)
{
    const struct jdoc *list = jdoc_member(probe->answer, "gems");

    probe->gem_count = jdoc_count(list);
    probe->gems = xcalloc(probe->gem_count, sizeof(*probe->gems));
    for (size_t i = 0; i < probe->gem_count; i++) {
        if (!read_gem(&probe->gems[i], jdoc_at(list, i), err))
            return false;
        probe->gems[i].rank = i;
    }
    qsort(probe->gems, probe->gem_count, sizeof(*probe->gems), by_full_name);
    return true;
}

static void read_databases(struct probe *probe)
{
    const struct jdoc *list = jdoc_member(probe->answer, "databases");

    probe->databases = xcalloc(jdoc_count(list), sizeof(*probe->databases));
    for (size_t i = 0; i < jdoc_count(list); i++) {
        const char *path = jdoc_text_at(list, i);

        if (path != NULL)
            probe->databases[probe->database_count++] = path;
    }
}

const struct probe_gem *probe_find_gem(const struct probe *probe, const char *name)
{
    for (size_t i = 0; i < probe->gem_count; i++)
        if (strcmp(probe->gems[i].name, name) == 0)
            return &probe->gems[i];
    return NULL;
}

/* The rest of what has an answer; nothing is left of one that is not understood. */
static bool understand(struct probe *probe, bool has_answer, struct err *err)
{
    if (!has_answer || !read_ruby(probe, err) || !read_gems(probe, err)) {
        probe_release(probe);
        return false;
    }
    read_databases(probe);
    return true;
}

bool probe_begin(struct probe_run **ret, const struct probe_request *request, struct err *err)
{
    struct probe_run *run = xcalloc(1, sizeof(*run));

    run->scratch.answer = -1;
    run->dir = xstrdup(request->dir);
    if (!scratch_init(&run->scratch, err) || !start_ruby(run, request, err)) {
        run_free(run);
        return false;
    }
    *ret = run;
    return true;
}

bool probe_end(struct probe_run *run, struct probe *ret, struct err *err)
{
    bool ok;

    *ret = (struct probe){0};
    ok = wait_for_ruby(run, err) && read_answer(ret, &run->scratch, err);
    run_free(run);
    return understand(ret, ok, err);
}

bool probe_ask(struct probe *ret, const struct probe_request *request, struct err *err)
{
    struct probe_run *run = NULL;

    *ret = (struct probe){0};
    return probe_begin(&run, request, err) && probe_end(run, ret, err);
}

bool probe_read(struct probe *ret, const char *text, struct err *err)
{
    *ret = (struct probe){0};
    return understand(ret, take_answer(ret, text, strlen(text), err), err);
}

void probe_release(struct probe *probe)
{
    jdoc_free(probe->answer);
    free(probe->gems);
    free(probe->databases);
    *probe = (struct probe){0};
}
