/* SPDX-License-Identifier: MIT */
#include "runtime/service/units.h"

#include <stdlib.h>
#include <string.h>

#include "common/cleanup.h"
#include "common/xalloc.h"
#include "runtime/service/app.h"
#include "runtime/service/plan.h"
#include "runtime/service/settings.h"
#include "runtime/service/systemd.h"

/* Exit code 125: the launcher could not start it, and the next time will not differ. 143: SIGTERM.
 */
#define ENDS                                                                                       \
    "KillMode=mixed\n"                                                                             \
    "TimeoutStopSec=60\n"                                                                          \
    "SuccessExitStatus=143\n"                                                                      \
    "Restart=on-failure\n"                                                                         \
    "RestartSec=1\n"                                                                               \
    "RestartPreventExitStatus=125\n"

/* Each was tried together with Ruby, Puma and SQLite. MemoryDenyWriteExecute would end YJIT. */
static const char sandbox[] = "NoNewPrivileges=yes\n"
                              "CapabilityBoundingSet=\n"
                              "AmbientCapabilities=\n"
                              "ProtectSystem=strict\n"
                              "ProtectHome=yes\n"
                              "PrivateTmp=yes\n"
                              "PrivateDevices=yes\n"
                              "DevicePolicy=closed\n"
                              "PrivateUsers=yes\n"
                              "PrivateMounts=yes\n"
                              "PrivateIPC=yes\n"
                              "ProtectHostname=yes\n"
                              "ProtectClock=yes\n"
                              "ProtectKernelTunables=yes\n"
                              "ProtectKernelModules=yes\n"
                              "ProtectKernelLogs=yes\n"
                              "ProtectControlGroups=yes\n"
                              "ProtectProc=invisible\n"
                              "ProcSubset=pid\n"
                              "RestrictAddressFamilies=AF_INET AF_INET6 AF_UNIX\n"
                              "RestrictNamespaces=yes\n"
                              "RestrictRealtime=yes\n"
                              "RestrictSUIDSGID=yes\n"
                              "LockPersonality=yes\n"
                              "RemoveIPC=yes\n"
                              "SystemCallArchitectures=native\n"
                              "SystemCallFilter=@system-service\n"
                              "SystemCallFilter=~@privileged @resources\n"
                              "SystemCallErrorNumber=EPERM\n"
                              "UMask=0077\n";

/* What of the host a process needs: names, time, certificates, systemd's own socket, and those of
 * databases. "-": where it is there. */
static const char host_files[] =
    "BindReadOnlyPaths=-/etc/resolv.conf -/etc/hosts -/etc/passwd -/etc/group -/etc/localtime\n"
    "BindReadOnlyPaths=-/etc/ssl/certs -/etc/pki/tls/certs -/etc/pki/ca-trust/extracted\n"
    "BindReadOnlyPaths=-/run/systemd/notify -/run/postgresql -/run/mysqld -/run/redis\n";

static char *release_dir(const struct units *units)
{
    return xasprintf("/opt/%s/releases/%s", units->app->name, units->release);
}

/* Where the launcher is, as the process sees it. */
static char *launcher(const struct units *units, bool sees_host)
{
    cleanup_free char *dir = release_dir(units);

    return sees_host ? xasprintf("%s/image/AppRun", dir)
                     : xasprintf("/opt/%s/image/AppRun", units->app->name);
}

/*
 * User, state, root and sandbox: what all services have. A process that is alone ends with its
 * runtime directory, and what a crash left in it; others' is not for one of them to remove.
 */
static char *surroundings(const struct units *units, bool sees_host, bool keeps_run)
{
    const char *name = units->app->name;
    cleanup_free char *dir = release_dir(units);
    cleanup_free char *root = xasprintf("RootDirectory=/opt/%s/root\n"
                                        "MountAPIVFS=yes\n"
                                        "BindReadOnlyPaths=%s/image:/opt/%s/image\n%s",
                                        name, dir, name, host_files);

    return xasprintf("User=%s\n"
                     "StateDirectory=%s\nStateDirectoryMode=0700\n"
                     "CacheDirectory=%s\nCacheDirectoryMode=0700\n"
                     "RuntimeDirectory=%s\nRuntimeDirectoryMode=0700\n"
                     "RuntimeDirectoryPreserve=%s\n"
                     "LogsDirectory=%s\nLogsDirectoryMode=0700\n"
                     "EnvironmentFile=-/etc/%s/env\n"
                     "SyslogIdentifier=%%N\n"
                     "%s%s",
                     name, name, name, name, keeps_run ? "yes" : "no", name, name,
                     sees_host ? "" : root, sandbox);
}

static void add_unit(struct plan *plan, const char *dir, const char *unit, char *text)
{
    cleanup_free char *path = xasprintf("%s/%s", dir, unit);

    plan_add(plan, path, text, 0644);
}

