/* SPDX-License-Identifier: MIT */
#include "bundler/record.h"

#include <fcntl.h>
#include <libgen.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <sys/utsname.h>
#include <unistd.h>

#include "bundler/hash.h"
#include "bundler/sight.h"
#include "bundler/witness.h"
#include "common/cleanup.h"
#include "common/err.h"
#include "common/words.h"
#include "common/xalloc.h"

extern char **environ;

enum { RECORD_MAX = 256 << 20 };

struct record_head {
    uint8_t answer[FORMAT_HASH_SIZE];
    uint8_t output_hash[FORMAT_HASH_SIZE];
    uint64_t output_size;
};

struct text {
    char *bytes;
    size_t size;
    size_t capacity;
};

static void put(struct text *text, const void *data, size_t size)
{
    while (text->capacity - text->size < size) {
        text->capacity = text->capacity == 0 ? 4096 : 2 * text->capacity;
        text->bytes = xrealloc_array(text->bytes, text->capacity, 1);
    }
    memcpy(text->bytes + text->size, data, size);
    text->size += size;
}

/* As it is noted when the directory is read by its real name. */
static char *absolute(const char *output)
{
    cleanup_free char *first = xstrdup(output);
    cleanup_free char *second = xstrdup(output);
    cleanup_free char *dir = realpath(dirname(first), NULL);

    return dir != NULL ? xasprintf("%s/%s", dir, basename(second)) : NULL;
}

void record_open(struct record *ret, const char *question, const char *output)
{
    struct store_piece pieces[2] = {{question, strlen(question)}};

    *ret = (struct record){.output = absolute(output)};
    if (ret->output == NULL)
        return;
    pieces[1] = (struct store_piece){ret->output, strlen(ret->output)};
    ret->key = store_key(pieces, 2);
    ret->store = store_open("records");
    witness_ignore(ret->output);
}

void record_release(struct record *record)
{
    store_close(record->store);
    free(record->output);
    free(record->text);
    *record = (struct record){0};
}

void record_answer(struct record *record, const char *answer)
{
    hash_bytes(answer, strlen(answer), record->answer);
}

static bool hash_file(int fd, struct record_head *ret)
{
    struct err ignored = {0};
    struct stat st;

    if (fstat(fd, &st) != 0 || !S_ISREG(st.st_mode))
        return false;
    ret->output_size = (uint64_t)st.st_size;
    return hash_range(fd, 0, ret->output_size, ret->output_hash, &ignored);
}

static bool hash_output(const struct record *record, struct record_head *ret)
{
    cleanup_fd int fd = open(record->output, O_RDONLY | O_CLOEXEC | O_NOFOLLOW | O_NONBLOCK);
    struct stat st;

    return fd >= 0 && fstat(fd, &st) == 0 && (st.st_mode & 0777) == 0755 && hash_file(fd, ret);
}

static bool sees_same(enum sight_kind kind, const char *path, const struct sight *known,
                      const struct sight *names, const char *output)
{
    struct sight now;

    sight_see(kind, path, &now);
    if (sight_equals(&now, known))
        return true;
    if (kind != SIGHT_DIR)
        return false;
    sight_list(path, output, &now);
    return sight_equals(&now, names);
}

/* The hash at *at; false at the end of what was read. */
static bool take_hash(const char **at, const char *end, struct sight *ret)
{
    if (end - *at < SIGHT_SIZE)
        return false;
    memcpy(ret->hash, *at, SIGHT_SIZE);
    *at += SIGHT_SIZE;
    return true;
}

/* *ret_changed: the first path at which there is something else. */
static bool all_the_same(const char *at, const char *end, const char *output, char **ret_changed)
{
    while (at < end) {
        enum sight_kind kind = (enum sight_kind) * at++;
        struct sight known = {0};
        struct sight names = {0};
        const char *path;

        if (!take_hash(&at, end, &known) || (kind == SIGHT_DIR && !take_hash(&at, end, &names)))
            return false;
        path = at;
        at = memchr(at, '\0', (size_t)(end - at));
        if (at++ == NULL)
            return false;
        if (!sees_same(kind, path, &known, &names, output)) {
            *ret_changed = xstrdup(path);
            return false;
        }
    }
    return true;
}

