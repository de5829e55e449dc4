/* SPDX-License-Identifier: MIT */
/*
 * What ps shows. The kernel was given the loader's words first, so a process's command line would
 * begin with them, and a title (Ruby's `$0 = "..."`, which writes over the words of main()) would
 * stand behind them, cut. Where the words are is moved to those of main(): PR_SET_MM_MAP, which
 * needs no capability, but a kernel with CONFIG_CHECKPOINT_RESTORE. Where it is refused, or /proc
 * is not mounted, ps shows more than it should, and nothing else is different.
 */
#include <fcntl.h>
#include <linux/prctl.h>
#include <string.h>
#include <sys/prctl.h>
#include <sys/syscall.h>
#include <unistd.h>

#include "guest.h"

/* Of /proc/self/stat, proc_pid_stat(5). The name, field 2, is in parentheses. */
enum {
    STAT_MAX = 2048,
    STAT_BEHIND_NAME = 3,
    STAT_START_CODE = 26,
    STAT_END_CODE = 27,
    STAT_START_STACK = 28,
    STAT_START_DATA = 45,
    STAT_END_DATA = 46,
    STAT_START_BRK = 47,
    STAT_ARG_START = 48,
    STAT_ARG_END = 49,
    STAT_ENV_START = 50,
    STAT_ENV_END = 51,
    STAT_FIELDS = 52,
};

static bool read_stat(char text[STAT_MAX])
{
    int fd = open("/proc/self/stat", O_RDONLY | O_CLOEXEC);
    ssize_t length;

    if (fd < 0)
        return false;
    length = read(fd, text, STAT_MAX - 1);
    close(fd);
    if (length <= 0)
        return false;
    text[length] = '\0';
    return true;
}

static bool parse_stat(const char *text, unsigned long fields[STAT_FIELDS])
{
    const char *at = strrchr(text, ')');

    if (at == NULL)
        return false;
    at++;
    for (int i = STAT_BEHIND_NAME; i < STAT_FIELDS; i++) {
        if (*at++ != ' ')
            return false;
        fields[i] = 0;
        for (; *at != ' ' && *at != '\0' && *at != '\n'; at++) {
            if (*at >= '0' && *at <= '9')
                fields[i] = fields[i] * 10 + (unsigned long)(*at - '0');
        }
    }
    return true;
}

void title_apply(char *const argv[])
{
    char text[STAT_MAX];
    unsigned long fields[STAT_FIELDS] = {0};
    unsigned long start = (unsigned long)argv[0];
    struct prctl_mm_map map = {0};

    if (!read_stat(text) || !parse_stat(text, fields) || start <= fields[STAT_ARG_START] ||
        start >= fields[STAT_ARG_END])
        return;
    map.start_code = fields[STAT_START_CODE];
    map.end_code = fields[STAT_END_CODE];
    map.start_data = fields[STAT_START_DATA];
    map.end_data = fields[STAT_END_DATA];
    map.start_brk = fields[STAT_START_BRK];
    map.brk = (unsigned long)syscall(SYS_brk, 0);
    map.start_stack = fields[STAT_START_STACK];
    map.arg_start = start;
    map.arg_end = fields[STAT_ARG_END];
    map.env_start = fields[STAT_ENV_START];
    map.env_end = fields[STAT_ENV_END];
    map.exe_fd = (unsigned int)-1; /* unchanged */
    (void)prctl(PR_SET_MM, PR_SET_MM_MAP, &map, sizeof(map), 0);
}
