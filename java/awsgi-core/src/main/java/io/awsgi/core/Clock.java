package io.awsgi.core;

import java.time.Duration;
import org.jspecify.annotations.Nullable;

/**
 * The clock of all reactors of these classes: nanoseconds that never go back, and are never
 * negative.
 */
final class Clock {
    private Clock() {}

    /** {@code System.nanoTime()} has an arbitrary origin, which may even be negative. */
    private static final long ORIGIN = System.nanoTime() - 1;

    static long now() {
        return System.nanoTime() - ORIGIN;
    }

    /** The point in time that is {@code timeout} from now; null: never; nothing or less: now. */
    static long after(@Nullable Duration timeout) {
        if (timeout == null) {
            return Layout.FOREVER;
        }
        if (timeout.isNegative() || timeout.isZero()) {
            return 0;
        }
        long nanos = nanos(timeout);
        long deadline = now() + nanos;
        return deadline < 0 ? Layout.FOREVER : deadline;
    }

    /** The nanoseconds of a duration that is not negative, or as many as there are. */
    static long nanos(Duration duration) {
        try {
            return duration.toNanos();
        } catch (ArithmeticException tooLong) {
            return Layout.FOREVER;
        }
    }
}
