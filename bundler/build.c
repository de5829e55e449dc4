/* SPDX-License-Identifier: MIT */
#include "bundler/build.h"

#include <errno.h>
#include <libgen.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <sys/utsname.h>
#include <unistd.h>

#include "bundler/ahead.h"
#include "bundler/answer.h"
#include "bundler/app.h"
#include "bundler/assemble.h"
#include "bundler/asset.h"
#include "bundler/beside.h"
#include "bundler/boot.h"
#include "bundler/closure.h"
#include "bundler/compiled.h"
#include "bundler/extras.h"
#include "bundler/firstrun.h"
#include "bundler/forecast.h"
#include "bundler/gems.h"
#include "bundler/jdoc.h"
#include "bundler/launch.h"
#include "bundler/leftout.h"
#include "bundler/libs.h"
#include "bundler/licenses.h"
#include "bundler/linkage.h"
#include "bundler/loader.h"
#include "bundler/manifest.h"
#include "bundler/outside.h"
#include "bundler/packages.h"
#include "bundler/plan.h"
#include "bundler/probe.h"
#include "bundler/profile.h"
#include "bundler/program.h"
#include "bundler/progress.h"
#include "bundler/provenance.h"
#include "bundler/record.h"
#include "bundler/report.h"
#include "bundler/ruby.h"
#include "bundler/sbom.h"
#include "bundler/secret.h"
#include "bundler/server.h"
#include "bundler/slim.h"
#include "bundler/start.h"
#include "bundler/tempdir.h"
#include "bundler/trace.h"
#include "bundler/witness.h"
#include "common/cleanup.h"
#include "common/err.h"
#include "common/format.h"
#include "common/launchfile.h"
#include "common/proc.h"
#include "common/text.h"
#include "common/words.h"
#include "common/xalloc.h"

/* Above 17 a block of this size takes a third more time, for a fifth of a percent of the bytes. */
enum { LEVEL_RELEASE = 17, LEVEL_FAST = 3, LEVEL_DRAFT = 1 };

/* Everything a build knows, filled phase by phase. */
struct build {
    const struct build_request *request;
    struct report report;
    struct app app;
    struct probe probe;
    bool may_guess;           /* what Ruby and Bundler will say */
    struct probe_run *asking; /* they are asked while probe is what they said last time; or NULL */
    bool is_misled;           /* and they say something else */
    char *question;           /* of the record; NULL: there is none */
    struct trace trace;       /* empty without --trace */
    struct plan plan;
    struct ruby ruby;
    struct gems gems;
    struct extras first_runs; /* what firstrun_plan() says */
    struct programs programs;
    struct libs libs;
    struct linkage linkage;
    struct closure closure;
    struct packages packages;
    struct licenses licenses;
    struct provenance provenance;
    uint32_t mtime; /* of every inode */
    char *output;
    struct witness witness;
    struct record record;
    uint64_t image_began_us;   /* proc_clock_us() */
    struct start start;        /* that the file is made for */
    struct start started;      /* that of the file */
    bool is_guessed;           /* start is that of the last build */
    bool is_mistaken;          /* and the file's is another */
    struct progress *progress; /* of the image that is written, or NULL */
    bool is_learned;           /* a start was watched already, and judged */
    bool is_unchanged;         /* the file of the last build is what this one would write */
    uint64_t size_bytes;       /* of the file */
};

static void build_release(struct build *build)
{
    provenance_release(&build->provenance);
    licenses_release(&build->licenses);
    packages_release(&build->packages);
    closure_release(&build->closure);
    linkage_release(&build->linkage);
    libs_release(&build->libs);
    programs_release(&build->programs);
    extras_release(&build->first_runs);
    gems_release(&build->gems);
    ruby_release(&build->ruby);
    plan_release(&build->plan);
    trace_release(&build->trace);
    probe_release(&build->probe);
    app_release(&build->app);
    start_release(&build->start);
    start_release(&build->started);
    record_release(&build->record);
    witness_release(&build->witness);
    free(build->question);
    free(build->output);
}

static struct plan_origin ours(const char *reason)
{
    return (struct plan_origin){PLAN_PART_RUNTIME, reason};
}

static uint64_t part_bytes(const struct plan *plan, enum plan_part part)
{
    uint64_t bytes = 0;

    for (size_t i = 0; i < plan->count; i++)
        bytes += plan->entries[i]->part == part ? plan->entries[i]->size_bytes : 0;
    return bytes;
}

static void say(const struct build *build, const char *phase, enum plan_part part, char *left)
{
    cleanup_free char *size = report_size(part_bytes(&build->plan, part));

    report_phase(&build->report, phase, left, size);
    free(left);
}

/* A place where no output can be would be noticed only after minutes of work. */
static bool name_output(struct build *build, struct err *err)
{
    struct utsname host;
    struct stat st;
    cleanup_free char *copy = NULL;

    if (uname(&host) != 0)
        return err_sys(err, "uname");
    build->output = build->request->output != NULL
                        ? xstrdup(build->request->output)
                        : xasprintf("%s-%s.AppImage", build->app.name, host.machine);
    copy = xstrdup(build->output);
    if (stat(build->output, &st) == 0 && S_ISDIR(st.st_mode)) {
        (void)err_set(err, ERR_INPUT, "'%s' is a directory", build->output);
        (void)err_id(err, "E-OUTPUT");
        return err_hint(err, "name the file: -o '%.200s/%s.AppImage'", build->output,
                        build->app.name);
    }
    if (access(dirname(copy), W_OK | X_OK) == 0)
        return true;
    (void)err_sys(err, "'%s'", build->output);
    (void)err_id(err, "E-OUTPUT");
    return err_hint(err, err->sys_errno == ENOENT ? "make its directory first"
                                                  : "name another place: -o FILE");
}

