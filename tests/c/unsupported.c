/* What the header announces and this release does not have says so, clears what it would have written,
 * and changes nothing. */
#include "check.h"

static char nothing;        /* for pointers that have to become NULL */

typedef struct {
    awsgi_reactor *reactor;
    awsgi_waitable events[2];
} given;

static int32_t never(void *worker, awsgi_exchange x, void **state, const awsgi_completion *done,
                     size_t n)
{
    (void)worker, (void)x, (void)state, (void)done, (void)n;
    CHECK(0);
    return AWSGI_DONE;
}

static int32_t never_loaded(void *app, const char *config)
{
    (void)app, (void)config;
    CHECK(0);
    return AWSGI_OK;
}

static int32_t never_worker(void *app, awsgi_reactor *reactor, void **worker)
{
    (void)app, (void)reactor, (void)worker;
    CHECK(0);
    return AWSGI_OK;
}

static int32_t straight_entry(const awsgi_api *api, awsgi_application *out)
{
    (void)api;
    out->style = AWSGI_STRAIGHT;
    out->load = never_loaded;
    out->worker = never_worker;
    out->run = never;
    return AWSGI_OK;
}

static awsgi_status straight_linked(const given *g)
{
    awsgi_application application = AWSGI_APPLICATION_DEFAULT;
    awsgi_status status = awsgi_application_link(straight_entry, NULL, &application);

    (void)g;
    CHECK(application.size == 0 && application.run == NULL && application.load == NULL);
    ANSWERS(AWSGI_E_INVALID, awsgi_application_unload(&application));
    return status;
}

static awsgi_status straight_in_gateway(const given *g)
{
    awsgi_application application = AWSGI_APPLICATION_DEFAULT;
    awsgi_gateway *gateway = (awsgi_gateway *)&nothing;
    awsgi_status status;

    (void)straight_entry(NULL, &application);
    status = awsgi_gateway_new(g->reactor, &application, NULL, &gateway);
    CHECK(gateway == NULL);
    return status;
}

static awsgi_status straight_in_server(const given *g)
{
    awsgi_application application = AWSGI_APPLICATION_DEFAULT;
    awsgi_server_options options = AWSGI_SERVER_OPTIONS_INIT;
    awsgi_server *server = (awsgi_server *)&nothing;
    awsgi_status status;

    (void)g;
    (void)straight_entry(NULL, &application);
    options.bind = "127.0.0.1:0";
    status = awsgi_server_new(&options, &application, &server);
    CHECK(server == NULL);
    return status;
}

static awsgi_status another_abi(const given *g)
{
    awsgi_application application = AWSGI_APPLICATION_DEFAULT;
    awsgi_gateway *gateway = (awsgi_gateway *)&nothing;
    awsgi_status status;

    application.run = never;
    application.worker = never_worker;
    application.abi = AWSGI_ABI_VERSION + 1;
    status = awsgi_gateway_new(g->reactor, &application, NULL, &gateway);
    CHECK(gateway == NULL);
    return status;
}

/* A program that was compiled against a later header, and asks for what that has. */
static awsgi_status a_field_of_a_later_release(const given *g)
{
    struct {
        awsgi_wait_spec spec;
        uint64_t more;
    } later = { AWSGI_WAIT_SPEC_INIT, 0 };
    awsgi_wait wait = 7;
    awsgi_status status;

    later.spec.size = sizeof later;
    later.spec.deadline = AWSGI_NOW;
    OK(awsgi_wait_start(g->reactor, &later.spec, &wait));
    OK(awsgi_wait_forget(wait));
    later.more = 1;
    status = awsgi_wait_start(g->reactor, &later.spec, &wait);
    CHECK(wait == 0);
    return status;
}

static awsgi_status take_of_a_descriptor(const given *g)
{
    awsgi_waitable waitable;
    uint64_t value = 7;
    awsgi_status status;

    OK(awsgi_waitable_descriptor(g->reactor, 0, 0, &waitable));
    status = awsgi_waitable_take(waitable, &value);
    CHECK(value == 0);
    OK(awsgi_waitable_close(waitable));
    return status;
}

static const struct {
    const char *what;
    awsgi_status (*ask)(const given *g);
} rows[] = {
    { "AWSGI_STRAIGHT, linked", straight_linked },
    { "AWSGI_STRAIGHT, in a gateway", straight_in_gateway },
    { "AWSGI_STRAIGHT, in a server", straight_in_server },
    { "another ABI", another_abi },
    { "a field of a later release", a_field_of_a_later_release },
    { "awsgi_waitable_take of a descriptor", take_of_a_descriptor },
};

int main(void)
{
    awsgi_reactor_options options = AWSGI_REACTOR_OPTIONS_INIT;
    awsgi_waitable waitable = 0;
    given g;
    uint64_t value;

    /* One waitable and one wait more than there are: what was refused must not take their places. */
    options.max_waitables = 3;
    options.max_waits = 1;
    OK(awsgi_reactor_new(&options, &g.reactor));
    OK(awsgi_waitable_event(g.reactor, 0, &g.events[0]));
    OK(awsgi_waitable_event(g.reactor, 0, &g.events[1]));

    for (size_t i = 0; i < sizeof rows / sizeof rows[0]; i++) {
        awsgi_status status;
        size_t length = 0;
        char text[512];

        for (int e = 0; e < 2; e++)
            OK(awsgi_notify(g.events[e], AWSGI_READABLE));
        status = rows[i].ask(&g);
        OK(awsgi_last_error(text, sizeof text, &length, NULL));
        if (status != AWSGI_E_UNSUPPORTED || length <= 10)
            (void)fprintf(stderr, "%s: %s (%s)\n", rows[i].what, awsgi_status_name(status), text);
        CHECK(status == AWSGI_E_UNSUPPORTED && length > 10);
        check_nothing(g.reactor);
        for (int e = 0; e < 2; e++) {
            OK(awsgi_waitable_take(g.events[e], &value));
            CHECK(value == 1);
        }
    }

    OK(awsgi_waitable_event(g.reactor, 0, &waitable));
    (void)check_wait(g.reactor, waitable, AWSGI_READABLE, 5);
    OK(awsgi_notify(waitable, AWSGI_READABLE));
    CHECK(check_next(g.reactor).user_data == 5);
    check_nothing(g.reactor);
    ANSWERS(AWSGI_E_LIMIT, awsgi_waitable_event(g.reactor, 0, &waitable));
    check_free(g.reactor);
    return 0;
}
