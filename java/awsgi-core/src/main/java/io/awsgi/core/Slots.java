package io.awsgi.core;

import java.util.Arrays;
import org.jspecify.annotations.Nullable;

/**
 * The waits that have not ended, by the names that they cross with: a slot, and above it a
 * generation that tells those of one slot apart. Of the owner's thread.
 */
final class Slots {
    private static final int GENERATIONS = 0x7fff_ffff;

    private @Nullable Object[] pending = new @Nullable Object[64];

    /** By slot, the last name that it was in; a power of two of them. */
    private long[] names = new long[64];

    /** The slots that are free, below {@code freeCount}. */
    private int[] free = new int[64];

    private int freeCount;
    private int made;

    /** How many waits have not ended. */
    int live() {
        return made - freeCount;
    }

    /** Gives a wait its name, which is never 0. */
    long claim(Object wait) {
        int slot = freeCount > 0 ? free[--freeCount] : grow();
        pending[slot] = wait;
        int generation = (int) (names[slot] >>> 32) % GENERATIONS + 1;
        long name = (long) generation << 32 | slot;
        names[slot] = name;
        return name;
    }

    private int grow() {
        if (made == pending.length) {
            int length = made * 2;
            // All of them or none, if there is no memory.
            @Nullable Object[] morePending = Arrays.copyOf(pending, length);
            long[] moreNames = Arrays.copyOf(names, length);
            free = Arrays.copyOf(free, length);
            pending = morePending;
            names = moreNames;
        }
        return made++;
    }

    /** The wait of this name; null if it has ended. */
    @Nullable Object find(long name) {
        int slot = (int) name & (names.length - 1);
        if (names[slot] != name) {
            return null;
        }
        return pending[slot];
    }

    /** Ends a name that was found. */
    void release(long name) {
        int slot = (int) name;
        pending[slot] = null;
        free[freeCount++] = slot;
    }

    /** Ends all names, and tells each wait; for a reactor that cannot do so any more. */
    void failAll(Throwable cause) {
        for (int slot = 0; slot < made; slot++) {
            Object wait = pending[slot];
            if (wait != null) {
                pending[slot] = null;
                free[freeCount++] = slot;
                try {
                    Pending.failed(wait, cause);
                } catch (Throwable failure) {
                    // A sink: the others are told all the same.
                    Threads.uncaught(failure);
                }
            }
        }
    }
}
