/* The commands of docs/contract.md. */
#define _GNU_SOURCE
#include "driver.h"

#include <errno.h>
#include <string.h>
#include <time.h>

/* The answer to what is no command, or cannot be done. */
static void unknown(const char *why)
{
    printf("unknown %s\n", why);
}

static bool number(const char *text, uint64_t *value)
{
    char *end;

    errno = 0;
    *value = strtoull(text, &end, 10);
    return *text >= '0' && *text <= '9' && *end == '\0' && errno == 0;
}

static struct object *named(const char *name)
{
    struct object *object = object_open(name);

    if (object == NULL)
        unknown("no object of this name");
    return object;
}

static void do_event(char **words)
{
    answer(object_event(words[1], words[0][0] == 'c' ? AWSGI_COUNTER : 0));
}

static void do_timer(char **words)
{
    uint64_t first, period;

    if (!number(words[2], &first) || !number(words[3], &period))
        unknown("no time");
    else
        answer(object_timer(words[1], first, period));
}

static void do_pipe(char **words)
{
    answer(object_pipe(words[1]));
}

static void do_socket(char **words)
{
    uint64_t port;

    if (!number(words[2], &port) || port > UINT16_MAX)
        unknown("no port");
    else
        answer(object_socket(words[1], (uint16_t)port));
}

static void do_foreign(char **words)
{
    bool once = strcmp(words[2], "once") == 0;

    if (!once && strcmp(words[2], "level") != 0) {
        unknown("neither level nor once");
    } else if (!host.accepts) {
        answer(object_own(words[1], once));
    } else if (host.kind != (once ? AWSGI_ONCE : AWSGI_LEVEL)) {
        unknown("objects of this host are of the other kind");
    } else {
        awsgi_status status = object_stream(words[1], host_port());
        if (status != AWSGI_OK)
            answer(status);                         /* else when it was accepted */
    }
}

static void do_put(char **words)
{
    struct object *object = named(words[1]);

    if (object == NULL)
        return;
    if (object->kind == EVENT || object->kind == COUNTER || object->kind == TIMER)
        unknown("nothing can be put there");
    else
        answer(object_put(object));
}

static void do_take(char **words)
{
    struct object *object = named(words[1]);
    uint64_t value;
    awsgi_status status;

    if (object == NULL)
        return;
    status = object_take(object, &value);
    if (status == AWSGI_OK)
        printf("ok %llu\n", (unsigned long long)value);
    else
        answer(status);
}

static void do_hangup(char **words)
{
    struct object *object = named(words[1]);

    if (object == NULL)
        return;
    if (object->kind == PIPE || object->kind == OWN || object->kind == STREAM)
        answer(object_hang_up(object));
    else
        unknown("it has no other side");
}

static void do_close(char **words)
{
    struct object *object = named(words[1]);

    if (object != NULL)
        answer(object_close(object));
}

/* wait W COUNT [X:BITS]... [deadline=NS|deadline=now] [multishot] [off_loop] */
static bool question(char **words, struct question *question)
{
    bool all = strcmp(words[2], "all") == 0;
    uint64_t value = 1;

    if (!all && strcmp(words[2], "any") != 0 && (!number(words[2], &value) || value > UINT32_MAX))
        return false;
    for (words += 3; *words != NULL; words++) {
        char *bits = strchr(*words, ':');

        if (bits != NULL) {
            struct object *object;
            awsgi_watch *member = &question->set[question->count++];

            *bits = '\0';
            object = object_open(*words);
            if (object == NULL || !bits_parse(bits + 1, &member->interest))
                return false;
            member->waitable = object->waitable;
            member->pad = 0;
        } else if (strcmp(*words, "multishot") == 0) {
            question->flags |= AWSGI_MULTISHOT;
        } else if (strcmp(*words, "off_loop") == 0) {
            question->flags |= AWSGI_OFF_LOOP;
        } else if (strcmp(*words, "deadline=now") == 0) {
            question->deadline = AWSGI_NOW;
        } else if (strncmp(*words, "deadline=", 9) != 0 || !number(*words + 9, &question->deadline)
                   || question->deadline == 0) {
            return false;
        }
    }
    question->at_least = all ? (uint32_t)question->count : (uint32_t)value;
    return true;
}

static void do_wait(char **words)
{
    struct question asked = { .deadline = AWSGI_FOREVER };
    size_t count = 0;

    while (words[count] != NULL)
        count++;
    asked.set = must(calloc(count, sizeof *asked.set));
    if (question(words, &asked))
        answer(wait_start(words[1], &asked));
    else
        unknown("a member, a bit or an option that does not exist");
    free(asked.set);
}

static void do_with_wait(char **words)
{
    awsgi_status status;
    bool known = words[0][0] == 'c'   ? wait_cancel(words[1], &status)
                 : words[0][0] == 'f' ? wait_forget(words[1], &status)
                                      : wait_rearm(words[1], &status);

    if (known)
        answer(status);
    else
        unknown("no wait of this name");
}

static void do_notify(char **words)
{
    bool closed = strcmp(words[0], "notify_closed") == 0;
    struct object *object = closed ? object_closed(words[1]) : object_open(words[1]);
    uint32_t bits;

    if (object == NULL || !bits_parse(words[2], &bits))
        unknown("no object or bit of this name");
    else
        answer(awsgi_notify(object->waitable, bits));
}

