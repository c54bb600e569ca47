/*
 * LD_PRELOAD shim for nginx: makes the network as bad as it may be.
 *
 * Every read and write on a TCP or unix stream connection moves one byte, and
 * every other one fails with EAGAIN first.  Listening sockets, datagrams,
 * files, pipes and nginx's channel (a socketpair) are left alone, MSG_PEEK
 * too, as it consumes nothing.
 *
 * nginx registers edges (EPOLLET) and takes a short read for "drained"
 * (ngx_unix_recv() in os/unix/ngx_recv.c clears rev->ready).  With bytes still
 * in the kernel no further edge would come, so after each call that was cut
 * or refused the fd's last epoll_ctl() is repeated as EPOLL_CTL_MOD, which
 * makes epoll look at the fd again and report it afresh.
 *
 * Built and loaded by Test::Nginx::TCP::Shim for TEST_SLOW=1.
 */

#define _GNU_SOURCE

#include <dlfcn.h>
#include <errno.h>
#include <fcntl.h>
#include <stddef.h>
#include <sys/epoll.h>
#include <sys/sendfile.h>
#include <sys/socket.h>
#include <sys/uio.h>
#include <unistd.h>

#define MAX_FDS  65536

enum kind { UNKNOWN, STREAM, OTHER };
enum direction { IN, OUT };

/* What was seen of a descriptor; zeroed when it is made or closed. */
struct fd_state {
    enum kind           kind;
    int                 nonblocking_seen;
    int                 refused[2];        /* the last call gave EAGAIN */
    int                 epfd;              /* valid if registered */
    int                 registered;
    struct epoll_event  event;
};

static struct fd_state  fds[MAX_FDS];

