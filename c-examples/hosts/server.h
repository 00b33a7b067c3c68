/* What the servers evhttp.c and mhd.c have in common, and what has nothing to do with how they host:
 * their command line, a socket that listens, the beginning and the end of reactor and gateway.
 *
 *     SERVER [-b ADDRESS:PORT] [-d SECONDS] APP.SO [what the application is given as it is loaded]
 *
 * -d: how long exchanges may go on after SIGTERM or SIGINT; 30 by default. */
#ifndef SERVER_H
#define SERVER_H

#define _GNU_SOURCE                                 /* so this is included first */
#include "awsgi.h"

#include <arpa/inet.h>
#include <netdb.h>
#include <netinet/in.h>
#include <signal.h>
#include <stdbool.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/signalfd.h>
#include <sys/socket.h>
#include <unistd.h>

struct server {
    awsgi_reactor *reactor;
    awsgi_application application;
    awsgi_gateway *gateway;
    awsgi_turn turn;
    awsgi_completion done[64];                      /* what a turn returns */
    int socket, signals;                            /* listens; tells of signals, where it is asked to */
    char name[INET6_ADDRSTRLEN];                    /* its address, in numbers */
    uint16_t port;
    uint64_t drain;                                 /* nanoseconds */
};

/* Ends the process if what should not fail did. */
static inline void check(bool success, const char *what)
{
    char why[512] = "";

    if (success)
        return;
    (void)awsgi_last_error(why, sizeof why, NULL, NULL);
    (void)fprintf(stderr, "%s%s%s\n", what, why[0] == '\0' ? "" : ": ", why);
    exit(1);
}
#define CHECK(call) check((call) == 0, #call)       /* 0 is AWSGI_OK, and success of many others */

/* What the library has to say: above all of applications that fail. */
static inline void say(int32_t level, awsgi_slice line, void *data)
{
    (void)data;
    if (level <= AWSGI_LOG_INFO)
        (void)fprintf(stderr, "%.*s\n", (int)line.len, (const char *)line.data);
}

/* An address in numbers, and its port. */
static inline const char *server_address(const struct sockaddr *at, char text[INET6_ADDRSTRLEN], uint16_t *port)
{
    const struct sockaddr_in6 *six = (const void *)at;
    const struct sockaddr_in *four = (const void *)at;
    bool is_six = at->sa_family == AF_INET6;

    *port = ntohs(is_six ? six->sin6_port : four->sin_port);
    return inet_ntop(at->sa_family, is_six ? (const void *)&six->sin6_addr : &four->sin_addr, text, INET6_ADDRSTRLEN);
}

/* A socket that listens at ADDRESS:PORT; with port 0 the kernel chooses. */
static inline void server_listen(struct server *its, char *address)
{
    struct addrinfo hints = { .ai_flags = AI_PASSIVE | AI_NUMERICSERV, .ai_socktype = SOCK_STREAM }, *found;
    struct sockaddr_storage at;
    socklen_t size = sizeof at;
    char *port = strrchr(address, ':');

    check(port != NULL, "-b takes ADDRESS:PORT");
    *port++ = '\0';
    CHECK(getaddrinfo(address, port, &hints, &found));
    its->socket = socket(found->ai_family, found->ai_socktype | SOCK_NONBLOCK | SOCK_CLOEXEC, 0);
    CHECK(setsockopt(its->socket, SOL_SOCKET, SO_REUSEADDR, &(int){ 1 }, sizeof(int)));
    if (bind(its->socket, found->ai_addr, found->ai_addrlen) != 0 || listen(its->socket, 1024) != 0) {
        perror(address);
        exit(1);
    }
    freeaddrinfo(found);
    CHECK(getsockname(its->socket, (struct sockaddr *)&at, &size));
    (void)server_address((struct sockaddr *)&at, its->name, &its->port);
    (void)fprintf(stderr, at.ss_family == AF_INET6 ? "listening on http://[%s]:%u\n"
                                                   : "listening on http://%s:%u\n", its->name, its->port);
}

/* SIGTERM and SIGINT end no process from now on: they are read from a descriptor. That holds for the threads that are
 * made later, and so it comes before an application is loaded, which may make some. */
static inline void server_take_signals(struct server *its)
{
    sigset_t set;

    (void)sigemptyset(&set);
    (void)sigaddset(&set, SIGTERM);
    (void)sigaddset(&set, SIGINT);
    (void)sigprocmask(SIG_BLOCK, &set, NULL);
    its->signals = signalfd(-1, &set, SFD_NONBLOCK | SFD_CLOEXEC);
}