static bool holds(const struct record *record, uint64_t *ret_size_bytes, char **ret_changed)
{
    size_t size = 0;
    cleanup_free char *kept = store_load(record->store, &record->key, RECORD_MAX, &size);
    struct record_head head;
    struct record_head now = {0};

    if (kept == NULL || size < sizeof(head))
        return false;
    memcpy(&head, kept, sizeof(head));
    if (memcmp(head.answer, record->answer, sizeof(head.answer)) != 0 ||
        !all_the_same(kept + sizeof(head), kept + size, record->output, ret_changed) ||
        !hash_output(record, &now) || now.output_size != head.output_size ||
        memcmp(now.output_hash, head.output_hash, sizeof(head.output_hash)) != 0)
        return false;
    *ret_size_bytes = head.output_size;
    return true;
}

bool record_holds(const struct record *record, uint64_t *ret_size_bytes, char **ret_changed)
{
    bool result;

    witness_listen(false); /* our own looks are no inputs */
    result = holds(record, ret_size_bytes, ret_changed);
    witness_listen(true);
    return result;
}

/* False: it may have changed since it was read. */
static bool collect(struct text *text, const struct witness *witness, size_t index,
                    const char *output)
{
    const struct witness_note *note = &witness->notes[index];
    char kind = (char)note->kind;
    struct sight now;

    sight_see(note->kind, note->path, &now);
    if (!sight_equals(&now, &note->sight) || !sight_is_settled(&now, &witness->begun))
        return false;
    put(text, &kind, 1);
    put(text, now.hash, SIGHT_SIZE);
    if (note->kind == SIGHT_DIR) {
        sight_list(note->path, output, &now);
        put(text, now.hash, SIGHT_SIZE);
    }
    put(text, note->path, strlen(note->path) + 1);
    return true;
}

void record_collect(struct record *record, const struct witness *witness, int fd)
{
    struct record_head head = {0};
    struct text text = {0};
    bool ok;

    witness_listen(false); /* our own looks are no inputs, nor may they move the notes */
    memcpy(head.answer, record->answer, sizeof(head.answer));
    ok = record->store != NULL && hash_file(fd, &head);
    put(&text, &head, sizeof(head));
    for (size_t i = 0; ok && i < witness->count; i++)
        ok = collect(&text, witness, i, record->output);
    witness_listen(true);
    free(record->text);
    record->text = ok ? text.bytes : NULL;
    record->text_size = text.size;
    if (!ok)
        free(text.bytes);
}

void record_write(const struct record *record)
{
    if (record->text != NULL)
        store_put(record->store, &record->key, record->text, record->text_size);
}

static bool changes_by_itself(const char *assignment)
{
    static const char *const names[] = {"_=",    "SHLVL=",   "PWD=",      "OLDPWD=",
                                        "TERM=", "COLUMNS=", "LINES=",    "SSH_",
                                        "STY=",  "TMUX",     "WINDOWID=", "XDG_SESSION_ID="};

    for (size_t i = 0; i < sizeof(names) / sizeof(names[0]); i++)
        if (strncmp(assignment, names[i], strlen(names[i])) == 0)
            return true;
    return false;
}

static int by_text(const void *a, const void *b)
{
    return strcmp(*(const char *const *)a, *(const char *const *)b);
}

char *record_surroundings(void)
{
    size_t count = words_count((const char *const *)environ);
    cleanup_free const char **sorted = xcalloc(count + 1, sizeof(*sorted));
    struct text text = {0};
    struct utsname host;

    if (uname(&host) == 0) {
        cleanup_free char *machine =
            xasprintf("%s %s %s %s\n", host.sysname, host.nodename, host.release, host.machine);

        put(&text, machine, strlen(machine));
    }
    for (size_t i = 0; i < count; i++)
        sorted[i] = environ[i];
    qsort(sorted, count, sizeof(*sorted), by_text);
    for (size_t i = 0; i < count; i++) {
        if (changes_by_itself(sorted[i]))
            continue;
        put(&text, sorted[i], strlen(sorted[i]));
        put(&text, "\n", 1);
    }
    put(&text, "", 1);
    return text.bytes;
}
