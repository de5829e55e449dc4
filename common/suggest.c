/* SPDX-License-Identifier: MIT */
#include "common/suggest.h"

#include <stdint.h>
#include <string.h>

#include "common/err.h"

enum { LEN_MAX = 32, DISTANCE_MAX = 2 };

static size_t min3(size_t a, size_t b, size_t c)
{
    size_t ab = a < b ? a : b;

    return ab < c ? ab : c;
}

/* Names longer than LEN_MAX are never near. */
static size_t distance(const char *a, size_t a_len, const char *b)
{
    size_t row[LEN_MAX + 1];
    size_t b_len = strlen(b);

    if (a_len > LEN_MAX || b_len > LEN_MAX)
        return SIZE_MAX;
    for (size_t j = 0; j <= b_len; j++)
        row[j] = j;
    for (size_t i = 1; i <= a_len; i++) {
        size_t diagonal = row[0];

        row[0] = i;
        for (size_t j = 1; j <= b_len; j++) {
            size_t above = row[j];

            row[j] = min3(above + 1, row[j - 1] + 1, diagonal + (a[i - 1] != b[j - 1]));
            diagonal = above;
        }
    }
    return row[b_len] < a_len || row[b_len] < b_len ? row[b_len] : SIZE_MAX;
}

struct suggest suggest_begin(const char *typed)
{
    return (struct suggest){.typed = typed, .distance = DISTANCE_MAX + 1};
}

void suggest_offer(struct suggest *suggest, const char *known)
{
    size_t here = distance(suggest->typed, strcspn(suggest->typed, "="), known);

    if (here < suggest->distance) {
        suggest->distance = here;
        suggest->nearest = known;
    }
}

bool suggest_hint(const struct suggest *suggest, const char *otherwise, struct err *err)
{
    if (suggest->nearest != NULL)
        return err_hint(err, "did you mean '%.100s'?", suggest->nearest);
    return otherwise != NULL && err_hint(err, "%s", otherwise);
}
