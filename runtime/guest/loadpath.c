/* SPDX-License-Identifier: MIT */
/*
 * Ruby's default load path is one block of NUL-terminated strings in libruby (or in a static
 * `ruby`), ended by an empty string: ruby_initial_load_paths in loadpath.c of MRI. Its address was
 * found at build. Here the bytes are compared with what was found then, the pages are made private
 * and writable, and the image's directories take their place: nothing in the environment, no symbol
 * of Ruby.
 *
 * The launcher gives the loader the program's path, and the loader makes it argv[0]: so it is known
 * whether this process is Ruby, which must have the block, or another program, which has none.
 */
#include <link.h>
#include <stdint.h>
#include <string.h>
#include <sys/mman.h>
#include <sys/prctl.h>
#include <unistd.h>

#include "common/format.h"
#include "common/launchfile.h"
#include "guest.h"

enum { DIRS_MAX = 16 };

static struct {
    const char *ruby;   /* image path of the program that runs scripts: its trampoline */
    const char *elf;    /* and the program itself */
    const char *loader; /* what starts it, where that is not named like the process */
    const char *comm;   /* the process's name */
    const char *object; /* file name of the object that holds the block; elf, when that is it */
    uintptr_t address;  /* virtual address in the object */
    size_t size;        /* bytes, with the empty string at the end */
    const char *old_dirs[DIRS_MAX];
    size_t old_count;
    const char *new_dirs[DIRS_MAX];
    size_t new_count;
    bool is_ruby;     /* this process runs elf */
    bool has_no_gems; /* ruby --disable-gems */
} block;

static uintptr_t parse_number(const char *text, unsigned int base)
{
    uintptr_t number = 0;

    for (; *text != '\0'; text++) {
        unsigned int digit =
            *text >= 'a' ? (unsigned int)(*text - 'a') + 10 : (unsigned int)(*text - '0');

        if (digit >= base || number > (UINTPTR_MAX >> 8))
            guest_die("damaged image: load path record", "");
        number = number * base + digit;
    }
    return number;
}

void loadpath_record(const struct launchfile_record *record)
{
    if (launchfile_is(record, "ruby", 1)) {
        block.ruby = record->fields[1];
    } else if (launchfile_is(record, "program", 3) && block.ruby != NULL &&
               strcmp(record->fields[1], block.ruby) == 0) {
        block.elf = record->fields[2];
        block.comm = record->fields[3];
    } else if (launchfile_is(record, "loader", 2)) {
        block.loader = record->fields[2];
    } else if (launchfile_is(record, "loadpath", 3)) {
        block.object = record->fields[1];
        block.address = parse_number(record->fields[2], 16);
        block.size = parse_number(record->fields[3], 10);
    } else if (launchfile_is(record, "loadpath-old", 1) && block.old_count < DIRS_MAX) {
        block.old_dirs[block.old_count++] = record->fields[1];
    } else if (launchfile_is(record, "loadpath-new", 1) && block.new_count < DIRS_MAX) {
        block.new_dirs[block.new_count++] = record->fields[1];
    }
}

/* The readable segment of the object in which [block.address, + size) lies, or NULL. */
static const ElfW(Phdr) * find_segment(const struct dl_phdr_info *info)
{
    for (size_t i = 0; i < info->dlpi_phnum; i++) {
        const ElfW(Phdr) *segment = &info->dlpi_phdr[i];

        if (segment->p_type == PT_LOAD && (segment->p_flags & PF_R) != 0 &&
            block.address >= segment->p_vaddr && block.size <= segment->p_memsz &&
            block.address - segment->p_vaddr <= segment->p_memsz - block.size)
            return segment;
    }
    return NULL;
}

/* Where pages can have 64 kB, linkers put constants into the segment of the code: the end of it and
 * the block share a page. None of it runs while we write. */
static int protection_of(const ElfW(Phdr) * segment)
{
    return PROT_READ | ((segment->p_flags & PF_W) != 0 ? PROT_WRITE : 0) |
           ((segment->p_flags & PF_X) != 0 ? PROT_EXEC : 0);
}

static bool has_old_bytes(const char *at)
{
    const char *end = at + block.size;

    for (size_t i = 0; i < block.old_count; i++) {
        size_t size = strlen(block.old_dirs[i]) + 1;

        if ((size_t)(end - at) < size || memcmp(at, block.old_dirs[i], size) != 0)
            return false;
        at += size;
    }
    return at < end && *at == '\0';
}

