/* A forked child: every call on what its parent made is refused without a system call, and a reactor
 * of its own works in every mode, although the parent's watcher was at work. */
#define _GNU_SOURCE
#include "../c/check.h"

#include <errno.h>
#include <linux/filter.h>
#include <linux/seccomp.h>
#include <poll.h>
#include <pthread.h>
#include <semaphore.h>
#include <stddef.h>
#include <stdatomic.h>
#include <sys/prctl.h>
#include <sys/socket.h>
#include <sys/syscall.h>
#include <sys/wait.h>
#include <unistd.h>

#define ROUNDS 40
/* Wakes after which neither thread of the parent takes memory any more. glibc gives a child its locks
 * of memory free, but not so the older sanitizers. */
#define WARM 2

static int wake[2];
static atomic_int over;
static sem_t busy;

static void on_wake(void *data)
{
    (void)!write(*(int *)data, "x", 1);
}

static awsgi_reactor *make(uint32_t mode, int *hook)
{
    awsgi_reactor_options options = AWSGI_REACTOR_OPTIONS_INIT;
    awsgi_reactor *reactor;

    options.mode = mode;
    if (mode == AWSGI_DELEGATED) {
        options.wake = on_wake;
        options.data = hook;
    }
    OK(awsgi_reactor_new(&options, &reactor));
    return reactor;
}

/* Every system call from here on kills, except those for memory and the end. */
static void forbid_system_calls(void)
{
    static const int allowed[] = { SYS_exit_group, SYS_brk,     SYS_mmap,
                                   SYS_munmap,     SYS_mprotect, SYS_madvise };
    enum { N = sizeof allowed / sizeof *allowed };
    struct sock_filter filter[1 + 2 * N + 1] = {
        BPF_STMT(BPF_LD | BPF_W | BPF_ABS, offsetof(struct seccomp_data, nr)),
    };
    struct sock_fprog program = { sizeof filter / sizeof *filter, filter };

    for (size_t i = 0; i < N; i++) {
        struct sock_filter is = BPF_JUMP(BPF_JMP | BPF_JEQ | BPF_K, (unsigned)allowed[i], 0, 1);
        struct sock_filter allow = BPF_STMT(BPF_RET | BPF_K, SECCOMP_RET_ALLOW);

        filter[1 + 2 * i] = is;
        filter[2 + 2 * i] = allow;
    }
    struct sock_filter kill = BPF_STMT(BPF_RET | BPF_K, SECCOMP_RET_KILL_PROCESS);
    filter[1 + 2 * N] = kill;
    CHECK(prctl(PR_SET_NO_NEW_PRIVS, 1, 0, 0, 0) == 0);
    CHECK(prctl(PR_SET_SECCOMP, SECCOMP_MODE_FILTER, &program) == 0);
}

/* Ends the child. Before _exit a sanitizer makes system calls of its own. */
static void leave(int number)
{
    (void)syscall(SYS_exit_group, number);
}

/* The numbers of the checks say which one failed: nothing can be printed. */
#define REFUSED(number, call) \
    do { \
        if ((call) != AWSGI_E_FORKED) \
            leave(number); \
    } while (0)

