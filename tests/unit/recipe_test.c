/* SPDX-License-Identifier: MIT */
/* Mirrors recipe.c. Cases: the recipes of the tree · every key · refused texts · conditions. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include <cmocka.h>
#include <glob.h>

#include "bundler/recipe.h"
#include "common/err.h"

static const char every_key[] = "name: all\n"
                                "summary: every key\n"
                                "match:\n"
                                "  soname: ['libssl.so.*', libz.so.1]\n"
                                "  gem: [ffi]\n"
                                "  imports: [iconv_open]\n"
                                "  exists: [/etc/x*, config/y]\n"
                                "  without_gem: [fiddle]\n"
                                "  glibc_below: \"2.34\"\n"
                                "libs: [liba.so.1, libb.so.2]\n"
                                "required_libs: [libc.so.6]\n"
                                "host: ['libGL.so.*']\n"
                                "files: [/etc/x, /usr/share/y]\n"
                                "required_files: ['${LIBDIR}/z*']\n"
                                "programs: [/usr/bin/x*]\n"
                                "ignore: ['${LIBDIR}/w']\n"
                                "directories:\n"
                                "  - path: ${LIBDIR}/modules-*\n"
                                "    env: MODULES\n"
                                "    modules: true\n"
                                "    search: true\n"
                                "    sonames: true\n"
                                "    required: true\n"
                                "  - path: /usr/share/data\n"
                                "commands:\n"
                                "  - run: [/usr/bin/list, --all]\n"
                                "    output: ${LIBDIR}/list\n"
                                "    remove: [/usr, '${LIBDIR}/']\n"
                                "first_runs:\n"
                                "  - gem: packed\n"
                                "    run: [bin/packed, --version]\n"
                                "    makes: bin/packed_*[0-9]\n"
                                "    as: bin/packed_program\n"
                                "    instead_of: bin/packed\n"
                                "    leave_out: ['bin/*.gz']\n"
                                "sources:\n"
                                "  - gem: slow\n"
                                "    version: '1.*'\n"
                                "    file: lib/slow.rb\n"
                                "    behind: def slow; end\n"
                                "fallback:\n"
                                "  - env: TZDIR\n"
                                "    host: [/usr/share/zoneinfo]\n"
                                "    files: [/usr/share/zoneinfo]\n"
                                "advice: beware\n"
                                "env: ['A=${ROOT}${LIBDIR}:${ROOT}', 'B=']\n"
                                "notes: none\n";

static struct recipe *load(const char *text)
{
    struct recipe *recipe = NULL;
    struct err err = {0};

    if (!recipe_load(text, strlen(text), "x.yml", &recipe, &err))
        fail_msg("%s", err.msg);
    return recipe;
}

static void assert_refused(const char *text, const char *why)
{
    struct recipe *recipe = NULL;
    struct err err = {0};

    assert_false(recipe_load(text, strlen(text), "x.yml", &recipe, &err));
    assert_string_equal(err.id, "E-RECIPE");
    if (strstr(err.msg, why) == NULL)
        fail_msg("'%s' does not say '%s'", err.msg, why);
    assert_null(recipe);
}

static void every_key_is_read(void **state)
{
    struct recipe *recipe = load(every_key);

    (void)state;
    assert_string_equal(recipe->name, "all");
    assert_string_equal(recipe->summary, "every key");
    assert_int_equal(recipe->match->soname_count, 2);
    assert_string_equal(recipe->match->gems[0], "ffi");
    assert_int_equal(recipe->lib_count, 2);
    assert_string_equal(recipe->libs[1], "libb.so.2");
    assert_string_equal(recipe->required_libs[0], "libc.so.6");
    assert_string_equal(recipe->files[1], "/usr/share/y");
    assert_string_equal(recipe->env[0], "A=${ROOT}${LIBDIR}:${ROOT}");
    assert_string_equal(recipe->match->imports[0], "iconv_open");
    assert_string_equal(recipe->match->exists[1], "config/y");
    assert_string_equal(recipe->host[0], "libGL.so.*");
    assert_string_equal(recipe->required_files[0], "${LIBDIR}/z*");
    assert_string_equal(recipe->ignore[0], "${LIBDIR}/w");
    assert_int_equal(recipe->directory_count, 2);
    assert_string_equal(recipe->directories[0].env, "MODULES");
    assert_true(recipe->directories[0].modules && recipe->directories[0].search &&
                recipe->directories[0].sonames && recipe->directories[0].required);
    assert_null(recipe->directories[1].env);
    assert_false(recipe->directories[1].modules || recipe->directories[1].search ||
                 recipe->directories[1].sonames || recipe->directories[1].required);
    assert_string_equal(recipe->commands[0].run[1], "--all");
    assert_string_equal(recipe->commands[0].remove[1], "${LIBDIR}/");
    assert_string_equal(recipe->first_runs[0].gem, "packed");
    assert_string_equal(recipe->first_runs[0].run[1], "--version");
    assert_string_equal(recipe->first_runs[0].makes, "bin/packed_*[0-9]");
    assert_string_equal(recipe->first_runs[0].as, "bin/packed_program");
    assert_string_equal(recipe->first_runs[0].instead_of, "bin/packed");
    assert_string_equal(recipe->first_runs[0].leave_out[0], "bin/*.gz");
    assert_string_equal(recipe->sources[0].gem, "slow");
    assert_string_equal(recipe->sources[0].version, "1.*");
    assert_string_equal(recipe->sources[0].file, "lib/slow.rb");
    assert_string_equal(recipe->sources[0].behind, "def slow; end");
    assert_string_equal(recipe->fallbacks[0].env, "TZDIR");
    assert_string_equal(recipe->fallbacks[0].host[0], "/usr/share/zoneinfo");
    assert_string_equal(recipe->advice, "beware");
    assert_string_equal(recipe->notes, "none");
    recipe_free(recipe);
}

static void wrong_recipes_name_file_and_line(void **state)
{
    (void)state;
    assert_refused("name: x\nsummary: y\nalways: true\nlbis: [a]\n", "x.yml:4: unknown key 'lbis'");
    assert_refused("name: x\nsummary: y\nmatch:\n  sonames: [a]\n",
                   "x.yml:4: unknown key 'sonames'");
    assert_refused("name: x\nsummary: y\nlibs: a\n", "x.yml:3: expecting SEQUENCE");
    assert_refused("name: x\nsummary: y\nlibs: [a\n", "x.yml:3: libyaml");
    assert_refused("summary: y\n", "missing required mapping field: name");
    assert_refused("name: x\nname: y\nsummary: z\n", "already seen: name");
    assert_refused("name: &a x\nsummary: *a\nalways: true\n", "x.yml");
    assert_refused("", "is empty");
    assert_refused("- 1\n", "x.yml");
    assert_refused("\x80\xff", "x.yml");
}

static void assert_hint(const char *text, const char *hint)
{
    struct recipe *recipe = NULL;
    struct err err = {0};

    assert_false(recipe_load(text, strlen(text), "x.yml", &recipe, &err));
    assert_string_equal(err.hint, hint);
}

static void unknown_keys_are_compared_with_those_of_their_map(void **state)
{
    (void)state;
    assert_hint("name: x\nsummary: y\nlbis: [a]\n", "did you mean 'libs'?");
    assert_hint("name: x\nsummary: y\nmatch:\n  sonames: [a]\n", "did you mean 'soname'?");
    assert_hint("name: x\nsummary: y\ndirectories:\n  - path: /a\n  - pat: /b\n",
                "did you mean 'path'?");
    assert_hint("name: x\nsummary: y\nfirst_runs:\n  - gme: a\n", "did you mean 'gem'?");
    /* Of another map. */
    assert_hint("name: x\nsummary: y\nimports: [a]\n", "see which there are: man rucksack-recipe");
    assert_hint("name: x\nsummary: y\nmatch:\n  advice: a\n",
                "see which there are: man rucksack-recipe");
}

