/* Stands between the library and the C library: a program's own functions come first when a shared
 * library is linked, so every call of the library's passes here. The program itself makes its calls
 * with syscall(). */
#define _GNU_SOURCE
#include "faults.h"

#include <dlfcn.h>
#include <errno.h>
#include <fcntl.h>
#include <signal.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <sys/epoll.h>
#include <sys/stat.h>
#include <sys/syscall.h>
#include <sys/timerfd.h>
#include <time.h>
#include <unistd.h>

struct faults_state *faults;

static int fails(enum faults_call call)
{
    if (faults == NULL || !__atomic_load_n(&faults->active, __ATOMIC_SEQ_CST))
        return 0;
    if (call == FCNTL && !faults->checking)
        return 0;
    int count = __atomic_add_fetch(&faults->counts[call], 1, __ATOMIC_SEQ_CST);
    if (faults->plan.call != (int)call || faults->plan.when != count)
        return 0;
    __atomic_store_n(&faults->hit, 1, __ATOMIC_SEQ_CST);
    errno = faults->plan.error;
    return 1;
}

int epoll_create1(int flags)
{
    return fails(EPOLL_CREATE1) ? -1 : (int)syscall(SYS_epoll_create1, flags);
}

int epoll_ctl(int epoll, int operation, int fd, struct epoll_event *event)
{
    return fails(EPOLL_CTL) ? -1 : (int)syscall(SYS_epoll_ctl, epoll, operation, fd, event);
}

int epoll_wait(int epoll, struct epoll_event *events, int count, int timeout)
{
    if (fails(EPOLL_WAIT))
        return -1;
    return (int)syscall(SYS_epoll_pwait, epoll, events, count, timeout, NULL, (size_t)8);
}

int eventfd(unsigned int value, int flags)
{
    return fails(EVENTFD) ? -1 : (int)syscall(SYS_eventfd2, value, flags);
}

int timerfd_create(int clock, int flags)
{
    return fails(TIMERFD_CREATE) ? -1 : (int)syscall(SYS_timerfd_create, clock, flags);
}

int timerfd_settime(int fd, int flags, const struct itimerspec *next, struct itimerspec *before)
{
    if (fails(TIMERFD_SETTIME))
        return -1;
    return (int)syscall(SYS_timerfd_settime, fd, flags, next, before);
}

struct pollfd;
int ppoll(struct pollfd *fds, unsigned long count, const struct timespec *timeout,
          const sigset_t *mask)
{
    struct timespec left;

    if (fails(PPOLL))
        return -1;
    if (timeout != NULL)
        left = *timeout;
    return (int)syscall(SYS_ppoll, fds, count, timeout == NULL ? NULL : &left, mask, (size_t)8);
}

ssize_t write(int fd, const void *data, size_t size)
{
    return fails(WRITE) ? -1 : (ssize_t)syscall(SYS_write, fd, data, size);
}

int fcntl(int fd, int command, ...)
{
    va_list more;
    long argument;

    va_start(more, command);
    argument = va_arg(more, long);
    va_end(more);
    return fails(FCNTL) ? -1 : (int)syscall(SYS_fcntl, fd, command, argument);
}

int fstat(int fd, struct stat *status)
{
    return fails(FSTAT) ? -1 : fstatat(fd, "", status, AT_EMPTY_PATH);
}

typedef int (*thread_maker)(pthread_t *, const pthread_attr_t *, void *(*)(void *), void *);

static int make_thread(pthread_t *thread, const pthread_attr_t *attributes, void *(*run)(void *),
                       void *data)
{
    union {
        void *found;
        thread_maker call;
    } next;

    next.found = dlsym(RTLD_NEXT, "pthread_create");
    return next.call(thread, attributes, run, data);
}

int pthread_create(pthread_t *thread, const pthread_attr_t *attributes, void *(*run)(void *),
                   void *data)
{
    return fails(THREAD) ? errno : make_thread(thread, attributes, run, data);
}

int faults_thread(pthread_t *thread, void *(*run)(void *), void *data)
{
    return make_thread(thread, NULL, run, data);
}
