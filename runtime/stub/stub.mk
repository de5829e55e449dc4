# SPDX-License-Identifier: MIT
# The runtime stub: everything of a bundle that is not the image.

STUB_SOURCES := $(wildcard runtime/stub/*.c) common/blake2b.c common/err.c common/fs.c
STUB_OBJECTS := $(STUB_SOURCES:%.c=$(BUILD)/stub-obj/%.o)
ifdef SANITIZE
  STUB_CFLAGS := -O1 -g -fPIE -fsanitize=$(SANITIZE) -fno-sanitize-recover=all \
                 -fno-omit-frame-pointer
  STUB_LINK = $(CC) -pie -fsanitize=$(SANITIZE) -o $@ $(STUB_OBJECTS) -lzstd -lz
else
  STUB_CFLAGS := $(MUSL_CFLAGS) -Os
  STUB_LINK = $(CC) $(MUSL_LDSTART) -Wl,-s -o $@ $(STUB_OBJECTS) \
              /usr/lib/$(MULTIARCH)/libzstd.a /usr/lib/$(MULTIARCH)/libz.a $(MUSL_LDEND)
endif

$(BUILD)/stub-obj/%.o: %.c Makefile runtime/stub/stub.mk
	@mkdir -p $(@D)
	$(CC) $(BASE) $(STUB_CFLAGS) -include common/banned.h -MMD -MP -c $< -o $@

$(BUILD)/stub: $(STUB_OBJECTS) runtime/stub/align.sh
	$(STUB_LINK)
	runtime/stub/align.sh $@

# Every byte of the image goes through it at a start.
ifndef SANITIZE
$(BUILD)/stub-obj/common/blake2b.o: STUB_CFLAGS += -O2
endif
