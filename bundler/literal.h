/* SPDX-License-Identifier: MIT */
#pragma once
/*
 * Names that may be of something to load, in Ruby sources and in compiled objects. Not a parser:
 * what a program puts together from parts is not seen. A name has letters, digits and "_-./".
 */
#include <stddef.h>

enum { LITERAL_MAX = 128 }; /* bytes of one; longer ones are passed over */

/* Gets one, which is not NUL-terminated. */
typedef void literal_visit(const char *name, size_t len, void *context);

/* Of a Ruby source: what stands in quotes, in a %w list and behind "Encoding::", but for lines that
 * are comments. */
void literal_in_source(const char *text, size_t size, literal_visit *visit, void *context);

/* The same, of lines that say `require` or `autoload` in some way. */
void literal_in_requires(const char *text, size_t size, literal_visit *visit, void *context);

/* Of a compiled object: C strings that have nothing else. */
void literal_in_object(const char *bytes, size_t size, literal_visit *visit, void *context);
