package io.awsgi.contract;

import io.awsgi.core.Readiness;
import io.awsgi.core.Waitable;
import java.io.IOException;

/** What a command has made to be waited for. All of it is called on the reactor's thread. */
public interface ContractObject {
    /** What is waited for. */
    Waitable waitable();

    /**
     * Makes it readable, from its other side, by a byte or message; of a socket, sends a byte.
     *
     * @throws IOException if that is refused
     * @throws UnsupportedOperationException if it has no other side
     */
    default void put() throws IOException {
        throw new UnsupportedOperationException("nothing can be put there");
    }

    /**
     * Takes what it holds, or reads all that is there, without blocking.
     *
     * @return how much that was
     * @throws IOException if that is refused
     */
    long take() throws IOException;

    /**
     * Closes its other side.
     *
     * @throws IOException if that is refused
     * @throws UnsupportedOperationException if it has none
     */
    default void hangup() throws IOException {
        throw new UnsupportedOperationException("it has no other side");
    }

    /**
     * A wait has found it ready: what every application has to do then, if there is something.
     *
     * @param ready for what
     */
    default void ready(Readiness ready) {}

    /**
     * Closes the waitable, then what is behind it.
     *
     * @throws IOException if that is refused
     */
    void close() throws IOException;
}
