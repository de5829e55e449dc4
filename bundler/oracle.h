/* SPDX-License-Identifier: MIT */
#pragma once
/*
 * The second opinion: what a loader itself says that it maps for a file, and whether a simulated
 * process is the same. glibc's loader is run with LD_TRACE_LOADED_OBJECTS=1, musl's with --list;
 * both map the file and run nothing of it. The loader is started, never the file.
 *
 * Mapping a hostile file can crash a loader. So only files of root or of the user are given to it,
 * and nothing that would change user or rights.
 */
#include <stdbool.h>

struct err;
struct loader;
struct process;
struct search_mode;

enum oracle_answer {
    ORACLE_SAME,
    ORACLE_DIFFERENT,
    ORACLE_NONE, /* not asked, or it gave no answer */
};

/*
 * Compares. The loader is given the options of the mode. *ret_text says what is different, or why
 * there is no answer; owned by the caller, NULL when all is the same. A NULL process stands for a
 * load that failed: the same is a loader that fails, too.
 */
enum oracle_answer oracle_compare(const struct loader *loader, const struct search_mode *mode,
                                  const char *path, const struct process *process, char **ret_text);
