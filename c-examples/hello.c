/* The smallest application that waits: a quarter of a second, and it keeps no thread while it does. */
#define AWSGI_APPLICATION
#include "awsgi_application.h"

static int32_t run(void *worker, awsgi_exchange x, void **state, const awsgi_completion *done, size_t n)
{
    (void)worker, (void)state, (void)done;
    if (n == 0) {                                   /* the first step: begin to wait, and return */
        awsgi_wait_spec sleep = AWSGI_WAIT_SPEC_INIT;
        awsgi_status status = awsgi_exchange_now(x, &sleep.deadline);
        sleep.deadline += 250000000;                /* nanoseconds */
        if (status == AWSGI_OK)
            status = awsgi_exchange_wait(x, &sleep, NULL);
        return status == AWSGI_OK ? AWSGI_SUSPEND : status;
    }
    awsgi_header type = { AWSGI_SLICE("Content-Type"), AWSGI_SLICE("text/plain") };
    awsgi_status status = awsgi_exchange_start(x, 200, &type, 1);
    size_t taken = 0;                               /* six bytes always find room in an empty output */
    if (status == AWSGI_OK)
        status = awsgi_exchange_write(x, "hello\n", 6, &taken);
    return status == AWSGI_OK ? AWSGI_DONE : status;
}

int32_t awsgi_application_main(const awsgi_api *api, awsgi_application *out)
{
    AWSGI_APPLICATION_INIT(api);
    out->name = "hello";
    out->style = AWSGI_STEPS;
    out->run = run;
    return AWSGI_OK;
}
