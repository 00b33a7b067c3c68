/* SPDX-License-Identifier: MIT OR Apache-2.0
 *
 * Epoll itself, as lean as one writes it by hand.
 */
#include "bench.h"

#include <sys/epoll.h>

static int epoll;
static struct epoll_event events[256];

static void watch(uint32_t how)
{
    epoll = epoll_create1(EPOLL_CLOEXEC);
    must(epoll >= 0, "epoll_create1");
    for (size_t at = 0; at < pair_count; at++) {
        struct epoll_event event = { how, { .ptr = &pairs[at] } };
        must(epoll_ctl(epoll, EPOLL_CTL_ADD, pairs[at].in, &event) == 0, "epoll_ctl");
    }
}

static void edge_loop(void)
{
    while (hops < hops_until) {
        int count = epoll_wait(epoll, events, 256, -1);
        for (int at = 0; at < count; at++)
            hop(events[at].data.ptr);
    }
}

static void edge(uint32_t count, uint64_t hop_count)
{
    chain_open(count);
    watch(EPOLLIN | EPOLLET);
    chain_run(edge_loop, hop_count);
}

static void oneshot_loop(void)
{
    while (hops < hops_until) {
        int count = epoll_wait(epoll, events, 256, -1);
        for (int at = 0; at < count; at++) {
            struct pair *pair = events[at].data.ptr;
            hop(pair);
            struct epoll_event again = { EPOLLIN | EPOLLONESHOT, { .ptr = pair } };
            must(epoll_ctl(epoll, EPOLL_CTL_MOD, pair->in, &again) == 0, "epoll_ctl");
        }
    }
}

static void oneshot(uint32_t count, uint64_t hop_count)
{
    chain_open(count);
    watch(EPOLLIN | EPOLLONESHOT);
    chain_run(oneshot_loop, hop_count);
}

int main(int argc, char **argv)
{
    static const struct part parts[] = { { "multishot", edge }, { "oneshot", oneshot } };
    return RUN_PART(argc, argv, parts);
}