/* The libc function behind one of ours; looked up at its first call. */
#define REAL(name)                                                            \
    static __typeof__(&name)  real;                                           \
    if (real == NULL) {                                                       \
        *(void **) &real = dlsym(RTLD_NEXT, #name);                           \
    }


static void
forget(int fd)
{
    if (fd >= 0 && fd < MAX_FDS) {
        fds[fd] = (struct fd_state) { 0 };
    }
}


static int
socket_option(int fd, int option)
{
    int        value = -1;
    socklen_t  len = sizeof(value);

    return getsockopt(fd, SOL_SOCKET, option, &value, &len) == 0 ? value : -1;
}


static enum kind
classify(int fd)
{
    int  domain;

    if (socket_option(fd, SO_TYPE) != SOCK_STREAM
        || socket_option(fd, SO_ACCEPTCONN) != 0)
    {
        return OTHER;
    }

    domain = socket_option(fd, SO_DOMAIN);

    return (domain == AF_INET || domain == AF_INET6 || domain == AF_UNIX)
           ? STREAM : OTHER;
}


/* The state of a connection that is to be hindered, else NULL. */
static struct fd_state *
hindered(int fd)
{
    int               saved = errno;
    struct fd_state  *s;

    if (fd < 0 || fd >= MAX_FDS) {
        return NULL;
    }

    s = &fds[fd];

    if (s->kind == UNKNOWN) {
        s->kind = classify(fd);
        errno = saved;
    }

    return s->kind == STREAM ? s : NULL;
}


static void
rearm(int fd, struct fd_state *s)
{
    int  saved = errno;

    REAL(epoll_ctl)

    if (s->registered) {
        (void) real(s->epfd, EPOLL_CTL_MOD, fd, &s->event);
    }

    errno = saved;
}


/* True for every other call: the caller returns -1 with errno EAGAIN. */
static int
refuse(int fd, struct fd_state *s, enum direction dir, int flags)
{
    int  file_flags;

    if (!s->nonblocking_seen && !(flags & MSG_DONTWAIT)) {
        file_flags = fcntl(fd, F_GETFL);
        if (file_flags == -1 || !(file_flags & O_NONBLOCK)) {
            return 0;                       /* a blocking caller cannot retry */
        }
        s->nonblocking_seen = 1;
    }

    s->refused[dir] = !s->refused[dir];

    if (s->refused[dir]) {
        rearm(fd, s);
        errno = EAGAIN;
        return 1;
    }

    return 0;
}


static ssize_t
cut(int fd, struct fd_state *s, ssize_t n)
{
    if (n > 0) {
        rearm(fd, s);
    }

    return n;
}


/* The first non-empty piece of a vector; NULL if there is none. */
static const struct iovec *
first_piece(const struct iovec *iov, size_t count)
{
    for (size_t i = 0; i < count; i++) {
        if (iov[i].iov_len > 0) {
            return &iov[i];
        }
    }

    return NULL;
}


/* Descriptors that come and go */

int
socket(int domain, int type, int protocol)
{
    REAL(socket)

    int  fd = real(domain, type, protocol);
    forget(fd);
    return fd;
}


int
socketpair(int domain, int type, int protocol, int pair[2])
{
    REAL(socketpair)

    int  rc = real(domain, type, protocol, pair);

    for (int i = 0; rc == 0 && i < 2; i++) {
        forget(pair[i]);
        if (pair[i] < MAX_FDS) {
            fds[pair[i]].kind = OTHER;
        }
    }

    return rc;
}


int
accept(int fd, struct sockaddr *restrict addr, socklen_t *restrict len)
{
    REAL(accept)

    int  c = real(fd, addr, len);
    forget(c);
    return c;
}


int
accept4(int fd, struct sockaddr *restrict addr, socklen_t *restrict len,
    int flags)
{
    REAL(accept4)

    int  c = real(fd, addr, len, flags);
    forget(c);
    return c;
}


int
close(int fd)
{
    REAL(close)

    forget(fd);
    return real(fd);
}


int
epoll_ctl(int epfd, int op, int fd, struct epoll_event *event)
{
    REAL(epoll_ctl)

    int  rc = real(epfd, op, fd, event);

    if (rc == 0 && fd >= 0 && fd < MAX_FDS) {
        fds[fd].registered = (op != EPOLL_CTL_DEL);
        if (op != EPOLL_CTL_DEL) {
            fds[fd].epfd = epfd;
            fds[fd].event = *event;
        }
    }

    return rc;
}


/* Reading */

ssize_t
recv(int fd, void *buf, size_t n, int flags)
{
    REAL(recv)

    struct fd_state  *s = hindered(fd);

    if (s == NULL || n == 0 || (flags & MSG_PEEK)) {
        return real(fd, buf, n, flags);
    }

    return refuse(fd, s, IN, flags) ? -1 : cut(fd, s, real(fd, buf, 1, flags));
}


ssize_t
recvfrom(int fd, void *restrict buf, size_t n, int flags,
    struct sockaddr *restrict addr, socklen_t *restrict len)
{
    REAL(recvfrom)

    if (addr == NULL && hindered(fd)) {
        return recv(fd, buf, n, flags);
    }

    return real(fd, buf, n, flags, addr, len);
}


ssize_t
read(int fd, void *buf, size_t n)
{
    REAL(read)

    return hindered(fd) ? recv(fd, buf, n, 0) : real(fd, buf, n);
}


ssize_t
readv(int fd, const struct iovec *iov, int count)
{
    REAL(readv)

    const struct iovec  *piece;

    if (count <= 0 || !hindered(fd) || !(piece = first_piece(iov, count))) {
        return real(fd, iov, count);
    }

    return recv(fd, piece->iov_base, piece->iov_len, 0);
}


ssize_t
recvmsg(int fd, struct msghdr *msg, int flags)
{
    REAL(recvmsg)

    const struct iovec  *piece;

    if (msg->msg_control != NULL || !hindered(fd)
        || !(piece = first_piece(msg->msg_iov, msg->msg_iovlen)))
    {
        return real(fd, msg, flags);
    }

    return recv(fd, piece->iov_base, piece->iov_len, flags);
}


/* glibc's names for read() and recv() under _FORTIFY_SOURCE; room is the
 * size of the buffer, which the call behind them can no longer exceed. */

ssize_t
__read_chk(int fd, void *buf, size_t n, size_t room)
{
    return read(fd, buf, n < room ? n : room);
}


ssize_t
__recv_chk(int fd, void *buf, size_t n, size_t room, int flags)
{
    return recv(fd, buf, n < room ? n : room, flags);
}


/* Writing */

ssize_t
send(int fd, const void *buf, size_t n, int flags)
{
    REAL(send)

    struct fd_state  *s = hindered(fd);

    if (s == NULL || n == 0) {
        return real(fd, buf, n, flags);
    }

    return refuse(fd, s, OUT, flags) ? -1
                                     : cut(fd, s, real(fd, buf, 1, flags));
}


ssize_t
sendto(int fd, const void *buf, size_t n, int flags,
    const struct sockaddr *addr, socklen_t len)
{
    REAL(sendto)

    if (addr == NULL && hindered(fd)) {
        return send(fd, buf, n, flags);
    }

    return real(fd, buf, n, flags, addr, len);
}


ssize_t
write(int fd, const void *buf, size_t n)
{
    REAL(write)

    return hindered(fd) ? send(fd, buf, n, 0) : real(fd, buf, n);
}


ssize_t
writev(int fd, const struct iovec *iov, int count)
{
    REAL(writev)

    const struct iovec  *piece;

    if (count <= 0 || !hindered(fd) || !(piece = first_piece(iov, count))) {
        return real(fd, iov, count);
    }

    return send(fd, piece->iov_base, piece->iov_len, 0);
}


ssize_t
sendmsg(int fd, const struct msghdr *msg, int flags)
{
    REAL(sendmsg)

    const struct iovec  *piece;

    if (msg->msg_control != NULL || !hindered(fd)
        || !(piece = first_piece(msg->msg_iov, msg->msg_iovlen)))
    {
        return real(fd, msg, flags);
    }

    return send(fd, piece->iov_base, piece->iov_len, flags);
}


ssize_t
sendfile(int out, int in, off_t *offset, size_t n)
{
    REAL(sendfile)

    struct fd_state  *s = hindered(out);

    if (s == NULL || n == 0) {
        return real(out, in, offset, n);
    }

    return refuse(out, s, OUT, 0) ? -1 : cut(out, s, real(out, in, offset, 1));
}


/* nginx is built with 64-bit offsets, where the symbol is sendfile64 and
 * off_t is the same type on 64-bit Linux. */
ssize_t
sendfile64(int out, int in, off64_t *offset, size_t n)
{
    return sendfile(out, in, (off_t *) offset, n);
}
