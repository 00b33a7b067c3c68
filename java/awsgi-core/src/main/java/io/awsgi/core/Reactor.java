package io.awsgi.core;

import java.io.IOException;
import java.time.Duration;
import java.util.List;
import java.util.Objects;
import java.util.concurrent.Callable;
import java.util.concurrent.CompletableFuture;
import java.util.concurrent.ExecutionException;
import org.jspecify.annotations.Nullable;

/**
 * A readiness core as applications see it: what they wait for, and how they wait. It belongs to a
 * host, such as a {@link SelectorHost}, whose thread turns it.
 *
 * <p>A timeout counts from the call that names it, is never early, and is a value, {@link
 * Readiness#TIMED_OUT}, not an exception.
 *
 * <p><b>Threads:</b> each method says whether it is for any thread, or for the host's alone, where
 * the answer elsewhere is an {@link AwsgiException} of {@link Status#THREAD}. What completes runs
 * on the host's thread, unless it is given another executor.
 */
public final class Reactor implements AutoCloseable {
    private final ReactorBridge bridge;

    Reactor(ReactorBridge bridge) {
        this.bridge = bridge;
    }

    ReactorBridge bridge() {
        return bridge;
    }

    // ---- what can be waited for ---------------------------------------------------------------

    /**
     * Makes an event: a flag that {@link Waitable#signal} sets from any thread, and that stays set
     * until it is {@linkplain Waitable#take taken}.
     *
     * <p><b>Threads:</b> the host's.
     *
     * @return the event
     * @throws AwsgiException {@link Status#THREAD}; {@link Status#LIMIT}; {@link Status#CLOSED}
     */
    public Waitable event() {
        return open(Waitable.Kind.EVENT, Layout.EVENT, 0);
    }

    /**
     * Makes a counter: an event that counts how often it is signalled.
     *
     * <p><b>Threads:</b> the host's.
     *
     * @return the counter
     * @throws AwsgiException {@link Status#THREAD}; {@link Status#LIMIT}; {@link Status#CLOSED}
     */
    public Waitable counter() {
        return open(Waitable.Kind.COUNTER, Layout.EVENT, 1);
    }

    /**
     * Makes a timer. It is {@link Readiness#READABLE} from its first expiration on, until that is
     * {@linkplain Waitable#take taken}, and again after each period. It neither drifts nor catches
     * up: after a delay it counts what was missed.
     *
     * <p><b>Threads:</b> the host's.
     *
     * @param first when it first expires, from now
     * @param period between further expirations; {@link Duration#ZERO}: there are none
     * @return the timer
     * @throws IllegalArgumentException for a period that is negative
     * @throws AwsgiException {@link Status#THREAD}; {@link Status#LIMIT}; {@link Status#CLOSED}
     */
    public Waitable timer(Duration first, Duration period) {
        Objects.requireNonNull(first, "first");
        if (period.isNegative()) {
            throw new IllegalArgumentException(
                    "a period of " + period + " goes back in time: give 0 or more");
        }
        return open(
                Waitable.Kind.TIMER,
                Layout.TIMER,
                Math.min(Clock.after(first), Layout.FOREVER - 1),
                Clock.nanos(period));
    }

    /**
     * Makes a waitable of a descriptor of the process, as native code opens them: a socket, a pipe,
     * an eventfd. It stays the caller's, and nothing about it is changed. Close the waitable before
     * the descriptor, on the host's thread: elsewhere that is only asked for.
     *
     * <p><b>Threads:</b> the host's.
     *
     * @param descriptor its number
     * @return the waitable
     * @throws AwsgiException {@link Status#OS} with EBADF if it is not open; {@link Status#NESTING}
     *     for one of the library's own; {@link Status#THREAD}; {@link Status#LIMIT}; {@link
     *     Status#CLOSED}
     */
    public Waitable descriptor(int descriptor) {
        return open(Waitable.Kind.DESCRIPTOR, Layout.DESCRIPTOR, descriptor, 0);
    }

    /**
     * The same for a descriptor that is closed with its waitable.
     *
     * <p><b>Threads:</b> the host's.
     *
     * @param descriptor its number; on an exception it stays the caller's
     * @return the waitable
     * @throws AwsgiException as {@link #descriptor}; {@link Status#STATE} if another waitable owns
     *     it
     */
    public Waitable ownedDescriptor(int descriptor) {
        return open(Waitable.Kind.DESCRIPTOR, Layout.DESCRIPTOR, descriptor, 1);
    }

