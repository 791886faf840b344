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

# note_death FILE EXIT_CODE: a program that died in the middle of a test, or was stopped by its
# deadline, says so in its log, as one failure.
note_death() {
    [ "$2" -eq 0 ] || [ "$(count_marks FAILED "$1")" -gt 0 ] ||
        echo "[  FAILED  ] the test program itself: exit code $2, last seen in: $(
            sed -nE 's/.*\[ RUN      \] //p' "$1" | tail -n 1) (0 ms)" >>"$1"
}

# run_shards COUNT SECONDS PROGRAM [ARGUMENT...]: runs a GoogleTest program COUNT times side by side,
# each with its share of the tests, for at most SECONDS; then prints what they said, one after the
# other.
run_shards() {
    local count=$1 seconds=$2 code=0 index shards=() logs
    shift 2
    logs=$(mktemp -d)
    for ((index = 0; index < count; index++)); do
        (
            one=0
            GTEST_TOTAL_SHARDS=$count GTEST_SHARD_INDEX=$index timeout -k 30 "$seconds" "$@" \
                >"$logs/$index" 2>&1 </dev/null || one=$?
            note_death "$logs/$index" $one
            exit $one
        ) &
        shards+=($!)
    done
    for index in "${!shards[@]}"; do
        wait "${shards[index]}" || code=$?
        cat "$logs/$index"
    done
    rm -rf "$logs"
    return $code
}

# tally FILE EXIT_CODE: prints "PASSED FAILED SKIPPED". A command that failed without a failed test,
# or ran none, counts as one failure more, and says so in FILE.
tally() {
    local passed failed skipped
    passed=$(count_marks OK "$1")
    failed=$(count_marks FAILED "$1")
    skipped=$(count_marks SKIPPED "$1")
    if [ "$2" -ne 0 ] && [ "$failed" -eq 0 ]; then
        failed=1
        note_death "$1" "$2"
    elif [ $((passed + failed + skipped)) -eq 0 ]; then
        failed=1
        echo "[  FAILED  ] no test ran at all (0 ms)" >>"$1"
    fi
    echo "$passed $failed $skipped"
}
