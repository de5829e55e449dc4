/* SPDX-License-Identifier: MIT */
#pragma once
/*
 * One descriptor through a socket (unix(7), SCM_RIGHTS).
 */
#include <stdbool.h>

enum { MESSAGE_END = -1, MESSAGE_BARE = -2 };

/* The descriptor, close-on-exec. MESSAGE_BARE: a message without one. MESSAGE_END: the other end
 * closed, or sent something else. */
int message_receive_fd(int socket);

/* fd stays the caller's. False with errno when the other end is gone. */
[[nodiscard]] bool message_send_fd(int socket, int fd);

/* A message without a descriptor; nothing happens where nobody listens any more. */
void message_send_bare(int socket);
