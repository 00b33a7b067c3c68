package io.awsgi.core;

import java.lang.invoke.MethodHandle;
import java.lang.invoke.MethodHandles;
import java.lang.invoke.MethodType;
import org.jspecify.annotations.Nullable;

/** What kind of thread this is, and what becomes of what nobody catches. */
final class Threads {
    private Threads() {}

    /** {@code Thread.isVirtual}, from Java 21 on. */
    private static final @Nullable MethodHandle IS_VIRTUAL = isVirtual();

    private static @Nullable MethodHandle isVirtual() {
        try {
            return MethodHandles.publicLookup()
                    .findVirtual(Thread.class, "isVirtual", MethodType.methodType(boolean.class));
        } catch (ReflectiveOperationException before21) {
            return null;
        }
    }

    /**
     * Refuses virtual threads, whose carriers change under a reactor that knows its owner by the
     * carrier.
     */
    static void checkPlatform() {
        MethodHandle isVirtual = IS_VIRTUAL;
        if (isVirtual == null) {
            return;
        }
        boolean virtual;
        try {
            virtual = (boolean) isVirtual.invokeExact(Thread.currentThread());
        } catch (Throwable impossible) {
            throw new LinkageError("Thread.isVirtual", impossible);
        }
        if (virtual) {
            throw new IllegalStateException(
                    "a reactor belongs to a platform thread: open it on one, and give a host's options a"
                            + " factory of such; virtual threads wait with awaitReady");
        }
    }

    /** What a task, a sink or a host threw: the loop goes on. */
    static void uncaught(Throwable failure) {
        Thread thread = Thread.currentThread();
        try {
            thread.getUncaughtExceptionHandler().uncaughtException(thread, failure);
        } catch (Throwable ignored) {
            // As the virtual machine does with a handler that throws.
        }
    }
}
