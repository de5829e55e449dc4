/* SPDX-License-Identifier: MIT */
/* rucksack: finds the subcommand, runs it, prints the one error. */
#include <errno.h>
#include <fcntl.h>
#include <stddef.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include "bundler/annotation.h"
#include "bundler/command.h"
#include "bundler/signer.h"
#include "bundler/terminal.h"
#include "common/cleanup.h"
#include "common/complaint.h"
#include "common/err.h"
#include "common/text.h"
#include "common/xalloc.h"

static int report(const struct err *err, const struct command *command)
{
    bool is_colored = terminal_is_colored(STDERR_FILENO);

    fflush(stdout);
    complaint_print_marked(err, is_colored ? TERMINAL_RED : "", is_colored ? TERMINAL_PLAIN : "");
    annotation_fail(err);
    if (err->kind == ERR_USAGE)
        fprintf(stderr, "Try 'rucksack %s%s--help'.\n", command != NULL ? command->name : "",
                command != NULL ? " " : "");
    switch (err->kind) {
    case ERR_USAGE:
        return 2;
    case ERR_CHECK:
        return 3;
    default:
        return 1;
    }
}

static int unknown_command(const char *name)
{
    struct err err = {0};
    const char *near = command_suggest(name);

    (void)err_set(&err, ERR_USAGE, "unknown command '%.100s'", name);
    if (near != NULL)
        (void)err_hint(&err, "did you mean '%s'?", near);
    return report(&err, NULL);
}

static int run_command(const struct command *command, int argc, char **argv,
                       struct signer_input *signing)
{
    _Alignas(max_align_t) char options[OPTION_STRUCT_MAX] = {0};
    const char **operands = xcalloc((size_t)argc + 1, sizeof(*operands));
    struct command_args args = {0};
    struct err err = {0};
    bool help = false;
    int code = 0;

    bool ok = command_parse(command, argc, argv, options, operands, &args, &help, &err);

    args.signing = signing;
    if (ok && help)
        command_help(command);
    else if (!ok || !command->run(&args, &err))
        code = report(&err, command);
    /* What did not go into the buffer was written, or not, before. */
    if ((fflush(stdout) != 0 || ferror(stdout)) && code == 0) {
        fputs("rucksack: standard output could not be written\n", stderr);
        code = 1;
    }
    free(operands);
    return code;
}

static int run(int argc, char **argv, struct signer_input *signing)
{
    const struct command *command;

    if (argc < 2) {
        command_help(NULL);
        return 2;
    }
    if (strcmp(argv[1], "--version") == 0) {
        puts("rucksack " VERSION);
        return 0;
    }
    if (strcmp(argv[1], "--help") == 0 || strcmp(argv[1], "-h") == 0 ||
        strcmp(argv[1], "help") == 0) {
        command = argc > 2 ? command_find(argv[2]) : NULL;
        command_help(command);
        return 0;
    }
    command = command_find(argv[1]);
    if (command == NULL)
        return unknown_command(argv[1]);
    return run_command(command, argc - 2, argv + 2, signing);
}

/* With a standard descriptor closed, the next file opened would be written to by mistake. Programs
 * that are started still find it closed. */
static void fill_standard_fds(void)
{
    for (int fd = STDIN_FILENO; fd <= STDERR_FILENO; fd++)
        if (fcntl(fd, F_GETFD) < 0 && errno == EBADF)
            (void)open("/dev/null", O_RDWR | O_CLOEXEC);
}

int main(int argc, char **argv)
{
    struct signer_input signing;
    int code;

    fill_standard_fds();
    signer_input_take(&signing);
    code = run(argc, argv, &signing);
    signer_input_release(&signing);
    return code;
}
