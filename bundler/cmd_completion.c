/* SPDX-License-Identifier: MIT */
/*
 * `rucksack completion SHELL`: a script that completes the command line in bash, zsh or fish, from
 * the tables by which it is parsed.
 *
 * bash(1), "Programmable Completion"; zshcompsys(1), _arguments; fish: complete(1).
 */
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "bundler/command.h"
#include "common/cleanup.h"
#include "common/err.h"
#include "common/suggest.h"
#include "common/text.h"
#include "common/xalloc.h"

/* What can stand where a value or an operand is expected. */
enum kind { KIND_TEXT, KIND_FILE, KIND_DIR };

static enum kind kind_of(const char *placeholder)
{
    if (strncmp(placeholder, "DIR", 3) == 0)
        return KIND_DIR;
    return strncmp(placeholder, "FILE", 4) == 0 ? KIND_FILE : KIND_TEXT;
}

/* What is not meant as it is (below) is a file for every command, first or last. */
static bool takes_files(const struct command *command)
{
    return strpbrk(command->operands, "ABCDEFGHIJKLMNOPQRSTUVWXYZ") != NULL;
}

/* Operands in small letters are meant as they are: "list show check", separated by blanks. */
static char *literal_operands(const struct command *command)
{
    char *words = xstrdup("");

    for (const char *at = command->operands; *at != '\0';) {
        size_t len = strspn(at, "abcdefghijklmnopqrstuvwxyz");

        if (len > 0) {
            cleanup_free char *word = xstrndup(at, len);

            text_join(&words, " ", word);
        }
        at += len > 0 ? len : 1;
    }
    return words;
}

static bool has_options(const struct command *command)
{
    return command->options != NULL && command->options->type != OPTION_END;
}

/* Text between single quotes of a shell, with a backslash before each character of special. */
static void print_quoted(const char *text, const char *special)
{
    for (; *text != '\0'; text++) {
        if (*text == '\'') {
            fputs("'\\''", stdout);
            continue;
        }
        if (strchr(special, *text) != NULL)
            putchar('\\');
        putchar(*text);
    }
}

/* ---- bash ---- */

static void bash_spellings(const struct option_entry *option, const char *between)
{
    if (option->letter != '\0')
        printf("-%c%s", option->letter, between);
    printf("--%s", option->name);
}

static void bash_values(const struct option_entry *option)
{
    static const char *const actions[] = {[KIND_TEXT] = "",
                                          [KIND_FILE] = "_rucksack_files -f; ",
                                          [KIND_DIR] = "_rucksack_files -d; "};

    if (option->type == OPTION_FLAG)
        return;
    fputs("        ", stdout);
    bash_spellings(option, " | ");
    printf(") %sreturn ;;\n", actions[kind_of(option->value)]);
}

static void bash_command(const struct command *command)
{
    cleanup_free char *words = literal_operands(command);

    printf("    %s)\n", command->name);
    if (has_options(command)) {
        puts("        case $previous in");
        for (const struct option_entry *o = command->options; o->type != OPTION_END; o++)
            bash_values(o);
        puts("        esac");
    }
    fputs("        options='--help", stdout);
    for (const struct option_entry *o = command->options; o != NULL && o->type != OPTION_END; o++) {
        putchar(' ');
        bash_spellings(o, " ");
    }
    printf("'\n        words='%s'\n        files=%s\n        ;;\n", words,
           takes_files(command) ? "yes" : "");
}

static void print_names(const char *between)
{
    for (size_t i = 0; commands[i] != NULL; i++)
        printf("%s%s", i > 0 ? between : "", commands[i]->name);
}

static void bash(void)
{
    puts("# rucksack completion bash: bash 4 or later\n"
         "_rucksack_files()\n{\n"
         "    compopt -o filenames 2>/dev/null\n"
         "    mapfile -t COMPREPLY < <(compgen \"$1\" -- \"$current\")\n}\n\n"
         "_rucksack()\n{\n"
         "    local current=${COMP_WORDS[COMP_CWORD]} previous=${COMP_WORDS[COMP_CWORD - 1]}\n"
         "    local options='' words='' files=''\n"
         "    COMPREPLY=()");
    fputs("    if [ \"$COMP_CWORD\" -eq 1 ]; then\n"
          "        mapfile -t COMPREPLY < <(compgen -W '",
          stdout);
    print_names(" ");
    puts(" help --help --version' -- \"$current\")\n        return\n    fi\n"
         "    case ${COMP_WORDS[1]} in");
    for (size_t i = 0; commands[i] != NULL; i++)
        bash_command(commands[i]);
    fputs("    help) words='", stdout);
    print_names(" ");
    puts("' ;;\n    esac\n"
         "    [[ $current == -* ]] && words=$options files=''\n"
         "    mapfile -t COMPREPLY < <(compgen -W \"$words\" -- \"$current\")\n"
         "    [ -z \"$files\" ] || [ ${#COMPREPLY[@]} -gt 0 ] || _rucksack_files -f\n"
         "}\n\ncomplete -F _rucksack rucksack");
}

/* ---- zsh ---- */

