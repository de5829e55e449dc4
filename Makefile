# SPDX-License-Identifier: MIT
# Targets: all check check-layers check-headers check-format lint install clean
# Variables: CC=gcc|clang  SANITIZE=address,undefined  BUILD=dir  prefix= DESTDIR=

CC ?= cc
BUILD ?= build
prefix ?= /usr/local
VERSION := 0.1.0

WARN := -Wall -Wextra -Wshadow -Wconversion -Wvla -Wstrict-prototypes -Wmissing-prototypes \
        -Wformat=2 -Werror
BASE := -std=gnu2x -D_GNU_SOURCE -D_FILE_OFFSET_BITS=64 -DVERSION='"$(VERSION)"' -I. \
        -ffile-prefix-map=$(CURDIR)=. $(WARN)
CFLAGS ?= -O2 -g

# The tool: glibc, one static executable; with SANITIZE an ordinary dynamic one.
TOOL_LIBS := -lsquashfs -lelf -lcyaml -lyaml -ljansson -lsodium -lzstd -lz -llzma -llz4 -lbz2
ifdef SANITIZE
  TOOL_FLAGS := -fsanitize=$(SANITIZE) -fno-sanitize-recover=all -fno-omit-frame-pointer
  TOOL_LINK := $(TOOL_FLAGS)
else
  TOOL_FLAGS := -fPIE -D_FORTIFY_SOURCE=2 -fstack-protector-strong
  TOOL_LINK := -static-pie
endif

include runtime/runtime.mk

COMMON := $(wildcard common/*.c)
BUNDLER := $(wildcard bundler/*.c)
HEADERS := $(wildcard common/*.h bundler/*.h runtime/*/*.h)
UNITS := $(wildcard tests/unit/*_test.c)
SHELL_FILES := $(wildcard bin/* .ci/run tests/*.sh tests/*/*.sh bench/start bench/size)

objects = $(patsubst %.c,$(BUILD)/tool/%.o,$(1))
UNIT_BINS := $(patsubst tests/unit/%.c,$(BUILD)/unit/%,$(UNITS))

.PHONY: all check check-unit check-cli check-e2e check-layers check-headers check-format lint \
        install clean
all: $(BUILD)/rucksack $(BUILD)/stub

$(BUILD)/tool/%.o: %.c Makefile
	@mkdir -p $(@D)
	$(CC) $(BASE) $(CFLAGS) $(TOOL_FLAGS) -include common/banned.h -MMD -MP -c $< -o $@

$(BUILD)/libtool.a: $(call objects,$(COMMON) $(filter-out bundler/main.c,$(BUNDLER)))
	rm -f $@ && ar rcsD $@ $^

$(BUILD)/rucksack: $(call objects,bundler/main.c) $(BUILD)/libtool.a
	$(CC) $(CFLAGS) $(TOOL_LINK) -o $@ $^ $(TOOL_LIBS) -lpthread

# asset.c takes these in with .incbin
ASSETS := $(BUILD)/stub $(BUILD)/launch $(BUILD)/guest.so $(wildcard runtime/guest/*.rb) \
          bundler/probe.rb docs/icon.png $(BUILD)/recipes.bin
$(BUILD)/tool/bundler/asset.o: $(ASSETS)
$(BUILD)/recipes.bin: $(sort $(wildcard recipes/*.yml))
	@mkdir -p $(@D)
	for file in $^; do printf '%s\0' "$${file##*/}"; cat "$$file"; printf '\0'; done >$@
$(BUILD)/tool/bundler/asset.o: BASE += -DASSET_DIR='"$(BUILD)"'

$(BUILD)/unit/%: tests/unit/%.c $(BUILD)/libtool.a
	@mkdir -p $(@D)
	$(CC) $(BASE) $(CFLAGS) $(TOOL_FLAGS) $(if $(SANITIZE),-fsanitize=$(SANITIZE)) -o $@ $< \
	    $(BUILD)/libtool.a $(TOOL_LIBS) -lpthread -lcmocka

check: check-unit check-cli check-e2e

# prove prints one summary line; the wrapper gives every test file the build directory.
check-unit: $(UNIT_BINS)
	CMOCKA_MESSAGE_OUTPUT=TAP prove --exec '' $(UNIT_BINS)

check-cli: all
	RUCKSACK_BUILD=$(abspath $(BUILD)) prove --exec 'bats --tap' $(wildcard tests/cli/*.bats tests/stub/*.bats)

check-e2e: all
	RUCKSACK_BUILD=$(abspath $(BUILD)) prove --exec 'bats --tap' $(wildcard tests/e2e/*.bats)

check-layers:
	tests/layers.sh

check-headers:
	@for header in $(HEADERS); do \
	    printf '#include "%s"\n' $$header | \
	    $(CC) $(BASE) -fsyntax-only -x c - || exit 1; done
	@echo "check-headers: $(words $(HEADERS)) headers compile alone"

check-format:
	clang-format --dry-run -Werror $$(git ls-files '*.c' '*.h')

lint:
	tests/lint.sh

install: all
	install -D -m 755 $(BUILD)/rucksack $(DESTDIR)$(prefix)/bin/rucksack
	install -D -m 644 $(BUILD)/rucksack.1 $(DESTDIR)$(prefix)/share/man/man1/rucksack.1

clean:
	rm -rf $(BUILD)

-include $(shell find $(BUILD) -name '*.d' 2>/dev/null)
