package io.awsgi.examples;

import static org.junit.jupiter.api.Assertions.assertEquals;

import java.nio.file.Path;
import java.util.ArrayList;
import java.util.List;
import org.junit.jupiter.api.Test;
import org.junit.jupiter.api.io.TempDir;

/** Programs that need nobody beside them. */
class ProgramsTest {
    @Test
    void theFirstLinesOfJavaSayWhatTheyDo(@TempDir Path classes) throws Exception {
        Source.compile("first/src/main/java/hello/Hello.java", 17, classes);
        try (Program hello = Program.start(List.of(classes), "hello.Hello")) {
            assertEquals(List.of("TIMED_OUT", "READABLE"), hello.rest());
        }
    }

    @Test
    void setsAreAnsweredByAnyOfThem() throws Exception {
        List<String> output = new ArrayList<>();
        Sets.run(output::add);
        assertEquals(List.of("ready: member 1", "3 bytes, CANCELLED"), output);
    }

    @Test
    void thePromptHearsALine() throws Exception {
        try (Program prompt = Program.start(Prompt.class, "PT60S")) {
            assertEquals("Who is there?", prompt.line());
            prompt.type("Ada\n");
            assertEquals(List.of("Hello, Ada."), prompt.rest());
        }
    }

    @Test
    void thePromptDoesNotWaitForEver() throws Exception {
        try (Program prompt = Program.start(Prompt.class, "PT0.05S")) {
            assertEquals(List.of("Who is there?", "Nobody."), prompt.rest());
        }
    }

    @Test
    void thePromptHearsTheEnd() throws Exception {
        try (Program prompt = Program.start(Prompt.class, "PT60S")) {
            prompt.typeEnd();
            assertEquals(List.of("Who is there?", "Hello, null."), prompt.rest());
        }
    }
}
