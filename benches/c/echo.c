/* SPDX-License-Identifier: MIT OR Apache-2.0
 *
 * Asks an echo server: on each of COUNT connections one message of 64 bytes is on its way, and the next is sent when
 * it is back. Prints every second how many there were, for a minute at most. Where EVENTS would stand there is the
 * server's port.
 *
 * It never sleeps, so that it is not the server's work to wake it.
 */
#include "bench.h"

#include <arpa/inet.h>
#include <netinet/tcp.h>
#include <sys/epoll.h>

enum { MESSAGE = 64, BATCH = 1024 };

static int *connections;
static uint64_t answered;

static void ask(int connection)
{
    char message[MESSAGE] = { 0 };
    must(send(connection, message, MESSAGE, MSG_NOSIGNAL) == MESSAGE, "send");
}

/* A message is small, and comes in one piece. */
static void hear(int connection)
{
    char message[MESSAGE + 1];
    must(recv(connection, message, sizeof message, 0) == MESSAGE, "a message of 64 bytes");
    answered++;
}

static int connected(uint16_t port)
{
    struct sockaddr_in address = { .sin_family = AF_INET, .sin_port = htons(port) };
    address.sin_addr.s_addr = htonl(INADDR_LOOPBACK);
    int connection = socket(AF_INET, SOCK_STREAM | SOCK_CLOEXEC, 0);
    must(connection >= 0, "socket");
    must(connect(connection, (struct sockaddr *)&address, sizeof address) == 0, "connect");
    must(setsockopt(connection, IPPROTO_TCP, TCP_NODELAY, &(int){ 1 }, sizeof(int)) == 0, "TCP_NODELAY");
    return connection;
}

static void messages(uint32_t count, uint64_t port)
{
    struct epoll_event events[BATCH];
    int poll = epoll_create1(EPOLL_CLOEXEC);
    connections = zeroed(count, sizeof *connections);
    for (uint32_t at = 0; at < count; at++) {
        connections[at] = connected((uint16_t)port);
        struct epoll_event event = { .events = EPOLLIN, .data.fd = connections[at] };
        must(epoll_ctl(poll, EPOLL_CTL_ADD, connections[at], &event) == 0, "epoll_ctl");
    }
    for (uint32_t at = 0; at < count; at++)
        ask(connections[at]);
    uint64_t begin = now_ns();
    for (int second = 0; second < 60; second++) {
        uint64_t now;

        answered = 0;
        while ((now = now_ns()) - begin < 1000000000) {
            int ready = epoll_wait(poll, events, BATCH, 0);
            for (int at = 0; at < ready; at++) {
                hear(events[at].data.fd);
                ask(events[at].data.fd);
            }
        }
        printf("%.1f %.1f\n", (double)answered * 1e9 / (double)(now - begin), (double)answered);
        must(fflush(stdout) == 0, "writing");
        begin = now;
    }
}

int main(int argc, char **argv)
{
    static const struct part parts[] = { { "messages", messages } };
    return RUN_PART(argc, argv, parts);
}
