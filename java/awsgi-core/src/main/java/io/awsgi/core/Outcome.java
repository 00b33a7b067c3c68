package io.awsgi.core;

/** How a wait ended, or, for a multishot wait, what one of its completions says. */
public enum Outcome {
    /** What was asked for is ready. */
    READY(1),
    /** The deadline passed first. */
    TIMED_OUT(2),
    /** It was cancelled. */
    CANCELLED(3),
    /** A waitable of the set, or the reactor, was closed. */
    CLOSED(4),
    /** What was waited for cannot be waited for any longer, or the wait was refused. */
    FAILED(5);

    private static final Outcome[] ALL = values();

    private final int number;

    Outcome(int number) {
        this.number = number;
    }

    /**
     * The number of the outcome in C.
     *
     * @return 1 for {@link #READY} to 5 for {@link #FAILED}
     */
    public int number() {
        return number;
    }

    /**
     * The outcome of this number.
     *
     * @throws IllegalArgumentException if there is none
     */
    static Outcome of(int number) {
        if (number < 1 || number > ALL.length) {
            throw new IllegalArgumentException(
                    "no outcome has the number " + number + "; 1 (READY) to 5 (FAILED) have");
        }
        return ALL[number - 1];
    }
}
