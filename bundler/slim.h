/* SPDX-License-Identifier: MIT */
#pragma once
/*
 * The part of Ruby's standard library that something in the bundle names: `slim: true`.
 *
 * A library is what begins with one name: json.rb, json/ and json.so. It stays when Ruby loads it
 * by itself, or when a source or compiled object of the application, of a gem or of a library that
 * stays has its name as a literal (bundler/literal.h), whether it is required there or not.
 * RubyGems stays as it is and names nothing, and so does Bundler, where there is a Gemfile: most of
 * them installs gems. Of the converters between encodings, the large ones stay whose encoding is
 * named.
 *
 * What is left out raises LoadError when it is required, and says how it would stay.
 */
#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

struct config;
struct config_list;
struct err;
struct plan;
struct probe;
struct report;

struct slim_request {
    const struct probe *probe;
    const struct config_list *const *keep; /* NULL-terminated: patterns of "ruby/json" */
    bool has_bundler;                      /* a Gemfile: the real one can be asked for */
    const struct config *config;           /* whose commands require, too */
};

struct slim {
    size_t libraries; /* of the standard library */
    size_t kept;
    uint64_t files; /* that are left out */
    uint64_t bytes; /* of them */
};

/* After all sources are planned, before libraries are: what only a left-out extension needs is not
 * looked for. E-READ. */
[[nodiscard]] bool slim_plan(struct slim *ret, const struct slim_request *request,
                             const struct report *report, struct plan *plan, struct err *err);