    private Waitable open(Waitable.Kind kind, int operation, long... arguments) {
        bridge.checkTakesWaits();
        return new Waitable(bridge, kind, bridge.make(operation, arguments), -1, null);
    }

    // ---- waiting ------------------------------------------------------------------------------

    /**
     * Waits for a waitable. Whatever completes the future ends the wait: cancelling it, {@code
     * orTimeout}, {@code complete}.
     *
     * <p><b>Threads:</b> any. If it is not the host's, what the waitable is ready for is taken to
     * be dealt with elsewhere, too: its host stops watching it when the wait ends.
     *
     * @param waitable what to wait for
     * @param interest for what: at least one bit; {@link Readiness#HANGUP} and {@link
     *     Readiness#ERROR} complete every wait
     * @param timeout how long at most, from now; null: for ever
     * @return what it is ready for, or {@link Readiness#TIMED_OUT}. Exceptionally: {@link
     *     AwsgiIOException} if it cannot be waited for; {@link AwsgiException} of {@link
     *     Status#STALE}, or {@link java.nio.channels.ClosedChannelException} for a channel, if it
     *     is closed meanwhile; {@link ReactorClosedException}; {@link ReactorPanicException}
     * @throws IllegalArgumentException if {@code interest} is empty
     * @throws AwsgiException {@link Status#STALE} if it was closed before, or belongs to another
     *     reactor
     */
    public CompletableFuture<Readiness> whenReady(
            Waitable waitable, Readiness interest, @Nullable Duration timeout) {
        checkOurs(waitable);
        return begin(waitable, interest, timeout, bridge.isOwner() ? 0 : Layout.OFF_LOOP);
    }

    /**
     * Waits for an object whose waitable only the host's thread can find, or make.
     *
     * <p><b>Threads:</b> any, as for {@link #whenReady(Waitable, Readiness, Duration)}.
     *
     * @param finder answers the waitable, once, on the host's thread; what it throws completes the
     *     future
     * @param interest for what
     * @param timeout how long at most, from now; null: for ever
     * @return as for a waitable
     * @throws IllegalArgumentException if {@code interest} is empty
     * @throws ReactorClosedException if the reactor was closed
     */
    public CompletableFuture<Readiness> whenReady(
            Callable<Waitable> finder, Readiness interest, @Nullable Duration timeout) {
        Objects.requireNonNull(finder, "finder");
        return begin(finder, interest, timeout, bridge.isOwner() ? 0 : Layout.OFF_LOOP);
    }

    /**
     * Completes after a time.
     *
     * <p><b>Threads:</b> any.
     *
     * @param time how long
     * @return {@link Readiness#TIMED_OUT}
     * @throws ReactorClosedException if the reactor was closed
     */
    public CompletableFuture<Readiness> sleep(Duration time) {
        return start(
                new WaitFuture(
                        bridge,
                        null,
                        Readiness.NONE,
                        Clock.after(Objects.requireNonNull(time, "time")),
                        0));
    }

    private Ending<Readiness> begin(
            Object target, Readiness interest, @Nullable Duration timeout, int flags) {
        checkInterest(interest);
        return start(new WaitFuture(bridge, target, interest, Clock.after(timeout), flags));
    }

    /**
     * Waits for a set. Whatever completes the future ends the wait.
     *
     * <p><b>Threads:</b> any, as for {@link #whenReady(Waitable, Readiness, Duration)}.
     *
     * @param question what to wait for, and for how long, from now
     * @return the members that are ready, in the order of the set; none if it timed out.
     *     Exceptionally: as for one waitable
     * @throws IllegalArgumentException for a multishot question, of which {@link #start} tells
     *     every answer; for one without waitables and without a time
     * @throws AwsgiException {@link Status#STALE} if a waitable was closed before, or belongs to
     *     another reactor
     * @throws ReactorClosedException if the reactor was closed
     */
    public CompletableFuture<List<Member>> whenReady(Question question) {
        return begin(bridge.isOwner() ? question : question.offLoop());
    }

    private Ending<List<Member>> begin(Question question) {
        if (question.multishot) {
            throw new IllegalArgumentException(
                    "a future completes once, a multishot wait again and again: start it with a sink");
        }
        check(question);
        return start(new SetFuture(bridge, question, Clock.after(question.timeout)));
    }

    private <T> Ending<T> start(Ending<T> wait) {
        if (!bridge.isOpen()) {
            throw bridge.closedException();
        }
        if (bridge.isOwner()) {
            wait.run();
        } else if (!bridge.enqueue(wait)) {
            throw bridge.closedException();
        }
        return wait;
    }

