# SPDX-License-Identifier: MIT
# make ARCH=aarch64: all programs for another processor than this machine's, by Debian's cross compiler
# (bin/packages cross), with Debian's libraries for it below $(SYSROOT). Nothing of them is installed.
# What is made starts there, and here by qemu-user.

DEBIAN_ARCH := $(patsubst aarch64,arm64,$(patsubst x86_64,amd64,$(ARCH)))
BUILD ?= build-$(ARCH)
SYSROOT := $(BUILD)/sysroot
GCC := $(ARCH)-linux-gnu-gcc
CC := $(GCC) --sysroot=$(SYSROOT)
AR := $(GCC:%gcc=%ar)
OBJCOPY := $(GCC:%gcc=%objcopy)
EMULATOR := qemu-$(ARCH)-static

# Read by make, which therefore has it made before anything else.
ifneq ($(MAKECMDGOALS),clean)
include $(SYSROOT)/made.mk
endif
$(SYSROOT)/made.mk: bin/sysroot packages
	bin/packages cross
	bin/sysroot $(DEBIAN_ARCH) $(@D)
	echo '# A sysroot is here.' >$@
