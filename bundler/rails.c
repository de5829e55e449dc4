/* SPDX-License-Identifier: MIT */
#include "bundler/rails.h"

#include <dirent.h>
#include <errno.h>
#include <fcntl.h>
#include <stdlib.h>
#include <string.h>
#include <sys/sendfile.h>
#include <sys/stat.h>
#include <time.h>
#include <unistd.h>

#include "bundler/childenv.h"
#include "bundler/config.h"
#include "bundler/plan.h"
#include "bundler/probe.h"
#include "bundler/state.h"
#include "bundler/tempdir.h"
#include "bundler/witness.h"
#include "common/cleanup.h"
#include "common/err.h"
#include "common/format.h"
#include "common/fs.h"
#include "common/pattern.h"
#include "common/proc.h"
#include "common/text.h"
#include "common/xalloc.h"

enum { OUTPUT_MAX_BYTES = 16 << 20, ASSET_MAX_BYTES = 256 << 20, SETTINGS_MAX_BYTES = 1 << 20 };

static const char bootsnap_dir[] = "${ROOT}/../state/" STATE_BOOTSNAP;
static const char app_prefix[] = FORMAT_APP_DIR "/";
static const char assets_prefix[] = FORMAT_APP_DIR "/public/assets/";

static const char *line_of(const char *text, const char *at)
{
    while (at > text && at[-1] != '\n')
        at--;
    return at;
}

static bool is_comment(const char *text, const char *at)
{
    const char *line = line_of(text, at);

    return line[strspn(line, " \t")] == '#';
}

/* Rails 7.1 and newer generate this route: https://guides.rubyonrails.org, "Health checks". */
static bool has_health_route(const char *dir)
{
    cleanup_free char *path = xasprintf("%s/config/routes.rb", dir);
    cleanup_free char *text = NULL;
    struct err ignored = {0};
    size_t size;

    if (!fs_read_file(path, SETTINGS_MAX_BYTES, &text, &size, &ignored))
        return false;
    for (const char *at = text; (at = strstr(at, "rails/health#show")) != NULL; at++) {
        const char *line = line_of(text, at);

        if (!is_comment(text, at))
            return strstr(line, "\"up\"") != NULL || strstr(line, "/up") != NULL;
    }
    return false;
}

static bool mentions_secret(const char *path)
{
    cleanup_free char *text = NULL;
    struct err ignored = {0};
    size_t size;

    if (!fs_read_file(path, SETTINGS_MAX_BYTES, &text, &size, &ignored))
        return false;
    for (const char *at = text; (at = strstr(at, "secret_key_base")) != NULL; at++)
        if (!is_comment(text, at))
            return true;
    return false;
}

/* The app gets its secret_key_base from elsewhere: nobody but it can tell whether it is there. */
static bool sets_secret(const char *dir)
{
    static const char *const patterns[] = {"config/application.rb",
                                           "config/environments/production.rb",
                                           "config/secrets.yml", "config/initializers/*.rb"};
    cleanup_free char *quoted = pattern_quote(dir);
    bool found = false;

    for (size_t i = 0; i < sizeof(patterns) / sizeof(patterns[0]) && !found; i++) {
        cleanup_free char *pattern = xasprintf("%s/%s", quoted, patterns[i]);
        cleanup_with(pattern_release) struct pattern_found matches;

        pattern_find(&matches, pattern);
        for (size_t j = 0; j < matches.count && !found; j++)
            found = mentions_secret(matches.paths[j]);
    }
    return found;
}

static void settle_secrets(struct config *config, const char *dir)
{
    bool has_credentials = fs_has_file(dir, "config/credentials.yml.enc") ||
                           fs_has_file(dir, "config/credentials/production.yml.enc");

    if (config->secrets.items == NULL && !sets_secret(dir))
        config_add_text(&config->secrets,
                        has_credentials ? "RAILS_MASTER_KEY|SECRET_KEY_BASE" : "SECRET_KEY_BASE");
}

void rails_settle(struct config *config, const char *dir, const struct probe *probe)
{
    const char *web = "bin/rails server";

    if (probe_find_gem(probe, "puma") != NULL)
        web = fs_has_file(dir, "config/puma.rb") ? "bundle exec puma -C config/puma.rb"
                                                 : "bundle exec puma";
    if (config->processes.count == 0) {
        config_add_pair(&config->processes, "web", web);
        if (probe_find_gem(probe, "solid_queue") != NULL && fs_has_file(dir, "bin/jobs"))
            config_add_pair(&config->processes, "worker", "bin/jobs");
    }
    if (config->release == NULL && probe_find_gem(probe, "activerecord") != NULL)
        config->release = xstrdup("bin/rails db:prepare");
    if (config->console == NULL)
        config->console = xstrdup("bin/rails console");
    settle_secrets(config, dir);
    if (config->health == NULL && has_health_route(dir))
        config->health = xstrdup("/up");
}

