/* SPDX-License-Identifier: MIT */
/*
 * inject [-n N] [-m TEXT] [-t SECONDS] -o REPORT [-p PROGRAM] COMMAND [ARGUMENT...]
 *
 * Runs a command, of which the N-th system call fails that one of its processes makes while it is
 * PROGRAM (a file; the command's own, by default). Without N none fails: they are only counted.
 * With TEXT only calls count whose path has it: threads change the order of others. The calls are
 * held by seccomp and answered here, so it works with static programs, with programs that use
 * ptrace themselves, and through every namespace and root. Needs root.
 *
 * REPORT gets a line for each call, "N name [path]"; with N one for that call, with the error
 * behind the name. Then "left PID NAME" for each process that outlives the command by more than a
 * moment, which is killed, and "end STATUS". Ends like the command, or with 124 when time is up.
 *
 * Sources: seccomp_unotify(2), Documentation/userspace-api/seccomp_filter.rst.
 */
#include <errno.h>
#include <fcntl.h>
#include <linux/audit.h>
#include <linux/filter.h>
#include <linux/seccomp.h>
#include <poll.h>
#include <signal.h>
#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/ioctl.h>
#include <sys/prctl.h>
#include <sys/socket.h>
#include <sys/stat.h>
#include <sys/syscall.h>
#include <sys/wait.h>
#include <time.h>
#include <unistd.h>

enum { FAILED = 120, TIMED_OUT = 124, GRACE_MS = 5000, PATH_BYTES = 200, NO_PATH = -1, OF_FD = -2 };

/* What a full disk, a strict kernel and a busy machine refuse. Not among them are questions to
 * which no is an answer (access, stat of a path, readlink). path: which argument names a file;
 * OF_FD: the first one is a descriptor. */
static const struct call {
    long number;
    const char *name;
    int error;
    int path;
} calls[] = {
#define CALL(name, error, path)                                                                    \
    {                                                                                              \
        SYS_##name, #name, error, path                                                             \
    }
#ifdef SYS_open
    CALL(open, EIO, 0),
    CALL(mkdir, ENOSPC, 0),
    CALL(rename, ENOSPC, 0),
    CALL(link, ENOSPC, 0),
    CALL(symlink, ENOSPC, 1),
    CALL(unlink, EIO, 0),
    CALL(rmdir, EIO, 0),
    CALL(chmod, EIO, 0),
    CALL(fork, EAGAIN, NO_PATH),
    CALL(vfork, EAGAIN, NO_PATH),
    CALL(pipe, EMFILE, NO_PATH),
    CALL(dup2, EMFILE, NO_PATH),
    CALL(getdents, EIO, OF_FD),
#endif
    CALL(openat, EIO, 1),
    CALL(openat2, EIO, 1),
    CALL(read, EIO, OF_FD),
    CALL(pread64, EIO, OF_FD),
    CALL(readv, EIO, OF_FD),
    CALL(write, ENOSPC, OF_FD),
    CALL(pwrite64, ENOSPC, OF_FD),
    CALL(writev, ENOSPC, OF_FD),
    CALL(sendfile, EIO, NO_PATH),
    CALL(splice, EIO, NO_PATH),
    CALL(copy_file_range, EIO, NO_PATH),
    CALL(ftruncate, ENOSPC, OF_FD),
    CALL(fallocate, ENOSPC, OF_FD),
    CALL(fsync, EIO, OF_FD),
    CALL(fdatasync, EIO, OF_FD),
    CALL(syncfs, EIO, OF_FD),
    CALL(mkdirat, ENOSPC, 1),
    CALL(renameat, ENOSPC, 1),
    CALL(renameat2, ENOSPC, 1),
    CALL(linkat, ENOSPC, 3),
    CALL(symlinkat, ENOSPC, 2),
    CALL(unlinkat, EIO, 1),
    CALL(fchmod, EIO, OF_FD),
    CALL(fchmodat, EIO, 1),
    CALL(fchown, EPERM, OF_FD),
    CALL(fchownat, EPERM, 1),
    CALL(utimensat, EIO, NO_PATH),
    CALL(fstat, EIO, OF_FD),
    CALL(newfstatat, EIO, OF_FD),
    CALL(statfs, EIO, 0),
    CALL(fstatfs, EIO, OF_FD),
    CALL(getdents64, EIO, OF_FD),
    CALL(getcwd, ENOENT, NO_PATH),
    CALL(chdir, EIO, 0),
    CALL(chroot, EPERM, 0),
    CALL(pivot_root, EPERM, 0),
    CALL(mount, EPERM, 1),
    CALL(umount2, EIO, 0),
    CALL(fsopen, EPERM, NO_PATH),
    CALL(fsconfig, EPERM, NO_PATH),
    CALL(fsmount, EPERM, NO_PATH),
    CALL(move_mount, EPERM, 3),
    CALL(open_tree, EPERM, 1),
    CALL(mount_setattr, EPERM, NO_PATH),
    CALL(unshare, EPERM, NO_PATH),
    CALL(setns, EPERM, NO_PATH),
    CALL(execve, ENOMEM, 0),
    CALL(execveat, ENOMEM, 1),
    CALL(clone, EAGAIN, NO_PATH),
    CALL(clone3, EAGAIN, NO_PATH),
    CALL(pipe2, EMFILE, NO_PATH),
    CALL(dup3, EMFILE, NO_PATH),
    CALL(socket, EMFILE, NO_PATH),
    CALL(socketpair, EMFILE, NO_PATH),
    CALL(connect, ECONNREFUSED, NO_PATH),
    CALL(memfd_create, ENOMEM, 0),
    CALL(eventfd2, EMFILE, NO_PATH),
    CALL(pidfd_open, EMFILE, NO_PATH),
    CALL(mmap, ENOMEM, NO_PATH),
    CALL(ioctl, EPERM, OF_FD),
    CALL(flock, ENOLCK, OF_FD),
    CALL(ptrace, EPERM, NO_PATH),
    CALL(prctl, EPERM, NO_PATH),
    CALL(setsid, EPERM, NO_PATH),
#undef CALL
};

