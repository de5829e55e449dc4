/* SPDX-License-Identifier: MIT */
#pragma once
/*
 * Files and directories that must not outlive a program which SIGINT, SIGTERM or SIGHUP ends, or
 * exit(3) in the middle of its work, as where there is no memory.
 *
 * While at least one path is watched, these signals remove all watched paths, the last one first,
 * and then end the program as they would have. A signal that was ignored stays ignored (nohup).
 * Nothing helps against SIGKILL: what can do without a name has none. Of a process that forks, only
 * the one that watched first removes anything.
 */
enum { UNFINISHED_MAX = 8 };

/* Watches a file, or a directory that is empty by the time its turn comes; it need not exist yet.
 * The string must stay as it is until unfinished_forget(). At most UNFINISHED_MAX at a time. */
void unfinished_watch(const char *path);

/* Watches a directory with all that is in it, for exit(3) only: to remove it in a handler of a
 * signal is not safe, so what makes one is done by a process of its own (bundler/guard.h). As
 * above.
 */
void unfinished_watch_tree(const char *path);

/* Stops watching that string, compared by address. One that is not watched, or NULL, is ignored. */
void unfinished_forget(const char *path);
