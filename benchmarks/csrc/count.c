/* count.c - counts what a process asks of libc and kernel: preloaded, no ptrace, no privilege.
 *
 * Counters lie in a page that is read from outside while the process runs: the file <pid> below
 * $BENCH_COUNT_DIR, one per process, a fork included (a worker begins at zero). Without that
 * variable the page is private, and read from inside.
 *
 *     page[0]  allocations: malloc, calloc, realloc and their aligned kin
 *     page[1]  system calls made through libc's functions
 *     page[2]  of these: waits for events (epoll_wait, epoll_pwait, poll, select)
 *     page[3]  of these: reads from descriptors
 *     page[4]  of these: writes to descriptors
 *
 * What libc does inside itself (stdio's writes, a thread's start) is not seen. Allocation goes
 * through glibc's own __libc_* names: dlsym would allocate while malloc is being looked up.
 */
#define _GNU_SOURCE
#include <dlfcn.h>
#include <errno.h>
#include <fcntl.h>
#include <poll.h>
#include <pthread.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <sys/epoll.h>
#include <sys/mman.h>
#include <sys/socket.h>
#include <sys/types.h>
#include <sys/uio.h>
#include <unistd.h>

enum { ALLOCATIONS, CALLS, WAITS, READS, WRITES, COUNTS };

extern void *__libc_malloc(size_t size);
extern void *__libc_calloc(size_t count, size_t size);
extern void *__libc_realloc(void *old, size_t size);
extern void *__libc_memalign(size_t alignment, size_t size);

static uint64_t before_attach[COUNTS];
static uint64_t *page = before_attach;

static void count(int what) { __atomic_fetch_add(&page[what], 1, __ATOMIC_RELAXED); }

const uint64_t *bench_count_page(void);
const uint64_t *bench_count_page(void) { return page; }

__attribute__((constructor)) static void attach(void)
{
    static int registered;
    const char *folder = getenv("BENCH_COUNT_DIR");
    char path[512];
    page = before_attach;
    for (int i = 0; i < COUNTS; i++) page[i] = 0;
    if (folder != NULL) {
        snprintf(path, sizeof path, "%s/%d", folder, (int)getpid());
        int fd = open(path, O_RDWR | O_CREAT | O_CLOEXEC, 0600);
        if (fd >= 0 && ftruncate(fd, 4096) == 0) {
            void *shared = mmap(NULL, 4096, PROT_READ | PROT_WRITE, MAP_SHARED, fd, 0);
            if (shared != MAP_FAILED) page = shared;
        }
        if (fd >= 0) close(fd);
    }
    if (!registered) {
        registered = 1;
        pthread_atfork(NULL, NULL, attach);
    }
}

void *malloc(size_t size)
{
    count(ALLOCATIONS);
    return __libc_malloc(size);
}

void *calloc(size_t number, size_t size)
{
    count(ALLOCATIONS);
    return __libc_calloc(number, size);
}

void *realloc(void *old, size_t size)
{
    count(ALLOCATIONS);
    return __libc_realloc(old, size);
}

void *aligned_alloc(size_t alignment, size_t size)
{
    count(ALLOCATIONS);
    return __libc_memalign(alignment, size);
}

int posix_memalign(void **out, size_t alignment, size_t size)
{
    count(ALLOCATIONS);
    *out = __libc_memalign(alignment, size);
    return *out == NULL ? ENOMEM : 0;
}

/* One wrapper: counts the call, and once more under its kind (CALLS: no kind), then forwards.
 * It has a name of its own in C and libc's in the object, since some are declared variadic. */