/* The Ruby of the configuration comes first on PATH, for all that is started. */
static bool choose_ruby(const struct app *app, struct err *err)
{
    const char *path = getenv("PATH");
    const char *ruby = app->config.ruby;
    cleanup_free char *program = NULL;
    cleanup_free char *joined = NULL;

    if (ruby == NULL)
        return true;
    program = xasprintf("%s/bin/ruby", ruby);
    if (ruby[0] != '/' || access(program, X_OK) != 0) {
        (void)err_set(err, ERR_INPUT, "%s: ruby: there is no '%s'", config_file(&app->config),
                      program);
        (void)err_id(err, "E-RUBY");
        return err_hint(err, "name the directory above bin/ruby");
    }
    joined = xasprintf("%s/bin:%s", ruby, path != NULL ? path : "/usr/bin:/bin");
    return setenv("PATH", joined, 1) == 0 || err_sys(err, "environment");
}

/* What a published gem's newest version is, and what a command opens, no file here tells. Whoever
 * signs means this build. */
static bool is_recorded(const struct build_request *request)
{
    return !request->no_cache && request->trace == NULL && request->app.gem == NULL &&
           request->secret == NULL;
}

static char *join(const char *const *texts, size_t count)
{
    char *joined = xstrdup("");

    for (size_t i = 0; i < count; i++) {
        char *longer = xasprintf("%s%zu:%s", joined, strlen(texts[i]), texts[i]);

        free(joined);
        joined = longer;
    }
    return joined;
}

static void open_record(struct build *build)
{
    const struct build_request *request = build->request;
    cleanup_free char *around = record_surroundings();
    cleanup_free char *keep = join(request->keep, request->keep_count);
    cleanup_free char *revision = provenance_text(&build->provenance);
    cleanup_free char *allowed = join(request->app.allowed.paths, request->app.allowed.count);

    build->question = xasprintf(
        "%s\n%s\n%s\n%s\n%s\n%s\n%s\n%s\n%s\n%d %d %d %d\n%s", keep, allowed,
        revision != NULL ? revision : "", request->update_info != NULL ? request->update_info : "",
        request->app.executable != NULL ? request->app.executable : "", build->app.dir,
        build->app.script != NULL ? build->app.script : "", build->app.name,
        request->check != NULL ? request->check : "", request->fast, request->no_check,
        request->hwcaps, request->slim, around);

    record_open(&build->record, build->question, build->output);
}

static bool guess_answer(struct build *build)
{
    struct err ignored = {0};
    cleanup_free char *text = NULL;

    if (build->question == NULL)
        return false;
    text = answer_recall(build->question, &build->app);
    if (text == NULL || !probe_read(&build->probe, text, &ignored))
        return false;
    record_answer(&build->record, text);
    return true;
}

static bool probe_app(struct build *build, struct err *err)
{
    const struct app *app = &build->app;
    const struct probe_request request = {
        .dir = app->dir,
        .script = app->script,
        .gem = app->source == APP_PUBLISHED_GEM ? app->own_name : NULL,
        .gem_home = app->source == APP_PUBLISHED_GEM ? app->dir : NULL,
        .executable = build->request->app.executable,
    };

    cleanup_free char *answer = NULL;
    struct progress *progress;
    bool ok;

    if (!probe_begin(&build->asking, &request, err))
        return false;
    if (build->may_guess && guess_answer(build))
        return true;
    progress =
        progress_begin(&build->report, "probe", "asking the application's Ruby and Bundler", 0);
    ok = probe_end(steal_ptr(&build->asking), &build->probe, err);
    progress_end(progress);
    if (!ok)
        return false;
    answer = jdoc_format(build->probe.answer);
    record_answer(&build->record, answer);
    if (build->question != NULL && !build->request->dry_run)
        answer_keep(build->question, app, answer);
    return true;
}

/* True when they have said again what all until now was made from. Before anything is written or
 * said to be as it should. */
static bool settle_answer(struct build *build, struct err *err)
{
    cleanup_with(probe_release) struct probe probe = {0};
    cleanup_free char *guessed = NULL;
    cleanup_free char *answer = NULL;

    if (build->asking == NULL)
        return true;
    if (!probe_end(steal_ptr(&build->asking), &probe, err))
        return false;
    guessed = jdoc_format(build->probe.answer);
    answer = jdoc_format(probe.answer);
    build->is_misled = strcmp(guessed, answer) != 0;
    return !build->is_misled || err_set(err, ERR_INPUT, "Bundler answers otherwise than before");
}

/* What a script requires by name and no gem has: maybe on purpose, behind a rescue. */
static void say_unknown(const struct build *build)
{
    const struct jdoc *unknown = jdoc_member(build->probe.answer, "unknown");

    for (size_t i = 0; i < jdoc_count(unknown); i++) {
        cleanup_free char *line = xasprintf("the script requires '%s', which no installed gem has",
                                            jdoc_text_at(unknown, i));

        report_phase(&build->report, "warning", line, NULL);
    }
}

