# SPDX-License-Identifier: MIT
# The keeper: against musl like the other programs of a bundle, with the distribution's archives,
# which were compiled for glibc: compat.c has what those miss. On Linux both have one layout of
# struct stat, flock, tm and pthread_mutex_t on the processors that we build for.

KEEPER_SOURCES := $(wildcard runtime/keeper/*.c) \
    common/blake2b.c common/complaint.c common/err.c common/flags.c common/fs.c common/launchfile.c common/launchlist.c common/path.c \
    common/statelock.c common/stateswap.c common/suggest.c common/text.c common/trailer.c \
    common/words.c common/xalloc.c runtime/stub/zstdlegacy.c
KEEPER_ARCHIVES := $(addprefix $(SYSROOT)/usr/lib/$(MULTIARCH)/,libarchive.a libsqlite3.a libjansson.a \
    libsodium.a libzstd.a)

# With SANITIZE or COVERAGE an ordinary dynamic program, like the stub.
ifdef RUNTIME_INSTRUMENT
  KEEPER_OBJECTS := $(patsubst %.c,$(BUILD)/keeper-obj/%.o,\
      $(filter-out %/compat.c %/zstdlegacy.c,$(KEEPER_SOURCES)))
  KEEPER_CFLAGS := $(TOOL_FLAGS) -g
  KEEPER_LDSTART := $(TOOL_FLAGS)
  KEEPER_LDEND := -larchive -lsqlite3 -ljansson -lsodium -lzstd
else
  KEEPER_OBJECTS := $(KEEPER_SOURCES:%.c=$(BUILD)/keeper-obj/%.o)
  KEEPER_CFLAGS := $(MUSL_CFLAGS) -Os
  KEEPER_LDSTART := $(MUSL_LDSTART) -Wl,-s -Wl,--wrap=__archive_errx
  KEEPER_LDEND := $(KEEPER_ARCHIVES) $(MUSL_LDEND)
endif

$(BUILD)/keeper-obj/%.o: %.c Makefile runtime/keeper/keeper.mk
	@mkdir -p $(@D)
	$(CC) $(BASE) $(KEEPER_CFLAGS) -include common/banned.h -MMD -MP -c $< -o $@

$(BUILD)/keeper: $(KEEPER_OBJECTS)
	$(CC) $(KEEPER_LDSTART) -o $@ $^ $(KEEPER_LDEND)
