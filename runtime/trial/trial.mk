# SPDX-License-Identifier: MIT
# The app of the bundle by which `rucksack doctor` tries a host.

$(BUILD)/trial-obj/%.o: %.c Makefile runtime/trial/trial.mk
	@mkdir -p $(@D)
	$(CC) $(BASE) $(MUSL_CFLAGS) -Os -include common/banned.h -MMD -MP -c $< -o $@

$(BUILD)/trial: $(BUILD)/trial-obj/runtime/trial/main.o
	$(CC) $(MUSL_LDSTART) -Wl,-s -o $@ $^ $(MUSL_LDEND)
