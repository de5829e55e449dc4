/* SPDX-License-Identifier: MIT */
#include "runtime/stub/integrity.h"

#include <stddef.h>
#include <string.h>

#include "common/checksum.h"
#include "common/err.h"
#include "common/format.h"
#include "runtime/stub/payload.h"

bool integrity_is_damage(const struct err *err)
{
    return strcmp(err->id, "E-IMAGE") == 0 || strcmp(err->id, "E-VERIFY") == 0;
}

bool integrity_check(const struct payload *payload, struct err *err)
{
    uint64_t sum;

    if (!payload->ours)
        return true;
    if (!checksum_file(payload->fd, payload->header_offset + FORMAT_SUMS_OFFSET,
                       payload->header_offset + FORMAT_SUMS_OFFSET + FORMAT_SUMS_SIZE,
                       payload->image_offset + payload->image_size, &sum, err))
        return err_wrap(err, "'%s'", payload->path);
    if (sum == payload->header.checksum)
        return true;
    (void)err_set(err, ERR_INPUT, "'%s' is damaged: it is not what was built", payload->path);
    (void)err_id(err, "E-VERIFY");
    return err_hint(err, "copy it again, then see: rucksack verify FILE");
}
