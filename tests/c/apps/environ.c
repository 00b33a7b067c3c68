/* Answers with its environ, a variable a line: `KEY=value`. */
#define AWSGI_APPLICATION
#include "awsgi_application.h"

#include <string.h>

static awsgi_status put(char *text, size_t cap, size_t *len, awsgi_slice slice, char end)
{
    if (slice.len + 1 > cap - *len)
        return AWSGI_E_LIMIT;
    if (slice.len > 0)
        memcpy(text + *len, slice.data, slice.len);
    *len += slice.len;
    text[(*len)++] = end;
    return AWSGI_OK;
}

static int32_t run(void *worker, awsgi_exchange x, void **state, const awsgi_completion *done, size_t n)
{
    static const awsgi_header type = { AWSGI_SLICE_INIT("Content-Type"),
                                       AWSGI_SLICE_INIT("text/plain") };
    char text[48 * 1024];
    size_t len = 0, cursor = 0, taken = 0;
    awsgi_slice key, value;
    awsgi_status status;

    (void)worker, (void)state, (void)done, (void)n;
    while ((status = awsgi_exchange_environ_each(x, &cursor, &key, &value)) == AWSGI_OK) {
        status = put(text, sizeof text, &len, key, '=');
        if (status == AWSGI_OK)
            status = put(text, sizeof text, &len, value, '\n');
        if (status != AWSGI_OK)
            return status;
    }
    if (status != AWSGI_E_AGAIN)                    /* which is the end */
        return status;
    status = awsgi_exchange_start(x, 200, &type, 1);
    if (status == AWSGI_OK)
        status = awsgi_exchange_write(x, text, len, &taken);
    return status == AWSGI_OK && taken == len ? AWSGI_DONE : AWSGI_E_LIMIT;
}

int32_t awsgi_application_main(const awsgi_api *api, awsgi_application *out)
{
    AWSGI_APPLICATION_INIT(api);
    out->name = "environ";
    out->style = AWSGI_STEPS;
    out->run = run;
    return AWSGI_OK;
}
