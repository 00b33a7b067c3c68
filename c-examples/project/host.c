/* A program without a loop of its own sleeps for a tenth of a second. The files beside this one build it. */
#include <awsgi.h>

int main(void)
{
    awsgi_reactor *reactor;
    awsgi_completion done;
    awsgi_turn turn = AWSGI_TURN_INIT;
    awsgi_wait_spec sleep = AWSGI_WAIT_SPEC_INIT;

    if (awsgi_reactor_new(NULL, &reactor) != AWSGI_OK)
        return 1;
    (void)awsgi_reactor_now(reactor, &sleep.deadline);
    sleep.deadline += 100000000;
    if (awsgi_wait_start(reactor, &sleep, NULL) != AWSGI_OK)
        return 1;
    turn.done = &done;
    turn.done_cap = 1;
    while (awsgi_reactor_turn(reactor, &turn) == AWSGI_OK && turn.done_n == 0)
        ;
    (void)awsgi_reactor_close(reactor);
    while (awsgi_reactor_turn(reactor, &turn) == AWSGI_OK && !(turn.flags & AWSGI_TURN_CLOSED))
        ;
    return awsgi_reactor_free(reactor) != AWSGI_OK || done.outcome != AWSGI_TIMED_OUT;
}