static bool detect(struct build *build, struct err *err)
{
    const struct app_request *request = &build->request->app;
    bool is_named;

    if (!app_detect(&build->app, request, err))
        return false;
    witness_listen(false); /* what the output was says nothing of what it will be */
    is_named = name_output(build, err);
    witness_listen(true);
    if (!is_named)
        return false;
    provenance_find(&build->provenance, build->app.dir);
    if (is_recorded(build->request))
        open_record(build);
    if (!choose_ruby(&build->app, err) || !probe_app(build, err) ||
        !app_complete(&build->app, request, &build->probe, err))
        return false;
    report_phase(&build->report, "detect", build->app.summary, build->app.evidence);
    say_unknown(build);
    for (size_t i = 0; i < build->app.states.count; i++) {
        const struct state *state = &build->app.states.items[i];
        cleanup_free char *line =
            xasprintf("%s -> %s.state/%s", state->path, build->app.name, state->place);

        if (!state->is_held || state->is_led)
            report_phase(&build->report, "state", line, state->reason);
    }
    return true;
}

/* The closure as it is on this machine: what would fail here, too, is no reason to refuse. */
static bool check_closure(struct build *build, struct err *err)
{
    const struct closure_input input = {
        .walk = &build->libs.walk,
        .gems = &build->gems,
        .programs = &build->programs,
        .ruby = &build->ruby,
        .dirs = (const char *const *)build->libs.dirs,
        .dir_count = build->libs.dir_count,
    };

    if (!linkage_check(&build->linkage, &build->libs.walk, err) ||
        !closure_settle(&build->closure, &input, &build->plan, err))
        return false;
    for (size_t i = 0; i < build->programs.warning_count; i++)
        report_phase(&build->report, "warning", build->programs.warnings[i], NULL);
    for (size_t i = 0; i < build->linkage.count; i++)
        report_phase(&build->report, "warning", build->linkage.warnings[i], NULL);
    for (size_t i = 0; i < build->closure.warning_count; i++)
        report_phase(&build->report, "warning", build->closure.warnings[i], NULL);
    return true;
}

/* build --trace: before anything is planned, so that what it writes is packed as it is then. */
static bool record_run(struct build *build, struct err *err)
{
    cleanup_free char *what = NULL;

    if (build->request->trace == NULL)
        return true;
    if (!trace_command(&build->trace, build->request->trace, build->app.dir, err))
        return false;
    what = xasprintf("%zu files, exit code %d", build->trace.count, build->trace.exit_code);
    report_phase(&build->report, "trace", what, NULL);
    return true;
}

static void say_notes(const struct build *build, const struct extras *extras)
{
    for (size_t i = 0; i < extras->notes.count; i++)
        report_phase(&build->report, extras->notes.items[i].name, extras->notes.items[i].value,
                     NULL);
}

/* "tests 1.2 MB, sources 0.3 MB": what gems have and no program needs. */
static void say_left_out(const struct build *build)
{
    const struct leftout *leftout = &build->gems.leftout;
    cleanup_free char *list = xstrdup("");
    cleanup_free char *total = NULL;
    uint64_t bytes = 0;

    for (enum leftout_class class = 0; class < LEFTOUT_COUNT; class ++) {
        cleanup_free char *size = report_size(leftout->bytes[class]);
        cleanup_free char *item = xasprintf("%s %s", leftout_name(class), size);

        if (leftout->files[class] == 0)
            continue;
        text_join(&list, ", ", item);
        bytes += leftout->bytes[class];
    }
    total = report_size(bytes);
    if (list[0] != '\0')
        report_phase(&build->report, "left out", list, total);
}

/* Of the standard library, only what something names. */
static bool slim_down(struct build *build, const struct config_list *const *keep, struct err *err)
{
    const struct slim_request request = {
        .probe = &build->probe,
        .keep = keep,
        .has_bundler = build->app.source == APP_TREE,
        .config = &build->app.config,
    };
    cleanup_free char *what = NULL;
    cleanup_free char *size = NULL;
    cleanup_free char *less = NULL;
    struct slim slim;

    if (!build->app.config.slim && !build->request->slim)
        return true;
    if (!slim_plan(&slim, &request, &build->report, &build->plan, err))
        return false;
    ruby_forget_extensions(&build->ruby, &build->plan);
    build->gems.leftout.files[LEFTOUT_SLIM] = slim.files;
    build->gems.leftout.bytes[LEFTOUT_SLIM] = slim.bytes;
    what = xasprintf("%zu of %zu libraries of Ruby, by their names in sources", slim.kept,
                     slim.libraries);
    size = report_size(slim.bytes);
    less = xasprintf("%s less", size);
    report_phase(&build->report, "slim", what, less);
    return true;
}

static bool collect(struct build *build, struct err *err)
{
    const struct libs_input input = {
        .probe = &build->probe,
        .app_dir = build->app.dir,
        .config = &build->app.config,
        .gems = &build->gems,
        .programs = &build->programs,
        .trace = build->request->trace == NULL ? NULL : &build->trace,
        .has_variants = build->request->hwcaps,
    };
    const struct config_list asked = {
        .items = (char **)(uintptr_t)build->request->keep,
        .count = build->request->keep_count,
    };
    const struct config_list *const keep[] = {&build->app.config.keep, &asked, NULL};
    size_t native = 0;

    if (!ruby_plan(&build->ruby, &build->probe, &build->plan, err))
        return false;
    say(build, "ruby", PLAN_PART_RUBY,
        xasprintf("%s from %s", build->probe.ruby.version, build->probe.ruby.program));
    if (!gems_plan(&build->gems, &build->probe, keep, &build->plan, err) ||
        !firstrun_plan(&build->first_runs, &build->probe, build->app.dir, &build->plan, err))
        return false;
    gems_count_bytes(&build->gems, &build->probe, &build->plan);
    for (size_t i = 0; i < build->probe.gem_count; i++)
        native += build->gems.is_native[i];
    say(build, "gems", PLAN_PART_GEMS,
        xasprintf("%zu (%zu native), without development, test", build->probe.gem_count, native));
    say_left_out(build);
    if (!app_plan(&build->app, &build->probe, &build->report, &build->plan, err) ||
        !beside_plan(&build->app, &build->probe, &build->trace, &build->report, &build->plan,
                     err) ||
        !secret_check(&build->app, &build->probe, &build->plan, &build->report, err) ||
        !slim_down(build, keep, err) ||
        !programs_plan(&build->programs, build->probe.ruby.elf, &build->plan, err) ||
        !libs_plan(&build->libs, &input, &build->ruby, &build->plan, err) ||
        !ruby_trim_library(&build->ruby, &build->plan, err))
        return false;
    say(build, "libs", PLAN_PART_LIBS,
        xasprintf("%zu closed over, 0 unresolved", build->libs.walk.count - build->libs.roots));
    say_notes(build, &build->first_runs);
    say_notes(build, &build->libs.extras);
    if (!check_closure(build, err))
        return false;
    if (build->request->trace != NULL)
        outside_say(&build->trace, build->probe.ruby.elf, build->app.dir, &build->plan,
                    &build->report);
    return true;
}

