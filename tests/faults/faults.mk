# SPDX-License-Identifier: MIT
# What makes system calls and allocations fail, see tests/faults/run. The programs are the same
# objects again, linked with alloc.c.

FAULT_WRAP := -Wl,--wrap=malloc,--wrap=calloc,--wrap=realloc,--wrap=reallocarray \
              -Wl,--wrap=aligned_alloc,--wrap=posix_memalign

$(BUILD)/faults/inject: tests/faults/inject.c
	@mkdir -p $(@D)
	$(CC) $(BASE) $(CFLAGS) -static -o $@ $<

$(BUILD)/faults/rucksack: tests/faults/alloc.c $(call objects,bundler/main.c) $(BUILD)/libtool.a
	@mkdir -p $(@D)
	$(CC) $(BASE) $(CFLAGS) $(TOOL_LINK) -DFAULT_UNWIND -o $@ $^ $(TOOL_LIBS) $(FAULT_WRAP) -lpthread

$(BUILD)/faults/stub.elf: $(BUILD)/stub-obj/tests/faults/alloc.o $(STUB_OBJECTS) runtime/stub/stub.ld
	@mkdir -p $(@D)
	$(CC) $(CFLAGS) -o $@ $(STUB_LDSTART) $(filter %.o,$^) $(FAULT_WRAP) $(STUB_ARCHIVES) $(STUB_LDEND)

$(BUILD)/faults/keeper: $(BUILD)/keeper-obj/tests/faults/alloc.o $(KEEPER_OBJECTS)
	@mkdir -p $(@D)
	$(CC) $(KEEPER_LDSTART) -o $@ $^ $(FAULT_WRAP) $(KEEPER_LDEND)

FAULT_PROGRAMS := $(addprefix $(BUILD)/faults/,inject rucksack stub keeper)
