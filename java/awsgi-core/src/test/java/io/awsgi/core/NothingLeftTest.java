package io.awsgi.core;

import static org.junit.jupiter.api.Assertions.assertEquals;
import static org.junit.jupiter.api.Assertions.assertTrue;

import java.nio.file.Files;
import java.nio.file.Path;
import java.util.ArrayList;
import java.util.List;
import java.util.Map;
import java.util.stream.Stream;
import org.junit.jupiter.api.Test;
import org.junit.jupiter.api.extension.ExtendWith;

/** A test that leaves something is found out. */
@ExtendWith(NothingLeft.class)
class NothingLeftTest {
    @Test
    void whatATestHasIsSeen() {
        try (ManualHost host = new ManualHost()) {
            Waitable event = host.reactor.event();
            host.reactor.start(
                    Question.of(event, Readiness.READABLE), (wait, outcome, ready, more) -> {});
            event.token();
            host.settle();
            Map<String, Long> left = NothingLeft.left();
            for (String what : List.of("reactors", "waitables", "waits", "blocks", "watchers")) {
                assertEquals(1, left.get(what), left::toString);
            }
        }
    }

    @Test
    void eachTestClassIsLookedAfter() throws Exception {
        List<String> others = new ArrayList<>();
        Path classes = ChildJvm.root(NothingLeftTest.class);
        try (Stream<Path> files = Files.list(classes.resolve("io/awsgi/core"))) {
            for (Path file : files.toList()) {
                String name = file.getFileName().toString();
                if (name.endsWith("Test.class")) {
                    Class<?> type = Class.forName("io.awsgi.core." + name.replace(".class", ""));
                    ExtendWith extended = type.getAnnotation(ExtendWith.class);
                    if (extended == null
                            || !List.of(extended.value()).contains(NothingLeft.class)) {
                        others.add(name);
                    }
                }
            }
        }
        assertEquals(List.of(), others);
        assertTrue(Files.exists(classes.resolve("io/awsgi/core/BridgeTest.class")));
    }
}
