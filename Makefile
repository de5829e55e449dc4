# SPDX-License-Identifier: MIT
# Targets: all check check-unit check-cli check-e2e check-storm check-keeper check-faults check-walker-full check-asan
#          check-valgrind coverage test-systemd test-rubies check-rubies check-rails check-gems check-names check-html
#          check-newcomer check-release check-aarch64 check-clang check-layers check-headers check-format format lint docs picture fuzz release
#          install clean
# Variables: ARCH=aarch64  CC=gcc|clang  SANITIZE=address,undefined  COVERAGE=1  VALGRIND=1  TOOL_ONLY=1  BUILD=dir  prefix= DESTDIR=
#            TESTS=files

.DEFAULT_GOAL := all

# Another processor than this machine's: by Debian's cross compiler, in a directory of its own.
ARCH ?= $(shell uname -m)
ifneq ($(ARCH),$(shell uname -m))
  include cross.mk
else
  GCC := gcc
  OBJCOPY := objcopy
endif

CC ?= cc
BUILD ?= build
prefix ?= /usr/local
VERSION := 0.1.0

WARN := -Wall -Wextra -Wshadow -Wconversion -Wvla -Wstrict-prototypes -Wmissing-prototypes \
        -Wformat=2 -Werror
BASE := -std=gnu2x -D_GNU_SOURCE -D_FILE_OFFSET_BITS=64 -DVERSION='"$(VERSION)"' -I. \
        '-ffile-prefix-map=$(CURDIR)=.' $(WARN)
CFLAGS ?= -O2 -g

# The tool: glibc, one static executable; with SANITIZE, COVERAGE or VALGRIND an ordinary
# dynamic one.
TOOL_LIBS := -lsquashfs -lelf -lcyaml -lyaml -ljansson -lsodium -lmd -lm -lzstd -lz -llzma -llz4 -lbz2
# Calls that look at files: noted by bundler/witness.c. tests/cli/witness.bats finds what is missing.
LOOKS := open64 openat64 fopen64 opendir fdopendir scandir64 stat64 lstat64 fstatat64 access faccessat \
         readlink realpath pattern_find
TOOL_LIBS += $(LOOKS:%=-Wl,--wrap=%)
ifdef SANITIZE
  INSTRUMENT := -fsanitize=$(SANITIZE) -fno-sanitize-recover=all -fno-omit-frame-pointer
endif
ifdef COVERAGE
  INSTRUMENT := --coverage -fprofile-update=atomic
  TOOL_LIBS += -Wl,-u,__wrap_access # of what counts, too
  TOOL_LIBS += -Wl,--wrap=_exit
  COUNTED := tests/counted.c
endif
ifdef VALGRIND
  INSTRUMENT := -fno-omit-frame-pointer
endif
# TOOL_ONLY: what goes into bundles is as ever, so that those of this tool can be started anywhere.
ifndef TOOL_ONLY
  RUNTIME_INSTRUMENT := $(INSTRUMENT)
endif
ifdef INSTRUMENT
  TOOL_FLAGS := $(INSTRUMENT)
  TOOL_LINK := $(INSTRUMENT)
else
  TOOL_FLAGS := -fPIE -D_FORTIFY_SOURCE=2 -fstack-protector-strong
  TOOL_LINK := -static-pie
endif

include runtime/runtime.mk

