package io.awsgi.contract;

import io.awsgi.core.AwsgiException;
import java.io.BufferedReader;
import java.io.IOException;
import java.io.InputStreamReader;
import java.lang.reflect.InvocationTargetException;
import java.nio.charset.StandardCharsets;
import java.util.Map;
import java.util.concurrent.LinkedBlockingQueue;
import java.util.concurrent.atomic.AtomicBoolean;

/**
 * The driver by which awsgi-contract checks hosts in Java: docs/contract.md has the lines that it
 * speaks.
 *
 * <pre>{@code
 * awsgi-contract java -cp "$(cat target/classpath)" io.awsgi.contract.Driver selector
 * }</pre>
 *
 * <p>Its argument names the host: one of {@link #HOSTS}, or a class that implements {@link
 * ContractHost}.
 */
public final class Driver {
    private static final Map<String, String> HOSTS =
            Map.of(
                    "selector", "io.awsgi.contract.SelectorLoop",
                    "selector-thread", "io.awsgi.contract.SelectorThread",
                    "bridge", "io.awsgi.contract.Bridge",
                    "netty", "io.awsgi.contract.NettyLoop",
                    "netty-epoll", "io.awsgi.contract.NettyEpoll");

    /** In the place of the line that does not come any more. */
    private static final String END = "";

    private final ContractHost host;
    private final Commands commands;
    private final LinkedBlockingQueue<String> lines = new LinkedBlockingQueue<>();
    private final AtomicBoolean told = new AtomicBoolean();

    /**
     * How many commands are executed before the loop goes on. Of the reactor's thread, as the next.
     */
    private int together = 1;

    private boolean ended;

    private Driver(ContractHost host) {
        this.host = host;
        this.commands = new Commands(host);
    }

    /**
     * Drives a host until its input ends or says so.
     *
     * @param arguments the host
     */
    public static void main(String[] arguments) {
        if (arguments.length != 1) {
            fail("give one host: " + HOSTS.keySet() + " or the name of a class", null);
        }
        ContractHost host;
        try {
            host = open(arguments[0]);
        } catch (Throwable failure) {
            fail(arguments[0] + " cannot be opened", failure);
            return;
        }
        Thread.setDefaultUncaughtExceptionHandler(Driver::uncaught);
        try {
            new Driver(host).run();
            // Some hosts have threads that end in their own time.
            System.exit(0);
        } catch (Throwable failure) {
            fail("the loop of " + arguments[0] + " failed", failure);
        }
    }

    private static ContractHost open(String name) throws Throwable {
        String type = HOSTS.getOrDefault(name, name);
        try {
            return Class.forName(type)
                    .asSubclass(ContractHost.class)
                    .getDeclaredConstructor()
                    .newInstance();
        } catch (InvocationTargetException failure) {
            throw failure.getCause() == null ? failure : failure.getCause();
        }
    }

    /** What a host, a task or a sink throws is no way to end. */
    private static void uncaught(Thread thread, Throwable failure) {
        failure.printStackTrace();
        Words.broken(thread.getName() + " throws " + failure);
    }

    private static void fail(String what, @org.jspecify.annotations.Nullable Throwable why) {
        System.err.println("contract: " + what + (why == null ? "" : ": " + why));
        if (why != null && !(why instanceof AwsgiException) && !(why instanceof IOException)) {
            why.printStackTrace();
        }
        System.exit(1);
    }

    private void run() throws Exception {
        StringBuilder greeting = new StringBuilder("contract 1\nhost ").append(host.name());
        greeting.append("\nmode ").append(host.mode());
        if (!host.kind().isEmpty()) {
            greeting.append("\nkind ").append(host.kind());
        }
        cannot().forEach((thing, why) -> greeting.append("\ncannot " + thing + ' ' + why));
        Words.say(greeting.append("\nready").toString());
        Thread reader = new Thread(this::read, "input");
        reader.setDaemon(true);
        reader.start();
        host.run();
        commands.joinAll();
        Words.say("freed");
    }

    private Map<String, String> cannot() {
        Map<String, String> cannot = new java.util.TreeMap<>(host.cannot());
        cannot.putIfAbsent("fork", "a JVM cannot be forked");
        String why = Descriptors.unavailable();
        if (why != null) {
            cannot.putIfAbsent("descriptors", why);
            cannot.putIfAbsent("socket", why);
        }
        return cannot;
    }

    // ---- Lines ----

    /** On a thread of its own. */
    private void read() {
        try (BufferedReader input =
                new BufferedReader(new InputStreamReader(System.in, StandardCharsets.UTF_8))) {
            String line;
            while ((line = input.readLine()) != null) {
                lines.add(line);
                tell();
            }
        } catch (IOException unreadable) {
            // As its end.
        }
        lines.add(END);
        tell();
    }

    /** Has the loop come here, once for all that is there until then. */
    private void tell() {
        if (told.compareAndSet(false, true)) {
            host.execute(this::work);
        }
    }

    /** In the loop: executes the commands that belong together, and goes back to it. */
    private void work() {
        told.set(false);
        while (!ended && together > 0) {
            String line = lines.peek();
            if (line == null || (together > lines.size() && !lines.contains(END))) {
                return;
            }
            lines.remove();
            if (line.equals(END)) {
                ended = true;
                commands.close();
            } else if (line.startsWith("batch ")) {
                together = Integer.parseInt(line.substring("batch ".length()));
            } else {
                together--;
                ended = commands.execute(line);
            }
        }
        together = 1;
        if (!ended && !lines.isEmpty()) {
            tell();
        }
    }
}
