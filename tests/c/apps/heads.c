/* Starts its response with a head that must be refused, at the path that says which, and then answers
 * with the name of the status it got. With ?fail it returns that status instead. */
#define AWSGI_APPLICATION
#include "awsgi_application.h"

#include <string.h>

typedef struct {
    const char *path;
    int32_t status;
    awsgi_slice name, value;
} head;

static const head heads[] = {
    { "/name-cr", 200, AWSGI_SLICE_INIT("X-A\rInjected"), AWSGI_SLICE_INIT("1") },
    { "/name-lf", 200, AWSGI_SLICE_INIT("X-A\nInjected"), AWSGI_SLICE_INIT("1") },
    { "/name-crlf", 200, AWSGI_SLICE_INIT("X-A: 1\r\nInjected"), AWSGI_SLICE_INIT("1") },
    { "/name-nul", 200, AWSGI_SLICE_INIT("X-A\0Injected"), AWSGI_SLICE_INIT("1") },
    { "/name-space", 200, AWSGI_SLICE_INIT("X A Injected"), AWSGI_SLICE_INIT("1") },
    { "/name-colon", 200, AWSGI_SLICE_INIT("X-A:Injected"), AWSGI_SLICE_INIT("1") },
    { "/name-empty", 200, AWSGI_SLICE_INIT(""), AWSGI_SLICE_INIT("Injected") },
    { "/value-cr", 200, AWSGI_SLICE_INIT("X-A"), AWSGI_SLICE_INIT("1\rInjected: 1") },
    { "/value-lf", 200, AWSGI_SLICE_INIT("X-A"), AWSGI_SLICE_INIT("1\nInjected: 1") },
    { "/value-crlf", 200, AWSGI_SLICE_INIT("X-A"), AWSGI_SLICE_INIT("1\r\nInjected: 1") },
    { "/value-body", 200, AWSGI_SLICE_INIT("X-A"), AWSGI_SLICE_INIT("1\r\n\r\nInjected") },
    { "/value-nul", 200, AWSGI_SLICE_INIT("X-A"), AWSGI_SLICE_INIT("1\0Injected") },
    { "/connection", 200, AWSGI_SLICE_INIT("Connection"), AWSGI_SLICE_INIT("Injected") },
    { "/transfer-encoding", 200, AWSGI_SLICE_INIT("Transfer-Encoding"), AWSGI_SLICE_INIT("Injected") },
    { "/length", 200, AWSGI_SLICE_INIT("Content-Length"), AWSGI_SLICE_INIT("-1 Injected") },
    { "/status-0", 0, AWSGI_SLICE_INIT("X-A"), AWSGI_SLICE_INIT("Injected") },
    { "/status-101", 101, AWSGI_SLICE_INIT("X-A"), AWSGI_SLICE_INIT("Injected") },
    { "/status-1000", 1000, AWSGI_SLICE_INIT("X-A"), AWSGI_SLICE_INIT("Injected") },
};

static awsgi_slice variable(awsgi_exchange x, awsgi_slice key)
{
    awsgi_slice value;

    return awsgi_exchange_environ(x, key, &value) == AWSGI_OK && value.data != NULL
               ? value : awsgi_string("");
}

static int32_t run(void *worker, awsgi_exchange x, void **state, const awsgi_completion *done, size_t n)
{
    const char *path = (const char *)variable(x, AWSGI_SLICE("PATH_INFO")).data;
    const char *query = (const char *)variable(x, AWSGI_SLICE("QUERY_STRING")).data;
    awsgi_status status = AWSGI_E_STATE;
    size_t taken;

    (void)worker, (void)state, (void)done, (void)n;
    for (size_t i = 0; i < sizeof heads / sizeof heads[0]; i++) {
        awsgi_header header = { heads[i].name, heads[i].value };
        if (strcmp(path, heads[i].path) == 0)
            status = awsgi_exchange_start(x, heads[i].status, &header, 1);
    }
    if (strcmp(query, "fail") == 0)
        return status;
    const char *name = awsgi_status_name(status);
    status = awsgi_exchange_start(x, 200, NULL, 0);
    if (status == AWSGI_OK)
        status = awsgi_exchange_write(x, name, strlen(name), &taken);
    return status == AWSGI_OK ? AWSGI_DONE : status;
}

int32_t awsgi_application_main(const awsgi_api *api, awsgi_application *out)
{
    AWSGI_APPLICATION_INIT(api);
    out->name = "heads";
    out->style = AWSGI_STEPS;
    out->run = run;
    return AWSGI_OK;
}