static void zsh_option(const struct option_entry *option)
{
    static const char *const actions[] = {
        [KIND_TEXT] = " ", [KIND_FILE] = "_files", [KIND_DIR] = "_files -/"};
    const char *again = option->type == OPTION_LIST ? "*" : "";
    const char *equals = option->type == OPTION_FLAG ? "" : "=";

    if (option->letter != '\0')
        printf("            '%s(-%c --%s)'{-%c,--%s%s}'[", again, option->letter, option->name,
               option->letter, option->name, equals);
    else
        printf("            '%s--%s%s[", again, option->name, equals);
    print_quoted(option->help, "[]:\\");
    putchar(']');
    if (option->type != OPTION_FLAG) {
        putchar(':');
        print_quoted(option->value, "[]:\\");
        printf(":%s", actions[kind_of(option->value)]);
    }
    puts("' \\");
}

static void zsh_command(const struct command *command)
{
    cleanup_free char *words = literal_operands(command);

    printf("    %s)\n        _arguments \\\n", command->name);
    for (const struct option_entry *o = command->options; o != NULL && o->type != OPTION_END; o++)
        zsh_option(o);
    fputs("            '--help[print the usage]'", stdout);
    if (words[0] != '\0')
        printf(" \\\n            '1:word:(%s)'", words);
    if (takes_files(command))
        fputs(" \\\n            '*:file:_files'", stdout);
    puts(" ;;");
}

static void zsh(void)
{
    puts("#compdef rucksack\n# rucksack completion zsh\n"
         "_rucksack() {\n    local -a commands\n    commands=(");
    for (size_t i = 0; commands[i] != NULL; i++) {
        printf("        '%s:", commands[i]->name);
        print_quoted(commands[i]->summary, ":\\");
        puts("'");
    }
    puts("        'help:print the usage'\n    )\n"
         "    if (( CURRENT == 2 )); then\n        _describe command commands\n"
         "        return\n    fi\n"
         "    local command=$words[2]\n    shift words\n    (( CURRENT-- ))\n"
         "    case $command in");
    for (size_t i = 0; commands[i] != NULL; i++)
        zsh_command(commands[i]);
    puts("    help) _describe command commands ;;\n    esac\n}\n\n"
         "# Loaded by its name from a directory of fpath, or evaluated.\n"
         "if [ \"$funcstack[1]\" = _rucksack ]; then\n    _rucksack \"$@\"\nelse\n"
         "    compdef _rucksack rucksack\nfi");
}

/* ---- fish ---- */

/* "complete" for what stands behind a command. */
static void fish_begin(const char *command)
{
    printf("complete -c rucksack -n 'string match -q -- %s (commandline -opc)[2]'", command);
}

static void fish_help(const char *text)
{
    fputs(" -d '", stdout);
    for (; *text != '\0'; text++) {
        if (*text == '\'' || *text == '\\')
            putchar('\\');
        putchar(*text);
    }
    puts("'");
}

static void fish_command(const struct command *command)
{
    static const char *const values[] = {[KIND_TEXT] = " -x",
                                         [KIND_FILE] = " -r -F",
                                         [KIND_DIR] = " -x -a '(__fish_complete_directories)'"};
    cleanup_free char *words = literal_operands(command);

    for (const struct option_entry *o = command->options; o != NULL && o->type != OPTION_END; o++) {
        fish_begin(command->name);
        if (o->letter != '\0')
            printf(" -s %c", o->letter);
        printf(" -l %s", o->name);
        if (o->type != OPTION_FLAG)
            fputs(values[kind_of(o->value)], stdout);
        fish_help(o->help);
    }
    fish_begin(command->name);
    fputs(" -l help", stdout);
    fish_help("print the usage");
    if (words[0] != '\0') {
        fish_begin(command->name);
        printf(" -a '%s'\n", words);
    }
    if (takes_files(command)) {
        fish_begin(command->name);
        puts(" -F");
    }
}

static void fish(void)
{
    puts("# rucksack completion fish\ncomplete -c rucksack -f");
    for (size_t i = 0; commands[i] != NULL; i++) {
        printf("complete -c rucksack -n __fish_use_subcommand -a %s", commands[i]->name);
        fish_help(commands[i]->summary);
    }
    fputs("complete -c rucksack -n __fish_use_subcommand -a help", stdout);
    fish_help("print the usage");
    fish_begin("help");
    fputs(" -a '", stdout);
    print_names(" ");
    puts("'");
    for (size_t i = 0; commands[i] != NULL; i++)
        fish_command(commands[i]);
}

static const struct {
    const char *name;
    void (*print)(void);
} shells[] = {{"bash", bash}, {"zsh", zsh}, {"fish", fish}};

static bool run(const struct command_args *args, struct err *err)
{
    const char *given = args->operands[0];
    struct suggest suggest = suggest_begin(given);

    for (size_t i = 0; i < sizeof(shells) / sizeof(shells[0]); i++) {
        if (strcmp(shells[i].name, given) == 0) {
            shells[i].print();
            return true;
        }
        suggest_offer(&suggest, shells[i].name);
    }
    (void)err_set(err, ERR_USAGE, "completion: unknown shell '%.100s'", given);
    return suggest_hint(&suggest, "there are: bash, zsh, fish", err);
}

const struct command cmd_completion = {
    .name = "completion",
    .summary = "print a script that completes commands and options in a shell",
    .operands = "bash|zsh|fish",
    .operands_min = 1,
    .operands_max = 1,
    .examples = "  eval \"$(rucksack completion bash)\"\n"
                "  rucksack completion zsh >~/.zfunc/_rucksack\n"
                "  rucksack completion fish >~/.config/fish/completions/rucksack.fish\n",
    .run = run,
};
