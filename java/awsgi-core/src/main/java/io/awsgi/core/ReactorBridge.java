package io.awsgi.core;

import java.lang.invoke.MethodHandles;
import java.lang.invoke.VarHandle;
import java.lang.ref.Reference;
import java.nio.ByteBuffer;
import java.nio.LongBuffer;
import java.util.ArrayList;
import java.util.Arrays;
import java.util.List;
import java.util.concurrent.CompletableFuture;
import java.util.concurrent.ConcurrentLinkedQueue;
import java.util.function.BiConsumer;
import org.jspecify.annotations.Nullable;

/**
 * A reactor in an event loop of your own: what {@link SelectorHost} is built on, and what a loop
 * without a {@link java.nio.channels.Selector} uses directly. The loop calls {@link #turn} before
 * it sleeps and sleeps no longer than {@link #timeoutNanos}; what it watches for the reactor it
 * reports with {@link Waitable#signal}.
 *
 * <pre>{@code
 * try (ReactorBridge bridge = ReactorBridge.open(host, ReactorOptions.DEFAULT)) {
 *     while (bridge.turn()) {
 *         sleepUntilWokenOrReady(bridge.timeoutNanos());
 *     }
 * }
 * }</pre>
 *
 * <p><b>Threads:</b> the thread that opens it owns it, and makes all calls but those that say
 * otherwise; it has to be a platform thread. Elsewhere the answer is an {@link AwsgiException} of
 * {@link Status#THREAD}.
 */
public final class ReactorBridge implements AutoCloseable {
    /** What a loop does for its reactor. */
    public interface Host {
        /**
         * Have the loop call {@link ReactorBridge#turn} soon, also if it sleeps, or is about to.
         *
         * <p><b>Threads:</b> any; at most once between the beginnings of two turns. It may not
         * block, nor throw: who needed the loop has that thrown at him, and the loop hears of it
         * from the next one who does, or in its next turn.
         */
        void wakeup();

        /**
         * Watch an object from now on for this, in place of what was said before. When it is ready,
         * report it with {@link Waitable#signal}: of an object opened {@link ReactorBridge#level},
         * in each round while it is ready; of one opened {@link ReactorBridge#once}, one time for
         * each call of this, at once if it is ready, else when it becomes so.
         *
         * <p>What is reported after the reactor was closed, and before the turn that says so, is
         * passed over. A report of a waitable that was closed, before this said to stop, is {@link
         * Status#STALE}, which a host may ignore.
         *
         * <p><b>Threads:</b> the owner's, inside {@link ReactorBridge#turn}.
         *
         * @param waitable what was made for the object, which is its {@link Waitable#attachment}
         * @param interest what to watch it for; {@link Readiness#NONE}: stop
         */
        void watch(Waitable waitable, Readiness interest);

        /**
         * Somebody waits anew for what is watched already, or goes on waiting: nothing changes, and
         * most hosts have nothing to do. For those who watch an object in another way once it is in
         * another state, as a connection that is established.
         *
         * <p><b>Threads:</b> the owner's. It may not throw.
         *
         * @param waitable what was made for the object
         * @param interest what it is watched for
         */
        default void armed(Waitable waitable, Readiness interest) {}

        /**
         * Somebody waits for an object opened {@link ReactorBridge#once}. A host that watches it
         * from now on for this, too, as if {@link #watch} had said so, spares its loop a crossing:
         * the wait then crosses together with the report.
         *
         * <p>Nobody takes it back: of a wait that ends in the crossing that brings it, because it
         * was cancelled meanwhile or its time is over, nothing is left to stop. The host then
         * reports once to nobody, or watches on until {@link #watch} says something else or the
         * waitable is closed: so it may cost a report, and may not hold anything open.
         *
         * <p><b>Threads:</b> the owner's. It may not throw.
         *
         * @param waitable what was made for the object
         * @param interest what for, beside what it is watched for already
         * @return whether it does; if not, {@link #watch} is called when that is needed
         */
        default boolean watchAhead(Waitable waitable, Readiness interest) {
            return false;
        }

