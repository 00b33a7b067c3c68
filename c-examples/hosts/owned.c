/* A host without a loop of its own: the turn is its loop, and blocks until something has happened. */
#include "program.h"

const struct host host = { .name = "owned", .mode = "owned" };

int main(int argc, char **argv)
{
    awsgi_reactor *reactor;
    awsgi_completion done[64];
    awsgi_watch_change changes[64];
    awsgi_turn turn = AWSGI_TURN_INIT;              /* its deadline is AWSGI_FOREVER */

    turn.done = done;
    turn.done_cap = sizeof done / sizeof done[0];
    turn.changes = changes;
    turn.changes_cap = sizeof changes / sizeof changes[0];
    check(awsgi_reactor_new(NULL, &reactor), "awsgi_reactor_new");      /* NULL: owned, and defaults */
    (void)program_start(reactor, argc, argv);

    /* What the program does after a turn needs no care: the next one does not block if there is work. */
    do
        check(awsgi_reactor_turn(reactor, &turn), "awsgi_reactor_turn");
    while (program_turned(&turn));

    /* The end takes two steps: what is still open completes as closed, then the reactor is freed. */
    check(awsgi_reactor_close(reactor), "awsgi_reactor_close");
    do {
        check(awsgi_reactor_turn(reactor, &turn), "awsgi_reactor_turn");
        (void)program_turned(&turn);
    } while ((turn.flags & AWSGI_TURN_CLOSED) == 0);
    check(awsgi_reactor_free(reactor), "awsgi_reactor_free");
    return program_ended();
}
