/* What canary.h declares. */
#define _POSIX_C_SOURCE 200809L
#include "canary.h"

#include <fcntl.h>
#include <stdlib.h>
#include <unistd.h>

awsgi_status awsgi_canary_follows(awsgi_reactor *reactor)
{
    uint64_t now;
    if (reactor != NULL && *(volatile const unsigned char *)reactor == 0)
        return awsgi_reactor_now(reactor, &now);
    return awsgi_reactor_now(reactor, &now);
}

awsgi_status awsgi_canary_accepts(awsgi_reactor *reactor)
{
    uint64_t now;
    return reactor == NULL ? AWSGI_OK : awsgi_reactor_now(reactor, &now);
}

awsgi_status awsgi_canary_leaves(awsgi_waitable waitable, uint64_t *value)
{
    uint64_t taken;
    awsgi_status status = value == NULL ? awsgi_waitable_take(waitable, NULL) : awsgi_waitable_take(waitable, &taken);
    if (status == AWSGI_OK)
        *value = taken;
    return status;
}

awsgi_status awsgi_canary_surprises(awsgi_waitable waitable)
{
    uint64_t value;
    return awsgi_waitable_take(waitable, &value) == AWSGI_OK ? AWSGI_OK : AWSGI_E_BUSY;
}

awsgi_status awsgi_canary_changes(awsgi_reactor *reactor, uint32_t flags)
{
    awsgi_waitable made;
    uint64_t now;
    if (flags == 0)
        return awsgi_reactor_now(reactor, &now);
    (void)awsgi_waitable_event(reactor, 0, &made);
    return awsgi_waitable_event(reactor, UINT32_MAX, &made);
}

awsgi_status awsgi_canary_exceeds(char *text, size_t capacity)
{
    if (text == NULL)
        return awsgi_last_error(NULL, 1, NULL, NULL);
    if (capacity < 1000)
        text[capacity] = 0;
    return AWSGI_OK;
}

awsgi_status awsgi_canary_forgets(uint64_t *value)
{
    static void *volatile forgotten;
    if (value == NULL)
        return awsgi_reactor_new(NULL, NULL);
    forgotten = malloc(24);
    *value = forgotten != NULL;
    return AWSGI_OK;
}

awsgi_status awsgi_canary_opens(uint64_t *value)
{
    if (value == NULL)
        return awsgi_reactor_new(NULL, NULL);
    *value = (uint64_t)open("/dev/null", O_RDONLY | O_CLOEXEC);
    return AWSGI_OK;
}

awsgi_status awsgi_canary_hangs(uint32_t number)
{
    while (number == 3)
        pause();
    return AWSGI_OK;
}

awsgi_status awsgi_canary_lets(uint32_t number)
{
    (void)number;
    return AWSGI_OK;
}

awsgi_status awsgi_canary_takes_nothing(void)
{
    return AWSGI_OK;
}

awsgi_status awsgi_canary_behaves(awsgi_waitable waitable, uint64_t *value)
{
    return awsgi_waitable_take(waitable, value);
}
