package io.awsgi.core;

import static org.junit.jupiter.api.Assertions.assertEquals;
import static org.junit.jupiter.api.Assertions.assertInstanceOf;
import static org.junit.jupiter.api.Assertions.assertSame;
import static org.junit.jupiter.api.Assertions.assertTrue;

import java.util.HashSet;
import java.util.Set;
import org.junit.jupiter.api.Test;
import org.junit.jupiter.api.extension.ExtendWith;

@ExtendWith(NothingLeft.class)
final class AwsgiExceptionTest {
    @Test
    void threeFailuresHaveClassesOfTheirOwn() {
        for (Status status : Status.values()) {
            AwsgiException thrown = AwsgiException.of(status.number(), 0, "sentence");
            Class<?> expected =
                    switch (status) {
                        case CLOSED -> ReactorClosedException.class;
                        case THREAD -> WrongOwnerException.class;
                        case PANIC -> ReactorPanicException.class;
                        default -> AwsgiException.class;
                    };
            assertSame(expected, thrown.getClass());
            assertSame(status, thrown.status());
            assertEquals("sentence", thrown.getMessage());
        }
    }

    @Test
    void useAfterCloseIsAnIllegalState() {
        assertInstanceOf(
                IllegalStateException.class, new ReactorClosedException("the reactor is closed"));
        assertSame(Status.CLOSED, new ReactorClosedException("").status());
        assertSame(Status.THREAD, new WrongOwnerException("").status());
        assertSame(Status.PANIC, new ReactorPanicException("").status());
    }

    @Test
    void aRefusedSystemCallKeepsItsErrno() {
        AwsgiException thrown = AwsgiException.of(-10, 24, "EMFILE: raise the limit");
        assertSame(Status.OS, thrown.status());
        assertEquals(24, thrown.errno());
    }

    @Test
    void withoutASentenceTheStatusSpeaks() {
        assertEquals(Status.LIMIT.meaning(), AwsgiException.of(-9, 0, null).getMessage());
        assertEquals(Status.LIMIT.meaning(), AwsgiException.of(-9, 0, "").getMessage());
    }

    @Test
    void aStatusOfANewerLibraryIsTold() {
        AwsgiException thrown = AwsgiException.of(-77, 0, "too cold");
        assertSame(AwsgiException.class, thrown.getClass());
        assertTrue(thrown.getMessage().startsWith("too cold"), thrown.getMessage());
        assertTrue(thrown.getMessage().contains("-77"), thrown.getMessage());
    }

    @Test
    void anErrnoIsNamed() {
        AwsgiIOException failed = new AwsgiIOException(9, "waiting for descriptor 7");
        assertEquals(9, failed.errno());
        assertEquals("EBADF", failed.errnoName());
        assertEquals(
                "waiting for descriptor 7: EBADF: not an open descriptor", failed.getMessage());

        AwsgiIOException unknown = new AwsgiIOException(4711, "waiting");
        assertEquals("errno 4711", unknown.errnoName());
        assertEquals("waiting: errno 4711", unknown.getMessage());
    }

    @Test
    void noErrnoIsNamedTwice() {
        Set<String> names = new HashSet<>();
        for (int errno = 1; errno < 200; errno++) {
            assertTrue(names.add(Errno.name(errno)), Errno.name(errno));
        }
    }
}
