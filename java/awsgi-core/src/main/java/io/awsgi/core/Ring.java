package io.awsgi.core;

import java.nio.ByteBuffer;
import java.nio.LongBuffer;
import java.util.Arrays;

/**
 * What goes to the library with the next crossing: records in the block, and what does not fit
 * there behind them in an array. Of the owner's thread.
 */
final class Ring {
    private final LongBuffer records;
    private int count;

    /** Two numbers a record, from {@code head} on, below {@code tail}. */
    private long[] overflow = {};

    private int head;
    private int tail;

    /** How many records have crossed. */
    private long crossed;

    Ring(ByteBuffer block) {
        this.records = Layout.ring(block, Layout.INPUT);
    }

    /** How many records lie in the block. */
    int count() {
        return count;
    }

    /** Whether there are more than fit: then another crossing is due at once. */
    boolean overflows() {
        return head != tail;
    }

    /**
     * How many records were put so far; the last of them has crossed once {@link #hasCrossed} says
     * so of this.
     */
    long position() {
        return crossed + count + (tail - head) / 2;
    }

    boolean hasCrossed(long position) {
        return crossed >= position;
    }

    /** Sees to it that so many records can be put, which then does not fail for want of memory. */
    void reserve(int records) {
        if (count + records > Layout.RING || head != tail) {
            makeRoom(records);
        }
    }

    void put(long name, int kind, int number, int third) {
        if (count < Layout.RING && head == tail) {
            write(name, Layout.pack(kind, number, third));
        } else {
            spill(name, Layout.pack(kind, number, third));
        }
    }

    /** A record with the one that belongs to it, which crosses together with it. */
    void putPair(long name, int kind, int number, int third, long target, long deadline) {
        if (count + 1 < Layout.RING && head == tail) {
            write(name, Layout.pack(kind, number, third));
            write(target, deadline);
        } else {
            // Both or none.
            makeRoom(2);
            spill(name, Layout.pack(kind, number, third));
            spill(target, deadline);
        }
    }

    /** The library has taken what lay in the block; what did not fit moves up. */
    void crossed() {
        crossed += count;
        count = 0;
        while (head != tail) {
            int kind = Layout.kind(overflow[head + 1]);
            boolean pair = kind == Layout.ARM || kind == Layout.ARM_SET;
            if (count + (pair ? 2 : 1) > Layout.RING) {
                return;
            }
            move();
            if (pair) {
                move();
            }
        }
        head = 0;
        tail = 0;
    }

    private void move() {
        write(overflow[head], overflow[head + 1]);
        head += 2;
    }

    private void write(long first, long second) {
        // Below the ring's end: the compiler sees that it is not negative either.
        int at = (count & (Layout.RING - 1)) * 2;
        records.put(at, first);
        records.put(at + 1, second);
        count++;
    }

    private void spill(long first, long second) {
        makeRoom(1);
        overflow[tail] = first;
        overflow[tail + 1] = second;
        tail += 2;
    }

    /** So many records can be spilled. */
    private void makeRoom(int records) {
        if (tail + records * 2 <= overflow.length) {
            return;
        }
        int length = tail - head;
        int wanted = Math.max(256, Math.max(length, records * 2) + length);
        long[] grown = overflow.length < wanted ? new long[wanted] : overflow;
        System.arraycopy(overflow, head, grown, 0, length);
        overflow = grown;
        head = 0;
        tail = length;
    }

    /** Forgets everything, and gives the memory back. */
    void clear() {
        count = 0;
        head = 0;
        tail = 0;
        overflow = Arrays.copyOf(overflow, 0);
    }
}
