package io.awsgi.core;

/**
 * What kind of failure it was, with the numbers that the C header of the library gives them.
 * Numbers are never reused; a newer library may have more.
 */
public enum Status {
    /** Something that must be there was null. */
    NULL(-1, "AWSGI_E_NULL", "something that must be there was null"),
    /** An argument is outside what the call accepts. */
    INVALID(-2, "AWSGI_E_INVALID", "an argument is outside what the call accepts"),
    /** What was named has ended since, or its reactor has. */
    STALE(-3, "AWSGI_E_STALE", "what was named has ended, or its reactor has"),
    /** The call belongs to the thread that owns the reactor. */
    THREAD(-4, "AWSGI_E_THREAD", "the call belongs to the thread that owns the reactor"),
    /** The process was forked after the reactor was made. */
    FORKED(-5, "AWSGI_E_FORKED", "the process was forked after the reactor was made"),
    /** The object is not in a state in which the call makes sense. */
    STATE(-6, "AWSGI_E_STATE", "the object is not in a state in which the call makes sense"),
    /** Something still depends on the object. */
    BUSY(-7, "AWSGI_E_BUSY", "something still depends on the object"),
    /** The call was made from inside a call that excludes it. */
    REENTRANT(-8, "AWSGI_E_REENTRANT", "the call was made from inside a call that excludes it"),
    /** A limit was reached. */
    LIMIT(-9, "AWSGI_E_LIMIT", "a limit was reached"),
    /** The operating system refused; the errno says why. */
    OS(-10, "AWSGI_E_OS", "the operating system refused"),
    /** Announced, but not available in this build or on this platform. */
    UNSUPPORTED(-11, "AWSGI_E_UNSUPPORTED", "not available in this build or on this platform"),
    /** Event loops would watch each other in a circle, or too deeply. */
    NESTING(
            -12,
            "AWSGI_E_NESTING",
            "event loops would watch each other in a circle, or too deeply"),
    /** The other side is gone, or the object is closed or being closed. */
    CLOSED(-13, "AWSGI_E_CLOSED", "the other side is gone, or the object is being closed"),
    /**
     * The library found a defect of its own; what was involved answers nothing else from now on.
     */
    PANIC(-14, "AWSGI_E_PANIC", "the library found a defect of its own"),
    /** Nothing there now; wait, and call again. */
    AGAIN(-15, "AWSGI_E_AGAIN", "nothing there now: wait, and call again");

    private static final Status[] ALL = values();

    private final int number;
    private final String nativeName;
    private final String meaning;

    Status(int number, String nativeName, String meaning) {
        this.number = number;
        this.nativeName = nativeName;
        this.meaning = meaning;
    }

    /**
     * The number of the status in C.
     *
     * @return the number, which is negative
     */
    public int number() {
        return number;
    }

    /**
     * The name of the status in C, under which the documentation of the library explains it.
     *
     * @return the name, as {@code AWSGI_E_STALE}
     */
    public String nativeName() {
        return nativeName;
    }

    /**
     * What the status means, in words.
     *
     * @return a phrase without a full stop
     */
    public String meaning() {
        return meaning;
    }

    /** The status of this number; {@link #STATE} for one that these classes do not know. */
    static Status of(int number) {
        return isKnown(number) ? ALL[-number - 1] : STATE;
    }

    /** Whether a status has this number. */
    static boolean isKnown(int number) {
        return number < 0 && number >= -ALL.length;
    }
}
