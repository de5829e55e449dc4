/* SPDX-License-Identifier: MIT */
/* The file around the image: ELF header, sections, our header. Mirrors payload.c, integrity.c. */
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "common/err.h"
#include "runtime/stub/integrity.h"
#include "runtime/stub/payload.h"
#include "tests/fuzz/fuzz.h"

static const char *const names[] = {".upd_info", ".sha256_sig", FORMAT_SECTION, ".absent"};

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
    struct payload payload;
    struct err err = {0};
    char key[PAYLOAD_KEY_SIZE];
    char path[64];

    /* Not a descriptor that is handed over, which would be closed. */
    (void)snprintf(path, sizeof(path), "/proc/thread-self/fd/%d", fuzz_file(data, size));
    if (!payload_open(&payload, path, &err)) {
        FUZZ_ASSERT(err.msg[0] != '\0');
        return 0;
    }
    FUZZ_ASSERT(payload.image_offset <= size && payload.image_size <= size - payload.image_offset);
    (void)!payload_require_image(&payload, &err);
    for (size_t i = 0; i < sizeof(names) / sizeof(names[0]); i++) {
        char *text;

        if (payload_section(&payload, names[i], &text, &err)) {
            FUZZ_ASSERT(strlen(text) <= PAYLOAD_SECTION_BYTES_MAX);
            free(text);
        }
    }
    payload_key(&payload, "", key);
    FUZZ_ASSERT(strlen(key) == PAYLOAD_KEY_SIZE - 1);
    (void)!integrity_check(&payload, &err);
    payload_release(&payload);
    return 0;
}
