/* SPDX-License-Identifier: MIT */
/*
 * Mirrors walk.c. The oracle is the real loader: LD_TRACE_LOADED_OBJECTS=1 prints what it maps, in
 * order, with "not found" where it finds nothing. Cases: RPATH and RUNPATH · names, sonames and
 * inodes · candidates that are skipped · tokens · dlopen() · damage · programs of the system.
 */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>
#include <elf.h>
#include <glob.h>

#include "bundler/elf.h"
#include "bundler/loader.h"
#include "bundler/walk.h"
#include "common/err.h"
#include "common/proc.h"
#include "fixture.h"

enum { TRACE_MAX = 1024 };

/* What the loader says: the paths in order, the names it does not find. */
struct trace {
    char *output;
    const char *paths[TRACE_MAX];
    size_t count;
    const char *missing[TRACE_MAX];
    size_t missing_count;
};

static void trace_line(struct trace *trace, char *line)
{
    char *arrow = strstr(line, " => ");
    char *path = arrow == NULL ? line : arrow + 4;
    char *address = strstr(path, " (0x");

    if (strstr(line, "linux-vdso") != NULL)
        return;
    if (arrow != NULL && strncmp(path, "not found", 9) == 0) {
        *arrow = '\0';
        trace->missing[trace->missing_count++] = line;
        return;
    }
    if (address == NULL)
        return;
    *address = '\0';
    trace->paths[trace->count++] = path;
}

/* loader: NULL where the kernel starts the file */
static bool trace_run(struct trace *trace, const char *loader, const char *file)
{
    const char *const with_loader[] = {loader, file, NULL};
    const char *const envp[] = {"LD_TRACE_LOADED_OBJECTS=1", NULL};
    struct proc_output output = {0};
    struct err err = {0};
    bool ok;

    *trace = (struct trace){0};
    if (!proc_capture(&(struct proc_request){.argv = loader == NULL ? with_loader + 1 : with_loader,
                                             .envp = envp,
                                             .cwd = "/",
                                             .output_max_bytes = 1 << 20},
                      &output, &err))
        return false;
    ok = output.exit_code == 0;
    trace->output = strdup(output.out);
    proc_output_release(&output);
    for (char *line = trace->output; line != NULL && *line != '\0';) {
        char *end = strchr(line, '\n');

        if (end != NULL)
            *end++ = '\0';
        trace_line(trace, line + strspn(line, "\t"));
        line = end;
    }
    return ok;
}

static void trace_release(struct trace *trace)
{
    free(trace->output);
}

static const struct walk_object *find(const struct walk *walk, const char *path)
{
    for (size_t i = 0; i < walk->count; i++)
        if (strcmp(walk->objects[i].path, path) == 0)
            return &walk->objects[i];
    return NULL;
}

static bool same(const struct walk *walk, const struct trace *trace)
{
    if (walk->count - 1 != trace->count)
        return false;
    for (size_t i = 0; i < trace->count; i++)
        if (strcmp(walk->objects[i + 1].path, trace->paths[i]) != 0)
            return false;
    return true;
}

/* Walker and loader agree: the same files in the same order, or the same first missing name. */
static void assert_as_loader(const char *program, const char *missing)
{
    struct walk walk = {0};
    struct trace trace;
    struct err err = {0};
    bool ok = walk_closure(&walk, program, NULL, 0, &err);

    assert_true(trace_run(&trace, NULL, program));
    if (missing == NULL && !ok)
        fail_msg("%s: %s", program, err.msg);
    if (missing == NULL && (trace.missing_count > 0 || !same(&walk, &trace)))
        fail_msg("%s: not what the loader does", program);
    if (missing != NULL) {
        char quoted[256];

        (void)snprintf(quoted, sizeof(quoted), "'%s', needed by '", missing);
        assert_false(ok);
        assert_string_equal(err.id, "E-LIB");
        if (strncmp(err.msg, quoted, strlen(quoted)) != 0)
            fail_msg("'%s' is not about '%s'", err.msg, missing);
        assert_true(trace.missing_count > 0);
        assert_string_equal(trace.missing[0], missing);
        assert_non_null(strstr(err.hint, missing));
    }
    walk_release(&walk);
    trace_release(&trace);
}

static void assert_error(const char *program, const struct walk_root *root, const char *id,
                         const char *text)
{
    struct walk walk = {0};
    struct err err = {0};

    assert_false(walk_closure(&walk, program, root, root == NULL ? 0 : 1, &err));
    assert_string_equal(err.id, id);
    if (strstr(err.msg, text) == NULL)
        fail_msg("'%s' does not say '%s'", err.msg, text);
    assert_null(walk.objects);
}

static void make_main(void)
{
    MUST("echo \"int main(void){return 0;}\" > m.c; mkdir sub");
    MUST("cat > exe <<\"E\"\n"
         "out=$1; shift; exec cc -o $out m.c -Wl,--no-as-needed \"$@\" -Wl,-rpath-link,sub:.\n"
         "E\n");
}

