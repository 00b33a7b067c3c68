/* Waits by their names, and what became of them. */
#define _GNU_SOURCE
#include "driver.h"

#include <string.h>

enum state { LIVE, OVER, FORGOTTEN };

struct wait {
    char *name;
    awsgi_wait token;
    uint64_t started;
    enum state state;
};

/* The user_data of a wait is its place here, which is never given to another. */
static struct wait *waits;
static size_t count, room;

static struct wait *last_of(const char *name)
{
    for (size_t i = count; i-- > 0;) {
        if (strcmp(waits[i].name, name) == 0)
            return &waits[i];
    }
    return NULL;
}

awsgi_status wait_start(const char *name, const struct question *question)
{
    awsgi_wait_spec spec = AWSGI_WAIT_SPEC_INIT;
    struct wait wait = { .state = LIVE };
    awsgi_status status;

    check(awsgi_reactor_now(reactor, &wait.started), "awsgi_reactor_now");
    spec.set = question->set;
    spec.count = question->count;
    spec.at_least = question->at_least;
    spec.flags = question->flags;
    spec.deadline = question->deadline;
    if (spec.deadline != AWSGI_NOW && spec.deadline < AWSGI_FOREVER - wait.started)
        spec.deadline += wait.started;
    spec.user_data = count;
    status = awsgi_wait_start(reactor, &spec, &wait.token);
    if (status != AWSGI_OK)
        return status;
    if (count == room) {
        room = room == 0 ? 16 : 2 * room;
        waits = must(realloc(waits, room * sizeof *waits));
    }
    wait.name = must(strdup(name));
    waits[count++] = wait;
    return AWSGI_OK;
}

bool wait_cancel(const char *name, awsgi_status *status)
{
    struct wait *wait = last_of(name);

    if (wait != NULL)
        *status = awsgi_wait_cancel(wait->token);
    return wait != NULL;
}

bool wait_forget(const char *name, awsgi_status *status)
{
    struct wait *wait = last_of(name);

    if (wait != NULL && (*status = awsgi_wait_forget(wait->token)) == AWSGI_OK)
        wait->state = FORGOTTEN;
    return wait != NULL;
}

bool wait_rearm(const char *name, awsgi_status *status)
{
    struct wait *wait = last_of(name);

    if (wait != NULL)
        *status = awsgi_wait_rearm(wait->token);
    return wait != NULL;
}

static const char *const outcomes[] = {
    [AWSGI_READY] = "READY", [AWSGI_TIMED_OUT] = "TIMED_OUT", [AWSGI_CANCELLED] = "CANCELLED",
    [AWSGI_CLOSED] = "CLOSED", [AWSGI_FAILED] = "FAILED",
};

void wait_completed(const awsgi_completion *completion)
{
    uint64_t now;
    size_t members;

    if (completion->user_data >= count) {
        broken("a completion of a wait that nobody started", "?");
        return;
    }
    struct wait *wait = &waits[completion->user_data];
    if (wait->state != LIVE)
        broken(wait->state == OVER ? "a second completion" : "a completion of a forgotten wait", wait->name);
    if (wait->token != completion->wait)
        broken("a completion with another's token", wait->name);
    if (completion->outcome == 0 || completion->outcome >= sizeof outcomes / sizeof outcomes[0]) {
        broken("an outcome that does not exist", wait->name);
        return;
    }
    check(awsgi_reactor_now(reactor, &now), "awsgi_reactor_now");
    printf("done %s %s%s after=%llu", wait->name, outcomes[completion->outcome],
           completion->flags & AWSGI_MORE ? " MORE" : "", (unsigned long long)(now - wait->started));
    check(awsgi_completion_members(completion, NULL, 0, &members), "awsgi_completion_members");
    awsgi_member *ready = must(malloc((members + 1) * sizeof *ready));
    check(awsgi_completion_members(completion, ready, members, &members), "awsgi_completion_members");
    for (size_t i = 0; i < members; i++) {
        printf(" %u:", (unsigned)ready[i].index);
        bits_print(ready[i].ready);
    }
    putchar('\n');
    if (members != completion->members
        || (members != 0 && (ready[0].index != completion->index || ready[0].ready != completion->ready)))
        broken("a completion that differs from its members", wait->name);
    free(ready);
    kept_for(wait->name);
    if (!(completion->flags & AWSGI_MORE))
        wait->state = OVER;
}

void waits_end(void)
{
    for (size_t i = 0; i < count; i++) {
        if (waits[i].state == LIVE)
            broken("a wait that never completed", waits[i].name);
        free(waits[i].name);
    }
    free(waits);
}

static const char *const names[] = { "READABLE", "WRITABLE", "PRIORITY", "READ_CLOSED", "HANGUP", "ERROR" };

bool bits_parse(const char *text, uint32_t *bits)
{
    char *end;

    *bits = (uint32_t)strtoul(text, &end, 10);      /* a number, which may have bits that do not exist */
    if (end != text && *end == '\0')
        return true;
    *bits = 0;
    for (;;) {
        size_t length = strcspn(text, ","), bit = 0;

        while (bit < 6 && (strlen(names[bit]) != length || strncmp(names[bit], text, length) != 0))
            bit++;
        if (bit == 6)
            return false;
        *bits |= 1u << bit;
        if (text[length] == '\0')
            return true;
        text += length + 1;
    }
}

void bits_print(uint32_t bits)
{
    const char *between = "";

    for (size_t bit = 0; bit < 6; bit++) {
        if ((bits & 1u << bit) == 0)
            continue;
        printf("%s%s", between, names[bit]);
        between = ",";
    }
}