void rails_defaults(struct config *config, const struct probe *probe)
{
    struct config_pairs *env = &config->env;

    config_default(env, "RAILS_ENV", "production");
    config_default(env, "RAILS_LOG_TO_STDOUT", "1");
    config_default(env, "RAILS_SERVE_STATIC_FILES", "1");
    /* tmp/ lasts for one boot; what bootsnap compiles is worth keeping. */
    if (probe_find_gem(probe, "bootsnap") != NULL)
        config_default(env, "BOOTSNAP_CACHE_DIR", bootsnap_dir);
}

bool rails_keeps_bootsnap(const struct config *config)
{
    for (size_t i = 0; i < config->env.count; i++)
        if (strcmp(config->env.items[i].name, "BOOTSNAP_CACHE_DIR") == 0)
            return strcmp(config->env.items[i].value, bootsnap_dir) == 0;
    return false;
}

bool rails_has_assets(const struct probe *probe)
{
    static const char *const pipelines[] = {"propshaft", "sprockets-rails", "vite_rails",
                                            "shakapacker"};

    for (size_t i = 0; i < sizeof(pipelines) / sizeof(pipelines[0]); i++)
        if (probe_find_gem(probe, pipelines[i]) != NULL)
            return true;
    return false;
}

static bool copy_file(const char *source, const char *target, mode_t mode, struct err *err)
{
    cleanup_fd int from = open(source, O_RDONLY | O_CLOEXEC);
    cleanup_fd int to = open(target, O_WRONLY | O_CREAT | O_EXCL | O_CLOEXEC, mode | 0200);
    struct stat st;
    struct timespec times[2];
    ssize_t sent;

    if (from < 0 || fstat(from, &st) != 0)
        return err_sys(err, "'%s'", source);
    if (to < 0)
        return err_sys(err, "'%s'", target);
    do {
        sent = sendfile(to, from, NULL, 1 << 30);
    } while (sent > 0 || (sent < 0 && errno == EINTR));
    times[0] = st.st_mtim;
    times[1] = st.st_mtim;
    if (sent < 0 || futimens(to, times) != 0)
        return err_sys(err, "'%s'", target);
    return true;
}

static bool write_file(const char *target, const struct plan_entry *entry, struct err *err)
{
    cleanup_fd int fd =
        open(target, O_WRONLY | O_CREAT | O_EXCL | O_CLOEXEC, (mode_t)(entry->mode | 0200));

    if (fd < 0)
        return err_sys(err, "'%s'", target);
    return fs_write_all(fd, entry->data, entry->size_bytes, err);
}

/* State is a directory of the copy; a single file of it does not exist yet. */
static bool copy_link(const char *target, const struct plan_entry *entry, struct err *err)
{
    if (strstr(entry->target, "../state/") == NULL)
        return symlink(entry->target, target) == 0 || err_sys(err, "'%s'", target);
    return strchr(strrchr(entry->target, '/'), '.') != NULL || fs_mkdir_p(target, 0755, err);
}

static bool copy_entry(const char *scratch, const struct plan_entry *entry, struct err *err)
{
    cleanup_free char *target = xasprintf("%s/%s", scratch, entry->path + sizeof(app_prefix) - 1);

    switch (entry->type) {
    case PLAN_DIR:
        return fs_mkdir_p(target, 0755, err);
    case PLAN_FILE:
        return copy_file(entry->source, target, entry->mode, err);
    case PLAN_DATA:
        return write_file(target, entry, err);
    case PLAN_SYMLINK:
        return copy_link(target, entry, err);
    }
    return true;
}

static bool copy_app(const char *scratch, const char *dir, const struct plan *plan, struct err *err)
{
    cleanup_free char *modules = xasprintf("%s/node_modules", dir);
    cleanup_free char *link = xasprintf("%s/node_modules", scratch);

    for (size_t i = 0; i < plan->count; i++) {
        if (strncmp(plan->entries[i]->path, app_prefix, sizeof(app_prefix) - 1) == 0 &&
            !copy_entry(scratch, plan->entries[i], err))
            return false;
    }
    witness_tree(modules);
    if (access(modules, F_OK) == 0 && symlink(modules, link) != 0)
        return err_sys(err, "'%s'", link);
    return true;
}

/* What an earlier compilation left in the tree is none of this one. */
static void forget_compiled(struct plan *plan)
{
    for (size_t i = plan->count; i-- > 0;) {
        const struct plan_entry *entry = plan->entries[i];

        if (entry->type != PLAN_DIR &&
            strncmp(entry->path, assets_prefix, sizeof(assets_prefix) - 1) == 0) {
            cleanup_free char *path = xstrdup(entry->path);

            plan_remove(plan, path);
        }
    }
}

