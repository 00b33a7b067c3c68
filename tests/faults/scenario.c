/* Everything that a reactor does with the kernel, in each mode, while one system call fails.
 *
 * scenario            fails every call of every kind in turn, each in a process of its own
 * scenario MODE       runs one mode once, while somebody else may make one call fail
 *
 * Whatever fails: nothing hangs, nothing is lost or left open, the error says what was being done
 * and what to do, and the same call made again succeeds. */
#define _GNU_SOURCE
#include "faults.h"

#include "../c/check.h"

#include <dirent.h>
#include <errno.h>
#include <fcntl.h>
#include <poll.h>
#include <sched.h>
#include <string.h>
#include <sys/mman.h>
#include <sys/socket.h>
#include <sys/syscall.h>
#include <sys/wait.h>
#include <time.h>
#include <unistd.h>

/* Long enough for any machine: only what hangs takes so long. */
#define PATIENCE_MS 10000
#define GHOST 300

enum mode { OWNED, NESTED, HONOURING, DELEGATED, WATCHING, MODES };
static const char *const mode_names[MODES] = { "owned", "nested", "honouring", "delegated",
                                               "watching" };

struct host {
    awsgi_reactor *reactor;
    enum mode mode;
    int wake[2];
    uint64_t deadline;
    /* What the host watches, in the mode that gives it its descriptors. */
    awsgi_watch_change watched[8];
    size_t watched_n;
    /* What came while something else was expected. */
    awsgi_completion kept[8];
    size_t kept_n;
};

/* How many calls have failed so far, and the errno of the last. */
static int failures;
static int32_t failed_with;
/* The fault comes from outside, so nobody knows which it is. */
static int unknown;

static const struct {
    enum faults_call call;
    const char *name;
    /* What an error says that comes of it: either of the two. */
    const char *words[2];
} known[CALLS] = {
    { EPOLL_CREATE1, "epoll_create1", { "epoll_create1", "epoll_create1" } },
    { EPOLL_CTL, "epoll_ctl", { "epoll_ctl", "descriptor" } },
    { EPOLL_WAIT, "epoll_wait", { "epoll_wait", "epoll_wait" } },
    { EVENTFD, "eventfd", { "eventfd", "eventfd" } },
    { TIMERFD_CREATE, "timerfd_create", { "timerfd_create", "timerfd_create" } },
    { TIMERFD_SETTIME, "timerfd_settime", { "timerfd_settime", "timerfd_settime" } },
    { PPOLL, "ppoll", { "ppoll", "ppoll" } },
    { WRITE, "write", { "write", "write" } },
    { FCNTL, "fcntl", { "descriptor", "descriptor" } },
    { FSTAT, "fstat", { "descriptor", "descriptor" } },
    { THREAD, "pthread_create", { "thread", "thread" } },
};

static const struct {
    int error;
    const char *advice;
} advices[] = {
    { EMFILE, "ulimit -n" }, { ENOMEM, "free some" }, { ENOSPC, "max_user_watches" },
    { EAGAIN, "ulimit -u" },
};

static int open_files(void)
{
    DIR *directory = opendir("/proc/self/fd");
    int count = 0;

    CHECK(directory != NULL);
    while (readdir(directory) != NULL)
        count++;
    closedir(directory);
    return count;
}

/* Whether a call succeeded. One may fail, in the way that was planned. */
static int succeeded(awsgi_status status, const char *call)
{
    char text[512] = "";
    int32_t error = 0;

    if (status == AWSGI_OK)
        return 1;
    OK(awsgi_last_error(text, sizeof text, NULL, &error));
    failures++;
    failed_with = error;
    int planned = status == AWSGI_E_OS && failures == 1 && error != EINTR;
    if (!unknown) {
        const char *const *words = known[faults->plan.call].words;
        planned = planned && faults->hit && error == faults->plan.error &&
                  (strstr(text, words[0]) != NULL || strstr(text, words[1]) != NULL);
        for (size_t i = 0; i < sizeof advices / sizeof *advices; i++)
            if (advices[i].error == error && strstr(text, advices[i].advice) == NULL)
                planned = 0;
    }
    if (!planned) {
        (void)fprintf(stderr, "%s: %s: %s (failure %d)\n", call, awsgi_status_name(status), text,
                      failures);
        exit(1);
    }
    return 0;
}