/* Cases 1 to 3: an RPATH is inherited, a RUNPATH is not, and the asker's RUNPATH disables both. */
static void rpath_is_inherited_and_runpath_is_not(void **state)
{
    (void)state;
    make_main();
    MUST("$LIB -Wl,-soname,libb.so -o sub/libb.so -xc /dev/null");
    MUST("$LIB -Wl,-soname,liba.so -o liba.so -xc /dev/null -Wl,--no-as-needed -xnone sub/libb.so");
    MUST("sh exe c1 -Wl,--disable-new-dtags -Wl,-rpath,\\$ORIGIN:\\$ORIGIN/sub liba.so");
    MUST("sh exe c2 -Wl,--enable-new-dtags -Wl,-rpath,\\$ORIGIN:\\$ORIGIN/sub liba.so");
    assert_as_loader(at("c1"), NULL);
    assert_as_loader(at("c2"), "libb.so");
    MUST("$LIB -Wl,-soname,liba.so -o liba.so -xc /dev/null -xnone sub/libb.so "
         "-Wl,--enable-new-dtags -Wl,-rpath,/nonexistent");
    assert_as_loader(at("c1"), "libb.so");
}

/* Case 4: the chain goes by who caused the load, past a main program with RUNPATH. */
static void rpath_chain_follows_the_loads(void **state)
{
    (void)state;
    make_main();
    MUST("mkdir q; $LIB -Wl,-soname,libz1.so -o q/libz1.so -xc /dev/null");
    MUST("$LIB -Wl,-soname,liby.so -o q/liby.so -xc /dev/null -xnone q/libz1.so");
    MUST("$LIB -Wl,-soname,libx.so -o libx.so -xc /dev/null -xnone q/liby.so "
         "-Wl,--disable-new-dtags -Wl,-rpath,\\$ORIGIN/q");
    MUST("sh exe c4 -Wl,--enable-new-dtags -Wl,-rpath,\\$ORIGIN libx.so -Wl,-rpath-link,q");
    assert_as_loader(at("c4"), NULL);
}

/* Cases 7 and 9: the main program's origin is its real directory, a library's is not. */
static void origin_is_the_path_as_opened(void **state)
{
    (void)state;
    make_main();
    MUST("mkdir real bin lnk; $LIB -Wl,-soname,libd.so -o real/libd.so -xc /dev/null");
    MUST("$LIB -Wl,-soname,libe.so -o real/libe.so -xc /dev/null -xnone real/libd.so "
         "-Wl,--enable-new-dtags -Wl,-rpath,\\$ORIGIN");
    MUST("sh exe real/c7 -Wl,-rpath,\\$ORIGIN real/libe.so -Wl,-rpath-link,real");
    MUST("ln -s ../real/c7 bin/c7; ln -s ../real/libe.so lnk/libe.so");
    assert_as_loader(at("bin/c7"), NULL);
    MUST("sh exe c9 -Wl,--enable-new-dtags -Wl,-rpath,\\$ORIGIN/lnk real/libe.so "
         "-Wl,-rpath-link,real");
    assert_as_loader(at("c9"), "libd.so");
}

/* Cases 10 to 14. */
static void one_soname_or_inode_is_one_object(void **state)
{
    (void)state;
    make_main();
    MUST("mkdir a b; $LIB -Wl,-soname,libs.so -o a/libs.so -xc /dev/null; cp a/libs.so b/");
    MUST("$LIB -Wl,-soname,libu.so -o libu.so -xc /dev/null -xnone b/libs.so "
         "-Wl,--enable-new-dtags -Wl,-rpath,\\$ORIGIN/b");
    MUST("sh exe c10 -Wl,-rpath,\\$ORIGIN/a:\\$ORIGIN a/libs.so libu.so");
    assert_as_loader(at("c10"), NULL);
    MUST("$LIB -Wl,-soname,libq.so -o libz1.so -xc /dev/null");
    MUST("sh exe c11 -Wl,-rpath,\\$ORIGIN ./libz1.so");
    assert_as_loader(at("c11"), "libq.so");
    MUST("$LIB -o sub/lib1.so -xc /dev/null; cp sub/lib1.so sub/lib2.so");
    MUST("sh exe c12 -Wl,-rpath,\\$ORIGIN/sub -Lsub -l1 -l2");
    assert_as_loader(at("c12"), NULL);
    MUST("ln -sf lib1.so sub/lib2.so");
    assert_as_loader(at("c12"), NULL);
    MUST("ln -f sub/lib1.so sub/lib2.so");
    assert_as_loader(at("c12"), NULL);
    MUST("$LIB -o sub/libcopy.so -xc /dev/null; $LIB -o sub/libreal.so -xc /dev/null");
    MUST("sh exe c14 -Wl,-rpath,\\$ORIGIN/sub -Lsub -lcopy -lreal");
    MUST("$LIB -Wl,-soname,libreal.so -o sub/libcopy.so -xc /dev/null; cp sub/libcopy.so "
         "sub/libreal.so");
    assert_as_loader(at("c14"), NULL);
}

