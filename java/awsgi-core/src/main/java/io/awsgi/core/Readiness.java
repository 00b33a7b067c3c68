package io.awsgi.core;

/**
 * What one waits for (interest), or what has happened (readiness): a set of {@link #READABLE},
 * {@link #WRITABLE}, {@link #PRIORITY}, {@link #READ_CLOSED}, {@link #HANGUP} and {@link #ERROR}.
 *
 * <p>A wait whose deadline passed completes with a readiness too, for which {@link #isTimedOut()}
 * is true: a timeout is a value, not an exception. It has the bits of what was ready by then,
 * mostly none, as {@link #TIMED_OUT}.
 *
 * <p>Immutable, for any thread. There is one instance for each value, so that nothing is allocated
 * and {@code ==} compares as {@code equals} does.
 */
public final class Readiness {
    private static final int KNOWN = 63;
    private static final String[] NAMES = {
        "READABLE", "WRITABLE", "PRIORITY", "READ_CLOSED", "HANGUP", "ERROR"
    };
    private static final Readiness[] READY = all(false);
    private static final Readiness[] LATE = all(true);

    /** Nothing. */
    public static final Readiness NONE = READY[0];

    /** Data, a connection, or the end can be read without waiting. */
    public static final Readiness READABLE = READY[1];

    /** Something can be written without waiting, or the connection that was begun is there. */
    public static final Readiness WRITABLE = READY[2];

    /** Urgent data. A {@link java.nio.channels.Selector} cannot see it; descriptors have it. */
    public static final Readiness PRIORITY = READY[4];

    /**
     * The peer will send no more. Told where {@link #READABLE} is asked; asked alone, data does not
     * complete the wait. A {@link java.nio.channels.Selector} cannot see it; descriptors have it.
     */
    public static final Readiness READ_CLOSED = READY[8];

    /** Both directions are closed. Completes every wait, asked or not. */
    public static final Readiness HANGUP = READY[16];

    /** An error is pending. Completes every wait, asked or not. */
    public static final Readiness ERROR = READY[32];

    /** The deadline passed, and nothing was ready. */
    public static final Readiness TIMED_OUT = LATE[0];

    private final int bits;
    private final boolean timedOut;

    private Readiness(int bits, boolean timedOut) {
        this.bits = bits;
        this.timedOut = timedOut;
    }

    private static Readiness[] all(boolean timedOut) {
        Readiness[] all = new Readiness[KNOWN + 1];
        for (int bits = 0; bits <= KNOWN; bits++) {
            all[bits] = new Readiness(bits, timedOut);
        }
        return all;
    }

    /**
     * The readiness with these bits, as C numbers them: 1 READABLE, 2 WRITABLE, 4 PRIORITY, 8
     * READ_CLOSED, 16 HANGUP, 32 ERROR.
     *
     * @param bits the sum; 0 for {@link #NONE}
     * @return the readiness, which is not timed out
     * @throws IllegalArgumentException if there are other bits
     */
    public static Readiness of(int bits) {
        if ((bits & ~KNOWN) != 0) {
            throw new IllegalArgumentException(
                    "0x"
                            + Integer.toHexString(bits)
                            + " has bits that mean nothing; give a sum of 1 READABLE, 2 WRITABLE,"
                            + " 4 PRIORITY, 8 READ_CLOSED, 16 HANGUP and 32 ERROR");
        }
        return READY[bits];
    }

    /** The readiness with those of these bits that are known: a newer library may tell others. */
    static Readiness known(int bits) {
        return READY[bits & KNOWN];
    }

    /** The same, timed out. */
    static Readiness timedOut(int bits) {
        return LATE[bits & KNOWN];
    }

    /**
     * The bits, as C numbers them.
     *
     * @return a sum of 1 READABLE, 2 WRITABLE, 4 PRIORITY, 8 READ_CLOSED, 16 HANGUP and 32 ERROR
     */
    public int bits() {
        return bits;
    }

    /**
     * The bits of this and of the other.
     *
     * @param other another readiness
     * @return what is in one of them or in both, which is not timed out
     */
    public Readiness or(Readiness other) {
        return READY[bits | other.bits];
    }

    /**
     * The bits that this and the other have in common.
     *
     * @param other another readiness
     * @return what is in both, which is not timed out
     */
    public Readiness and(Readiness other) {
        return READY[bits & other.bits];
    }

    /**
     * Whether this has all bits of the other.
     *
     * @param other another readiness
     * @return whether none of the other's bits is missing here; true for {@link #NONE}
     */
    public boolean contains(Readiness other) {
        return (other.bits & ~bits) == 0;
    }

    /**
     * Whether this has a bit of the other.
     *
     * @param other another readiness
     * @return whether they have at least one bit in common
     */
    public boolean intersects(Readiness other) {
        return (bits & other.bits) != 0;
    }

    /**
     * Whether nothing is ready.
     *
     * @return whether there are no bits, timed out or not
     */
    public boolean isEmpty() {
        return bits == 0;
    }

    /**
     * Whether {@link #READABLE} is among it.
     *
     * @return whether it is
     */
    public boolean isReadable() {
        return (bits & 1) != 0;
    }

    /**
     * Whether {@link #WRITABLE} is among it.
     *
     * @return whether it is
     */
    public boolean isWritable() {
        return (bits & 2) != 0;
    }

    /**
     * Whether {@link #PRIORITY} is among it.
     *
     * @return whether it is
     */
    public boolean isPriority() {
        return (bits & 4) != 0;
    }

    /**
     * Whether {@link #READ_CLOSED} is among it.
     *
     * @return whether it is
     */
    public boolean isReadClosed() {
        return (bits & 8) != 0;
    }

    /**
     * Whether {@link #HANGUP} is among it.
     *
     * @return whether it is
     */
    public boolean isHangup() {
        return (bits & 16) != 0;
    }

    /**
     * Whether {@link #ERROR} is among it.
     *
     * @return whether it is
     */
    public boolean isError() {
        return (bits & 32) != 0;
    }

    /**
     * Whether the deadline of the wait passed before it was answered.
     *
     * @return whether it timed out
     */
    public boolean isTimedOut() {
        return timedOut;
    }

    /**
     * The names of the bits.
     *
     * @return as {@code READABLE|HANGUP}, {@code NONE}, {@code TIMED_OUT} or {@code
     *     TIMED_OUT|READABLE}
     */
    @Override
    public String toString() {
        if (bits == 0) {
            return timedOut ? "TIMED_OUT" : "NONE";
        }
        StringBuilder text = new StringBuilder(timedOut ? "TIMED_OUT" : "");
        for (int bit = 0; bit < NAMES.length; bit++) {
            if ((bits & 1 << bit) != 0) {
                text.append(text.length() == 0 ? "" : "|").append(NAMES[bit]);
            }
        }
        return text.toString();
    }
}