    /**
     * Waits for a waitable, blocking the calling thread, which may be a virtual one: it parks in
     * Java, and pins nothing.
     *
     * <p>An interrupt ends it at once, and leaves the waitable as it is.
     *
     * <p><b>Threads:</b> any but the host's.
     *
     * @param waitable what to wait for
     * @param interest for what
     * @param timeout how long at most, from now; null: for ever
     * @return what it is ready for, or {@link Readiness#TIMED_OUT}
     * @throws IOException {@link AwsgiIOException} if it cannot be waited for; {@link
     *     java.nio.channels.ClosedChannelException} for a channel that is closed meanwhile
     * @throws InterruptedException if the thread was interrupted before, or is while it waits
     * @throws IllegalStateException on the host's thread, which would wait for itself
     * @throws AwsgiException as for {@link #whenReady(Waitable, Readiness, Duration)}
     */
    public Readiness awaitReady(Waitable waitable, Readiness interest, @Nullable Duration timeout)
            throws IOException, InterruptedException {
        checkOurs(waitable);
        return await(waitable, interest, timeout);
    }

    /**
     * The same for an object whose waitable only the host's thread can find, or make.
     *
     * <p><b>Threads:</b> any but the host's.
     *
     * @param finder answers the waitable, once, on the host's thread
     * @param interest for what
     * @param timeout how long at most, from now; null: for ever
     * @return what it is ready for, or {@link Readiness#TIMED_OUT}
     * @throws IOException as for a waitable, and whatever {@code finder} throws
     * @throws InterruptedException if the thread was interrupted before, or is while it waits
     * @throws IllegalStateException on the host's thread
     */
    public Readiness awaitReady(
            Callable<Waitable> finder, Readiness interest, @Nullable Duration timeout)
            throws IOException, InterruptedException {
        return await(Objects.requireNonNull(finder, "finder"), interest, timeout);
    }

    /**
     * Waits for a set, blocking the calling thread, which may be a virtual one.
     *
     * <p><b>Threads:</b> any but the host's.
     *
     * @param question what to wait for, and for how long, from now
     * @return the members that are ready, in the order of the set; none if it timed out
     * @throws IOException as for one waitable
     * @throws InterruptedException if the thread was interrupted before, or is while it waits
     * @throws IllegalStateException on the host's thread
     * @throws IllegalArgumentException as {@link #whenReady(Question)}
     * @throws AwsgiException as {@link #whenReady(Question)}
     */
    public List<Member> awaitReady(Question question) throws IOException, InterruptedException {
        checkMayBlock();
        return await(begin(question.offLoop()));
    }

    private Readiness await(Object target, Readiness interest, @Nullable Duration timeout)
            throws IOException, InterruptedException {
        checkMayBlock();
        return await(begin(target, interest, timeout, Layout.OFF_LOOP));
    }

    private void checkMayBlock() throws InterruptedException {
        if (bridge.isOwner()) {
            throw new IllegalStateException(
                    "the host's thread would wait for itself: use whenReady here, or wait on another thread");
        }
        if (Thread.interrupted()) {
            throw new InterruptedException();
        }
    }

    private static <T> T await(Ending<T> wait) throws IOException, InterruptedException {
        try {
            return wait.get();
        } catch (InterruptedException interrupt) {
            wait.cancel(false);
            throw interrupt;
        } catch (ExecutionException failure) {
            Throwable cause = failure.getCause();
            if (cause instanceof IOException io) {
                throw io;
            }
            if (cause instanceof RuntimeException runtime) {
                throw runtime;
            }
            if (cause instanceof Error error) {
                throw error;
            }
            throw new IOException(cause);
        }
    }

    /**
     * Starts a wait that completes in a sink: for sets, multishot waits, and those who count
     * nanoseconds.
     *
     * <p><b>Threads:</b> the host's.
     *
     * @param question what to wait for
     * @param sink where its completions go, from the reactor's next turn on
     * @return the wait
     * @throws IllegalArgumentException for a question without waitables and without a time
     * @throws AwsgiException {@link Status#STALE} if a waitable was closed, or belongs to another
     *     reactor; {@link Status#THREAD}; {@link Status#CLOSED}
     */
    public Wait start(Question question, Sink sink) {
        Objects.requireNonNull(sink, "sink");
        return start(question, sink, Clock.after(question.timeout));
    }

    Wait start(Question question, Sink sink, long deadline) {
        bridge.checkTakesWaits();
        check(question);
        Wait wait = new Wait(bridge, question, sink);
        bridge.armSet(wait, question, deadline);
        return wait;
    }