        /**
         * {@link ReactorBridge#timeoutNanos} is less than it was: something has to cross before the
         * loop sleeps, or a deadline is nearer. For a loop that turns only when there is something
         * to do; one that turns in each round asks anyway.
         *
         * <p><b>Threads:</b> the owner's, outside of {@link ReactorBridge#turn}. It may not throw.
         */
        default void due() {}

        /**
         * The reactor is gone, and asks for nothing any more: give back what the loop had for it.
         *
         * <p><b>Threads:</b> the owner's, at the end of the last {@link ReactorBridge#turn}.
         */
        default void closed() {}
    }

    private static final int WRITABLE = Readiness.WRITABLE.bits();

    /**
     * At most so many tasks of other threads run in a turn, or they could keep it from its work for
     * ever.
     */
    private static final int TASKS = 1024;

    /**
     * Above its place, in the name by which the library knows an object of the host's: native code
     * that makes waitables in the same reactor gives names of its own.
     */
    private static final long OURS = 0x61777367L << 32;

    /** What lies behind it has come too late for this turn. */
    private static final Runnable LAST = ReactorBridge::nothing;

    /** After so many turns that failed, a reactor that is to end is left as it is. */
    private static final int FAILURES = 3;

    private static final System.Logger LOG = System.getLogger("io.awsgi");
    private static final VarHandle WOKEN;

    static {
        try {
            WOKEN =
                    MethodHandles.lookup()
                            .findVarHandle(ReactorBridge.class, "woken", boolean.class);
        } catch (ReflectiveOperationException impossible) {
            throw new ExceptionInInitializerError(impossible);
        }
    }

    /** What becomes of a reactor, in this order. */
    private enum Phase {
        OPEN,
        /** It takes no new waits; those that it has may complete. */
        DRAINING,
        /** It was told to end. */
        SHUT,
        FREED
    }

    private final Host host;
    private final ReactorOptions options;
    private final Thread owner;
    private final ByteBuffer block;
    private final LongBuffer completions;
    private final LongBuffer changes;
    private final Ring ring;
    private final Slots slots = new Slots();
    private final ConcurrentLinkedQueue<Runnable> tasks = new ConcurrentLinkedQueue<>();
    private final CompletableFuture<Void> closed = new CompletableFuture<>();
    private final Reactor reactor;
    private final Leak leak;

    /** 0 once it was freed. */
    private long context;

    private volatile Phase phase = Phase.OPEN;

    /** The host was woken, and has not turned since. */
    @SuppressWarnings("unused") // Through WOKEN.
    private volatile boolean woken;

    /** The host failed to be woken, and has not turned since. */
    private volatile boolean unheard;

    private boolean turning;

    /** {@link #LAST} is among the tasks. */
    private boolean marked;

    /** Something has to cross before the host sleeps. */
    private boolean due;

    /** The library has work left. */
    private boolean more;

    private long nextDeadline = Layout.FOREVER;

    /** The earliest deadline of what lies in the ring. */
    private long armedDeadline = Layout.FOREVER;

    /** While it drains: when it is shut at the latest. */
    private long shutAt = Layout.FOREVER;

    /** Objects that the host watches, by their places, and the places that are free. */
    private @Nullable Waitable[] foreign = new @Nullable Waitable[16];

    private int[] freePlaces = new int[16];
    private int freePlaceCount;
    private int places;

    /**
     * How many of them the host watches for WRITABLE. While there are none, who goes on is not
     * looked at: each object that a completion touches costs a server with many connections.
     */
    private int writing;

    /** Who checks the host, and hears what it was told. */
    private @Nullable BiConsumer<Waitable, Readiness> listener;

    /** Closed, but the host may still have to be told to stop. */
    private final List<Waitable> leaving = new ArrayList<>();

    private ReactorBridge(Host host, ReactorOptions options) {
        this.host = host;
        this.options = options;
        this.owner = Thread.currentThread();
        this.block = Layout.block();
        this.ring = new Ring(block);
        this.completions = Layout.ring(block, Layout.COMPLETIONS);
        this.changes = Layout.ring(block, Layout.CHANGES);
        this.context =
                Native.open(
                        block,
                        options.nested ? Layout.NESTED : Layout.DELEGATED,
                        options.maxWaitables,
                        options.maxWaits);
        this.reactor = new Reactor(this);
        this.leak = Leak.watch(this, options.name);
        Watcher.add(number(), this);
    }

