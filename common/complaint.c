/* SPDX-License-Identifier: MIT */
#include "common/complaint.h"

#include <stdio.h>

#include "common/cleanup.h"
#include "common/err.h"
#include "common/text.h"

void complaint_print(const struct err *err)
{
    complaint_print_marked(err, "", "");
}

void complaint_print_marked(const struct err *err, const char *before, const char *behind)
{
    cleanup_free char *msg = text_visible(err->msg);
    cleanup_free char *hint = text_visible(err->hint);

    fprintf(stderr, "%srucksack:%s %s%s%s\n", before, behind, err->id,
            err->id[0] != '\0' ? ": " : "", msg);
    if (hint[0] != '\0')
        fprintf(stderr, "hint: %s\n", hint);
}
