/* SPDX-License-Identifier: MIT */
#pragma once
/*
 * Subcommands. Each cmd_*.c ends in one const struct command; main() parses the command line
 * against its table, so that --help, did-you-mean and the man page have one source.
 */
#include <stdbool.h>
#include <stddef.h>

struct err;
struct signer_input;

enum option_type {
    OPTION_END,
    OPTION_FLAG,  /* --name          sets a bool */
    OPTION_TEXT,  /* --name VALUE    sets a const char * */
    OPTION_COUNT, /* --name N        sets an unsigned int */
    OPTION_LIST,  /* --name VALUE    adds to a struct option_list */
};

enum { OPTION_LIST_MAX = 16 };

struct option_list {
    const char *items[OPTION_LIST_MAX];
    size_t count;
};

struct option_entry {
    const char *name; /* without the dashes */
    char letter;      /* -o, or 0 */
    enum option_type type;
    size_t offset;     /* of the member in the command's options struct */
    const char *value; /* what the help calls the value */
    const char *help;
};

enum { OPTION_STRUCT_MAX = 512 }; /* bytes of a command's options struct */

struct command_args {
    const void *options;         /* the command's options struct */
    const char *const *operands; /* NULL-terminated */
    size_t operand_count;
    struct signer_input *signing; /* the password that the user set; never NULL when run */
};

struct command {
    const char *name;
    const char *summary;
    const char *operands; /* "FILE NAME" for the usage line */
    size_t operands_min;
    size_t operands_max;
    /* The first operand ends the options: what follows belongs to the program that is started. */
    bool passes_on;
    const struct option_entry *options; /* ends with OPTION_END; NULL: none */
    size_t options_size;
    const void *defaults; /* options_size bytes; NULL: all zero */
    const char *examples;
    bool (*run)(const struct command_args *args, struct err *err);
};

extern const struct command cmd_build;
extern const struct command cmd_completion;
extern const struct command cmd_deps;
extern const struct command cmd_diff;
extern const struct command cmd_doctor;
extern const struct command cmd_extract;
extern const struct command cmd_init;
extern const struct command cmd_inspect;
extern const struct command cmd_keygen;
extern const struct command cmd_oci;
extern const struct command cmd_recipes;
extern const struct command cmd_sign;
extern const struct command cmd_why;
extern const struct command cmd_run;
extern const struct command cmd_verify;
extern const struct command cmd_zsync;

/* All of them, ended by NULL, in the order of the help. */
extern const struct command *const commands[];

/*
 * Parses argv (what follows the command's name) into args and options (zeroed by the caller,
 * OPTION_STRUCT_MAX bytes, suitably aligned). operands has room for argc + 1 pointers.
 * ERR_USAGE with a suggestion on anything unknown. Sets *ret_help on --help and -h.
 */
[[nodiscard]] bool command_parse(const struct command *command, int argc, char **argv,
                                 void *options, const char **operands, struct command_args *args,
                                 bool *ret_help, struct err *err);

/* NULL when there is no such command. */
const struct command *command_find(const char *name);

/* The known command nearest to a mistyped one; NULL when none is near. */
const char *command_suggest(const char *name);

/* Help on stdout: of one command, or the overview when command is NULL. */
void command_help(const struct command *command);
