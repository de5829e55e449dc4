/* SPDX-License-Identifier: MIT */
/*
 * Mirrors owner.c. The oracle for this machine is dpkg-query. Cases: dpkg with architectures, with
 * and without /usr, links · apk · rpm · no database, damaged ones.
 */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>
#include <glob.h>

#include "bundler/owner.h"
#include "fixture.h"

static void assert_owner(const char *path, const char *package, const char *version)
{
    struct owner owner;

    owner_find(&owner, &path, 1, fixture_dir);
    if (package == NULL)
        assert_null(owner.package);
    else
        assert_string_equal(owner.package, package);
    if (version == NULL)
        assert_null(owner.version);
    else
        assert_string_equal(owner.version, version);
    owner_release(&owner, 1);
}

static void test_dpkg(void **state)
{
    (void)state;
    MUST(
        "mkdir -p var/lib/dpkg/info && cd var/lib/dpkg && "
        "printf \"/.\\n/lib\\n/lib/libz.so.1\\n\" > info/zlib1g:amd64.list && "
        "printf \"/lib/i386/libz.so.1\\n\" > info/zlib1g:i386.list && "
        "printf \"/usr/bin/tool\" > info/tool.list && echo /other > info/ignored.md5sums && "
        "printf \"Package: zlib1g\\nStatus: x\\nArchitecture: i386\\nVersion: 1-i386\\n\\n"
        "Package: zlib1g\\nArchitecture: amd64\\nVersion: 1:1.2-3\\n\\n"
        "Package: tool\\nArchitecture: all\\nDescription: x\\n Version: 9\\nVersion: 7\" > status");
    assert_owner("/lib/libz.so.1", "zlib1g", "1:1.2-3");
    assert_owner("/usr/lib/libz.so.1", "zlib1g", "1:1.2-3");
    assert_owner("/usr/lib/i386/libz.so.1", "zlib1g", "1-i386");
    assert_owner("/bin/tool", "tool", "7");
    assert_owner("/usr/bin/tool", "tool", "7");
    assert_owner("/other", NULL, NULL);
}

static void test_links_are_followed(void **state)
{
    const char *path;

    (void)state;
    MUST("mkdir -p var/lib/dpkg/info && touch libq.so.1.2 && ln -s libq.so.1.2 libq.so.1 && "
         "echo \"$PWD/libq.so.1.2\" > var/lib/dpkg/info/q.list && "
         "printf \"Package: q\\nVersion: 3\\n\" > var/lib/dpkg/status");
    path = at("libq.so.1");
    assert_owner(path, "q", "3");
}

static void test_apk(void **state)
{
    (void)state;
    MUST(
        "mkdir -p lib/apk/db && printf \"P:musl\\nV:1.2.3-r5\\nF:lib\\nR:ld-musl.so.1\\nZ:x\\n\\n"
        "P:zlib\\nV:1.3\\nF:usr/lib\\nR:libz.so\\nF:lib\\nR:libz.so.1\\n\" > lib/apk/db/installed");
    assert_owner("/lib/ld-musl.so.1", "musl", "1.2.3-r5");
    assert_owner("/lib/libz.so.1", "zlib", "1.3");
    assert_owner("/usr/lib/libz.so", "zlib", "1.3");
    assert_owner("/lib/libz.so", "zlib", "1.3");
    assert_owner("/lib/libq.so", NULL, NULL);
}

/* A package made, installed and asked for by rpm itself, in a root of its own. */
static void test_rpm(void **state)
{
    (void)state;
    if (shell("command -v rpmbuild >/dev/null") != 0 || getuid() != 0)
        skip();
    MUST("printf \"%%s\\n\" \"Name: q\" \"Version: 1.2\" \"Release: 3\" \"Summary: x\" "
         "\"License: x\" \"BuildArch: noarch\" %%description x %%install "
         "\"mkdir -p %%{buildroot}/usr/lib\" \"echo > %%{buildroot}/usr/lib/libq.so\" %%files "
         "/usr/lib/libq.so > q.spec && "
         "rpmbuild -bb --quiet --define \"_topdir $PWD/top\" q.spec >/dev/null 2>&1 && "
         "mkdir -p var/lib/rpm && rpm --root \"$PWD\" --dbpath /var/lib/rpm --nodeps --nosignature "
         "-i top/RPMS/noarch/*.rpm >/dev/null 2>&1");
    assert_owner("/usr/lib/libq.so", "q", "1.2-3");
    assert_owner("/usr/lib/other.so", NULL, NULL);
}

static void test_damaged_databases(void **state)
{
    (void)state;
    assert_owner("/lib/libz.so.1", NULL, NULL);
    MUST("mkdir -p var/lib/dpkg/info lib/apk/db/installed && echo > var/lib/dpkg/info/.list && "
         "mkdir var/lib/dpkg/info/dir.list && "
         "printf \"\\n\\n/lib/libz.so.1\" > var/lib/dpkg/info/z:.list");
    assert_owner("/lib/libz.so.1", "z", NULL);
    MUST(
        "rmdir lib/apk/db/installed && printf \"P\\nV\\nF\\nR\\nR:\\nR:x\" > lib/apk/db/installed");
    assert_owner("//x", NULL, NULL);
}

/* Files of this machine, each as `dpkg-query -S` and `-W` say. */
static void test_this_machine(void **state)
{
    glob_t found;
    size_t known = 0;

    (void)state;
    if (shell("dpkg-query -W >all 2>/dev/null") != 0)
        skip();
    assert_int_equal(glob("/lib/*-linux-gnu/lib[a-d]*.so.[0-9]", 0, NULL, &found), 0);
    for (size_t i = 0; i < found.gl_pathc && i < 25; i++) {
        const char *path = found.gl_pathv[i];
        struct owner owner;

        owner_find(&owner, &path, 1, "");
        if (owner.package != NULL) {
            MUST("dpkg-query -S \"*%s\" | grep -q \"^%s[:,]\" && "
                 "dpkg-query -W -f \"\\${Version}\\\\n\" %s | grep -qxF \"%s\"",
                 strrchr(path, '/'), owner.package, owner.package, owner.version);
            known++;
        } else {
            MUST("! dpkg-query -S \"%s\" 2>/dev/null", path);
        }
        owner_release(&owner, 1);
    }
    globfree(&found);
    assert_true(known > 0);
}

#define TEST(name) cmocka_unit_test_setup_teardown(name, fixture_enter, fixture_leave)

int main(void)
{
    const struct CMUnitTest tests[] = {
        TEST(test_dpkg), TEST(test_links_are_followed), TEST(test_apk),
        TEST(test_rpm),  TEST(test_damaged_databases),  TEST(test_this_machine),
    };

    return cmocka_run_group_tests(tests, NULL, NULL);
}
