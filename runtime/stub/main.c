/* SPDX-License-Identifier: MIT */
/*
 * The stub in front of the image: mounts it and becomes the app.
 *
 * Only the first argument is looked at, and only if it begins with --appimage-, or of an
 * application of ours is --state: everything else is the app's. The app keeps the process id, the
 * descriptors, the arguments and the environment; four variables are added (APPIMAGE, APPDIR, OWD,
 * ARGV0), and for our launcher, which takes it away, FORMAT_IDENTITY.
 */
#include <errno.h>
#include <fcntl.h>
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/auxv.h>
#include <sys/stat.h>
#include <unistd.h>

#include "common/cleanup.h"
#include "common/err.h"
#include "common/format.h"
#include "common/suggest.h"
#include "runtime/stub/cwd.h"
#include "runtime/stub/extract.h"
#include "runtime/stub/mount.h"
#include "runtime/stub/payload.h"
#include "runtime/stub/portable.h"
#include "runtime/stub/sqfs.h"

enum {
    EXIT_START = 125, /* the app was not started; as env(1), timeout(1) */
    EXIT_OPTION = 1,
};

#define FLAG_PREFIX "--appimage-"

/* The bundler writes into these sections; their bytes are zero until then. */
#define SECTION(name, size, text)                                                                  \
    [[gnu::used, gnu::retain]] static const unsigned char name[size]                               \
        __attribute__((section(text), aligned(1))) = {0}

SECTION(section_upd_info, FORMAT_UPD_INFO_SIZE, ".upd_info");
SECTION(section_sha256_sig, FORMAT_SHA256_SIG_SIZE, ".sha256_sig");
SECTION(section_sig_key, FORMAT_SIG_KEY_SIZE, ".sig_key");
SECTION(section_digest_md5, FORMAT_DIGEST_MD5_SIZE, ".digest_md5");
SECTION(section_rucksack, FORMAT_HEADER_SIZE, FORMAT_SECTION);

struct start {
    int argc;
    char **argv;
    bool trusted; /* not a setuid or capability-raised start: the environment may be believed */
    struct payload payload;
    struct sqfs_image *image;
};

static const char help_text[] =
    "Usage: %s [--appimage-OPTION] [ARGUMENT...]\n"
    "\n"
    "Without an option, or with any other first argument, the app is started.\n"
    "\n"
    "  --appimage-extract [PATTERN]   unpack into ./squashfs-root\n"
    "  --appimage-extract-and-run     unpack, run with the arguments that follow, clean up\n"
    "  --appimage-help                this text\n"
    "  --appimage-list                list the image's files\n"
    "  --appimage-mount               mount, print where, unmount when interrupted\n"
    "  --appimage-offset              print the image's offset in bytes\n"
    "  --appimage-portable-home       keep HOME in a directory beside this file;\n"
    "                                 likewise -config, -share, -cache\n"
    "  --appimage-signature           print the embedded signature\n"
    "  --appimage-updateinfo          print the embedded update information\n"
    "  --appimage-version             print the version of the runtime\n"
    "\n"
    "Environment: TARGET_APPIMAGE, APPIMAGE_EXTRACT_AND_RUN=1, NO_CLEANUP=1, TMPDIR,\n"
    "FUSERMOUNT_PROG, RUCKSACK_MOUNT=kernel|fuse|fusermount|userns|extract\n";

static const char *variable(const struct start *start, const char *name)
{
    const char *value = start->trusted ? getenv(name) : NULL;

    return value != NULL && value[0] != '\0' ? value : NULL;
}

static bool is_one(const char *value)
{
    return value != NULL && strcmp(value, "1") == 0;
}

static void print_error(const struct err *err)
{
    (void)fprintf(stderr, "rucksack: %s%s%s\n", err->id, err->id[0] != '\0' ? ": " : "", err->msg);
    if (err->hint[0] != '\0')
        (void)fprintf(stderr, "hint: %s\n", err->hint);
}