static void launch_loadpath(struct launch *launch, const struct ruby_loadpath *loadpath)
{
    cleanup_free char *address = xasprintf("%llx", (unsigned long long)loadpath->address);
    cleanup_free char *size = xasprintf("%llu", (unsigned long long)loadpath->size_bytes);

    if (loadpath->is_relative)
        return; /* right by itself */
    launch_add(launch, "loadpath", loadpath->object, address, size, NULL);
    for (size_t i = 0; i < loadpath->dir_count; i++)
        launch_add(launch, "loadpath-old", loadpath->dirs[i], NULL);
    for (size_t i = 0; i < loadpath->image_dir_count; i++)
        launch_add(launch, "loadpath-new", loadpath->image_dirs[i], NULL);
}

static void launch_programs(struct launch *launch, const struct build *build)
{
    const struct ruby *ruby = &build->ruby;
    cleanup_free char *named = xasprintf(FORMAT_DIR "/bin/%s", ruby->comm);

    launch_add(launch, "ruby", ruby->program, NULL);
    launch_add(launch, "program", ruby->program, ruby->elf, ruby->comm, NULL);
    if (ruby->loader != NULL)
        launch_add(launch, "loader", ruby->elf, ruby->loader, NULL);
    launch_add(launch, "program", FORMAT_DIR "/bin/ruby", ruby->elf, "ruby", NULL);
    if (strcmp(ruby->comm, "ruby") != 0)
        launch_add(launch, "program", named, ruby->elf, ruby->comm, NULL);
    for (size_t i = 0; i < build->programs.count; i++)
        launch_add(launch, "program", build->programs.items[i].path, build->programs.items[i].elf,
                   build->programs.items[i].comm, NULL);
    for (size_t i = 0; i < build->gems.script_count; i++)
        launch_add(launch, "script", build->gems.scripts[i].path, build->gems.scripts[i].file,
                   NULL);
}

static void launch_pairs(struct launch *launch, const char *key, const struct extras_pairs *pairs)
{
    for (size_t i = 0; i < pairs->count; i++)
        launch_add(launch, key, pairs->items[i].name, pairs->items[i].value, NULL);
}

static void launch_secret(struct launch *launch, const char *secret)
{
    static_assert(CONFIG_SECRET_NAMES < (int)LAUNCHFILE_FIELDS);
    cleanup_free char *text = xstrdup(secret);
    const char *names[CONFIG_SECRET_NAMES] = {NULL};
    char *rest = text;

    for (size_t i = 0; i < CONFIG_SECRET_NAMES && rest != NULL; i++)
        names[i] = strsep(&rest, "|");
    launch_add(launch, "secret", names[0], names[1], names[2], NULL);
}

/* What a server can do for the service manager that starts it: see bundler/server.h. */
static void launch_servers(struct launch *launch, const struct build *build)
{
    const struct config_pairs *processes = &build->app.config.processes;

    for (size_t i = 0; i < processes->count; i++) {
        const char *name = processes->items[i].name;
        struct server server = server_of(processes->items[i].value, &build->probe);

        if (server.takes_sockets)
            launch_add(launch, "server", name, "activation", NULL);
        if (server.notifies)
            launch_add(launch, "server", name, "notify", NULL);
    }
}

static void launch_app(struct launch *launch, const struct app *app)
{
    const struct config *config = &app->config;

    launch_add(launch, "kind", app_kind_name(app->kind), NULL);
    for (size_t i = 0; i < config->processes.count; i++)
        launch_add(launch, "process", config->processes.items[i].name,
                   config->processes.items[i].value, NULL);
    for (size_t i = 0; i < config->single.count; i++)
        launch_add(launch, "single", config->single.items[i], NULL);
    if (config->health != NULL && !config->any_health)
        launch_add(launch, "health", config->health, NULL);
    if (config->host)
        launch_add(launch, "host", "yes", NULL);
    if (config->release != NULL)
        launch_add(launch, "release", config->release, NULL);
    if (config->console != NULL)
        launch_add(launch, "console", config->console, NULL);
    for (size_t i = 0; i < config->secrets.count; i++)
        launch_secret(launch, config->secrets.items[i]);
    for (size_t i = 0; i < config->env.count; i++)
        launch_add(launch, "env", config->env.items[i].name, config->env.items[i].value, NULL);
    for (size_t i = 0; i < app->states.count; i++) {
        cleanup_free char *dir = state_dir(&app->states.items[i]);

        if (!app->states.items[i].is_held || app->states.items[i].is_led)
            launch_add(launch, "state", state_class_name(app->states.items[i].class), dir, NULL);
    }
}

