/* SPDX-License-Identifier: MIT */
#include "bundler/server.h"

#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>

#include "bundler/probe.h"

/* By name, as the probe has them. */
static struct server of(const char *command, const char *puma, const char *sd_notify)
{
    struct probe_gem gems[2] = {{0}};
    struct probe probe = {.gems = gems};

    if (puma != NULL)
        gems[probe.gem_count++] = (struct probe_gem){.name = "puma", .version = puma};
    if (sd_notify != NULL)
        gems[probe.gem_count++] = (struct probe_gem){.name = "sd_notify", .version = sd_notify};
    return server_of(command, &probe);
}

static void test_commands(void **state)
{
    static const char *const pumas[] = {"puma", "bundle exec puma -C config/puma.rb", "bin/puma",
                                        "exec bundle exec puma", "RACK_ENV=production puma -t 1:5"};
    static const char *const others[] = {
        "bin/rails server", "falcon host", "bundle exec sidekiq", "puma | tee log", "echo puma",
        "bundle exec",      "puma-status", "bundle install puma", "'unclosed"};

    (void)state;
    for (size_t i = 0; i < sizeof(pumas) / sizeof(pumas[0]); i++) {
        assert_true(of(pumas[i], "6.4.2", NULL).takes_sockets);
        assert_true(of(pumas[i], "6.4.2", NULL).notifies);
    }
    for (size_t i = 0; i < sizeof(others) / sizeof(others[0]); i++) {
        assert_false(of(others[i], "6.4.2", NULL).takes_sockets);
        assert_false(of(others[i], "6.4.2", NULL).notifies);
    }
}

static void test_versions(void **state)
{
    static const struct {
        const char *puma;
        const char *sd_notify;
        bool takes_sockets;
        bool notifies;
    } cases[] = {
        {NULL, NULL, false, false},       {"4.3.12", NULL, false, false},
        {"5.0.4", NULL, false, false},    {"5.0.4", "0.1.1", false, false},
        {"5.1.0", NULL, true, false},     {"5.6.9", "0.1.1", true, true},
        {"6.0.2", NULL, true, false},     {"6.0.2", "0.1.1", true, true},
        {"6.1.0", NULL, true, true},      {"8.0.2", NULL, true, true},
        {"10.0.0.pre", NULL, true, true}, {"nonsense", NULL, false, false},
    };

    (void)state;
    for (size_t i = 0; i < sizeof(cases) / sizeof(cases[0]); i++) {
        struct server server = of("puma", cases[i].puma, cases[i].sd_notify);

        assert_int_equal(server.takes_sockets, cases[i].takes_sockets);
        assert_int_equal(server.notifies, cases[i].notifies);
    }
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_commands),
        cmocka_unit_test(test_versions),
    };

    return cmocka_run_group_tests(tests, NULL, NULL);
}
