/* SPDX-License-Identifier: MIT */
#pragma once
/*
 * A configuration to begin with: what was found in an application, as a rucksack.yml whose every
 * line says why it is so.
 */
struct app;

/* Read again it means what the application means without it. Owned by the caller. */
[[nodiscard]] char *draft_text(const struct app *app);
