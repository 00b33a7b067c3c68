package io.awsgi.contract;

import io.awsgi.core.AwsgiException;
import io.awsgi.core.Member;
import io.awsgi.core.Outcome;
import io.awsgi.core.Question;
import io.awsgi.core.Readiness;
import io.awsgi.core.Stats;
import io.awsgi.core.Status;
import io.awsgi.core.Wait;
import io.awsgi.core.Waitable;
import java.io.IOException;
import java.time.Duration;
import java.util.ArrayList;
import java.util.HashMap;
import java.util.List;
import java.util.Map;
import java.util.concurrent.locks.LockSupport;
import java.util.stream.IntStream;
import org.jspecify.annotations.Nullable;

/** The commands. All of it happens on the reactor's thread. */
final class Commands {
    private final ContractHost host;
    private final Map<String, ContractObject> open = new HashMap<>();
    private final Map<String, Waitable> closed = new HashMap<>();
    private final Map<String, Wait> waits = new HashMap<>();
    private final Map<String, List<Thread>> crews = new HashMap<>();

    /** A wait, and the command for its next completion. */
    private @Nullable String kept;

    private String keptLine = "";
    private int budget;
    private int room;

    Commands(ContractHost host) {
        this.host = host;
    }

    /** Executes a command and answers it. Whether it was the last. */
    boolean execute(String line) {
        String[] words = line.split(" ", -1);
        if (words[0].equals("quit")) {
            Words.say("ok");
            close();
            return true;
        }
        if (words[0].equals("when")) {
            kept = words[1];
            keptLine = line.substring("when ".length() + words[1].length() + 1);
            return false;
        }
        Words.say(answer(words));
        return false;
    }

    /** Closes the reactor, as the end of every program does. */
    void close() {
        try {
            host.reactor().close();
        } catch (RuntimeException failure) {
            Words.broken("the reactor cannot be closed: " + failure);
        }
    }

    private String answer(String[] words) {
        try {
            return done(words);
        } catch (AwsgiException failure) {
            if (failure.status() == Status.OS) {
                System.err.println(String.join(" ", words) + ": " + failure);
            }
            return "error " + failure.status();
        } catch (UnknownCommandException failure) {
            return "unknown " + failure.getMessage();
        } catch (NumberFormatException | UnsupportedOperationException failure) {
            return "unknown " + failure;
        } catch (IllegalArgumentException failure) {
            return "error " + Status.INVALID;
        } catch (IOException failure) {
            System.err.println(String.join(" ", words) + ": " + failure);
            return "error " + Status.OS;
        } catch (RuntimeException failure) {
            failure.printStackTrace();
            return "unknown " + failure;
        }
    }

    private String done(String[] words) throws IOException {
        switch (words[0] + ' ' + (words.length - 1)) {
            case "event 1" -> open(words[1], new Signal(host.reactor().event()));
            case "counter 1" -> open(words[1], new Signal(host.reactor().counter()));
            case "timer 3" ->
                    open(
                            words[1],
                            new Signal(host.reactor().timer(nanos(words[2]), nanos(words[3]))));
            case "pipe 1" -> open(words[1], Descriptors.pipe(host.reactor()));
            case "socket 2" -> open(words[1], host.socket(Integer.parseInt(words[2])));
            case "foreign 2" ->
                    open(
                            words[1],
                            host.foreign(
                                    words[2].equals("once"), interest -> told(words[1], interest)));
            case "put 1" -> object(words[1]).put();
            case "take 1" -> {
                return "ok " + object(words[1]).take();
            }
            case "hangup 1" -> object(words[1]).hangup();
            case "close 1" -> {
                ContractObject object = object(words[1]);
                open.remove(words[1]);
                closed.put(words[1], object.waitable());
                object.close();
            }
            case "cancel 1" -> {
                return pending(wait(words[1]).cancel());
            }
            case "forget 1" -> {
                return pending(wait(words[1]).forget());
            }
            case "rearm 1" -> {
                return pending(wait(words[1]).rearm());
            }
            case "notify 2" -> object(words[1]).waitable().signal(Words.bits(words[2]));
            case "notify_closed 2" -> known(closed, words[1]).signal(Words.bits(words[2]));
            case "threads 5" -> threads(words);
            case "join 1" -> join(known(crews, words[1]));
            case "stall 1" -> stall(nanos(words[1]));
            case "budget 1" -> {
                budget = Integer.parseInt(words[1]);
                host.limitTurns(budget, room);
            }
            case "room 1" -> {
                room = Integer.parseInt(words[1]);
                host.limitTurns(budget, room);
            }
            case "stats 0" -> {
                return "ok " + stats(host.reactor().stats());
            }
            default -> {
                if (words[0].equals("wait") && words.length >= 3) {
                    start(words);
                } else {
                    throw new UnknownCommandException(String.join(" ", words));
                }
            }
        }
        return "ok";
    }

    // ---- Objects ----

    private void open(String name, ContractObject object) {
        open.put(name, object);
    }

    private ContractObject object(String name) {
        return known(open, name);
    }

    private static <T> T known(Map<String, T> names, String name) {
        T named = names.get(name);
        if (named == null) {
            throw new UnknownCommandException("nothing is called " + name);
        }
        return named;
    }

    private static Duration nanos(String text) {
        return Duration.ofNanos(Long.parseLong(text));
    }

    private static void told(String name, Readiness interest) {
        Words.say(interest.isEmpty() ? "stop " + name : "watch " + name + ' ' + Words.of(interest));
    }

