/* SPDX-License-Identifier: MIT OR Apache-2.0
 *
 * What the C ABI calls of the package, and what the package calls of the C ABI. cffi compiles this, with the functions
 * of the application table, into the extension module that libawsgi/entry.py loads.
 */
#define AWSGI_APPLICATION
#include "awsgi_application.h"

#include <pthread.h>
#include <signal.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

/* Written in Python: libawsgi/entry.py. */
static int32_t libawsgi_load(uintptr_t app, const char *config);
static int64_t libawsgi_worker(uintptr_t app, awsgi_reactor *reactor);
static int32_t libawsgi_run(uintptr_t worker, awsgi_exchange exchange, const awsgi_completion *done, size_t count);
static void libawsgi_close(uintptr_t worker, awsgi_exchange exchange);
static void libawsgi_worker_end(uintptr_t worker);
static void libawsgi_unload(uintptr_t app);
static void libawsgi_log(int32_t level, awsgi_slice line, uintptr_t data);
static void libawsgi_access(awsgi_slice line, uintptr_t data);

/* Set when the interpreter ends: whoever comes now would wait for it for ever. */
static volatile int libawsgi_ended;

static void libawsgi_end(void)
{
    libawsgi_ended = 1;
}

/* An interpreter that ends has threads that come back to it end themselves, up to CPython 3.13: pthread_exit unwinds
 * their stacks, which aborts the process in the frames of a library that is not written in C. So they stay here. */
static void stay(void *unused)
{
    (void)unused;
    for (;;)
        pause();
}

/* The library's threads take no signals, and a program that an application starts would not either. In a process whose
 * server is Python's, they take those that the thread of the server takes. */
static sigset_t taken;
static volatile int own;
static __thread int asked;

/* What a response that has just begun takes without waiting. Of a server of Python's it is known; another host may have
 * made it as small as it likes. */
static volatile size_t libawsgi_room;

static void libawsgi_own_server(void)
{
    pthread_sigmask(SIG_SETMASK, NULL, &taken);
    libawsgi_room = 65536;
    own = 1;
}

static void take_signals(void)
{
    asked = 1;
    pthread_sigmask(SIG_SETMASK, &taken, NULL);
}

/* How often this process has become a child of itself. */
static volatile unsigned forks;

static void in_child(void)
{
    forks++;
}

/* An application forked, and it is the child that comes back. It has none of the host's other threads, and what it would
 * close or take off a loop, it would for its parent too. */
static void end_child(void)
{
    static const char sentence[] =
        "libawsgi: an application forked, and the child came back to the server, where nothing is for it: it ends here; "
        "let a child end with os._exit, or with exec\n";
    ssize_t ignored = write(STDERR_FILENO, sentence, sizeof sentence - 1);
    (void)ignored;
    _exit(70);  /* EX_SOFTWARE */
}

#define IN_PYTHON(call) \
    do { \
        const unsigned before = forks; \
        if (own && !asked) \
            take_signals(); \
        pthread_cleanup_push(stay, NULL); \
        call; \
        pthread_cleanup_pop(0); \
        if (forks != before) \
            end_child(); \
    } while (0)

static int32_t load(void *app, const char *config)
{
    int32_t result = AWSGI_E_CLOSED;
    if (!libawsgi_ended)
        IN_PYTHON(result = libawsgi_load((uintptr_t)app, config));
    return result;
}

static int32_t worker(void *app, awsgi_reactor *reactor, void **data)
{
    int64_t key = AWSGI_E_CLOSED;
    if (!libawsgi_ended)
        IN_PYTHON(key = libawsgi_worker((uintptr_t)app, reactor));
    if (key < 0)
        return (int32_t)key;
    *data = (void *)(uintptr_t)key;
    return AWSGI_OK;
}

static int32_t run(void *data, awsgi_exchange exchange, void **state, const awsgi_completion *done, size_t count)
{
    int32_t result = AWSGI_E_CLOSED;
    if (!libawsgi_ended)
        IN_PYTHON(result = libawsgi_run((uintptr_t)data, exchange, done, count));
    /* Python has something of an exchange only while that goes on. */
    *state = result == AWSGI_SUSPEND || result == AWSGI_YIELD ? data : NULL;
    return result;
}

static void close_exchange(void *data, awsgi_exchange exchange, void *state)
{
    if (state != NULL && !libawsgi_ended)
        IN_PYTHON(libawsgi_close((uintptr_t)data, exchange));
}

static void worker_end(void *data)
{
    if (!libawsgi_ended)
        IN_PYTHON(libawsgi_worker_end((uintptr_t)data));
}

static void unload(void *app)
{
    if (!libawsgi_ended)
        IN_PYTHON(libawsgi_unload((uintptr_t)app));
}

static void log_line(int32_t level, awsgi_slice line, void *data)
{
    if (!libawsgi_ended)
        IN_PYTHON(libawsgi_log(level, line, (uintptr_t)data));
}

static void access_line(awsgi_slice line, void *data)
{
    if (!libawsgi_ended)
        IN_PYTHON(libawsgi_access(line, (uintptr_t)data));
}

/* Describes the application that Python knows by the number `app`. */
static void libawsgi_describe(uintptr_t app, uint32_t style, const char *name, awsgi_application *out)
{
    out->size = sizeof(awsgi_application);
    out->abi = AWSGI_ABI_VERSION;
    out->style = style;
    out->name = name;
    out->load = load;
    out->worker = worker;
    out->run = run;
    out->close = close_exchange;
    out->worker_end = worker_end;
    out->unload = unload;
    out->app = (void *)app;
}

/* Takes the table of the library that calls. There is one for all applications of a process. */
static int32_t libawsgi_introduce(const awsgi_api *api)
{
    if (awsgi_table != NULL && awsgi_table != api)
        return AWSGI_E_BUSY;
    if (awsgi_table == NULL)
        pthread_atfork(NULL, NULL, in_child);
    AWSGI_APPLICATION_INIT(api);
    return AWSGI_OK;
}

/* The same as an entry point, for a library that this process has loaded by itself. */
static int32_t libawsgi_entry(const awsgi_api *api, awsgi_application *out)
{
    int32_t status = libawsgi_introduce(api);
    libawsgi_describe(0, AWSGI_STEPS, "libawsgi", out);
    out->load = NULL;
    out->unload = NULL;
    return status;
}

static void *libawsgi_entry_point(void)
{
    return (void *)(uintptr_t)libawsgi_entry;
}

static void *libawsgi_log_line_hook(void)
{
    return (void *)(uintptr_t)log_line;
}

static void *libawsgi_access_line_hook(void)
{
    return (void *)(uintptr_t)access_line;
}
