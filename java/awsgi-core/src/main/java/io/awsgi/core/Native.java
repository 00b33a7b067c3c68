package io.awsgi.core;

import java.nio.ByteBuffer;

/**
 * The natives of the library, bound by its {@code JNI_OnLoad}. Everything that crosses is a number,
 * but for the block, which is handed over once. A context that is none, or not of the calling
 * thread, is answered with a status.
 */
final class Native {
    private Native() {}

    /**
     * The handshake: what the library takes item {@code item} of {@link Layout} to be; -1 for what
     * it does not know.
     */
    static native int layout(int item);

    /** Makes a reactor, which the calling thread owns, over a block. Answers its context. */
    static native long open(ByteBuffer block, int mode, int maxWaitables, int maxWaits);

    /**
     * One turn over so many input records. A negative answer is a status; else see {@link Layout}.
     */
    static native long turn(long context, int records, long now);

    /**
     * Does one of the operations of {@link Layout}, with {@code length} bytes of arguments in the
     * block.
     */
    static native long submit(long context, int op, int length);

    /**
     * Copies what the last operation left, from {@code offset} on, into the block. Answers how many
     * bytes.
     */
    static native int result(long context, int offset);

    /**
     * Notifies a waitable, on any thread. 1: its host is to be woken; 0: nothing to do; negative: a
     * status.
     */
    static native int signal(long token, int bits);

    /**
     * Blocks until a host is to be woken, and answers the number of its context; -1: no reactor is
     * left.
     */
    static native int watch();

    /** What lives, for tests: see {@link Layout}. */
    static native long count(int what);
}
