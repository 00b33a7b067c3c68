package io.awsgi.examples;

import static org.junit.jupiter.api.Assertions.assertEquals;

import java.time.Duration;
import java.util.ArrayList;
import java.util.List;
import java.util.concurrent.BlockingQueue;
import java.util.concurrent.LinkedBlockingQueue;
import java.util.concurrent.TimeUnit;
import org.junit.jupiter.api.Test;

class OwnLoopTest {
    @Test
    void playersUseTheirKeysAndFallAsleep() throws Exception {
        BlockingQueue<String> screen = new LinkedBlockingQueue<>();
        OwnLoop game = new OwnLoop(screen::add);
        OwnLoop.Player anna = game.new Player("anna", Duration.ofSeconds(60));
        game.new Player("bert", Duration.ofMillis(20));
        List<String> seen = new ArrayList<>();
        Thread hands =
                new Thread(
                        () -> {
                            try {
                                seen.add(screen.poll(30, TimeUnit.SECONDS));
                                anna.keys.add("jump");
                                anna.keys.add("run");
                                seen.add(screen.poll(30, TimeUnit.SECONDS));
                                seen.add(screen.poll(30, TimeUnit.SECONDS));
                            } catch (InterruptedException over) {
                                seen.add("interrupted");
                            }
                            game.close();
                        });
        hands.start();
        game.run();
        hands.join();
        assertEquals(List.of("bert falls asleep", "anna: jump", "anna: run"), seen);
        assertEquals("anna leaves", screen.poll());
    }
}
