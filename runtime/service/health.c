/* SPDX-License-Identifier: MIT */
#include "runtime/service/health.h"

#include <arpa/inet.h>
#include <errno.h>
#include <netinet/in.h>
#include <poll.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/socket.h>
#include <sys/time.h>
#include <unistd.h>

#include "common/cleanup.h"
#include "common/err.h"
#include "common/proc.h"
#include "common/xalloc.h"

enum {
    ANSWER_BYTES = 64,
    PAUSE_MS = 100,
    ONE_REQUEST_MS = 15000,
    STATUS_BAD = 400,
    STATUS_BROKEN = 500
};

struct address {
    union {
        struct sockaddr any;
        struct sockaddr_in v4;
        struct sockaddr_in6 v6;
    };
    socklen_t size;
};

/* "0.0.0.0", "[::]" and a port alone listen everywhere: there, too, the loopback answers. */
static bool parse(const char *listen, struct address *ret)
{
    const char *colon = strrchr(listen, ':');
    uint16_t port = (uint16_t)strtoul(colon != NULL ? colon + 1 : listen, NULL, 10);
    cleanup_free char *host =
        colon != NULL ? xstrndup(listen, (size_t)(colon - listen)) : xstrdup("127.0.0.1");
    size_t len = strlen(host);

    *ret = (struct address){0};
    if (host[0] == '[' && len > 2) {
        host[len - 1] = '\0';
        ret->v6.sin6_family = AF_INET6;
        ret->v6.sin6_port = htons(port);
        ret->size = sizeof(ret->v6);
        return inet_pton(AF_INET6, strcmp(host + 1, "::") == 0 ? "::1" : host + 1,
                         &ret->v6.sin6_addr) == 1;
    }
    ret->v4.sin_family = AF_INET;
    ret->v4.sin_port = htons(port);
    ret->size = sizeof(ret->v4);
    return inet_pton(AF_INET, strcmp(host, "0.0.0.0") == 0 ? "127.0.0.1" : host,
                     &ret->v4.sin_addr) == 1;
}

static bool set_timeouts(int fd)
{
    const struct timeval limit = {.tv_sec = ONE_REQUEST_MS / 1000};

    return setsockopt(fd, SOL_SOCKET, SO_RCVTIMEO, &limit, sizeof(limit)) == 0 &&
           setsockopt(fd, SOL_SOCKET, SO_SNDTIMEO, &limit, sizeof(limit)) == 0;
}

/* The status of the answer; 0: none. */
static int ask(const struct address *address, const char *path)
{
    cleanup_free char *request = xasprintf(
        "GET %s HTTP/1.0\r\nHost: localhost\r\nUser-Agent: rucksack-health\r\n\r\n", path);
    char answer[ANSWER_BYTES] = "";
    cleanup_fd int fd = socket(address->any.sa_family, SOCK_STREAM | SOCK_CLOEXEC, 0);
    size_t used = 0;
    int status = 0;

    if (fd < 0 || !set_timeouts(fd) || connect(fd, &address->any, address->size) != 0 ||
        send(fd, request, strlen(request), MSG_NOSIGNAL) != (ssize_t)strlen(request))
        return 0;
    while (used < sizeof(answer) - 1) {
        ssize_t length = recv(fd, answer + used, sizeof(answer) - 1 - used, 0);

        if (length < 0 && errno == EINTR)
            continue;
        if (length <= 0)
            break;
        used += (size_t)length;
    }
    if (strncmp(answer, "HTTP/1.", 7) == 0 && strchr(answer, ' ') != NULL)
        status = (int)strtol(strchr(answer, ' '), NULL, 10);
    return status;
}

static bool is_good(int status, const char *path)
{
    return status >= 200 && status < (path != NULL ? STATUS_BAD : STATUS_BROKEN);
}

bool health_wait(const char *listen, const char *path, unsigned int timeout_ms,
                 bool (*is_alive)(void *context), void *context, struct err *err)
{
    uint64_t end = proc_clock_us() + (uint64_t)timeout_ms * 1000;
    const char *asked = path != NULL ? path : "/";
    struct address address;
    int status = 0;

    if (!parse(listen, &address))
        return err_set(err, ERR_INPUT, "'%s' is no address", listen);
    do {
        status = ask(&address, asked);
        if (is_good(status, path))
            return true;
        (void)poll(NULL, 0, PAUSE_MS);
    } while (proc_clock_us() < end && is_alive(context));
    if (status != 0)
        (void)err_set(err, ERR_INPUT, "GET %s on %s answers %d", asked, listen, status);
    else
        (void)err_set(err, ERR_INPUT, "GET %s on %s: no answer", asked, listen);
    return err_id(err, "E-HEALTH");
}
