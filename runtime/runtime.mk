# SPDX-License-Identifier: MIT
# The programs of a bundle, and the app of a trial one. stub, launch, keeper, service and trial are
# static and built against musl; the guest object has no libc at all: it binds to the one that the
# bundle carries.

# Debian's musl, without its gcc wrapper: the same for gcc and clang. The kernel's headers come
# last, so that none of glibc's is found before musl's.
MULTIARCH := $(shell $(CC) -print-multiarch)
MUSL_MULTIARCH := $(MULTIARCH:%-gnu=%-musl)
MUSL_LIB := $(SYSROOT)/usr/lib/$(MUSL_MULTIARCH)
MUSL_CFLAGS := -nostdinc -isystem $(SYSROOT)/usr/include/$(MUSL_MULTIARCH) \
               -isystem $(shell $(CC) -print-file-name=include) -idirafter $(SYSROOT)/usr/include \
               -idirafter $(SYSROOT)/usr/include/$(MULTIARCH) -fPIE -fno-stack-protector -U_FORTIFY_SOURCE \
               -ffunction-sections -fdata-sections -fno-asynchronous-unwind-tables
MUSL_LDSTART := -static-pie -nostdlib -Wl,--gc-sections -Wl,-z,relro -Wl,-z,now \
                -Wl,-z,noexecstack -Wl,--build-id=none $(MUSL_LIB)/rcrt1.o $(MUSL_LIB)/crti.o
MUSL_LDEND := -Wl,--start-group $(MUSL_LIB)/libc.a \
              $(shell $(GCC) -print-libgcc-file-name) -Wl,--end-group $(MUSL_LIB)/crtn.o

include runtime/stub/stub.mk
include runtime/launch/launch.mk
include runtime/guest/guest.mk
include runtime/iseqs/iseqs.mk
include runtime/keeper/keeper.mk
include runtime/service/service.mk
include runtime/trial/trial.mk
