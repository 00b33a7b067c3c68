/* Fails on a pool thread, at the path that says how. */
#define AWSGI_APPLICATION
#include "awsgi_application.h"

#include <string.h>

static int32_t run(void *worker, awsgi_exchange x, void **state, const awsgi_completion *done, size_t n)
{
    awsgi_slice path = { NULL, 0 };
    size_t taken;
    awsgi_status status = awsgi_exchange_environ(x, AWSGI_SLICE("PATH_INFO"), &path);

    (void)worker, (void)state, (void)done, (void)n;
    if (status != AWSGI_OK)
        return status;
    const char *text = (const char *)path.data;
    if (strcmp(text, "/negative") == 0)
        return AWSGI_E_OS;
    if (strcmp(text, "/nonsense") == 0)
        return 42;
    if (strcmp(text, "/suspend") == 0)              /* it has nothing to suspend: it may wait in place */
        return AWSGI_SUSPEND;
    if (strcmp(text, "/unstarted") == 0)
        return AWSGI_DONE;
    status = awsgi_exchange_start(x, 200, NULL, 0);
    if (status == AWSGI_OK)
        status = awsgi_exchange_write(x, "fine\n", 5, &taken);
    return status == AWSGI_OK ? AWSGI_DONE : status;
}

int32_t awsgi_application_main(const awsgi_api *api, awsgi_application *out)
{
    AWSGI_APPLICATION_INIT(api);
    out->name = "failing_blocking";
    out->style = AWSGI_BLOCKING;
    out->run = run;
    return AWSGI_OK;
}
