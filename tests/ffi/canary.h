/* Functions that break the promises of awsgi.h, each in one way. tests/ffi.rs adds them to a build of the library, and
 * has the harness find every one of them. */
#ifndef AWSGI_CANARY_H
#define AWSGI_CANARY_H

#include "awsgi.h"

/**
 * Follows the pointer that it is given.
 *
 * Returns: AWSGI_OK; AWSGI_E_NULL; AWSGI_E_STALE; AWSGI_E_THREAD.
 * Ownership: nothing is kept.
 * Threads: owner.
 */
AWSGI_API awsgi_status awsgi_canary_follows(awsgi_reactor *reactor);

/**
 * Takes NULL for something.
 *
 * Returns: AWSGI_OK; AWSGI_E_NULL; AWSGI_E_STALE; AWSGI_E_THREAD.
 * Ownership: nothing is kept.
 * Threads: owner.
 */
AWSGI_API awsgi_status awsgi_canary_accepts(awsgi_reactor *reactor);

/**
 * Leaves its result unwritten when it fails.
 *
 * Returns: AWSGI_OK; AWSGI_E_STALE; AWSGI_E_THREAD; AWSGI_E_NULL.
 * Ownership: nothing is kept.
 * Threads: owner.
 */
AWSGI_API awsgi_status awsgi_canary_leaves(awsgi_waitable waitable, uint64_t *value);

/**
 * Answers what it does not document.
 *
 * Returns: AWSGI_OK; AWSGI_E_STALE; AWSGI_E_THREAD.
 * Ownership: nothing is kept.
 * Threads: owner.
 */
AWSGI_API awsgi_status awsgi_canary_surprises(awsgi_waitable waitable);

/**
 * Changes something although it refuses.
 *
 * Returns: AWSGI_OK; AWSGI_E_INVALID; AWSGI_E_THREAD; AWSGI_E_NULL.
 * Ownership: nothing is kept.
 * Threads: owner.
 */
AWSGI_API awsgi_status awsgi_canary_changes(awsgi_reactor *reactor, uint32_t flags);

/**
 * Writes one byte more than there is room for.
 *
 * Returns: AWSGI_OK; AWSGI_E_NULL.
 * Ownership: nothing is kept.
 * Threads: any.
 */
AWSGI_API awsgi_status awsgi_canary_exceeds(char *text, size_t capacity);

/**
 * Forgets memory.
 *
 * Returns: AWSGI_OK; AWSGI_E_NULL.
 * Ownership: nothing is kept.
 * Threads: any.
 */
AWSGI_API awsgi_status awsgi_canary_forgets(uint64_t *value);

/**
 * Leaves a descriptor open.
 *
 * Returns: AWSGI_OK; AWSGI_E_NULL.
 * Ownership: nothing is kept.
 * Threads: any.
 */
AWSGI_API awsgi_status awsgi_canary_opens(uint64_t *value);

/**
 * Never returns when its number is 3.
 *
 * Returns: AWSGI_OK; AWSGI_E_INVALID.
 * Ownership: nothing is kept.
 * Threads: any.
 */
AWSGI_API awsgi_status awsgi_canary_hangs(uint32_t number);

/**
 * Refuses nothing, although it says that it does.
 *
 * Returns: AWSGI_OK; AWSGI_E_INVALID.
 * Ownership: nothing is kept.
 * Threads: any.
 */
AWSGI_API awsgi_status awsgi_canary_lets(uint32_t number);

/**
 * Takes nothing that could be wrong.
 *
 * Returns: AWSGI_OK.
 * Ownership: nothing is kept.
 * Threads: any.
 */
AWSGI_API awsgi_status awsgi_canary_takes_nothing(void);

/**
 * Behaves: the harness has to find nothing.
 *
 * Returns: AWSGI_OK; AWSGI_E_STALE; AWSGI_E_UNSUPPORTED; AWSGI_E_THREAD; AWSGI_E_NULL.
 * Ownership: nothing is kept.
 * Threads: owner.
 */
AWSGI_API awsgi_status awsgi_canary_behaves(awsgi_waitable waitable, uint64_t *value);

#endif
