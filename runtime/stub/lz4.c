/* SPDX-License-Identifier: MIT */
#include "runtime/stub/lz4.h"

#include <stdint.h>
#include <string.h>

enum { MIN_MATCH = 4, STEP = 16 };

struct input {
    const uint8_t *at;
    const uint8_t *end;
};

/* A length of four bits, which 255s and one smaller byte extend. */
static bool read_length(struct input *in, size_t *length)
{
    uint8_t more = 255;

    if (*length < 15)
        return true;
    while (more == 255) {
        if (in->at == in->end)
            return false;
        more = *in->at++;
        *length += more;
    }
    return true;
}

/* Most runs are short: where both sides have room, one copy of a fixed size does. */
static void copy_literals(uint8_t *to, size_t room, const struct input *in, size_t length)
{
    if (length <= STEP && room >= STEP && in->end - in->at >= STEP)
        memcpy(to, in->at, STEP);
    else
        memcpy(to, in->at, length);
}

/* The match may overlap what it makes: then what is there is repeated, twice as much each time. */
static void copy_match(uint8_t *to, size_t room, size_t offset, size_t length)
{
    const uint8_t *from = to - offset;

    if (length <= STEP && room >= STEP && offset >= STEP) {
        memcpy(to, from, STEP);
        return;
    }
    while (length > offset) {
        memcpy(to, from, offset);
        to += offset;
        length -= offset;
        offset *= 2;
    }
    memcpy(to, from, length);
}

bool lz4_decode(const void *src, size_t src_size, void *dst, size_t size, size_t *ret_size)
{
    struct input in = {src, (const uint8_t *)src + src_size};
    uint8_t *out = dst;
    size_t done = 0;

    while (in.at < in.end) {
        uint8_t token = *in.at++;
        size_t length = token >> 4;
        size_t offset;

        if (!read_length(&in, &length) || length > (size_t)(in.end - in.at) || length > size - done)
            return false;
        copy_literals(out + done, size - done, &in, length);
        in.at += length;
        done += length;
        if (in.at == in.end) {
            *ret_size = done;
            return true;
        }
        if (in.end - in.at < 2)
            return false;
        offset = (size_t)in.at[0] | (size_t)in.at[1] << 8;
        in.at += 2;
        length = token & 15;
        if (!read_length(&in, &length))
            return false;
        length += MIN_MATCH;
        if (offset == 0 || offset > done || length > size - done)
            return false;
        copy_match(out + done, size - done, offset, length);
        done += length;
    }
    return false;
}