/* Case 15, 16 to 19, 20: what is skipped, what stops the search, what abandons a list. */
static void wrong_candidates_are_skipped_or_fatal(void **state)
{
    (void)state;
    make_main();
    MUST("mkdir good; $LIB -Wl,-soname,libw.so -o good/libw.so -xc /dev/null");
    MUST("sh exe c15 -Wl,-rpath,\\$ORIGIN/sub:\\$ORIGIN/good good/libw.so");
    MUST("cp good/libw.so sub/; printf \"\\001\" | dd of=sub/libw.so bs=1 seek=4 conv=notrunc "
         "2>/dev/null");
    assert_as_loader(at("c15"), NULL);
    MUST("cp good/libw.so sub/; printf \"\\363\\0\" | dd of=sub/libw.so bs=1 seek=18 conv=notrunc "
         "2>/dev/null");
    assert_as_loader(at("c15"), NULL);
    MUST("ln -sf nowhere sub/libw.so");
    assert_as_loader(at("c15"), NULL);
    MUST("ln -sf libw.so sub/libw.so");
    assert_as_loader(at("c15"), "libw.so");
    MUST("rm sub/libw.so; printf \"text.\\n\" > sub/libw.so");
    assert_error(at("c15"), NULL, "E-ELF", "sub/libw.so");
    MUST("rm sub/libw.so; mkdir sub/libw.so");
    assert_error(at("c15"), NULL, "E-ELF", "is a directory");
    MUST("rmdir sub/libw.so; mkfifo sub/libw.so");
    assert_error(at("c15"), NULL, "E-ELF", "not a regular file");
}

/* Case 29: the flag keeps the loader away from libc, although the cache knows it. */
static void nodefaultlib_hides_the_system(void **state)
{
    (void)state;
    make_main();
    MUST("sh exe c29 -Wl,-z,nodefaultlib");
    assert_as_loader(at("c29"), "libc.so.6");
}

/* Case 31: circles, an object that needs itself, and the loader as a library. */
static void circles_end(void **state)
{
    struct elf elf = {0};
    struct err err = {0};

    (void)state;
    make_main();
    MUST("sh exe plain");
    assert_true(elf_open(&elf, at("plain"), &err));
    MUST("$LIB -Wl,-soname,libx.so -o libx.so -xc /dev/null");
    MUST("$LIB -Wl,-soname,liby.so -o liby.so -xc /dev/null -xnone libx.so");
    MUST("$LIB -Wl,-soname,libx.so -o libx2.so -xc /dev/null -xnone liby.so libx.so %s; "
         "mv libx2.so libx.so",
         elf.interp);
    elf_release(&elf);
    MUST("sh exe c31 -Wl,--disable-new-dtags -Wl,-rpath,\\$ORIGIN libx.so");
    assert_as_loader(at("c31"), NULL);
}

/* Case 32, third form, and 33. */
static void tokens_are_expanded(void **state)
{
    struct loader loader = {0};
    struct elf elf = {0};
    struct err err = {0};

    (void)state;
    make_main();
    MUST("sh exe plain");
    assert_true(elf_open(&elf, at("plain"), &err));
    assert_true(loader_open(&loader, &elf, &err));
    MUST("mkdir -p \"%s\" \"%s\"; $LIB -Wl,-soname,libl.so -o \"%s/libl.so\" -xc /dev/null",
         loader.lib, loader.platform, loader.lib);
    MUST("$LIB -Wl,-soname,libp.so -o \"%s/libp.so\" -xc /dev/null", loader.platform);
    MUST("sh exe c33 \"-Wl,-rpath,\\${ORIGIN}/\\$LIB:\\$ORIGIN/\\${PLATFORM}\" %s/libl.so "
         "%s/libp.so",
         loader.lib, loader.platform);
    assert_as_loader(at("c33"), NULL);
    MUST("sh exe c33 \"-Wl,-rpath,\\$ORIGINX/..:\\${ORIGIN/sub:\\$ORIGIN_/sub\" %s/libl.so",
         loader.lib);
    assert_as_loader(at("c33"), "libl.so");
    MUST("$LIB -Wl,-soname,\"\\$ORIGIN/sub/libn.so\" -o sub/libn.so -xc /dev/null");
    MUST("sh exe c32 sub/libn.so");
    assert_as_loader(at("c32"), NULL);
    loader_release(&loader);
    elf_release(&elf);
}

