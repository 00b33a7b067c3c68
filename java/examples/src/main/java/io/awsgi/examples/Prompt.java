package io.awsgi.examples;

import io.awsgi.core.ReactorOptions;
import io.awsgi.core.Readiness;
import io.awsgi.core.SelectorHost;
import io.awsgi.core.Waitable;
import java.io.BufferedReader;
import java.io.InputStreamReader;
import java.nio.charset.StandardCharsets;
import java.time.Duration;

/**
 * Asks at the terminal, and does not wait for ever. Standard input is a descriptor, and no channel:
 * a selector cannot watch it, the library can.
 */
public final class Prompt {
    private Prompt() {}

    public static void main(String[] arguments) throws Exception {
        Duration patience = Duration.parse(arguments.length == 0 ? "PT10S" : arguments[0]);
        try (SelectorHost host = SelectorHost.start(ReactorOptions.DEFAULT)) {
            Waitable input = host.reactor().call(() -> host.reactor().descriptor(0)).join();
            System.out.println("Who is there?");
            Readiness ready = host.reactor().awaitReady(input, Readiness.READABLE, patience);
            if (ready.isTimedOut()) {
                System.out.println("Nobody.");
                return;
            }
            BufferedReader lines =
                    new BufferedReader(new InputStreamReader(System.in, StandardCharsets.UTF_8));
            System.out.println("Hello, " + lines.readLine() + ".");
        }
    }
}