char *units_process(const struct app *app, const char *process)
{
    return xasprintf("%s-%s.service", app->name, process);
}

bool units_has_socket(const struct app *app)
{
    const char *web = app_web(app);

    return web != NULL && app_server_can(app, web, "activation");
}

void units_plan_mount(const struct units *units, struct plan *plan)
{
    cleanup_free char *dir = release_dir(units);
    cleanup_free char *image = xasprintf("%s/image", dir);
    cleanup_free char *unit = systemd_mount_unit(image);

    add_unit(plan, UNITS_DIR, unit,
             xasprintf("[Unit]\nDescription=Image of %s, release %s\n\n"
                       "[Mount]\nWhat=%s/%s\nWhere=%s\nType=squashfs\n"
                       "Options=loop,offset=%llu,sizelimit=%llu,ro,nosuid,nodev\n",
                       units->app->name, units->release, dir, units->app->name, image,
                       (unsigned long long)units->offset, (unsigned long long)units->size));
}

static void plan_process(const struct units *units, const char *process, struct plan *plan)
{
    const struct app *app = units->app;
    const char *web = app_web(app);
    bool is_web = web != NULL && strcmp(web, process) == 0;
    bool has_socket = is_web && units_has_socket(app);
    cleanup_free char *unit = units_process(app, process);
    cleanup_free char *dir = release_dir(units);
    cleanup_free char *around = surroundings(units, app->needs_host, app_process(app, 1) != NULL);
    cleanup_free char *program = launcher(units, app->needs_host);
    cleanup_free char *after =
        xasprintf("Requires=%s.socket\nAfter=%s.socket\n", app->name, app->name);
    cleanup_free char *port = xasprintf("Environment=PORT=%s\n", settings_port(units->settings));
    cleanup_free char *port_file = xasprintf("EnvironmentFile=/etc/%s/port\n", app->name);

    add_unit(plan, UNITS_DIR, unit,
             xasprintf("[Unit]\nDescription=%s of %s\n"
                       "PartOf=%s.target\nAfter=network.target\nRequiresMountsFor=%s/image\n"
                       "StartLimitIntervalSec=0\n%s\n"
                       "[Service]\nType=%s\nExecStart=%s run %s%s\n%s" ENDS "%s%s\n"
                       "[Install]\nWantedBy=%s.target\n",
                       process, app->name, app->name, dir, has_socket ? after : "",
                       app_server_can(app, process, "notify") ? "notify" : "exec", program, process,
                       has_socket ? " --bind-to-activated-sockets only" : "", is_web ? port : "",
                       around, is_web && !has_socket ? port_file : "", app->name));
}

/* A PORT in the file of the environment wins over one in the unit; one in a later file over both.
 */
static void plan_port(const struct units *units, struct plan *plan)
{
    cleanup_free char *path = xasprintf("/etc/%s/port", units->app->name);

    if (app_web(units->app) != NULL && !units_has_socket(units->app))
        plan_add(plan, path, xasprintf("PORT=%s\n", settings_port(units->settings)), 0644);
}

static void plan_target(const struct units *units, struct plan *plan)
{
    const char *name = units->app->name;
    cleanup_free char *unit = xasprintf("%s.target", name);
    char *wants = xstrdup("");
    const char *process;

    for (size_t i = 0; (process = app_process(units->app, i)) != NULL; i++) {
        cleanup_free char *service = units_process(units->app, process);
        char *longer = xasprintf("%s %s", wants, service);

        free(wants);
        wants = longer;
    }
    add_unit(plan, UNITS_DIR, unit,
             xasprintf("[Unit]\nDescription=%s, release %s\nWants=%s\n\n"
                       "[Install]\nWantedBy=multi-user.target\n",
                       name, units->release, wants + 1));
    free(wants);
}

static void plan_socket(const struct units *units, struct plan *plan)
{
    const char *name = units->app->name;
    cleanup_free char *unit = xasprintf("%s.socket", name);
    cleanup_free char *service = NULL;

    if (!units_has_socket(units->app))
        return;
    service = units_process(units->app, app_web(units->app));
    /* A server that ends closes connections that it has taken and that no request has come on yet:
     * so none is given to it before its request (tcp(7), TCP_DEFER_ACCEPT). */
    add_unit(plan, UNITS_DIR, unit,
             xasprintf("[Unit]\nDescription=Socket of %s\nPartOf=%s.target\n\n"
                       "[Socket]\nListenStream=%s%s\nService=%s\nBacklog=1024\nNoDelay="
                       "yes\nDeferAcceptSec=5\n\n"
                       "[Install]\nWantedBy=sockets.target\n",
                       name, name, strchr(units->settings->listen, ':') == NULL ? "0.0.0.0:" : "",
                       units->settings->listen, service));
}

