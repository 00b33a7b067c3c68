package io.awsgi.core;

import static org.junit.jupiter.api.Assertions.assertEquals;
import static org.junit.jupiter.api.Assertions.assertFalse;
import static org.junit.jupiter.api.Assertions.assertSame;
import static org.junit.jupiter.api.Assertions.assertTrue;
import static org.junit.jupiter.api.Assumptions.assumeTrue;

import java.io.IOException;
import java.nio.file.Files;
import java.nio.file.Path;
import java.util.Map;
import java.util.TreeMap;
import java.util.regex.Matcher;
import java.util.regex.Pattern;
import org.junit.jupiter.api.Test;
import org.junit.jupiter.api.extension.ExtendWith;

@ExtendWith(NothingLeft.class)
final class StatusTest {
    @Test
    void aStatusIsFoundByItsNumber() {
        for (Status status : Status.values()) {
            assertSame(status, Status.of(status.number()));
            assertTrue(Status.isKnown(status.number()));
            assertFalse(status.meaning().isEmpty());
        }
        assertEquals(-1, Status.NULL.number());
        assertEquals(-15, Status.AGAIN.number());
    }

    @Test
    void aNumberOfANewerLibraryIsNotAnError() {
        for (int number : new int[] {0, 1, -16, Integer.MIN_VALUE, Integer.MAX_VALUE}) {
            assertSame(Status.STATE, Status.of(number));
            assertFalse(Status.isKnown(number));
        }
    }

    @Test
    void theNumbersAndNamesAreThoseOfTheHeader() throws IOException {
        Path header = SourceTree.find("include/awsgi.h");
        assumeTrue(header != null, "only in the source tree, which has include/awsgi.h");
        Map<Integer, String> expected = new TreeMap<>();
        Matcher define =
                Pattern.compile("#define (AWSGI_E_\\w+) \\(?(-\\d+)\\)?")
                        .matcher(Files.readString(header));
        while (define.find()) {
            expected.put(Integer.parseInt(define.group(2)), define.group(1));
        }
        Map<Integer, String> ours = new TreeMap<>();
        for (Status status : Status.values()) {
            ours.put(status.number(), status.nativeName());
        }
        assertEquals(expected, ours);
    }
}
