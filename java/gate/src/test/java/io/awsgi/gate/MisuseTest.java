package io.awsgi.gate;

import java.nio.file.Path;
import org.junit.jupiter.api.BeforeAll;
import org.junit.jupiter.api.Test;

/** Passes, as any test does that misuses JNI; what the JVM says of it is for the gate. */
class MisuseTest {
    @BeforeAll
    static void load() {
        System.load(Path.of("target", "libmisuse.so").toAbsolutePath().toString());
    }

    private static native void callWithAnExceptionPending();

    @Test
    void native_code_is_misused() {
        callWithAnExceptionPending();
    }

    @Test
    void a_test_prints_what_a_jvm_would_say() {
        System.out.println("WARNING: JNI local refs: 33, exceeds capacity: 32");
        System.err.println("FATAL ERROR in native method: planted");
    }
}