    /**
     * Makes a reactor, which the calling thread owns.
     *
     * @param host the loop
     * @param options what it is to be
     * @return the bridge, to be {@linkplain #close closed}
     * @throws AwsgiLinkageError if there is no native library: see {@link
     *     Awsgi#unavailabilityCause}
     * @throws IllegalStateException on a virtual thread, which is carried by one thread now and by
     *     another then
     * @throws AwsgiException {@link Status#LIMIT} beyond 1,024 reactors; {@link Status#OS} if the
     *     kernel refuses
     */
    public static ReactorBridge open(Host host, ReactorOptions options) {
        java.util.Objects.requireNonNull(host, "host");
        java.util.Objects.requireNonNull(options, "options");
        Awsgi.ensureAvailable();
        Threads.checkPlatform();
        return new ReactorBridge(host, options);
    }

    // ---- for the loop -------------------------------------------------------------------------

    /**
     * Its reactor, for applications.
     *
     * @return the reactor
     */
    public Reactor reactor() {
        return reactor;
    }

    /**
     * Makes a waitable of an object that stays ready: while it is, the host reports it in each
     * round of its loop, as a {@code Selector} does. What the host is told to watch holds until it
     * is told otherwise.
     *
     * @param object the object, for the host
     * @return its waitable
     * @throws AwsgiException {@link Status#THREAD}; {@link Status#LIMIT}; {@link Status#CLOSED}
     */
    public Waitable level(Object object) {
        return open(Waitable.Kind.LEVEL, object);
    }

    /**
     * Makes a waitable of an object that is reported one time for each call of {@link Host#watch}:
     * at once if it is ready, else when it becomes so. A queue that other threads push to is no
     * such object, but an {@link Reactor#event event}.
     *
     * @param object the object, for the host
     * @return its waitable
     * @throws AwsgiException {@link Status#THREAD}; {@link Status#LIMIT}; {@link Status#CLOSED}
     */
    public Waitable once(Object object) {
        return open(Waitable.Kind.ONCE, object);
    }

    private Waitable open(Waitable.Kind kind, Object object) {
        java.util.Objects.requireNonNull(object, "object");
        checkTakesWaits();
        if (freePlaceCount == 0 && places == foreign.length) {
            // Before anything is made that would be lost if there is no memory.
            @Nullable Waitable[] more = Arrays.copyOf(foreign, places * 2);
            freePlaces = Arrays.copyOf(freePlaces, places * 2);
            foreign = more;
        }
        int place = freePlaceCount > 0 ? freePlaces[freePlaceCount - 1] : places;
        long token = make(Layout.FOREIGN, OURS | place, kind == Waitable.Kind.ONCE ? 1 : 0);
        Waitable waitable = new Waitable(this, kind, token, place, object);
        if (freePlaceCount > 0) {
            freePlaceCount--;
        } else {
            places++;
        }
        foreign[place] = waitable;
        return waitable;
    }

    /**
     * One bounded step: runs what other threads asked for, crosses into the library once, tells the
     * host what to watch, and completes waits. It never blocks.
     *
     * @return whether the reactor lives; false once it is closed and freed
     * @throws ReactorPanicException if a bug of the library was caught; close the bridge
     * @throws AwsgiException {@link Status#THREAD}; {@link Status#REENTRANT} inside a turn; {@link
     *     Status#OS} if the kernel refuses to say which descriptors are ready
     */
    public boolean turn() {
        checkOwner();
        if (phase == Phase.FREED) {
            return false;
        }
        checkNotTurning();
        turning = true;
        try {
            return turnOnce();
        } finally {
            turning = false;
        }
    }

