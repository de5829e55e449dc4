/* SPDX-License-Identifier: MIT */
#include "bundler/asset.h"

#include <string.h>
#include <sys/mman.h>

#include "common/cleanup.h"
#include "common/err.h"
#include "common/fs.h"

/*
 * The build directory is ASSET_DIR; the bytes are taken in by the assembler. Hidden, so that no GOT
 * entry leads to them: for aarch64 ld makes one of a local symbol without its offset.
 */
#define EMBED(symbol, file)                                                                        \
    __asm__(".section .rodata\n.balign 16\n" #symbol ":\n.incbin \"" file "\"\n" #symbol           \
            "_end:\n.byte 0\n.previous\n");                                                        \
    [[gnu::visibility("hidden")]] extern const unsigned char symbol[];                             \
    [[gnu::visibility("hidden")]] extern const unsigned char symbol##_end[]

EMBED(asset_stub, ASSET_DIR "/stub");
EMBED(asset_launch, ASSET_DIR "/launch");
EMBED(asset_guest, ASSET_DIR "/guest.so");
EMBED(asset_keeper, ASSET_DIR "/keeper");
EMBED(asset_service, ASSET_DIR "/service");
EMBED(asset_trial, ASSET_DIR "/trial");
EMBED(asset_operating_system, "runtime/guest/operating_system.rb");
EMBED(asset_loadpath, "runtime/guest/loadpath.rb");
EMBED(asset_bundler_setup, "runtime/guest/setup.rb");
EMBED(asset_packed, "bundler/packed.rb");
EMBED(asset_bundle, "runtime/guest/bundle.rb");
EMBED(asset_rdoc, "runtime/guest/rdoc.rb");
EMBED(asset_absent, "runtime/guest/absent.rb");
EMBED(asset_environment, "runtime/guest/environment.rb");
EMBED(asset_inline, "runtime/guest/inline.rb");
EMBED(asset_iseqs, ASSET_DIR "/iseqs.so");
EMBED(asset_iseqs_starter, "runtime/iseqs/iseqs.rb");
EMBED(asset_compile, "bundler/compile.rb");
EMBED(asset_standalone, "bundler/standalone.rb");
EMBED(asset_probe, "bundler/probe.rb");
EMBED(asset_page, ASSET_DIR "/page.html");
EMBED(asset_icon, "docs/icon.png");
EMBED(asset_recipes, ASSET_DIR "/recipes.bin");

#define ENTRY(name, symbol)                                                                        \
    {                                                                                              \
        name, symbol, symbol##_end                                                                 \
    }

static const struct {
    const char *name;
    const unsigned char *start;
    const unsigned char *end;
} assets[ASSET_COUNT] = {
    [ASSET_STUB] = ENTRY("stub", asset_stub),
    [ASSET_LAUNCH] = ENTRY("launch", asset_launch),
    [ASSET_GUEST] = ENTRY("guest.so", asset_guest),
    [ASSET_KEEPER] = ENTRY("keeper", asset_keeper),
    [ASSET_SERVICE] = ENTRY("service", asset_service),
    [ASSET_TRIAL] = ENTRY("trial", asset_trial),
    [ASSET_OPERATING_SYSTEM] = ENTRY("operating_system.rb", asset_operating_system),
    [ASSET_LOADPATH] = ENTRY("loadpath.rb", asset_loadpath),
    [ASSET_BUNDLER_SETUP] = ENTRY("setup.rb", asset_bundler_setup),
    [ASSET_PACKED] = ENTRY("packed.rb", asset_packed),
    [ASSET_BUNDLE] = ENTRY("bundle.rb", asset_bundle),
    [ASSET_RDOC] = ENTRY("rdoc.rb", asset_rdoc),
    [ASSET_ABSENT] = ENTRY("absent.rb", asset_absent),
    [ASSET_ENVIRONMENT] = ENTRY("environment.rb", asset_environment),
    [ASSET_INLINE] = ENTRY("inline.rb", asset_inline),
    [ASSET_ISEQS] = ENTRY("iseqs.so", asset_iseqs),
    [ASSET_ISEQS_STARTER] = ENTRY("iseqs.rb", asset_iseqs_starter),
    [ASSET_COMPILE] = ENTRY("compile.rb", asset_compile),
    [ASSET_STANDALONE] = ENTRY("standalone.rb", asset_standalone),
    [ASSET_PROBE] = ENTRY("probe.rb", asset_probe),
    [ASSET_PAGE] = ENTRY("page.html", asset_page),
    [ASSET_ICON] = ENTRY("icon.png", asset_icon),
};

struct asset asset_get(enum asset_id id)
{
    return (struct asset){assets[id].name, assets[id].start,
                          (size_t)(assets[id].end - assets[id].start)};
}

bool asset_open(enum asset_id id, int *ret_fd, struct err *err)
{
    struct asset asset = asset_get(id);
    cleanup_fd int fd = memfd_create("rucksack", MFD_CLOEXEC);

    if (fd < 0)
        return err_sys(err, "%s", asset.name);
    if (!fs_write_all(fd, asset.data, asset.size, err))
        return err_wrap(err, "%s", asset.name);
    *ret_fd = steal_fd(&fd);
    return true;
}

/* recipes.bin: "name\0text\0" for each file, in the order of their names. */
struct asset asset_recipe(size_t index)
{
    const char *at = (const char *)asset_recipes;
    const char *end = (const char *)asset_recipes_end;

    while (at < end) {
        const char *name = at;
        const char *text = name + strlen(name) + 1;

        at = text + strlen(text) + 1;
        if (index-- == 0)
            return (struct asset){name, (const unsigned char *)text, strlen(text)};
    }
    return (struct asset){0};
}
