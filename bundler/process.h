/* SPDX-License-Identifier: MIT */
#pragma once
/*
 * A simulated process: the objects that a dynamic loader has mapped (struct link_map), why each of
 * them is there, and what it did not find. load.h fills it; nothing here touches a file.
 */
#include <stdbool.h>
#include <stddef.h>
#include <sys/types.h>

#include "bundler/names.h"
#include "bundler/search.h"

struct elf;

enum { PROCESS_NONE = -1 };

struct map {
    const struct elf *elf;
    char *path; /* as the loader opened it; relative where that depends on the working directory */
    char *origin; /* what $ORIGIN stands for */
    long loader;  /* the map that caused the load; PROCESS_NONE: main program, or after dlopen() */
    enum walk_found found;
    bool is_named;      /* musl: found by a search, so that its file name stands for it */
    struct names names; /* by which it was asked for; the first one caused the load */
    const char *owner;  /* of the root that brought it: "gem 'pg'"; borrowed, may be NULL */
    size_t sealed_names;
};

/* A name in the dynamic section of one map, and what it led to. */
struct process_edge {
    size_t from;
    size_t to;
    char *name;
    enum walk_found found;
    long via; /* the map whose RPATH or RUNPATH found it, or PROCESS_NONE */
};

struct process_missing {
    size_t from;
    char *name;
    char *tried;      /* every path, in order */
    bool is_optional; /* DT_AUXILIARY: the process starts without it */
};

struct process {
    struct map *maps; /* in the order in which they were mapped, main program first */
    size_t count;
    size_t capacity;

    struct process_edge *edges; /* in the order in which the loader met them */
    size_t edge_count;
    size_t edge_capacity;

    struct process_missing *missing;
    size_t missing_count;
    size_t missing_capacity;

    size_t *order; /* maps of the last load in the order of symbol search: its own first */
    size_t order_count;

    size_t sealed_count; /* what process_rewind() keeps */
    size_t sealed_edges;
};

/* Appends a map without names. path and origin are copied. */
struct map *process_add(struct process *process, const struct elf *elf, const char *path,
                        const char *origin);
void process_add_edge(struct process *process, const struct process_edge *edge); /* copies name */
/* Takes tried, copies name. */
void process_add_missing(struct process *process, const struct process_missing *missing);

/* The map of a file, however it was opened; the main program is never compared. */
long process_find_file(const struct process *process, const struct elf *elf);

/* The loader compares names before it touches any file: names asked for, path, DT_SONAME. */
long process_find_name(const struct process *process, const char *name);

/* "needed by libssl.so.3 of gem 'pg'"; owned by the caller. */
[[nodiscard]] char *process_reason(const struct map *asker);

/* Remembers the state right after the program's start, before any dlopen(); and goes back there,
 * forgetting what is missing. */
void process_seal(struct process *process);
void process_rewind(struct process *process);
void process_release(struct process *process);