static bool open_image(struct start *start, struct err *err)
{
    const struct payload *payload = &start->payload;

    return payload_require_image(payload, err) &&
           sqfs_image_open(&start->image, payload->fd, payload->image_offset,
                           payload->image_offset + payload->image_size, err);
}

static struct mount_request make_request(const struct start *start)
{
    return (struct mount_request){
        .payload = &start->payload,
        .trusted = start->trusted,
        .way = variable(start, "RUCKSACK_MOUNT"),
        .helper = variable(start, "FUSERMOUNT_PROG"),
    };
}

/* Which bundle this is, for the launcher: a program that opens APPIMAGE later compares. */
static bool set_identity(const struct payload *payload)
{
    char text[FORMAT_IDENTITY_SIZE];

    if (!payload->ours)
        return unsetenv(FORMAT_IDENTITY) == 0;
    format_identity(&payload->header, text);
    return setenv(FORMAT_IDENTITY, text, 1) == 0;
}

/* The current directory is named even where it cannot be found again by the app: it may be gone. */
static bool set_environment(const struct start *start, const char *root, struct err *err)
{
    cleanup_free char *cwd = cwd_path();

    if ((cwd != NULL ? setenv("OWD", cwd, 1) : unsetenv("OWD")) != 0 ||
        setenv("APPIMAGE", start->payload.path, 1) != 0 || setenv("APPDIR", root, 1) != 0 ||
        setenv("ARGV0", start->argc > 0 ? start->argv[0] : "", 1) != 0 ||
        unsetenv("TARGET_APPIMAGE") != 0 || !set_identity(&start->payload))
        return err_sys(err, "cannot set the environment");
    return portable_apply(start->payload.path, err);
}

/* Only returns when the app cannot be executed. */
static bool become_app(const struct start *start, const char *root, struct err *err)
{
    cleanup_free char *program = NULL;

    if (!set_environment(start, root, err))
        return false;
    if (asprintf(&program, "%s/AppRun", root) < 0) {
        program = NULL;
        return err_sys(err, "'%s'", root);
    }
    (void)execv(program, start->argv);
    (void)err_sys(err, "cannot execute 'AppRun' of the image");
    if (err->sys_errno == ENOENT)
        (void)err_hint(err, "the image has no AppRun, or its interpreter does not exist here");
    return false;
}

static void shift_arguments(struct start *start)
{
    for (int i = 1; i < start->argc; i++)
        start->argv[i] = start->argv[i + 1];
    start->argc--;
}

/*
 * `FILE --state DIR VERB` of our applications. The launcher knows it, too, but by then the image
 * has a place, which starts with the other state share; and to start the file anew by its name is
 * to start whatever has the name by then. What is incomplete is the launcher's to tell.
 */
static bool take_state(struct start *start, struct err *err)
{
    static const char option[] = "--state";
    const size_t length = sizeof(option) - 1;
    const char *words = getenv("RUCKSACK");

    if (!start->payload.ours || start->payload.header.kind != FORMAT_KIND_APP ||
        (words != NULL && words[0] != '\0'))
        return true;
    while (start->argc > 1 && strncmp(start->argv[1], option, length) == 0) {
        bool is_joined = start->argv[1][length] == '=';
        const char *place = is_joined ? start->argv[1] + length + 1 : start->argv[2];

        if ((!is_joined && start->argv[1][length] != '\0') || place == NULL || place[0] == '\0')
            return true;
        if (setenv("RUCKSACK_STATE", place, 1) != 0)
            return err_sys(err, "%s", option);
        shift_arguments(start);
        if (!is_joined)
            shift_arguments(start);
    }
    return true;
}

static bool run_app(struct start *start, bool unpacked, struct err *err)
{
    struct mounted mounted = {.place = PLACE_NONE};
    struct mount_request request;

    if (!payload_require_image(&start->payload, err) || !take_state(start, err))
        return false;
    request = make_request(start);
    if (unpacked ? !mount_unpacked(&request, is_one(variable(start, "NO_CLEANUP")), &mounted, err)
                 : !mount_image(&request, &mounted, err))
        return false;
    return become_app(start, mounted.place.root, err);
}

