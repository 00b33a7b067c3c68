/* The driver of docs/contract.md, for any host of c-examples/hosts: link the host to the files
 * driver*.c in the place of a program. All of it runs on the owner's thread, unless it says otherwise. */
#ifndef DRIVER_H
#define DRIVER_H

#include "program.h"

/* ---- driver.c: the program, and what it says ---- */

extern awsgi_reactor *reactor;

/* How many completions a turn has room for from now on, and its budget. */
void turn_room(size_t room);
void turn_budget(uint32_t budget);

/* Where a host listens that accepts by itself. */
uint16_t host_port(void);

/* The driver ends when it goes back to the loop. */
void driver_end(void);

/* Answers "ok", or "error" and the name of the status. */
void answer(awsgi_status status);
/* "broken", and why: a promise was not held. */
void broken(const char *why, const char *whose);

/* A system call of the driver's own was refused. */
#define REFUSED AWSGI_E_OS

/* What must not fail in a driver, such as malloc. */
void *must(void *memory);

/* ---- driver_input.c: lines, read on a thread of their own ---- */

/* Begins. Answers a descriptor for the host to watch; -1 if the host watches none: then `told` is an
 * event that is notified instead. */
int input_start(awsgi_waitable told);
/* Takes back what was told. */
void input_take(void);
/* Tells the loop once more. */
void input_tell(void);
/* How many lines are there; true in `*ended` if no more will come. */
size_t input_lines(bool *ended);
/* The next line, to be freed; NULL if none is there. */
char *input_next(void);
void input_end(void);

/* ---- driver_commands.c ---- */

/* Executes one command, and answers it. */
void execute(char *line);
/* Executes the command that was kept for a completion, if that has come. */
void execute_kept(void);
/* A wait has completed. */
void kept_for(const char *wait);
void kept_end(void);

/* ---- driver_threads.c ---- */

/* Threads, each of which notifies so many times. */
awsgi_status crew_start(const char *name, size_t count, uint64_t times, awsgi_waitable waitable, uint32_t bits);
/* Waits for them; false if there are none of this name. */
bool crew_join(const char *name, awsgi_status *status);
void crews_end(void);
void fork_and_answer(void);

/* ---- driver_objects.c ---- */

enum kind { EVENT, COUNTER, TIMER, PIPE, SOCKET, OWN, STREAM };

/* What a command has made. OWN is a foreign object of the driver's, STREAM one of the host's. */
struct object {
    struct object *next;
    char *name;
    enum kind kind;
    awsgi_waitable waitable;
    bool closed;
    int near, far;                                  /* its own descriptor, and the other end; or -1 */
    struct stream *stream;                          /* NULL until the host has accepted it */
    bool once;                                      /* for OWN, and for STREAM: */
    bool hung_up;
    size_t messages;
    uint32_t interest;                              /* what the host, which is the driver, is to report */
};

/* Those of this name: one that is open, or one that was closed. NULL if there is none. */
struct object *object_open(const char *name);
struct object *object_closed(const char *name);

awsgi_status object_event(const char *name, uint32_t flags);
awsgi_status object_timer(const char *name, uint64_t first, uint64_t period);
awsgi_status object_pipe(const char *name);
awsgi_status object_socket(const char *name, uint16_t port);
awsgi_status object_own(const char *name, bool once);
/* The answer comes when the host has accepted it; until then no command is executed. */
awsgi_status object_stream(const char *name, uint16_t port);
bool object_awaited(void);
bool object_refused(void);
void object_accepted(struct stream *stream);

awsgi_status object_put(struct object *object);
awsgi_status object_take(struct object *object, uint64_t *value);
awsgi_status object_hang_up(struct object *object);
awsgi_status object_close(struct object *object);

/* A watch change of the last turn. */
void object_change(const awsgi_watch_change *change);
/* As a host with a level-triggered loop would: reports what is watched and ready. */
void objects_report(void);
/* Streams are closed before the reactor is, the rest after it. */
void streams_close(void);
void objects_end(void);

/* ---- driver_waits.c ---- */

/* The user_data of the driver's own wait, which is for its input. */
#define INPUT UINT64_MAX

struct question {
    uint32_t at_least;
    uint32_t flags;
    uint64_t deadline;                              /* from now; or AWSGI_NOW, or AWSGI_FOREVER */
    awsgi_watch *set;
    size_t count;
};

awsgi_status wait_start(const char *name, const struct question *question);
/* By the name of the last wait that was called so; false if none was. */
bool wait_cancel(const char *name, awsgi_status *status);
bool wait_forget(const char *name, awsgi_status *status);
bool wait_rearm(const char *name, awsgi_status *status);
/* A completion of the last turn. */
void wait_completed(const awsgi_completion *completion);
void waits_end(void);

/* "READABLE,WRITABLE" to bits, and back. */
bool bits_parse(const char *text, uint32_t *bits);
void bits_print(uint32_t bits);

#endif
