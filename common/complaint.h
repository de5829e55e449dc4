/* SPDX-License-Identifier: MIT */
#pragma once
/*
 * The one error of a program, as its user sees it: "rucksack: ID: message", and "hint: ..." in a
 * line of its own. Called once, by main().
 */
struct err;

/* On stderr. Messages quote names out of images, archives and states of others: made visible. */
void complaint_print(const struct err *err);

/* The same, with what comes before and behind the program's name: colours of a terminal. */
void complaint_print_marked(const struct err *err, const char *before, const char *behind);