COMMON := $(wildcard common/*.c)
BUNDLER := $(wildcard bundler/*.c)
HEADERS := $(wildcard common/*.h bundler/*.h runtime/*/*.h tests/fuzz/*.h)
UNITS := $(wildcard tests/unit/*_test.c)

objects = $(patsubst %.c,$(BUILD)/tool/%.o,$(1))
UNIT_BINS := $(patsubst tests/unit/%.c,$(BUILD)/unit/%,$(UNITS))

include tests/fuzz/fuzz.mk
include tests/faults/faults.mk

.PHONY: all check check-unit check-cli check-e2e check-storm check-keeper check-faults check-walker-full check-asan \
        check-valgrind unit-programs coverage covered-tool covered-runtime test-systemd test-rubies check-rubies \
        check-rails check-gems check-names check-html check-newcomer check-release check-aarch64 check-clang \
        check-quick-units sanitized sanitized-tool check-layers check-headers check-format format lint docs \
        picture release install clean
VERBS := $(shell sed -nE 's/^\*rucksack ([a-z]+)\*.*/\1/p' docs/rucksack.1.scd | grep -v '^help$$' | sort -u)
MAN := rucksack.1 rucksack.yml.5 rucksack-recipe.5 rucksack-format.5 $(VERBS:%=rucksack-%.1)
all: $(BUILD)/rucksack $(BUILD)/stub $(MAN:%=$(BUILD)/%)

$(BUILD)/tool/%.o: %.c Makefile
	@mkdir -p $(@D)
	$(CC) $(BASE) $(CFLAGS) $(TOOL_FLAGS) -include common/banned.h -MMD -MP -c $< -o $@

$(BUILD)/libtool.a: $(call objects,$(COMMON) $(COUNTED) $(filter-out bundler/main.c,$(BUNDLER)))
	rm -f $@ && $(AR) rcsD $@ $^

$(BUILD)/rucksack: $(call objects,bundler/main.c) $(BUILD)/libtool.a
	$(CC) $(CFLAGS) $(TOOL_LINK) -o $@ $^ $(TOOL_LIBS) -lpthread

# asset.c takes these in with .incbin
ASSETS := $(BUILD)/stub $(BUILD)/launch $(BUILD)/guest.so $(BUILD)/keeper $(BUILD)/service \
          $(BUILD)/trial $(BUILD)/iseqs.so $(wildcard runtime/guest/*.rb runtime/iseqs/*.rb) \
          bundler/compile.rb bundler/packed.rb bundler/standalone.rb bundler/probe.rb \
          docs/icon.png $(BUILD)/page.html $(BUILD)/recipes.bin
$(BUILD)/tool/bundler/asset.o: $(ASSETS)
$(BUILD)/recipes.bin: $(sort $(wildcard recipes/*.yml))
	@mkdir -p $(@D)
	for file in $^; do printf '%s\0' "$${file##*/}"; cat "$$file"; printf '\0'; done >$@
# One page: style and script inside, and their hashes, by which the browser knows them.
inline_hash = $$(cat $(1) | sha256sum | cut -c1-64 | tr a-f A-F | basenc -d --base16 | base64)
$(BUILD)/page.html: bundler/page.html bundler/page.css bundler/page.js
	@mkdir -p $(@D)
	style=$(call inline_hash,bundler/page.css) && script=$(call inline_hash,bundler/page.js) && \
	awk -v style="$$style" -v script="$$script" '\
	    function take(file, line) { while ((getline line <file) > 0) print line } \
	    /<!--style-->/ { printf "<style>"; take("bundler/page.css"); print "</style>"; next } \
	    /<!--script-->/ { printf "<script>"; take("bundler/page.js"); print "</script>"; next } \
	    { sub(/STYLE-HASH/, style); sub(/SCRIPT-HASH/, script); print }' $< >$@.new
	mv $@.new $@
$(BUILD)/tool/bundler/asset.o: BASE += -DASSET_DIR='"$(BUILD)"'

$(BUILD)/unit/%: tests/unit/%.c $(BUILD)/libtool.a
	@mkdir -p $(@D)
	$(CC) $(BASE) $(CFLAGS) $(TOOL_FLAGS) -MMD -MP -MF $@.d -o $@ $< \
	    $(BUILD)/libtool.a $(TOOL_LIBS) -lpthread -lcmocka

# What the tests of the runtime start, and what they start it with. Static: they run in empty roots.
SUITE := $(patsubst tests/runtime/%.c,$(BUILD)/suite/%,$(wildcard tests/runtime/*.c))
$(BUILD)/suite/%: tests/runtime/%.c
	@mkdir -p $(@D)
	$(CC) $(BASE) $(CFLAGS) -static -s -o $@ $<

# Writes into databases; the tests of the keeper.
$(BUILD)/torture: tests/keeper/torture.c
	$(CC) $(BASE) $(CFLAGS) -o $@ $< -lsqlite3

# One run of prove over everything, so that its summary speaks for all; the slow ones last.
STUB_TESTS := $(wildcard tests/stub/*.bats tests/runtime/*.bats)
KEEPER_TESTS := $(wildcard tests/keeper/*.bats)
FAULT_TESTS := $(wildcard tests/faults/*.bats)
CLI_TESTS := $(wildcard tests/cli/*.bats) $(STUB_TESTS) $(KEEPER_TESTS) $(FAULT_TESTS) \
             $(wildcard tests/service/*.bats)
E2E_TESTS := $(wildcard tests/walker/*.bats tests/e2e/*.bats)
TESTS ?= $(UNIT_BINS) $(REPLAYS) $(CLI_TESTS) $(E2E_TESTS)
JOBS ?= $(shell nproc)
PROVE = RUCKSACK_BUILD='$(abspath $(BUILD))' HARNESS_RULESFILE=tests/schedule.yml \
    prove --timer --jobs $(JOBS) --exec tests/run-one

check: all $(UNIT_BINS) $(REPLAYS) $(SUITE) $(BUILD)/old_fuse $(BUILD)/torture $(FAULT_PROGRAMS)
	$(PROVE) $(TESTS)

check-unit: $(UNIT_BINS) $(REPLAYS)
	$(PROVE) $(UNIT_BINS) $(REPLAYS)

check-cli: all $(SUITE) $(BUILD)/old_fuse $(BUILD)/torture $(FAULT_PROGRAMS)
	$(PROVE) $(CLI_TESTS)

check-e2e: all $(SUITE)
	$(PROVE) $(E2E_TESTS)

# Many starts and kills: minutes. STARTS and KILLS say how many.
check-storm: all $(SUITE)
	RUCKSACK_BUILD='$(abspath $(BUILD))' tests/runtime/storm

# Two hundred snapshots of each kind of writer, and every way to be killed: minutes.
check-keeper: all $(BUILD)/torture
	SNAPSHOTS=200 FAULTS=1 $(PROVE) --verbose $(KEEPER_TESTS)

# Each system call and each allocation of the tool, the stub and the keeper fails once: hours for all
# of them (POINTS=0); POINTS of each command, evenly, and the table of what was tried.
check-faults: all $(SUITE) $(BUILD)/torture $(FAULT_PROGRAMS)
	POINTS=$${POINTS:-60} $(PROVE) --jobs 1 --verbose $(FAULT_TESTS)

# Services in a booted systemd, in a container: minutes.
test-systemd: all
	bin/packages systemd
	RUCKSACK_BUILD='$(abspath $(BUILD))' tests/service/booted

# Every object of this machine and of the roots against their loaders: minutes.
check-walker-full: all
	WALKER_FILES=0 WALKER_GRAPHS=60 $(PROVE) --verbose tests/walker/walker.bats

# Rubies of every kind, compiled: many minutes once. Then each one's bundle in every root.
test-rubies:
	tests/rubies/make

check-rubies: all test-rubies
	$(PROVE) tests/rubies/matrix.bats

# A million paths that are not there or not plain, by each way to an image: hours.
check-names: all
	NAMES_MUTATIONS=1000000 $(PROVE) --verbose tests/e2e/names.bats

# The page of `rucksack inspect --html` in a headless Chromium.
check-html: all
	bin/packages html
	RUCKSACK_BUILD='$(abspath $(BUILD))' tests/html/run

# Applications as `rails new` of Rails 7 and 8 makes them: installs both.
check-rails: all
	$(PROVE) tests/rails/*.bats

# From a Debian that has nothing to a changed guestbook: minutes, and the network.
check-newcomer: all
	tests/newcomer/walk

# All programs for aarch64, and by qemu-user the guestbook packed and served there: minutes.
check-aarch64: all
	bin/packages cross
	$(MAKE) ARCH=aarch64 BUILD=build-aarch64 all
	RUCKSACK_FOREIGN='$(CURDIR)/build-aarch64' $(PROVE) --verbose tests/aarch64/guestbook.bats

# Real gems, natively and in a bundle: installs a hundred of them, many minutes the first time.
check-gems: all
	RUCKSACK_BUILD='$(abspath $(BUILD))' DEBS=1 tests/gems/run
	$(PROVE) tests/gems/examples.bats

# The stub as an ordinary dynamic program. glibc cannot do without some calls that musl never makes:
# without the tests that take them away.
check-asan:
	$(MAKE) SANITIZE=address,undefined BUILD='$(BUILD)-asan' sanitized
	$(MAKE) SANITIZE=address,undefined TOOL_ONLY=1 BUILD='$(BUILD)-asan-tool' sanitized-tool

sanitized: $(UNIT_BINS) $(BUILD)/stub $(SUITE) $(BUILD)/old_fuse $(BUILD)/keeper $(BUILD)/torture
	$(PROVE) $(UNIT_BINS) $(filter-out %/fallback.bats,$(STUB_TESTS)) \
	    tests/keeper/keeper.bats tests/keeper/hostile.bats

# Leaks are Valgrind's: under strace, as some tests have it, there is no looking for them.
TOOL_TESTS := $(filter-out %/docs.bats %/site.bats %/witness.bats,$(wildcard tests/cli/*.bats)) \
              tests/e2e/oci.bats tests/e2e/sbom.bats tests/e2e/gemfile.bats tests/e2e/cli.bats
sanitized-tool: all
	ASAN_OPTIONS=detect_leaks=0 $(PROVE) $(TOOL_TESTS)

# Unit tests, and commands of the tool, in Valgrind: minutes.
check-valgrind:
	$(MAKE) VALGRIND=1 TOOL_ONLY=1 BUILD='$(BUILD)-valgrind' all unit-programs
	RUCKSACK_BUILD='$(abspath $(BUILD))-valgrind' tests/valgrind

unit-programs: $(UNIT_BINS)

# Which lines the tests run: the tool by unit and CLI tests, stub and keeper by theirs. Minutes. Whether
# they pass is for `make check`: programs that count say so where they cannot write.
coverage:
	rm -rf '$(BUILD)-coverage' '$(BUILD)-coverage-runtime'
	$(MAKE) COVERAGE=1 TOOL_ONLY=1 CFLAGS='-O0 -g' BUILD='$(BUILD)-coverage' covered-tool
	$(MAKE) COVERAGE=1 CFLAGS='-O0 -g' BUILD='$(BUILD)-coverage-runtime' covered-runtime
	tests/coverage '$(BUILD)-coverage' '$(BUILD)-coverage-runtime'

covered-tool: all $(UNIT_BINS)
	-$(PROVE) $(UNIT_BINS) $(TOOL_TESTS)

covered-runtime: $(BUILD)/stub $(SUITE) $(BUILD)/old_fuse $(BUILD)/keeper $(BUILD)/torture
	chmod -R a+rwX '$(BUILD)'
	-SANITIZE=coverage $(PROVE) $(filter-out %/fallback.bats,$(STUB_TESTS)) tests/keeper/keeper.bats \
	    tests/keeper/hostile.bats

# Everything by the other compiler, whose warnings are errors, too; and the units, but those that take
# many seconds of whatever compiler: a minute.
check-clang:
	$(MAKE) CC=clang BUILD='$(BUILD)-clang' all check-quick-units

check-quick-units: unit-programs
	$(PROVE) $(filter-out %/sqlitefile_test %/walk_test %/zsync_test,$(UNIT_BINS))

check-layers:
	tests/layers.sh

check-headers:
	@for header in $(HEADERS); do \
	    printf '#include "%s"\n' $$header | \
	    $(CC) $(BASE) -fsyntax-only -x c - || exit 1; done
	@echo "check-headers: $(words $(HEADERS)) headers compile alone"

check-format:
	clang-format --dry-run -Werror $$(git ls-files '*.c' '*.h')

format:
	clang-format -i $$(git ls-files '*.c' '*.h')

lint: all
	BUILD='$(BUILD)' tests/lint.sh

# The picture of the README, of a real build.
picture: all
	RUCKSACK_BUILD='$(abspath $(BUILD))' docs/site/demo docs/demo.svg

# What a release consists of, below build/release; SIGN_KEY=FILE signs it.
release:
	bin/packages build example release
	bin/release '$(BUILD)/release' $(SIGN_KEY)

# A release, made of a copy, and used: minutes.
check-release: all
	bin/packages release
	$(PROVE) tests/release/release.bats

# The documents as plain pages; the last line is where they begin.
docs: docs/site/build
	bin/packages docs
	docs/site/build '$(BUILD)/site'

$(BUILD)/%: docs/%.scd
	@mkdir -p $(@D)
	scdoc <$< >$@

# Of each command, from the page of all and from its own table.
$(BUILD)/rucksack-%.1: docs/rucksack.1.scd docs/verb-page $(BUILD)/rucksack
	docs/verb-page $* $(EMULATOR) $(BUILD)/rucksack <$< >$@.scd
	scdoc <$@.scd >$@
	rm $@.scd

# The specification is a document of its own; here it gets what a man page begins with.
$(BUILD)/rucksack-format.5: docs/format.md
	@mkdir -p $(@D)
	lowdown -s -Tman -M title=rucksack-format -M section=5 \
	    -M date="$$(date -u -d "@$${SOURCE_DATE_EPOCH:-$$(date +%s)}" +%F)" $< | \
	    sed -e 's/\\fC/\\fB/g' -e '/^\.TH/a .SH NAME\nrucksack-format \\- the format of a bundle, specified' >$@

install: all
	install -D -m 755 $(BUILD)/rucksack $(DESTDIR)$(prefix)/bin/rucksack
	for shell in bash:bash-completion/completions/rucksack zsh:zsh/site-functions/_rucksack \
	    fish:fish/vendor_completions.d/rucksack.fish; do \
	    $(BUILD)/rucksack completion $${shell%%:*} >$(BUILD)/completion && \
	    install -D -m 644 $(BUILD)/completion $(DESTDIR)$(prefix)/share/$${shell#*:} || exit 1; done
	for schema in docs/schema/*.json; do install -D -m 644 $$schema \
	    $(DESTDIR)$(prefix)/share/rucksack/schema/$${schema##*/} || exit 1; done
	for page in $(MAN); do install -D -m 644 $(BUILD)/$$page \
	    $(DESTDIR)$(prefix)/share/man/man$${page##*.}/$$page || exit 1; done

clean:
	rm -rf $(BUILD)

-include $(shell find $(BUILD) -name '*.d' -type f 2>/dev/null)
