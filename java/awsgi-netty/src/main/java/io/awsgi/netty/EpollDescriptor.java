package io.awsgi.netty;

import io.netty.channel.EventLoop;
import io.netty.channel.IoEvent;
import io.netty.channel.IoEventLoop;
import io.netty.channel.IoRegistration;
import io.netty.channel.epoll.EpollIoHandle;
import io.netty.channel.epoll.EpollIoOps;
import io.netty.channel.unix.FileDescriptor;
import io.netty.util.concurrent.Future;
import org.jspecify.annotations.Nullable;

/**
 * The descriptor of a nested reactor, in an event loop of the epoll transport. Of the loop's
 * thread.
 *
 * <p>Loaded only where that transport is: {@link #isFor} first.
 */
final class EpollDescriptor implements EpollIoHandle {
    private final FileDescriptor descriptor;
    private final Turns turns;
    private final Runnable loopEnds;
    private @Nullable IoRegistration registration;

    /** The reactor closes its descriptor itself, and the kernel then forgets it. */
    private boolean gone;

    private EpollDescriptor(int number, Turns turns, Runnable loopEnds) {
        this.turns = turns;
        this.loopEnds = loopEnds;
        this.descriptor =
                new FileDescriptor(number) {
                    @Override
                    public boolean isOpen() {
                        return !gone;
                    }

                    @Override
                    public void close() {
                        // It is only lent.
                    }
                };
    }

    /** Whether an event loop can watch a descriptor. */
    static boolean isFor(EventLoop loop) {
        return loop instanceof IoEventLoop io && io.isCompatible(EpollDescriptor.class);
    }

    /** Has the loop turn when the reactor's descriptor is readable. */
    static EpollDescriptor watch(EventLoop loop, Turns turns, Runnable loopEnds) {
        EpollDescriptor handle = new EpollDescriptor(turns.bridge.descriptor(), turns, loopEnds);
        Future<IoRegistration> registering = ((IoEventLoop) loop).register(handle);
        IoRegistration registration = registering.getNow();
        if (registration == null) {
            throw new IllegalStateException(
                    "the event loop does not watch the reactor's descriptor", registering.cause());
        }
        handle.registration = registration;
        registration.submit(EpollIoOps.EPOLLIN);
        return handle;
    }

    @Override
    public FileDescriptor fd() {
        return descriptor;
    }

    @Override
    public void handle(IoRegistration registration, IoEvent event) {
        turns.descriptorReady();
    }

    /** The loop begins to end. */
    @Override
    public void close() {
        loopEnds.run();
    }

    /** The reactor is gone, and its descriptor with it. */
    void end() {
        gone = true;
        IoRegistration registered = registration;
        if (registered != null) {
            registered.cancel();
        }
    }
}