/* Case 32 and 34: what depends on the working directory leads nowhere in a bundle. */
static void the_working_directory_plays_no_part(void **state)
{
    (void)state;
    make_main();
    MUST("$LIB -o sub/libn.so -xc /dev/null; sh exe c32 sub/libn.so");
    assert_error(at("c32"), NULL, "E-LIB", "'sub/libn.so'");
    MUST("$LIB -Wl,-soname,libr.so -o sub/libr.so -xc /dev/null");
    MUST("sh exe c34 -Wl,-rpath,sub:: sub/libr.so");
    assert_error(at("c34"), NULL, "E-LIB", "sub (depends on the working directory)");
}

static void the_error_names_every_path_tried(void **state)
{
    struct walk_root root = {.owner = "gem 'pg'"};
    struct walk walk = {0};
    struct err err = {0};
    char want[4096];

    (void)state;
    make_main();
    MUST("sh exe main; $LIB -Wl,-soname,libgone.so.1 -o sub/libgone.so -xc /dev/null");
    MUST("$LIB -o ext.so -xc /dev/null -xnone sub/libgone.so -Wl,--enable-new-dtags "
         "-Wl,-rpath,/one:/two//");
    root.path = at("ext.so");
    assert_false(walk_closure(&walk, at("main"), &root, 1, &err));
    (void)snprintf(want, sizeof(want),
                   "'libgone.so.1', needed by '%s' of gem 'pg', was not found (tried "
                   "/one/libgone.so.1, /two/libgone.so.1, /",
                   root.path);
    if (strncmp(err.msg, want, strlen(want)) != 0)
        fail_msg("%s", err.msg);
    assert_string_equal(err.id, "E-LIB");
}

/* Case 50: an extension is seen as loaded by a running Ruby. */
static void extensions_see_the_main_programs_objects(void **state)
{
    struct walk_root roots[2];
    struct walk walk = {0};
    struct err err = {0};
    const struct walk_object *object;

    (void)state;
    make_main();
    MUST("$LIB -Wl,-soname,libruby.so -o sub/libruby.so -xc /dev/null");
    MUST("$LIB -Wl,-soname,libdep.so -o libdep.so -xc /dev/null");
    MUST("sh exe main -Wl,--enable-new-dtags -Wl,-rpath,\\$ORIGIN/sub sub/libruby.so");
    MUST("$LIB -o b.so -xc /dev/null -xnone sub/libruby.so libdep.so");
    MUST("$LIB -o a.so -xc /dev/null -xnone libdep.so -Wl,-rpath,\\$ORIGIN");
    /* b.so comes first, and has libdep.so only because a.so brings it */
    roots[0] = (struct walk_root){.path = at("b.so"), .owner = "gem 'b'"};
    roots[1] = (struct walk_root){.path = at("a.so"), .owner = "gem 'a'"};
    if (!walk_closure(&walk, at("main"), roots, 2, &err))
        fail_msg("%s", err.msg);
    assert_true(walk.objects[0].is_root);
    assert_true(find(&walk, at("b.so"))->is_root);
    assert_string_equal(find(&walk, at("b.so"))->reason, "gem 'b'");
    object = find(&walk, at("libdep.so"));
    assert_non_null(object);
    assert_false(object->is_root);
    assert_string_equal(object->reason, "needed by a.so of gem 'a'");
    assert_int_equal(object->found, WALK_FOUND_RUNPATH);
    assert_string_equal(object->soname, "libdep.so");
    assert_string_equal(find(&walk, at("sub/libruby.so"))->reason, "needed by main");
    walk_release(&walk);
    assert_error(at("main"), roots, "E-LIB", "'libdep.so'");
}

/* Case 5 and 6: what dlopen() loads inherits the main program's RPATH, not the caller's. */
static void dlopened_objects_do_not_inherit_the_callers_rpath(void **state)
{
    struct walk_root root = {.owner = "gem 'x'"};
    struct walk walk = {0};
    struct err err = {0};

    (void)state;
    make_main();
    MUST("$LIB -Wl,-soname,libc5.so -o sub/libc5.so -xc /dev/null");
    MUST("$LIB -Wl,-soname,libb5.so -o sub/libb5.so -xc /dev/null -xnone sub/libc5.so");
    MUST("$LIB -Wl,-soname,liba5.so -o liba5.so -xc /dev/null -Wl,--disable-new-dtags "
         "-Wl,-rpath,\\$ORIGIN/sub");
    MUST("sh exe c5 liba5.so -Wl,--disable-new-dtags -Wl,-rpath,\\$ORIGIN");
    root.path = at("sub/libb5.so");
    assert_error(at("c5"), &root, "E-LIB", "'libc5.so'");
    MUST("sh exe c6 liba5.so -Wl,--disable-new-dtags -Wl,-rpath,\\$ORIGIN:\\$ORIGIN/sub");
    if (!walk_closure(&walk, at("c6"), &root, 1, &err))
        fail_msg("%s", err.msg);
    assert_int_equal(find(&walk, at("sub/libc5.so"))->found, WALK_FOUND_RPATH);
    walk_release(&walk);
    /* loaded already, because liba5.so needs it */
    MUST("$LIB -Wl,-soname,liba5.so -o liba5.so -xc /dev/null -xnone sub/libc5.so "
         "-Wl,--disable-new-dtags -Wl,-rpath,\\$ORIGIN/sub");
    if (!walk_closure(&walk, at("c5"), &root, 1, &err))
        fail_msg("%s", err.msg);
    walk_release(&walk);
}