    private boolean turnOnce() {
        // Before the queue is looked at: who adds to it later wakes again.
        WOKEN.setVolatile(this, false);
        if (unheard) {
            unheard = false;
        }
        runTasks();
        long now = Clock.now();
        if (phase == Phase.DRAINING && (slots.live() == 0 || now >= shutAt)) {
            shut();
        }
        armedDeadline = Layout.FOREVER;
        long answer = Native.turn(context, ring.count(), now);
        ring.crossed();
        // What did not fit has not crossed.
        due = ring.count() > 0;
        if (answer < 0) {
            fail();
        }
        int flags = (int) (answer >>> Layout.FLAGS_SHIFT) & 0xff;
        more = (flags & Layout.TURN_MORE) != 0;
        nextDeadline = block.getLong(Layout.NEXT_DEADLINE);
        if ((flags & ~Layout.TURN_MORE) != 0) {
            try {
                heed(flags);
            } catch (Throwable failure) {
                // A thread factory or a logger failed: what the turn has brought is not lost by it.
                Threads.uncaught(failure);
            }
        }
        if ((flags & (Layout.TURN_CLOSED | Layout.TURN_CLOSING)) != 0) {
            // Native code may have closed it: nothing new would ever complete.
            phase = Phase.SHUT;
        }
        // Both counts before anything is called, which may use the block.
        int changes = (int) (answer >>> Layout.CHANGES_SHIFT) & Layout.COUNT_MASK;
        int completions = (int) answer & Layout.COUNT_MASK;
        for (int at = 0; at < changes; at++) {
            change(at);
        }
        for (int at = 0; at < completions; at++) {
            complete(at);
        }
        if (!leaving.isEmpty() && !more) {
            leave();
        }
        // What it waited for is over.
        due |= phase == Phase.DRAINING && slots.live() == 0;
        if ((flags & Layout.TURN_CLOSED) != 0) {
            free();
            return false;
        }
        return true;
    }

    /** Throws what the library kept of a turn that failed. */
    private void fail() {
        // A turn that failed may have left something behind.
        more = true;
        try {
            submit(Layout.FAILURE);
        } catch (ReactorPanicException bug) {
            broken(bug);
            throw bug;
        }
    }

    /** What it was asked, or about to tell, is lost: nobody may wait for it. */
    private void broken(ReactorPanicException bug) {
        // Also if it was told to end: that may be among it.
        phase = Phase.DRAINING;
        shutAt = 0;
        slots.failAll(bug);
    }

    private static void nothing() {}

    /** Runs the tasks that are there; what those add is for the next turn. */
    private void runTasks() {
        if (tasks.isEmpty()) {
            return;
        }
        // Where there were more than a turn allows, that of an earlier one is there still.
        if (!marked) {
            tasks.add(LAST);
            marked = true;
        }
        for (int count = 0; count < TASKS; count++) {
            Runnable task = tasks.poll();
            if (task == null || task == LAST) {
                marked = false;
                return;
            }
            try {
                task.run();
            } catch (Throwable failure) {
                Threads.uncaught(failure);
            }
        }
    }

    private void change(int at) {
        long place = changes.get(at * 2) ^ OURS;
        if (place < 0 || place >= places) {
            // Nothing that the host has.
            return;
        }
        int interest = Layout.second(changes.get(at * 2 + 1));
        Waitable waitable = foreign[(int) place];
        if (waitable == null) {
            return;
        }
        writing += (interest & WRITABLE) / WRITABLE - (waitable.told & WRITABLE) / WRITABLE;
        waitable.told = interest;
        try {
            host.watch(waitable, Readiness.of(interest));
        } catch (Throwable failure) {
            Threads.uncaught(failure);
        }
        if (listener != null) {
            listener.accept(waitable, Readiness.of(interest));
        }
    }

    private void complete(int at) {
        long name = completions.get(at * 2);
        long half = completions.get(at * 2 + 1);
        Object wait = slots.find(name);
        if (wait == null) {
            // Forgotten by a completion of this turn.
            return;
        }
        boolean more = (Layout.kind(half) & Layout.MORE) != 0;
        if (!more) {
            slots.release(name);
        }
        try {
            Pending.completed(wait, half);
        } catch (Throwable failure) {
            Threads.uncaught(failure);
        }
        if (more && writing != 0) {
            try {
                goOn((Wait) wait);
            } catch (Throwable failure) {
                // A host that throws.
                Threads.uncaught(failure);
            }
        }
    }

