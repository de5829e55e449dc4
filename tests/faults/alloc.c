/* SPDX-License-Identifier: MIT */
/*
 * Allocations that fail, for a program that is linked with -Wl,--wrap of the functions below: in a
 * static one these are also the calls of its libraries and of libc.
 *
 * RUCKSACK_FAULT=N:FILE lets the N-th allocation of the program and of all that it forks fail, and
 * adds a line to FILE: N, and how far behind __wrap_malloc its caller is. With N = 0 none fails:
 * FILE gets the number of one allocation for each path of callers that led to one, when the program
 * ends.
 */
#include <errno.h>
#include <fcntl.h>
#include <stdatomic.h>
#include <stdbool.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/mman.h>
#include <unistd.h>
#ifdef FAULT_UNWIND
#include <unwind.h>
#endif

enum {
    SEEN_BITS = 16,
    FRAMES = 6,
};

/* Of all processes that come from one; the seen paths are for N = 0 only. */
struct shared {
    atomic_ulong count;
    atomic_ulong places;
    _Atomic uint64_t seen[1 << SEEN_BITS];
};

static struct shared *shared;
static unsigned long fail_at;
static const char *file;
static atomic_int state; /* 0: unknown, 1: being read, 2: off, 3: on */

void *__real_malloc(size_t size);
void *__real_calloc(size_t count, size_t size);
void *__real_realloc(void *ptr, size_t size);
void *__real_reallocarray(void *ptr, size_t count, size_t size);
void *__real_aligned_alloc(size_t alignment, size_t size);
int __real_posix_memalign(void **ret, size_t alignment, size_t size);
void *__wrap_malloc(size_t size);
void *__wrap_calloc(size_t count, size_t size);
void *__wrap_realloc(void *ptr, size_t size);
void *__wrap_reallocarray(void *ptr, size_t count, size_t size);
void *__wrap_aligned_alloc(size_t alignment, size_t size);
int __wrap_posix_memalign(void **ret, size_t alignment, size_t size);

/* libc allocates before it has an environment, and before stacks can be walked. */
static bool is_started;

[[gnu::constructor]] static void begin(void)
{
    is_started = true;
}

static bool is_on(void)
{
    int unknown = 0;
    const char *text;
    char *end;

    if (state != 0)
        return state == 3;
    if (!is_started || !atomic_compare_exchange_strong(&state, &unknown, 1))
        return false;
    text = getenv("RUCKSACK_FAULT");
    if (text == NULL) {
        state = 2;
        return false;
    }
    fail_at = strtoul(text, &end, 10);
    file = *end == ':' ? end + 1 : "/dev/null";
    shared = mmap(NULL, sizeof(*shared), PROT_READ | PROT_WRITE, MAP_SHARED | MAP_ANONYMOUS, -1, 0);
    state = shared == MAP_FAILED ? 2 : 3;
    return state == 3;
}

static void note(unsigned long number, uint64_t place)
{
    char line[64];
    int length = snprintf(line, sizeof(line), "%lu %016llx\n", number, (unsigned long long)place);
    int fd = open(file, O_WRONLY | O_CREAT | O_APPEND | O_CLOEXEC, 0666);

    if (fd < 0)
        return;
    (void)!write(fd, line, (size_t)length);
    (void)close(fd);
}

#ifdef FAULT_UNWIND
extern const char __executable_start;

struct walk {
    size_t frames;
    uint64_t hash;
};

static _Unwind_Reason_Code add_frame(struct _Unwind_Context *context, void *data)
{
    struct walk *walk = data;
    uint64_t offset = (uint64_t)_Unwind_GetIP(context) - (uint64_t)(uintptr_t)&__executable_start;

    walk->hash = (walk->hash ^ offset) * 0x100000001b3ULL;
    return ++walk->frames < FRAMES + 3 ? _URC_NO_REASON : _URC_END_OF_STACK;
}

static uint64_t place_of_call(void)
{
    struct walk walk = {.hash = 0xcbf29ce484222325ULL};

    (void)_Unwind_Backtrace(add_frame, &walk);
    return walk.hash | 1;
}
#else
static uint64_t place_of_call(void)
{
    static _Atomic uint64_t last;

    return ++last; /* each is one of its own: these programs have few */
}
#endif

static void note_place(unsigned long number)
{
    uint64_t place = place_of_call();

    for (size_t i = 0; i < 1 << SEEN_BITS; i++) {
        uint64_t none = 0;
        _Atomic uint64_t *slot = &shared->seen[(place + i) % (1 << SEEN_BITS)];

        if (*slot == place)
            return;
        if (*slot == 0 && atomic_compare_exchange_strong(slot, &none, place)) {
            note(number, place);
            return;
        }
    }
}

static bool fails(const void *caller)
{
    static _Thread_local bool is_inside;
    unsigned long number;
    bool is_it;

    if (is_inside || !is_on())
        return false;
    is_inside = true;
    number = atomic_fetch_add(&shared->count, 1) + 1;
    is_it = number == fail_at;
    if (fail_at == 0)
        note_place(number);
    if (is_it) /* where from, for addr2line: nm says where __wrap_malloc is */
        note(number, (uint64_t)((uintptr_t)caller - (uintptr_t)__wrap_malloc));
    is_inside = false;
    if (is_it)
        errno = ENOMEM;
    return is_it;
}

void *__wrap_malloc(size_t size)
{
    return fails(__builtin_return_address(0)) ? NULL : __real_malloc(size);
}

void *__wrap_calloc(size_t count, size_t size)
{
    return fails(__builtin_return_address(0)) ? NULL : __real_calloc(count, size);
}

void *__wrap_realloc(void *ptr, size_t size)
{
    return fails(__builtin_return_address(0)) ? NULL : __real_realloc(ptr, size);
}

void *__wrap_reallocarray(void *ptr, size_t count, size_t size)
{
    return fails(__builtin_return_address(0)) ? NULL : __real_reallocarray(ptr, count, size);
}

void *__wrap_aligned_alloc(size_t alignment, size_t size)
{
    return fails(__builtin_return_address(0)) ? NULL : __real_aligned_alloc(alignment, size);
}

int __wrap_posix_memalign(void **ret, size_t alignment, size_t size)
{
    return fails(__builtin_return_address(0)) ? ENOMEM
                                              : __real_posix_memalign(ret, alignment, size);
}