static bool plan_launch(struct build *build, struct err *err)
{
    struct launch launch;
    bool ok;

    launch_init(&launch);
    launch_add(&launch, "name", build->app.name, NULL);
    if (loader_takes_argv0(build->libs.walk.loader))
        launch_add(&launch, "argv0", "yes", NULL);
    for (size_t i = 0; i < build->libs.dir_count; i++)
        launch_add(&launch, "lib", build->libs.dirs[i], NULL);
    for (size_t i = 0; i < build->closure.dir_count; i++)
        launch_add(&launch, "lib", build->closure.dirs[i], NULL);
    launch_programs(&launch, build);
    launch_app(&launch, &build->app);
    launch_servers(&launch, build);
    launch_pairs(&launch, "env", &build->libs.extras.env);
    launch_pairs(&launch, "fallback", &build->libs.extras.fallbacks);
    launch_pairs(&launch, "host", &build->libs.extras.hosts);
    launch_pairs(&launch, "path", &build->libs.extras.paths);
    launch_add(&launch, "locale", "usr/lib/locale", NULL);
    launch_add(&launch, "gconv", build->libs.gconv_dir, NULL);
    if (!build->app.config.boot.no_names)
        launch_add(&launch, "names", FORMAT_NAMES, NULL);
    launch_loadpath(&launch, &build->ruby.loadpath);
    ok =
        launch_finish(&launch, err) && plan_add_data(&build->plan, FORMAT_LAUNCH, 0644, launch.text,
                                                     launch.size_bytes, ours("launch file"), err);
    launch_release(&launch);
    return ok;
}

/* What makes the file an AppImage for other tools: entry, icon and their conventional names. */
static bool plan_appimage(struct build *build, struct err *err)
{
    struct asset icon = asset_get(ASSET_ICON);
    const char *name = build->app.name;
    cleanup_free char *desktop = xasprintf("%s.desktop", name);
    cleanup_free char *picture = xasprintf("%s.png", name);
    cleanup_free char *text =
        xasprintf("[Desktop Entry]\nType=Application\nName=%s\nExec=%s\nIcon=%s\n"
                  "Categories=Network;\nTerminal=true\nNoDisplay=true\n",
                  name, name, name);

    return plan_add_data(&build->plan, desktop, 0644, text, strlen(text), ours("AppImage"), err) &&
           plan_add_data(&build->plan, picture, 0644, icon.data, icon.size, ours("AppImage"),
                         err) &&
           plan_add_symlink(&build->plan, ".DirIcon", picture, ours("AppImage"), err);
}

/* Only where there is something to keep: it is the largest of the programs that we add. */
static bool plan_keeper(struct build *build, struct err *err)
{
    struct asset keeper = asset_get(ASSET_KEEPER);

    return !states_are_kept(&build->app.states) ||
           plan_add_data(&build->plan, FORMAT_KEEPER, 0755, keeper.data, keeper.size,
                         ours("snapshots"), err);
}

/* As runtime/service/app.c has it: the name is that of a system user (useradd(8)). */
static bool names_service(const char *name)
{
    size_t len = strlen(name);

    return len > 0 && len <= 31 && name[0] >= 'a' && name[0] <= 'z' &&
           strspn(name, "abcdefghijklmnopqrstuvwxyz0123456789_-") == len;
}

/* A command is nothing that runs by itself. */
static bool plan_service(struct build *build, struct err *err)
{
    struct asset service = asset_get(ASSET_SERVICE);
    const char *name = build->app.name;

    if (build->app.kind == APP_COMMAND || build->app.config.no_service)
        return true;
    if (!names_service(name)) {
        cleanup_free char *line =
            xasprintf("'%s' cannot be the name of a service: 'name:' a letter, then a-z, 0-9, '_' "
                      "and '-', at most 31; or 'service: false'",
                      name);

        report_phase(&build->report, "warning", line, NULL);
    }
    return plan_add_data(&build->plan, FORMAT_SERVICE, 0755, service.data, service.size,
                         ours("service"), err);
}

static bool plan_runtime(struct build *build, struct err *err)
{
    struct asset launch = asset_get(ASSET_LAUNCH);
    struct asset guest = asset_get(ASSET_GUEST);
    const char *comm = build->ruby.comm;
    cleanup_free char *named = xasprintf(FORMAT_DIR "/bin/%s", comm);
    struct plan *plan = &build->plan;

    if (!plan_add_data(plan, "AppRun", 0755, launch.data, launch.size, ours("launcher"), err) ||
        !plan_add_data(plan, FORMAT_GUEST, 0644, guest.data, guest.size, ours("preload object"),
                       err) ||
        !plan_add_data(plan, FORMAT_DIR "/bin/ruby", 0755, launch.data, launch.size,
                       ours("trampoline"), err) ||
        !plan_add_data(plan, named, 0755, launch.data, launch.size, ours("trampoline"), err))
        return false;
    if (!libs_plan_loader(&build->libs, comm, plan, err) ||
        !libs_plan_loader(&build->libs, "ruby", plan, err) || /* who starts "ruby" sees that */
        !ruby_plan_loader(&build->ruby, &build->probe, plan, err) ||
        !ruby_plan_short_loadpath(&build->ruby, &build->probe, plan, err))
        return false;
    for (size_t i = 0; i < build->programs.count; i++)
        if (!libs_plan_loader(&build->libs, build->programs.items[i].comm, plan, err))
            return false;
    return plan_keeper(build, err) && plan_service(build, err) && plan_appimage(build, err) &&
           plan_launch(build, err) &&
           (build->app.config.boot.no_names ||
            plan_add_data(plan, FORMAT_NAMES, 0644, "", 0, ours("name table"), err));
}

