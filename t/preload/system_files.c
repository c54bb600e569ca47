/*
 * LD_PRELOAD shim for nginx: another /etc/hosts and /etc/resolv.conf.
 *
 * They are the files of these names below $TEST_NGINX_ETC, which the harness
 * sets to etc/ below nginx's prefix.  resolv.conf knows no ports: whoever
 * connects to port 53 of a loopback address gets to the port that the file
 * dns_port says, and nobody gets out to port 53 of another address.
 *
 * Built and loaded by Test::Nginx::TCP::Shim for suites that set
 * TEST_NGINX_PRELOAD=system_files.
 */

#define _GNU_SOURCE

#include <arpa/inet.h>
#include <dlfcn.h>
#include <errno.h>
#include <fcntl.h>
#include <limits.h>
#include <netinet/in.h>
#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/socket.h>

#define DNS_PORT  53

/* The libc function behind one of ours; looked up at its first call. */
#define REAL(name)                                                            \
    static __typeof__(&name)  real;                                           \
    if (real == NULL) {                                                       \
        *(void **) &real = dlsym(RTLD_NEXT, #name);                           \
    }

/* nginx clears its environment. */
static char  dir[PATH_MAX];


__attribute__((constructor))
static void
remember(void)
{
    const char  *etc = getenv("TEST_NGINX_ETC");

    if (etc != NULL) {
        snprintf(dir, sizeof(dir), "%s", etc);
    }
}


/* The path to open in place of this one. */
static const char *
replaced(const char *path, char *buf, size_t size)
{
    if (dir[0] == '\0' || path == NULL
        || (strcmp(path, "/etc/hosts") != 0
            && strcmp(path, "/etc/resolv.conf") != 0))
    {
        return path;
    }

    snprintf(buf, size, "%s%s", dir, path + sizeof("/etc") - 1);
    return buf;
}


static int
dns_port(void)
{
    char   path[PATH_MAX + 16];
    int    port = 0;
    FILE  *file;

    snprintf(path, sizeof(path), "%s/dns_port", dir);

    file = fopen(path, "r");
    if (file != NULL) {
        if (fscanf(file, "%d", &port) != 1) {
            port = 0;
        }
        fclose(file);
    }

    return port;
}


int
open(const char *path, int flags, ...)
{
    REAL(open)

    char     buf[PATH_MAX + 16];
    va_list  args;
    mode_t   mode;

    va_start(args, flags);
    mode = (flags & (O_CREAT | O_TMPFILE)) ? va_arg(args, mode_t) : 0;
    va_end(args);

    return real(replaced(path, buf, sizeof(buf)), flags, mode);
}


int
open64(const char *path, int flags, ...)
{
    REAL(open64)

    char     buf[PATH_MAX + 16];
    va_list  args;
    mode_t   mode;

    va_start(args, flags);
    mode = (flags & (O_CREAT | O_TMPFILE)) ? va_arg(args, mode_t) : 0;
    va_end(args);

    return real(replaced(path, buf, sizeof(buf)), flags, mode);
}


int
connect(int fd, const struct sockaddr *addr, socklen_t len)
{
    REAL(connect)

    int                      loopback = 0;
    in_port_t               *port = NULL;
    struct sockaddr_in      *sin;
    struct sockaddr_in6     *sin6;
    struct sockaddr_storage  copy;

    if (dir[0] == '\0' || len > sizeof(copy)) {
        return real(fd, addr, len);
    }

    memcpy(&copy, addr, len);

    if (copy.ss_family == AF_INET) {
        sin = (struct sockaddr_in *) &copy;
        port = &sin->sin_port;
        loopback = ntohl(sin->sin_addr.s_addr) >> 24 == IN_LOOPBACKNET;

    } else if (copy.ss_family == AF_INET6) {
        sin6 = (struct sockaddr_in6 *) &copy;
        port = &sin6->sin6_port;
        loopback = IN6_IS_ADDR_LOOPBACK(&sin6->sin6_addr);
    }

    if (port != NULL && *port == htons(DNS_PORT)) {
        if (!loopback) {
            errno = ENETUNREACH;
            return -1;
        }
        *port = htons(dns_port());
    }

    return real(fd, (struct sockaddr *) &copy, len);
}
