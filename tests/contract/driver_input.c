/* Standard input, read on a thread of its own: then it does not matter what the host can watch, nor
 * whether it watches for edges, and lines can be as long as they are. The loop is told of each line. */
#define _GNU_SOURCE
#include "driver.h"

#include <errno.h>
#include <pthread.h>
#include <string.h>
#include <sys/eventfd.h>
#include <unistd.h>

struct line {
    struct line *next;
    char *text;
};

static pthread_mutex_t lock = PTHREAD_MUTEX_INITIALIZER;
static pthread_t thread;
static struct line *first, **last = &first;
static size_t lines;
static bool ended;

/* One of them tells the loop. */
static int descriptor = -1;
static awsgi_waitable event;

static void tell(void)
{
    if (descriptor >= 0)
        while (eventfd_write(descriptor, 1) != 0 && errno == EINTR)
            continue;                               /* else it can fail only if the loop was told already */
    else
        (void)awsgi_notify(event, AWSGI_READABLE);  /* stale, when the reactor is closed */
}

static void add(char *text)
{
    struct line *line = NULL;

    if (text != NULL) {
        line = must(malloc(sizeof *line));
        *line = (struct line){ .text = text };
    }
    (void)pthread_mutex_lock(&lock);
    if (line != NULL) {
        *last = line;
        last = &line->next;
        lines++;
    } else {
        ended = true;
    }
    (void)pthread_mutex_unlock(&lock);
    tell();
}

static void *read_lines(void *unused)
{
    /* Not on its stack: a forked child has none of it, and valgrind would call that a leak there. */
    static char *text;

    for (bool quit = false; !quit;) {
        size_t room = 0;
        text = NULL;
        ssize_t count = getline(&text, &room, stdin);

        if (count < 0) {
            free(text);
            break;
        }
        if (text[count - 1] == '\n')
            text[count - 1] = '\0';
        quit = strcmp(text, "quit") == 0;           /* nothing is read after it */
        add(text);
    }
    add(NULL);
    return unused;
}

int input_start(awsgi_waitable told)
{
    event = told;
    if (event == 0 && (descriptor = eventfd(0, EFD_CLOEXEC | EFD_NONBLOCK)) < 0) {
        perror("eventfd");
        exit(1);
    }
    errno = pthread_create(&thread, NULL, read_lines, NULL);
    if (errno != 0) {
        perror("pthread_create");
        exit(1);
    }
    return descriptor;
}

void input_take(void)
{
    uint64_t value;

    if (descriptor >= 0)
        while (eventfd_read(descriptor, &value) != 0 && errno == EINTR)
            continue;
    else
        (void)awsgi_waitable_take(event, &value);
}

void input_tell(void)
{
    tell();
}

size_t input_lines(bool *no_more)
{
    size_t count;

    (void)pthread_mutex_lock(&lock);
    count = lines;
    *no_more = ended;
    (void)pthread_mutex_unlock(&lock);
    return count;
}

char *input_next(void)
{
    struct line *line;
    char *text;

    (void)pthread_mutex_lock(&lock);
    line = first;
    if (line != NULL) {
        first = line->next;
        if (first == NULL)
            last = &first;
        lines--;
    }
    (void)pthread_mutex_unlock(&lock);
    if (line == NULL)
        return NULL;
    text = line->text;
    free(line);
    return text;
}

void input_end(void)
{
    (void)pthread_join(thread, NULL);
    for (char *text; (text = input_next()) != NULL;)
        free(text);
    if (descriptor >= 0)
        (void)close(descriptor);
}