static void wrong_values_are_refused(void **state)
{
    (void)state;
#define HEAD "name: x\nsummary: y\n"
    assert_refused("name: ../x\nsummary: y\nalways: true\n", "'../x'");
    assert_refused(HEAD, "either");
    assert_refused(HEAD "always: true\nmatch: {gem: [a]}\n", "either");
    assert_refused(HEAD "match: {gem: []}\n", "either");
    assert_refused(HEAD "match: {without_gem: [a]}\n", "either");
    assert_refused(HEAD "always: true\nprograms: [node]\n", "programs: 'node'");
    assert_refused(HEAD "match: {glibc_below: new}\n", "'new' is not a version");
    assert_refused(HEAD "always: true\nlibs: [/lib/liba.so]\n", "is not a soname");
    assert_refused(HEAD "always: true\nrequired_libs: [a/b]\n", "is not a soname");
    assert_refused(HEAD "always: true\nfiles: [etc/x]\n", "absolute");
    assert_refused(HEAD "always: true\nfiles: [/etc/../root]\n", "absolute");
    assert_refused(HEAD "always: true\nenv: [A]\n", "NAME=value");
    assert_refused(HEAD "always: true\nenv: ['1A=b']\n", "NAME=value");
    assert_refused(HEAD "always: true\nenv: ['A=$HOME']\n", "NAME=value");
    assert_refused(HEAD "always: true\ndisabled: true\n", "either");
    assert_refused(HEAD "match: {exists: [../x]}\n", "without '..'");
    assert_refused(HEAD "always: true\nfiles: ['/usr/${LIBDIR}/x']\n", "absolute");
    assert_refused(HEAD "always: true\nhost: [/usr/lib/x]\n", "is not a soname");
    assert_refused(HEAD "always: true\nignore: [x]\n", "ignore: 'x'");
    assert_refused(HEAD "always: true\ndirectories: [{path: x}]\n", "path: 'x'");
    assert_refused(HEAD "always: true\ndirectories: [{path: /x, env: A-B}]\n", "env: 'A-B'");
    assert_refused(HEAD "always: true\ndirectories: [{env: A}]\n", "field: path");
    assert_refused(HEAD "always: true\ncommands: [{run: [ls], output: /x}]\n", "run: 'ls'");
    assert_refused(HEAD "always: true\ncommands: [{run: [], output: /x}]\n", "a command");
    assert_refused(HEAD "always: true\ncommands: [{run: [/x], output: y}]\n", "output: 'y'");
    assert_refused(HEAD "always: true\nfallback: [{env: A, host: [x]}]\n", "host: 'x'");
#define FIRST HEAD "always: true\nfirst_runs: [{gem: g, "
    assert_refused(FIRST "run: [], makes: a, as: b}]\n", "a script of the gem");
    assert_refused(FIRST "run: [/bin/a], makes: a, as: b}]\n", "run: '/bin/a'");
    assert_refused(FIRST "run: [a], makes: ../a, as: b}]\n", "makes: '../a'");
    assert_refused(FIRST "run: [a], makes: a, as: b/../../c}]\n", "as: 'b/../../c'");
    assert_refused(FIRST "run: [a], makes: a, as: b, instead_of: /c}]\n", "instead_of: '/c'");
    assert_refused(FIRST "run: [a], makes: a, as: b, leave_out: [..]}]\n", "leave_out: '..'");
    assert_refused(FIRST "run: [a], makes: a}]\n", "field: as");
#undef FIRST
#define SOURCE HEAD "always: true\nsources: [{gem: g, version: '1', "
    assert_refused(SOURCE "file: /a.rb, behind: b}]\n", "file: '/a.rb'");
    assert_refused(SOURCE "file: a/../../b.rb, behind: b}]\n", "file: 'a/../../b.rb'");
    assert_refused(SOURCE "file: a.rb}]\n", "field: behind");
#undef SOURCE
#undef HEAD
}

