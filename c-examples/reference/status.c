/* Statuses, versions and the last error. */
#include "reference.h"

#include <errno.h>

/* awsgi_status_name, awsgi_last_error: says why a call failed. */
static int32_t say_why(const char *call, awsgi_status status)
{
    char why[512];
    int32_t os_error;

    check(awsgi_last_error(why, sizeof why, NULL, &os_error));
    (void)printf("%s: %s: %s\n", call, awsgi_status_name(status), why);
    return os_error;
}

/* awsgi_version: refuses a library of another ABI than the header that this program was compiled with. */
static bool fits(void)
{
    uint32_t number, abi;

    check(awsgi_version(&number, &abi));
    (void)printf("libawsgi %" PRIu32 ".%" PRIu32 ".%" PRIu32 "\n", number / 1000000, number / 1000 % 1000,
                 number % 1000);
    return abi == AWSGI_ABI_VERSION && number >= AWSGI_VERSION_NUMBER;
}

/* awsgi_bytes, awsgi_string: slices of what is there only while the program runs. */
static void slices(const char *line)
{
    awsgi_slice whole = awsgi_string(line);
    awsgi_slice word = awsgi_bytes(line, strcspn(line, " "));
    (void)printf("%zu of %zu bytes: %.*s\n", word.len, whole.len, (int)word.len, (const char *)word.data);
    expect(whole.len == strlen(line) && word.data == whole.data);
}

int main(void)
{
    awsgi_reactor *reactor;
    awsgi_waitable waitable;

    expect(fits());
    slices("GET /path HTTP/1.1");
    check(awsgi_reactor_new(NULL, &reactor));
    awsgi_status status = awsgi_waitable_descriptor(reactor, -1, 0, &waitable);
    expect(status == AWSGI_E_OS);
    expect(say_why("awsgi_waitable_descriptor", status) == EBADF);
    end(reactor);
    return 0;
}