static bool flag_extract_and_run(struct start *start, struct err *err)
{
    shift_arguments(start);
    return run_app(start, true, err);
}

static bool flag_offset(struct start *start, struct err *err)
{
    (void)err;
    (void)printf("%llu\n", (unsigned long long)start->payload.image_offset);
    return true;
}

static bool flag_help(struct start *start, struct err *err)
{
    (void)err;
    (void)printf(help_text, start->argv[0]);
    return true;
}

static bool flag_version(struct start *start, struct err *err)
{
    (void)start, (void)err;
    (void)printf("rucksack runtime %s\n", VERSION);
    return true;
}

static bool flag_list(struct start *start, struct err *err)
{
    return open_image(start, err) && extract_list(start->image, stdout, err);
}

static bool flag_extract(struct start *start, struct err *err)
{
    const struct extract_options options = {
        .pattern = start->argc > 2 ? start->argv[2] : NULL,
        .names = stdout,
        .target = "squashfs-root",
    };
    cleanup_fd int target = -1;
    size_t count;

    if (!open_image(start, err))
        return false;
    if (mkdir("squashfs-root", 0755) != 0 && errno != EEXIST)
        return err_sys(err, "cannot make 'squashfs-root'");
    target = open("squashfs-root", O_RDONLY | O_DIRECTORY | O_NOFOLLOW | O_CLOEXEC);
    if (target < 0)
        return err_sys(err, "'squashfs-root'");
    if (!extract_tree(start->image, target, &options, &count, err))
        return false;
    if (count == 0 && options.pattern != NULL) {
        (void)err_set(err, ERR_INPUT, "nothing matches '%s'", options.pattern);
        return err_hint(err, "--appimage-list shows what there is");
    }
    return true;
}

/* Blocked, so that none is lost between the mount and the wait. */
static void block_signals(sigset_t *ret)
{
    (void)sigemptyset(ret);
    (void)sigaddset(ret, SIGINT);
    (void)sigaddset(ret, SIGTERM);
    (void)sigaddset(ret, SIGHUP);
    (void)sigprocmask(SIG_BLOCK, ret, NULL);
}

static bool flag_mount(struct start *start, struct err *err)
{
    struct mounted mounted = {.place = PLACE_NONE};
    struct mount_request request;
    sigset_t signals;
    int got;

    if (!payload_require_image(&start->payload, err))
        return false;
    block_signals(&signals);
    request = make_request(start);
    request.visible = true;
    if (!mount_image(&request, &mounted, err))
        return false;
    place_unlock(&mounted.place);
    if (printf("%s\n", mounted.place.root) < 0 || fflush(stdout) != 0)
        return err_sys(err, "cannot write the mount point");
    while (sigwait(&signals, &got) != 0)
        continue;
    if (!mounted.permanent)
        lifetime_end_early(&mounted.place, mounted.unmount, request.helper);
    place_release(&mounted.place);
    return true;
}

static bool print_section(const struct start *start, const char *name, struct err *err)
{
    cleanup_free char *text = NULL;

    if (!payload_section(&start->payload, name, &text, err))
        return false;
    (void)printf("%s\n", text);
    return true;
}

static bool flag_updateinfo(struct start *start, struct err *err)
{
    return print_section(start, ".upd_info", err);
}

static bool flag_signature(struct start *start, struct err *err)
{
    return print_section(start, ".sha256_sig", err);
}

static bool flag_portable(struct start *start, struct err *err)
{
    const char *kind = strrchr(start->argv[1], '-') + 1;
    bool existed;

    if (!portable_make(start->payload.path, kind, &existed, err))
        return false;
    (void)printf("%s '%s.%s'\n", existed ? "already there:" : "created", start->payload.path, kind);
    return true;
}

