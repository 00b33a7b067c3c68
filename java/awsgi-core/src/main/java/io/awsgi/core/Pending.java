package io.awsgi.core;

/** What a completion goes to: a wait with a sink, or a future. */
interface Pending {
    /**
     * Takes a completion, on the owner's thread: the last one, unless there is {@link Layout#MORE}.
     *
     * @param kind the outcome and flags, see {@link Layout}
     * @param ready the readiness of the first ready member
     * @param arg its position, and how many are ready; or why it failed
     */
    void completed(int kind, int ready, int arg);

    /** Takes it that no completion will come, because the reactor broke. */
    void failed(Throwable cause);

    /** What a wait that failed tells: an errno, or a status. */
    static Exception failure(int kind, int arg) {
        if (arg > 0) {
            return new AwsgiIOException(arg, "waiting for a descriptor");
        }
        return AwsgiException.of(
                arg, 0, (kind & Layout.REFUSED) != 0 ? "the wait was refused" : "the wait failed");
    }
}