static bool compile(const char *scratch, const char *gemfile, struct err *err)
{
    static const char *const argv[] = {"bundle", "exec", "rails", "assets:precompile", NULL};
    static const char *const without[] = {
        "BUNDLE_GEMFILE=", "BUNDLE_WITHOUT=", "RAILS_ENV=", "RACK_ENV=", NULL};
    cleanup_free char *where = xasprintf("BUNDLE_GEMFILE=%s", gemfile);
    const char *const with[] = {"RAILS_ENV=production",
                                "RACK_ENV=production",
                                "SECRET_KEY_BASE_DUMMY=1",
                                "BUNDLE_WITHOUT=development:test",
                                where,
                                NULL};
    char **envp = childenv_make(without, with);
    struct proc_request request = {.argv = argv,
                                   .envp = (const char *const *)envp,
                                   .cwd = scratch,
                                   .output_max_bytes = OUTPUT_MAX_BYTES};
    struct proc_output output = {0};
    bool ok = proc_capture(&request, &output, err);

    childenv_free(envp);
    if (ok && output.exit_code != 0) {
        ok = err_set(err, ERR_INPUT, "'rails assets:precompile' failed with code %d: %.700s",
                     output.exit_code,
                     text_last_lines(output.errors[0] != '\0' ? output.errors : output.out, 3));
        /* config.require_master_key: without the key nothing of the app starts. */
        if (strstr(err->msg, "RAILS_MASTER_KEY") != NULL)
            (void)err_hint(err, "lend the build the key, which is not packed: "
                                "RAILS_MASTER_KEY=... rucksack build");
        (void)err_hint(err, "see what it says: RAILS_ENV=production SECRET_KEY_BASE_DUMMY=1 "
                            "bin/rails assets:precompile");
    }
    proc_output_release(&output);
    return ok;
}

struct harvest {
    struct plan *plan;
    const char *scratch;
    struct timespec begin; /* what is older was copied, not compiled */
};

static bool is_older(const struct timespec *time, const struct timespec *other)
{
    return time->tv_sec < other->tv_sec ||
           (time->tv_sec == other->tv_sec && time->tv_nsec < other->tv_nsec);
}

static bool harvest_file(const struct harvest *harvest, const char *relative, struct err *err)
{
    cleanup_free char *source = xasprintf("%s/%s", harvest->scratch, relative);
    cleanup_free char *path = xasprintf("%s%s", app_prefix, relative);
    cleanup_free char *data = NULL;
    size_t size;
    struct stat st;

    if (lstat(source, &st) != 0 || !S_ISREG(st.st_mode) ||
        (is_older(&st.st_mtim, &harvest->begin) && plan_find(harvest->plan, path) != NULL))
        return true;
    return fs_read_file(source, ASSET_MAX_BYTES, &data, &size, err) &&
           plan_replace_data(harvest->plan, path, 0644, data, size,
                             (struct plan_origin){PLAN_PART_APP, "rails assets:precompile"}, err);
}

static bool harvest_tree(const struct harvest *harvest, const char *relative, struct err *err)
{
    cleanup_free char *here = xasprintf("%s/%s", harvest->scratch, relative);
    cleanup_dir DIR *entries = opendir(here);
    const struct dirent *entry;

    while (entries != NULL && (entry = readdir(entries)) != NULL) {
        cleanup_free char *path = xasprintf("%s/%s", relative, entry->d_name);

        if (strcmp(entry->d_name, ".") == 0 || strcmp(entry->d_name, "..") == 0)
            continue;
        if (entry->d_type == DT_DIR ? !harvest_tree(harvest, path, err)
                                    : !harvest_file(harvest, path, err))
            return false;
    }
    return true;
}

static bool compile_in(const char *scratch, const char *dir, const char *gemfile, struct plan *plan,
                       struct err *err)
{
    struct harvest harvest = {.plan = plan, .scratch = scratch};

    forget_compiled(plan);
    if (!copy_app(scratch, dir, plan, err))
        return false;
    /* The clock of file times is the coarse one. */
    (void)clock_gettime(CLOCK_REALTIME_COARSE, &harvest.begin);
    return compile(scratch, gemfile, err) && harvest_tree(&harvest, "public", err);
}

bool rails_compile_assets(const char *dir, const struct probe *probe, struct plan *plan,
                          struct err *err)
{
    char *scratch = NULL;
    struct err removal = {0};
    bool ok;

    ok = tempdir_make(&scratch, err);
    if (ok) {
        ok = compile_in(scratch, dir, probe->gemfile, plan, err) || err_id(err, "E-ASSETS");
        ok = tempdir_remove(scratch, ok ? err : &removal) && ok;
    }
    return ok;
}
