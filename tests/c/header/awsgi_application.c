/* awsgi_application.h needs nothing before it, and may be included twice. */
#define AWSGI_APPLICATION
#include "awsgi_application.h"
#include "awsgi_application.h"

int32_t awsgi_application_main(const awsgi_api *api, awsgi_application *out)
{
    AWSGI_APPLICATION_INIT(api);
    out->name = "header";
    return AWSGI_OK;
}
