# shellcheck shell=sh
# Takes from a page the commands that it shows, so that they are run as they stand there. Sourced by
# scripts/jars and scripts/packages, which set page.

# Sets block to the block of commands that has this in it.
ran=0
# shellcheck disable=SC2154 # page is set by those who source this
shown() {
    block=$(awk -v wanted="$1" '
        /^```sh$/ { inside = 1; text = ""; next }
        /^```$/ { if (inside && index(text, wanted)) print text; inside = 0 }
        inside { text = text $0 "\n" }' "$page")
    [ -n "$block" ] || {
        echo "awsgi: $page shows no command with $1" >&2
        exit 1
    }
    ran=$((ran + 1))
}

# Fails if a block of commands was left out.
shown_all() {
    all=$(grep -c '^```sh$' "$page")
    [ "$ran" = "$all" ] || {
        echo "awsgi: $ran of the $all blocks of commands in $page were run" >&2
        exit 1
    }
}
