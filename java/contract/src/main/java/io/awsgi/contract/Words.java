package io.awsgi.contract;

import io.awsgi.core.Readiness;
import java.io.FileDescriptor;
import java.io.FileOutputStream;
import java.io.IOException;
import java.io.OutputStream;
import java.nio.charset.StandardCharsets;

/** The words of docs/contract.md. */
final class Words {
    private Words() {}

    private static final String[] BITS = {
        "READABLE", "WRITABLE", "PRIORITY", "READ_CLOSED", "HANGUP", "ERROR"
    };

    private static final OutputStream OUT = new FileOutputStream(FileDescriptor.out);

    /** Writes a line at once: somebody waits for it. */
    static void say(String line) {
        byte[] bytes = (line + "\n").getBytes(StandardCharsets.UTF_8);
        try {
            synchronized (OUT) {
                OUT.write(bytes);
            }
        } catch (IOException nobodyListens) {
            Runtime.getRuntime().halt(1);
        }
    }

    /** A promise was seen to be broken. */
    static void broken(String why) {
        say("broken " + why.replace('\n', ' '));
    }

    /**
     * Reads names with commas between them, or the number of a command that is to be wrong.
     *
     * @throws IllegalArgumentException if there are no such bits, which is the library's answer
     * @throws UnknownCommandException if a name is none
     */
    static Readiness bits(String text) {
        if (!text.isEmpty() && text.chars().allMatch(Character::isDigit)) {
            long number = Long.parseLong(text);
            // What does not fit has no value here that could be tried.
            if (number > Integer.MAX_VALUE) {
                throw new IllegalArgumentException(text + " has bits that mean nothing");
            }
            return Readiness.of((int) number);
        }
        int bits = 0;
        for (String name : text.split(",", -1)) {
            int place = java.util.Arrays.asList(BITS).indexOf(name);
            if (place < 0) {
                throw new UnknownCommandException("no bit is called " + name);
            }
            bits |= 1 << place;
        }
        return Readiness.of(bits);
    }

    /** Names with commas between them. */
    static String of(Readiness bits) {
        StringBuilder text = new StringBuilder();
        for (int place = 0; place < BITS.length; place++) {
            if ((bits.bits() & 1 << place) != 0) {
                text.append(text.length() == 0 ? "" : ",").append(BITS[place]);
            }
        }
        return text.toString();
    }
}