    /** Closed objects that the host watches no more: their places are free. */
    private void leave() {
        for (int at = leaving.size() - 1; at >= 0; at--) {
            Waitable waitable = leaving.get(at);
            if (waitable.told == 0 && ring.hasCrossed(waitable.closedAt)) {
                leaving.remove(at);
                foreign[waitable.place] = null;
                freePlaces[freePlaceCount++] = waitable.place;
            }
        }
    }

    private void heed(int flags) {
        if ((flags & Layout.TURN_WATCHER) != 0) {
            Watcher.start(this);
        }
        if ((flags & Layout.TURN_LOG) != 0) {
            while (submit(Layout.LOG) >= 0) {
                ByteBuffer line = ByteBuffer.wrap(result()).order(java.nio.ByteOrder.nativeOrder());
                System.Logger.Level level =
                        switch (line.getInt()) {
                            case 1 -> System.Logger.Level.ERROR;
                            case 2 -> System.Logger.Level.WARNING;
                            case 3 -> System.Logger.Level.INFO;
                            default -> System.Logger.Level.DEBUG;
                        };
                String words =
                        new String(
                                line.array(),
                                line.position(),
                                line.remaining(),
                                java.nio.charset.StandardCharsets.UTF_8);
                LOG.log(level, options.name + ": " + words);
            }
        }
    }

    /**
     * How long the loop may sleep, unless it is woken or something that it watches is ready.
     *
     * @return nanoseconds; 0 if it has to turn first, or the reactor is gone, which the turn says;
     *     {@link Long#MAX_VALUE} for as long as it likes
     * @throws AwsgiException {@link Status#THREAD}
     */
    public long timeoutNanos() {
        checkOwner();
        if (mustTurn() || phase == Phase.FREED) {
            return 0;
        }
        long deadline = Math.min(Math.min(nextDeadline, armedDeadline), shutAt);
        if (deadline == Layout.FOREVER) {
            return Long.MAX_VALUE;
        }
        return Math.max(0, deadline - Clock.now());
    }

    /**
     * Whether there is something to do before the loop sleeps: for a loop that would rather turn a
     * second time than ask what is ready in between.
     *
     * @return whether to turn
     * @throws AwsgiException {@link Status#THREAD}
     */
    public boolean mustTurn() {
        checkOwner();
        return phase != Phase.FREED && (due || more || ring.overflows() || !tasks.isEmpty());
    }

    /**
     * Limits the turns that follow.
     *
     * @param events how many events are taken and expirations seen in a turn; 0: 1,024
     * @param completions how many waits complete in a turn, at most 1,024; 0: 1,024
     * @throws IllegalArgumentException for a number that is negative
     * @throws AwsgiException {@link Status#THREAD}
     */
    public void limitTurns(int events, int completions) {
        checkOwner();
        if (events < 0 || completions < 0) {
            throw new IllegalArgumentException("a turn does less than nothing: give 0 or more");
        }
        block.putInt(Layout.BUDGET, events);
        block.putInt(Layout.ROOM, Math.min(completions, Layout.RING));
    }

    /**
     * The descriptor that is readable when there is something to do, of a {@linkplain
     * ReactorOptions#nested nested} reactor. It stays the reactor's: watch it for reading, and do
     * nothing else with it.
     *
     * @return its number
     * @throws AwsgiException {@link Status#STATE} for a reactor that is not nested; {@link
     *     Status#THREAD}
     */
    public int descriptor() {
        return (int) submit(Layout.FD);
    }

    /**
     * Closes the reactor: its waits complete as {@link Outcome#CLOSED}, and nothing new is taken.
     * On the owner's thread it is freed when this returns, or, inside of a turn, at the end of
     * that; elsewhere its loop is woken, and the loop's next turns do it. A second call does
     * nothing.
     *
     * <p><b>Threads:</b> any.
     *
     * @throws ReactorPanicException if a bug of the library was caught meanwhile; it is closed all
     *     the same
     */
    @Override
    public void close() {
        shutdown(0);
        if (isOwner() && !turning) {
            turnToTheEnd();
        }
    }

    /** What happens meanwhile is what completions do. */
    private void turnToTheEnd() {
        Throwable first = null;
        int failures = 0;
        boolean lives = true;
        while (lives) {
            try {
                lives = turn();
            } catch (RuntimeException | Error failure) {
                first = first == null ? failure : first;
                if (++failures == FAILURES) {
                    slots.failAll(first);
                    closed.completeExceptionally(first);
                    break;
                }
            }
        }
        if (first instanceof Error error) {
            throw error;
        }
        if (first != null) {
            throw (RuntimeException) first;
        }
    }