static bool bad_epoch(const char *given, struct err *err)
{
    (void)err_set(err, ERR_INPUT, "SOURCE_DATE_EPOCH: '%.100s' is no time", given);
    (void)err_id(err, "E-EPOCH");
    return err_hint(err, "unset it, or give seconds since 1970: SOURCE_DATE_EPOCH=$(date +%%s)");
}

/* SOURCE_DATE_EPOCH, or the newest input: https://reproducible-builds.org/specs/source-date-epoch/
 */
static bool find_mtime(const struct plan *plan, uint32_t *ret, struct err *err)
{
    const char *given = getenv("SOURCE_DATE_EPOCH");
    unsigned long long seconds = (unsigned long long)plan->newest;
    char *end = NULL;

    if (given != NULL && given[0] != '\0') {
        errno = 0;
        seconds = strtoull(given, &end, 10);
        if (errno != 0 || *end != '\0' || given[0] == '-' || seconds > UINT32_MAX)
            return bad_epoch(given, err);
    }
    *ret = seconds > UINT32_MAX ? UINT32_MAX : (uint32_t)seconds;
    return true;
}

/* Who made what is packed, and under which licences: what others must know who ship it. */
static bool plan_origins(struct build *build, struct err *err)
{
    cleanup_free char *revision = provenance_text(&build->provenance);
    cleanup_free char *text = NULL;
    struct sbom_input input = {
        .app = &build->app,
        .probe = &build->probe,
        .walk = &build->libs.walk,
        .closure = &build->closure,
        .packages = &build->packages,
        .licenses = &build->licenses,
        .revision = revision,
    };
    const struct licenses_input licenses = {
        .probe = &build->probe,
        .packages = &build->packages,
        .root = "",
        .without_texts = build->app.config.no_licenses,
    };

    packages_find(&build->packages, &build->libs.walk, &build->plan, "");
    if (!licenses_plan(&build->licenses, &licenses, &build->plan, err) ||
        !find_mtime(&build->plan, &build->mtime, err))
        return false;
    input.time = build->mtime;
    text = sbom_text(&input);
    return plan_add_data(&build->plan, FORMAT_SBOM, 0644, text, strlen(text),
                         ours("bill of materials"), err);
}

static bool plan_manifest(struct build *build, struct err *err)
{
    size_t count = 0;
    cleanup_free const char **warnings =
        xcalloc(build->programs.warning_count + build->linkage.count + build->closure.warning_count,
                sizeof(*warnings));
    struct manifest_input input = {
        .app = &build->app,
        .probe = &build->probe,
        .gems = &build->gems,
        .walk = &build->libs.walk,
        .owners = build->packages.owners,
        .closure = &build->closure,
        .provenance = &build->provenance,
        .time = build->mtime,
        .warnings = warnings,
        .plan = &build->plan,
    };
    cleanup_free char *text = NULL;

    for (size_t i = 0; i < build->programs.warning_count; i++)
        warnings[count++] = build->programs.warnings[i];
    for (size_t i = 0; i < build->linkage.count; i++)
        warnings[count++] = build->linkage.warnings[i];
    for (size_t i = 0; i < build->closure.warning_count; i++)
        warnings[count++] = build->closure.warnings[i];
    input.warning_count = count;
    text = manifest_text(&input);
    return plan_add_data(&build->plan, FORMAT_MANIFEST, 0644, text, strlen(text), ours("manifest"),
                         err);
}

/* What a command is tried with. */
static bool check_arguments(const struct build *build, struct words *words,
                            struct boot_request *request, struct err *err)
{
    const char *given =
        build->request->check != NULL ? build->request->check : build->app.config.check;

    cleanup_free char *line = xasprintf("command %s", given != NULL ? given : "--help");

    request->may_fail = given == NULL;
    if (!words_split(words, line, getenv, err))
        return err_wrap(err, "--check");
    request->arguments = (const char *const *)words->items + 1;
    return true;
}

/* Starts the bundle, and judges that in the report's words. */
static bool boot_file(const struct build *build, int fd, struct boot *boot,
                      const struct report *report, struct err *err)
{
    cleanup_with(words_release) struct words words = {0};
    /* Rails wants a secret, which no build should have. It makes one up; the launcher sees one. */
    static const char *const rails[] = {"SECRET_KEY_BASE_DUMMY=1", "SECRET_KEY_BASE=none", NULL};
    struct boot_request request = {
        .fd = fd,
        .name = build->app.name,
        .health = build->app.config.health,
        .environment = build->app.is_rails ? rails : NULL,
        .is_script = build->app.source == APP_SCRIPT,
    };
    struct progress *progress;
    bool ok;

    if (build->app.kind == APP_COMMAND && !check_arguments(build, &words, &request, err))
        return false;
    progress = progress_begin(report, "check", "it starts in an empty root", 0);
    ok = boot_check(boot, &request, err);
    progress_end(progress);
    return ok && boot_judge(boot, &build->libs.extras.paths, &build->plan, report, err);
}

/* What tells its starts from those of others: a guess, which the check boot puts right. */
static char *application(const struct build *build)
{
    const struct app *app = &build->app;

    return xasprintf("%s\n%s\n%s\n%s", app->dir, app->script != NULL ? app->script : "", app->name,
                     build->request->check != NULL ? build->request->check : "");
}

/* A guess that was wrong is no error of anybody. */
static bool check_start(struct build *build, const struct boot *boot, struct err *err)
{
    start_release(&build->started);
    start_learn(&build->started, boot);
    build->is_mistaken = build->is_guessed && !start_equals(&build->started, &build->start);
    return !build->is_mistaken || err_set(err, ERR_INPUT, "it starts otherwise than before");
}

