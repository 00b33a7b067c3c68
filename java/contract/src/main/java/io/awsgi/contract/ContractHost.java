package io.awsgi.contract;

import io.awsgi.core.Reactor;
import io.awsgi.core.Readiness;
import java.io.IOException;
import java.util.Map;
import java.util.function.Consumer;

/**
 * A host that is checked: what the {@link Driver} needs of it. Who has written one for Java
 * implements this, with a public constructor that takes nothing, and names the class to the driver.
 *
 * <p>The constructor and {@link #run} are called on the main thread. The reactor may live on
 * another, if that is the loop's.
 */
public interface ContractHost {
    /** As in the matrix. */
    String name();

    /** {@code owned}, {@code nested} or {@code delegated}. */
    default String mode() {
        return "delegated";
    }

    /** Of its objects: {@code level}, {@code once} or {@code both}; empty if it has none. */
    String kind();

    /** The things of docs/contract.md that it cannot do, and why. */
    default Map<String, String> cannot() {
        return Map.of();
    }

    /** Its reactor. */
    Reactor reactor();

    /**
     * Runs the loop, or waits for the thread that does.
     *
     * @throws Exception if the loop failed: the driver says so, and fails
     */
    void run() throws Exception;

    /**
     * Has the loop do this soon, as any other work that it has beside the reactor: on the reactor's
     * thread, and outside of a turn. What comes of it is the driver's; to have the reactor notice
     * it, the host does what it does for all others. Any thread.
     *
     * @param task never throws
     */
    void execute(Runnable task);

    /**
     * Limits the turns that follow. The reactor's thread.
     *
     * @param events see {@link io.awsgi.core.ReactorBridge#limitTurns}
     * @param completions the same
     */
    void limitTurns(int events, int completions);

    /**
     * Makes an object that the host watches. The reactor's thread.
     *
     * @param once whether it is reported once for each watch change, and not as long as it is ready
     * @param told to be called with each watch change for it, once the host has applied that
     * @return the object, which is not ready
     * @throws IOException if the operating system refuses
     */
    ContractObject foreign(boolean once, Consumer<Readiness> told) throws IOException;

    /**
     * Opens a TCP connection, as an application of the host would. The reactor's thread.
     *
     * @param port where the other side listens, of 127.0.0.1
     * @return the socket, connected or connecting
     * @throws IOException if the operating system refuses
     */
    default ContractObject socket(int port) throws IOException {
        return Descriptors.socket(reactor(), port);
    }
}
