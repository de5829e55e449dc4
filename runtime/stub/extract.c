/* SPDX-License-Identifier: MIT */
#include "extract.h"

#include "common/err.h"

bool extract_tree(struct sqfs *fs, int dir_fd, const char *pattern, struct err *err)
{
    (void)fs, (void)dir_fd, (void)pattern;
    return err_set(err, ERR_INPUT, "unbuilt");
}

bool extract_list(struct sqfs *fs, struct err *err)
{
    (void)fs;
    return err_set(err, ERR_INPUT, "unbuilt");
}

bool extract_cached(const struct payload *payload, struct sqfs *fs, bool secure, char **ret_root,
                    struct err *err)
{
    (void)payload, (void)fs, (void)secure, (void)ret_root;
    return err_set(err, ERR_INPUT, "unbuilt");
}
