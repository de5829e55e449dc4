/* SPDX-License-Identifier: MIT */
#include "runtime/service/systemd.h"

#include <errno.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include "common/cleanup.h"
#include "common/err.h"
#include "common/proc.h"
#include "common/text.h"
#include "common/xalloc.h"

enum { OUTPUT_MAX_BYTES = 4 << 20, WORDS_MAX = 256, LOG_LINES = 30 };

bool systemd_require(const char *name, struct err *err)
{
    if (access("/run/systemd/system", F_OK) == 0)
        return true;
    (void)err_set(err, ERR_INPUT, "this system was not started by systemd");
    (void)err_id(err, "E-SYSTEMD");
    return err_hint(err,
                    "run it in the foreground, under whatever supervises here: "
                    "RUCKSACK_STATE=/var/lib/%s FILE run; the units: FILE service install --print",
                    name);
}

/* What systemctl says on failure is the reason; nothing else knows it. */
static bool run(const char *const argv[], struct proc_output *output, struct err *err)
{
    struct proc_request request = {.argv = argv, .output_max_bytes = OUTPUT_MAX_BYTES};

    if (proc_capture(&request, output, err))
        return true;
    return err_id(err, "E-UNIT");
}

bool systemd_call(const char *const words[], struct err *err)
{
    const char *argv[WORDS_MAX + 3] = {"systemctl", "--quiet"};
    struct proc_output output = {0};
    size_t count = 0;
    bool ok;

    while (count < WORDS_MAX && words[count] != NULL) {
        argv[count + 2] = words[count];
        count++;
    }
    if (!run(argv, &output, err))
        return false;
    ok = output.exit_code == 0;
    if (!ok) {
        cleanup_free char *said = text_visible(text_last_lines(output.errors, 1));

        (void)err_set(err, ERR_INPUT, "systemctl %s %s failed%s%.500s", words[0],
                      words[1] != NULL ? words[1] : "", said[0] != '\0' ? ": " : "", said);
        (void)err_id(err, "E-UNIT");
    }
    proc_output_release(&output);
    return ok;
}

bool systemd_do(const char *verb, const char *unit, struct err *err)
{
    const char *const words[] = {verb, unit, NULL};

    return systemd_call(words, err);
}

char *systemd_state(const char *unit)
{
    const char *const argv[] = {"systemctl", "is-active", unit, NULL};
    struct proc_output output = {0};
    struct err err = {0};
    char *state;

    if (!run(argv, &output, &err))
        return xstrdup("unknown");
    output.out[strcspn(output.out, "\n")] = '\0';
    state = xstrdup(output.out);
    proc_output_release(&output);
    return state;
}

/* A property, one line; "" when there is none. On the heap. */
static char *property(const char *unit, const char *name)
{
    const char *const argv[] = {"systemctl", "show", "--value", "-p", name, unit, NULL};
    struct proc_output output = {0};
    struct err err = {0};
    char *value;

    if (!run(argv, &output, &err))
        return xstrdup("");
    value = xstrndup(output.out, strcspn(output.out, "\n"));
    proc_output_release(&output);
    return value;
}

unsigned long systemd_exit_code(const char *unit)
{
    cleanup_free char *value = property(unit, "ExecMainStatus");

    return strtoul(value, NULL, 10);
}

char *systemd_fragment(const char *unit)
{
    return property(unit, "FragmentPath");
}

unsigned long systemd_restarts(const char *unit)
{
    cleanup_free char *value = property(unit, "NRestarts");

    return strtoul(value, NULL, 10);
}

/* "rucksack: E-SECRET: ...": what the programs of a bundle end with. */
static void take_id(const char *line, char *ret_id, size_t size)
{
    static const char head[] = "rucksack: E-";
    size_t len;

    if (strncmp(line, head, sizeof(head) - 1) != 0)
        return;
    line += sizeof("rucksack: ") - 1;
    len = 2 + strspn(line + 2, "ABCDEFGHIJKLMNOPQRSTUVWXYZ");
    if (line[len] != ':' || len >= size)
        return;
    memcpy(ret_id, line, len);
    ret_id[len] = '\0';
}

