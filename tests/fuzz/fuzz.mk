# SPDX-License-Identifier: MIT
# Fuzz targets of what the programs of a bundle parse. make fuzz runs each with libFuzzer (clang)
# for FUZZ_SECONDS; make check replays the corpus with the compiler at hand. Inputs that it finds
# interesting stay below the build directory, those that broke something go into tests/fuzz/corpus.

FUZZ_SECONDS ?= 60
FUZZ_TARGETS := payload image extract codec manifest names iseqs snapshot minisign
FUZZ_SANITIZE := -fsanitize=address,undefined -fno-sanitize-recover=all -fno-omit-frame-pointer
FUZZ_SOURCES := $(filter-out runtime/stub/main.c,$(STUB_SOURCES)) common/fs.c tests/fuzz/fuzz.c
FUZZ_LIBS := $(STUB_ARCHIVES)
# liblz4 itself, to compare with; compat.c would stand in for it.
FUZZ_CODEC_SOURCES := runtime/stub/codec.c runtime/stub/lz4.c common/err.c common/fs.c \
                      tests/fuzz/fuzz.c

# With the distribution's shared libraries: no compat.c, nothing of musl.
FUZZ_KEEPER_SOURCES := $(filter-out %/main.c %/compat.c %/zstdlegacy.c,$(KEEPER_SOURCES)) \
                       tests/fuzz/fuzz.c

REPLAYS := $(patsubst %,$(BUILD)/replay/%,$(FUZZ_TARGETS))
fuzz_objects = $(patsubst %.c,$(BUILD)/$(1)/%.o,$(2))

$(BUILD)/replay-obj/%.o: %.c Makefile tests/fuzz/fuzz.mk
	@mkdir -p $(@D)
	$(CC) $(BASE) $(CFLAGS) $(FUZZ_SANITIZE) -include common/banned.h -MMD -MP -c $< -o $@

$(BUILD)/fuzz-obj/%.o: %.c Makefile tests/fuzz/fuzz.mk
	@mkdir -p $(@D)
	clang $(BASE) $(CFLAGS) $(FUZZ_SANITIZE) -fsanitize=fuzzer-no-link -include common/banned.h \
	    -MMD -MP -c $< -o $@

$(BUILD)/fuzz-seeds/done: tests/fuzz/seeds $(BUILD)/stub $(BUILD)/keeper
	tests/fuzz/seeds $(@D) $(BUILD)/keeper
	touch $@

# Which directories a replay reads is compiled in: prove gives no arguments.
$(BUILD)/replay/%: tests/fuzz/replay.c $(BUILD)/fuzz-seeds/done
	@mkdir -p $(@D)
	$(CC) $(BASE) $(CFLAGS) $(FUZZ_SANITIZE) -include common/banned.h \
	    -DREPLAY_DIRS='"tests/fuzz/corpus/$*", "$(BUILD)/fuzz-seeds/$*"' -o $@ $< \
	    $(filter %.o,$^) $(FUZZ_LIBS)

$(BUILD)/fuzz/%: $(BUILD)/fuzz-seeds/done
	@mkdir -p $(@D)
	clang $(CFLAGS) $(FUZZ_SANITIZE) -fsanitize=fuzzer -o $@ $(filter %.o,$^) $(FUZZ_LIBS)

define fuzz_target
$(BUILD)/replay/$(1): $(call fuzz_objects,replay-obj,$(2) tests/fuzz/$(1)_fuzz.c)
$(BUILD)/fuzz/$(1): $(call fuzz_objects,fuzz-obj,$(2) tests/fuzz/$(1)_fuzz.c)
endef
$(foreach target,payload image extract manifest,$(eval $(call fuzz_target,$(target),$(FUZZ_SOURCES))))
$(eval $(call fuzz_target,codec,$(FUZZ_CODEC_SOURCES)))
$(eval $(call fuzz_target,iseqs,runtime/iseqs/pack.c common/err.c common/fs.c))
$(BUILD)/replay/codec $(BUILD)/fuzz/codec: FUZZ_LIBS += -llz4
$(eval $(call fuzz_target,snapshot,$(FUZZ_KEEPER_SOURCES)))
$(BUILD)/replay/snapshot $(BUILD)/fuzz/snapshot: FUZZ_LIBS := -larchive -lsqlite3 -ljansson -lsodium -lzstd
$(eval $(call fuzz_target,minisign,common/minisign.c common/prim.c common/base64.c common/err.c common/fs.c tests/fuzz/fuzz.c \
    common/xalloc.c))
$(BUILD)/replay/minisign $(BUILD)/fuzz/minisign: FUZZ_LIBS := -lsodium
$(eval $(call fuzz_target,names,common/err.c common/fs.c tests/fuzz/fuzz.c))

# An input that breaks something is kept as crash-HASH where the message says.
.PHONY: fuzz $(addprefix fuzz-,$(FUZZ_TARGETS))
fuzz: $(addprefix fuzz-,$(FUZZ_TARGETS))
$(addprefix fuzz-,$(FUZZ_TARGETS)): fuzz-%: $(BUILD)/fuzz/%
	@mkdir -p $(BUILD)/fuzz-found/$*
	ASAN_OPTIONS=allocator_may_return_null=1 TMPDIR=/dev/shm $< \
	    -max_total_time=$(FUZZ_SECONDS) -timeout=20 -rss_limit_mb=1024 -malloc_limit_mb=256 \
	    -max_len=65536 -use_value_profile=1 -print_final_stats=1 \
	    -artifact_prefix=$(BUILD)/fuzz-found/$*- $(BUILD)/fuzz-found/$* tests/fuzz/corpus/$* \
	    $(BUILD)/fuzz-seeds/$*