enum { CALLS = sizeof(calls) / sizeof(calls[0]) };

struct session {
    unsigned long fail_at; /* 0: none */
    unsigned long count;
    const char *match; /* NULL: any */
    struct stat program;
    FILE *report;
    int listener;
    pid_t child;
    bool has_ended; /* the command */
    int status;
    uint64_t deadline_ms;
};

[[gnu::noreturn]] static void die(const char *what)
{
    (void)fprintf(stderr, "inject: %s: %s\n", what, strerror(errno));
    exit(FAILED);
}

static uint64_t now_ms(void)
{
    struct timespec now;

    (void)clock_gettime(CLOCK_MONOTONIC, &now);
    return (uint64_t)now.tv_sec * 1000 + (uint64_t)now.tv_nsec / 1000000;
}

/* Holds the calls of the table; the rest pass. Returns what to listen at. */
static int install_filter(void)
{
    struct sock_filter code[CALLS + 4];
    size_t used = 0;

    code[used++] = (struct sock_filter)BPF_STMT(BPF_LD | BPF_W | BPF_ABS,
                                                (unsigned)offsetof(struct seccomp_data, nr));
    for (size_t i = 0; i < CALLS; i++)
        code[used++] = (struct sock_filter)BPF_JUMP(
            BPF_JMP | BPF_JEQ | BPF_K, (unsigned)calls[i].number, (unsigned char)(CALLS - i), 0);
    code[used++] = (struct sock_filter)BPF_STMT(BPF_RET | BPF_K, SECCOMP_RET_ALLOW);
    code[used++] = (struct sock_filter)BPF_STMT(BPF_RET | BPF_K, SECCOMP_RET_USER_NOTIF);

    struct sock_fprog program = {.len = (unsigned short)used, .filter = code};

    return (int)syscall(SYS_seccomp, SECCOMP_SET_MODE_FILTER, SECCOMP_FILTER_FLAG_NEW_LISTENER,
                        &program);
}

/* sendmsg(2), which is not held. */
static bool give_fd(int to, int fd)
{
    char byte = 0;
    struct iovec data = {&byte, 1};
    _Alignas(struct cmsghdr) char room[CMSG_SPACE(sizeof(int))] = {0};
    struct msghdr message = {
        .msg_iov = &data, .msg_iovlen = 1, .msg_control = room, .msg_controllen = sizeof(room)};
    struct cmsghdr *header = CMSG_FIRSTHDR(&message);

    header->cmsg_level = SOL_SOCKET;
    header->cmsg_type = SCM_RIGHTS;
    header->cmsg_len = CMSG_LEN(sizeof(int));
    memcpy(CMSG_DATA(header), &fd, sizeof(fd));
    return sendmsg(to, &message, MSG_NOSIGNAL) == 1;
}

