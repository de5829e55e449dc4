/* SPDX-License-Identifier: MIT */
/*
 * AppRun of the bundle that `rucksack doctor` makes to try a host: says how it was started.
 *
 *     MAGIC NAMESPACE ROOT
 *
 * MAGIC is the type of the file system that holds the image (statfs(2), hexadecimal), NAMESPACE the
 * inode of our user namespace (0: unknown), ROOT where the image is.
 */
#include <stdio.h>
#include <stdlib.h>
#include <sys/stat.h>
#include <sys/vfs.h>

int main(void)
{
    const char *root = getenv("APPDIR");
    struct stat namespace = {0};
    struct statfs fs;

    if (root == NULL || statfs(root, &fs) != 0)
        return EXIT_FAILURE;
    (void)stat("/proc/self/ns/user", &namespace);
    if (printf("%lx %llu %s\n", (unsigned long)fs.f_type, (unsigned long long)namespace.st_ino,
               root) < 0 ||
        fflush(stdout) != 0)
        return EXIT_FAILURE;
    return EXIT_SUCCESS;
}
