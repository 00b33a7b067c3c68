/* What runs in the hosts of this folder. A host is a loop: it makes a reactor, turns it, and sleeps.
 * What it serves is a program that is linked to it, such as echo.c, and that knows nothing of loops.
 * Everything here is called on the host's thread, and never inside of awsgi_reactor_turn. */
#ifndef PROGRAM_H
#define PROGRAM_H

#include "awsgi.h"

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <sys/types.h>

/* ---- The program, for the host ---- */

/* Begins. Answers a descriptor that the host watches for reading by its own means, level- or
 * edge-triggered, as it watches those that it has already; -1 if there is none. */
int program_start(awsgi_reactor *reactor, int argc, char **argv);

/* That descriptor is readable. False: the program has ended, and the host closes the reactor. */
bool program_readable(void);

/* After each turn, when the host has applied the watch changes of its own objects: takes the
 * completions and the other changes. Calls nothing of the library if the turn returned none: only
 * after one that did does a host that turns before it sleeps have to turn again.
 * The host uses one awsgi_turn for all turns: the program may set its budget, and lower its done_cap.
 * False: the program has ended, and the host closes the reactor; it goes on turning, and calling
 * this, until AWSGI_TURN_CLOSED. */
bool program_turned(awsgi_turn *turn);

/* The reactor was freed. Answers the status with which the process exits. */
int program_ended(void);

/* ---- The host, for the program ---- */

/* A connection of a host that accepts by itself. Only the host can read and write it. */
struct stream {
    const struct stream_calls *calls;
    awsgi_waitable waitable;                        /* foreign; closed by `close` */
    void *data;                                     /* the program's */
};

/* As read(2), write(2) and close(2) on a socket that does not block: -1 and EAGAIN if it would. */
struct stream_calls {
    ssize_t (*read)(struct stream *stream, void *bytes, size_t room);
    ssize_t (*write)(struct stream *stream, const void *bytes, size_t count);
    void (*close)(struct stream *stream);
};

/* What each host says of itself. */
struct host {
    const char *name;
    const char *mode;                               /* "owned", "nested" or "delegated" */
    bool watches;                                   /* the descriptor of program_start */
    bool accepts;                                   /* it listens, and its streams are foreign waitables, ... */
    uint32_t kind;                                  /* ... AWSGI_LEVEL or AWSGI_ONCE */
    const struct signal *signal;                    /* NULL, or a foreign waitable of kind AWSGI_ONCE, READABLE ... */
};

/* ... once `raise` was called, on any thread, and until it was reported. */
struct signal {
    awsgi_status (*waitable)(awsgi_waitable *waitable);
    void (*raise)(void);
};

extern const struct host host;

/* Called by a host that accepts: it listens on this port of 127.0.0.1; it has accepted a stream,
 * which is the program's to close. */
void program_listening(uint16_t port);
void program_accepted(struct stream *stream);

/* ---- For both ---- */

/* Ends the process if a call of the library failed that should not. */
static inline void check(awsgi_status status, const char *what)
{
    char why[256];

    if (status == AWSGI_OK)
        return;
    (void)awsgi_last_error(why, sizeof why, NULL, NULL);
    (void)fprintf(stderr, "%s: %s: %s: %s\n", host.name, what, awsgi_status_name(status), why);
    exit(1);
}

#endif