static int take_fd(int from)
{
    char byte;
    struct iovec data = {&byte, 1};
    _Alignas(struct cmsghdr) char room[CMSG_SPACE(sizeof(int))] = {0};
    struct msghdr message = {
        .msg_iov = &data, .msg_iovlen = 1, .msg_control = room, .msg_controllen = sizeof(room)};
    int fd = -1;

    if (recvmsg(from, &message, MSG_CMSG_CLOEXEC) == 1 && CMSG_FIRSTHDR(&message) != NULL)
        memcpy(&fd, CMSG_DATA(CMSG_FIRSTHDR(&message)), sizeof(fd));
    return fd;
}

[[gnu::noreturn]] static void become_command(char **argv, int to)
{
    int listener = install_filter();

    if (listener < 0 || !give_fd(to, listener))
        _exit(FAILED);
    (void)close(listener);
    (void)execvp(argv[0], argv);
    _exit(FAILED);
}

static const struct call *find_call(long number)
{
    for (size_t i = 0; i < CALLS; i++)
        if (calls[i].number == number)
            return &calls[i];
    return NULL;
}

/* The text at an address of another process, as far as its page goes; "" where there is none. */
static void read_text(pid_t pid, uint64_t address, char ret[PATH_BYTES])
{
    char path[64];
    size_t want = PATH_BYTES - 1;
    ssize_t got;
    int fd;

    ret[0] = '\0';
    (void)snprintf(path, sizeof(path), "/proc/%d/mem", pid);
    fd = open(path, O_RDONLY | O_CLOEXEC);
    if (fd < 0)
        return;
    if (want > 4096 - address % 4096)
        want = 4096 - address % 4096;
    got = pread(fd, ret, want, (off_t)address);
    ret[got > 0 ? got : 0] = '\0';
    (void)close(fd);
    for (char *at = ret; *at != '\0'; at++)
        if ((unsigned char)*at < ' ')
            *at = '?';
}

static void name_fd(pid_t pid, int fd, char ret[PATH_BYTES])
{
    char path[64];
    ssize_t got;

    (void)snprintf(path, sizeof(path), "/proc/%d/fd/%d", pid, fd);
    got = readlink(path, ret, PATH_BYTES - 1);
    ret[got > 0 ? got : 0] = '\0';
}

static bool is_of_program(const struct session *session, pid_t pid)
{
    char path[64];
    struct stat st;

    (void)snprintf(path, sizeof(path), "/proc/%d/exe", pid);
    return stat(path, &st) == 0 && st.st_dev == session->program.st_dev &&
           st.st_ino == session->program.st_ino;
}

/* Memory that is not a file's is for alloc.c; what is said on stderr is how we see the error; these
 * two ask the terminal. */
static bool is_counted(const struct seccomp_data *data)
{
    switch (data->nr) {
    case SYS_mmap:
        return (int)data->args[4] >= 0;
    case SYS_write:
    case SYS_writev:
        return data->args[0] != STDERR_FILENO;
    case SYS_newfstatat:
        return (data->args[3] & AT_EMPTY_PATH) != 0; /* fstat */
    case SYS_ioctl:
        return data->args[1] != TCGETS && data->args[1] != TIOCGWINSZ;
    default:
        return true;
    }
}

static void answer(struct session *session)
{
    struct seccomp_notif request = {0};
    struct seccomp_notif_resp response = {0};
    const struct call *call;
    char path[PATH_BYTES] = "";
    bool is_ours;

    if (ioctl(session->listener, SECCOMP_IOCTL_NOTIF_RECV, &request) != 0)
        return;
    call = find_call(request.data.nr);
    is_ours = is_of_program(session, (pid_t)request.pid) && is_counted(&request.data);
    if (is_ours && call->path >= 0)
        read_text((pid_t)request.pid, request.data.args[call->path], path);
    else if (is_ours && call->path == OF_FD)
        name_fd((pid_t)request.pid, (int)request.data.args[0], path);
    is_ours = is_ours && (session->match == NULL || strstr(path, session->match) != NULL);
    response.id = request.id;
    response.flags = SECCOMP_USER_NOTIF_FLAG_CONTINUE;
    if (is_ours && ++session->count == session->fail_at) {
        response.flags = 0;
        response.error = -call->error;
        (void)fprintf(session->report, "%lu %s %s %s\n", session->count, call->name,
                      strerrorname_np(call->error), path);
    } else if (is_ours && session->fail_at == 0) {
        (void)fprintf(session->report, "%lu %s %s\n", session->count, call->name, path);
    }
    (void)ioctl(session->listener, SECCOMP_IOCTL_NOTIF_SEND, &response);
}