static void conditions_decide(void **state)
{
    static const char *const sonames[] = {"libcrypto.so.3", "libssl.so.3"};
    static const char *const gems[] = {"puma", "ffi"};
    const struct recipe_context all = {.sonames = sonames,
                                       .soname_count = 2,
                                       .gems = gems,
                                       .gem_count = 2,
                                       .glibc_major = 2,
                                       .glibc_minor = 33};
    const struct recipe_context newer = {.sonames = sonames,
                                         .soname_count = 2,
                                         .gems = gems,
                                         .gem_count = 2,
                                         .glibc_major = 2,
                                         .glibc_minor = 34};
    static const char *const both[] = {"ffi", "fiddle"};
    const struct recipe_context without = {.gems = both, .gem_count = 2};
    const struct recipe_context none = {.glibc_major = 2, .glibc_minor = 31};
    struct recipe *recipe = load(every_key);

    (void)state;
    assert_true(recipe_matches(recipe, &all));
    assert_false(recipe_matches(recipe, &newer));
    assert_false(recipe_matches(recipe, &none));
    recipe_free(recipe);
    recipe = load("name: x\nsummary: y\nmatch: {soname: ['libssl.so.*']}\n");
    assert_true(recipe_matches(recipe, &newer));
    assert_false(recipe_matches(recipe, &none));
    recipe_free(recipe);
    recipe = load("name: x\nsummary: y\nmatch: {glibc_below: '2.34'}\n");
    assert_true(recipe_matches(recipe, &none));
    assert_false(recipe_matches(recipe, &newer));
    recipe_free(recipe);
    recipe = load("name: x\nsummary: y\nmatch: {gem: [ffi, pg], without_gem: [fiddle]}\n");
    assert_true(recipe_matches(recipe, &all));
    assert_false(recipe_matches(recipe, &without));
    recipe_free(recipe);
    recipe = load("name: x\nsummary: y\nalways: true\n");
    assert_true(recipe_matches(recipe, &none));
    recipe_free(recipe);
}

