package io.awsgi.netty;

import io.awsgi.core.Readiness;

/** The bits of {@link Readiness}, as numbers. */
final class Bits {
    private Bits() {}

    static final int READABLE = 1;
    static final int WRITABLE = 2;
    static final int PRIORITY = 4;
    static final int READ_CLOSED = 8;
    static final int HANGUP = 16;
    static final int ERROR = 32;

    /** What a wait with this interest is told. */
    static int seenBy(int interest) {
        return interest | HANGUP | ERROR | ((interest & READABLE) != 0 ? READ_CLOSED : 0);
    }
}