/* Orphans come to us. */
static void reap(struct session *session)
{
    pid_t pid;
    int status;

    while ((pid = waitpid(-1, &status, WNOHANG)) > 0) {
        if (pid != session->child || session->has_ended)
            continue;
        session->has_ended = true;
        session->status = WIFEXITED(status) ? WEXITSTATUS(status) : 128 + WTERMSIG(status);
        if (now_ms() + GRACE_MS < session->deadline_ms)
            session->deadline_ms = now_ms() + GRACE_MS;
    }
}

/* Kills what is below us, and says so of what nobody else ends. */
static void end_left(struct session *session)
{
    char path[64];
    FILE *list;
    int pid;

    (void)snprintf(path, sizeof(path), "/proc/self/task/%d/children", (int)getpid());
    list = fopen(path, "re");
    while (list != NULL && fscanf(list, "%d", &pid) == 1) {
        char name[32] = "?";
        FILE *comm;

        (void)snprintf(path, sizeof(path), "/proc/%d/comm", pid);
        comm = fopen(path, "re");
        if (comm != NULL) {
            (void)!fscanf(comm, "%31s", name);
            (void)fclose(comm);
        }
        if (session->has_ended || pid != session->child)
            (void)fprintf(session->report, "left %d %s\n", pid, name);
        (void)kill(pid, SIGKILL);
    }
    if (list != NULL)
        (void)fclose(list);
}

/* Until no process is left that the filter holds. */
static void supervise(struct session *session)
{
    struct pollfd event = {.fd = session->listener, .events = POLLIN};

    for (;;) {
        int ready = poll(&event, 1, 20);

        if (ready > 0 && (event.revents & POLLIN) != 0)
            answer(session);
        reap(session);
        if (ready > 0 && (event.revents & POLLHUP) != 0 && session->has_ended)
            return;
        if (now_ms() < session->deadline_ms)
            continue;
        if (!session->has_ended)
            session->status = TIMED_OUT;
        end_left(session);
        session->has_ended = true;
    }
}

static struct session read_options(int argc, char **argv, const char **program)
{
    struct session session = {.listener = -1, .deadline_ms = now_ms() + 60000};
    int option;

    while ((option = getopt(argc, argv, "+n:m:t:o:p:")) != -1) {
        switch (option) {
        case 'n':
            session.fail_at = strtoul(optarg, NULL, 10);
            break;
        case 'm':
            session.match = optarg;
            break;
        case 't':
            session.deadline_ms = now_ms() + strtoul(optarg, NULL, 10) * 1000;
            break;
        case 'o':
            session.report = fopen(optarg, "we");
            break;
        case 'p':
            *program = optarg;
            break;
        default:
            exit(FAILED);
        }
    }
    return session;
}

int main(int argc, char **argv)
{
    const char *program = NULL;
    struct session session = read_options(argc, argv, &program);
    int pair[2];

    argv += optind;
    if (argv[0] == NULL || session.report == NULL)
        die("usage");
    if (stat(program != NULL ? program : argv[0], &session.program) != 0)
        die(argv[0]);
    if (prctl(PR_SET_CHILD_SUBREAPER, 1L) != 0 ||
        socketpair(AF_UNIX, SOCK_STREAM | SOCK_CLOEXEC, 0, pair) != 0)
        die("socket");
    session.child = fork();
    if (session.child < 0)
        die("fork");
    if (session.child == 0)
        become_command(argv, pair[1]);
    (void)close(pair[1]);
    session.listener = take_fd(pair[0]);
    if (session.listener < 0)
        die("seccomp");
    supervise(&session);
    (void)fprintf(session.report, "end %d\n", session.status);
    if (fclose(session.report) != 0)
        die("report");
    return session.status;
}
