/* SPDX-License-Identifier: MIT OR Apache-2.0
 *
 * awsgi_application.h: for the sources of an application.
 *
 * An application is a shared library with one exported symbol, awsgi_application_main. It links nothing of ours: it
 * receives the functions of the library that loaded it as a table, and the macros below let it call them by
 * their names. So the copy that loaded it is the copy that it calls, whatever else is in the process.
 *
 *     #define AWSGI_APPLICATION              before the header, in every file of the application
 *     #include "awsgi_application.h"
 *
 *     int32_t awsgi_application_main(const awsgi_api *api, awsgi_application *out)
 *     {
 *         AWSGI_APPLICATION_INIT(api);       before any function is called
 *         out->name = "hello";
 *         out->style = AWSGI_STEPS;
 *         out->run = run;
 *         return AWSGI_OK;
 *     }
 */
#ifndef AWSGI_APPLICATION_H
#define AWSGI_APPLICATION_H

#include "awsgi.h"

#ifdef __cplusplus
extern "C" {
#endif

/**
 * The entry point of an application, which the application defines.
 *
 * api: the functions of the library that loads it, for AWSGI_APPLICATION_INIT.
 * out: what the application is, to be filled in; it arrives with its `size` and `abi`, and zero otherwise.
 *
 * Returns: AWSGI_OK if it serves; AWSGI_E_UNSUPPORTED if the library is older than the headers it was compiled
 *   with; any other status if it refuses to serve.
 * Ownership: the table stays the library's, and valid until the process ends.
 * Threads: the one that loads it.
 */
AWSGI_EXPORT int32_t awsgi_application_main(const awsgi_api *api, awsgi_application *out);

#ifdef AWSGI_APPLICATION

/* One variable for all files of the application, seen by none outside of it. */
#if defined(_WIN32)
__declspec(selectany) const awsgi_api *awsgi_table = NULL;
#else
__attribute__((weak, visibility("hidden"))) const awsgi_api *awsgi_table;
#endif

/**
 * Stores the table. Returns AWSGI_E_UNSUPPORTED from the function it stands in, which is
 * awsgi_application_main, if the library that loads us is older than the headers we were compiled with,
 * or has another ABI number.
 */
#define AWSGI_APPLICATION_INIT(api) \
    do { \
        if ((api) == NULL || (api)->size < sizeof(awsgi_api) || (api)->abi != AWSGI_ABI_VERSION) \
            return AWSGI_E_UNSUPPORTED; \
        awsgi_table = (api); \
    } while (0)

#define AWSGI_TABLE(function) (awsgi_table->function)

#define awsgi_status_name AWSGI_TABLE(awsgi_status_name)
#define awsgi_last_error AWSGI_TABLE(awsgi_last_error)
#define awsgi_version AWSGI_TABLE(awsgi_version)
#define awsgi_completion_members AWSGI_TABLE(awsgi_completion_members)
#define awsgi_reactor_now AWSGI_TABLE(awsgi_reactor_now)
#define awsgi_waitable_descriptor AWSGI_TABLE(awsgi_waitable_descriptor)
#define awsgi_waitable_event AWSGI_TABLE(awsgi_waitable_event)
#define awsgi_waitable_timer AWSGI_TABLE(awsgi_waitable_timer)
#define awsgi_waitable_take AWSGI_TABLE(awsgi_waitable_take)
#define awsgi_waitable_label AWSGI_TABLE(awsgi_waitable_label)
#define awsgi_waitable_close AWSGI_TABLE(awsgi_waitable_close)
#define awsgi_notify AWSGI_TABLE(awsgi_notify)
#define awsgi_notify_many AWSGI_TABLE(awsgi_notify_many)
#define awsgi_wait_cancel AWSGI_TABLE(awsgi_wait_cancel)
#define awsgi_wait_forget AWSGI_TABLE(awsgi_wait_forget)
#define awsgi_wait_rearm AWSGI_TABLE(awsgi_wait_rearm)
#define awsgi_exchange_wait AWSGI_TABLE(awsgi_exchange_wait)
#define awsgi_exchange_await AWSGI_TABLE(awsgi_exchange_await)
#define awsgi_exchange_environ AWSGI_TABLE(awsgi_exchange_environ)
#define awsgi_exchange_environ_each AWSGI_TABLE(awsgi_exchange_environ_each)
#define awsgi_exchange_self AWSGI_TABLE(awsgi_exchange_self)
#define awsgi_exchange_reactor AWSGI_TABLE(awsgi_exchange_reactor)
#define awsgi_exchange_now AWSGI_TABLE(awsgi_exchange_now)
#define awsgi_exchange_read AWSGI_TABLE(awsgi_exchange_read)
#define awsgi_exchange_start AWSGI_TABLE(awsgi_exchange_start)
#define awsgi_exchange_write AWSGI_TABLE(awsgi_exchange_write)
#define awsgi_waitable_describe AWSGI_TABLE(awsgi_waitable_describe)

#endif /* AWSGI_APPLICATION */

#ifdef __cplusplus
}
#endif

#endif /* AWSGI_APPLICATION_H */
