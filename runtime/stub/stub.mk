# SPDX-License-Identifier: MIT
# The runtime stub. With SANITIZE or COVERAGE the same sources make an ordinary dynamic program: no sanitizer
# works under musl.

ifdef RUNTIME_INSTRUMENT
  STUB_CFLAGS := $(TOOL_FLAGS)
  STUB_LDSTART := $(TOOL_FLAGS)
  STUB_LDEND :=
else
  STUB_CFLAGS := $(MUSL_CFLAGS) -Os
  # Code and constants in one segment: 4 kB and two mappings less at each start.
  STUB_LDSTART := -Wl,--no-eh-frame-hdr -Wl,-z,noseparate-code -Wl,-T,runtime/stub/stub.ld $(MUSL_LDSTART)
  STUB_LDEND := $(MUSL_LDEND)
endif

$(BUILD)/stub-obj/%.o: %.c Makefile runtime/stub/stub.mk
	@mkdir -p $(@D)
	$(CC) $(BASE) $(CFLAGS) $(STUB_CFLAGS) -include common/banned.h -MMD -MP -c $< -o $@

# Every byte of the file goes through it at a start.
ifndef RUNTIME_INSTRUMENT
$(BUILD)/stub-obj/common/checksum.o: STUB_CFLAGS += -O3
$(BUILD)/stub-obj/runtime/stub/lz4.o: STUB_CFLAGS += -O2
endif

# The archives are named as files: by -l the linker would look for musl's.
STUB_SOURCES := $(wildcard runtime/stub/*.c) common/blake2b.c common/checksum.c common/err.c common/suggest.c
STUB_OBJECTS := $(patsubst %.c,$(BUILD)/stub-obj/%.o,$(STUB_SOURCES))
STUB_ARCHIVES := $(addprefix $(SYSROOT)/usr/lib/$(MULTIARCH)/,libsquashfuse.a libzstd.a libz.a \
    liblzma.a)

$(BUILD)/stub.elf: $(STUB_OBJECTS) runtime/stub/stub.ld
	$(CC) $(CFLAGS) -o $@ $(STUB_LDSTART) $(STUB_OBJECTS) $(STUB_ARCHIVES) $(STUB_LDEND)

# The server of these objects, with a test in the place of the kernel.
$(BUILD)/old_fuse: $(BUILD)/stub-obj/tests/stub/old_fuse.o \
    $(filter-out %/runtime/stub/main.o,$(STUB_OBJECTS))
	$(CC) $(CFLAGS) -o $@ $(STUB_LDSTART) $^ $(STUB_ARCHIVES) $(STUB_LDEND)

# The image follows the ELF end, which must be a multiple of 4096 (FORMAT_ALIGN): a section of
# zeros fills up. It is added once with eight bytes to learn the size that everything else has;
# the header table behind it is aligned to eight, so what is missing then is exact.
$(BUILD)/stub $(BUILD)/faults/stub: %: %.elf runtime/stub/stub.mk
	head -c 8 /dev/zero > $@.pad
	$(OBJCOPY) --strip-all --remove-section=.comment --add-section .pad=$@.pad $< $@.tmp
	size=$$(wc -c < $@.tmp); head -c $$((8 + (4096 - size % 4096) % 4096)) /dev/zero > $@.pad
	$(OBJCOPY) --strip-all --remove-section=.comment --add-section .pad=$@.pad $< $@.tmp
	printf 'AI\002' | dd of=$@.tmp bs=1 seek=8 conv=notrunc status=none
	test $$(($$(wc -c < $@.tmp) % 4096)) -eq 0
	chmod 755 $@.tmp && mv $@.tmp $@ && rm -f $@.pad