/* Loads the application of the command line, binds it to a reactor of this mode, and listens. */
static inline void server_start(struct server *its, int argc, char **argv, uint32_t mode, uint32_t flags)
{
    awsgi_reactor_options options = AWSGI_REACTOR_OPTIONS_INIT;
    char standard[] = "127.0.0.1:8080", *bind = standard;
    double drain = 30;
    int option;

    while ((option = getopt(argc, argv, "+b:d:")) != -1) {
        if (option == 'b')
            bind = optarg;
        else if (option == 'd')
            drain = atof(optarg);
        else
            exit(2);
    }
    if (optind == argc) {
        (void)fprintf(stderr, "usage: %s [-b ADDRESS:PORT] [-d SECONDS] APP.SO [CONFIG]\n", argv[0]);
        exit(2);
    }
    its->drain = (uint64_t)(drain * 1e9);
    options.mode = mode;
    options.flags = flags;
    options.log = say;
    its->turn = (awsgi_turn)AWSGI_TURN_INIT;
    its->turn.done = its->done;
    its->turn.done_cap = sizeof its->done / sizeof its->done[0];
    (void)signal(SIGPIPE, SIG_IGN);                 /* who writes to a client that left sees it by the error */
    server_take_signals(its);
    CHECK(awsgi_reactor_new(&options, &its->reactor));
    CHECK(awsgi_application_load(argv[optind], argv[optind + 1], &its->application));
    CHECK(awsgi_gateway_new(its->reactor, &its->application, NULL, &its->gateway));
    server_listen(its, bind);
}

/* Feeds bytes of a body; answers how many are dealt with. */
static inline size_t server_feed(awsgi_exchange x, const void *data, size_t len, bool end)
{
    size_t taken;
    awsgi_status status = awsgi_exchange_feed(x, data, len, end, &taken);

    check(status == AWSGI_OK || status == AWSGI_E_CLOSED, "awsgi_exchange_feed");
    return status == AWSGI_OK ? taken : len;        /* the application reads no more: drop the rest */
}

/* A wait of the host's, which completes once. */
static inline void server_wait(struct server *its, awsgi_waitable waitable, uint32_t interest, uint64_t user_data)
{
    awsgi_watch set = { .waitable = waitable, .interest = interest };
    awsgi_wait_spec spec = AWSGI_WAIT_SPEC_INIT;

    spec.set = &set;
    spec.count = 1;
    spec.user_data = user_data;
    CHECK(awsgi_wait_start(its->reactor, &spec, NULL));
}

/* Waits for the client of an exchange to leave. The completion carries the exchange: awsgi_exchange_gone is to
 * be told, which answers AWSGI_E_STALE if that has ended. */
static inline awsgi_waitable server_watch(struct server *its, int fd, awsgi_exchange x)
{
    awsgi_waitable waitable;

    CHECK(awsgi_waitable_descriptor(its->reactor, fd, 0, &waitable));
    server_wait(its, waitable, AWSGI_READ_CLOSED, x);
    return waitable;
}

/* A wait that completes once SIGTERM or SIGINT came ... */
static inline void server_first_signal(struct server *its, uint64_t user_data)
{
    awsgi_waitable waitable;

    CHECK(awsgi_waitable_descriptor(its->reactor, its->signals, AWSGI_OWN, &waitable));
    server_wait(its, waitable, AWSGI_READABLE, user_data);
}

/* ... before the second. */
static inline bool server_second_signal(struct server *its)
{
    struct signalfd_siginfo first;
    sigset_t set;

    check(read(its->signals, &first, sizeof first) > 0, "read");
    (void)sigfillset(&set);
    return sigprocmask(SIG_UNBLOCK, &set, NULL) == 0;
}

/* Before the descriptor is closed. */
static inline void server_unwatch(awsgi_waitable *socket)
{
    if (*socket != 0)
        CHECK(awsgi_waitable_close(*socket));
    *socket = 0;
}

/* A slice as a string, to be freed. */
static inline char *server_text(awsgi_slice slice)
{
    char *text = malloc(slice.len + 1);

    check(text != NULL, "malloc");
    memcpy(text, slice.data, slice.len);
    text[slice.len] = '\0';
    return text;
}

/* Has the kernel reset a connection. */
static inline void server_reset(int fd)
{
    const struct sockaddr nowhere = { .sa_family = AF_UNSPEC };

    (void)connect(fd, &nowhere, sizeof nowhere);
}

/* When the gateway was freed: the end of the reactor, in two steps. */
static inline void server_end(struct server *its)
{
    CHECK(awsgi_reactor_close(its->reactor));
    do
        CHECK(awsgi_reactor_turn(its->reactor, &its->turn));
    while ((its->turn.flags & AWSGI_TURN_CLOSED) == 0);
    CHECK(awsgi_reactor_free(its->reactor));
    CHECK(awsgi_application_unload(&its->application));
}

#endif
