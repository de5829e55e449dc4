/* SPDX-License-Identifier: MIT */
#pragma once
/*
 * One descriptor through a socket (unix(7), SCM_RIGHTS).
 */
#include <stdbool.h>

/* The descriptor, close-on-exec; -1 when the other end closed or sent none. */
int message_receive_fd(int socket);

[[nodiscard]] bool message_send_fd(int socket, int fd);
