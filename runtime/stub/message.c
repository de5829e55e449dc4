/* SPDX-License-Identifier: MIT */
#include "runtime/stub/message.h"

#include <errno.h>
#include <stdalign.h>
#include <string.h>
#include <sys/socket.h>
#include <sys/uio.h>

/* Control data must be aligned as its header. */
struct control {
    alignas(struct cmsghdr) char bytes[CMSG_SPACE(sizeof(int))];
};

int message_receive_fd(int socket)
{
    struct control control = {0};
    char byte;
    struct iovec part = {&byte, 1};
    struct msghdr message = {.msg_iov = &part,
                             .msg_iovlen = 1,
                             .msg_control = control.bytes,
                             .msg_controllen = sizeof(control.bytes)};
    struct cmsghdr *header;
    ssize_t got;
    int fd;

    do {
        got = recvmsg(socket, &message, MSG_CMSG_CLOEXEC);
    } while (got < 0 && errno == EINTR);
    if (got <= 0)
        return MESSAGE_END;
    header = CMSG_FIRSTHDR(&message);
    if (header == NULL)
        return MESSAGE_BARE;
    if (header->cmsg_level != SOL_SOCKET || header->cmsg_type != SCM_RIGHTS ||
        header->cmsg_len != CMSG_LEN(sizeof(fd)))
        return MESSAGE_END;
    memcpy(&fd, CMSG_DATA(header), sizeof(fd));
    return fd;
}

bool message_send_fd(int socket, int fd)
{
    struct control control = {0};
    char byte = 0;
    struct iovec part = {&byte, 1};
    struct msghdr message = {.msg_iov = &part,
                             .msg_iovlen = 1,
                             .msg_control = control.bytes,
                             .msg_controllen = sizeof(control.bytes)};
    struct cmsghdr *header = CMSG_FIRSTHDR(&message);

    header->cmsg_level = SOL_SOCKET;
    header->cmsg_type = SCM_RIGHTS;
    header->cmsg_len = CMSG_LEN(sizeof(fd));
    memcpy(CMSG_DATA(header), &fd, sizeof(fd));
    return sendmsg(socket, &message, MSG_NOSIGNAL) == 1;
}

void message_send_bare(int socket)
{
    ssize_t sent = send(socket, "", 1, MSG_NOSIGNAL);

    (void)sent; /* nobody may be there any more */
}
