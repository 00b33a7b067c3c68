package io.awsgi.core;

/** How a wait ended, or, for a multishot wait, what one of its completions says. */
public enum Outcome {
    /** What was asked for is ready. */
    READY,
    /** The deadline passed first. */
    TIMED_OUT,
    /** It was cancelled. */
    CANCELLED,
    /** A waitable of the set, or the reactor, was closed. */
    CLOSED,
    /** What was waited for cannot be waited for any longer, or the wait was refused. */
    FAILED;

    private static final Outcome[] ALL = values();

    /**
     * The number of the outcome in C.
     *
     * @return 1 for {@link #READY} to 5 for {@link #FAILED}
     */
    public int number() {
        return ordinal() + 1;
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
