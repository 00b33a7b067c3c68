package io.awsgi.core;

import static org.junit.jupiter.api.Assertions.assertEquals;
import static org.junit.jupiter.api.Assertions.assertSame;
import static org.junit.jupiter.api.Assertions.assertThrows;
import static org.junit.jupiter.api.Assertions.assertTrue;

import org.junit.jupiter.api.Test;
import org.junit.jupiter.api.extension.ExtendWith;

@ExtendWith(NothingLeft.class)
final class OutcomeTest {
    @Test
    void theNumbersAreThoseOfC() {
        assertEquals(1, Outcome.READY.number());
        assertEquals(2, Outcome.TIMED_OUT.number());
        assertEquals(3, Outcome.CANCELLED.number());
        assertEquals(4, Outcome.CLOSED.number());
        assertEquals(5, Outcome.FAILED.number());
        for (Outcome outcome : Outcome.values()) {
            assertSame(outcome, Outcome.of(outcome.number()));
        }
    }

    @Test
    void aNumberThatIsNoneIsRefused() {
        for (int number : new int[] {0, -1, 6, Integer.MAX_VALUE}) {
            IllegalArgumentException refused =
                    assertThrows(IllegalArgumentException.class, () -> Outcome.of(number));
            assertTrue(refused.getMessage().contains(Integer.toString(number)));
        }
    }
}