/* A bundle must run on other processors: never the variant. */
static void the_base_file_is_taken_never_a_variant(void **state)
{
    struct walk walk = {0};
    struct err err = {0};

    (void)state;
    make_main();
    MUST("$LIB -Wl,-soname,libh.so -o sub/libh.so -xc /dev/null");
    MUST("for v in glibc-hwcaps/x86-64-v2 tls x86_64; do mkdir -p sub/$v; cp sub/libh.so sub/$v/; "
         "done");
    MUST("sh exe main -Wl,-rpath,\\$ORIGIN/sub sub/libh.so");
    if (!walk_closure(&walk, at("main"), NULL, 0, &err))
        fail_msg("%s", err.msg);
    assert_non_null(find(&walk, at("sub/libh.so")));
    walk_release(&walk);
    MUST("rm sub/libh.so");
    assert_error(at("main"), NULL, "E-LIB", "'libh.so'");
}

/* Case 30, in a bundle: an auxiliary filtee may be missing, a filtee may not. */
static void filtees_are_in_the_closure(void **state)
{
    struct walk walk = {0};
    struct err err = {0};

    (void)state;
    make_main();
    MUST("$LIB -Wl,-soname,libreal.so -o sub/libreal.so -xc /dev/null");
    MUST("$LIB -Wl,-soname,libf.so -o sub/libf.so -xc /dev/null -Wl,-f,libreal.so "
         "-Wl,--enable-new-dtags -Wl,-rpath,\\$ORIGIN");
    MUST("sh exe main -Wl,-rpath,\\$ORIGIN/sub sub/libf.so");
    if (!walk_closure(&walk, at("main"), NULL, 0, &err))
        fail_msg("%s", err.msg);
    assert_string_equal(find(&walk, at("sub/libreal.so"))->reason, "needed by libf.so");
    walk_release(&walk);
    MUST("mv sub/libreal.so .");
    if (!walk_closure(&walk, at("main"), NULL, 0, &err))
        fail_msg("%s", err.msg);
    assert_null(find(&walk, at("sub/libreal.so")));
    walk_release(&walk);
    MUST("$LIB -Wl,-soname,libf.so -o sub/libf.so -xc /dev/null -Wl,-F,libreal.so");
    assert_error(at("main"), NULL, "E-LIB", "'libreal.so'");
}

static const struct walk_edge *edge_between(const struct walk *walk, const char *from,
                                            const char *to)
{
    for (size_t i = 0; i < walk->edge_count; i++)
        if (strcmp(walk->objects[walk->edges[i].from].path, from) == 0 &&
            strcmp(walk->objects[walk->edges[i].to].path, to) == 0)
            return &walk->edges[i];
    fail_msg("no edge from %s to %s", from, to);
    return NULL;
}

static void edges_say_who_asked_and_what_found_it(void **state)
{
    struct walk_root root = {.owner = "gem 'x'"};
    struct walk walk = {0};
    struct err err = {0};
    const struct walk_edge *edge;

    (void)state;
    make_main();
    MUST("$LIB -Wl,-soname,liba.so -o sub/liba.so -xc /dev/null");
    MUST("$LIB -Wl,-soname,libb.so -o sub/libb.so -xc /dev/null -xnone sub/liba.so -lc");
    MUST("$LIB -o ext.so -xc /dev/null -xnone sub/libb.so sub/liba.so "
         "-Wl,--disable-new-dtags -Wl,-rpath,\\$ORIGIN/sub");
    MUST("sh exe main");
    root.path = at("ext.so");
    if (!walk_closure(&walk, at("main"), &root, 1, &err))
        fail_msg("%s", err.msg);
    edge = edge_between(&walk, at("ext.so"), at("sub/libb.so"));
    assert_string_equal(edge->name, "libb.so");
    assert_int_equal(edge->found, WALK_FOUND_RPATH);
    assert_string_equal(edge->via, at("ext.so"));
    /* asked for by ext.so, too, which comes first; so libb.so finds it loaded */
    assert_int_equal(edge_between(&walk, at("ext.so"), at("sub/liba.so"))->found, WALK_FOUND_RPATH);
    edge = edge_between(&walk, at("sub/libb.so"), at("sub/liba.so"));
    assert_int_equal(edge->found, WALK_FOUND_LOADED);
    assert_null(edge->via);
    for (size_t i = 0; i < walk.count; i++) {
        const struct elf *elf = walk_elf(&walk, i);

        assert_non_null(elf);
        assert_string_equal(elf->path, walk.objects[i].path);
    }
    walk_release(&walk);
}

