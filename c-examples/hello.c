/* The smallest application that waits: a quarter of a second, and it keeps no thread while it does. */
#define AWSGI_APPLICATION
#include "awsgi_application.h"

static int32_t run(void *worker, awsgi_exchange x, void **state, const awsgi_completion *done, size_t n)
{
    awsgi_wait_spec sleep = AWSGI_WAIT_SPEC_INIT;   /* no waitable, only a deadline: a sleep */
    (void)worker, (void)state, (void)done;
    if (n == 0) {                                   /* the first step begins to wait, and returns */
        (void)awsgi_exchange_now(x, &sleep.deadline);
        sleep.deadline += 250000000;                /* nanoseconds */
        return awsgi_exchange_wait(x, &sleep, NULL) == AWSGI_OK ? AWSGI_SUSPEND : AWSGI_E_STATE;
    }
    (void)awsgi_exchange_start(x, 200, NULL, 0);    /* if this is refused, so is the write */
    return awsgi_exchange_write(x, "hello\n", 6, NULL);     /* AWSGI_OK is AWSGI_DONE */
}

int32_t awsgi_application_main(const awsgi_api *api, awsgi_application *out)
{
    AWSGI_APPLICATION_INIT(api);
    out->name = "hello";
    out->run = run;
    return AWSGI_OK;
}
