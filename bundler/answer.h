/* SPDX-License-Identifier: MIT */
#pragma once
/*
 * What an application's own Ruby and Bundler said at the last build, in the cache: a build begins
 * with that while they are asked again, and begins anew when they say something else. Nobody sees
 * all that a Gemfile reads, so an answer of last time is never more than a guess.
 */
struct app;

/* The text of probe_read(), owned by the caller; NULL: none is known. question: what a build
 * depends on beside files (record_open()); of files those count that name gems. */
char *answer_recall(const char *question, const struct app *app);
void answer_keep(const char *question, const struct app *app, const char *text);
