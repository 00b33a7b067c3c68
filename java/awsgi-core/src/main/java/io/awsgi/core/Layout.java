package io.awsgi.core;

import java.nio.ByteBuffer;
import java.nio.ByteOrder;
import java.nio.LongBuffer;

/**
 * How the block is laid out that Java and the library share: the header, the arguments of rare
 * operations, and three rings of 16-byte records. {@code src/jni/block.rs} is the other half;
 * {@link #check()} compares them.
 */
final class Layout {
    private Layout() {}

    /** Changes whenever anything here does. */
    static final int ABI = 1;

    static final int RECORD = 16;
    static final int RING = 1024;

    // The header.
    static final int NEXT_DEADLINE = 0;
    static final int BUDGET = 8;
    static final int ROOM = 12;

    static final int ARGUMENTS = 128;
    static final int ARGUMENTS_LENGTH = 3968;
    static final int INPUT = 4096;
    static final int COMPLETIONS = INPUT + RING * RECORD;
    static final int CHANGES = COMPLETIONS + RING * RECORD;
    static final int SIZE = CHANGES + RING * RECORD;

    // Kinds of input records.
    static final int REPORT = 1;
    static final int ARM = 2;
    static final int MEMBER = 3;
    static final int ARM_SET = 4;
    static final int CANCEL = 5;
    static final int FORGET = 6;
    static final int REARM = 7;
    static final int CLOSE = 8;
    static final int SHUT = 9;

    // Flags of arms.
    static final int MULTISHOT = 1;
    static final int OFF_LOOP = 2;

    // Completions: the outcome is in the lowest bits of the kind.
    static final int OUTCOME = 0xff;
    static final int MORE = 0x100;
    static final int REFUSED = 0x200;

    // The answer of a turn: completions, changes, flags, milliseconds.
    static final int CHANGES_SHIFT = 12;
    static final int COUNT_MASK = 0xfff;
    static final int FLAGS_SHIFT = 24;
    static final int TURN_MORE = 1;
    static final int TURN_CLOSED = 4;
    static final int TURN_WATCHER = 8;
    static final int TURN_LOG = 16;

    /** What it tells of as closed was closed with the reactor. */
    static final int TURN_CLOSING = 32;

    /** No deadline. */
    static final long FOREVER = Long.MAX_VALUE;

    // Operations.
    static final int APPEND = 0;
    static final int EVENT = 1;
    static final int TIMER = 2;
    static final int FOREIGN = 3;
    static final int DESCRIPTOR = 4;
    static final int TAKE = 5;
    static final int LABEL = 6;
    static final int DESCRIBE = 7;
    static final int STATS = 8;
    static final int MEMBERS = 9;
    static final int LOG = 10;
    static final int FD = 11;
    static final int POINTER = 12;
    static final int FAILURE = 13;
    static final int FREE = 14;
    static final int FLUSH = 15;

    // Modes.
    static final int DELEGATED = 0;
    static final int NESTED = 1;

    // What Native.count counts.
    static final int LIVE_REACTORS = 0;
    static final int LIVE_WAITABLES = 1;
    static final int LIVE_WAITS = 2;
    static final int LIVE_BLOCKS = 3;
    static final int LIVE_THREADS = 4;
    static final int CROSSINGS = 5;
    static final int LIVE_REFERENCES = 6;

    private static final String[] ITEMS = {
        "number of the bridge",
        "size of the block",
        "offset of the arguments",
        "length of the arguments",
        "offset of the input",
        "offset of the completions",
        "offset of the changes",
        "size of a record",
        "records of a ring",
        "highest kind of input",
        "highest operation",
    };
    private static final int[] VALUES = {
        ABI,
        SIZE,
        ARGUMENTS,
        ARGUMENTS_LENGTH,
        INPUT,
        COMPLETIONS,
        CHANGES,
        RECORD,
        RING,
        SHUT,
        FLUSH,
    };
    private static final int VERSION = 11;

    private static final boolean LITTLE = ByteOrder.nativeOrder() == ByteOrder.LITTLE_ENDIAN;

    /** The version of the library that is loaded. */
    static String libraryVersion() {
        return Native.layout(VERSION)
                + "."
                + Native.layout(VERSION + 1)
                + "."
                + Native.layout(VERSION + 2);
    }

    /**
     * Compares this layout with that of the library, once it is loaded.
     *
     * @throws AwsgiLinkageError where they differ
     */
    static void check() {
        for (int item = 0; item < VALUES.length; item++) {
            int theirs = Native.layout(item);
            if (theirs != VALUES[item]) {
                throw new AwsgiLinkageError(
                        "the native library does not belong to these classes: its "
                                + ITEMS[item]
                                + " is "
                                + theirs
                                + ", theirs is "
                                + VALUES[item]);
            }
        }
    }

    /** A block. */
    static ByteBuffer block() {
        return ByteBuffer.allocateDirect(SIZE + 64)
                .alignedSlice(64)
                .slice(0, SIZE)
                .order(ByteOrder.nativeOrder());
    }

    /** The records of a ring, two numbers each. */
    static LongBuffer ring(ByteBuffer block, int offset) {
        return block.slice(offset, RING * RECORD).order(ByteOrder.nativeOrder()).asLongBuffer();
    }

    /** The second half of a record: {@code u16 kind, u16 b, i32 c}. */
    static long pack(int kind, int b, int c) {
        return LITTLE
                ? (kind & 0xffffL) | (b & 0xffffL) << 16 | (long) c << 32
                : (kind & 0xffffL) << 48 | (b & 0xffffL) << 32 | (c & 0xffffffffL);
    }

    /** The kind in the second half of a record. */
    static int kind(long half) {
        return (int) (LITTLE ? half : half >>> 48) & 0xffff;
    }

    /** The number beside the kind. */
    static int second(long half) {
        return (int) (LITTLE ? half >>> 16 : half >>> 32) & 0xffff;
    }

    /** The last number. */
    static int third(long half) {
        return (int) (LITTLE ? half >>> 32 : half);
    }
}