static void end_progress(struct build *build)
{
    progress_end(build->progress);
    build->progress = NULL;
}

/* assemble_options.check: all is written, and has no name yet. */
static bool check_file(int fd, void *context, struct err *err)
{
    struct build *build = context;
    cleanup_free char *took =
        xasprintf("%.1f s", (double)(proc_clock_us() - build->image_began_us) / 1e6);
    const struct report quiet = {.quiet = true};
    cleanup_with(boot_release) struct boot boot = {0};

    end_progress(build);
    report_phase(&build->report, "image", "squashfs, zstd", took);
    if (!build->request->no_check &&
        (!boot_file(build, fd, &boot, build->is_learned ? &quiet : &build->report, err) ||
         !check_start(build, &boot, err)))
        return false;
    /* What was not checked is not "up to date": the next machine state may allow it. */
    if (build->request->no_check || boot.result != BOOT_FORBIDDEN)
        record_collect(&build->record, &build->witness, fd);
    return true;
}

/* assemble_options.check of the draft. */
static bool learn_start(int fd, void *context, struct err *err)
{
    struct build *build = context;
    cleanup_with(boot_release) struct boot boot = {0};

    end_progress(build);
    if (!boot_file(build, fd, &boot, &build->report, err))
        return false;
    build->is_learned = true;
    if (boot.result != BOOT_FORBIDDEN)
        start_learn(&build->start, &boot);
    return true;
}

/* The library of this Ruby among what was walked, or NULL. */
static const char *find_libruby(const struct build *build)
{
    const struct walk *walk = &build->libs.walk;

    for (size_t i = 0; build->probe.ruby.libruby != NULL && i < walk->count; i++)
        if (strncmp(walk->objects[i].name, "libruby", strlen("libruby")) == 0)
            return walk->objects[i].path;
    return NULL;
}

/* Compiles what the start loads, and puts in front what it reads. */
static bool prepare_start(struct build *build, struct err *err)
{
    const struct compiled_ruby ruby = {
        .program = build->probe.ruby.elf,
        .library = find_libruby(build),
        .behind = &build->libs.extras.sources,
        .no_cache = build->request->no_cache,
    };
    cleanup_with(compiled_release) struct compiled compiled = {0};
    const struct config *config = &build->app.config;
    cleanup_free char *what = NULL;

    if ((!config->boot.no_compiled &&
         !compiled_plan(&compiled, &build->start, &ruby, &build->plan, err)) ||
        !profile_plan(&build->start, compiled.count > 0, !config->boot.no_profile, &build->plan,
                      err))
        return false;
    plan_arrange(&build->plan);
    if (config->boot.no_compiled)
        return true;
    what = compiled.why_not != NULL ? xstrdup(compiled.why_not)
                                    : xasprintf("%zu sources that a start loads", compiled.count);
    report_phase(&build->report, "compile", what, NULL);
    return true;
}

static uint64_t plan_bytes(const struct plan *plan)
{
    uint64_t bytes = 0;

    for (size_t i = 0; i < plan->count; i++)
        bytes += plan->entries[i]->size_bytes;
    return bytes;
}

/* An image whose start shows what the one of the file reads. */
static bool write_draft(struct build *build, struct assemble_options *options, struct err *err)
{
    bool ok;

    build->progress = progress_begin(&build->report, "draft", "", plan_bytes(&build->plan));
    options->progress = progress_step;
    options->progress_context = build->progress;
    ok = assemble_draft(&build->plan, options, err);
    end_progress(build);
    return ok;
}

/* What a start reads: as it was last time, or as a first image shows, which is quickly made. */
static bool learn(struct build *build, struct assemble_options options, struct err *err)
{
    cleanup_free char *key = application(build);
    struct ahead *ahead = NULL;
    bool ok;

    options.level = LEVEL_DRAFT;
    options.check = learn_start;
    if (build->request->fast || build->request->no_check ||
        (build->app.config.boot.no_compiled && build->app.config.boot.no_profile))
        return true;
    build->is_guessed = !build->request->no_cache && start_recall(&build->start, key);
    if (!build->is_guessed && !build->request->no_cache)
        ahead = ahead_begin(&build->plan, LEVEL_RELEASE);
    ok = (build->is_guessed || write_draft(build, &options, err)) &&
         (build->start.count == 0 || prepare_start(build, err));
    ahead_end(ahead);
    return ok;
}

static bool write_image(struct build *build, struct assemble_options *options,
                        uint64_t *ret_size_bytes, struct err *err)
{
    bool ok;

    build->image_began_us = proc_clock_us();
    build->progress = progress_begin(&build->report, "image", "", plan_bytes(&build->plan));
    options->progress = progress_step;
    options->progress_context = build->progress;
    ok = assemble_write(&build->plan, options, ret_size_bytes, err);
    end_progress(build);
    return ok;
}

/* With what its start has shown. */
static bool write_again(struct build *build, struct assemble_options *options,
                        uint64_t *ret_size_bytes, struct err *err)
{
    *err = (struct err){0};
    build->is_guessed = false;
    build->is_learned = true;
    start_release(&build->start);
    build->start = build->started;
    build->started = (struct start){0};
    compiled_forget(&build->plan);
    profile_forget(&build->plan);
    plan_arrange(&build->plan);
    return (build->start.count == 0 || prepare_start(build, err)) &&
           write_image(build, options, ret_size_bytes, err);
}

