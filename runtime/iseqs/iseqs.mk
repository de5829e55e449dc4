# SPDX-License-Identifier: MIT
# A Ruby extension that knows no Ruby: every reference binds to the Ruby and the libc of the bundle, as
# those of the guest do.

ISEQS := $(wildcard runtime/iseqs/*.c)
ISEQS_FLAGS := $(GUEST_FLAGS)

$(BUILD)/iseqs/%.o: %.c Makefile runtime/iseqs/iseqs.mk
	@mkdir -p $(@D)
	$(CC) $(ISEQS_FLAGS) -MMD -MP -c $< -o $@

$(BUILD)/iseqs.so: $(ISEQS:%.c=$(BUILD)/iseqs/%.o)
	$(CC) -shared -nostdlib -Wl,--hash-style=both -Wl,-soname,rucksack-iseqs.so -Wl,-s \
	    -Wl,-z,noexecstack -Wl,--build-id=none -o $@ $^
