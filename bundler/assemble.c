/* SPDX-License-Identifier: MIT */
#include "bundler/assemble.h"

#include <errno.h>
#include <unistd.h>

#include "bundler/asset.h"
#include "bundler/bundle.h"
#include "bundler/image.h"
#include "bundler/output.h"
#include "bundler/plan.h"
#include "bundler/signer.h"
#include "common/cleanup.h"
#include "common/err.h"
#include "common/format.h"
#include "common/fs.h"
#include "common/xalloc.h"

static bool fill(const struct plan *plan, const struct assemble_options *options, int fd,
                 uint64_t *ret_size, struct err *err)
{
    struct asset stub = asset_get(ASSET_STUB);
    struct image_options image = {
        .level = options->level,
        .mtime = options->mtime,
        .no_cache = options->no_cache,
        .progress = options->progress,
        .context = options->progress_context,
        .names = plan_find(plan, FORMAT_NAMES) != NULL ? FORMAT_NAMES : NULL,
    };
    uint64_t image_size;

    if (stub.size % FORMAT_ALIGN != 0)
        return err_set(err, ERR_INPUT, "this rucksack was built wrongly: stub of %zu bytes",
                       stub.size);
    if (!fs_write_all(fd, stub.data, stub.size, err) ||
        (options->update_info != NULL && !bundle_set_update_info(fd, options->update_info, err)) ||
        !image_write(plan, fd, stub.size, &image, &image_size, err) ||
        !bundle_seal(fd, stub.size, image_size, options->kind, options->name, err))
        return false;
    *ret_size = stub.size + image_size;
    return true;
}

bool assemble_draft(const struct plan *plan, const struct assemble_options *options,
                    struct err *err)
{
    struct output output;
    uint64_t size;
    bool ok = output_open(&output, options->output, err) &&
              fill(plan, options, output.fd, &size, err) &&
              options->check(output.fd, options->context, err);

    if (!ok)
        (void)output_explain(options->output, err);
    output_release(&output);
    return ok;
}

/* Whatever had the name, its signature goes first: at no time is there one that does not fit. Ours
 * is made while the file has no name by which others could write it. */
static bool publish(struct output *output, const struct assemble_options *options, struct err *err)
{
    cleanup_free char *beside = xasprintf("%s.minisig", options->output);
    cleanup_free char *comment = signer_comment(options->name, NULL);
    cleanup_free char *text = NULL;

    if (options->secret != NULL &&
        !signer_make_text(output->fd, options->output, options->secret, comment, &text, err))
        return false;
    if (unlink(beside) != 0 && errno != ENOENT)
        return err_sys(err, "'%s'", beside);
    return output_publish(output, 0755, err) &&
           (text == NULL || signer_write_beside(options->output, text, err));
}

static bool sign(int fd, const struct assemble_options *options, struct err *err)
{
    cleanup_free char *comment = signer_comment(options->name, NULL);

    return options->secret == NULL || bundle_sign(fd, options->secret, comment, err);
}

bool assemble_write(const struct plan *plan, const struct assemble_options *options,
                    uint64_t *ret_size_bytes, struct err *err)
{
    struct output output;
    bool ok;

    ok = output_open(&output, options->output, err);
    if (ok) {
        ok = fill(plan, options, output.fd, ret_size_bytes, err) && sign(output.fd, options, err) &&
             options->check(output.fd, options->context, err) && publish(&output, options, err);
        if (!ok)
            (void)output_explain(options->output, err);
    }
    output_release(&output);
    return ok;
}
