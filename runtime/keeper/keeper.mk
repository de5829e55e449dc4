# SPDX-License-Identifier: MIT
# The keeper: against musl like the other programs of a bundle, with the distribution's archives,
# which were compiled for glibc: compat.c has what those miss. On Linux both have one layout of
# struct stat, flock, tm and pthread_mutex_t on the processors that we build for.

KEEPER_SOURCES := $(wildcard runtime/keeper/*.c) \
    common/blake2b.c common/err.c common/fs.c common/launchfile.c common/path.c \
    common/statelock.c common/stateswap.c common/suggest.c common/text.c common/trailer.c \
    common/words.c common/xalloc.c runtime/stub/zstdlegacy.c
KEEPER_OBJECTS := $(KEEPER_SOURCES:%.c=$(BUILD)/keeper-obj/%.o)
KEEPER_ARCHIVES := $(addprefix /usr/lib/$(MULTIARCH)/,libarchive.a libsqlite3.a libjansson.a \
    libsodium.a libzstd.a)

$(BUILD)/keeper-obj/%.o: %.c Makefile runtime/keeper/keeper.mk
	@mkdir -p $(@D)
	$(CC) $(BASE) $(MUSL_CFLAGS) -Os -include common/banned.h -MMD -MP -c $< -o $@

# Its loop over all bytes.
$(BUILD)/keeper-obj/common/blake2b.o: BASE += -O2

$(BUILD)/keeper: $(KEEPER_OBJECTS)
	$(CC) $(MUSL_LDSTART) -Wl,-s -o $@ $^ $(KEEPER_ARCHIVES) $(MUSL_LDEND)
