/* SPDX-License-Identifier: MIT */
/* tell FILE: what libappimage says of it: its type, and where its image begins. */
#include <appimage/appimage.h>
#include <stdio.h>

int main(int argc, char **argv)
{
    if (argc != 2)
        return 2;
    printf("%d\n%lld\n", appimage_get_type(argv[1], 0),
           (long long)appimage_get_payload_offset(argv[1]));
    return 0;
}