/* Again, if it failed as planned. */
#define TRY(call) \
    do { \
        if (!succeeded((call), #call)) \
            CHECK(succeeded((call), #call)); \
    } while (0)

static awsgi_status descriptor(awsgi_reactor *reactor, int fd, uint32_t flags,
                               awsgi_waitable *waitable)
{
    awsgi_status status;

    faults->checking = 1;
    status = awsgi_waitable_descriptor(reactor, fd, flags, waitable);
    faults->checking = 0;
    return status;
}

static void put_byte(int fd)
{
    long written;

    do
        written = syscall(SYS_write, fd, "x", 1);
    while (written < 0 && errno == EINTR);
    CHECK(written == 1);
}

static int wait_for(int fd, int ms)
{
    struct pollfd entry = { fd, POLLIN, 0 };
    struct timespec left = { ms / 1000, ms % 1000 * 1000000L };

    return (int)syscall(SYS_ppoll, &entry, 1, &left, NULL, 8) == 1;
}

static void empty(int fd)
{
    char buffer[256];

    while (syscall(SYS_read, fd, buffer, sizeof buffer) > 0)
        continue;
}

static void on_wake(void *data)
{
    const struct host *host = data;

    put_byte(host->wake[1]);
}

static uint64_t now(const struct host *host)
{
    uint64_t ns;

    OK(awsgi_reactor_now(host->reactor, &ns));
    return ns;
}

/* One turn; what completes is kept. */
static uint32_t take_turn(struct host *host, uint64_t deadline)
{
    awsgi_turn turn = AWSGI_TURN_INIT;
    awsgi_watch_change changes[8];

    turn.done = host->kept + host->kept_n;
    turn.done_cap = 8 - host->kept_n;
    turn.changes = changes;
    turn.changes_cap = 8;
    turn.deadline = deadline;
    if (!succeeded(awsgi_reactor_turn(host->reactor, &turn), "turn"))
        return AWSGI_TURN_MORE;
    host->kept_n += turn.done_n;
    host->deadline = turn.next_deadline;
    for (size_t i = 0; i < turn.changes_n; i++) {
        size_t at = 0;

        while (at < host->watched_n && host->watched[at].waitable != changes[i].waitable)
            at++;
        CHECK(at < 8);
        host->watched[at] = changes[i];
        host->watched_n += at == host->watched_n;
    }
    return turn.flags;
}

/* Sleeps as a host of its kind does, and turns. Answers whether it was woken. */
static int sleep_and_turn(struct host *host, int ms)
{
    int woken = 1;
    uint64_t before = now(host), until = before + (uint64_t)ms * MS;

    if (host->mode == OWNED) {
        (void)take_turn(host, until);
        return 1;
    }
    while ((take_turn(host, AWSGI_NOW) & AWSGI_TURN_MORE) != 0 && host->kept_n == 0)
        continue;
    if (host->kept_n != 0)
        return 1;
    if (host->mode != NESTED && host->deadline < until)
        ms = (int)((host->deadline > before ? host->deadline - before : 0) / MS) + 1;
    if (host->mode == NESTED || host->mode == HONOURING) {
        int fd;

        OK(awsgi_reactor_fd(host->reactor, &fd));
        woken = wait_for(fd, ms);
    } else {
        woken = wait_for(host->wake[0], host->mode == WATCHING ? 1 : ms);
        empty(host->wake[0]);
    }
    for (size_t at = 0; at < host->watched_n; at++)
        if (host->watched[at].interest != 0 && wait_for((int)host->watched[at].handle, 0))
            (void)awsgi_notify(host->watched[at].waitable, AWSGI_READABLE);
    (void)take_turn(host, AWSGI_NOW);
    return woken;
}

/* The next completion. */
static awsgi_completion next(struct host *host)
{
    uint64_t until = now(host) + (uint64_t)PATIENCE_MS * MS;
    awsgi_completion done;

    while (host->kept_n == 0) {
        (void)sleep_and_turn(host, PATIENCE_MS);
        if (host->kept_n == 0 && now(host) > until) {
            (void)fprintf(stderr, "nothing completes\n");
            exit(1);
        }
    }
    done = host->kept[0];
    memmove(host->kept, host->kept + 1, --host->kept_n * sizeof done);
    return done;
}

static awsgi_wait start(const struct host *host, awsgi_waitable waitable, uint32_t flags,
                        uint64_t user_data)
{
    awsgi_watch set = { waitable, AWSGI_READABLE, 0 };
    awsgi_wait_spec spec = AWSGI_WAIT_SPEC_INIT;
    awsgi_wait wait;

    spec.set = &set;
    spec.count = 1;
    spec.flags = flags;
    spec.user_data = user_data;
    TRY(awsgi_wait_start(host->reactor, &spec, &wait));
    return wait;
}

/* Whether a wait is ready. It may have failed instead, in the way that was planned. */
static int is_ready(awsgi_completion done, uint64_t user_data)
{
    CHECK(done.user_data == user_data);
    if (done.outcome == AWSGI_READY)
        return 1;
    failures++;
    CHECK(done.outcome == AWSGI_FAILED && failures <= 2 && done.error != EINTR);
    CHECK(unknown || (faults->hit && done.error == faults->plan.error));
    return 0;
}

static void ready(struct host *host, awsgi_waitable waitable, uint64_t user_data)
{
    if (!is_ready(next(host), user_data)) {
        (void)start(host, waitable, 0, user_data);
        CHECK(is_ready(next(host), user_data));
    }
}

static void *notifier(void *data)
{
    OK(awsgi_notify(*(awsgi_waitable *)data, AWSGI_READABLE));
    return NULL;
}

static void make(struct host *host)
{
    awsgi_reactor_options options = AWSGI_REACTOR_OPTIONS_INIT;
    int before = open_files();

    options.mode = host->mode == OWNED ? AWSGI_OWNED
                   : host->mode <= HONOURING ? AWSGI_NESTED : AWSGI_DELEGATED;
    if (host->mode == HONOURING)
        options.flags = AWSGI_HOST_HONOURS_DEADLINE;
    if (host->mode == WATCHING)
        options.flags = AWSGI_HOST_WATCHES_DESCRIPTORS;
    if (options.mode == AWSGI_DELEGATED) {
        options.wake = on_wake;
        options.data = host;
    }
    if (!succeeded(awsgi_reactor_new(&options, &host->reactor), "awsgi_reactor_new")) {
        CHECK(open_files() == before && host->reactor == NULL);
        OK(awsgi_reactor_new(&options, &host->reactor));
    }
}

static void end(struct host *host)
{
    OK(awsgi_reactor_close(host->reactor));
    while ((take_turn(host, AWSGI_NOW) & AWSGI_TURN_CLOSED) == 0)
        host->kept_n = 0;
    OK(awsgi_reactor_free(host->reactor));
}

/* A ghost is heard until the selector is rebuilt. */
static void haunt(struct host *host, awsgi_waitable pending)
{
    awsgi_stats stats = AWSGI_STATS_INIT;
    awsgi_waitable waitable;
    int pair[2];

    CHECK(socketpair(AF_UNIX, SOCK_STREAM | SOCK_NONBLOCK | SOCK_CLOEXEC, 0, pair) == 0);
    CHECK(dup3(pair[0], GHOST, O_CLOEXEC) == GHOST);
    TRY(descriptor(host->reactor, GHOST, 0, &waitable));
    (void)start(host, waitable, 0, 6);
    put_byte(pair[1]);
    ready(host, waitable, 6);
    (void)start(host, pending, 0, 7);
    close(GHOST);
    for (int round = 0; stats.rebuilds == 0; round++) {
        CHECK(round < 200);
        empty(pair[0]);
        put_byte(pair[1]);
        if (host->mode == DELEGATED) {
            (void)wait_for(host->wake[0], 500);
            empty(host->wake[0]);
        }
        (void)take_turn(host, AWSGI_NOW);
        OK(awsgi_reactor_stats(host->reactor, &stats));
        if (host->kept_n != 0) {
            /* What waits may fail with the rebuild, and with nothing else. */
            CHECK(!is_ready(next(host), 7));
            (void)start(host, pending, 0, 7);
        }
    }
    OK(awsgi_waitable_close(waitable));
    close(pair[0]);
    close(pair[1]);
}

static void run(enum mode mode)
{
    int before = open_files();
    struct host host = { NULL, mode, { -1, -1 }, AWSGI_FOREVER, { { 0 } }, 0,
                         { { 0 } }, 0 };
    awsgi_wait_spec sleep = AWSGI_WAIT_SPEC_INIT;
    awsgi_waitable stream, file, event, given;
    awsgi_wait wait;
    pthread_t thread;
    int pair[2], null;

    CHECK(pipe2(host.wake, O_CLOEXEC | O_NONBLOCK) == 0);
    CHECK(socketpair(AF_UNIX, SOCK_STREAM | SOCK_NONBLOCK | SOCK_CLOEXEC, 0, pair) == 0);
    null = open("/dev/null", O_RDWR | O_CLOEXEC);
    make(&host);

    /* A deadline, in whole milliseconds and not. */
    for (int i = 0; i < 2; i++) {
        sleep.deadline = now(&host) + MS + (i == 0 ? 0 : 300001);
        sleep.user_data = 1;
        TRY(awsgi_wait_start(host.reactor, &sleep, NULL));
        awsgi_completion done = next(&host);
        CHECK(done.user_data == 1 && done.outcome == AWSGI_TIMED_OUT);
    }

    /* A descriptor that becomes ready, and one that is. */
    TRY(descriptor(host.reactor, pair[0], 0, &stream));
    (void)start(&host, stream, 0, 2);
    (void)take_turn(&host, AWSGI_NOW);
    put_byte(pair[1]);
    ready(&host, stream, 2);
    (void)start(&host, stream, 0, 2);
    ready(&host, stream, 2);

    /* A multishot wait. */
    wait = start(&host, stream, AWSGI_MULTISHOT, 3);
    awsgi_completion shot = next(&host);
    CHECK(is_ready(shot, 3));
    if (!succeeded(awsgi_wait_rearm(wait), "awsgi_wait_rearm")) {
        /* If the descriptor was found to be closed, the wait has failed. */
        if (failed_with != EBADF)
            OK(awsgi_wait_rearm(wait));
    }
    (void)is_ready(next(&host), 3);
    (void)awsgi_wait_forget(wait);
    empty(pair[0]);

    /* A file that is always ready. */
    TRY(descriptor(host.reactor, null, 0, &file));
    (void)start(&host, file, 0, 4);
    ready(&host, file, 4);
    OK(awsgi_waitable_close(file));

    /* Another thread, which most often finds us asleep. */
    OK(awsgi_waitable_event(host.reactor, 0, &event));
    (void)start(&host, event, 0, 5);
    (void)take_turn(&host, AWSGI_NOW);
    CHECK(faults_thread(&thread, notifier, &event) == 0);
    ready(&host, event, 5);
    pthread_join(thread, NULL);

    if (mode != WATCHING)
        haunt(&host, stream);
    else
        (void)start(&host, stream, 0, 7);
    put_byte(pair[1]);
    ready(&host, stream, 7);

    /* A second reactor, for which the watcher runs already. */
    struct host other = { NULL, mode, { host.wake[0], host.wake[1] }, AWSGI_FOREVER, { { 0 } }, 0,
                         { { 0 } }, 0 };
    make(&other);
    TRY(descriptor(other.reactor, pair[1], 0, &given));
    (void)start(&other, given, 0, 8);
    put_byte(pair[0]);
    ready(&other, given, 8);
    end(&other);

    /* What is given is closed, also when the selector does not let it go. */
    int copy = dup(pair[1]);
    TRY(descriptor(host.reactor, copy, AWSGI_OWN, &given));
    (void)start(&host, given, 0, 9);
    OK(awsgi_waitable_close(given));
    awsgi_completion done = next(&host);
    CHECK(done.user_data == 9);
    (void)take_turn(&host, AWSGI_NOW);
    (void)take_turn(&host, AWSGI_NOW);
    CHECK(syscall(SYS_fcntl, copy, F_GETFD) == -1);

    end(&host);
    close(pair[0]);
    close(pair[1]);
    close(null);
    close(host.wake[0]);
    close(host.wake[1]);
    /* The watcher's thread leaves in its own time. */
    for (int round = 0; open_files() != before; round++) {
        CHECK(round < PATIENCE_MS);
        wait_for(-1, 1);
    }
}

/* Runs a mode in a process of its own. */
static void in_child(enum mode mode, struct faults_plan plan)
{
    int status;
    pid_t child;

    memset(faults, 0, sizeof *faults);
    faults->plan = plan;
    (void)fflush(NULL);
    child = fork();
    CHECK(child >= 0);
    if (child == 0) {
        alarm(60);
        faults->active = 1;
        run(mode);
        faults->active = 0;
        exit(0);
    }
    CHECK(waitpid(child, &status, 0) == child);
    if (status != 0) {
        (void)fprintf(stderr, "%s: call %d of %s failed with %s: status %x\n", mode_names[mode],
                      plan.when, known[plan.call].name, strerror(plan.error), (unsigned)status);
        exit(1);
    }
}

static const struct {
    enum faults_call call;
    int error;
} plans[] = {
    { EPOLL_CREATE1, EMFILE }, { EPOLL_CREATE1, ENOMEM },
    { EPOLL_CTL, ENOMEM },     { EPOLL_CTL, ENOSPC },     { EPOLL_CTL, EBADF },
    { EPOLL_WAIT, EINTR },     { EPOLL_WAIT, ENOMEM },
    { EVENTFD, EMFILE },       { EVENTFD, ENOMEM },       { EVENTFD, ENOSYS },
    { TIMERFD_CREATE, EMFILE }, { TIMERFD_CREATE, ENOSYS }, { TIMERFD_SETTIME, ENOMEM },
    { PPOLL, EINTR },          { PPOLL, ENOMEM },         { WRITE, EINTR },
    { FCNTL, EBADF },          { FSTAT, EBADF },          { FSTAT, ENOMEM },
    { THREAD, EAGAIN },
};

/* Fails every call of every kind in one mode. */
static void sweep(enum mode mode, int *counts, int *runs)
{
    for (size_t i = 0; i < sizeof plans / sizeof *plans; i++) {
        struct faults_plan plan = { plans[i].call, plans[i].error, 1 };

        for (;; plan.when++) {
            /* The rounds of a ghost are all the same. */
            if (plan.call == EPOLL_WAIT && plan.when > 15)
                plan.when += 4;
            in_child(mode, plan);
            ++*runs;
            if (!faults->hit)
                break;
            if (counts[plan.call] < plan.when)
                counts[plan.call] = plan.when;
        }
    }
}

static void *shared(size_t size)
{
    void *memory = mmap(NULL, size, PROT_READ | PROT_WRITE, MAP_SHARED | MAP_ANONYMOUS, -1, 0);

    CHECK(memory != MAP_FAILED);
    return memory;
}

int main(int argc, char **argv)
{
    struct {
        int counts[CALLS];
        int runs;
    } *sums = shared(MODES * sizeof *sums);
    int runs = 0, failed = 0;

    for (int call = 0; call < CALLS; call++)
        CHECK((int)known[call].call == call);
    if (argc > 1) {
        for (int mode = 0; mode < MODES; mode++) {
            if (strcmp(argv[1], mode_names[mode]) == 0) {
                faults = shared(sizeof *faults);
                unknown = 1;
                alarm(60);
                run((enum mode)mode);
                return 0;
            }
        }
        return 2;
    }
    /* Side by side, since most of the time they wait. */
    for (int mode = 0; mode < MODES; mode++) {
        faults = shared(sizeof *faults);
        pid_t child = fork();
        CHECK(child >= 0);
        if (child == 0) {
            sweep((enum mode)mode, sums[mode].counts, &sums[mode].runs);
            exit(0);
        }
    }
    for (int mode = 0; mode < MODES; mode++) {
        int status;

        CHECK(wait(&status) > 0);
        failed |= status;
    }
    (void)printf("%-16s", "");
    for (int mode = 0; mode < MODES; mode++)
        (void)printf("%10s", mode_names[mode]);
    for (int call = 0; call < CALLS; call++) {
        int count = 0;

        (void)printf("\n%-16s", known[call].name);
        for (int mode = 0; mode < MODES; mode++) {
            (void)printf("%10d", sums[mode].counts[call]);
            count += sums[mode].counts[call];
        }
        /* Or the calls do not pass here, and nothing was tested. */
        CHECK(failed || count > 0);
    }
    for (int mode = 0; mode < MODES; mode++)
        runs += sums[mode].runs;
    (void)printf("\n%d runs\n", runs);
    return failed != 0;
}