/* Case 51: whichever extension is required first, its own file is there. */
static void both_files_of_one_soname_are_kept(void **state)
{
    struct walk_root roots[2] = {{.owner = "gem 'a'"}, {.owner = "gem 'b'"}};
    struct walk walk = {0};
    struct err err = {0};

    (void)state;
    make_main();
    MUST("mkdir a b; sh exe main");
    for (int i = 0; i < 2; i++) {
        const char *name = i == 0 ? "a" : "b";

        MUST("$LIB -Wl,-soname,libv.so -o %s/libv.so -xc /dev/null", name);
        MUST("$LIB -o %s/ext.so -xc /dev/null -xnone %s/libv.so -Wl,-rpath,\\$ORIGIN", name, name);
    }
    roots[0].path = at("a/ext.so");
    roots[1].path = at("b/ext.so");
    if (!walk_closure(&walk, at("main"), roots, 2, &err))
        fail_msg("%s", err.msg);
    assert_non_null(find(&walk, at("a/libv.so")));
    assert_non_null(find(&walk, at("b/libv.so")));
    walk_release(&walk);
}

static void programs_are_processes_of_their_own(void **state)
{
    struct walk_root root = {.owner = "gem 'tool'"};
    struct walk_root roots[2];
    struct walk walk = {0};
    struct err err = {0};

    (void)state;
    make_main();
    MUST("mkdir a b; $LIB -Wl,-soname,libv.so -o a/libv.so -xc /dev/null; cp a/libv.so b/");
    MUST("sh exe main -Wl,-rpath,\\$ORIGIN/a a/libv.so");
    MUST("sh exe tool -Wl,-rpath,\\$ORIGIN/b b/libv.so");
    root.path = at("tool");
    if (!walk_closure(&walk, at("main"), &root, 1, &err))
        fail_msg("%s", err.msg);
    assert_non_null(find(&walk, at("a/libv.so")));
    assert_string_equal(find(&walk, at("b/libv.so"))->reason, "needed by tool of gem 'tool'");
    walk_release(&walk);
    /* what only the tool loads does not help an extension of the main program */
    MUST("$LIB -Wl,-soname,libonly.so -o b/libonly.so -xc /dev/null; "
         "$LIB -o ext.so -xc /dev/null -xnone b/libonly.so");
    MUST("sh exe tool -Wl,-rpath,\\$ORIGIN/b b/libonly.so");
    roots[0] = root;
    roots[1] = (struct walk_root){.path = at("ext.so"), .owner = "gem 'x'"};
    assert_false(walk_closure(&walk, at("main"), roots, 2, &err));
    assert_string_equal(err.id, "E-LIB");
    MUST("cc -static -o tool m.c");
    assert_true(walk_closure(&walk, at("main"), &root, 1, &err));
    assert_true(find(&walk, at("tool"))->is_root);
    walk_release(&walk);
    assert_error(at("tool"), NULL, "E-STATIC", "statically linked");
}

static void roots_of_other_machines_are_refused(void **state)
{
    struct walk_root root = {.owner = "gem 'x'"};

    (void)state;
    make_main();
    MUST("sh exe main; $LIB -o ext.so -xc /dev/null; echo text > text.so; cc -c -o object.o m.c");
    MUST("printf \"\\363\\0\" | dd of=ext.so bs=1 seek=18 conv=notrunc 2>/dev/null");
    root.path = at("ext.so");
    assert_error(at("main"), &root, "E-ELF", "is for riscv (64 bit)");
    assert_error(at("main"), &root, "E-ELF", "gem 'x'");
    root.path = at("text.so");
    assert_error(at("main"), &root, "E-ELF", "text.so");
    root.path = at("object.o");
    assert_error(at("main"), &root, "E-ELF", "e_type");
    root.path = at("none.so");
    assert_error(at("main"), &root, "E-ELF", "No such file");
    root.path = "relative.so";
    assert_error(at("main"), &root, "", "not an absolute path");
}

static void sonames_are_added_as_dlopen_would(void **state)
{
    struct walk walk = {0};
    struct err err = {0};
    bool found = false;
    size_t count;

    (void)state;
    make_main();
    MUST("$LIB -Wl,-soname,libdep.so -o sub/libdep.so -xc /dev/null");
    MUST("$LIB -Wl,-soname,libplug.so -o sub/libplug.so -xc /dev/null -xnone sub/libdep.so "
         "-Wl,-rpath,\\$ORIGIN");
    MUST("$LIB -Wl,-soname,libgone.so -o libgone.so -xc /dev/null; "
         "$LIB -Wl,-soname,libbad.so -o sub/libbad.so -xc /dev/null -xnone libgone.so");
    MUST("sh exe main -Wl,--enable-new-dtags -Wl,-rpath,\\$ORIGIN/sub");
    assert_true(walk_closure(&walk, at("main"), NULL, 0, &err));
    count = walk.count;
    assert_true(walk_add_soname(&walk, "libnone.so.1", "recipe 'x'", &found, &err));
    assert_false(found);
    assert_true(walk_add_soname(&walk, "libc.so.6", "recipe 'x'", &found, &err));
    assert_true(found);
    assert_int_equal(walk.count, count);
    assert_true(walk_add_soname(&walk, "libplug.so", "recipe 'x'", &found, &err));
    assert_true(found);
    assert_int_equal(walk.count, count + 2);
    assert_string_equal(find(&walk, at("sub/libplug.so"))->reason, "recipe 'x'");
    assert_string_equal(find(&walk, at("sub/libdep.so"))->reason,
                        "needed by libplug.so of recipe 'x'");
    assert_false(walk_add_soname(&walk, "libbad.so", "recipe 'y'", &found, &err));
    assert_string_equal(err.id, "E-LIB");
    assert_true(walk_add_soname(&walk, "libgcc_s.so.1", "recipe 'z'", &found, &err));
    walk_release(&walk);
    walk_release(&walk);
    walk_release(NULL);
}

