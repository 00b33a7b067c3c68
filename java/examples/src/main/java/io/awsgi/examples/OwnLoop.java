package io.awsgi.examples;

import static io.awsgi.core.Readiness.READABLE;

import io.awsgi.core.Outcome;
import io.awsgi.core.Question;
import io.awsgi.core.ReactorBridge;
import io.awsgi.core.ReactorOptions;
import io.awsgi.core.Readiness;
import io.awsgi.core.Sink;
import io.awsgi.core.Wait;
import io.awsgi.core.Waitable;
import java.time.Duration;
import java.util.HashSet;
import java.util.Queue;
import java.util.Set;
import java.util.concurrent.ConcurrentLinkedQueue;
import java.util.concurrent.locks.LockSupport;
import java.util.function.Consumer;

/**
 * A game: a loop without a selector, which looks around sixty times a second. Its players wait for
 * keys, which nobody but the loop can watch.
 */
public final class OwnLoop implements ReactorBridge.Host {
    private static final long FRAME = Duration.ofSeconds(1).toNanos() / 60;

    private final Thread loop = Thread.currentThread();
    private final ReactorBridge bridge =
            ReactorBridge.open(this, ReactorOptions.DEFAULT.name("game"));
    private final Set<Waitable> watched = new HashSet<>();
    private final Consumer<String> screen;

    OwnLoop(Consumer<String> screen) {
        this.screen = screen;
    }

    /** Called by any thread: the loop is to turn soon. */
    @Override
    public void wakeup() {
        LockSupport.unpark(loop);
    }

    /** Called inside of a turn: watch this player from now on, or stop. */
    @Override
    public void watch(Waitable player, Readiness interest) {
        if (interest.isEmpty()) {
            watched.remove(player);
        } else {
            watched.add(player);
        }
    }

    /** Turns, does what a game does in a frame, and sleeps until the next, until it is closed. */
    void run() {
        while (bridge.turn()) {
            for (Waitable player : watched) {
                if (!((Player) player.attachment()).keys.isEmpty()) {
                    player.signal(READABLE);
                }
            }
            long sleep = Math.min(bridge.timeoutNanos(), FRAME);
            if (sleep > 0) {
                LockSupport.parkNanos(sleep); // to be woken too early is no harm
            }
        }
    }

    /** Any thread may close it; the loop ends in its next turns. */
    void close() {
        bridge.close();
    }

    /** Uses one key after the other, and falls asleep when there is none for a while. */
    final class Player implements Sink {
        final Queue<String> keys = new ConcurrentLinkedQueue<>();
        private final String name;
        private final Question pressed;

        Player(String name, Duration patience) {
            this.name = name;
            this.pressed = Question.of(bridge.level(this), READABLE).within(patience);
            bridge.reactor().start(pressed, this);
        }

        @Override
        public void completed(Wait wait, Outcome outcome, Readiness ready, boolean more) {
            switch (outcome) {
                case READY -> {
                    screen.accept(name + ": " + keys.remove());
                    bridge.reactor().start(pressed, this);
                }
                case TIMED_OUT -> screen.accept(name + " falls asleep");
                default -> screen.accept(name + " leaves"); // the game was closed
            }
        }
    }

    public static void main(String[] arguments) {
        OwnLoop game = new OwnLoop(System.out::println);
        Player anna = game.new Player("anna", Duration.ofSeconds(5));
        game.new Player("bert", Duration.ofSeconds(1));
        anna.keys.add("jump"); // any thread may press keys
        game.bridge
                .reactor()
                .start(Question.sleep(Duration.ofSeconds(2)), (w, o, r, m) -> game.close());
        game.run();
    }
}
