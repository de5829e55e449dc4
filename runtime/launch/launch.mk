# SPDX-License-Identifier: MIT

LAUNCH := $(wildcard runtime/launch/*.c) common/err.c common/launchfile.c common/launchlist.c common/port.c common/statelock.c \
    common/stateswap.c common/suggest.c common/words.c

$(BUILD)/launch-obj/%.o: %.c Makefile runtime/launch/launch.mk
	@mkdir -p $(@D)
	$(CC) $(BASE) $(MUSL_CFLAGS) -Os -include common/banned.h -MMD -MP -c $< -o $@

$(BUILD)/launch: $(LAUNCH:%.c=$(BUILD)/launch-obj/%.o)
	$(CC) $(MUSL_LDSTART) -Wl,-s -o $@ $^ $(MUSL_LDEND)
