package io.awsgi.core;

import static org.junit.jupiter.api.Assertions.assertEquals;
import static org.junit.jupiter.api.Assertions.assertFalse;
import static org.junit.jupiter.api.Assertions.assertSame;
import static org.junit.jupiter.api.Assertions.assertThrows;
import static org.junit.jupiter.api.Assertions.assertTrue;

import org.junit.jupiter.api.Test;
import org.junit.jupiter.api.extension.ExtendWith;

@ExtendWith(NothingLeft.class)
final class ReadinessTest {
    @Test
    void thereIsOneInstanceForEachValue() {
        for (int bits = 0; bits < 64; bits++) {
            assertSame(Readiness.of(bits), Readiness.of(bits));
            assertEquals(bits, Readiness.of(bits).bits());
            assertSame(Readiness.timedOut(bits), Readiness.timedOut(bits));
        }
        assertSame(Readiness.NONE, Readiness.of(0));
        assertSame(Readiness.TIMED_OUT, Readiness.timedOut(0));
    }

    @Test
    void theBitsAreThoseOfC() {
        assertEquals(1, Readiness.READABLE.bits());
        assertEquals(2, Readiness.WRITABLE.bits());
        assertEquals(4, Readiness.PRIORITY.bits());
        assertEquals(8, Readiness.READ_CLOSED.bits());
        assertEquals(16, Readiness.HANGUP.bits());
        assertEquals(32, Readiness.ERROR.bits());
    }

    @Test
    void unknownBitsAreRefusedWithWhatToGive() {
        for (int bits : new int[] {64, 65, -1, Integer.MIN_VALUE}) {
            IllegalArgumentException refused =
                    assertThrows(IllegalArgumentException.class, () -> Readiness.of(bits));
            assertTrue(refused.getMessage().contains("0x" + Integer.toHexString(bits)));
            assertTrue(refused.getMessage().contains("1 READABLE"), refused.getMessage());
        }
    }

    @Test
    void bitsOfANewerLibraryAreLeftOut() {
        assertSame(Readiness.HANGUP, Readiness.known(16 | 64));
        assertSame(Readiness.TIMED_OUT, Readiness.timedOut(1 << 15));
    }

    @Test
    void setsAreJoinedCutAndCompared() {
        Readiness both = Readiness.READABLE.or(Readiness.HANGUP);
        assertSame(Readiness.of(17), both);
        assertSame(Readiness.HANGUP, both.and(Readiness.HANGUP.or(Readiness.ERROR)));
        assertSame(Readiness.NONE, both.and(Readiness.WRITABLE));

        assertTrue(both.contains(Readiness.READABLE));
        assertTrue(both.contains(Readiness.NONE));
        assertFalse(both.contains(Readiness.READABLE.or(Readiness.WRITABLE)));
        assertTrue(both.intersects(Readiness.READABLE.or(Readiness.WRITABLE)));
        assertFalse(both.intersects(Readiness.NONE));
    }

    @Test
    void eachBitHasAQuestion() {
        for (int bits = 0; bits < 64; bits++) {
            Readiness ready = Readiness.of(bits);
            assertEquals((bits & 1) != 0, ready.isReadable());
            assertEquals((bits & 2) != 0, ready.isWritable());
            assertEquals((bits & 4) != 0, ready.isPriority());
            assertEquals((bits & 8) != 0, ready.isReadClosed());
            assertEquals((bits & 16) != 0, ready.isHangup());
            assertEquals((bits & 32) != 0, ready.isError());
            assertEquals(bits == 0, ready.isEmpty());
            assertFalse(ready.isTimedOut());
        }
    }

    @Test
    void aTimeoutIsAValue() {
        assertTrue(Readiness.TIMED_OUT.isTimedOut());
        assertTrue(Readiness.TIMED_OUT.isEmpty());
        assertFalse(Readiness.TIMED_OUT.equals(Readiness.NONE));
        assertTrue(Readiness.timedOut(1).isReadable());
        assertSame(Readiness.READABLE, Readiness.timedOut(1).or(Readiness.NONE));
        assertSame(Readiness.NONE, Readiness.TIMED_OUT.and(Readiness.TIMED_OUT));
    }

    @Test
    void itIsWrittenAsItIsNamed() {
        assertEquals("NONE", Readiness.NONE.toString());
        assertEquals("READABLE|HANGUP", Readiness.of(17).toString());
        assertEquals(
                "READABLE|WRITABLE|PRIORITY|READ_CLOSED|HANGUP|ERROR", Readiness.of(63).toString());
        assertEquals("TIMED_OUT", Readiness.TIMED_OUT.toString());
        assertEquals("TIMED_OUT|WRITABLE", Readiness.timedOut(2).toString());
    }
}
