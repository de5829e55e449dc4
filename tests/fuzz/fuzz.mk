# SPDX-License-Identifier: MIT
# Fuzz targets of what the tool and the programs of a bundle parse. make fuzz runs each with libFuzzer (clang)
# for FUZZ_SECONDS; make check replays the corpus with the compiler at hand. Inputs that it finds
# interesting stay below the build directory, those that broke something go into tests/fuzz/corpus.

FUZZ_SECONDS ?= 60
FUZZ_TARGETS := payload image extract codec manifest names iseqs snapshot minisign secret \
                elf ldcache config recipe probe bundle launchfile rubyscan archive
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
$(eval $(call fuzz_target,secret,bundler/secrettext.c bundler/sqlitefile.c common/err.c common/fs.c \
    common/xalloc.c tests/fuzz/fuzz.c))
$(BUILD)/replay/secret $(BUILD)/fuzz/secret: FUZZ_LIBS :=
$(eval $(call fuzz_target,names,common/err.c common/fs.c tests/fuzz/fuzz.c))
$(eval $(call fuzz_target,archive,$(FUZZ_KEEPER_SOURCES)))
$(BUILD)/replay/archive $(BUILD)/fuzz/archive: FUZZ_LIBS := -larchive -lsqlite3 -ljansson -lsodium -lzstd

# What the tool parses: each with the modules that it needs.
FUZZ_TOOL_SOURCES := common/err.c common/fs.c common/xalloc.c tests/fuzz/fuzz.c
FUZZ_LOADER_SOURCES := bundler/elf.c bundler/loader.c common/proc.c $(FUZZ_TOOL_SOURCES)
$(eval $(call fuzz_target,elf,bundler/elfscan.c bundler/elfsym.c bundler/jdoc.c common/text.c $(FUZZ_LOADER_SOURCES)))
$(BUILD)/replay/elf $(BUILD)/fuzz/elf: FUZZ_LIBS := -Wl,--wrap=mmap64,--wrap=munmap -lelf -ljansson
$(eval $(call fuzz_target,ldcache,$(FUZZ_LOADER_SOURCES)))
$(BUILD)/replay/ldcache $(BUILD)/fuzz/ldcache: FUZZ_LIBS := -lelf
$(eval $(call fuzz_target,config,bundler/config.c bundler/procfile.c bundler/ydoc.c common/suggest.c \
    common/words.c $(FUZZ_TOOL_SOURCES)))
$(BUILD)/replay/config $(BUILD)/fuzz/config: FUZZ_LIBS := -lyaml
$(eval $(call fuzz_target,recipe,bundler/recipe.c common/suggest.c $(FUZZ_TOOL_SOURCES)))
$(BUILD)/replay/recipe $(BUILD)/fuzz/recipe: FUZZ_LIBS := -lcyaml -lyaml
$(eval $(call fuzz_target,probe,bundler/jdoc.c common/proc.c common/text.c common/unfinished.c \
    $(FUZZ_TOOL_SOURCES)))
$(BUILD)/replay/probe $(BUILD)/fuzz/probe: FUZZ_LIBS := -ljansson
$(eval $(call fuzz_target,bundle,$(addprefix bundler/,blockcache.c bundle.c cachedir.c elf.c hash.c \
    image.c jdoc.c nametable.c outline.c plan.c sight.c store.c weight.c witness.c) $(addprefix common/,base64.c \
    blake2b.c checksum.c minisign.c path.c pattern.c prim.c signature.c text.c trailer.c) $(FUZZ_TOOL_SOURCES)))
$(BUILD)/replay/bundle $(BUILD)/fuzz/bundle: FUZZ_LIBS := $(LOOKS:%=-Wl,--wrap=%) -lsquashfs -lelf \
    -ljansson -lsodium -lmd -lzstd -lpthread
$(eval $(call fuzz_target,launchfile,common/launchfile.c common/words.c $(FUZZ_TOOL_SOURCES)))
$(BUILD)/replay/launchfile $(BUILD)/fuzz/launchfile: FUZZ_LIBS :=
$(eval $(call fuzz_target,rubyscan,bundler/rubyscan.c bundler/literal.c $(FUZZ_TOOL_SOURCES)))
$(BUILD)/replay/rubyscan $(BUILD)/fuzz/rubyscan: FUZZ_LIBS :=

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
