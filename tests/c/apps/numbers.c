/* Answers each request with its number, in the order in which they begin; one with a body when it has
 * all of it: so a client can hold an exchange for as long as it likes. */
#define AWSGI_APPLICATION
#include "awsgi_application.h"

#include <inttypes.h>
#include <stdatomic.h>
#include <stdio.h>
#include <string.h>

static atomic_uintptr_t begun;

static int32_t run(void *worker, awsgi_exchange x, void **state, const awsgi_completion *done, size_t n)
{
    char text[64];
    awsgi_watch set[] = { { .interest = AWSGI_READABLE } };
    awsgi_wait_spec spec = AWSGI_WAIT_SPEC_INIT;
    size_t got = 0, taken;
    awsgi_status status;

    (void)worker, (void)done;
    if (n == 0)
        *state = (void *)(atomic_fetch_add(&begun, 1) + 1);
    do
        status = awsgi_exchange_read(x, text, sizeof text, &got);
    while (status == AWSGI_OK && got > 0);
    if (status == AWSGI_E_AGAIN) {
        status = awsgi_exchange_self(x, &set[0].waitable);
        spec.set = set;
        spec.count = 1;
        if (status == AWSGI_OK)
            status = awsgi_exchange_wait(x, &spec, NULL);
        return status == AWSGI_OK ? AWSGI_SUSPEND : status;
    }
    if (status == AWSGI_OK)
        status = awsgi_exchange_start(x, 200, NULL, 0);
    (void)snprintf(text, sizeof text, "%" PRIuPTR "\n", (uintptr_t)*state);
    if (status == AWSGI_OK)
        status = awsgi_exchange_write(x, text, strlen(text), &taken);
    return status == AWSGI_OK ? AWSGI_DONE : status;
}

int32_t awsgi_application_main(const awsgi_api *api, awsgi_application *out)
{
    AWSGI_APPLICATION_INIT(api);
    out->name = "numbers";
    out->style = AWSGI_STEPS;
    out->run = run;
    return AWSGI_OK;
}
