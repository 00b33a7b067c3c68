/* The driver as a program: it takes lines when the host's loop says that there are some, and prints
 * what its turns return. */
#include "driver.h"

#include <string.h>

awsgi_reactor *reactor;

static awsgi_waitable told;                         /* 0 where the host watches a descriptor */
static uint64_t together = 1;                       /* commands that are executed before the loop goes on */
static bool ended;
static uint16_t port;                               /* where a host that accepts listens */

/* What the turns that follow are to be like, until the host shows the turn that it uses. */
static awsgi_turn *turn;
static size_t cap, room = SIZE_MAX;
static uint32_t budget;

static void limit(void)
{
    if (turn == NULL)
        return;
    turn->budget = budget;
    turn->done_cap = room < cap ? room : cap;
}

void turn_room(size_t completions)
{
    room = completions;
    limit();
}

void turn_budget(uint32_t events)
{
    budget = events;
    limit();
}

void driver_end(void)
{
    ended = true;
    streams_close();
}

void answer(awsgi_status status)
{
    if (status == AWSGI_OK)
        puts("ok");
    else
        printf("error %s\n", awsgi_status_name(status) + strlen("AWSGI_E_"));
}

void broken(const char *why, const char *whose)
{
    printf("broken %s: %s\n", why, whose);
}

void *must(void *memory)
{
    if (memory == NULL) {
        perror(host.name);
        exit(1);
    }
    return memory;
}

int program_start(awsgi_reactor *made, int argc, char **argv)
{
    static const char *const kinds[] = { [AWSGI_LEVEL] = "level", [AWSGI_ONCE] = "once" };

    (void)argc;
    (void)argv;
    reactor = made;
    (void)setvbuf(stdout, NULL, _IOLBF, 1 << 16);   /* each line is an event, and somebody waits for it */
    printf("contract 1\nhost %s\nmode %s\nkind %s\nready\n", host.name, host.mode,
           host.accepts ? kinds[host.kind] : "both");
    if (!host.watches) {
        awsgi_wait_spec spec = AWSGI_WAIT_SPEC_INIT;
        awsgi_watch set[] = { { .interest = AWSGI_READABLE } };

        check(awsgi_waitable_event(reactor, 0, &told), "awsgi_waitable_event");
        set[0].waitable = told;
        spec.set = set;
        spec.count = 1;
        spec.flags = AWSGI_MULTISHOT;
        spec.user_data = INPUT;
        check(awsgi_wait_start(reactor, &spec, NULL), "awsgi_wait_start");
    }
    return input_start(told);
}

/* "batch N": the next N are executed with no turn between them. */
static bool batch(const char *line)
{
    char *end;
    uint64_t count;

    if (strncmp(line, "batch ", 6) != 0)
        return false;
    count = strtoull(line + 6, &end, 10);
    if (*end != '\0' || count == 0)
        return false;                               /* nobody knows this command */
    together = count;
    return true;
}

/* Executes a command, or as many as belong together, and goes back to the loop. */
static void work(void)
{
    bool last = false;

    while (!ended && !object_awaited() && (input_lines(&last) >= together || last)) {
        char *line = input_next();

        if (line == NULL) {
            driver_end();                           /* the end of the input is the end of the driver */
        } else if (!batch(line)) {
            execute(line);
            objects_report();
            together--;
        }
        free(line);
        if (together == 0)
            break;
    }
    if (together == 0)
        together = 1;
    if (!ended && (input_lines(&last) >= together || last))
        input_tell();
}

bool program_readable(void)
{
    input_take();
    work();
    return !ended;
}

bool program_turned(awsgi_turn *turned)
{
    bool input = false;

    if (turn == NULL) {
        turn = turned;
        cap = turned->done_cap;
        limit();
    }
    for (size_t i = 0; i < turned->changes_n; i++) {
        if (turned->changes[i].kind != AWSGI_WATCH_DESCRIPTOR)      /* the host has dealt with those */
            object_change(&turned->changes[i]);
    }
    for (size_t i = 0; i < turned->done_n; i++) {
        if (turned->done[i].user_data != INPUT)
            wait_completed(&turned->done[i]);
        else if (turned->done[i].outcome == AWSGI_READY)
            input = true;
    }
    execute_kept();
    if (object_refused()) {
        (void)fprintf(stderr, "%s: the host has refused a stream\n", host.name);
        exit(1);
    }
    if (turned->changes_n != 0 || turned->done_n != 0)
        objects_report();
    if (input) {
        input_take();
        work();
    }
    return !ended;
}

void program_listening(uint16_t where)
{
    port = where;
}

uint16_t host_port(void)
{
    return port;
}

/* The answer to `foreign`, which has waited for it. */
void program_accepted(struct stream *stream)
{
    object_accepted(stream);
    input_tell();
}

int program_ended(void)
{
    uint64_t now;

    if (awsgi_reactor_now(reactor, &now) != AWSGI_E_STALE)
        broken("the reactor was not freed", host.name);
    crews_end();
    kept_end();
    input_end();
    objects_end();
    waits_end();
    puts("freed");
    return 0;
}