#define WRAP(result, name, kind, parameters, arguments)           \
    result counted_##name parameters __asm__(#name);              \
    result counted_##name parameters                              \
    {                                                             \
        static result(*next) parameters;                          \
        if (next == NULL) *(void **)&next = dlsym(RTLD_NEXT, #name); \
        count(CALLS);                                             \
        if (kind != CALLS) count(kind);                           \
        return next arguments;                                    \
    }

WRAP(ssize_t, read, READS, (int fd, void *to, size_t size), (fd, to, size))
WRAP(ssize_t, readv, READS, (int fd, const struct iovec *to, int n), (fd, to, n))
WRAP(ssize_t, pread64, READS, (int fd, void *to, size_t size, off64_t at), (fd, to, size, at))
WRAP(ssize_t, pread, READS, (int fd, void *to, size_t size, off_t at), (fd, to, size, at))
WRAP(ssize_t, recv, READS, (int fd, void *to, size_t size, int flags), (fd, to, size, flags))
WRAP(ssize_t, recvmsg, READS, (int fd, struct msghdr *to, int flags), (fd, to, flags))
WRAP(ssize_t, recvfrom, READS,
     (int fd, void *restrict to, size_t size, int flags, struct sockaddr *restrict from,
      socklen_t *restrict length),
     (fd, to, size, flags, from, length))
WRAP(ssize_t, write, WRITES, (int fd, const void *from, size_t size), (fd, from, size))
WRAP(ssize_t, writev, WRITES, (int fd, const struct iovec *from, int n), (fd, from, n))
WRAP(ssize_t, pwrite64, WRITES, (int fd, const void *from, size_t size, off64_t at),
     (fd, from, size, at))
WRAP(ssize_t, pwrite, WRITES, (int fd, const void *from, size_t size, off_t at),
     (fd, from, size, at))
WRAP(ssize_t, send, WRITES, (int fd, const void *from, size_t size, int flags),
     (fd, from, size, flags))
WRAP(ssize_t, sendmsg, WRITES, (int fd, const struct msghdr *from, int flags), (fd, from, flags))
WRAP(ssize_t, sendto, WRITES,
     (int fd, const void *from, size_t size, int flags, const struct sockaddr *to,
      socklen_t length),
     (fd, from, size, flags, to, length))
WRAP(int, sendmmsg, WRITES, (int fd, struct mmsghdr *from, unsigned n, int flags),
     (fd, from, n, flags))
WRAP(int, epoll_wait, WAITS, (int fd, struct epoll_event *to, int n, int ms), (fd, to, n, ms))
WRAP(int, epoll_pwait, WAITS,
     (int fd, struct epoll_event *to, int n, int ms, const sigset_t *mask), (fd, to, n, ms, mask))
WRAP(int, poll, WAITS, (struct pollfd * fds, nfds_t n, int ms), (fds, n, ms))
WRAP(int, epoll_ctl, CALLS, (int fd, int what, int of, struct epoll_event *event),
     (fd, what, of, event))
WRAP(int, accept, CALLS, (int fd, struct sockaddr *restrict from, socklen_t *restrict length),
     (fd, from, length))
WRAP(int, accept4, CALLS,
     (int fd, struct sockaddr *restrict from, socklen_t *restrict length, int flags),
     (fd, from, length, flags))
WRAP(int, connect, CALLS, (int fd, const struct sockaddr *to, socklen_t length), (fd, to, length))
WRAP(int, socket, CALLS, (int domain, int type, int protocol), (domain, type, protocol))
WRAP(int, shutdown, CALLS, (int fd, int how), (fd, how))
WRAP(int, close, CALLS, (int fd), (fd))
WRAP(int, setsockopt, CALLS, (int fd, int level, int name, const void *from, socklen_t size),
     (fd, level, name, from, size))
WRAP(int, getsockopt, CALLS,
     (int fd, int level, int name, void *restrict to, socklen_t *restrict size),
     (fd, level, name, to, size))
WRAP(int, getsockname, CALLS, (int fd, struct sockaddr *restrict to, socklen_t *restrict length),
     (fd, to, length))
WRAP(int, getpeername, CALLS, (int fd, struct sockaddr *restrict to, socklen_t *restrict length),
     (fd, to, length))
WRAP(int, fdatasync, CALLS, (int fd), (fd))
WRAP(int, fsync, CALLS, (int fd), (fd))
WRAP(pid_t, getpid, CALLS, (void), ())
WRAP(pid_t, getppid, CALLS, (void), ())
WRAP(int, sched_yield, CALLS, (void), ())
WRAP(int, fcntl, CALLS, (int fd, int what, long value), (fd, what, value))
WRAP(int, fcntl64, CALLS, (int fd, int what, long value), (fd, what, value))
WRAP(int, ioctl, CALLS, (int fd, unsigned long what, long value), (fd, what, value))
WRAP(long, syscall, CALLS, (long number, long a, long b, long c, long d, long e, long f),
     (number, a, b, c, d, e, f))
