/* The header and the library are of one version, and every status has its name. */
#include "check.h"

static void has_name(awsgi_status status, const char *name)
{
    CHECK(strcmp(awsgi_status_name(status), name) == 0);
}

int main(void)
{
    uint32_t number, abi;

    OK(awsgi_version(&number, &abi));
    CHECK(number == AWSGI_VERSION_NUMBER && abi == AWSGI_ABI_VERSION);
    OK(awsgi_version(NULL, NULL));

#define HAS_NAME(status) has_name(status, #status)
    HAS_NAME(AWSGI_OK);
    HAS_NAME(AWSGI_E_NULL);
    HAS_NAME(AWSGI_E_INVALID);
    HAS_NAME(AWSGI_E_STALE);
    HAS_NAME(AWSGI_E_THREAD);
    HAS_NAME(AWSGI_E_FORKED);
    HAS_NAME(AWSGI_E_STATE);
    HAS_NAME(AWSGI_E_BUSY);
    HAS_NAME(AWSGI_E_REENTRANT);
    HAS_NAME(AWSGI_E_LIMIT);
    HAS_NAME(AWSGI_E_OS);
    HAS_NAME(AWSGI_E_UNSUPPORTED);
    HAS_NAME(AWSGI_E_NESTING);
    HAS_NAME(AWSGI_E_CLOSED);
    HAS_NAME(AWSGI_E_PANIC);
    HAS_NAME(AWSGI_E_AGAIN);

    /* A number that is none still has a text. */
    CHECK(awsgi_status_name(-10000) != NULL);
    CHECK(awsgi_status_name(INT32_MAX) != NULL);
    return 0;
}
