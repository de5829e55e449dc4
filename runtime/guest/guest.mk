# SPDX-License-Identifier: MIT
# One shared object without a libc: every reference is unversioned and binds to what the bundle
# carries. No stack protector, no fortified calls: both would need versioned symbols.

GUEST := $(wildcard runtime/guest/*.c) common/launchfile.c
GUEST_FLAGS := -std=gnu2x -D_GNU_SOURCE -I. $(WARN) -Os -fPIC -ffreestanding -fno-stack-protector \
               -U_FORTIFY_SOURCE -fvisibility=hidden '-ffile-prefix-map=$(CURDIR)=.'
# Atomic operations are instructions, not calls of libgcc.
ifneq ($(filter aarch64-%,$(MULTIARCH)),)
  GUEST_FLAGS += -mno-outline-atomics
endif

# Whoever unwinds goes through functions that open: they are cancellation points, and run the
# constructors of libraries. Nothing else is on a stack then.
$(filter-out %/interpose.o,$(GUEST:%.c=$(BUILD)/guest/%.o)): \
    GUEST_FLAGS += -fno-asynchronous-unwind-tables -fno-unwind-tables

$(BUILD)/guest/%.o: %.c Makefile runtime/guest/guest.mk
	@mkdir -p $(@D)
	$(CC) $(GUEST_FLAGS) -MMD -MP -c $< -o $@

$(BUILD)/guest.so: $(GUEST:%.c=$(BUILD)/guest/%.o)
	$(CC) -shared -nostdlib -Wl,--hash-style=gnu -Wl,-soname,rucksack-guest.so -Wl,-s \
	    -Wl,-z,noexecstack -Wl,--build-id=none -o $@ $^
