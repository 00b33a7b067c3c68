package io.awsgi.core;

/**
 * Takes the completions of a wait that was started with {@link Reactor#start}. One object may serve
 * any number of waits for as long as they live, and nothing is allocated for a completion.
 */
@FunctionalInterface
public interface Sink {
    /**
     * A wait completed. What this throws goes to the thread's handler of uncaught exceptions, and
     * nothing else suffers.
     *
     * <p><b>Threads:</b> the reactor's, inside its turn: it may start, cancel and signal, and may
     * not block.
     *
     * @param wait the wait; over, unless {@code more}
     * @param outcome how it completed
     * @param ready what its first ready waitable is ready for; {@link Readiness#NONE} unless it is
     *     {@link Outcome#READY}. Of a set, {@link Wait#members} has the others
     * @param more whether further completions follow, as those of a multishot wait do until its
     *     last
     */
    void completed(Wait wait, Outcome outcome, Readiness ready, boolean more);
}
