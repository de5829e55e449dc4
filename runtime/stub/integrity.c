/* SPDX-License-Identifier: MIT */
#include "runtime/stub/integrity.h"

#include <errno.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include "common/blake2b.h"
#include "common/cleanup.h"
#include "common/err.h"
#include "common/format.h"
#include "runtime/stub/payload.h"

enum { CHUNK_SIZE = 256 << 10 };

static bool hash_range(struct blake2b *hash, const struct payload *payload, uint64_t from,
                       uint64_t to, struct err *err)
{
    cleanup_free char *chunk = malloc(CHUNK_SIZE);

    if (chunk == NULL)
        return err_sys(err, "'%s'", payload->path);
    while (from < to) {
        size_t want = to - from < CHUNK_SIZE ? (size_t)(to - from) : CHUNK_SIZE;
        ssize_t length = pread(payload->fd, chunk, want, (off_t)from);

        if (length < 0 && errno == EINTR)
            continue;
        if (length < 0)
            return err_sys(err, "'%s'", payload->path);
        if (length == 0)
            return err_set(err, ERR_INPUT, "'%s' became shorter", payload->path);
        blake2b_update(hash, chunk, (size_t)length);
        from += (uint64_t)length;
    }
    return true;
}

static bool compare(struct blake2b *hash, const uint8_t want[FORMAT_HASH_SIZE], const char *what,
                    const struct payload *payload, struct err *err)
{
    uint8_t got[BLAKE2B_SIZE];

    blake2b_final(hash, got);
    if (memcmp(got, want, FORMAT_HASH_SIZE) == 0)
        return true;
    (void)err_set(err, ERR_INPUT, "'%s' is damaged: its %s is not what was built", payload->path,
                  what);
    (void)err_id(err, "E-VERIFY");
    return err_hint(err, "copy it again, then see: rucksack verify FILE");
}

static bool check_image(const struct payload *payload, struct err *err)
{
    struct blake2b hash;

    blake2b_init(&hash);
    return hash_range(&hash, payload, payload->image_offset,
                      payload->image_offset + payload->image_size, err) &&
           compare(&hash, payload->header.image_hash, "image", payload, err);
}

/* The hash of the stub cannot hold itself: those bytes are read as zero. */
static bool check_stub(const struct payload *payload, struct err *err)
{
    static const uint8_t zero[FORMAT_HASH_SIZE];
    uint64_t field = payload->header_offset + offsetof(struct format_header, stub_hash);
    struct blake2b hash;

    blake2b_init(&hash);
    if (!hash_range(&hash, payload, 0, field, err))
        return false;
    blake2b_update(&hash, zero, sizeof(zero));
    return hash_range(&hash, payload, field + sizeof(zero), payload->image_offset, err) &&
           compare(&hash, payload->header.stub_hash, "runtime", payload, err);
}

bool integrity_check(const struct payload *payload, struct err *err)
{
    return !payload->ours || (check_stub(payload, err) && check_image(payload, err));
}
