# shellcheck shell=sh
# Runs named stages one after another, each timed, and sums up. Sourced by scripts/test and
# scripts/test-deep, which define a function stage_NAME for each and then call
#
#   stages "NAME:SECONDS NAME:SECONDS ..." "$@"
#
# SECONDS is how long a stage usually takes. With AWSGI_SECONDS set, a stage begins only if it fits
# into what is left of that time. Arguments choose stages by name. A stage that cannot be done on this
# machine says why on its last line and ends with 77: it counts as skipped.

stages() {
    list=$1
    shift
    if [ "${1-}" = --stage ]; then
        set -eu
        "stage_$2"
        return
    fi
    only=" $* "
    for name in "$@"; do
        case " $list" in
        *" $name:"*) ;;
        *)
            echo "awsgi: no stage is called $name; there are: $(echo "$list" | sed 's/:[0-9]*//g')" >&2
            return 2
            ;;
        esac
    done

    began=$(date +%s)
    summary=""
    passed=0 failed=0 skipped=0
    for item in $list; do
        name=${item%:*}
        seconds=${item#*:}
        case $only in
        "  " | *" $name "*) ;;
        *) continue ;;
        esac
        now=$(date +%s)
        left=$((${AWSGI_SECONDS:-1000000} - (now - began)))
        if [ "$seconds" -gt "$left" ]; then
            skipped=$((skipped + 1))
            stage_line "did not fit: takes about $seconds s, $left s were left"
            continue
        fi
        echo "== $name"
        status=0
        # Only a stage that hangs takes so long.
        within $((seconds * 4 + 300)) "$0" --stage "$name" || status=$?
        took=$(($(date +%s) - now))
        case $status in
        0)
            passed=$((passed + 1))
            stage_line "ok      $took s"
            ;;
        77)
            skipped=$((skipped + 1))
            stage_line "skipped (see above)"
            ;;
        124 | 137)
            failed=$((failed + 1))
            stage_line "FAILED  it had not ended after $took s, and was ended"
            ;;
        *)
            failed=$((failed + 1))
            stage_line "FAILED  $took s"
            ;;
        esac
        echo
    done
    printf '%s\n' "$summary" "stages: $passed passed, $failed failed, $skipped skipped"
    [ "$failed" = 0 ]
}

stage_line() {
    summary="$summary$(printf '%-12s %s' "$name" "$1")
"
}

# Ends a command, and what it started, after so many seconds, where the machine has a tool for it.
within() {
    limit=$1
    shift
    if command -v timeout >/dev/null 2>&1; then
        timeout --kill-after=20 "$limit" "$@"
    else
        "$@"
    fi
}

# Ends a stage that cannot be done here.
skip() {
    echo "not checked: $1"
    exit 77
}