    // ---- Waits ----

    private Wait wait(String name) {
        return known(waits, name);
    }

    /** The answer of what asks something of a wait that may be over. */
    private static String pending(boolean was) {
        return was ? "ok" : "error " + Status.STALE;
    }

    /** wait W COUNT X:BITS... [deadline=NS|deadline=now] [multishot] [off_loop] */
    private void start(String[] words) {
        String name = words[1];
        List<ContractObject> members = new ArrayList<>();
        List<Readiness> interests = new ArrayList<>();
        Duration deadline = null;
        boolean multishot = false;
        boolean offLoop = false;
        for (String word : List.of(words).subList(3, words.length)) {
            int colon = word.indexOf(':');
            if (colon > 0) {
                members.add(object(word.substring(0, colon)));
                interests.add(Words.bits(word.substring(colon + 1)));
            } else if (word.equals("deadline=now")) {
                deadline = Duration.ZERO;
            } else if (word.startsWith("deadline=")) {
                deadline = nanos(word.substring("deadline=".length()));
            } else if (word.equals("multishot")) {
                multishot = true;
            } else if (word.equals("off_loop")) {
                offLoop = true;
            } else {
                throw new UnknownCommandException("no option is called " + word);
            }
        }
        Question question = question(members, interests, deadline);
        question =
                switch (words[2]) {
                    case "any" -> question;
                    case "all" -> question.all();
                    default -> question.atLeast(Integer.parseInt(words[2]));
                };
        if (multishot) {
            question = question.multishot();
        }
        if (offLoop) {
            question = question.offLoop();
        }
        if (deadline != null) {
            question = question.within(deadline);
        }
        // Before its deadline is reckoned.
        long began = System.nanoTime();
        waits.put(
                name,
                host.reactor()
                        .start(
                                question,
                                (wait, outcome, ready, more) ->
                                        completed(name, wait, outcome, more, began, members)));
    }

    private static Question question(
            List<ContractObject> members, List<Readiness> interests, @Nullable Duration deadline) {
        if (members.isEmpty()) {
            if (deadline == null) {
                // Of nothing, and for ever: no question can be made of that.
                throw new IllegalArgumentException("a wait without an end");
            }
            return Question.sleep(deadline);
        }
        Question question = Question.of(members.get(0).waitable(), interests.get(0));
        for (int member = 1; member < members.size(); member++) {
            question = question.and(members.get(member).waitable(), interests.get(member));
        }
        return question;
    }

    private void completed(
            String name,
            Wait wait,
            Outcome outcome,
            boolean more,
            long began,
            List<ContractObject> members) {
        StringBuilder line = new StringBuilder("done ").append(name).append(' ').append(outcome);
        line.append(more ? " MORE" : "").append(" after=").append(System.nanoTime() - began);
        List<Member> ready = wait.members();
        for (Member member : ready) {
            line.append(' ').append(member.index()).append(':').append(Words.of(member.ready()));
            ContractObject object = members.get(member.index());
            if (object.waitable() != member.waitable()) {
                Words.broken("member " + member.index() + " of " + name + " is another");
            }
        }
        Words.say(line.toString());
        if (outcome == Outcome.FAILED) {
            System.err.println(name + ": " + wait.failure());
        }
        for (Member member : ready) {
            members.get(member.index()).ready(member.ready());
        }
        if (name.equals(kept)) {
            kept = null;
            execute(keptLine);
        }
    }

    // ---- Threads ----

    /** threads T N M X BITS */
    private void threads(String[] words) {
        Waitable waitable = object(words[4]).waitable();
        Readiness bits = Words.bits(words[5]);
        int times = Integer.parseInt(words[3]);
        List<Thread> crew =
                IntStream.range(0, Integer.parseInt(words[2]))
                        .mapToObj(i -> new Thread(() -> signal(waitable, bits, times), words[1]))
                        .toList();
        crews.put(words[1], crew);
        crew.forEach(Thread::start);
    }

    private static void signal(Waitable waitable, Readiness bits, int times) {
        int left = times;
        while (left > 0) {
            try {
                waitable.signal(bits);
                left--;
            } catch (AwsgiException refused) {
                if (refused.status() != Status.LIMIT) {
                    // Closed meanwhile.
                    return;
                }
                // A counter that is full: let it be taken.
                LockSupport.parkNanos(100_000);
            }
        }
    }

    private static void join(List<Thread> crew) {
        try {
            for (Thread thread : crew) {
                thread.join();
            }
        } catch (InterruptedException nobody) {
            throw new UnknownCommandException("somebody interrupts the reactor's thread");
        }
    }

    /** Waits for the threads that nobody has waited for. */
    void joinAll() {
        crews.values().forEach(Commands::join);
    }

    private static void stall(Duration time) {
        try {
            Thread.sleep(time.toMillis(), (int) (time.toNanos() % 1_000_000));
        } catch (InterruptedException nobody) {
            throw new UnknownCommandException("somebody interrupts the reactor's thread");
        }
    }

    private static String stats(Stats stats) {
        return "turns="
                + stats.turns()
                + " events="
                + stats.events()
                + " completions="
                + stats.completions()
                + " stale="
                + stats.stale()
                + " spurious="
                + stats.spurious()
                + " ghosts="
                + stats.ghosts()
                + " rebuilds="
                + stats.rebuilds()
                + " changes="
                + stats.changes()
                + " signals="
                + stats.signals()
                + " waits="
                + stats.waits()
                + " waitables="
                + stats.waitables();
    }
}
