/* Threads that notify, and children that may not. */
#define _GNU_SOURCE
#include "driver.h"

#include <errno.h>
#include <pthread.h>
#include <string.h>
#include <sys/wait.h>
#include <unistd.h>

struct crew {
    struct crew *next;
    char *name;
    size_t count;
    struct member {
        pthread_t thread;
        awsgi_waitable waitable;
        uint32_t bits;
        uint64_t times;
        awsgi_status status;
    } *members;
};

static struct crew *crews;

static void *notify(void *data)
{
    struct member *member = data;

    for (uint64_t i = 0; i < member->times; i++) {
        awsgi_status status = awsgi_notify(member->waitable, member->bits);
        if (status != AWSGI_OK)
            member->status = status;
    }
    return NULL;
}

/* Waits for the threads, and answers what was wrong with one of them. */
static awsgi_status join(struct crew *crew)
{
    awsgi_status status = AWSGI_OK;

    for (size_t i = 0; i < crew->count; i++) {
        (void)pthread_join(crew->members[i].thread, NULL);
        if (crew->members[i].status != AWSGI_OK)
            status = crew->members[i].status;
    }
    free(crew->members);
    free(crew->name);
    free(crew);
    return status;
}

awsgi_status crew_start(const char *name, size_t count, uint64_t times, awsgi_waitable waitable, uint32_t bits)
{
    struct crew *crew = must(calloc(1, sizeof *crew));

    crew->members = must(calloc(count, sizeof *crew->members));
    crew->name = must(strdup(name));
    for (; crew->count < count; crew->count++) {
        struct member *member = &crew->members[crew->count];

        *member = (struct member){ .waitable = waitable, .bits = bits, .times = times };
        if (pthread_create(&member->thread, NULL, notify, member) != 0) {
            (void)join(crew);
            return REFUSED;
        }
    }
    crew->next = crews;
    crews = crew;
    return AWSGI_OK;
}

bool crew_join(const char *name, awsgi_status *status)
{
    struct crew **at = &crews, *crew;

    while (*at != NULL && strcmp((*at)->name, name) != 0)
        at = &(*at)->next;
    crew = *at;
    if (crew == NULL)
        return false;
    *at = crew->next;
    *status = join(crew);
    return true;
}

void crews_end(void)
{
    for (struct crew *next; crews != NULL; crews = next) {
        next = crews->next;
        (void)join(crews);
    }
}

/* Answers the place of the first call that did not say FORKED, or 0. */
static int calls_of_child(awsgi_waitable event, awsgi_wait wait)
{
    awsgi_watch set[] = { { .waitable = event, .interest = AWSGI_READABLE } };
    awsgi_wait_spec spec = AWSGI_WAIT_SPEC_INIT;
    awsgi_turn turn = AWSGI_TURN_INIT;
    uint64_t value;

    spec.set = set;
    spec.count = 1;
    return awsgi_reactor_now(reactor, &value) != AWSGI_E_FORKED         ? 1
           : awsgi_reactor_turn(reactor, &turn) != AWSGI_E_FORKED       ? 2
           : awsgi_wait_start(reactor, &spec, NULL) != AWSGI_E_FORKED   ? 3
           : awsgi_notify(event, AWSGI_READABLE) != AWSGI_E_FORKED      ? 4
           : awsgi_wait_cancel(wait) != AWSGI_E_FORKED                  ? 5
           : awsgi_waitable_take(event, &value) != AWSGI_E_FORKED       ? 6
           : awsgi_waitable_close(event) != AWSGI_E_FORKED              ? 7
                                                                        : 0;
}

void fork_and_answer(void)
{
    static const char *const calls[] = { "", "now", "turn", "start", "notify", "cancel", "take", "close" };
    awsgi_watch set[] = { { .interest = AWSGI_READABLE } };
    awsgi_wait_spec spec = AWSGI_WAIT_SPEC_INIT;
    awsgi_wait wait;
    pid_t child;
    int status;

    /* What the child tries to break is nobody else's. */
    awsgi_status refused = awsgi_waitable_event(reactor, 0, &set[0].waitable);
    if (refused == AWSGI_OK) {
        spec.set = set;
        spec.count = 1;
        refused = awsgi_wait_start(reactor, &spec, &wait);
    }
    if (refused != AWSGI_OK) {
        answer(refused);
        return;
    }
    child = fork();
    if (child == 0)
        _exit(calls_of_child(set[0].waitable, wait));
    check(awsgi_wait_forget(wait), "awsgi_wait_forget");
    check(awsgi_waitable_close(set[0].waitable), "awsgi_waitable_close");
    if (child < 0) {
        answer(REFUSED);
        return;
    }
    while (waitpid(child, &status, 0) < 0 && errno == EINTR)
        continue;
    if (WIFSIGNALED(status))
        printf("error the child died of signal %d\n", WTERMSIG(status));
    else if (WEXITSTATUS(status) == 0)
        answer(AWSGI_OK);
    else if (WEXITSTATUS(status) < 8)
        printf("error %s did not answer FORKED\n", calls[WEXITSTATUS(status)]);
    else
        printf("error the child ended with %d\n", WEXITSTATUS(status));
}
