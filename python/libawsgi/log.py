"""What is said to whoever looks after the process."""

import sys


def write(text):
    """Writes to stderr, as it is: who serves does not stop because nobody reads what is said."""
    try:
        sys.stderr.write(text)
        sys.stderr.flush()
    except (OSError, ValueError, AttributeError):
        # It is closed, or there is none.
        pass


def say(sentence):
    """A line for whoever looks after the process."""
    write("libawsgi: %s\n" % sentence)