static void refused(awsgi_reactor *reactor, awsgi_waitable stream, awsgi_waitable event,
                    awsgi_waitable timer, awsgi_wait wait)
{
    awsgi_turn turn = AWSGI_TURN_INIT;
    awsgi_stats stats = AWSGI_STATS_INIT;
    awsgi_wait_spec spec = AWSGI_WAIT_SPEC_INIT;
    awsgi_notice notice = { 0, AWSGI_READABLE, 0 };
    awsgi_waitable made;
    uint64_t value;
    size_t count;
    int fd;

    spec.deadline = AWSGI_NOW;
    turn.deadline = AWSGI_NOW;
    notice.waitable = event;
    REFUSED(1, awsgi_reactor_turn(reactor, &turn));
    REFUSED(2, awsgi_reactor_fd(reactor, &fd));
    REFUSED(3, awsgi_reactor_now(reactor, &value));
    REFUSED(4, awsgi_reactor_stop(reactor));
    REFUSED(5, awsgi_reactor_stats(reactor, &stats));
    REFUSED(6, awsgi_reactor_close(reactor));
    REFUSED(7, awsgi_reactor_free(reactor));
    REFUSED(8, awsgi_reactor_release(reactor));
    REFUSED(9, awsgi_reactor_adopt(reactor));
    REFUSED(10, awsgi_waitable_descriptor(reactor, 0, 0, &made));
    REFUSED(11, awsgi_waitable_event(reactor, 0, &made));
    REFUSED(12, awsgi_waitable_timer(reactor, AWSGI_NOW, 0, &made));
    REFUSED(13, awsgi_waitable_foreign(reactor, 1, AWSGI_LEVEL, &made));
    REFUSED(14, awsgi_wait_start(reactor, &spec, NULL));
    REFUSED(15, awsgi_wait_cancel(wait));
    REFUSED(16, awsgi_wait_forget(wait));
    REFUSED(17, awsgi_wait_rearm(wait));
    REFUSED(18, awsgi_waitable_close(stream));
    REFUSED(19, awsgi_waitable_take(timer, &value));
    REFUSED(20, awsgi_waitable_label(event, "x", 1));
    REFUSED(21, awsgi_waitable_describe(event, NULL, 0, &count));
    REFUSED(22, awsgi_notify(event, AWSGI_READABLE));
    REFUSED(23, awsgi_notify_many(&notice, 1, NULL));
}

/* A stream and an event, waited for in each mode. */
static void works(void)
{
    /* Only what hangs takes so long. */
    (void)alarm(60);
    for (uint32_t mode = AWSGI_OWNED; mode <= AWSGI_DELEGATED; mode++) {
        int pair[2], hook[2];
        awsgi_waitable stream;
        awsgi_completion done = { 0 };
        awsgi_turn turn = AWSGI_TURN_INIT;

        CHECK(socketpair(AF_UNIX, SOCK_STREAM | SOCK_NONBLOCK, 0, pair) == 0);
        CHECK(pipe(hook) == 0);
        awsgi_reactor *reactor = make(mode, &hook[1]);
        OK(awsgi_waitable_descriptor(reactor, pair[0], 0, &stream));
        (void)check_wait(reactor, stream, AWSGI_READABLE, 1);
        check_nothing(reactor);
        CHECK(write(pair[1], "x", 1) == 1);
        if (mode != AWSGI_OWNED) {
            struct pollfd entry = { hook[0], POLLIN, 0 };

            if (mode == AWSGI_NESTED)
                OK(awsgi_reactor_fd(reactor, &entry.fd));
            CHECK(poll(&entry, 1, 10000) == 1);
        }
        turn.done = &done;
        turn.done_cap = 1;
        OK(awsgi_reactor_turn(reactor, &turn));
        CHECK(turn.done_n == 1 && done.user_data == 1);
        check_free(reactor);
        close(pair[0]);
        close(pair[1]);
        close(hook[0]);
        close(hook[1]);
    }
}

static void succeed(pid_t child)
{
    int status;

    CHECK(waitpid(child, &status, 0) == child);
    if (status != 0)
        (void)fprintf(stderr, "a child ended with %x\n", (unsigned)status);
    CHECK(status == 0);
}

/* Keeps the watcher of the parent busy while it forks. */
static void *disturb(void *data)
{
    int fd = *(int *)data;
    char byte;

    for (int turn = 0; !atomic_load(&over); turn++) {
        (void)!write(fd, "x", 1);
        (void)!read(wake[0], &byte, 1);
        if (turn == WARM)
            (void)sem_post(&busy);
    }
    return NULL;
}

