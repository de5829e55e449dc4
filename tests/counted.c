/* SPDX-License-Identifier: MIT */
/*
 * For `make coverage`: a process that ends by _exit(2), as the children of guard.c and cell.c do,
 * writes its counts, too. Linked with -Wl,--wrap=_exit, only there.
 */
void __gcov_dump(void);
[[gnu::noreturn]] void __real__exit(int code);
[[gnu::noreturn]] void __wrap__exit(int code);

[[gnu::noreturn]] void __wrap__exit(int code)
{
    __gcov_dump();
    __real__exit(code);
}
