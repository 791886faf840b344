# shellcheck shell=bash
# Shell functions that read GoogleTest's output; sourced by tests/run, tests/vm/run and the guest.
# A line may begin with what a test printed without a newline, so the marks are not anchored.

# count_marks MARK FILE: how many tests ended with this mark.
count_marks() {
    grep -cE "\[ *$1 *\] .* \([0-9]+ ms\)\$" "$2" || true
}

# names_of MARK FILE: the tests that ended with this mark (or "ONE|OTHER"), a line each.
names_of() {
    sed -nE "s/.*\[ *($1) *\] (.*) \([0-9]+ ms\)\$/\2/p" "$2"
}

# tally FILE EXIT_CODE: prints "PASSED FAILED SKIPPED". A program that died in the middle of a test,
# was stopped by its deadline or ran no test counts as one failure more, and says so in FILE.
tally() {
    local passed failed skipped
    passed=$(count_marks OK "$1")
    failed=$(count_marks FAILED "$1")
    skipped=$(count_marks SKIPPED "$1")
    if [ "$2" -ne 0 ] && [ "$failed" -eq 0 ]; then
        failed=1
        echo "[  FAILED  ] the test program itself: exit code $2, last seen in: $(
            sed -nE 's/.*\[ RUN      \] //p' "$1" | tail -n 1) (0 ms)" >>"$1"
    elif [ $((passed + failed + skipped)) -eq 0 ]; then
        failed=1
        echo "[  FAILED  ] no test ran at all (0 ms)" >>"$1"
    fi
    echo "$passed $failed $skipped"
}
