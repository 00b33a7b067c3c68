/* SPDX-License-Identifier: MIT OR Apache-2.0
 *
 * awsgi.h: any event loop can host applications that wait.
 *
 * Generated from src/ffi by tests/header.rs. Do not edit: change the sources, then run
 * AWSGI_BLESS=1 cargo test --all-features --test header
 *
 * Conventions that every function keeps:
 *
 * - It returns awsgi_status: 0 is AWSGI_OK, errors are negative, their numbers never change. The few that
 *   return something else say so.
 * - Results go through out pointers, which are always written, zeroed on error (a descriptor: -1). An optional one may be NULL
 *   where the function says so.
 * - Structs that may grow begin with `size`; initialise them with their _INIT macro. In their other fields zero
 *   means the default, except in a deadline: there 0 is now, and _INIT sets AWSGI_FOREVER.
 * - A token outlives its object without danger: the call then answers AWSGI_E_STALE. So does a pointer that was
 *   freed, until another object gets its address.
 * - A struct whose `size` was not set answers AWSGI_E_INVALID, one that asks for what this library does not know
 *   AWSGI_E_UNSUPPORTED, and a length that no memory has AWSGI_E_INVALID.
 * - Every function on a reactor or a token may answer AWSGI_E_FORKED in a forked child, and AWSGI_E_INVALID for a
 *   token of another kind than it takes.
 * - (NULL, 0) is a valid slice. Functions that free accept NULL.
 * - `Threads:` says who may call: any thread; the owner, which is the thread that made or adopted the reactor;
 *   exchange, which is the thread that runs the exchange.
 */
#ifndef AWSGI_H
#define AWSGI_H

#include <stddef.h>
#include <stdint.h>
#include <string.h>

/** The version of this header: its first number. */
#define AWSGI_VERSION_MAJOR 0
/** The version of this header: its second number. */
#define AWSGI_VERSION_MINOR 1
/** The version of this header: its third number. */
#define AWSGI_VERSION_PATCH 0
/** The version of this header in one number; awsgi_version tells that of the library that runs. */
#define AWSGI_VERSION_NUMBER \
    (AWSGI_VERSION_MAJOR * 1000000 + AWSGI_VERSION_MINOR * 1000 + AWSGI_VERSION_PATCH)

/** Changes when what was compiled has to be compiled again; the shared library is libawsgi.so.0. */
#define AWSGI_ABI_VERSION 0

/* AWSGI_EXPORT stands before what a shared library offers: the entry point of an application, as our functions.
 * Whoever links the static library on Windows defines AWSGI_STATIC. */
#if defined(_WIN32)
#define AWSGI_EXPORT __declspec(dllexport)
#if defined(AWSGI_STATIC)
#define AWSGI_API
#else
#define AWSGI_API __declspec(dllimport)
#endif
#elif defined(__GNUC__)
#define AWSGI_EXPORT __attribute__((visibility("default")))
#define AWSGI_API __attribute__((visibility("default")))
#else
#define AWSGI_EXPORT
#define AWSGI_API
#endif

/** What the operating system names a thing by that can be waited for. */
#if defined(_WIN32)
typedef intptr_t awsgi_os_handle;
#else
typedef int awsgi_os_handle;
#endif

