/* A program for every host that nothing wakes from outside: it begins before the first turn, and goes on
 * in its completions. A host that sleeps when there is work, or past what was begun, stays asleep. */
#include "program.h"

enum { ROUNDS = 300, MANY = 200 };
enum step { FIRST, ROUND, EARLIER, AT_ONCE, CROWD, LAST, OVER };

static awsgi_reactor *reactor;
static awsgi_waitable event, crowd[MANY];
static enum step step;
static int rounds, outstanding;

static void fail(const char *why)
{
    (void)fprintf(stderr, "%s: %s\n", host.name, why);
    exit(1);
}

static uint64_t after(uint64_t milliseconds)
{
    uint64_t now;

    check(awsgi_reactor_now(reactor, &now), "awsgi_reactor_now");
    return now + milliseconds * 1000000;
}

/* 0: for nothing, a sleep. */
static void wait_for(awsgi_waitable waitable, uint64_t deadline, enum step name)
{
    awsgi_watch set[] = { { .waitable = waitable, .interest = AWSGI_READABLE } };
    awsgi_wait_spec spec = AWSGI_WAIT_SPEC_INIT;

    spec.set = set;
    spec.count = waitable != 0;
    spec.deadline = deadline;
    spec.user_data = name;
    check(awsgi_wait_start(reactor, &spec, NULL), "awsgi_wait_start");
    outstanding++;
}

/* A wait that is ready as soon as it is started. */
static void wait_again(void)
{
    check(awsgi_notify(event, AWSGI_READABLE), "awsgi_notify");
    wait_for(event, AWSGI_FOREVER, ROUND);
}

int program_start(awsgi_reactor *made, int argc, char **argv)
{
    (void)argc;
    (void)argv;
    reactor = made;
    check(awsgi_waitable_event(reactor, 0, &event), "awsgi_waitable_event");
    wait_for(0, after(20), FIRST);
    return -1;
}

static void next(const awsgi_completion *done)
{
    uint64_t value;

    outstanding--;
    if (done->user_data != step)
        fail("a wait has ended that was not to");
    switch (step) {
    case FIRST:
        step = ROUND;
        wait_again();
        break;
    case ROUND:
        check(awsgi_waitable_take(event, &value), "awsgi_waitable_take");
        if (++rounds < ROUNDS) {
            wait_again();
            break;
        }
        step = EARLIER;
        wait_for(0, after(60000), LAST);
        wait_for(0, after(5), EARLIER);
        break;
    case EARLIER:
        step = AT_ONCE;
        wait_for(0, AWSGI_NOW, AT_ONCE);
        break;
    case AT_ONCE:
        step = CROWD;
        for (int i = 0; i < MANY; i++) {
            check(awsgi_waitable_event(reactor, 0, &crowd[i]), "awsgi_waitable_event");
            wait_for(crowd[i], AWSGI_FOREVER, CROWD);
        }
        /* One half becomes ready, the other is closed. */
        for (int i = 0; i < MANY; i++)
            check(i % 2 == 0 ? awsgi_notify(crowd[i], AWSGI_READABLE) : awsgi_waitable_close(crowd[i]), "crowd");
        break;
    default:
        if (outstanding == 1)                       /* the sleep of a minute */
            step = LAST;
    }
}

bool program_turned(awsgi_turn *turn)
{
    for (size_t i = 0; i < turn->done_n; i++) {
        if (step != LAST)
            next(&turn->done[i]);
        else if (turn->done[i].outcome != AWSGI_CLOSED)
            fail("the last wait was not closed");
        else
            step = OVER;
    }
    return step < LAST;
}

bool program_readable(void)
{
    return true;
}

void program_listening(uint16_t port)
{
    (void)port;
}

void program_accepted(struct stream *stream)
{
    stream->calls->close(stream);
}

int program_ended(void)
{
    if (step != OVER)
        fail("something has not ended");
    return 0;
}
