package io.awsgi.contract;

import io.awsgi.core.Reactor;
import java.io.File;
import java.io.IOException;
import java.net.InetAddress;
import java.net.InetSocketAddress;
import java.nio.channels.Pipe;
import java.nio.channels.SocketChannel;
import java.nio.file.Files;
import java.nio.file.Path;
import java.util.Set;
import java.util.TreeSet;
import org.jspecify.annotations.Nullable;

/**
 * Descriptors, as applications have them of native code. This program has none, so it opens
 * channels, and looks below {@code /proc} which numbers are new.
 */
final class Descriptors {
    private Descriptors() {}

    private static final File ALL = new File("/proc/self/fd");

    /** Why there are none; null if there are. */
    static @Nullable String unavailable() {
        return ALL.isDirectory()
                ? null
                : "a JVM does not know the numbers of its descriptors where there is no /proc";
    }

    /** The reading end of a new pipe. */
    static ContractObject pipe(Reactor reactor) throws IOException {
        Set<Integer> before = numbers("pipe:");
        Pipe pipe = Pipe.open();
        try {
            pipe.source().configureBlocking(false);
            Set<Integer> ends = since(before, "pipe:", 2);
            for (int end : ends) {
                if (isForReading(end)) {
                    return new Stream(
                            reactor.descriptor(end), pipe.source(), pipe.sink(), pipe.sink());
                }
            }
            throw new IOException("none of " + ends + " is for reading");
        } catch (IOException | RuntimeException failure) {
            pipe.source().close();
            pipe.sink().close();
            throw failure;
        }
    }

    /** A TCP connection, or what becomes one. */
    static ContractObject socket(Reactor reactor, int port) throws IOException {
        // The first of a process opens one more, which stays.
        SocketChannel.open().close();
        Set<Integer> before = numbers("socket:");
        SocketChannel socket = SocketChannel.open();
        try {
            int number = since(before, "socket:", 1).iterator().next();
            socket.configureBlocking(false);
            socket.connect(new InetSocketAddress(InetAddress.getLoopbackAddress(), port));
            return new Stream(reactor.descriptor(number), socket, socket, null);
        } catch (IOException | RuntimeException failure) {
            socket.close();
            throw failure;
        }
    }

    /** The numbers that are new, of what is called like this. */
    private static Set<Integer> since(Set<Integer> before, String kind, int count)
            throws IOException {
        Set<Integer> made = numbers(kind);
        made.removeAll(before);
        if (made.size() != count) {
            throw new IOException("something else was opened meanwhile: " + made);
        }
        return made;
    }

    /** The numbers of what is called like this. */
    private static Set<Integer> numbers(String kind) {
        Set<Integer> numbers = new TreeSet<>();
        String[] all = ALL.list();
        for (String number : all == null ? new String[0] : all) {
            if (linkOf(number).startsWith(kind)) {
                numbers.add(Integer.valueOf(number));
            }
        }
        return numbers;
    }

    private static String linkOf(String number) {
        try {
            return Files.readSymbolicLink(ALL.toPath().resolve(number)).toString();
        } catch (IOException gone) {
            // The list itself had one.
            return "";
        }
    }

    /** The last of its flags, which are octal, says what it was opened for. */
    private static boolean isForReading(int number) throws IOException {
        for (String line : Files.readAllLines(Path.of("/proc/self/fdinfo", "" + number))) {
            if (line.startsWith("flags:")) {
                return (line.charAt(line.length() - 1) & 3) == 0;
            }
        }
        return false;
    }
}