/* Case 54. */
static void random_damage_never_crashes(void **state)
{
    struct walk_root root = {.owner = "gem 'x'"};
    uint32_t random = 0xdead;
    size_t size;
    char *good;

    (void)state;
    make_main();
    MUST("sh exe main; $LIB -Wl,-soname,libdep.so -o libdep.so -xc /dev/null");
    MUST("$LIB -o ext.so -xc /dev/null -xnone libdep.so -Wl,-rpath,\\$ORIGIN");
    good = slurp(at("ext.so"), &size);
    for (int round = 0; round < 300; round++) {
        struct walk walk = {0};
        struct err err = {0};
        char *bytes = malloc(size);
        const Elf64_Ehdr *ehdr = (const void *)good;
        const Elf64_Phdr *phdr = (const void *)(good + ehdr->e_phoff);
        size_t dynamic = 0;

        assert_non_null(bytes);
        for (size_t i = 0; i < ehdr->e_phnum; i++)
            if (phdr[i].p_type == PT_DYNAMIC)
                dynamic = phdr[i].p_offset;
        memcpy(bytes, good, size);
        for (int i = 0; i < 3; i++) {
            random = random * 1103515245u + 12345u;
            bytes[(i % 2 == 0 ? dynamic : 16) + (random >> 8) % 256] = (char)(random >> 20);
        }
        spill(at("bad.so"), bytes, size);
        free(bytes);
        root.path = at("bad.so");
        if (!walk_closure(&walk, at("main"), &root, 1, &err))
            assert_true(err.kind != ERR_NONE);
        walk_release(&walk);
    }
    free(good);
}

static bool in_trace(const struct trace *trace, const char *path)
{
    for (size_t i = 0; i < trace->count; i++)
        if (strcmp(trace->paths[i], path) == 0)
            return true;
    return false;
}

/* A library as the only extension of a program that maps nothing but libc. */
static bool compare_library(const char *program, const char *library, const struct loader *loader)
{
    const struct walk_root root = {.path = library, .owner = "the system"};
    struct walk walk = {0};
    struct trace trace;
    struct err err = {0};
    bool ok = walk_closure(&walk, program, &root, 1, &err);
    bool agree;

    if (!trace_run(&trace, loader->path, library)) {
        trace_release(&trace);
        walk_release(&walk);
        return true; /* the loader refuses or crashes: no oracle */
    }
    agree = ok == (trace.missing_count == 0);
    for (size_t i = 0; ok && agree && i < trace.count; i++)
        agree = find(&walk, trace.paths[i]) != NULL;
    for (size_t i = 1; ok && agree && i < walk.count; i++)
        agree = in_trace(&trace, walk.objects[i].path) || walk.objects[i].is_root ||
                strstr(walk.objects[i].path, "/libc.so.6") != NULL ||
                walk.objects[i].found == WALK_FOUND_INTERP;
    if (!agree)
        print_message("# %s: %s\n", library, ok ? "other objects" : err.msg);
    trace_release(&trace);
    walk_release(&walk);
    return agree;
}

static bool compare_program(const char *program)
{
    struct walk walk = {0};
    struct trace trace;
    struct err err = {0};
    bool ok = walk_closure(&walk, program, NULL, 0, &err);
    bool agree = true;

    if (trace_run(&trace, NULL, program))
        agree = ok ? same(&walk, &trace) : trace.missing_count > 0;
    if (!agree)
        print_message("# %s: %s\n", program, ok ? "other objects or order" : err.msg);
    trace_release(&trace);
    walk_release(&walk);
    return agree;
}