/* "<root>/<dir>\0" for each of them, and the empty string. */
static bool fits(const char *const dirs[], size_t count)
{
    size_t size = 1;

    for (size_t i = 0; i < count; i++)
        size += guest_root_len + 1 + strlen(dirs[i]) + 1;
    return size <= block.size;
}

static void write_dirs(char *at, const char *const dirs[], size_t count)
{
    for (size_t i = 0; i < count; i++) {
        size_t len = strlen(dirs[i]);

        memcpy(at, guest_root, guest_root_len);
        at[guest_root_len] = '/';
        memcpy(at + guest_root_len + 1, dirs[i], len + 1);
        at += guest_root_len + 1 + len + 1;
    }
    *at = '\0';
}

/* The directory that stands for all has a rubygems.rb that knows them (loadpath.rb). */
static void write_new_bytes(char *at)
{
    static const char *const one_for_all[] = {FORMAT_LOADPATH_DIR};

    if (fits(block.new_dirs, block.new_count))
        write_dirs(at, block.new_dirs, block.new_count);
    else if (!fits(one_for_all, 1))
        guest_die("the image's path is too long for this Ruby: ", guest_root);
    else if (block.has_no_gems)
        guest_die("the image's path is too long for a Ruby without RubyGems: ", guest_root);
    else
        write_dirs(at, one_for_all, 1);
}

static bool is_program(void)
{
    return block.elf != NULL && strcmp(block.object, block.elf) == 0;
}

/* The main program has no name in the list of objects. */
static bool is_object(const struct dl_phdr_info *info)
{
    const char *slash = strrchr(info->dlpi_name, '/');

    if (is_program())
        return info->dlpi_name[0] == '\0';
    return strcmp(slash != NULL ? slash + 1 : info->dlpi_name, block.object) == 0;
}

static int apply_to(struct dl_phdr_info *info, size_t size, void *context)
{
    uintptr_t page = (uintptr_t)getpagesize();
    char *at =
        (char *)(info->dlpi_addr + block.address); /* NOLINT: an address in a mapped object */
    uintptr_t start = (uintptr_t)at & ~(page - 1);
    size_t span = ((uintptr_t)at + block.size - start + page - 1) & ~(page - 1);
    const ElfW(Phdr) * segment;

    (void)size;
    (void)context;
    if (info->dlpi_name == NULL || !is_object(info))
        return 0;
    segment = find_segment(info);
    if (segment == NULL || !has_old_bytes(at)) {
        if (is_program() && !block.is_ruby)
            return 0; /* some other main program */
        guest_die("this Ruby is not the one that was packed: ", block.object);
    }
    if (mprotect((void *)start, span, PROT_READ | PROT_WRITE) != 0)
        guest_die("the load path cannot be written: ", block.object);
    write_new_bytes(at);
    if (mprotect((void *)start, span, protection_of(segment)) != 0)
        guest_die("code cannot be made executable again, as by MemoryDenyWriteExecute: ",
                  block.object);
    return 1;
}

static bool is_ruby(const char *program)
{
    char path[GUEST_PATH_MAX];

    return block.elf != NULL && program != NULL && guest_path(path, block.elf) &&
           strcmp(program, path) == 0;
}

/* --disable=gems, --disable-gems, --disable-all, also with '_' and in lists; before the script. */
static bool disables_gems(char *const arguments[])
{
    for (; *arguments != NULL && **arguments == '-'; arguments++) {
        if (strncmp(*arguments, "--disable", 9) == 0 &&
            (strstr(*arguments, "gem") != NULL || strstr(*arguments, "all") != NULL))
            return true;
    }
    return false;
}

void loadpath_apply(char *const argv[])
{
    block.is_ruby = is_ruby(argv[0]);
    block.has_no_gems = block.is_ruby && disables_gems(argv + 1);
    if (block.is_ruby && block.loader != NULL)
        (void)prctl(PR_SET_NAME, block.comm);
    if (block.object != NULL && dl_iterate_phdr(apply_to, NULL) == 0 && block.is_ruby)
        guest_die("this Ruby is not the one that was packed: no ", block.object);
}
