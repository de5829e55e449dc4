/* SPDX-License-Identifier: MIT */
/*
 * Compiled sources from the first file on. Ruby reads RubyGems, a hundred files, before it runs a
 * line of ours; but before those it loads the library that has its table of encodings (Init_enc()
 * in encoding.c of MRI, after all classes are made). That is when runtime/iseqs is told to be
 * ready. A Ruby in which the table is built in never gives the sign: operating_system.rb begins
 * then.
 */
#include <dlfcn.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include "common/format.h"
#include "guest.h"

bool compiled_is_moment(const char *path)
{
    static const char sign[] = "/enc/encdb.so";
    size_t len = path != NULL ? strlen(path) : 0;

    return len > sizeof(sign) && strcmp(path + len - (sizeof(sign) - 1), sign) == 0 &&
           guest_root_len > 0 && strncmp(path, guest_root, guest_root_len) == 0 &&
           path[guest_root_len] == '/';
}

/* Ruby has read it. Neither the app nor a child of it asked for such a heap
 * (runtime/launch/heap.h). */
static void forget_heap(void)
{
    const char *value = getenv(FORMAT_HEAP);

    if (value != NULL && value[0] == FORMAT_HEAP_MARK)
        (void)unsetenv(FORMAT_HEAP);
}

void compiled_begin(dlopen_function *next, access_function *access)
{
    char path[GUEST_PATH_MAX];
    void (*await)(const char *) = NULL;
    void *handle;

    forget_heap();
    if (!guest_path(path, FORMAT_DIR "/iseqs.so") || access(path, R_OK) != 0)
        return;
    handle = next(path, RTLD_LAZY);
    if (handle != NULL)
        *(void **)&await = dlsym(handle, "iseqs_await");
    if (await != NULL)
        await(guest_root);
}
