//! The functions of the header, as tests/ffi has them: with what makes each of them refuse. Written by
//! tests/ffi/rust.py; do not edit. `AWSGI_BLESS=1 cargo test --all-features --test ffi` writes it anew.

use awsgi::ffi::*;

use super::bad::Function;

/// Each function, the parameters of which one at least can be such that it has to refuse, and what it may answer.
pub const FUNCTIONS: &[Function] = &[
    Function {
        name: "awsgi_last_error",
        refusing: &[0],
        said: &[AWSGI_E_INVALID, AWSGI_E_NULL],
        call: |a| unsafe {
            awsgi_last_error(
                a.array(0).cast(),
                a.length(0),
                a.place(2, true).cast(),
                a.place(3, true).cast(),
            )
        },
    },
    Function {
        name: "awsgi_completion_members",
        refusing: &[0, 1, 3],
        said: &[AWSGI_E_INVALID, AWSGI_E_NULL, AWSGI_E_STALE, AWSGI_E_THREAD],
        call: |a| unsafe {
            awsgi_completion_members(
                a.given(0).cast(),
                a.array(1).cast(),
                a.length(1),
                a.place(3, false).cast(),
            )
        },
    },
    Function {
        name: "awsgi_reactor_new",
        refusing: &[0, 1],
        said: &[AWSGI_E_INVALID, AWSGI_E_LIMIT, AWSGI_E_NULL, AWSGI_E_OS, AWSGI_E_UNSUPPORTED],
        call: |a| unsafe {
            awsgi_reactor_new(a.sized::<awsgi_reactor_options>(0, true), a.place(1, false).cast())
        },
    },
    Function {
        name: "awsgi_reactor_release",
        refusing: &[0],
        said: &[AWSGI_E_FORKED, AWSGI_E_NULL, AWSGI_E_REENTRANT, AWSGI_E_STALE, AWSGI_E_THREAD],
        call: |a| unsafe { awsgi_reactor_release(a.reactor(0)) },
    },
    Function {
        name: "awsgi_reactor_adopt",
        refusing: &[0],
        said: &[AWSGI_E_BUSY, AWSGI_E_FORKED, AWSGI_E_NULL, AWSGI_E_REENTRANT, AWSGI_E_STALE],
        call: |a| unsafe { awsgi_reactor_adopt(a.reactor(0)) },
    },
    Function {
        name: "awsgi_reactor_fd",
        refusing: &[0, 1],
        said: &[AWSGI_E_FORKED, AWSGI_E_NULL, AWSGI_E_STALE, AWSGI_E_STATE, AWSGI_E_THREAD],
        call: |a| unsafe { awsgi_reactor_fd(a.reactor(0), a.place(1, false).cast()) },
    },
    Function {
        name: "awsgi_reactor_now",
        refusing: &[0, 1],
        said: &[AWSGI_E_FORKED, AWSGI_E_NULL, AWSGI_E_STALE, AWSGI_E_THREAD],
        call: |a| unsafe { awsgi_reactor_now(a.reactor(0), a.place(1, false).cast()) },
    },
    Function {
        name: "awsgi_reactor_turn",
        refusing: &[0, 1],
        said: &[
            AWSGI_E_FORKED,
            AWSGI_E_INVALID,
            AWSGI_E_NULL,
            AWSGI_E_OS,
            AWSGI_E_REENTRANT,
            AWSGI_E_STALE,
            AWSGI_E_THREAD,
            AWSGI_E_UNSUPPORTED,
        ],
        call: |a| unsafe { awsgi_reactor_turn(a.reactor(0), a.sized::<awsgi_turn>(1, false)) },
    },
    Function {
        name: "awsgi_reactor_stop",
        refusing: &[0],
        said: &[AWSGI_E_FORKED, AWSGI_E_NULL, AWSGI_E_STALE],
        call: |a| unsafe { awsgi_reactor_stop(a.reactor(0)) },
    },
    Function {
        name: "awsgi_reactor_stats",
        refusing: &[0, 1],
        said: &[
            AWSGI_E_FORKED,
            AWSGI_E_INVALID,
            AWSGI_E_NULL,
            AWSGI_E_STALE,
            AWSGI_E_THREAD,
            AWSGI_E_UNSUPPORTED,
        ],
        call: |a| unsafe { awsgi_reactor_stats(a.reactor(0), a.sized::<awsgi_stats>(1, false)) },
    },
    Function {
        name: "awsgi_reactor_close",
        refusing: &[0],
        said: &[AWSGI_E_FORKED, AWSGI_E_NULL, AWSGI_E_STALE, AWSGI_E_THREAD],
        call: |a| unsafe { awsgi_reactor_close(a.reactor(0)) },
    },
    Function {
        name: "awsgi_reactor_free",
        refusing: &[0],
        said: &[AWSGI_E_BUSY, AWSGI_E_FORKED, AWSGI_E_REENTRANT, AWSGI_E_STALE, AWSGI_E_THREAD],
        call: |a| unsafe { awsgi_reactor_free(a.reactor(0)) },
    },
    Function {
        name: "awsgi_waitable_descriptor",
        refusing: &[0, 3],
        said: &[
            AWSGI_E_CLOSED,
            AWSGI_E_FORKED,
            AWSGI_E_INVALID,
            AWSGI_E_LIMIT,
            AWSGI_E_NESTING,
            AWSGI_E_NULL,
            AWSGI_E_OS,
            AWSGI_E_STALE,
            AWSGI_E_STATE,
            AWSGI_E_THREAD,
            AWSGI_E_UNSUPPORTED,
        ],
        call: |a| unsafe {
            awsgi_waitable_descriptor(
                a.reactor(0),
                a.number() as _,
                a.number() as _,
                a.place(3, false).cast(),
            )
        },
    },
    Function {
        name: "awsgi_waitable_foreign",
        refusing: &[0, 3],
        said: &[
            AWSGI_E_CLOSED,
            AWSGI_E_FORKED,
            AWSGI_E_INVALID,
            AWSGI_E_LIMIT,
            AWSGI_E_NULL,
            AWSGI_E_STALE,
            AWSGI_E_THREAD,
        ],
        call: |a| unsafe {
            awsgi_waitable_foreign(
                a.reactor(0),
                a.number() as _,
                a.number() as _,
                a.place(3, false).cast(),
            )
        },
    },
    Function {
        name: "awsgi_waitable_event",
        refusing: &[0, 2],
        said: &[
            AWSGI_E_CLOSED,
            AWSGI_E_FORKED,
            AWSGI_E_INVALID,
            AWSGI_E_LIMIT,
            AWSGI_E_NULL,
            AWSGI_E_STALE,
            AWSGI_E_THREAD,
        ],
        call: |a| unsafe {
            awsgi_waitable_event(a.reactor(0), a.number() as _, a.place(2, false).cast())
        },
    },
    Function {
        name: "awsgi_waitable_timer",
        refusing: &[0, 3],
        said: &[
            AWSGI_E_CLOSED,
            AWSGI_E_FORKED,
            AWSGI_E_INVALID,
            AWSGI_E_LIMIT,
            AWSGI_E_NULL,
            AWSGI_E_STALE,
            AWSGI_E_THREAD,
        ],
        call: |a| unsafe {
            awsgi_waitable_timer(
                a.reactor(0),
                a.number() as _,
                a.number() as _,
                a.place(3, false).cast(),
            )
        },
    },
    Function {
        name: "awsgi_waitable_take",
        refusing: &[0, 1],
        said: &[
            AWSGI_E_FORKED,
            AWSGI_E_INVALID,
            AWSGI_E_NULL,
            AWSGI_E_STALE,
            AWSGI_E_THREAD,
            AWSGI_E_UNSUPPORTED,
        ],
        call: |a| unsafe { awsgi_waitable_take(a.token(0), a.place(1, false).cast()) },
    },
    Function {
        name: "awsgi_waitable_label",
        refusing: &[0, 1],
        said: &[AWSGI_E_FORKED, AWSGI_E_INVALID, AWSGI_E_NULL, AWSGI_E_STALE, AWSGI_E_THREAD],
        call: |a| unsafe { awsgi_waitable_label(a.token(0), a.array(1).cast(), a.length(1)) },
    },
    Function {
        name: "awsgi_waitable_describe",
        refusing: &[0, 1],
        said: &[AWSGI_E_FORKED, AWSGI_E_INVALID, AWSGI_E_NULL, AWSGI_E_STALE, AWSGI_E_THREAD],
        call: |a| unsafe {
            awsgi_waitable_describe(
                a.token(0),
                a.array(1).cast(),
                a.length(1),
                a.place(3, true).cast(),
            )
        },
    },
    Function {
        name: "awsgi_waitable_close",
        refusing: &[0],
        said: &[AWSGI_E_FORKED, AWSGI_E_INVALID, AWSGI_E_STALE, AWSGI_E_STATE, AWSGI_E_THREAD],
        call: |a| unsafe { awsgi_waitable_close(a.token(0)) },
    },
    Function {
        name: "awsgi_notify",
        refusing: &[0],
        said: &[AWSGI_E_FORKED, AWSGI_E_INVALID, AWSGI_E_LIMIT, AWSGI_E_STALE],
        call: |a| unsafe { awsgi_notify(a.token(0), a.number() as _) },
    },
    Function {
        name: "awsgi_notify_many",
        refusing: &[0],
        said: &[AWSGI_E_FORKED, AWSGI_E_INVALID, AWSGI_E_LIMIT, AWSGI_E_NULL, AWSGI_E_STALE],
        call: |a| unsafe {
            awsgi_notify_many(a.array(0).cast(), a.length(0), a.place(2, true).cast())
        },
    },
    Function {
        name: "awsgi_wait_start",
        refusing: &[0, 1],
        said: &[
            AWSGI_E_CLOSED,
            AWSGI_E_FORKED,
            AWSGI_E_INVALID,
            AWSGI_E_LIMIT,
            AWSGI_E_NESTING,
            AWSGI_E_NULL,
            AWSGI_E_OS,
            AWSGI_E_STALE,
            AWSGI_E_THREAD,
            AWSGI_E_UNSUPPORTED,
        ],
        call: |a| unsafe {
            awsgi_wait_start(
                a.reactor(0),
                a.sized::<awsgi_wait_spec>(1, false),
                a.place(2, true).cast(),
            )
        },
    },
    Function {
        name: "awsgi_wait_cancel",
        refusing: &[0],
        said: &[AWSGI_E_FORKED, AWSGI_E_INVALID, AWSGI_E_STALE, AWSGI_E_THREAD],
        call: |a| unsafe { awsgi_wait_cancel(a.token(0)) },
    },
    Function {
        name: "awsgi_wait_forget",
        refusing: &[0],
        said: &[AWSGI_E_FORKED, AWSGI_E_INVALID, AWSGI_E_STALE, AWSGI_E_THREAD],
        call: |a| unsafe { awsgi_wait_forget(a.token(0)) },
    },
    Function {
        name: "awsgi_wait_rearm",
        refusing: &[0],
        said: &[
            AWSGI_E_FORKED,
            AWSGI_E_INVALID,
            AWSGI_E_OS,
            AWSGI_E_STALE,
            AWSGI_E_STATE,
            AWSGI_E_THREAD,
        ],
        call: |a| unsafe { awsgi_wait_rearm(a.token(0)) },
    },
    Function {
        name: "awsgi_exchange_wait",
        refusing: &[0, 1],
        said: &[
            AWSGI_E_CLOSED,
            AWSGI_E_FORKED,
            AWSGI_E_INVALID,
            AWSGI_E_LIMIT,
            AWSGI_E_NESTING,
            AWSGI_E_NULL,
            AWSGI_E_OS,
            AWSGI_E_STALE,
            AWSGI_E_STATE,
            AWSGI_E_THREAD,
            AWSGI_E_UNSUPPORTED,
        ],
        call: |a| unsafe {
            awsgi_exchange_wait(
                a.token(0),
                a.sized::<awsgi_wait_spec>(1, false),
                a.place(2, true).cast(),
            )
        },
    },
    Function {
        name: "awsgi_exchange_await",
        refusing: &[0, 1, 2],
        said: &[
            AWSGI_E_CLOSED,
            AWSGI_E_FORKED,
            AWSGI_E_INVALID,
            AWSGI_E_LIMIT,
            AWSGI_E_NESTING,
            AWSGI_E_NULL,
            AWSGI_E_OS,
            AWSGI_E_STALE,
            AWSGI_E_STATE,
            AWSGI_E_THREAD,
            AWSGI_E_UNSUPPORTED,
        ],
        call: |a| unsafe {
            awsgi_exchange_await(
                a.token(0),
                a.sized::<awsgi_wait_spec>(1, false),
                a.place(2, false).cast(),
            )
        },
    },
    Function {
        name: "awsgi_exchange_environ",
        refusing: &[0, 1, 2],
        said: &[AWSGI_E_FORKED, AWSGI_E_INVALID, AWSGI_E_NULL, AWSGI_E_STALE, AWSGI_E_THREAD],
        call: |a| unsafe {
            awsgi_exchange_environ(a.token(0), a.slice(1), a.place(2, false).cast())
        },
    },
    Function {
        name: "awsgi_exchange_environ_each",
        refusing: &[0, 1, 2, 3],
        said: &[
            AWSGI_E_AGAIN,
            AWSGI_E_FORKED,
            AWSGI_E_INVALID,
            AWSGI_E_NULL,
            AWSGI_E_STALE,
            AWSGI_E_THREAD,
        ],
        call: |a| unsafe {
            awsgi_exchange_environ_each(
                a.token(0),
                a.given(1).cast(),
                a.place(2, false).cast(),
                a.place(3, false).cast(),
            )
        },
    },
    Function {
        name: "awsgi_exchange_self",
        refusing: &[0, 1],
        said: &[
            AWSGI_E_CLOSED,
            AWSGI_E_FORKED,
            AWSGI_E_INVALID,
            AWSGI_E_LIMIT,
            AWSGI_E_NULL,
            AWSGI_E_STALE,
            AWSGI_E_THREAD,
        ],
        call: |a| unsafe { awsgi_exchange_self(a.token(0), a.place(1, false).cast()) },
    },
    Function {
        name: "awsgi_exchange_reactor",
        refusing: &[0, 1],
        said: &[AWSGI_E_FORKED, AWSGI_E_INVALID, AWSGI_E_NULL, AWSGI_E_STALE, AWSGI_E_THREAD],
        call: |a| unsafe { awsgi_exchange_reactor(a.token(0), a.place(1, false).cast()) },
    },
    Function {
        name: "awsgi_exchange_now",
        refusing: &[0, 1],
        said: &[AWSGI_E_FORKED, AWSGI_E_INVALID, AWSGI_E_NULL, AWSGI_E_STALE, AWSGI_E_THREAD],
        call: |a| unsafe { awsgi_exchange_now(a.token(0), a.place(1, false).cast()) },
    },
    Function {
        name: "awsgi_exchange_read",
        refusing: &[0, 1, 3],
        said: &[
            AWSGI_E_AGAIN,
            AWSGI_E_CLOSED,
            AWSGI_E_FORKED,
            AWSGI_E_INVALID,
            AWSGI_E_NULL,
            AWSGI_E_STALE,
            AWSGI_E_THREAD,
        ],
        call: |a| unsafe {
            awsgi_exchange_read(
                a.token(0),
                a.array(1).cast(),
                a.length(1),
                a.place(3, false).cast(),
            )
        },
    },
    Function {
        name: "awsgi_exchange_start",
        refusing: &[0, 2],
        said: &[
            AWSGI_E_CLOSED,
            AWSGI_E_FORKED,
            AWSGI_E_INVALID,
            AWSGI_E_NULL,
            AWSGI_E_STALE,
            AWSGI_E_STATE,
            AWSGI_E_THREAD,
        ],
        call: |a| unsafe {
            awsgi_exchange_start(a.token(0), a.number() as _, a.array(2).cast(), a.length(2))
        },
    },
    Function {
        name: "awsgi_exchange_write",
        refusing: &[0, 1],
        said: &[
            AWSGI_E_CLOSED,
            AWSGI_E_FORKED,
            AWSGI_E_INVALID,
            AWSGI_E_NULL,
            AWSGI_E_STALE,
            AWSGI_E_STATE,
            AWSGI_E_THREAD,
        ],
        call: |a| unsafe {
            awsgi_exchange_write(
                a.token(0),
                a.array(1).cast(),
                a.length(1),
                a.place(3, true).cast(),
            )
        },
    },
    Function {
        name: "awsgi_application_load",
        refusing: &[0, 2],
        said: &[AWSGI_E_INVALID, AWSGI_E_NULL, AWSGI_E_OS, AWSGI_E_STATE, AWSGI_E_UNSUPPORTED],
        call: |a| unsafe { awsgi_application_load(a.text(0), a.text(1), a.place(2, false).cast()) },
    },
    Function {
        name: "awsgi_application_link",
        refusing: &[2],
        said: &[AWSGI_E_INVALID, AWSGI_E_NULL, AWSGI_E_OS, AWSGI_E_STATE, AWSGI_E_UNSUPPORTED],
        call: |a| unsafe { awsgi_application_link(None, a.text(1), a.place(2, false).cast()) },
    },
    Function {
        name: "awsgi_application_unload",
        refusing: &[0],
        said: &[AWSGI_E_INVALID, AWSGI_E_STALE, AWSGI_E_UNSUPPORTED],
        call: |a| unsafe { awsgi_application_unload(a.sized::<awsgi_application>(0, true)) },
    },
    Function {
        name: "awsgi_gateway_new",
        refusing: &[0, 1, 2, 3],
        said: &[
            AWSGI_E_FORKED,
            AWSGI_E_INVALID,
            AWSGI_E_NULL,
            AWSGI_E_STALE,
            AWSGI_E_STATE,
            AWSGI_E_THREAD,
            AWSGI_E_UNSUPPORTED,
        ],
        call: |a| unsafe {
            awsgi_gateway_new(
                a.reactor(0),
                a.sized::<awsgi_application>(1, false),
                a.sized::<awsgi_gateway_options>(2, true),
                a.place(3, false).cast(),
            )
        },
    },
    Function {
        name: "awsgi_gateway_close",
        refusing: &[0],
        said: &[AWSGI_E_FORKED, AWSGI_E_NULL, AWSGI_E_STALE, AWSGI_E_THREAD],
        call: |a| unsafe { awsgi_gateway_close(a.nobody(0), a.number() as _) },
    },
    Function {
        name: "awsgi_gateway_free",
        refusing: &[0],
        said: &[AWSGI_E_BUSY, AWSGI_E_FORKED, AWSGI_E_REENTRANT, AWSGI_E_STALE, AWSGI_E_THREAD],
        call: |a| unsafe { awsgi_gateway_free(a.nobody(0)) },
    },
    Function {
        name: "awsgi_gateway_open",
        refusing: &[0, 1, 2],
        said: &[
            AWSGI_E_CLOSED,
            AWSGI_E_FORKED,
            AWSGI_E_INVALID,
            AWSGI_E_LIMIT,
            AWSGI_E_NULL,
            AWSGI_E_STALE,
            AWSGI_E_THREAD,
            AWSGI_E_UNSUPPORTED,
        ],
        call: |a| unsafe {
            awsgi_gateway_open(
                a.nobody(0),
                a.sized::<awsgi_request>(1, false),
                a.place(2, false).cast(),
            )
        },
    },
    Function {
        name: "awsgi_exchange_feed",
        refusing: &[0, 1, 4],
        said: &[
            AWSGI_E_CLOSED,
            AWSGI_E_FORKED,
            AWSGI_E_INVALID,
            AWSGI_E_NULL,
            AWSGI_E_STALE,
            AWSGI_E_STATE,
            AWSGI_E_THREAD,
        ],
        call: |a| unsafe {
            awsgi_exchange_feed(
                a.token(0),
                a.array(1).cast(),
                a.length(1),
                a.number() as _,
                a.place(4, false).cast(),
            )
        },
    },
    Function {
        name: "awsgi_exchange_gone",
        refusing: &[0],
        said: &[AWSGI_E_FORKED, AWSGI_E_INVALID, AWSGI_E_STALE, AWSGI_E_THREAD],
        call: |a| unsafe { awsgi_exchange_gone(a.token(0)) },
    },
    Function {
        name: "awsgi_exchange_fail",
        refusing: &[0],
        said: &[AWSGI_E_FORKED, AWSGI_E_INVALID, AWSGI_E_STALE, AWSGI_E_THREAD],
        call: |a| unsafe { awsgi_exchange_fail(a.token(0), a.number() as _) },
    },
    Function {
        name: "awsgi_exchange_head",
        refusing: &[0, 1],
        said: &[
            AWSGI_E_AGAIN,
            AWSGI_E_FORKED,
            AWSGI_E_INVALID,
            AWSGI_E_NULL,
            AWSGI_E_STALE,
            AWSGI_E_STATE,
            AWSGI_E_THREAD,
            AWSGI_E_UNSUPPORTED,
        ],
        call: |a| unsafe { awsgi_exchange_head(a.token(0), a.sized::<awsgi_head>(1, false)) },
    },
    Function {
        name: "awsgi_exchange_take",
        refusing: &[0, 1, 3, 4],
        said: &[AWSGI_E_FORKED, AWSGI_E_INVALID, AWSGI_E_NULL, AWSGI_E_STALE, AWSGI_E_THREAD],
        call: |a| unsafe {
            awsgi_exchange_take(
                a.token(0),
                a.array(1).cast(),
                a.length(1),
                a.place(3, false).cast(),
                a.place(4, false).cast(),
            )
        },
    },
    Function {
        name: "awsgi_exchange_sent",
        refusing: &[0],
        said: &[AWSGI_E_FORKED, AWSGI_E_INVALID, AWSGI_E_STALE, AWSGI_E_THREAD],
        call: |a| unsafe { awsgi_exchange_sent(a.token(0), a.number() as _) },
    },
    Function {
        name: "awsgi_exchange_end",
        refusing: &[0],
        said: &[AWSGI_E_FORKED, AWSGI_E_INVALID, AWSGI_E_STALE, AWSGI_E_THREAD],
        call: |a| unsafe { awsgi_exchange_end(a.token(0)) },
    },
    Function {
        name: "awsgi_server_new",
        refusing: &[0, 1, 2],
        said: &[AWSGI_E_INVALID, AWSGI_E_NULL, AWSGI_E_OS, AWSGI_E_UNSUPPORTED],
        call: |a| unsafe {
            awsgi_server_new(
                a.sized::<awsgi_server_options>(0, true),
                a.sized::<awsgi_application>(1, false),
                a.place(2, false).cast(),
            )
        },
    },
    Function {
        name: "awsgi_server_address",
        refusing: &[0, 1],
        said: &[AWSGI_E_FORKED, AWSGI_E_INVALID, AWSGI_E_NULL, AWSGI_E_STALE, AWSGI_E_UNSUPPORTED],
        call: |a| unsafe {
            awsgi_server_address(
                a.nobody(0),
                a.array(1).cast(),
                a.length(1),
                a.place(3, true).cast(),
            )
        },
    },
    Function {
        name: "awsgi_server_run",
        refusing: &[0],
        said: &[AWSGI_E_FORKED, AWSGI_E_NULL, AWSGI_E_STALE, AWSGI_E_STATE, AWSGI_E_UNSUPPORTED],
        call: |a| unsafe { awsgi_server_run(a.nobody(0)) },
    },
    Function {
        name: "awsgi_server_drain",
        refusing: &[0],
        said: &[AWSGI_E_FORKED, AWSGI_E_NULL, AWSGI_E_STALE, AWSGI_E_UNSUPPORTED],
        call: |a| unsafe { awsgi_server_drain(a.nobody(0), a.number() as _) },
    },
    Function {
        name: "awsgi_server_free",
        refusing: &[0],
        said: &[AWSGI_E_BUSY, AWSGI_E_FORKED, AWSGI_E_STALE, AWSGI_E_UNSUPPORTED],
        call: |a| unsafe { awsgi_server_free(a.nobody(0)) },
    },
];