/* Takes what came. */
static void turn_once(awsgi_reactor *reactor, int fd)
{
    awsgi_completion done;
    awsgi_turn turn = AWSGI_TURN_INIT;
    char buffer[64];

    while (read(fd, buffer, sizeof buffer) > 0)
        continue;
    turn.done = &done;
    turn.done_cap = 1;
    OK(awsgi_reactor_turn(reactor, &turn));
}

/* So that the thread above never waits for a wake. */
static void kick(awsgi_reactor *reactor, int fd)
{
    turn_once(reactor, fd);
    (void)!write(wake[1], "x", 1);
}

int main(void)
{
    int busy_pair[2], pair[2];
    pthread_t thread;
    awsgi_waitable busy_stream;

    CHECK(socketpair(AF_UNIX, SOCK_STREAM | SOCK_NONBLOCK, 0, busy_pair) == 0);
    CHECK(socketpair(AF_UNIX, SOCK_STREAM | SOCK_NONBLOCK, 0, pair) == 0);
    CHECK(pipe(wake) == 0);
    /* It keeps the watcher from beginning and ending while the process forks. */
    awsgi_reactor *watched = make(AWSGI_DELEGATED, &wake[1]);
    OK(awsgi_waitable_descriptor(watched, busy_pair[0], 0, &busy_stream));
    awsgi_watch set = { busy_stream, AWSGI_READABLE, 0 };
    awsgi_wait_spec spec = AWSGI_WAIT_SPEC_INIT;
    spec.set = &set;
    spec.count = 1;
    spec.flags = AWSGI_MULTISHOT;
    OK(awsgi_wait_start(watched, &spec, NULL));
    turn_once(watched, busy_pair[0]);
    for (int wakes = 0; wakes < WARM; wakes++) {
        char byte;

        CHECK(write(busy_pair[1], "x", 1) == 1);
        CHECK(read(wake[0], &byte, 1) == 1);
        turn_once(watched, busy_pair[0]);
    }
    for (uint32_t mode = AWSGI_OWNED; mode <= AWSGI_DELEGATED; mode++) {
        awsgi_reactor *reactor = make(mode, &wake[1]);
        awsgi_waitable stream, event, timer;
        awsgi_stats stats = AWSGI_STATS_INIT;

        OK(awsgi_waitable_descriptor(reactor, pair[0], 0, &stream));
        OK(awsgi_waitable_event(reactor, 0, &event));
        OK(awsgi_waitable_timer(reactor, AWSGI_NOW, 0, &timer));
        awsgi_wait wait = check_wait(reactor, event, AWSGI_READABLE, 1);
        check_nothing(reactor);
        OK(awsgi_reactor_stats(reactor, &stats));
        uint64_t signals = stats.signals;
        pid_t child = fork();
        CHECK(child >= 0);
        if (child == 0) {
            forbid_system_calls();
            refused(reactor, stream, event, timer, wait);
            leave(0);
        }
        succeed(child);
        OK(awsgi_reactor_stats(reactor, &stats));
        CHECK(stats.signals == signals && stats.waits == 1);
        child = fork();
        CHECK(child >= 0);
        if (child == 0) {
            works();
            _exit(0);
        }
        succeed(child);
        /* What the child did is nothing to the parent. */
        check_nothing(reactor);
        OK(awsgi_notify(event, AWSGI_READABLE));
        awsgi_completion done = check_next(reactor);
        CHECK(done.user_data == 1 && done.wait == wait);
        check_free(reactor);
    }

    CHECK(sem_init(&busy, 0, 0) == 0);
    CHECK(pthread_create(&thread, NULL, disturb, &busy_pair[1]) == 0);
    while (sem_trywait(&busy) != 0)
        kick(watched, busy_pair[0]);
    for (int round = 0; round < ROUNDS; round++) {
        pid_t child = fork();

        CHECK(child >= 0);
        if (child == 0) {
            works();
            _exit(0);
        }
        succeed(child);
        kick(watched, busy_pair[0]);
    }
    atomic_store(&over, 1);
    (void)!write(wake[1], "x", 1);
    pthread_join(thread, NULL);
    check_free(watched);
    return 0;
}
