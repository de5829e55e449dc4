/* SPDX-License-Identifier: MIT */
#include "common/launchlist.h"

#include <stdlib.h>

#include "common/cleanup.h"
#include "common/err.h"

bool launchlist_read(char *text, size_t size, struct launchfile_record **ret, size_t *ret_count,
                     struct err *err)
{
    cleanup_free struct launchfile_record *records = NULL;
    struct launchfile file;
    size_t lines = 1;
    size_t count = 0;

    for (size_t i = 0; i < size; i++)
        lines += text[i] == '\n';
    records = calloc(lines, sizeof(*records));
    if (records == NULL)
        return err_sys(err, "launch file");
    if (!launchfile_begin(&file, text, size))
        return err_set(err, ERR_INPUT, "damaged image: no launch file of version %d",
                       LAUNCHFILE_VERSION);
    while (count < lines && launchfile_next(&file, &records[count]))
        count++;
    if (file.at != file.end)
        return err_set(err, ERR_INPUT, "damaged image: launch file, record %zu", count + 1);
    *ret_count = count;
    *ret = steal_ptr(&records);
    return true;
}
