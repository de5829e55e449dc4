/* SPDX-License-Identifier: MIT */
#include "common/base64.h"

static const char digits[] = "ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789+/";

void base64_encode(const uint8_t *data, size_t size, char *ret)
{
    for (size_t i = 0; i < size; i += 3) {
        uint32_t group = (uint32_t)data[i] << 16;

        group |= i + 1 < size ? (uint32_t)data[i + 1] << 8 : 0;
        group |= i + 2 < size ? (uint32_t)data[i + 2] : 0;
        *ret++ = digits[group >> 18];
        *ret++ = digits[group >> 12 & 63];
        *ret++ = '=';
        *ret++ = '=';
        if (i + 1 < size)
            ret[-2] = digits[group >> 6 & 63];
        if (i + 2 < size)
            ret[-1] = digits[group & 63];
    }
    *ret = '\0';
}

static int value_of(char digit)
{
    if (digit >= 'A' && digit <= 'Z')
        return digit - 'A';
    if (digit >= 'a' && digit <= 'z')
        return digit - 'a' + 26;
    if (digit >= '0' && digit <= '9')
        return digit - '0' + 52;
    if (digit == '+')
        return 62;
    return digit == '/' ? 63 : -1;
}

/* Four characters to 1, 2 or 3 bytes. */
static bool decode_group(const char *text, uint8_t *ret, size_t size)
{
    uint32_t group = 0;

    for (size_t i = 0; i < 4; i++) {
        int value = i <= size ? value_of(text[i]) : 0;

        if (value < 0 || (i > size && text[i] != '='))
            return false;
        group = group << 6 | (uint32_t)value;
    }
    for (size_t i = 0; i < size; i++)
        ret[i] = (uint8_t)(group >> (16 - 8 * i));
    return (group & ((1U << (24 - 8 * size)) - 1)) == 0;
}

bool base64_decode(const char *text, size_t length, uint8_t *ret, size_t size)
{
    if (length != BASE64_LENGTH(size))
        return false;
    for (size_t i = 0; i < size; i += 3)
        if (!decode_group(text + i / 3 * 4, ret + i, size - i < 3 ? size - i : 3))
            return false;
    return true;
}
