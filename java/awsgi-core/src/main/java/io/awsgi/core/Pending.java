package io.awsgi.core;

/**
 * What a completion goes to: a {@link Wait}, or a {@link WaitFuture}. No interface of theirs, which
 * would have methods that anybody could call.
 */
final class Pending {
    private Pending() {}

    /**
     * Takes a completion, on the owner's thread: the last one, unless there is {@link Layout#MORE}.
     *
     * @param half the second half of its record: outcome and flags, see {@link Layout}; the
     *     readiness of the first ready member; its position, and how many are ready, or why it
     *     failed
     */
    static void completed(Object pending, long half) {
        if (pending instanceof Wait wait) {
            wait.completed(half);
        } else {
            ((WaitFuture) pending).completed(half);
        }
    }

    /** Takes it that no completion will come, because the reactor broke. */
    static void failed(Object pending, Throwable cause) {
        if (pending instanceof WaitFuture future) {
            future.failed(cause);
        } else {
            ((Wait) pending).failed(cause);
        }
    }

    /** What a wait that failed tells: an errno, or a status. */
    static Exception failure(int kind, int arg) {
        if (arg > 0) {
            return new AwsgiIOException(arg, "waiting for a descriptor");
        }
        return AwsgiException.of(
                arg, 0, (kind & Layout.REFUSED) != 0 ? "the wait was refused" : "the wait failed");
    }
}
