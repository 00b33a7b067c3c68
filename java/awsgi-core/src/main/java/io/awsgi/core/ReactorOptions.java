package io.awsgi.core;

import java.util.Objects;
import java.util.concurrent.ThreadFactory;

/**
 * What a reactor is to be. Immutable: each method answers other options.
 *
 * <pre>{@code
 * ReactorOptions.DEFAULT.name("echo").maxWaits(100_000)
 * }</pre>
 */
public final class ReactorOptions {
    /**
     * A name of "awsgi", as many waits and waitables as the library allows (4,194,304), and plain
     * daemon threads.
     */
    public static final ReactorOptions DEFAULT =
            new ReactorOptions("awsgi", 0, 0, false, ReactorOptions::daemon);

    final String name;
    final int maxWaits;
    final int maxWaitables;
    final boolean nested;
    final ThreadFactory threads;

    private ReactorOptions(
            String name, int maxWaits, int maxWaitables, boolean nested, ThreadFactory threads) {
        this.name = name;
        this.maxWaits = maxWaits;
        this.maxWaitables = maxWaitables;
        this.nested = nested;
        this.threads = threads;
    }

    /**
     * Inherits nothing of whoever happens to need a thread first: neither class loader nor
     * variables.
     */
    private static Thread daemon(Runnable task) {
        Thread thread = new Thread(null, task, "awsgi", 0, false);
        thread.setDaemon(true);
        thread.setContextClassLoader(null);
        return thread;
    }

    /**
     * The same with a name, for people who look at threads and log lines.
     *
     * @param name the name
     * @return the options
     */
    public ReactorOptions name(String name) {
        Objects.requireNonNull(name, "name");
        return new ReactorOptions(name, maxWaits, maxWaitables, nested, threads);
    }

    /**
     * The same with a limit of waits at once.
     *
     * @param waits how many; those beyond are refused
     * @return the options
     * @throws IllegalArgumentException if it is less than 1
     */
    public ReactorOptions maxWaits(int waits) {
        return new ReactorOptions(name, checked(waits), maxWaitables, nested, threads);
    }

    /**
     * The same with a limit of waitables at once.
     *
     * @param waitables how many; those beyond are refused
     * @return the options
     * @throws IllegalArgumentException if it is less than 1
     */
    public ReactorOptions maxWaitables(int waitables) {
        return new ReactorOptions(name, maxWaits, checked(waitables), nested, threads);
    }

    private static int checked(int limit) {
        if (limit < 1) {
            throw new IllegalArgumentException(
                    limit + " is no limit: give 1 or more, or leave it out");
        }
        return limit;
    }

    /**
     * The same with a factory of the threads that run the library's code: that of a {@link
     * SelectorHost}, and the one that watches descriptors for all reactors of these classes, which
     * the first reactor makes that needs it.
     *
     * <p>The one that watches may outlive the reactor it was made for, and gets no context class
     * loader. What else a thread inherits of the one that makes it is the factory's to avoid, as
     * with the constructor of {@link Thread} that takes {@code inheritThreadLocals}. The factory
     * may not wait for other threads that use reactors.
     *
     * @param threads the factory; its threads are named and made daemons by the library
     * @return the options
     */
    public ReactorOptions threads(ThreadFactory threads) {
        Objects.requireNonNull(threads, "threads");
        return new ReactorOptions(name, maxWaits, maxWaitables, nested, threads);
    }

    /**
     * The same for a host whose loop can watch a descriptor: it watches {@link
     * ReactorBridge#descriptor} for reading, and no thread watches descriptors for it.
     *
     * @return the options
     */
    public ReactorOptions nested() {
        return new ReactorOptions(name, maxWaits, maxWaitables, true, threads);
    }

    /**
     * The same for a host whose loop watches no descriptor, as it is unless {@link #nested} was
     * called.
     *
     * @return the options
     */
    public ReactorOptions delegated() {
        return new ReactorOptions(name, maxWaits, maxWaitables, false, threads);
    }

    /** A thread of the factory's, as all of ours are. */
    Thread thread(Runnable task, String name) {
        Thread thread = threads.newThread(task);
        if (thread == null) {
            throw new IllegalStateException(
                    "the thread factory made no thread: give one that does");
        }
        thread.setName(name);
        if (!thread.isAlive()) {
            thread.setDaemon(true);
        }
        return thread;
    }
}