static bool write_file(struct build *build, struct err *err)
{
    struct assemble_options options = {
        .output = build->output,
        .name = build->app.name,
        .kind = build->app.kind == APP_COMMAND ? FORMAT_KIND_CLI : FORMAT_KIND_APP,
        .level = build->request->fast ? LEVEL_FAST : LEVEL_RELEASE,
        .mtime = build->mtime,
        .no_cache = build->request->no_cache,
        .secret = build->request->secret,
        .check = check_file,
        .context = build,
        .update_info = build->request->update_info,
    };
    cleanup_free char *key = application(build);
    cleanup_free char *size = NULL;
    uint64_t size_bytes;

    plan_arrange(&build->plan);
    if (!learn(build, options, err))
        return false;
    if (!write_image(build, &options, &size_bytes, err) &&
        (!build->is_mistaken || !write_again(build, &options, &size_bytes, err)))
        return false;
    build->size_bytes = size_bytes;
    size = report_size(size_bytes);
    report_phase(&build->report, "wrote", build->output, size);
    record_write(&build->record);
    /* One that differs from time to time is no guess. */
    if (build->start.count > 0 && !build->request->no_cache &&
        start_equals(&build->start, &build->started))
        start_keep(&build->start, key);
    return true;
}

/* The file of the last build is what this one would write. */
static bool find_unchanged(struct build *build, struct err *err)
{
    cleanup_free char *size = NULL;
    cleanup_free char *what = NULL;
    cleanup_free char *changed = NULL;
    uint64_t size_bytes;

    if (build->request->dry_run)
        return true;
    if (!record_holds(&build->record, &size_bytes, &changed)) {
        if (changed != NULL)
            report_phase(&build->report, "changed", changed, NULL);
        return true;
    }
    if (!settle_answer(build, err))
        return false;
    size = report_size(size_bytes);
    build->is_unchanged = true;
    build->size_bytes = size_bytes;
    what = xasprintf("%s is up to date", build->output);
    report_phase(&build->report, "kept", what, size);
    return true;
}

/* Why everything is in or out. Gems of other groups were never asked about. */
static void explain(const struct build *build)
{
    const struct jdoc *groups = jdoc_member(build->probe.answer, "without");

    forecast_explain(&build->plan, &build->report);
    for (size_t i = 0; i < jdoc_count(groups); i++)
        report_detail(&build->report, "out", jdoc_text_at(groups, i), "a group of the Gemfile");
}

static bool make(struct build *build, struct err *err)
{
    if (!record_run(build, err) || !collect(build, err) || !plan_runtime(build, err) ||
        !plan_origins(build, err) || !plan_manifest(build, err))
        return false;
    plan_sort(&build->plan);
    if (!settle_answer(build, err))
        return false;
    tempdir_tidy();
    explain(build);
    return build->request->dry_run || write_file(build, err);
}

static void add_warnings(struct build_result *result, char *const *warnings, size_t count)
{
    for (size_t i = 0; i < count; i++) {
        result->warnings =
            xrealloc_array(result->warnings, result->warning_count + 1, sizeof(*result->warnings));
        result->warnings[result->warning_count++] = xstrdup(warnings[i]);
    }
}

static void tell(struct build *build, struct build_result *ret)
{
    char *output = steal_ptr(&build->output);

    *ret = (struct build_result){
        .output = output,
        .size_bytes = build->size_bytes,
        .is_unchanged = build->is_unchanged,
        .name = xstrdup(build->app.name),
        .kind = app_kind_name(build->app.kind),
    };
    add_warnings(ret, build->programs.warnings, build->programs.warning_count);
    add_warnings(ret, build->linkage.warnings, build->linkage.count);
    add_warnings(ret, build->closure.warnings, build->closure.warning_count);
    if (build->request->dry_run) {
        ret->plan = build->plan;
        plan_init(&build->plan);
    }
}

/* What went wrong counts only if they say what it was made from. */
static bool work(struct build *build, struct err *err)
{
    struct err why = {0};
    bool ok = detect(build, err) && find_unchanged(build, err) &&
              (build->is_unchanged || make(build, err));

    if (!ok && !settle_answer(build, &why))
        *err = why;
    return ok;
}

static bool attempt(const struct build_request *request, bool may_guess, struct build_result *ret,
                    bool *ret_is_misled, struct err *err)
{
    struct build build = {
        .request = request, .report = {request->quiet, request->verbose}, .may_guess = may_guess};
    bool ok;

    plan_init(&build.plan);
    build.plan.notes_left_out = request->verbose || request->dry_run;
    witness_begin(&build.witness);
    ok = work(&build, err);
    witness_end();
    if (ok)
        tell(&build, ret);
    *ret_is_misled = build.is_misled;
    if (build.is_misled)
        report_phase(&build.report, "again", err->msg, NULL);
    build_release(&build);
    return ok;
}

bool build_run(const struct build_request *request, struct build_result *ret, struct err *err)
{
    cleanup_free char *path = getenv("PATH") != NULL ? xstrdup(getenv("PATH")) : NULL;
    bool is_misled = false;

    if (attempt(request, true, ret, &is_misled, err))
        return true;
    if (!is_misled)
        return false;
    *err = (struct err){0};
    /* What choose_ruby() has put there is no part of the question. */
    if (path != NULL && setenv("PATH", path, 1) != 0)
        return err_sys(err, "environment");
    return attempt(request, false, ret, &is_misled, err);
}

void build_result_release(struct build_result *result)
{
    for (size_t i = 0; i < result->warning_count; i++)
        free(result->warnings[i]);
    free(result->warnings);
    free(result->output);
    free(result->name);
    plan_release(&result->plan);
    *result = (struct build_result){0};
}