/* Prints lines of the journal that match. */
static void show_lines(const char *match, const char *value, char *ret_id, size_t size)
{
    cleanup_free char *lines = xasprintf("%d", LOG_LINES);
    const char *const argv[] = {"journalctl", "--quiet", "--no-pager", "--output=cat", "--boot",
                                "-n",         lines,     match,        value,          NULL};
    const char *const sync[] = {"journalctl", "--sync", NULL};
    struct proc_output output = {0};
    struct err err = {0};

    if (run(sync, &output, &err))
        proc_output_release(&output);
    if (!run(argv, &output, &err))
        return;
    for (char *at = output.out; *at != '\0';) {
        size_t len = strcspn(at, "\n");
        cleanup_free char *line = xstrndup(at, len);
        cleanup_free char *visible = text_visible(line);

        if (ret_id != NULL)
            take_id(line, ret_id, size);
        fprintf(stderr, "    %s\n", visible);
        at += len + (at[len] == '\n');
    }
    proc_output_release(&output);
}

void systemd_show_log(const char *unit, char *ret_id, size_t size)
{
    cleanup_free char *id = property(unit, "InvocationID");
    cleanup_free char *invocation = xasprintf("_SYSTEMD_INVOCATION_ID=%s", id);

    show_lines(invocation, NULL, ret_id, size);
}

void systemd_show_events(const char *unit)
{
    show_lines("-u", unit, NULL, 0);
}

bool systemd_is_calendar(const char *text)
{
    const char *const argv[] = {"systemd-analyze", "calendar", "--", text, NULL};
    struct proc_output output = {0};
    struct err err = {0};
    bool is_one;

    if (!run(argv, &output, &err))
        return true;
    is_one = output.exit_code == 0;
    proc_output_release(&output);
    return is_one;
}

bool systemd_make_users(const char *path, struct err *err)
{
    const char *const argv[] = {"systemd-sysusers", path, NULL};
    struct proc_output output = {0};
    bool ok;

    if (!run(argv, &output, err))
        return false;
    ok = output.exit_code == 0 ||
         err_set(err, ERR_INPUT, "systemd-sysusers failed: %.500s",
                 text_last_lines(output.errors, 1)) ||
         err_id(err, "E-UNIT");
    proc_output_release(&output);
    return ok;
}

/* userdel(8) leaves the group where login.defs(5) says so: the next installation would refuse it.
 */
void systemd_remove_user(const char *name)
{
    const char *const user[] = {"userdel", name, NULL};
    const char *const group[] = {"groupdel", name, NULL};
    struct proc_output output = {0};
    struct err err = {0};

    if (run(user, &output, &err))
        proc_output_release(&output);
    if (run(group, &output, &err))
        proc_output_release(&output);
}

char *systemd_mount_unit(const char *path)
{
    static const char plain[] = "abcdefghijklmnopqrstuvwxyzABCDEFGHIJKLMNOPQRSTUVWXYZ0123456789:_.";
    char *unit = xcalloc(4 * strlen(path) + sizeof(".mount"), 1);
    char *to = unit;

    for (const char *at = path + strspn(path, "/"); *at != '\0'; at++) {
        if (*at == '/')
            *to++ = '-';
        else if (strchr(plain, *at) != NULL)
            *to++ = *at;
        else
            to += snprintf(to, 5, "\\x%02x", (unsigned int)(unsigned char)*at);
    }
    memcpy(to, ".mount", sizeof(".mount"));
    return unit;
}

bool systemd_become_log(const char *name, char *const arguments[], struct err *err)
{
    cleanup_free char *own = xasprintf("--unit=%s-*.service", name);
    size_t count = 0;
    cleanup_free char **argv = NULL;

    while (arguments[count] != NULL)
        count++;
    argv = xcalloc(count + 3, sizeof(*argv));
    argv[0] = (char *)"journalctl";
    argv[1] = own;
    memcpy(argv + 2, arguments, count * sizeof(*argv));
    (void)execvp(argv[0], argv);
    return err_sys(err, "journalctl");
}