static const struct flag {
    const char *name; /* behind FLAG_PREFIX */
    bool starts_app;  /* failures are failures to start */
    bool (*run)(struct start *start, struct err *err);
} flags[] = {
    {"extract", false, flag_extract},
    {"extract-and-run", true, flag_extract_and_run},
    {"help", false, flag_help},
    {"list", false, flag_list},
    {"mount", true, flag_mount},
    {"offset", false, flag_offset},
    {"portable-cache", false, flag_portable},
    {"portable-config", false, flag_portable},
    {"portable-home", false, flag_portable},
    {"portable-share", false, flag_portable},
    {"signature", false, flag_signature},
    {"updateinfo", false, flag_updateinfo},
    {"updateinformation", false, flag_updateinfo},
    {"version", false, flag_version},
};

static const struct flag *find_flag(const char *name)
{
    for (size_t i = 0; i < sizeof(flags) / sizeof(flags[0]); i++)
        if (strcmp(flags[i].name, name) == 0)
            return &flags[i];
    return NULL;
}

static void unknown_flag(const char *name, struct err *err)
{
    struct suggest suggest = suggest_begin(name);

    (void)err_set(err, ERR_USAGE, "unknown option '" FLAG_PREFIX "%s'", name);
    for (size_t i = 0; i < sizeof(flags) / sizeof(flags[0]); i++)
        suggest_offer(&suggest, flags[i].name);
    if (suggest.nearest != NULL)
        (void)err_hint(err, "did you mean '" FLAG_PREFIX "%s'?", suggest.nearest);
    else
        (void)err_hint(err, "try " FLAG_PREFIX "help");
}

static int run_flag(struct start *start, const char *name, struct err *err)
{
    const struct flag *flag = find_flag(name);

    if (flag == NULL) {
        unknown_flag(name, err);
    } else if (flag->run(start, err)) {
        if (fflush(stdout) == 0 && ferror(stdout) == 0)
            return EXIT_SUCCESS;
        (void)err_sys(err, "cannot write the output");
    }
    print_error(err);
    /* A damaged file is that, whatever was asked of it. */
    if (flag != NULL && (flag->starts_app || strcmp(err->id, "E-IMAGE") == 0))
        return EXIT_START;
    return EXIT_OPTION;
}

static int run(struct start *start)
{
    const char *argument = start->argc > 1 ? start->argv[1] : "";
    struct err err = {0};

    /* These two must answer whatever the file looks like. */
    if (strcmp(argument, FLAG_PREFIX "help") == 0 || strcmp(argument, FLAG_PREFIX "version") == 0)
        return run_flag(start, argument + strlen(FLAG_PREFIX), &err);
    if (!payload_open(&start->payload, variable(start, "TARGET_APPIMAGE"), &err)) {
        print_error(&err);
        return EXIT_START;
    }
    if (strncmp(argument, FLAG_PREFIX, strlen(FLAG_PREFIX)) == 0)
        return run_flag(start, argument + strlen(FLAG_PREFIX), &err);
    if (!run_app(start, is_one(variable(start, "APPIMAGE_EXTRACT_AND_RUN")), &err))
        print_error(&err);
    return EXIT_START;
}

/* With a standard descriptor closed, the next file opened would be written to by mistake. The app
 * still finds it closed: the filler is close-on-exec. */
static void fill_standard_fds(void)
{
    for (int fd = STDIN_FILENO; fd <= STDERR_FILENO; fd++)
        if (fcntl(fd, F_GETFD) < 0 && errno == EBADF)
            (void)open("/dev/null", O_RDWR | O_CLOEXEC);
}

int main(int argc, char **argv)
{
    struct start start = {
        .argc = argc,
        .argv = argv,
        .trusted = getauxval(AT_SECURE) == 0,
        .payload = {.fd = -1},
    };
    int status;

    fill_standard_fds();
    status = run(&start);
    sqfs_image_free(start.image);
    payload_release(&start.payload);
    return status;
}
