/* An application, which the bundled server of server.c loads: a shared library that links nothing. */
#define AWSGI_APPLICATION
#include "awsgi_application.h"

static int32_t run(void *worker, awsgi_exchange x, void **state, const awsgi_completion *done, size_t n)
{
    awsgi_status status = awsgi_exchange_start(x, 200, NULL, 0);
    (void)worker, (void)state, (void)done, (void)n;
    return status == AWSGI_OK ? awsgi_exchange_write(x, "hello\n", 6, NULL) : status;
}

/* awsgi_application_main: an application in steps, which lets run answer its requests. */
int32_t awsgi_application_main(const awsgi_api *api, awsgi_application *out)
{
    AWSGI_APPLICATION_INIT(api);                        /* before any function is called */
    out->name = "hello";
    out->style = AWSGI_STEPS;
    out->run = run;
    return AWSGI_OK;
}
