/* SPDX-License-Identifier: MIT */
#pragma once
/*
 * Writable state: created before the app starts, reached through one link beside the image.
 *
 * In the image the app's state paths are symlinks to ../../state/..., that is, to the name `state`
 * beside the image root. The launcher makes that name a link to the state directory, which is the
 * first of: $RUCKSACK_STATE, $STATE_DIRECTORY (systemd.exec(5)), NAME.state beside the file. Below
 * it `cache`, `run` and `log` are links where $CACHE_DIRECTORY, $RUNTIME_DIRECTORY and
 * $LOGS_DIRECTORY name places for them. `run` is emptied by the first start after a boot, and where
 * $RUNTIME_DIRECTORY names its place by every start as process 1: that of a container.
 */
#include <stdbool.h>

struct bundle;
struct err;

/*
 * E-WRITE when the directory cannot be created or written: never silently another place. E-DBBUSY
 * while a snapshot takes the place of the state. From then on the state is in use
 * (common/statelock.h) until the last process that was started from this one has ended.
 */
[[nodiscard]] bool state_prepare(const struct bundle *bundle, struct err *err);

/*
 * Before state_prepare(), where a process of the app is started: one line when an app with a
 * database of its own begins with an empty state, and E-EMPTY when that is a service's and nobody
 * meant it.
 */
[[nodiscard]] bool state_begin(const struct bundle *bundle, struct err *err);

/*
 * For a process of which the state may have one at a time (record `single`): E-RUNNING when it has
 * one already. Others are let through. After state_prepare().
 */
[[nodiscard]] bool state_claim(const struct bundle *bundle, const char *process, struct err *err);

/* The state directory, absolute, which need not exist; on the heap. NULL: out of memory. */
[[nodiscard]] char *state_place(const struct bundle *bundle);
