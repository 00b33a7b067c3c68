/* A host of exchanges with a loop of its own, here poll(2). It makes up one request, and prints what
 * the application answers: nested_exchange APP.SO [TARGET [BODY]]. */
#include "awsgi.h"

#include <errno.h>
#include <inttypes.h>
#include <poll.h>
#include <stdbool.h>
#include <stdio.h>
#include <stdlib.h>

/* What a server keeps for each request; `user_data` of the completions leads to it. */
typedef struct {
    awsgi_exchange x;
    const char *body;           /* what is still to be fed */
    size_t body_len;
    bool complete, broken;
} request;

static void check(awsgi_status status, const char *what)
{
    char why[512] = "";

    if (status == AWSGI_OK)
        return;
    (void)awsgi_last_error(why, sizeof why, NULL, NULL);
    (void)fprintf(stderr, "nested_exchange: %s: %s: %s\n", what, awsgi_status_name(status), why);
    exit(1);
}

/* Feeds what there is room for; AWSGI_ROOM says when to go on. */
static void feed(request *r)
{
    size_t taken;
    awsgi_status status = awsgi_exchange_feed(r->x, r->body, r->body_len, 1, &taken);
    if (status != AWSGI_E_CLOSED)                   /* the application reads no more: drop the rest */
        check(status, "awsgi_exchange_feed");
    r->body += taken;
    r->body_len -= taken;
}

/* A server would frame the body too: by head.length, or chunked where that is -1. */
static void print_head(request *r)
{
    awsgi_head head = AWSGI_HEAD_INIT;
    check(awsgi_exchange_head(r->x, &head), "awsgi_exchange_head");
    (void)printf("status: %" PRId32 "\n", head.status);
    for (const awsgi_header *h = head.headers; h < head.headers + head.header_count; h++)
        (void)printf("%.*s: %.*s\n", (int)h->name.len, (const char *)h->name.data,
                     (int)h->value.len, (const char *)h->value.data);
    (void)printf("\n");
}

/* Takes until nothing is there: only then AWSGI_BODY tells of more. */
static void print_body(request *r)
{
    awsgi_slice slices[8];
    size_t count;
    int end = 0;
    do {
        size_t sent = 0;
        check(awsgi_exchange_take(r->x, slices, 8, &count, &end), "awsgi_exchange_take");
        for (size_t i = 0; i < count; sent += slices[i++].len)
            (void)fwrite(slices[i].data, 1, slices[i].len, stdout);
        check(awsgi_exchange_sent(r->x, sent), "awsgi_exchange_sent");  /* gives it room for more */
    } while (count > 0 && !end);
}

static void happened(request *r, uint32_t what)
{
    if (what & AWSGI_HEAD)
        print_head(r);
    if (what & AWSGI_ROOM)
        feed(r);
    if (what & AWSGI_ABORT)
        r->broken = true;                           /* a server closes the connection */
    else
        print_body(r);
    r->complete = (what & AWSGI_END) != 0;
}

/* Turns once, which never blocks, and answers what came. */
static uint32_t turn(awsgi_reactor *reactor)
{
    awsgi_completion done[16];
    awsgi_turn t = AWSGI_TURN_INIT;
    t.done = done;
    t.done_cap = sizeof done / sizeof done[0];
    check(awsgi_reactor_turn(reactor, &t), "awsgi_reactor_turn");
    for (size_t i = 0; i < t.done_n; i++)
        happened((request *)(uintptr_t)done[i].user_data, done[i].ready);
    return t.flags;
}

/* A server has its sockets in this array too. */
static void sleep_until_there_is_work(awsgi_os_handle fd)
{
    struct pollfd fds[] = { { .fd = fd, .events = POLLIN } };
    if (poll(fds, 1, -1) < 0 && errno != EINTR)
        abort();
}

int main(int argc, char **argv)
{
    awsgi_reactor_options options = AWSGI_REACTOR_OPTIONS_INIT;
    awsgi_request head = AWSGI_REQUEST_INIT;
    request r = { .body = argc > 3 ? argv[3] : "" };
    awsgi_application application;
    awsgi_reactor *reactor;
    awsgi_gateway *gateway;
    awsgi_os_handle fd;
    awsgi_status status;

    if (argc < 2)
        return 2;                                   /* nothing to run */
    options.mode = AWSGI_NESTED;
    check(awsgi_reactor_new(&options, &reactor), "awsgi_reactor_new");
    check(awsgi_reactor_fd(reactor, &fd), "awsgi_reactor_fd");
    check(awsgi_application_load(argv[1], NULL, &application), argv[1]);
    check(awsgi_gateway_new(reactor, &application, NULL, &gateway), "awsgi_gateway_new");

    r.body_len = strlen(r.body);
    head.method = r.body_len > 0 ? AWSGI_SLICE("POST") : AWSGI_SLICE("GET");
    head.target = awsgi_string(argc > 2 ? argv[2] : "/");
    head.server_name = AWSGI_SLICE("localhost");
    head.server_port = 80;
    head.body = r.body_len > 0;
    head.content_length = (int64_t)r.body_len;
    head.user_data = (uint64_t)(uintptr_t)&r;
    check(awsgi_gateway_open(gateway, &head, &r.x), "awsgi_gateway_open");
    if (head.body)
        feed(&r);

    while ((void)turn(reactor), !r.complete && !r.broken)   /* turn before you sleep */
        sleep_until_there_is_work(fd);
    check(awsgi_exchange_end(r.x), "awsgi_exchange_end");

    /* The end: the gateway once its last exchange has ended, then the reactor once it is empty. */
    check(awsgi_gateway_close(gateway, 0), "awsgi_gateway_close");
    while ((void)turn(reactor), (status = awsgi_gateway_free(gateway)) == AWSGI_E_BUSY)
        sleep_until_there_is_work(fd);
    check(status, "awsgi_gateway_free");
    check(awsgi_reactor_close(reactor), "awsgi_reactor_close");
    while ((turn(reactor) & AWSGI_TURN_CLOSED) == 0)
        sleep_until_there_is_work(fd);
    check(awsgi_reactor_free(reactor), "awsgi_reactor_free");
    check(awsgi_application_unload(&application), "awsgi_application_unload");
    return r.broken || fflush(stdout) != 0 || ferror(stdout);
}