/* An argument of ExecStart= that nothing in it changes (systemd.service(5), "Command lines"). */
static char *quote(const char *text)
{
    char *quoted = xcalloc(2 * strlen(text) + 3, 1);
    char *to = quoted;

    *to++ = '"';
    for (; *text != '\0'; text++) {
        if (strchr("\"\\", *text) != NULL)
            *to++ = '\\';
        else if (*text == '$' || *text == '%')
            *to++ = *text;
        *to++ = *text;
    }
    *to = '"';
    return quoted;
}

/* A command that takes snapshots is the host's: then the service sees the host. */
static void plan_backup(const struct units *units, struct plan *plan)
{
    const struct settings *settings = units->settings;
    const char *name = units->app->name;
    bool sees_host = settings->push != NULL || units->app->needs_host;
    cleanup_free char *dir = release_dir(units);
    cleanup_free char *around = surroundings(units, sees_host, true);
    cleanup_free char *program = launcher(units, sees_host);
    cleanup_free char *quoted = quote(settings->push != NULL ? settings->push : "");
    cleanup_free char *push = xasprintf(" --push %s", quoted);
    cleanup_free char *service = xasprintf("%s-backup.service", name);
    cleanup_free char *timer = xasprintf("%s-backup.timer", name);

    if (settings->backup == NULL)
        return;
    add_unit(plan, UNITS_DIR, service,
             xasprintf("[Unit]\nDescription=Backup of %s\nRequiresMountsFor=%s/image\n\n"
                       "[Service]\nType=oneshot\n"
                       "ExecStart=%s backup -o /var/backups/%s --keep %u%s\n"
                       "BindPaths=/var/backups/%s\nTimeoutStartSec=6h\n"
                       "IOSchedulingClass=idle\nNice=10\n%s",
                       name, dir, program, name, settings->keep > 0 ? settings->keep : 14,
                       settings->push != NULL ? push : "", name, around));
    add_unit(plan, UNITS_DIR, timer,
             xasprintf("[Unit]\nDescription=Backups of %s\n\n"
                       "[Timer]\nOnCalendar=%s\nRandomizedDelaySec=10min\nPersistent=yes\n\n"
                       "[Install]\nWantedBy=timers.target\n",
                       name, settings->backup));
}

void units_plan(const struct units *units, struct plan *plan)
{
    const char *name = units->app->name;
    cleanup_free char *users = xasprintf("/etc/sysusers.d/%s.conf", name);
    cleanup_free char *tmpfiles = xasprintf("/etc/tmpfiles.d/%s.conf", name);
    const char *process;

    plan_add(plan, users, xasprintf("u %s - \"Service %s\" /var/lib/%s\n", name, name, name), 0644);
    plan_add(plan, tmpfiles, xasprintf("d /var/backups/%s 0700 %s %s -\n", name, name, name), 0644);
    units_plan_mount(units, plan);
    for (size_t i = 0; (process = app_process(units->app, i)) != NULL; i++)
        plan_process(units, process, plan);
    plan_port(units, plan);
    plan_socket(units, plan);
    plan_target(units, plan);
    plan_backup(units, plan);
}

void units_plan_once(const struct units *units, const char *what, const char *words,
                     const char *input, bool is_new, struct plan *plan)
{
    const char *name = units->app->name;
    cleanup_free char *unit = xasprintf("%s-%s.service", name, what);
    cleanup_free char *dir = release_dir(units);
    cleanup_free char *around = surroundings(units, units->app->needs_host, true);
    cleanup_free char *program = launcher(units, units->app->needs_host);
    cleanup_free char *stdin_line =
        xasprintf("StandardInput=file:%s\n", input != NULL ? input : "");

    add_unit(plan, UNITS_PASSING_DIR, unit,
             xasprintf("[Unit]\nDescription=%s of %s\nRequiresMountsFor=%s/image\n\n"
                       "[Service]\nType=oneshot\nExecStart=%s %s\n%s%s"
                       "BindPaths=-/var/backups/%s\nTimeoutStartSec=infinity\n%s",
                       what, name, dir, program, words,
                       is_new ? "Environment=RUCKSACK_NEW=1\n" : "",
                       input != NULL ? stdin_line : "", name, around));
}

void units_plan_new(const struct units *units, struct plan *plan)
{
    const char *process;

    for (size_t i = 0; (process = app_process(units->app, i)) != NULL; i++) {
        cleanup_free char *unit = units_process(units->app, process);
        cleanup_free char *path = xasprintf(UNITS_PASSING_DIR "/%s.d/rucksack-new.conf", unit);

        plan_add(plan, path, xstrdup("[Service]\nEnvironment=RUCKSACK_NEW=1\n"), 0644);
    }
}
