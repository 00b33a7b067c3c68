package io.awsgi.bench;

import com.sun.management.ThreadMXBean;
import java.lang.management.ManagementFactory;
import java.util.Locale;
import java.util.StringJoiner;

/** What the programs print, numbers on one line, and what they ask the virtual machine. */
public final class Figures {
    private static final ThreadMXBean THREADS = (ThreadMXBean) ManagementFactory.getThreadMXBean();

    private Figures() {}

    /** Prints numbers, which {@code benches/awsgi/jvm.rs} reads. */
    public static void print(double... numbers) {
        StringJoiner line = new StringJoiner(" ");
        for (double number : numbers) {
            line.add(String.format(Locale.ROOT, "%.4f", number));
        }
        System.out.println(line);
    }

    /** What this thread has allocated so far, in bytes. */
    public static long allocated() {
        return THREADS.getThreadAllocatedBytes(Thread.currentThread().getId());
    }

    /**
     * How long this thread has run, in nanoseconds: less than the time that passed, where others
     * ran instead.
     */
    public static long ran() {
        return THREADS.getCurrentThreadCpuTime();
    }

    /** Refuses to go on with figures of something else than was meant. */
    public static void check(boolean right, String what) {
        if (!right) {
            throw new IllegalStateException(what);
        }
    }
}