static bool is_asked(const char *text, void *data)
{
    return strcmp(text, data) == 0;
}

static void conditions_ask(void **state)
{
    char symbol[] = "iconv_open";
    char place[] = "/etc/x";
    struct recipe_context context = {.imports = is_asked, .data = symbol};
    struct recipe *recipe = load("name: x\nsummary: y\nmatch: {imports: [dlopen, iconv_open]}\n");

    (void)state;
    assert_true(recipe_matches(recipe, &context));
    context.data = place;
    assert_false(recipe_matches(recipe, &context));
    recipe_free(recipe);
    recipe = load("name: x\nsummary: y\nmatch: {exists: [/etc/x]}\n");
    assert_false(recipe_matches(recipe, &context));
    context.exists = is_asked;
    assert_true(recipe_matches(recipe, &context));
    recipe_free(recipe);
    recipe = load("name: x\nsummary: y\ndisabled: true\n");
    assert_false(recipe_matches(recipe, &context));
    assert_false(recipe_matches_soname(recipe, "libx.so"));
    recipe_free(recipe);
}

static void the_recipes_of_the_tree_load(void **state)
{
    glob_t found;

    (void)state;
    assert_int_equal(glob("recipes/*.yml", 0, NULL, &found), 0);
    for (size_t i = 0; i < found.gl_pathc; i++) {
        char text[RECIPE_MAX];
        struct recipe *recipe = NULL;
        struct err err = {0};
        FILE *file = fopen(found.gl_pathv[i], "re");
        size_t len;

        assert_non_null(file);
        len = fread(text, 1, sizeof(text), file);
        fclose(file);
        if (!recipe_load(text, len, found.gl_pathv[i], &recipe, &err))
            fail_msg("%s", err.msg);
        assert_non_null(strstr(found.gl_pathv[i], recipe->name));
        recipe_free(recipe);
    }
    globfree(&found);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(every_key_is_read),
        cmocka_unit_test(wrong_recipes_name_file_and_line),
        cmocka_unit_test(unknown_keys_are_compared_with_those_of_their_map),
        cmocka_unit_test(wrong_values_are_refused),
        cmocka_unit_test(conditions_decide),
        cmocka_unit_test(conditions_ask),
        cmocka_unit_test(the_recipes_of_the_tree_load),
    };

    return cmocka_run_group_tests(tests, NULL, NULL);
}
