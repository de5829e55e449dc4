# SPDX-License-Identifier: MIT

SERVICE := $(wildcard runtime/service/*.c) common/base64.c common/blake2b.c common/complaint.c \
    common/err.c common/flags.c common/fs.c common/launchfile.c common/launchlist.c common/minisign.c common/path.c common/prim.c common/proc.c \
    common/signature.c common/suggest.c common/text.c common/trailer.c common/pattern.c common/xalloc.c

$(BUILD)/service-obj/%.o: %.c Makefile runtime/service/service.mk
	@mkdir -p $(@D)
	$(CC) $(BASE) $(MUSL_CFLAGS) -Os -include common/banned.h -MMD -MP -c $< -o $@

$(BUILD)/service: $(SERVICE:%.c=$(BUILD)/service-obj/%.o)
	$(CC) $(MUSL_LDSTART) -Wl,-s -o $@ $^ $(SYSROOT)/usr/lib/$(MULTIARCH)/libsodium.a $(MUSL_LDEND)
