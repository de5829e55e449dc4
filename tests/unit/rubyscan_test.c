/* SPDX-License-Identifier: MIT */
/* Mirrors rubyscan.c. Cases: each call · alternatives · constants · what is no name · cut files. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include <cmocka.h>

#include "bundler/rubyscan.h"

struct found {
    char text[4096]; /* "line:name|name " for each argument */
    size_t len;
};

static void take(const struct rubyscan_call *call, void *context)
{
    struct found *found = context;
    size_t room = sizeof(found->text);

    found->len += (size_t)snprintf(found->text + found->len, room - found->len, "%zu:", call->line);
    for (size_t i = 0; i < call->name_count; i++)
        found->len += (size_t)snprintf(found->text + found->len, room - found->len, "%s%s",
                                       i > 0 ? "|" : "", call->names[i]);
    found->len += (size_t)snprintf(found->text + found->len, room - found->len, " ");
}

static void assert_found(const char *text, const char *want)
{
    struct found found = {0};
    char *exact = malloc(strlen(text) + 1); /* so that a sanitizer sees what is read behind it */

    assert_non_null(exact);
    memcpy(exact, text, strlen(text));
    rubyscan(exact, strlen(text), take, &found);
    free(exact);
    assert_string_equal(found.text, want);
}

static void calls_are_found(void **state)
{
    (void)state;
    assert_found("ffi_lib 'magic'\n", "1:magic ");
    assert_found("\n  ffi_lib(\"libmagic.so.1\")\n", "2:libmagic.so.1 ");
    assert_found("dlload \"liba.so.1\", 'libb.so.2'\n", "1:liba.so.1 1:libb.so.2 ");
    assert_found("x = Fiddle.dlopen('libc.so.6')", "1:libc.so.6 ");
    assert_found("Fiddle::Handle.new 'libd.so'\n", "1:libd.so ");
    assert_found("Fiddle::dlopen(\"/opt/x/libe.so\")\n", "1:/opt/x/libe.so ");
}

static void alternatives_stay_together(void **state)
{
    (void)state;
    assert_found("ffi_lib ['a', \"b\"], 'c'\n", "1:a|b 1:c ");
    assert_found("ffi_lib %w[a b]\n", "1:a|b ");
    assert_found("ffi_lib mac? ? 'a' : 'b'\n", "1:a|b ");
    assert_found("ffi_lib ['a',\n  # 'no'\n  'b']\n", "1:a|b ");
    assert_found("ffi_lib library_name('vips', 42)\n", "1:vips ");
    assert_found("ffi_lib 'libcurl,libcurl.so.4'.split(',')\n", "1:libcurl|libcurl.so.4 ");
    assert_found("ffi_lib ENV.fetch('CURL', 'a,b').split(','), 'c'\n", "1:a|b 1:c ");
    assert_found("ffi_lib ENV.fetch('CURL'), 'c'\n", "1:c ");
}

static void constants_are_followed(void **state)
{
    (void)state;
    assert_found("LIB = 'a'\nffi_lib LIB\n", "2:a ");
    assert_found("  LIBS = %w[a b].freeze\nffi_lib LIBS, 'c'", "2:a|b 2:c ");
    assert_found("LIB == 'a'\nffi_lib LIB\n", "");
    assert_found("ffi_lib FFI::Library::LIBC\n", "");
    assert_found("A = A\nffi_lib A\n", "");
}

static void what_is_no_name_is_left(void **state)
{
    (void)state;
    assert_found("# ffi_lib 'a'\nx # ffi_lib 'b'\n", "");
    assert_found("def ffi_lib('a')\n", "");
    assert_found("my_ffi_lib 'a'\nffi_library 'b'\n:ffi_lib 'c'\n", "");
    assert_found("ffi_lib \"#{dir}/liba.so\"\n", "");
    assert_found("ffi_lib 'kernel32', 'x.dll', 'msvcrt', 'y.dylib'\n", "");
    assert_found("ffi_lib RbConfig::CONFIG['LIBRUBY_SO']\n", "");
    assert_found("ffi_lib name\n'a'\n", "");
}

static void cut_files_end(void **state)
{
    static const char text[] = "LIB = %w[a b]\nffi_lib ['c', %w(d e), LIB], \"f\" # g\n";

    (void)state;
    for (size_t len = 0; len < sizeof(text); len++) {
        char *exact = malloc(len + 1);
        struct found found = {0};

        assert_non_null(exact);
        exact = realloc(exact, len > 0 ? len : 1);
        assert_non_null(exact);
        memcpy(exact, text, len);
        rubyscan(exact, len, take, &found);
        free(exact);
        assert_true(found.len < sizeof(found.text));
    }
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(calls_are_found),        cmocka_unit_test(alternatives_stay_together),
        cmocka_unit_test(constants_are_followed), cmocka_unit_test(what_is_no_name_is_left),
        cmocka_unit_test(cut_files_end),
    };

    return cmocka_run_group_tests(tests, NULL, NULL);
}
