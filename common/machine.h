/* SPDX-License-Identifier: MIT */
#pragma once
/*
 * The processor that a program is compiled for. What is made for it, by files and by system calls,
 * is known by the numbers of elf(5) and seccomp(2); to add one is to add it here, and the number of
 * struct stat in the old calls of its glibc to runtime/guest/interpose.c.
 */
#include <elf.h>
#include <linux/audit.h>

#if defined(__x86_64__)
enum { MACHINE_ELF = EM_X86_64 };
#define MACHINE_AUDIT AUDIT_ARCH_X86_64
#elif defined(__aarch64__)
enum { MACHINE_ELF = EM_AARCH64 };
#define MACHINE_AUDIT AUDIT_ARCH_AARCH64
#else
#error "a machine that no stub is made for"
#endif
