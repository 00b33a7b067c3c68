package io.awsgi.core;

import java.util.concurrent.TimeUnit;
import org.openjdk.jmh.annotations.Benchmark;
import org.openjdk.jmh.annotations.BenchmarkMode;
import org.openjdk.jmh.annotations.Fork;
import org.openjdk.jmh.annotations.Measurement;
import org.openjdk.jmh.annotations.Mode;
import org.openjdk.jmh.annotations.OperationsPerInvocation;
import org.openjdk.jmh.annotations.OutputTimeUnit;
import org.openjdk.jmh.annotations.Scope;
import org.openjdk.jmh.annotations.Setup;
import org.openjdk.jmh.annotations.State;
import org.openjdk.jmh.annotations.TearDown;
import org.openjdk.jmh.annotations.Warmup;

/**
 * What {@link Turns} and {@link Crossings} measure, for those who would rather read JMH's figures:
 *
 * <pre>{@code
 * java --enable-native-access=ALL-UNNAMED -Dawsgi.library.path=... \
 *     -cp "$(cat java/bench/target/classpath)" org.openjdk.jmh.Main BridgeBenchmark
 * }</pre>
 *
 * <p>With {@code target/release/examples/libjvm_stub.so} as the library there is no core behind the
 * bridge.
 */
@State(Scope.Thread)
@BenchmarkMode(Mode.AverageTime)
@OutputTimeUnit(TimeUnit.NANOSECONDS)
@OperationsPerInvocation(Turns.OBJECTS)
@Warmup(iterations = 3, time = 1)
@Measurement(iterations = 5, time = 1)
@Fork(3)
public class BridgeBenchmark {
    private Turns turns;
    private Crossings crossings;

    @Setup
    public void open() {
        turns = new Turns();
        crossings = new Crossings();
    }

    @TearDown
    public void close() {
        turns.bridge.close();
        crossings.close();
    }

    /** {@code jvm/core/64}. */
    @Benchmark
    public void core() {
        turns.core();
    }

    /** The same in a {@link SelectorHost}. */
    @Benchmark
    public void host() {
        turns.host();
    }

    /** {@code jvm/bridge/64}. */
    @Benchmark
    public void bridge() {
        crossings.round();
    }
}
