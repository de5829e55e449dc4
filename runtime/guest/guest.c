/* SPDX-License-Identifier: MIT */
#include "guest.h"

#include <dlfcn.h>
#include <fcntl.h>
#include <link.h>
#include <string.h>
#include <sys/mman.h>
#include <unistd.h>

#include "common/format.h"
#include "common/launchfile.h"

char guest_root[GUEST_PATH_MAX];
size_t guest_root_len;

bool guest_path(char ret[GUEST_PATH_MAX], const char *image_path)
{
    size_t len = strlen(image_path);

    if (guest_root_len + 1 + len >= GUEST_PATH_MAX)
        return false;
    memcpy(ret, guest_root, guest_root_len);
    ret[guest_root_len] = '/';
    memcpy(ret + guest_root_len + 1, image_path, len + 1);
    return true;
}

/* No libc but glibc has it. */
extern __typeof__(dlvsym) dlvsym __attribute__((weak));

void *guest_next(const char *name)
{
    /* Of several versions, dlsym(RTLD_NEXT) takes the oldest before glibc 2.36 (its bug 14932): a
     * realpath() that wants a buffer, a posix_spawn() that runs a script without "#!". */
    static const struct {
        const char *name;
        const char *version;
    } versions[] = {
        {"realpath", "GLIBC_2.3"},
        {"posix_spawn", "GLIBC_2.15"},
        {"posix_spawnp", "GLIBC_2.15"},
    };
    void *found = NULL;

    for (size_t i = 0; dlvsym != NULL && i < sizeof(versions) / sizeof(versions[0]); i++)
        if (strcmp(versions[i].name, name) == 0)
            found = dlvsym(RTLD_NEXT, name, versions[i].version);
    return found != NULL ? found : dlsym(RTLD_NEXT, name);
}

static void say(const char *text)
{
    ssize_t written = write(STDERR_FILENO, text, strlen(text));

    (void)written; /* there is nobody left to tell */
}

void guest_die(const char *message, const char *detail)
{
    say("rucksack: E-START: ");
    say(message);
    say(detail);
    say("\n");
    _exit(125);
}

/* The loader knows us by the path it was given: the only way to our image that needs no /proc. */
static int find_self(struct dl_phdr_info *info, size_t size, void *context)
{
    static const char suffix[] = "/" FORMAT_GUEST;
    size_t len = info->dlpi_name != NULL ? strlen(info->dlpi_name) : 0;

    (void)size;
    (void)context;
    if (len < sizeof(suffix) - 1 || len - (sizeof(suffix) - 1) >= GUEST_PATH_MAX ||
        strcmp(info->dlpi_name + len - (sizeof(suffix) - 1), suffix) != 0)
        return 0;
    guest_root_len = len - (sizeof(suffix) - 1);
    memcpy(guest_root, info->dlpi_name, guest_root_len);
    guest_root[guest_root_len] = '\0';
    return 1;
}

static char *map_launch_file(size_t *ret_size)
{
    char path[GUEST_PATH_MAX];
    off_t size;
    char *text;
    int fd;

    if (!guest_path(path, FORMAT_LAUNCH))
        guest_die("path too long: ", guest_root);
    fd = open(path, O_RDONLY | O_CLOEXEC);
    /* Not fstat(): a libc before glibc 2.33 has no symbol of that name. */
    size = fd >= 0 ? lseek(fd, 0, SEEK_END) : -1;
    if (size <= 0 || size > FORMAT_LAUNCH_MAX || lseek(fd, 0, SEEK_SET) != 0)
        guest_die("damaged image: ", path);
    *ret_size = (size_t)size;
    text = mmap(NULL, *ret_size + 1, PROT_READ | PROT_WRITE, MAP_PRIVATE | MAP_ANONYMOUS, -1, 0);
    if (text == MAP_FAILED)
        guest_die("out of memory: ", path);
    for (size_t done = 0; done < *ret_size;) {
        ssize_t length = read(fd, text + done, *ret_size - done);

        if (length <= 0)
            guest_die("damaged image: ", path);
        done += (size_t)length;
    }
    close(fd);
    return text;
}

/* Until the constructor has run: records point into it. */
static char *launch_text;
static size_t launch_size;

void guest_prepare(void)
{
    static bool is_begun;
    struct launchfile file;
    struct launchfile_record record;

    if (is_begun)
        return;
    is_begun = true;
    /* First what an allocator may call that begins its work when we look up the others. */
    confine_init();
    interpose_init();
    locale_init();
    exec_init();
    shell_init();
    if (dl_iterate_phdr(find_self, NULL) == 0)
        guest_die("the preload object does not find itself", "");
    launch_text = map_launch_file(&launch_size);
    if (!launchfile_begin(&file, launch_text, launch_size))
        guest_die("damaged image: ", FORMAT_LAUNCH);
    while (launchfile_next(&file, &record)) {
        loadpath_record(&record);
        locale_record(&record);
        exec_record(&record);
        fallback_record(&record);
        names_record(&record);
    }
    if (file.at != file.end)
        guest_die("damaged image: ", FORMAT_LAUNCH);
    names_init();
}

/* With the arguments of main(), as glibc's loader calls every constructor (elf/dl-init.c). */
__attribute__((constructor)) static void guest_init(int argc, char **argv)
{
    guest_prepare();
    if (argc > 0) {
        loadpath_apply(argv);
        title_apply(argv);
    }
    munmap(launch_text, launch_size + 1);
}