/* Every n-th ELF file of the system, so that about 200 of each kind are compared. */
static void the_system_is_walked_as_the_loader_does(void **state)
{
    static const char *const patterns[] = {"/usr/bin/*", "/usr/sbin/*", "/usr/lib/*/*.so*",
                                           "/usr/lib/*/*/*.so*"};
    const char *count_text = getenv("WALK_TEST_FILES");
    size_t wanted = count_text == NULL ? 400 : (size_t)strtoul(count_text, NULL, 10);
    struct loader loader = {0};
    struct elf elf = {0};
    struct err err = {0};
    size_t compared = 0;
    size_t wrong = 0;
    glob_t files;

    (void)state;
    make_main();
    MUST("sh exe main");
    assert_true(elf_open(&elf, at("main"), &err));
    assert_true(loader_open(&loader, &elf, &err));
    for (size_t i = 0; i < 4; i++)
        (void)glob(patterns[i], i == 0 ? GLOB_NOSORT : GLOB_APPEND, NULL, &files);
    for (size_t i = 0;
         i<files.gl_pathc; i += files.gl_pathc> wanted ? files.gl_pathc / wanted : 1) {
        struct elf file = {0};
        bool is_program;
        bool is_ours;

        if (!elf_open(&file, files.gl_pathv[i], &err))
            continue;
        is_program = elf_is_program(&file);
        is_ours = file.has_dynamic && file.machine == elf.machine &&
                  file.elf_class == elf.elf_class &&
                  (!is_program || (file.interp != NULL && strcmp(file.interp, elf.interp) == 0));
        elf_release(&file);
        if (!is_ours)
            continue;
        compared++;
        wrong += !(is_program ? compare_program(files.gl_pathv[i])
                              : compare_library(at("main"), files.gl_pathv[i], &loader));
    }
    print_message("# %zu files compared with the loader\n", compared);
    globfree(&files);
    loader_release(&loader);
    elf_release(&elf);
    assert_int_equal(wrong, 0);
    assert_true(compared > 0);
}

/* The Ruby on PATH with all of its extensions. */
static void ruby_and_its_extensions_resolve(void **state)
{
    static const char script[] =
        "puts File.realpath(RbConfig.ruby); puts Dir[RbConfig::CONFIG[%q(rubyarchdir)] + "
        "%q(/**/*.so)].sort";
    const char *const argv[] = {"ruby", "-e", script, NULL};
    struct walk_root roots[TRACE_MAX];
    struct proc_output output = {0};
    struct walk walk = {0};
    struct walk again = {0};
    struct err err = {0};
    size_t count = 0;

    (void)state;
    if (!proc_capture(&(struct proc_request){.argv = argv, .output_max_bytes = 1 << 20}, &output,
                      &err) ||
        output.exit_code != 0) {
        proc_output_release(&output);
        skip();
    }
    for (char *line = output.out; *line != '\0' && count < TRACE_MAX;) {
        size_t len = strcspn(line, "\n");

        roots[count++] = (struct walk_root){.path = line, .owner = "Ruby"};
        line[len] = '\0';
        line += len + 1;
    }
    assert_true(count > 10);
    if (!walk_closure(&walk, roots[0].path, roots + 1, count - 1, &err))
        fail_msg("%s", err.msg);
    print_message("# Ruby: %zu extensions, %zu objects\n", count - 1, walk.count);
    assert_true(walk.count > count);
    assert_true(walk_closure(&again, roots[0].path, roots + 1, count - 1, &err));
    assert_int_equal(again.count, walk.count);
    for (size_t i = 0; i < walk.count; i++) {
        assert_string_equal(walk.objects[i].path, again.objects[i].path);
        assert_string_equal(walk.objects[i].reason, again.objects[i].reason);
    }
    walk_release(&walk);
    walk_release(&again);
    proc_output_release(&output);
}

int main(void)
{
#define CASE(name) cmocka_unit_test_setup_teardown(name, fixture_enter, fixture_leave)
    const struct CMUnitTest tests[] = {
        CASE(rpath_is_inherited_and_runpath_is_not),
        CASE(rpath_chain_follows_the_loads),
        CASE(origin_is_the_path_as_opened),
        CASE(one_soname_or_inode_is_one_object),
        CASE(wrong_candidates_are_skipped_or_fatal),
        CASE(nodefaultlib_hides_the_system),
        CASE(circles_end),
        CASE(tokens_are_expanded),
        CASE(the_working_directory_plays_no_part),
        CASE(the_error_names_every_path_tried),
        CASE(extensions_see_the_main_programs_objects),
        CASE(dlopened_objects_do_not_inherit_the_callers_rpath),
        CASE(the_base_file_is_taken_never_a_variant),
        CASE(filtees_are_in_the_closure),
        CASE(edges_say_who_asked_and_what_found_it),
        CASE(both_files_of_one_soname_are_kept),
        CASE(programs_are_processes_of_their_own),
        CASE(roots_of_other_machines_are_refused),
        CASE(sonames_are_added_as_dlopen_would),
        CASE(random_damage_never_crashes),
        CASE(the_system_is_walked_as_the_loader_does),
        CASE(ruby_and_its_extensions_resolve),
    };

    return cmocka_run_group_tests(tests, NULL, NULL);
}