    /** Takes no more waits, and ends when those that it has are over, or at this deadline. */
    void shutdown(long deadline) {
        onOwner(
                () -> {
                    if (phase == Phase.OPEN || phase == Phase.DRAINING) {
                        shutAt = phase == Phase.OPEN ? deadline : Math.min(shutAt, deadline);
                        phase = Phase.DRAINING;
                        due();
                    }
                });
    }

    private void shut() {
        ring.put(0, Layout.SHUT, 0, 0);
        phase = Phase.SHUT;
        shutAt = Layout.FOREVER;
        due = true;
    }

    private void free() {
        int number = number();
        // From here on the number may be another's.
        Watcher.remove(number);
        submit(Layout.FREE);
        phase = Phase.FREED;
        context = 0;
        ring.clear();
        leak.closed();
        // Of a turn that an error broke off, what it brought is lost: nobody may wait for it.
        slots.failAll(closedException());
        // Those that came too late learn that they have.
        while (!tasks.isEmpty()) {
            runTasks();
        }
        try {
            host.closed();
        } catch (Throwable failure) {
            Threads.uncaught(failure);
        }
        closed.complete(null);
    }

    // ---- for waits and waitables --------------------------------------------------------------

    /** Every object that the host may be told to watch, also those that are being closed. */
    void forEachForeign(java.util.function.Consumer<Waitable> action) {
        for (int place = 0; place < places; place++) {
            Waitable waitable = foreign[place];
            if (waitable != null) {
                action.accept(waitable);
            }
        }
    }

    /** Has somebody hear of each watch change, once the host has applied it. */
    void listen(BiConsumer<Waitable, Readiness> listener) {
        this.listener = listener;
    }

    boolean isTurning() {
        return turning;
    }

    void checkNotTurning() {
        if (turning) {
            throw AwsgiException.of(
                    Status.REENTRANT.number(),
                    0,
                    "the turn that calls this is not over: return to the loop first");
        }
    }

    boolean isOwner() {
        return Thread.currentThread() == owner;
    }

    void checkOwner() {
        if (Thread.currentThread() != owner) {
            throw AwsgiException.of(
                    Status.THREAD.number(),
                    0,
                    "the call belongs to thread "
                            + owner.getName()
                            + ", which owns the reactor: make it there, with Reactor.execute, or use whenReady and"
                            + " Waitable.signal");
        }
    }

    /** Whether it lives, and was not asked to end. */
    boolean isOpen() {
        return phase == Phase.OPEN;
    }

    /** Whether its waits can complete. */
    boolean isAlive() {
        return phase != Phase.FREED;
    }

    void checkOpen() {
        if (phase == Phase.SHUT || phase == Phase.FREED) {
            throw closedException();
        }
    }

    void checkTakesWaits() {
        checkOwner();
        if (phase != Phase.OPEN) {
            throw closedException();
        }
    }

    AwsgiException closedException() {
        return AwsgiException.of(
                Status.CLOSED.number(),
                0,
                "reactor " + options.name + " is closed, or being closed: it takes nothing new");
    }

    ReactorOptions options() {
        return options;
    }

    CompletableFuture<Void> whenClosed() {
        return closed;
    }

    int waits() {
        return slots.live();
    }

    private int number() {
        return (int) context & 0xffff;
    }

    /** Has the host turn, unless it was told already. */
    void wake() {
        if (!(boolean) WOKEN.getVolatile(this) && WOKEN.compareAndSet(this, false, true)) {
            try {
                host.wakeup();
            } catch (Throwable failure) {
                // It may sleep on: who comes next tries again.
                unheard = true;
                WOKEN.setVolatile(this, false);
                throw failure;
            }
        }
    }

    /** Wakes the host if it failed to be woken by somebody else, who was told by the library to. */
    void wakeIfUnheard() {
        if (unheard) {
            wake();
        }
    }

