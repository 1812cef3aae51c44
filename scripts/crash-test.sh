#!/usr/bin/env bash
# Runs the whole crash matrix and prints it as a table: every case with its fault, how often that fired, what was under
# way, and whether the ledger of those who asked agrees with what became of it. Fails unless every line is as it must be.
#
#   CASE='relay.|broker' scripts/crash-test.sh    only cases with one of these in their names
#   WIDTH=2 scripts/crash-test.sh                 so many side by side (4 unless told)
set -euo pipefail
cd "$(dirname "${BASH_SOURCE[0]}")/.."

swift build --build-tests

folder=.build/test-logs
mkdir -p "$folder"
report=$folder/crash-matrix.tsv
log=$folder/crash-matrix.log
rm -f "$report"
export ATRIUM_CRASH_MATRIX=all ATRIUM_CRASH_REPORT=$PWD/$report ATRIUM_CRASH_WIDTH=${WIDTH:-4}
if [ -n "${CASE:-}" ]; then export ATRIUM_CRASH_CASE=$CASE; fi

status=0
swift test --skip-build --disable-xctest --filter '^CrashTests\.' >"$log" 2>&1 &
tests=$!
trap 'kill "$tests" 2>/dev/null || true' EXIT
# Each line as it comes; the table follows when all are there.
tail --pid="$tests" -n +1 -F "$report" 2>/dev/null | sed -u 's/^/  /; s/\t/ | /g' || true
wait "$tests" || status=$?
trap - EXIT

printf '\n'
{
    printf 'case\tfault\tfired\torders\tevents\teffects\tduplicates\treorderings\tverdict\tseconds\tnote\n'
    grep --text -v '^control: ' "$report" | sort || true
    grep --text '^control: ' "$report" | sort || true
} | awk -F '\t' '
    { for (i = 1; i <= NF; i++) { cell[NR, i] = $i; if (length($i) > width[i]) width[i] = length($i) }; fields[NR] = NF }
    END {
        for (row = 1; row <= NR; row++) {
            line = ""
            for (i = 1; i <= fields[row]; i++) line = line sprintf("%-" width[i] "s  ", cell[row, i])
            sub(/ +$/, "", line)
            print line
        }
    }'
if [ "$status" != 0 ]; then
    printf '\n== What failed (whole: %s)\n' "$log"
    grep --text -A 12 -E 'recorded an issue|error:|Fatal error' "$log" | head -n 200 || true
    exit "$status"
fi
# A run that came to nothing must not look like one that went well.
held=$(grep --text -c $'\tholds\t' "$report" || true)
noticed=$(grep --text -c $'\tnoticed\t' "$report" || true)
printf '\n%s cases hold, %s controls were noticed, in %s s.\n' "$held" "$noticed" "$SECONDS"
[ "$held" -gt 0 ] || {
    echo "No case held: is there one whose name has “${CASE:-}”? They are in Tests/CrashTests/CrashMatrix.swift." >&2
    exit 1
}