static void do_threads(char **words)
{
    struct object *object = named(words[4]);
    uint64_t count, times;
    uint32_t bits;

    if (object == NULL)
        return;
    if (!number(words[2], &count) || count == 0 || count > 1000 || !number(words[3], &times)
        || !bits_parse(words[5], &bits))
        unknown("no number of threads or times, or no bit");
    else
        answer(crew_start(words[1], (size_t)count, times, object->waitable, bits));
}

static void do_join(char **words)
{
    awsgi_status status;

    if (crew_join(words[1], &status))
        answer(status);
    else
        unknown("no threads of this name");
}

static void do_fork(char **words)
{
    (void)words;
    fork_and_answer();
}

static void do_stall(char **words)
{
    uint64_t time;

    if (!number(words[1], &time)) {
        unknown("no time");
        return;
    }
    struct timespec left = { .tv_sec = (time_t)(time / 1000000000), .tv_nsec = (long)(time % 1000000000) };
    while (nanosleep(&left, &left) != 0 && errno == EINTR)
        continue;
    answer(AWSGI_OK);
}

static void do_limit(char **words)
{
    uint64_t value;

    if (!number(words[1], &value) || value > UINT32_MAX) {
        unknown("no number");
        return;
    }
    if (words[0][0] == 'b')
        turn_budget((uint32_t)value);
    else if (value > 0)
        turn_room((size_t)value);
    else {
        unknown("without room a turn would be followed by another for ever");
        return;
    }
    answer(AWSGI_OK);
}

static void do_stats(char **words)
{
    awsgi_stats stats = AWSGI_STATS_INIT;

    (void)words;
    check(awsgi_reactor_stats(reactor, &stats), "awsgi_reactor_stats");
#define COUNT(name) printf(" " #name "=%llu", (unsigned long long)stats.name)
    printf("ok");
    COUNT(turns);
    COUNT(events);
    COUNT(completions);
    COUNT(stale);
    COUNT(spurious);
    COUNT(ghosts);
    COUNT(rebuilds);
    COUNT(changes);
    COUNT(signals);
    COUNT(waits);
    COUNT(waitables);
#undef COUNT
    putchar('\n');
}

/* What `when` keeps: a command, and the wait whose next completion it is for. */
static struct {
    char *wait, *line;
    bool due;
} kept;

void kept_end(void)
{
    free(kept.wait);
    free(kept.line);
    kept.wait = kept.line = NULL;
    kept.due = false;
}

void kept_for(const char *wait)
{
    kept.due = kept.due || (kept.wait != NULL && strcmp(kept.wait, wait) == 0);
}

void execute_kept(void)
{
    char *line = kept.line;

    if (!kept.due)
        return;
    kept.line = NULL;
    kept_end();                                     /* the command may be another `when` */
    execute(line);
    free(line);
}

/* when W COMMAND...: the answer is that of the command. */
static void do_when(char **words)
{
    size_t length = 1;

    kept_end();
    for (size_t i = 2; words[i] != NULL; i++)
        length += strlen(words[i]) + 1;
    kept.wait = must(strdup(words[1]));
    kept.line = must(calloc(length, 1));
    for (size_t i = 2; words[i] != NULL; i++) {
        strcat(kept.line, words[i]);
        strcat(kept.line, " ");
    }
}

static void do_quit(char **words)
{
    (void)words;
    answer(AWSGI_OK);
    driver_end();
}

static const struct command {
    const char *name;
    size_t least, most;                             /* words that follow */
    void (*execute)(char **words);
} commands[] = {
    { "event", 1, 1, do_event },
    { "counter", 1, 1, do_event },
    { "timer", 3, 3, do_timer },
    { "pipe", 1, 1, do_pipe },
    { "socket", 2, 2, do_socket },
    { "foreign", 2, 2, do_foreign },
    { "put", 1, 1, do_put },
    { "take", 1, 1, do_take },
    { "hangup", 1, 1, do_hangup },
    { "close", 1, 1, do_close },
    { "wait", 2, SIZE_MAX, do_wait },
    { "cancel", 1, 1, do_with_wait },
    { "forget", 1, 1, do_with_wait },
    { "rearm", 1, 1, do_with_wait },
    { "notify", 2, 2, do_notify },
    { "notify_closed", 2, 2, do_notify },
    { "when", 2, SIZE_MAX, do_when },
    { "threads", 5, 5, do_threads },
    { "join", 1, 1, do_join },
    { "stall", 1, 1, do_stall },
    { "budget", 1, 1, do_limit },
    { "room", 1, 1, do_limit },
    { "fork", 0, 0, do_fork },
    { "stats", 0, 0, do_stats },
    { "quit", 0, 0, do_quit },
};

void execute(char *line)
{
    /* As many words as there can be, and NULL after the last. */
    char **words = must(calloc(strlen(line) / 2 + 2, sizeof *words)), *rest;
    const struct command *command = NULL;
    size_t count = 0;

    for (char *word = strtok_r(line, " ", &rest); word != NULL; word = strtok_r(NULL, " ", &rest))
        words[count++] = word;
    for (size_t i = 0; count > 0 && i < sizeof commands / sizeof commands[0]; i++) {
        if (strcmp(commands[i].name, words[0]) == 0)
            command = &commands[i];
    }
    if (command == NULL)
        unknown("command");
    else if (count - 1 < command->least || count - 1 > command->most)
        unknown("a word too many, or too few");
    else
        command->execute(words);
    free(words);
}
