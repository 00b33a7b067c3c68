/* SPDX-License-Identifier: MIT OR Apache-2.0
 *
 * A host with no Python in it: it opens exchanges itself, with an application library that it is told.
 *
 *     host LIBAWSGI PLUGIN CONFIG TARGET...
 *
 * Every target is requested, all of them at once, and "STATUS BODY" is printed for each, or "broken". Then it says
 * whether its signals and its locale are as they were.
 */
#include "awsgi.h"

#include <dlfcn.h>
#include <locale.h>
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#define MOST 64

static void *library;

static void *function(const char *name)
{
    void *found = dlsym(library, name);
    if (found == NULL) {
        fprintf(stderr, "host: %s\n", dlerror());
        exit(2);
    }
    return found;
}

#define CALL(name, ...) (((__typeof__(&name))function(#name))(__VA_ARGS__))

static void must(const char *what, awsgi_status status)
{
    char sentence[1024];
    if (status == AWSGI_OK)
        return;
    CALL(awsgi_last_error, sentence, sizeof(sentence), NULL, NULL);
    fprintf(stderr, "host: %s: %d %s\n", what, status, sentence);
    exit(1);
}

struct response {
    awsgi_exchange exchange;
    int status;
    int over;
    size_t length;
    char body[65536];
};

static struct response responses[MOST];

static void take(struct response *response)
{
    for (;;) {
        awsgi_slice slices[16];
        size_t count, taken = 0;
        int end;
        must("take", CALL(awsgi_exchange_take, response->exchange, slices, 16, &count, &end));
        for (size_t i = 0; i < count; i++) {
            if (response->length + slices[i].len > sizeof(response->body))
                exit(2);
            memcpy(response->body + response->length, slices[i].data, slices[i].len);
            response->length += slices[i].len;
            taken += slices[i].len;
        }
        must("sent", CALL(awsgi_exchange_sent, response->exchange, taken));
        if (count == 0)
            return;
    }
}

static void hear(const awsgi_completion *completion)
{
    struct response *response = &responses[completion->user_data];
    if (completion->ready & AWSGI_HEAD) {
        awsgi_head head = AWSGI_HEAD_INIT;
        must("head", CALL(awsgi_exchange_head, response->exchange, &head));
        response->status = head.status;
    }
    take(response);
    if (completion->ready & AWSGI_ABORT)
        response->status = -1;
    if (!(completion->flags & AWSGI_MORE)) {
        response->over = 1;
        must("end", CALL(awsgi_exchange_end, response->exchange));
    }
}

static void turn(awsgi_reactor *reactor, uint32_t *flags)
{
    awsgi_completion done[64];
    awsgi_turn turn = AWSGI_TURN_INIT;
    turn.done = done;
    turn.done_cap = 64;
    must("turn", CALL(awsgi_reactor_turn, reactor, &turn));
    for (size_t i = 0; i < turn.done_n; i++)
        hear(&done[i]);
    *flags = turn.flags;
}

int main(int argc, char **argv)
{
    static const int signals[] = {SIGINT, SIGTERM, SIGHUP, SIGPIPE, SIGCHLD, SIGXFSZ};
    struct sigaction before[6], after;
    char locale[64];
    awsgi_reactor *reactor;
    awsgi_gateway *gateway;
    awsgi_application application;
    awsgi_gateway_options options = AWSGI_GATEWAY_OPTIONS_INIT;
    int count = argc - 4, left, same = 1;
    uint32_t flags = 0;

    if (count < 1 || count > MOST)
        return 2;
    library = dlopen(argv[1], RTLD_NOW | RTLD_LOCAL);
    if (library == NULL || dlsym(RTLD_DEFAULT, "Py_IsInitialized") != NULL) {
        fprintf(stderr, "host: no library, or Python before it was asked for\n");
        return 2;
    }
    for (int i = 0; i < 6; i++)
        sigaction(signals[i], NULL, &before[i]);
    snprintf(locale, sizeof(locale), "%s", setlocale(LC_ALL, NULL));

    must("load", CALL(awsgi_application_load, argv[2], argv[3], &application));
    must("reactor", CALL(awsgi_reactor_new, NULL, &reactor));
    must("gateway", CALL(awsgi_gateway_new, reactor, &application, &options, &gateway));
    for (int i = 0; i < count; i++) {
        awsgi_header host = {AWSGI_SLICE("host"), AWSGI_SLICE("example")};
        awsgi_request request = AWSGI_REQUEST_INIT;
        request.method = AWSGI_SLICE("GET");
        request.target = awsgi_string(argv[4 + i]);
        request.headers = &host;
        request.header_count = 1;
        request.user_data = (uint64_t)i;
        must("open", CALL(awsgi_gateway_open, gateway, &request, &responses[i].exchange));
    }
    do {
        turn(reactor, &flags);
        left = 0;
        for (int i = 0; i < count; i++)
            left += !responses[i].over;
    } while (left > 0);
    must("gateway_free", CALL(awsgi_gateway_free, gateway));
    must("close", CALL(awsgi_reactor_close, reactor));
    while (!(flags & AWSGI_TURN_CLOSED))
        turn(reactor, &flags);
    must("free", CALL(awsgi_reactor_free, reactor));
    must("unload", CALL(awsgi_application_unload, &application));

    for (int i = 0; i < count; i++) {
        if (responses[i].status < 0)
            printf("broken\n");
        else
            printf("%d %.*s\n", responses[i].status, (int)responses[i].length, responses[i].body);
    }
    for (int i = 0; i < 6; i++) {
        sigaction(signals[i], NULL, &after);
        same = same && after.sa_handler == before[i].sa_handler;
    }
    same = same && strcmp(locale, setlocale(LC_ALL, NULL)) == 0;
    printf("%s\n", same ? "untouched" : "signals or locale were changed");
    return 0;
}