    private void check(Question question) {
        if (question.waitables.length == 0 && question.timeout == null) {
            throw new IllegalArgumentException(
                    "the question has no end: give a waitable, or a time");
        }
        for (Waitable waitable : question.waitables) {
            checkOurs(waitable);
        }
    }

    static void checkInterest(Readiness interest) {
        if (interest.bits() == 0) {
            throw new IllegalArgumentException(
                    "the interest is empty: give at least one bit, such as Readiness.READABLE");
        }
    }

    void checkOurs(Waitable waitable) {
        if (waitable.bridge != bridge) {
            throw AwsgiException.of(
                    Status.STALE.number(),
                    0,
                    "the waitable belongs to another reactor: give one that was made with this one");
        }
        waitable.checkOpen();
    }

    // ---- the host's thread --------------------------------------------------------------------

    /**
     * Runs a task on the host's thread, in its next turn. What it throws goes to the thread's
     * handler of uncaught exceptions.
     *
     * <p><b>Threads:</b> any.
     *
     * @param task the task
     * @throws ReactorClosedException if the reactor was closed
     */
    public void execute(Runnable task) {
        Objects.requireNonNull(task, "task");
        if (!bridge.isOpen() || !bridge.enqueue(task)) {
            throw bridge.closedException();
        }
    }

    /**
     * Calls something on the host's thread, in its next turn: that is how another thread makes a
     * waitable.
     *
     * <pre>{@code
     * Waitable event = reactor.call(reactor::event).join();
     * }</pre>
     *
     * <p><b>Threads:</b> any; only the host's may not wait for the answer.
     *
     * @param <T> what it answers
     * @param work what to call
     * @return its answer, or what it threw
     * @throws ReactorClosedException if the reactor was closed
     */
    public <T> CompletableFuture<T> call(Callable<T> work) {
        Objects.requireNonNull(work, "work");
        CompletableFuture<T> answer = new CompletableFuture<>();
        execute(
                () -> {
                    try {
                        answer.complete(work.call());
                    } catch (Throwable failure) {
                        answer.completeExceptionally(failure);
                    }
                });
        return answer;
    }

    /**
     * Whether this is the host's thread.
     *
     * <p><b>Threads:</b> any.
     *
     * @return whether it is
     */
    public boolean inLoop() {
        return bridge.isOwner();
    }

    /**
     * What it has done so far, and what it holds.
     *
     * <p><b>Threads:</b> the host's.
     *
     * @return the figures
     * @throws AwsgiException {@link Status#THREAD}; {@link Status#CLOSED}
     */
    public Stats stats() {
        return bridge.stats();
    }

    /**
     * The {@code awsgi_reactor} of this, for native code that is called on the host's thread and
     * uses the C functions of the library that is loaded as {@link Awsgi#libraryPath}. It may make
     * waitables with it, and may not turn or free it.
     *
     * <p><b>Threads:</b> the host's.
     *
     * @return its address
     * @throws AwsgiException {@link Status#THREAD}; {@link Status#CLOSED}
     */
    public long pointer() {
        bridge.watchForNativeCode();
        // What that code does, the library alone knows.
        bridge.due();
        return bridge.submit(Layout.POINTER);
    }

    // ---- the end ------------------------------------------------------------------------------

    /**
     * Whether it takes waits.
     *
     * <p><b>Threads:</b> any.
     *
     * @return false once it was closed, or is being closed
     */
    public boolean isOpen() {
        return bridge.isOpen();
    }

    /**
     * Closes it when the waits that it has are over, or after this time: those that are left
     * complete as {@link Outcome#CLOSED}. From now on it takes no new ones.
     *
     * <p><b>Threads:</b> any; only the host's may not wait for the answer.
     *
     * @param grace how long at most, from now
     * @return completes when it is gone
     */
    public CompletableFuture<Void> close(Duration grace) {
        bridge.shutdown(Clock.after(Objects.requireNonNull(grace, "grace")));
        return whenClosed();
    }

    /**
     * Closes it now: its waits complete as {@link Outcome#CLOSED}. A second call does nothing.
     *
     * <p><b>Threads:</b> any. Only on the host's thread, and not inside of a turn, it is gone when
     * this returns.
     */
    @Override
    public void close() {
        bridge.close();
    }

    /**
     * Completes when it is gone.
     *
     * <p><b>Threads:</b> any.
     *
     * @return the end; exceptionally, if a bug of the library keeps it from ending: what it holds
     *     stays taken
     */
    public CompletableFuture<Void> whenClosed() {
        return bridge.whenClosed().copy();
    }

    @Override
    public String toString() {
        return bridge.toString();
    }
}
