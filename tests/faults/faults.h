/* The system calls of the library, of which a chosen one fails. */
#ifndef FAULTS_H
#define FAULTS_H

#include <pthread.h>

enum faults_call {
    EPOLL_CREATE1,
    EPOLL_CTL,
    EPOLL_WAIT,
    EVENTFD,
    TIMERFD_CREATE,
    TIMERFD_SETTIME,
    PPOLL,
    WRITE,
    FCNTL,
    FSTAT,
    THREAD,
    CALLS
};

/* What is to fail: the call of this kind that is the `when`th since it was set. */
struct faults_plan {
    int call;
    int error;
    int when;
};

/* What happened; in memory that a parent shares. */
struct faults_state {
    struct faults_plan plan;
    int active;
    /* A waitable is made of a descriptor. At other times fcntl is left alone: Rust's library asks
     * in debug builds whether what it closes is open, and aborts if not. */
    int checking;
    int hit;
    int counts[CALLS];
};

extern struct faults_state *faults;

/* The functions of the C library that a program has itself, as they are. */
int faults_thread(pthread_t *thread, void *(*run)(void *), void *data);

#endif