    /** Whether the host was told to turn since it did. */
    boolean isWoken() {
        return (boolean) WOKEN.getVolatile(this);
    }

    /** A host that throws would end the thread that all others need. */
    void wakeFromWatcher() {
        try {
            wake();
        } catch (Throwable failure) {
            Threads.uncaught(failure);
        }
    }

    /**
     * Runs a task on the owner's thread: here if this is it, else in the next turn. Once all is
     * over it is dropped.
     */
    void onOwner(Runnable task) {
        if (isOwner()) {
            task.run();
        } else {
            enqueue(task);
        }
    }

    /** Has a task run in the next turn. Answers whether it will; once all is over there is none. */
    boolean enqueue(Runnable task) {
        tasks.add(task);
        // The last turn runs what it finds after it has said that it is.
        if (phase == Phase.FREED && tasks.remove(task)) {
            return false;
        }
        if (isOwner()) {
            due();
        } else {
            wake();
        }
        return true;
    }

    /** Native code may wake the host from now on, through the watcher. */
    void watchForNativeCode() {
        Watcher.start(this);
    }

    /**
     * A foreign waitable is ready, or an event is set: it crosses in order with what was armed
     * before.
     */
    void report(long token, int bits) {
        ring.put(token, Layout.REPORT, bits, 0);
        due();
    }

    /** Something has to cross before the host sleeps. */
    void due() {
        if (!due) {
            due = true;
            if (!turning) {
                host.due();
            }
        }
    }

    /** Arms a wait for one waitable, or none. Answers its name. */
    long arm(Object wait, @Nullable Waitable waitable, int interest, int flags, long deadline) {
        // First: without memory for its record, a wait would keep its slot and never end.
        ring.reserve(2);
        long name = slots.claim(wait);
        if (waitable == null) {
            ring.putPair(name, Layout.ARM_SET, 1, flags, 0, deadline);
        } else {
            ring.putPair(name, Layout.ARM, interest, flags, waitable.number(), deadline);
            armed(waitable, interest);
        }
        if (deadline <= 0 || ring.overflows()) {
            due();
        } else if (deadline < armedDeadline) {
            armedDeadline = deadline;
            if (!turning && !due && deadline < nextDeadline && deadline < shutAt) {
                host.due();
            }
        }
        return name;
    }

    /**
     * What the host watches already is reported anyway, so that the arm may cross with the report.
     */
    private void armed(Waitable waitable, int interest) {
        if (waitable.kind == Waitable.Kind.ONCE) {
            // Who listens is to hear of each change.
            if (listener != null || !host.watchAhead(waitable, Readiness.of(interest))) {
                due();
            }
        } else if (waitable.kind != Waitable.Kind.LEVEL
                || (interest & ~waitable.told) != 0
                || waitable.told == 0) {
            due();
        } else {
            host.armed(waitable, Readiness.of(waitable.told));
        }
    }

    void armSet(Wait wait, Question question, long deadline) {
        int count = question.waitables.length;
        int flags =
                (question.multishot ? Layout.MULTISHOT : 0)
                        | (question.offLoop ? Layout.OFF_LOOP : 0);
        if (count <= 1) {
            Waitable one = count == 0 ? null : question.waitables[0];
            wait.begin(
                    arm(wait, one, count == 0 ? 0 : question.interests[0].bits(), flags, deadline));
            return;
        }
        ring.reserve(count + 2);
        long name = slots.claim(wait);
        for (int member = 0; member < count; member++) {
            Waitable waitable = question.waitables[member];
            int interest = question.interests[member].bits();
            ring.put(waitable.number(), Layout.MEMBER, interest, 0);
        }
        ring.putPair(name, Layout.ARM_SET, question.atLeast, flags, count, deadline);
        armedDeadline = Math.min(armedDeadline, deadline);
        due();
        wait.begin(name);
        for (Waitable waitable : question.waitables) {
            lookAgain(waitable);
        }
    }

    /** The sink of a wait has dealt with a completion that is not the last. */
    private void goOn(Wait wait) {
        Waitable waitable = wait.waitable();
        // A connection that was finished is written to from now on. For what is only read there is
        // nothing else to look at.
        if ((waitable.told & WRITABLE) != 0) {
            lookAgain(waitable);
        }
    }