#ifdef __cplusplus
extern "C" {
#endif

/* ---- Statuses, versions and the last error -------------------------------------------------------- */

/**
 * The result of every function: AWSGI_OK, or one of AWSGI_E_*, which are negative and never
 * renumbered.
 */
typedef int32_t awsgi_status;

/** The call did what it says. */
#define AWSGI_OK 0
/** A pointer that must not be NULL was. */
#define AWSGI_E_NULL (-1)
/** An argument is outside what the call accepts. */
#define AWSGI_E_INVALID (-2)
/** The token or pointer outlived its object. */
#define AWSGI_E_STALE (-3)
/** The call belongs to another thread. */
#define AWSGI_E_THREAD (-4)
/** The process was forked after the reactor was made. */
#define AWSGI_E_FORKED (-5)
/** The object is not in a state in which the call makes sense. */
#define AWSGI_E_STATE (-6)
/** Something still depends on the object. */
#define AWSGI_E_BUSY (-7)
/** The call was made from inside a call that excludes it. */
#define AWSGI_E_REENTRANT (-8)
/** A limit was reached. */
#define AWSGI_E_LIMIT (-9)
/** The operating system refused; awsgi_last_error says what and why. */
#define AWSGI_E_OS (-10)
/** Announced, but not available in this release, in this build or on this platform. */
#define AWSGI_E_UNSUPPORTED (-11)
/** Event loops would watch each other in a circle, or too deeply. */
#define AWSGI_E_NESTING (-12)
/** The other side is gone, or the object is being closed. */
#define AWSGI_E_CLOSED (-13)
/** A bug of the library was caught; nothing but the object involved is affected. */
#define AWSGI_E_PANIC (-14)
/** Nothing there now: wait, and call again. */
#define AWSGI_E_AGAIN (-15)

/**
 * The name of a status, as "AWSGI_E_STALE".
 *
 * Returns: a string that ends in NUL; "AWSGI_E_?" for a number that is no status. Never NULL.
 * Ownership: the string is static: never free it.
 * Threads: any.
 */
AWSGI_API const char *awsgi_status_name(awsgi_status status);

/**
 * The last failure of this thread in words: what was asked, what was wrong, what to do.
 *
 * buffer, capacity: where to write the sentence, in bytes; it is cut to fit and always ends in
 *   NUL. (NULL, 0) only asks for the length.
 * length: the length of the whole sentence in bytes without the NUL; may be NULL. 0 if nothing
 *   failed on this thread yet. A success does not clear it.
 * os_error: the errno of a refused system call, else 0; may be NULL.
 *
 * Returns: AWSGI_OK; AWSGI_E_NULL if buffer is NULL and capacity is not 0. This call never
 *   replaces the failure it tells of.
 * Ownership: the buffer stays the caller's.
 * Threads: any.
 */
AWSGI_API
awsgi_status awsgi_last_error(char *buffer,
                              size_t capacity,
                              size_t *length,
                              int32_t *os_error);

/**
 * The version of the library that runs, to be compared with AWSGI_VERSION_NUMBER and
 * AWSGI_ABI_VERSION of the header it was compiled against.
 *
 * number: major * 1000000 + minor * 1000 + patch; may be NULL.
 * abi: the number of the ABI, which is that of the soname; may be NULL.
 *
 * Returns: AWSGI_OK.
 * Ownership: nothing is kept.
 * Threads: any.
 */
AWSGI_API awsgi_status awsgi_version(uint32_t *number, uint32_t *abi);

/* ---- Tokens, slices, descriptors, readiness and time ---------------------------------------------- */

/** A deadline that never comes. */
#define AWSGI_FOREVER UINT64_MAX
/** A deadline that has passed: look once, do not wait. */
#define AWSGI_NOW 0

/** Interest and readiness: data, a connection, or the end can be read without waiting. */
#define AWSGI_READABLE 1
/** Interest and readiness: something can be written without waiting. */
#define AWSGI_WRITABLE 2
/** Interest and readiness: urgent data. On an exchange: the server drains. */
#define AWSGI_PRIORITY 4
/**
 * Interest and readiness: the peer will send no more. Told where READABLE is asked; asked alone,
 * data does not complete the wait.
 */
#define AWSGI_READ_CLOSED 8
/**
 * Interest and readiness: both directions are closed. Completes every wait. On an exchange: the
 * client is gone.
 */
#define AWSGI_HANGUP 16
/** Interest and readiness: an error is pending. Completes every wait. */
#define AWSGI_ERROR 32

/**
 * Names an object that can end: kind, reactor, generation and slot in 64 bits. 0 is none. One
 * that outlived its object is answered with AWSGI_E_STALE, on any thread, also after its reactor
 * is gone.
 */
typedef uint64_t awsgi_token;

/** The token of anything that can become ready. */
typedef awsgi_token awsgi_waitable;

/** The token of a wait. */
typedef awsgi_token awsgi_wait;

/** The token of one request with its response. */
typedef awsgi_token awsgi_exchange;

/** Bytes that somebody else holds. (NULL, 0) is valid, and empty. */
typedef struct awsgi_slice {
    /** The first byte. */
    const uint8_t *data;
    /** How many bytes. */
    size_t len;
} awsgi_slice;

/** A header field. */
typedef struct awsgi_header {
    /** Its name, in any case. */
    awsgi_slice name;
    /** Its value. */
    awsgi_slice value;
} awsgi_header;

/* ---- Completions: how a wait ended ---------------------------------------------------------------- */

/** An outcome: a waitable of the set is ready. */
#define AWSGI_READY 1
/** An outcome: the deadline passed. */
#define AWSGI_TIMED_OUT 2
/** An outcome: the wait was cancelled. */
#define AWSGI_CANCELLED 3
/** An outcome: a waitable of the set, or the reactor, was closed. */
#define AWSGI_CLOSED 4
/** An outcome: the wait failed; `error` says why. */
#define AWSGI_FAILED 5

/** A flag of a completion: further completions of the same wait follow. */
#define AWSGI_MORE 1

/** How a wait ended. 32 bytes, for ever. */
typedef struct awsgi_completion {
    /** The value given with the wait. */
    uint64_t user_data;
    /**
     * The wait; retired on delivery, unless AWSGI_MORE. For the host's half of an exchange, the
     * exchange.
     */
    awsgi_wait wait;
    /** AWSGI_READY, AWSGI_TIMED_OUT, AWSGI_CANCELLED, AWSGI_CLOSED or AWSGI_FAILED. */
    uint8_t outcome;
    /** AWSGI_MORE, or 0. */
    uint8_t flags;
    /** How many waitables of the set were ready. */
    uint16_t members;
    /** The readiness of member `index`. */
    uint32_t ready;
    /** The position in the set of the first ready member. */
    uint32_t index;
    /** The errno, if the outcome is AWSGI_FAILED. */
    int32_t error;
} awsgi_completion;

/** A ready member of a set. */
typedef struct awsgi_member {
    /** The waitable. */
    awsgi_waitable waitable;
    /** Its position in the set. */
    uint32_t index;
    /** Its readiness. */
    uint32_t ready;
} awsgi_member;

/**
 * The ready members of a completion's set, in the order of the set, the first included.
 *
 * completion: one of the last turn's, for the host until its next turn; for a step, one of those it
 *   was called with, until it returns; for a pool thread, the last it has waited for. One with
 *   AWSGI_MORE can be asked for as long as its wait lives.
 * members, capacity: where to write them, in elements; as many as fit. (NULL, 0) asks for the count
 *   alone.
 * count: how many elements there are.
 *
 * Returns: AWSGI_OK; AWSGI_E_STALE later, and for what is not the completion of a wait;
 *   AWSGI_E_THREAD; AWSGI_E_NULL.
 * Ownership: nothing is kept. A waitable that was closed since is 0.
 * Threads: owner, exchange.
 */
AWSGI_API
awsgi_status awsgi_completion_members(const awsgi_completion *completion,
                                      awsgi_member *members,
                                      size_t capacity,
                                      size_t *count);

/* ---- The reactor: making it, turning it, ending it ------------------------------------------------ */

/**
 * A mode: awsgi_reactor_turn may block, until the deadline it is given. For programs without a
 * loop.
 */
#define AWSGI_OWNED 1
/**
 * A mode: the host's loop watches awsgi_reactor_fd for reading; awsgi_reactor_turn never blocks.
 */
#define AWSGI_NESTED 2
/**
 * A mode: the host can watch no descriptor for us; a wake hook tells it to turn, and it sleeps no
 * longer than next_deadline. awsgi_reactor_turn never blocks.
 */
#define AWSGI_DELEGATED 3

/**
 * A reactor flag: the host sleeps no longer than next_deadline, so deadlines need not make the
 * descriptor readable.
 */
#define AWSGI_HOST_HONOURS_DEADLINE 1
/**
 * A reactor flag: the host turns before it sleeps, so work made outside of a turn needs no signal.
 */
#define AWSGI_HOST_TURNS_BEFORE_SLEEP 2
/**
 * A reactor flag, delegated mode: descriptors come as watch changes, since the host can watch them;
 * without it one thread of the library watches them for all reactors.
 */
#define AWSGI_HOST_WATCHES_DESCRIPTORS 4
/** A reactor flag, with AWSGI_HOST_HONOURS_DEADLINE, not in owned mode: turn.now is the clock. */
#define AWSGI_HOST_GIVES_CLOCK 8

/** A level of the log hook: something failed that somebody must look at. */
#define AWSGI_LOG_ERROR 1
/** A level of the log hook: something is wrong, and was coped with. */
#define AWSGI_LOG_WARN 2
/** A level of the log hook: worth knowing. */
#define AWSGI_LOG_INFO 3
/** A level of the log hook: for those who look for a fault. */
#define AWSGI_LOG_DEBUG 4

/**
 * A kind of watch change: the handle is a descriptor, to be reported again and again while it is
 * ready. Comes with AWSGI_HOST_WATCHES_DESCRIPTORS only.
 */
#define AWSGI_WATCH_DESCRIPTOR 2

/** A flag of a turn: work is left; turn again before sleeping. */
#define AWSGI_TURN_MORE 1
/** A flag of a turn: awsgi_reactor_stop was called. */
#define AWSGI_TURN_STOPPED 2
/** A flag of a turn: the reactor was closed, and nothing is left in it. */
#define AWSGI_TURN_CLOSED 4

/** A readiness core: one instance, one owner thread. */
typedef struct awsgi_reactor awsgi_reactor;

/** What a reactor is to be. Begin with AWSGI_REACTOR_OPTIONS_INIT; zero means the default. */
typedef struct awsgi_reactor_options {
    /** The size of this structure in bytes, set by AWSGI_REACTOR_OPTIONS_INIT. */
    size_t size;
    /** AWSGI_OWNED (the default), AWSGI_NESTED or AWSGI_DELEGATED. */
    uint32_t mode;
    /** AWSGI_HOST_*, or 0. */
    uint32_t flags;
    /** Waitables at once; 0: 4,194,304. */
    uint32_t max_waitables;
    /** Waits at once; 0: 4,194,304. */
    uint32_t max_waits;
    /**
     * Delegated mode: "turn soon". Any thread; at most once between the starts of two turns; may
     * call nothing of this library.
     */
    void (*wake)(void *data);
    /**
     * Makes a thread of the host's that calls run(arg) once; 0 if it did. NULL: the library makes
     * its threads, with every signal blocked.
     */
    int (*spawn)(void (*run)(void *arg), void *arg, const char *name, void *data);
    /**
     * Takes what the library has to say: AWSGI_LOG_* and a line. Any thread; may call nothing of
     * this library. NULL: nothing is said.
     */
    void (*log)(int32_t level, awsgi_slice line, void *data);
    /** Given to the hooks. */
    void *data;
} awsgi_reactor_options;

/** Initialises an awsgi_reactor_options: its size, and zero otherwise. */
#define AWSGI_REACTOR_OPTIONS_INIT \
    { sizeof(awsgi_reactor_options), 0, 0, 0, 0, NULL, NULL, NULL, NULL }

/** What the reactor asks of a host for a foreign waitable: watch it for this interest, or stop. */
typedef struct awsgi_watch_change {
    /** The waitable to report with awsgi_notify. */
    awsgi_waitable waitable;
    /** The host's own name for what stands behind it. */
    uint64_t handle;
    /** What to watch it for; 0: stop. */
    uint32_t interest;
    /** How to watch it: AWSGI_LEVEL, AWSGI_ONCE, or AWSGI_WATCH_DESCRIPTOR. */
    uint32_t kind;
} awsgi_watch_change;

/** One bounded step of a reactor. Begin with AWSGI_TURN_INIT. */
typedef struct awsgi_turn {
    /** The size of this structure in bytes, set by AWSGI_TURN_INIT. */
    size_t size;
    /**
     * In: owned mode: until when it may block, in nanoseconds of the reactor's clock. AWSGI_NOW
     * does not block; AWSGI_TURN_INIT sets AWSGI_FOREVER.
     */
    uint64_t deadline;
    /** In: the time, with AWSGI_HOST_GIVES_CLOCK. */
    uint64_t now;
    /**
     * In: events taken and steps run at most; 0: 1,024, which is the most events that are taken.
     */
    uint32_t budget;
    /** Unused; 0. */
    uint32_t reserved;
    /** In: where completions go. */
    awsgi_completion *done;
    /** In: how many fit. What does not fit comes with the next turn. */
    size_t done_cap;
    /** In: where watch changes go. */
    awsgi_watch_change *changes;
    /** In: how many fit. What does not fit comes with the next turn. */
    size_t changes_cap;
    /** Out: how many completions were written. */
    size_t done_n;
    /** Out: how many watch changes were written. */
    size_t changes_n;
    /**
     * Out: when the next turn is due at the latest, in nanoseconds of the reactor's clock, or
     * AWSGI_FOREVER.
     */
    uint64_t next_deadline;
    /** Out: AWSGI_TURN_*. */
    uint32_t flags;
    /** Unused; 0. */
    uint32_t reserved_out;
} awsgi_turn;

/** Initialises an awsgi_turn: its size, no deadline, and zero otherwise. */
#define AWSGI_TURN_INIT \
    { sizeof(awsgi_turn), AWSGI_FOREVER, 0, 0, 0, NULL, 0, NULL, 0, 0, 0, 0, 0, 0 }

/** What a reactor has done since it was made, and what it holds. Begin with AWSGI_STATS_INIT. */
typedef struct awsgi_stats {
    /** The size of this structure in bytes, set by AWSGI_STATS_INIT. */
    size_t size;
    /** Turns. */
    uint64_t turns;
    /** Events of the kernel that were taken, and deadlines and expirations that came. */
    uint64_t events;
    /** Completions delivered: to the host, to exchanges, to futures. */
    uint64_t completions;
    /** Completions that nobody saw, because their waits were forgotten first. */
    uint64_t stale;
    /** Events and reports for which nobody waited. */
    uint64_t spurious;
    /**
     * Events of files that live on although their descriptors were closed before their waitables.
     */
    uint64_t ghosts;
    /** How often the selector was rebuilt to be rid of them. */
    uint64_t rebuilds;
    /** Watch changes handed to the host. */
    uint64_t changes;
    /** Signals to a sleeping owner, or calls of the wake hook. */
    uint64_t signals;
    /** Waits now: those that were not delivered. */
    uint64_t waits;
    /** Waitables now. */
    uint64_t waitables;
} awsgi_stats;

/** Initialises an awsgi_stats: its size, and zero otherwise. */
#define AWSGI_STATS_INIT \
    { sizeof(awsgi_stats), 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0 }

/**
 * Makes a reactor. The calling thread owns it.
 *
 * options: what it is to be; NULL for the defaults.
 * reactor: the reactor.
 *
 * Returns: AWSGI_OK; AWSGI_E_INVALID for a mode or flag that does not exist, and for what excludes
 *   each other: delegated mode without a wake hook, a wake hook or
 *   AWSGI_HOST_WATCHES_DESCRIPTORS without it, AWSGI_HOST_GIVES_CLOCK in owned mode or without
 *   AWSGI_HOST_HONOURS_DEADLINE; AWSGI_E_OS if the kernel has no descriptor or memory for it;
 *   AWSGI_E_LIMIT beyond 1,024 reactors in a process; AWSGI_E_NULL; AWSGI_E_UNSUPPORTED if the
 *   structure asks for what this release does not know, in nested mode on Windows,
 *   and on macOS and BSD without AWSGI_HOST_HONOURS_DEADLINE.
 * Ownership: the caller's, to be ended with awsgi_reactor_close and awsgi_reactor_free.
 * Threads: any.
 */
AWSGI_API
awsgi_status awsgi_reactor_new(const awsgi_reactor_options *options,
                               awsgi_reactor **reactor);

/**
 * Lets a reactor go, so that another thread can adopt it.
 *
 * Returns: AWSGI_OK; AWSGI_E_THREAD elsewhere than on the owner's thread; AWSGI_E_REENTRANT in a
 *   step; AWSGI_E_NULL; AWSGI_E_STALE for one that was freed.
 * Ownership: nobody's until it is adopted.
 * Threads: owner.
 */
AWSGI_API awsgi_status awsgi_reactor_release(awsgi_reactor *reactor);

/**
 * Makes the calling thread the owner of a reactor that was released.
 *
 * Returns: AWSGI_OK; AWSGI_E_BUSY while a thread owns it, be it the caller, or one that ended
 *   without releasing it; AWSGI_E_REENTRANT in a step; AWSGI_E_NULL; AWSGI_E_STALE for one that
 *   was freed.
 * Ownership: the calling thread's.
 * Threads: any.
 */
AWSGI_API awsgi_status awsgi_reactor_adopt(awsgi_reactor *reactor);

/**
 * Nested mode: the descriptor that is readable whenever a turn has work. It never changes.
 *
 * fd: the descriptor. Watch it for reading, level- or edge-triggered, and do nothing else with it.
 *
 * Returns: AWSGI_OK; AWSGI_E_STATE in another mode; AWSGI_E_THREAD; AWSGI_E_NULL;
 *   AWSGI_E_STALE for a reactor that was freed.
 * Ownership: the reactor's, until it is freed.
 * Threads: owner.
 */
AWSGI_API awsgi_status awsgi_reactor_fd(awsgi_reactor *reactor, awsgi_os_handle *fd);

/**
 * The reactor's clock.
 *
 * ns: the time in nanoseconds: CLOCK_MONOTONIC (on Windows, of the performance counter), or with
 *   AWSGI_HOST_GIVES_CLOCK what the last turn was given, 0 before the first.
 *
 * Returns: AWSGI_OK; AWSGI_E_THREAD; AWSGI_E_NULL; AWSGI_E_STALE for a reactor that was
 *   freed.
 * Ownership: nothing is kept.
 * Threads: owner, exchange.
 */
AWSGI_API awsgi_status awsgi_reactor_now(awsgi_reactor *reactor, uint64_t *ns);

/**
 * One bounded step: takes what happened, runs applications that can go on, and writes the
 * completions of the host's waits. Turn before you sleep: whatever woke you, and after each call
 * that may have made work.
 *
 * turn: in and out; see awsgi_turn. On error its outputs are zero.
 *
 * Returns: AWSGI_OK; AWSGI_E_REENTRANT in a step; AWSGI_E_THREAD; AWSGI_E_OS if the selector
 *   cannot be asked; AWSGI_E_INVALID if size was not set; AWSGI_E_NULL; AWSGI_E_STALE for a reactor
 *   that was freed; AWSGI_E_UNSUPPORTED if the structure asks for what this release does not know.
 * Ownership: the arrays stay the caller's.
 * Threads: owner.
 */
AWSGI_API awsgi_status awsgi_reactor_turn(awsgi_reactor *reactor, awsgi_turn *turn);

/**
 * Has the turn that blocks return, or else the next one, and say AWSGI_TURN_STOPPED.
 *
 * Returns: AWSGI_OK; AWSGI_E_FORKED; AWSGI_E_NULL; AWSGI_E_STALE.
 * Ownership: nothing is kept.
 * Threads: any.
 */
AWSGI_API awsgi_status awsgi_reactor_stop(awsgi_reactor *reactor);

/**
 * Counts what a reactor has done so far.
 *
 * stats: in: its size; out: the rest.
 *
 * Returns: AWSGI_OK; AWSGI_E_INVALID if size was not set; AWSGI_E_THREAD; AWSGI_E_NULL;
 *   AWSGI_E_STALE for a reactor that was freed. On error the counts are zero.
 * Ownership: nothing is kept.
 * Threads: owner.
 */
AWSGI_API
awsgi_status awsgi_reactor_stats(awsgi_reactor *reactor,
                                 awsgi_stats *stats);

/**
 * Begins the end: every wait completes as AWSGI_CLOSED, every exchange ends, nothing new is taken.
 * Turn until AWSGI_TURN_CLOSED, then call awsgi_reactor_free.
 *
 * Returns: AWSGI_OK, also when it was closed before; AWSGI_E_THREAD; AWSGI_E_NULL;
 *   AWSGI_E_STALE for a reactor that was freed.
 * Ownership: unchanged.
 * Threads: owner.
 */
AWSGI_API awsgi_status awsgi_reactor_close(awsgi_reactor *reactor);

/**
 * Ends a reactor. Descriptors that were lent stay open, those given with AWSGI_OWN are closed.
 *
 * reactor: may be NULL.
 *
 * Returns: AWSGI_OK; AWSGI_E_BUSY before it is closed and empty, or while gateways are bound to
 *   it; AWSGI_E_REENTRANT in a step; AWSGI_E_THREAD; AWSGI_E_STALE for one that was freed.
 * Ownership: the pointer is void after AWSGI_OK.
 * Threads: owner.
 */
AWSGI_API awsgi_status awsgi_reactor_free(awsgi_reactor *reactor);

/* ---- Waitables: anything that can become ready ---------------------------------------------------- */

/** A flag of awsgi_waitable_descriptor: the descriptor is closed with its waitable. */
#define AWSGI_OWN 1

/** A flag of awsgi_waitable_event: it counts how often it is notified. */
#define AWSGI_COUNTER 1

/**
 * A flag of awsgi_waitable_foreign: the host repeats its report while the object is ready, and a
 * watch change holds until the next.
 */
#define AWSGI_LEVEL 0
/**
 * A flag of awsgi_waitable_foreign: the host reports once for each watch change: at once if the
 * object is ready, else when it becomes so.
 */
#define AWSGI_ONCE 1

/** A report about a waitable. */
typedef struct awsgi_notice {
    /** The waitable. */
    awsgi_waitable waitable;
    /** What happened. */
    uint32_t ready;
    /** Unused; 0. */
    uint32_t pad;
} awsgi_notice;

/**
 * Makes a waitable of a descriptor: a socket, pipe, terminal, eventfd, timerfd, pidfd, inotify or
 * epoll descriptor, or a file, which is always ready. Nothing is armed, and nothing about the
 * descriptor is read or changed. Several waitables may be made of one descriptor.
 *
 * fd: the descriptor. Close the waitable before you close it.
 * flags: 0, or AWSGI_OWN.
 * waitable: the waitable.
 *
 * Returns: AWSGI_OK; AWSGI_E_OS with EBADF if it is not open; AWSGI_E_NESTING for a descriptor of
 *   the reactor's own; AWSGI_E_STATE with AWSGI_OWN if another waitable owns it; AWSGI_E_LIMIT;
 *   AWSGI_E_INVALID for a flag that does not exist; AWSGI_E_CLOSED while the reactor closes;
 *   AWSGI_E_UNSUPPORTED on Windows; AWSGI_E_THREAD; AWSGI_E_NULL. On error a descriptor given with
 *   AWSGI_OWN stays the caller's.
 * Ownership: the descriptor stays the caller's, unless AWSGI_OWN. A waitable made by an exchange's
 *   code ends after that exchange's close; others end with awsgi_waitable_close.
 * Threads: owner, exchange.
 */
AWSGI_API
awsgi_status awsgi_waitable_descriptor(awsgi_reactor *reactor,
                                       awsgi_os_handle fd,
                                       uint32_t flags,
                                       awsgi_waitable *waitable);

/**
 * Makes a waitable of something that only the host can watch: a channel, a stream, a source. A
 * turn's watch changes say when to watch it; the host reports with awsgi_notify. What is neither
 * AWSGI_LEVEL nor AWSGI_ONCE, such as a queue that other threads push to, is an event.
 *
 * handle: the host's own name for it, which comes back in the watch changes.
 * flags: AWSGI_LEVEL or AWSGI_ONCE.
 * waitable: the waitable.
 *
 * Returns: AWSGI_OK; AWSGI_E_LIMIT; AWSGI_E_INVALID for a flag that does not exist;
 *   AWSGI_E_CLOSED while the reactor closes; AWSGI_E_THREAD; AWSGI_E_NULL.
 * Ownership: the object stays the host's; the waitable as for awsgi_waitable_descriptor. After
 *   awsgi_waitable_close a last watch change, with an interest of 0, has the host stop, if it was
 *   watched.
 * Threads: owner.
 */
AWSGI_API
awsgi_status awsgi_waitable_foreign(awsgi_reactor *reactor,
                                    uint64_t handle,
                                    uint32_t flags,
                                    awsgi_waitable *waitable);

/**
 * Makes an event: a flag, or with AWSGI_COUNTER a counter, that awsgi_notify sets from any thread,
 * and that stays set until it is taken.
 *
 * flags: 0, or AWSGI_COUNTER.
 * waitable: the waitable.
 *
 * Returns: AWSGI_OK; AWSGI_E_LIMIT; AWSGI_E_INVALID for a flag that does not exist;
 *   AWSGI_E_CLOSED while the reactor closes; AWSGI_E_THREAD; AWSGI_E_NULL.
 * Ownership: as for awsgi_waitable_descriptor.
 * Threads: owner, exchange.
 */
AWSGI_API
awsgi_status awsgi_waitable_event(awsgi_reactor *reactor,
                                  uint32_t flags,
                                  awsgi_waitable *waitable);

/**
 * Makes a timer. It is AWSGI_READABLE from its first expiration on, until that is taken, and again
 * after each period. It neither drifts nor catches up: after a delay it counts what was missed. A
 * timer for which nobody waits costs nothing.
 *
 * first: when it first expires, in nanoseconds of the reactor's clock; AWSGI_NOW: it has already.
 * period: nanoseconds between further expirations; 0: there are none.
 * waitable: the waitable.
 *
 * Returns: AWSGI_OK; AWSGI_E_INVALID for AWSGI_FOREVER; AWSGI_E_LIMIT; AWSGI_E_CLOSED while the
 *   reactor closes; AWSGI_E_THREAD; AWSGI_E_NULL.
 * Ownership: as for awsgi_waitable_descriptor.
 * Threads: owner, exchange.
 */
AWSGI_API
awsgi_status awsgi_waitable_timer(awsgi_reactor *reactor,
                                  uint64_t first,
                                  uint64_t period,
                                  awsgi_waitable *waitable);

/**
 * Takes what a waitable holds, and clears it.
 *
 * value: of an event 1 if it was notified since it was last taken, else 0; of a counter how often it
 *   was notified; of a timer how often it has expired.
 *
 * Returns: AWSGI_OK; AWSGI_E_UNSUPPORTED for what holds nothing; AWSGI_E_STALE; AWSGI_E_THREAD;
 *   AWSGI_E_NULL.
 * Ownership: nothing is kept.
 * Threads: owner, exchange.
 */
AWSGI_API
awsgi_status awsgi_waitable_take(awsgi_waitable waitable,
                                 uint64_t *value);

/**
 * Names a waitable, for people who look; see awsgi_waitable_describe.
 *
 * label, len: the name in UTF-8, in bytes; an empty one takes the old one away.
 *
 * Returns: AWSGI_OK; AWSGI_E_INVALID if it is not UTF-8; AWSGI_E_STALE; AWSGI_E_THREAD;
 *   AWSGI_E_NULL.
 * Ownership: the name is copied.
 * Threads: owner, exchange.
 */
AWSGI_API awsgi_status awsgi_waitable_label(awsgi_waitable waitable, const char *label, size_t len);

/**
 * Says in words what a waitable is, its label, and what is waited for, for people who look.
 *
 * text, capacity: where to write it, in bytes; as much as fits, ended by a NUL. (NULL, 0) asks for
 *   the length alone.
 * len: how many bytes it has without the NUL; may be NULL.
 *
 * Returns: AWSGI_OK; AWSGI_E_STALE; AWSGI_E_THREAD; AWSGI_E_NULL.
 * Ownership: nothing is kept.
 * Threads: owner, exchange.
 */
AWSGI_API
awsgi_status awsgi_waitable_describe(awsgi_waitable waitable,
                                     char *text,
                                     size_t capacity,
                                     size_t *len);

/**
 * Ends a waitable. The waits on it complete as AWSGI_CLOSED. Close it before its descriptor.
 *
 * Returns: AWSGI_OK; AWSGI_E_STALE; AWSGI_E_STATE for an exchange's own waitable, which ends with
 *   the exchange; AWSGI_E_THREAD, also for a pool thread and a waitable that its exchange did not
 *   make.
 * Ownership: the token is void; a descriptor given with AWSGI_OWN is closed, where the host watches
 *   it in the turn after the one that has the host stop.
 * Threads: owner, exchange.
 */
AWSGI_API awsgi_status awsgi_waitable_close(awsgi_waitable waitable);

/**
 * Sets an event, adds one to a counter, or reports what a foreign waitable is ready for. Takes no
 * lock, and on other threads than the owner's allocates nothing. Safe on any thread, also after the
 * waitable or its reactor is gone.
 *
 * ready: what happened: AWSGI_READABLE, ... ; it completes the waits that ask for it.
 *
 * Returns: AWSGI_OK; AWSGI_E_STALE; AWSGI_E_INVALID for other bits, or for what is not a waitable
 *   or tells by itself; AWSGI_E_LIMIT, with nothing done, for a counter that other threads have
 *   notified 33 million times since its reactor's last turn; AWSGI_E_FORKED.
 * Ownership: nothing is kept.
 * Threads: any.
 */
AWSGI_API awsgi_status awsgi_notify(awsgi_waitable waitable, uint32_t ready);

/**
 * The same for many waitables.
 *
 * notices, count: what happened to which, in elements.
 * stale: how many of them named a waitable that is gone; may be NULL. The others were notified.
 *
 * Returns: AWSGI_OK; AWSGI_E_INVALID, with nothing done, if one has bits that are no readiness, and
 *   with the others notified, if one names a waitable that tells by itself; AWSGI_E_NULL; otherwise
 *   as for awsgi_notify, with the others notified.
 * Ownership: the array stays the caller's.
 * Threads: any.
 */
AWSGI_API
awsgi_status awsgi_notify_many(const awsgi_notice *notices,
                               size_t count,
                               size_t *stale);

/* ---- Waits: wake me when any of these is ready, or at this deadline ------------------------------- */

/**
 * A flag of a wait: it completes at each readiness of its one waitable, each time but the last with
 * AWSGI_MORE. After each completion drain the descriptor, or call awsgi_wait_rearm.
 */
#define AWSGI_MULTISHOT 1
/**
 * A flag of a wait: what it waits for is dealt with on another thread, so the host is to stop
 * watching a foreign waitable for it as soon as it has ended.
 */
#define AWSGI_OFF_LOOP 2

/** A member of a set. */
typedef struct awsgi_watch {
    /** The waitable. */
    awsgi_waitable waitable;
    /** What is waited for: AWSGI_READABLE, ... */
    uint32_t interest;
    /** Unused; 0. */
    uint32_t pad;
} awsgi_watch;

/** A question. Begin with AWSGI_WAIT_SPEC_INIT, which sets the deadline to AWSGI_FOREVER. */
typedef struct awsgi_wait_spec {
    /** The size of this structure in bytes, set by AWSGI_WAIT_SPEC_INIT. */
    size_t size;
    /** The waitables, each once. (NULL, 0) with a finite deadline is a sleep. */
    const awsgi_watch *set;
    /** How many waitables; 65,535 at most. */
    size_t count;
    /**
     * How many of them have to be ready: 0 or 1 for any, count for all. One counts from the first
     * time it was ready.
     */
    uint32_t at_least;
    /** AWSGI_MULTISHOT, with a set of one; AWSGI_OFF_LOOP; or 0. */
    uint32_t flags;
    /**
     * When it ends as AWSGI_TIMED_OUT, in nanoseconds of the reactor's clock; AWSGI_NOW asks once.
     * A multishot wait ends then, too.
     */
    uint64_t deadline;
    /** Comes back in the completion. */
    uint64_t user_data;
} awsgi_wait_spec;

/** Initialises an awsgi_wait_spec: its size, no deadline, and zero otherwise. */
#define AWSGI_WAIT_SPEC_INIT \
    { sizeof(awsgi_wait_spec), NULL, 0, 0, 0, AWSGI_FOREVER, 0 }

/**
 * Starts a wait of the host's: it completes in a turn's array, exactly once, or with
 * AWSGI_MULTISHOT at each readiness and once more when it ends. When this returns AWSGI_OK the
 * kernel already watches.
 *
 * spec: the question; it and its set are copied.
 * wait: the wait's token; may be NULL.
 *
 * Returns: AWSGI_OK; AWSGI_E_INVALID for an empty set without a deadline, an interest that does
 *   not exist, or a waitable named twice; AWSGI_E_STALE for a waitable that is gone; AWSGI_E_OS
 *   with the errno of a descriptor that cannot be watched; AWSGI_E_NESTING; AWSGI_E_LIMIT;
 *   AWSGI_E_UNSUPPORTED; AWSGI_E_CLOSED while the reactor closes; AWSGI_E_THREAD; AWSGI_E_NULL.
 *   After an error nothing has changed.
 * Ownership: the token is void once its completion was delivered.
 * Threads: owner.
 */
AWSGI_API
awsgi_status awsgi_wait_start(awsgi_reactor *reactor,
                              const awsgi_wait_spec *spec,
                              awsgi_wait *wait);

/**
 * Asks a wait to end. It still completes, with what happened first.
 *
 * Returns: AWSGI_OK; AWSGI_E_STALE once its completion was delivered; AWSGI_E_THREAD.
 * Ownership: nothing is kept.
 * Threads: owner, exchange.
 */
AWSGI_API awsgi_status awsgi_wait_cancel(awsgi_wait wait);

/**
 * Removes a wait: nothing more comes of it, nor what is queued.
 *
 * Returns: AWSGI_OK; AWSGI_E_STALE once its completion was delivered; AWSGI_E_THREAD.
 * Ownership: the token is void.
 * Threads: owner, exchange.
 */
AWSGI_API awsgi_status awsgi_wait_forget(awsgi_wait wait);

/**
 * Has a multishot wait report again if its waitable is still ready, for who has not drained it. One
 * that has ended, but was not delivered, is left as it is.
 *
 * Returns: AWSGI_OK; AWSGI_E_STATE for a wait without AWSGI_MULTISHOT; AWSGI_E_STALE once its last
 *   completion was delivered; AWSGI_E_OS with the errno of a descriptor that cannot be watched any
 *   more; AWSGI_E_THREAD.
 * Ownership: nothing is kept.
 * Threads: owner, exchange.
 */
AWSGI_API awsgi_status awsgi_wait_rearm(awsgi_wait wait);

/* ---- Exchanges, the application's half ------------------------------------------------------------ */

/** A result of a step, or of a blocking application: the response is complete. */
#define AWSGI_DONE 0
/**
 * A result of a step: resume me when one of my waits completes. Of a blocking application: call me
 * again, on a pool thread, when there is body to read.
 */
#define AWSGI_SUSPEND 1
/** A result of a step: call me again, fairly. */
#define AWSGI_YIELD 2

/**
 * Starts a wait that resumes the exchange. Several may be under way; return AWSGI_SUSPEND, and the
 * next step gets what completed. What it starts never completes before the step has returned.
 *
 * spec: the question; it and its set are copied.
 * wait: the wait's token; may be NULL.
 *
 * Returns: as awsgi_wait_start; AWSGI_E_STATE in a blocking application; AWSGI_E_LIMIT beyond
 *   max_waits_per_exchange.
 * Ownership: the wait ends with the exchange.
 * Threads: exchange.
 */
AWSGI_API
awsgi_status awsgi_exchange_wait(awsgi_exchange exchange,
                                 const awsgi_wait_spec *spec,
                                 awsgi_wait *wait);

/**
 * Waits in place, and returns when the wait completed. For blocking applications.
 *
 * spec: the question, without AWSGI_MULTISHOT.
 * completion: how it ended.
 *
 * Returns: as awsgi_wait_start; AWSGI_E_STATE in a step; AWSGI_E_CLOSED once the client is gone.
 * Ownership: nothing is kept.
 * Threads: exchange.
 */
AWSGI_API
awsgi_status awsgi_exchange_await(awsgi_exchange exchange,
                                  const awsgi_wait_spec *spec,
                                  awsgi_completion *completion);

/**
 * A variable of the environ: the CGI variables and the wsgi.* keys of PEP 3333.
 *
 * key: its name, as AWSGI_SLICE("PATH_INFO").
 * value: its value, after whose last byte a NUL follows; (NULL, 0) if there is none of that name.
 *
 * Returns: AWSGI_OK, also if there is none; AWSGI_E_STALE after the exchange's end; AWSGI_E_THREAD;
 *   AWSGI_E_NULL.
 * Ownership: the value is the exchange's, and stays until its close has returned.
 * Threads: exchange.
 */
AWSGI_API
awsgi_status awsgi_exchange_environ(awsgi_exchange exchange,
                                    awsgi_slice key,
                                    awsgi_slice *value);

/**
 * The variables of the environ, one after another.
 *
 * cursor: 0 for the first; moved to the next by each call.
 * key, value: the variable; (NULL, 0) at the end.
 *
 * Returns: AWSGI_OK; AWSGI_E_AGAIN at the end; AWSGI_E_STALE; AWSGI_E_THREAD; AWSGI_E_NULL.
 * Ownership: both are the exchange's, and stay until its close has returned.
 * Threads: exchange.
 */
AWSGI_API
awsgi_status awsgi_exchange_environ_each(awsgi_exchange exchange,
                                         size_t *cursor,
                                         awsgi_slice *key,
                                         awsgi_slice *value);

/**
 * The exchange as a waitable: AWSGI_READABLE when body bytes or the end of the body can be read,
 * AWSGI_WRITABLE when there is room in the response, AWSGI_HANGUP when the client is gone,
 * AWSGI_PRIORITY when the server drains. An exchange that waits for it is resumed when the client
 * leaves, and may finish; any other suspended exchange just ends.
 *
 * waitable: the same token each time.
 *
 * Returns: AWSGI_OK; AWSGI_E_CLOSED while the reactor closes; AWSGI_E_LIMIT; AWSGI_E_STALE;
 *   AWSGI_E_THREAD; AWSGI_E_NULL.
 * Ownership: it ends with the exchange: do not close it.
 * Threads: exchange.
 */
AWSGI_API awsgi_status awsgi_exchange_self(awsgi_exchange exchange, awsgi_waitable *waitable);

/**
 * The reactor that runs the exchange: to make waitables, to ask the time.
 *
 * reactor: the reactor.
 *
 * Returns: AWSGI_OK; AWSGI_E_STALE; AWSGI_E_THREAD; AWSGI_E_NULL.
 * Ownership: the host's: do not close or free it.
 * Threads: exchange.
 */
AWSGI_API awsgi_status awsgi_exchange_reactor(awsgi_exchange exchange, awsgi_reactor **reactor);

/**
 * The reactor's clock, for deadlines.
 *
 * ns: the time in nanoseconds, as awsgi_reactor_now tells it.
 *
 * Returns: AWSGI_OK; AWSGI_E_STALE; AWSGI_E_THREAD; AWSGI_E_NULL.
 * Ownership: nothing is kept.
 * Threads: exchange.
 */
AWSGI_API awsgi_status awsgi_exchange_now(awsgi_exchange exchange, uint64_t *ns);

/**
 * Reads from the request body.
 *
 * buffer, capacity: where to, in bytes.
 * count: how many bytes were read; 0 at the end of the body.
 *
 * Returns: AWSGI_OK; in a step AWSGI_E_AGAIN when nothing is there (wait for AWSGI_READABLE on
 *   awsgi_exchange_self), while a blocking application waits for a byte or the end;
 *   AWSGI_E_CLOSED once the client is gone; AWSGI_E_STALE; AWSGI_E_THREAD; AWSGI_E_NULL.
 * Ownership: the buffer stays the caller's.
 * Threads: exchange.
 */
AWSGI_API
awsgi_status awsgi_exchange_read(awsgi_exchange exchange,
                                 void *buffer,
                                 size_t capacity,
                                 size_t *count);

/**
 * Gives the head of the response, once. It may wait before it does.
 *
 * status: 200 to 599.
 * headers, count: the header fields, and how many. Connection, Transfer-Encoding and their like are
 *   the server's. Without Content-Length the server frames the body, and sends its length if the
 *   response is complete by then.
 *
 * Returns: AWSGI_OK; AWSGI_E_INVALID for a status, name or value that cannot be sent (CR, LF, NUL);
 *   AWSGI_E_STATE if it was given before; AWSGI_E_CLOSED once the client is gone; AWSGI_E_STALE;
 *   AWSGI_E_THREAD; AWSGI_E_NULL. After an error nothing was started.
 * Ownership: everything is copied.
 * Threads: exchange.
 */
AWSGI_API
awsgi_status awsgi_exchange_start(awsgi_exchange exchange,
                                  int32_t status,
                                  const awsgi_header *headers,
                                  size_t count);

/**
 * Gives bytes of the response.
 *
 * data, len: the bytes.
 * taken: how many were taken; may be NULL. A step's are taken up to the high-water mark: if fewer
 *   than len, wait for AWSGI_WRITABLE on awsgi_exchange_self. A blocking application's are all
 *   taken, in time. Where no body may be sent (HEAD, 204, 304) they are taken and dropped.
 *
 * Returns: AWSGI_OK; AWSGI_E_STATE before awsgi_exchange_start; AWSGI_E_INVALID, with nothing
 *   taken, beyond a declared Content-Length; AWSGI_E_CLOSED once the client is gone;
 *   AWSGI_E_STALE; AWSGI_E_THREAD; AWSGI_E_NULL.
 * Ownership: the bytes are copied.
 * Threads: exchange.
 */
AWSGI_API
awsgi_status awsgi_exchange_write(awsgi_exchange exchange,
                                  const void *data,
                                  size_t len,
                                  size_t *taken);

/* ---- Applications: what they tell us, and the table of functions they receive --------------------- */

/** A style: called, suspends by returning, and is called again with what completed since. */
#define AWSGI_STEPS 1
/** A style: a coroutine, in which waits look like ordinary calls. Not in this release. */
#define AWSGI_STRAIGHT 2
/** A style: called once for an exchange, on a pool thread, which its waits block. */
#define AWSGI_BLOCKING 3

/** What an application is. Its entry point fills it in; `size` and `abi` are set already. */
typedef struct awsgi_application {
    /** The size of this structure in bytes. */
    size_t size;
    /** AWSGI_ABI_VERSION. */
    uint32_t abi;
    /** AWSGI_STEPS (the default) or AWSGI_BLOCKING. */
    uint32_t style;
    /**
     * Its name, for people who look; it ends in NUL and lives until `unload`. NULL: the file's name.
     */
    const char *name;
    /**
     * Called once per process, before anything else. `config` is what the host was given for it,
     * never NULL. Negative: it cannot serve. May be NULL.
     */
    int32_t (*load)(void *app, const char *config);
    /**
     * Called once per worker, on the worker's thread; `worker` receives what `run` is given.
     * Negative: it cannot serve here. May be NULL.
     */
    int32_t (*worker)(void *app, awsgi_reactor *reactor, void **worker);
    /**
     * Runs an exchange. Steps: called in a turn, on the owner's thread; everything may be called
     * but turn, free, release and adopt of this reactor. `done`: what completed since the last
     * step, until it returns; empty at the first. Returns AWSGI_DONE, AWSGI_SUSPEND or
     * AWSGI_YIELD. Blocking: called once, on a pool thread; returns AWSGI_DONE, or AWSGI_SUSPEND
     * to give the thread back until there is body to read: then it is called again. Negative: it
     * failed; the client gets 500 if the head is unsent, and a broken connection otherwise.
     */
    int32_t (*run)(void *worker,
                   awsgi_exchange exchange,
                   void **state,
                   const awsgi_completion *done,
                   size_t count);
    /** Ends an exchange: called exactly once, also when `run` never was. May be NULL. */
    void (*close)(void *worker, awsgi_exchange exchange, void *state);
    /** Ends what `worker` made. May be NULL. */
    void (*worker_end)(void *worker);
    /** Called by awsgi_application_unload. May be NULL. */
    void (*unload)(void *app);
    /** Given to `load`, `worker` and `unload`. */
    void *app;
} awsgi_application;

/** Initialises an awsgi_application: its size, and zero otherwise. */
#define AWSGI_APPLICATION_DEFAULT \
    { sizeof(awsgi_application), AWSGI_ABI_VERSION, 0, NULL, NULL, NULL, NULL, NULL, NULL, NULL, NULL }

/**
 * The functions of the library that loaded an application, which calls them through this table
 * and links nothing. It only grows at its end. See awsgi_application.h.
 */
typedef struct awsgi_api {
    /** The size of this structure in bytes. */
    size_t size;
    /** AWSGI_ABI_VERSION of the library. */
    uint32_t abi;
    /** Unused; 0. */
    uint32_t reserved;
    const char *(*awsgi_status_name)(awsgi_status status);
    awsgi_status (*awsgi_last_error)(char *buffer,
                                     size_t capacity,
                                     size_t *length,
                                     int32_t *os_error);
    awsgi_status (*awsgi_version)(uint32_t *number, uint32_t *abi);
    awsgi_status (*awsgi_completion_members)(const awsgi_completion *completion,
                                             awsgi_member *members,
                                             size_t capacity,
                                             size_t *count);
    awsgi_status (*awsgi_reactor_now)(awsgi_reactor *reactor, uint64_t *ns);
    awsgi_status (*awsgi_waitable_descriptor)(awsgi_reactor *reactor,
                                              awsgi_os_handle fd,
                                              uint32_t flags,
                                              awsgi_waitable *waitable);
    awsgi_status (*awsgi_waitable_event)(awsgi_reactor *reactor,
                                         uint32_t flags,
                                         awsgi_waitable *waitable);
    awsgi_status (*awsgi_waitable_timer)(awsgi_reactor *reactor,
                                         uint64_t first,
                                         uint64_t period,
                                         awsgi_waitable *waitable);
    awsgi_status (*awsgi_waitable_take)(awsgi_waitable waitable, uint64_t *value);
    awsgi_status (*awsgi_waitable_label)(awsgi_waitable waitable, const char *label, size_t len);
    awsgi_status (*awsgi_waitable_close)(awsgi_waitable waitable);
    awsgi_status (*awsgi_notify)(awsgi_waitable waitable, uint32_t ready);
    awsgi_status (*awsgi_notify_many)(const awsgi_notice *notices, size_t count, size_t *stale);
    awsgi_status (*awsgi_wait_cancel)(awsgi_wait wait);
    awsgi_status (*awsgi_wait_forget)(awsgi_wait wait);
    awsgi_status (*awsgi_wait_rearm)(awsgi_wait wait);
    awsgi_status (*awsgi_exchange_wait)(awsgi_exchange exchange,
                                        const awsgi_wait_spec *spec,
                                        awsgi_wait *wait);
    awsgi_status (*awsgi_exchange_await)(awsgi_exchange exchange,
                                         const awsgi_wait_spec *spec,
                                         awsgi_completion *completion);
    awsgi_status (*awsgi_exchange_environ)(awsgi_exchange exchange,
                                           awsgi_slice key,
                                           awsgi_slice *value);
    awsgi_status (*awsgi_exchange_environ_each)(awsgi_exchange exchange,
                                                size_t *cursor,
                                                awsgi_slice *key,
                                                awsgi_slice *value);
    awsgi_status (*awsgi_exchange_self)(awsgi_exchange exchange, awsgi_waitable *waitable);
    awsgi_status (*awsgi_exchange_reactor)(awsgi_exchange exchange, awsgi_reactor **reactor);
    awsgi_status (*awsgi_exchange_now)(awsgi_exchange exchange, uint64_t *ns);
    awsgi_status (*awsgi_exchange_read)(awsgi_exchange exchange,
                                        void *buffer,
                                        size_t capacity,
                                        size_t *count);
    awsgi_status (*awsgi_exchange_start)(awsgi_exchange exchange,
                                         int32_t status,
                                         const awsgi_header *headers,
                                         size_t count);
    awsgi_status (*awsgi_exchange_write)(awsgi_exchange exchange,
                                         const void *data,
                                         size_t len,
                                         size_t *taken);
    awsgi_status (*awsgi_waitable_describe)(awsgi_waitable waitable,
                                            char *text,
                                            size_t capacity,
                                            size_t *len);
} awsgi_api;

/** The entry point of an application. */
typedef int32_t (*awsgi_application_entry)(const awsgi_api *api,
                                           awsgi_application *application);

/**
 * Loads an application: a shared library that exports awsgi_application_main. Its `load` is
 * called once per process; loading the same file again gives the same application.
 *
 * path: the file; it ends in NUL.
 * config: for the application's `load`; it ends in NUL. NULL: "".
 * application: what it is, for awsgi_gateway_new or awsgi_server_new.
 *
 * Returns: AWSGI_OK; AWSGI_E_OS if there is no such file, or if it is no shared library;
 *   AWSGI_E_INVALID if it exports no entry point or describes itself wrongly;
 *   AWSGI_E_UNSUPPORTED if it was built for another ABI; AWSGI_E_STATE if its `load` refuses, or
 *   if it was loaded before with another config; AWSGI_E_NULL.
 * Ownership: end it with awsgi_application_unload; the library stays mapped.
 * Threads: any.
 */
AWSGI_API
awsgi_status awsgi_application_load(const char *path,
                                    const char *config,
                                    awsgi_application *application);

/**
 * The same for an application that is linked into the host.
 *
 * entry: its entry point.
 * config: for its `load`; it ends in NUL. NULL: "".
 * application: what it is.
 *
 * Returns: as awsgi_application_load.
 * Ownership: end it with awsgi_application_unload.
 * Threads: any.
 */
AWSGI_API
awsgi_status awsgi_application_link(awsgi_application_entry entry,
                                    const char *config,
                                    awsgi_application *application);

/**
 * Ends an application that no gateway or server uses any more: calls its `unload` once.
 *
 * application: may be NULL.
 *
 * Returns: AWSGI_OK; AWSGI_E_STALE if it was not loaded by awsgi_application_load or _link, or was
 *   ended before.
 * Ownership: what the application owns is gone.
 * Threads: any.
 */
AWSGI_API awsgi_status awsgi_application_unload(const awsgi_application *application);

/* ---- The gateway, and the host's half of an exchange ---------------------------------------------- */

/** Readiness of the host's half of an exchange: the head of the response is known. Once. */
#define AWSGI_HEAD (1 << 8)
/** Readiness of the host's half: output appeared after awsgi_exchange_take found none. */
#define AWSGI_BODY (1 << 9)
/** Readiness of the host's half: there is room after an awsgi_exchange_feed that took less. */
#define AWSGI_ROOM (1 << 10)
/** Readiness of the host's half: the response is complete; take what is left. Last. */
#define AWSGI_END (1 << 11)
/** Readiness of the host's half: the response cannot be completed; close the connection. Last. */
#define AWSGI_ABORT (1 << 12)

/** An application bound to a reactor, with its limits. */
typedef struct awsgi_gateway awsgi_gateway;

/**
 * How a gateway runs its exchanges. Begin with AWSGI_GATEWAY_OPTIONS_INIT; zero means the default.
 */
typedef struct awsgi_gateway_options {
    /** The size of this structure in bytes, set by AWSGI_GATEWAY_OPTIONS_INIT. */
    size_t size;
    /** Exchanges at once; 0: 1,048,576. */
    uint32_t max_exchanges;
    /** Waits of one exchange at once; 0: 64. */
    uint32_t max_waits_per_exchange;
    /** Body bytes held for an application that has not read them; 0: 65,536. */
    size_t input_buffer;
    /** Response bytes held for a host that has not sent them, the high-water mark; 0: 65,536. */
    size_t output_buffer;
    /** Threads for a blocking application, whose further exchanges are queued; 0: 16. */
    uint32_t pool_threads;
    /** 1 if other threads of the process run the same application (wsgi.multithread), else 0. */
    uint32_t multithread;
    /** The prefix of the path at which the application lies, as "/app"; NULL or "" for the root. */
    const char *script_name;
} awsgi_gateway_options;

/** Initialises an awsgi_gateway_options: its size, and zero otherwise. */
#define AWSGI_GATEWAY_OPTIONS_INIT \
    { sizeof(awsgi_gateway_options), 0, 0, 0, 0, 0, 0, NULL }

/**
 * The head of a request, as the host parsed it. Begin with AWSGI_REQUEST_INIT. Everything is
 * copied.
 */
typedef struct awsgi_request {
    /** The size of this structure in bytes, set by AWSGI_REQUEST_INIT. */
    size_t size;
    /** The method, as "GET". */
    awsgi_slice method;
    /** The raw target: a path with its query, a URL, or "*". */
    awsgi_slice target;
    /** The protocol; empty: "HTTP/1.1". */
    awsgi_slice protocol;
    /** "http" or "https"; empty: "http". */
    awsgi_slice scheme;
    /** The address of the client. */
    awsgi_slice remote_addr;
    /** The name or address under which the server was reached. */
    awsgi_slice server_name;
    /** The port of the client; 0 if it has none. */
    uint16_t remote_port;
    /** The port under which the server was reached. */
    uint16_t server_port;
    /** 1 if a body follows by awsgi_exchange_feed, else 0. */
    uint32_t body;
    /** The header fields, in the order in which they came. */
    const awsgi_header *headers;
    /** How many. */
    size_t header_count;
    /** The length of the body; -1 if feeding it will tell. Not looked at without a body. */
    int64_t content_length;
    /** Comes back in the completions of the host's half. */
    uint64_t user_data;
} awsgi_request;

/** Initialises an awsgi_request: its size, and zero otherwise. */
#define AWSGI_REQUEST_INIT \
    { sizeof(awsgi_request), { NULL, 0 }, { NULL, 0 }, { NULL, 0 }, { NULL, 0 }, { NULL, 0 }, { NULL, 0 }, 0, 0, 0, NULL, 0, 0, 0 }

/** The head of a response, checked. Begin with AWSGI_HEAD_INIT. */
typedef struct awsgi_head {
    /** The size of this structure in bytes, set by AWSGI_HEAD_INIT. */
    size_t size;
    /** The status, 200 to 599. */
    int32_t status;
    /** 1 if no body may be sent (HEAD, 204, 304), else 0. */
    uint32_t bodiless;
    /** The header fields: no CR, LF or NUL, and none that frames the message. */
    const awsgi_header *headers;
    /** How many. */
    size_t header_count;
    /** The length of the body, for the host to frame it; -1 if it is not known. */
    int64_t length;
} awsgi_head;

/** Initialises an awsgi_head: its size, and zero otherwise. */
#define AWSGI_HEAD_INIT \
    { sizeof(awsgi_head), 0, 0, NULL, 0, 0 }

/**
 * Binds an application to a reactor; calls its `worker`.
 *
 * application: from awsgi_application_load, awsgi_application_link, or filled in by the host.
 * options: NULL for the defaults.
 * gateway: the gateway.
 *
 * Returns: AWSGI_OK; AWSGI_E_STATE if the application refuses; AWSGI_E_UNSUPPORTED for a style or
 *   ABI that this library does not have; AWSGI_E_INVALID for an application without `run`, or a
 *   script_name that is no prefix; AWSGI_E_THREAD; AWSGI_E_NULL.
 * Ownership: the caller's, to be ended with awsgi_gateway_close and awsgi_gateway_free. What
 *   `application` points to is copied.
 * Threads: owner.
 */
AWSGI_API
awsgi_status awsgi_gateway_new(awsgi_reactor *reactor,
                               const awsgi_application *application,
                               const awsgi_gateway_options *options,
                               awsgi_gateway **gateway);

/**
 * Begins to drain: awsgi_gateway_open answers AWSGI_E_CLOSED, applications see AWSGI_PRIORITY on
 * awsgi_exchange_self, and in the end what is left is ended. Keep turning and serving until every
 * exchange has ended.
 *
 * within_ns: how long exchanges may still go on, in nanoseconds. Called again it can only shorten.
 *
 * Returns: AWSGI_OK; AWSGI_E_STALE; AWSGI_E_THREAD; AWSGI_E_NULL.
 * Ownership: unchanged.
 * Threads: owner.
 */
AWSGI_API awsgi_status awsgi_gateway_close(awsgi_gateway *gateway, uint64_t within_ns);

/**
 * Ends a gateway and its pool threads; calls the application's `worker_end`.
 *
 * gateway: may be NULL.
 *
 * Returns: AWSGI_OK; AWSGI_E_BUSY while exchanges are open; AWSGI_E_REENTRANT in a step;
 *   AWSGI_E_STALE; AWSGI_E_THREAD.
 * Ownership: the pointer is void after AWSGI_OK.
 * Threads: owner.
 */
AWSGI_API awsgi_status awsgi_gateway_free(awsgi_gateway *gateway);

/**
 * Opens an exchange; its application runs in the next turn. From here on completions of the turn
 * carry request.user_data, the exchange as `wait`, and AWSGI_HEAD, AWSGI_BODY, AWSGI_ROOM,
 * AWSGI_END and AWSGI_ABORT in `ready`; the last one is without AWSGI_MORE.
 *
 * request: the head of the request.
 * exchange: the exchange.
 *
 * Returns: AWSGI_OK; AWSGI_E_INVALID for a malformed request (answer 400); AWSGI_E_LIMIT if the
 *   gateway is full (503); AWSGI_E_CLOSED while it drains (503); AWSGI_E_STALE; AWSGI_E_THREAD;
 *   AWSGI_E_NULL.
 * Ownership: the host's, until awsgi_exchange_end.
 * Threads: owner.
 */
AWSGI_API
awsgi_status awsgi_gateway_open(awsgi_gateway *gateway,
                                const awsgi_request *request,
                                awsgi_exchange *exchange);

/**
 * Feeds bytes of the request body.
 *
 * data, len: the bytes. (NULL, 0) without `end` asks: AWSGI_ROOM comes when the application first
 *   wants input, which is when "Expect: 100-continue" is to be answered.
 * end: not 0: nothing follows. It counts only if all bytes were taken.
 * taken: how many were taken. If fewer than len, AWSGI_ROOM follows when there is room.
 *
 * Returns: AWSGI_OK; AWSGI_E_CLOSED if the application reads no more: drop the rest;
 *   AWSGI_E_STATE for bytes after the end, or of a request without body; AWSGI_E_STALE after
 *   awsgi_exchange_end; AWSGI_E_THREAD; AWSGI_E_NULL.
 * Ownership: the bytes are copied.
 * Threads: owner.
 */
AWSGI_API
awsgi_status awsgi_exchange_feed(awsgi_exchange exchange,
                                 const void *data,
                                 size_t len,
                                 int end,
                                 size_t *taken);

/**
 * The client left. The application is told, or ended; ABORT or END still comes.
 *
 * Returns: AWSGI_OK; AWSGI_E_STALE after awsgi_exchange_end; AWSGI_E_THREAD.
 * Ownership: unchanged: call awsgi_exchange_end.
 * Threads: owner.
 */
AWSGI_API awsgi_status awsgi_exchange_gone(awsgi_exchange exchange);

/**
 * Ends an exchange's application early. If the head of the response was not taken yet, a response
 * of this status comes in its place, by AWSGI_HEAD, AWSGI_BODY and AWSGI_END; otherwise AWSGI_ABORT.
 *
 * status: 400, 408, 413, 503 or another from 400 to 599.
 *
 * Returns: AWSGI_OK; AWSGI_E_INVALID for another status; AWSGI_E_STALE after awsgi_exchange_end;
 *   AWSGI_E_THREAD.
 * Ownership: unchanged: call awsgi_exchange_end.
 * Threads: owner.
 */
AWSGI_API
awsgi_status awsgi_exchange_fail(awsgi_exchange exchange,
                                 int32_t status);

/**
 * The head of the response, once.
 *
 * head: the head; begin with AWSGI_HEAD_INIT.
 *
 * Returns: AWSGI_OK; AWSGI_E_AGAIN until it is known; AWSGI_E_STATE if it was taken;
 *   AWSGI_E_INVALID if size was not set; AWSGI_E_STALE; AWSGI_E_THREAD; AWSGI_E_NULL.
 * Ownership: what it points to is the exchange's, until awsgi_exchange_end.
 * Threads: owner.
 */
AWSGI_API awsgi_status awsgi_exchange_head(awsgi_exchange exchange, awsgi_head *head);

/**
 * The next bytes of the response. Each byte is given once.
 *
 * slices, capacity: where to write them, in elements.
 * count: how many elements were written; 0 if nothing is there: AWSGI_BODY follows, unless `end`.
 * end: 1 if the response is complete with what was given so far, else 0; never 1 for one that was
 *   broken off, of which AWSGI_ABORT tells.
 *
 * Returns: AWSGI_OK; AWSGI_E_INVALID for a capacity of 0; AWSGI_E_STALE; AWSGI_E_THREAD;
 *   AWSGI_E_NULL.
 * Ownership: the bytes are the exchange's, until awsgi_exchange_sent covers them or the host ends
 *   the exchange.
 * Threads: owner.
 */
AWSGI_API
awsgi_status awsgi_exchange_take(awsgi_exchange exchange,
                                 awsgi_slice *slices,
                                 size_t capacity,
                                 size_t *count,
                                 int *end);

/**
 * Bytes that were taken are sent: they are released, and the application has room for as many.
 *
 * len: how many bytes, in the order in which they were taken.
 *
 * Returns: AWSGI_OK; AWSGI_E_INVALID, with nothing released, if fewer were taken; AWSGI_E_STALE;
 *   AWSGI_E_THREAD.
 * Ownership: slices that are covered are void.
 * Threads: owner.
 */
AWSGI_API awsgi_status awsgi_exchange_sent(awsgi_exchange exchange, size_t len);

/**
 * The host lets go of an exchange. If its application is unfinished, it ends: its `close` runs by
 * the next turn. To let an application that waits for its client finish by itself, call
 * awsgi_exchange_gone first, and this after AWSGI_END or AWSGI_ABORT.
 *
 * Returns: AWSGI_OK; AWSGI_E_STALE if it did before; AWSGI_E_THREAD.
 * Ownership: the token is void for the host, and everything it borrowed.
 * Threads: owner.
 */
AWSGI_API awsgi_status awsgi_exchange_end(awsgi_exchange exchange);

/* ---- The bundled HTTP server ---------------------------------------------------------------------- */

/** A server flag: listen at `fd` in place of `bind`. */
#define AWSGI_SERVER_FD 1
/** A body limit: none. */
#define AWSGI_UNLIMITED UINT64_MAX

/** A server: workers of its own, each with a thread and a reactor. */
typedef struct awsgi_server awsgi_server;

/** An application below a path. */
typedef struct awsgi_mount {
    /** The prefix, as "/app"; requests go to the longest that fits whole segments of their path. */
    const char *prefix;
    /** The application. */
    const awsgi_application *application;
} awsgi_mount;

/** What a server is to be. Begin with AWSGI_SERVER_OPTIONS_INIT; zero means the default. */
typedef struct awsgi_server_options {
    /** The size of this structure in bytes, set by AWSGI_SERVER_OPTIONS_INIT. */
    size_t size;
    /**
     * Where to listen: "ADDRESS:PORT", "[ADDRESS]:PORT" or "unix:PATH"; NULL: "127.0.0.1:8080".
     * With port 0 the kernel chooses one: see awsgi_server_address.
     */
    const char *bind;
    /**
     * With AWSGI_SERVER_FD: a stream socket that listens. A duplicate is used; it stays the
     * caller's, but is made non-blocking.
     */
    awsgi_os_handle fd;
    /** AWSGI_SERVER_FD, or 0. */
    uint32_t flags;
    /** How many workers serve, at most 256; 0: one for each processor. */
    uint32_t workers;
    /** Header fields of a request; more gets 431. 0: 100. */
    uint32_t max_headers;
    /** Bytes of the head of a request; more gets 431. 0: 32,768. */
    size_t max_header_bytes;
    /** Bytes of the body of a request; more gets 413. 0: 16,777,216. AWSGI_UNLIMITED: any. */
    uint64_t max_body;
    /** Nanoseconds for a request head to arrive; later gets 408. 0: ten seconds. */
    uint64_t header_time;
    /**
     * Nanoseconds that a connection may idle, a client keep a waiting application without body
     * (408), or take nothing of a response. 0: a minute.
     */
    uint64_t idle_time;
    /** Nanoseconds that a request may wait for max_exchanges; later gets 503. 0: five seconds. */
    uint64_t queue_time;
    /** Exchanges at once, in all workers. 0: 16,384. */
    uint32_t max_exchanges;
    /** Requests that may wait for one of them to end; one more gets 503. 0: 1,024. */
    uint32_t max_queued;
    /** Threads of each worker for each blocking application. 0: 16. */
    uint32_t pool_threads;
    /** How many mounts. */
    uint32_t mount_count;
    /** Applications below a path. */
    const awsgi_mount *mounts;
    /** Takes a line for each exchange. The workers' threads; may call nothing of this library. */
    void (*access_log)(awsgi_slice line, void *data);
    /**
     * Takes what the server has to say: AWSGI_LOG_* and a line. The workers' threads; may call
     * nothing of this library.
     */
    void (*log)(int32_t level, awsgi_slice line, void *data);
    /** Given to the hooks. */
    void *data;
} awsgi_server_options;

/** Initialises an awsgi_server_options: its size, and zero otherwise. */
#define AWSGI_SERVER_OPTIONS_INIT \
    { sizeof(awsgi_server_options), NULL, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, NULL, NULL, NULL, NULL }

/**
 * Makes a server, which listens from here on, and accepts once it runs.
 *
 * options: NULL for the defaults.
 * application: answers what no mount answers; from awsgi_application_load or _link.
 * server: the server.
 *
 * Returns: AWSGI_OK; AWSGI_E_OS if it cannot listen there (awsgi_last_error says why);
 *   AWSGI_E_INVALID for a malformed address or a limit out of its range; AWSGI_E_UNSUPPORTED in a
 *   library that was built without its server; AWSGI_E_NULL.
 * Ownership: the caller's, to be ended with awsgi_server_free. What the arguments point to is
 *   copied.
 * Threads: any.
 */
AWSGI_API
awsgi_status awsgi_server_new(const awsgi_server_options *options,
                              const awsgi_application *application,
                              awsgi_server **server);

/**
 * Where a server listens, as "http://127.0.0.1:8080" or "unix:PATH".
 *
 * buffer, capacity: where to write it, in bytes; it is cut to fit and always ends in NUL.
 * length: how many bytes it has without the NUL; may be NULL.
 *
 * Returns: AWSGI_OK; AWSGI_E_STALE; AWSGI_E_UNSUPPORTED; AWSGI_E_NULL.
 * Ownership: the buffer stays the caller's.
 * Threads: any.
 */
AWSGI_API
awsgi_status awsgi_server_address(awsgi_server *server,
                                  char *buffer,
                                  size_t capacity,
                                  size_t *length);

/**
 * Serves, on threads of the server's own that take no signals, until it was drained.
 *
 * Returns: AWSGI_OK once it was drained; AWSGI_E_STATE if it has run before; what a worker answers
 *   that cannot start; AWSGI_E_STALE; AWSGI_E_UNSUPPORTED; AWSGI_E_NULL.
 * Ownership: unchanged.
 * Threads: any.
 */
AWSGI_API awsgi_status awsgi_server_run(awsgi_server *server);

/**
 * Has a server stop accepting, let exchanges finish, and return from awsgi_server_run.
 *
 * within_ns: when what is left is ended, in nanoseconds from now. Called again it can shorten.
 *
 * Returns: AWSGI_OK; AWSGI_E_STALE; AWSGI_E_UNSUPPORTED; AWSGI_E_NULL.
 * Ownership: unchanged.
 * Threads: any.
 */
AWSGI_API awsgi_status awsgi_server_drain(awsgi_server *server, uint64_t within_ns);

/**
 * Ends a server that does not run.
 *
 * server: may be NULL.
 *
 * Returns: AWSGI_OK; AWSGI_E_BUSY while it runs; AWSGI_E_STALE; AWSGI_E_UNSUPPORTED.
 * Ownership: the pointer is void after AWSGI_OK. The application is not unloaded.
 * Threads: any.
 */
AWSGI_API awsgi_status awsgi_server_free(awsgi_server *server);

/* ---- Helpers ------------------------------------------------------------------------------------ */

/** The bytes of a string literal, without its NUL. */
#ifdef __cplusplus
#define AWSGI_SLICE(literal) (awsgi_slice AWSGI_SLICE_INIT(literal))
#else
#define AWSGI_SLICE(literal) ((awsgi_slice)AWSGI_SLICE_INIT(literal))
#endif

/** The same as an initialiser, also of what is static. */
#ifdef __cplusplus
#define AWSGI_SLICE_INIT(literal) { reinterpret_cast<const uint8_t *>("" literal), sizeof("" literal) - 1 }
#else
#define AWSGI_SLICE_INIT(literal) { (const uint8_t *)("" literal), sizeof("" literal) - 1 }
#endif

/**
 * Bytes as a slice.
 *
 * data, len: the bytes; (NULL, 0) is the empty slice.
 *
 * Returns: the slice.
 * Ownership: the bytes are borrowed.
 * Threads: any.
 */
static inline awsgi_slice awsgi_bytes(const void *data, size_t len)
{
    awsgi_slice slice;
#ifdef __cplusplus
    slice.data = static_cast<const uint8_t *>(data);
#else
    slice.data = (const uint8_t *)data;
#endif
    slice.len = len;
    return slice;
}

/**
 * The bytes of a C string as a slice, without its NUL.
 *
 * string: the string; NULL is the empty slice.
 *
 * Returns: the slice.
 * Ownership: the bytes are borrowed.
 * Threads: any.
 */
static inline awsgi_slice awsgi_string(const char *string)
{
    return awsgi_bytes(string, string ? strlen(string) : 0);
}

#ifdef __cplusplus
}
#endif

#endif /* AWSGI_H */