    /** Has the host look again at what it watches already: somebody waits for it anew, or still. */
    void lookAgain(Waitable waitable) {
        if (waitable.kind == Waitable.Kind.LEVEL && waitable.told != 0) {
            host.armed(waitable, Readiness.of(waitable.told));
        }
    }

    /** Cancels, forgets or rearms. */
    void ask(long name, int kind) {
        ring.put(name, kind, 0, 0);
        // A forgotten wait tells nobody anything.
        if (kind != Layout.FORGET || ring.overflows()) {
            due();
        }
    }

    /** A forgotten wait's name is free. */
    void released(long name) {
        if (slots.find(name) != null) {
            slots.release(name);
            if (phase == Phase.DRAINING && slots.live() == 0) {
                // What it waited for is over.
                due();
            }
        }
    }

    void closeWaitable(Waitable waitable) {
        if (phase == Phase.FREED) {
            return;
        }
        ring.put(waitable.number(), Layout.CLOSE, 0, 0);
        waitable.closedAt = ring.position();
        due();
        if (waitable.kind.isForeign()) {
            leaving.add(waitable);
        } else if (waitable.kind == Waitable.Kind.DESCRIPTOR) {
            // Whoever closes the descriptor next may do so: nothing watches it any more.
            flush();
        }
    }

    // ---- what is rare -------------------------------------------------------------------------

    long submit(int op, long... arguments) {
        checkOwner();
        if (context == 0) {
            throw closedException();
        }
        if (op == Layout.TAKE
                || op == Layout.DESCRIBE
                || op == Layout.MEMBERS
                || op == Layout.STATS) {
            flush();
        }
        for (int at = 0; at < arguments.length; at++) {
            block.putLong(Layout.ARGUMENTS + at * 8, arguments[at]);
        }
        try {
            return Native.submit(context, op, arguments.length * 8);
        } finally {
            // The library knows its address only, and this may be the last use of a reactor that
            // nobody closes.
            Reference.reachabilityFence(block);
        }
    }

    /** Does an operation that makes a waitable. */
    long make(int op, long... arguments) {
        try {
            return submit(op, arguments);
        } catch (AwsgiException refused) {
            if (refused.status() != Status.LIMIT || ring.count() == 0) {
                throw refused;
            }
            // Those that were closed before may not have crossed yet.
            flush();
            return submit(op, arguments);
        }
    }

    /** The library knows of everything that was asked before. */
    private void flush() {
        while (ring.count() > 0) {
            try {
                Native.submit(context, Layout.FLUSH, ring.count());
            } catch (ReactorPanicException bug) {
                broken(bug);
                throw bug;
            } finally {
                // Also if it failed: part of it was taken, and may not be taken twice.
                ring.crossed();
                due();
            }
        }
    }

    Stats stats() {
        submit(Layout.STATS);
        java.nio.LongBuffer figures =
                ByteBuffer.wrap(result()).order(java.nio.ByteOrder.nativeOrder()).asLongBuffer();
        return new Stats(
                figures.get(0),
                figures.get(1),
                figures.get(2),
                figures.get(3),
                figures.get(4),
                figures.get(5),
                figures.get(6),
                figures.get(7),
                figures.get(8),
                figures.get(9),
                figures.get(10));
    }

    void submitText(int op, long token, byte[] text) {
        checkOwner();
        submit(Layout.APPEND, token);
        for (int at = 0; at < text.length; at += Layout.ARGUMENTS_LENGTH) {
            int length = Math.min(Layout.ARGUMENTS_LENGTH, text.length - at);
            block.put(Layout.ARGUMENTS, text, at, length);
            Native.submit(context, Layout.APPEND, length);
        }
        submit(op);
    }

    /** What the last operation left. */
    byte[] result() {
        byte[] whole = {};
        while (true) {
            int length = Native.result(context, whole.length);
            if (length == 0) {
                return whole;
            }
            int before = whole.length;
            whole = Arrays.copyOf(whole, before + length);
            block.get(Layout.ARGUMENTS, whole, before, length);
        }
    }

    @Override
    public String toString() {
        return "reactor " + options.name + (phase == Phase.OPEN ? "" : ", " + phase);
    }
}
