#!/usr/bin/env bash
# Every check of the project, in the order in which they are quickest to fail: formatting, the compiler's fence between
# the contexts (which is the build of the tests too), the event schemas, the decision records, the tests.
#
#   FILTER=OrdersTests scripts/test.sh      only the tests whose name matches
set -euo pipefail
cd "$(dirname "${BASH_SOURCE[0]}")/.."

say() { printf '\n== %s\n' "$*"; }

say "Formatting"
scripts/format.sh lint

# A target that imports what Package.swift does not give it builds without a word; this option makes it an error. The
# build goes on after that error and ends with "Build complete!", so it is the exit code that counts.
say "Building, with undeclared imports refused"
swift build --build-tests --explicit-target-dependency-import-check error || {
    echo "The build failed, or a target imports another that Package.swift does not give it (see above)." >&2
    exit 1
}

# With nothing to compare with, it says so and goes on.
say "Event schemas, against what was published"
status=0
"$(swift build --show-bin-path)/atrium" schemas check || status=$?
case $status in
0) ;;
1)
    echo "A published schema breaks its readers (see above, and docs/schema-rules.md). What breaks is a new version." >&2
    exit 1
    ;;
*)
    echo "Whether a published schema breaks its readers can't be told (see above)." >&2
    exit 1
    ;;
esac

say "Decision records"
"$(swift build --show-bin-path)/adr" doctor || {
    echo "A record doesn't agree with the others or with what names it (see above, and docs/adr-tool.md)." >&2
    exit 1
}

say "Tests"
# Every test may run beside every other, but hundreds at once on two cores would only measure the queue for them: one
# target after the other, and so many tests at a time.
export SWT_EXPERIMENTAL_MAXIMUM_PARALLELIZATION_WIDTH="${TEST_WIDTH:-8}"
arguments=(--skip-build --disable-xctest)
if [ -n "${FILTER:-}" ]; then exec swift test "${arguments[@]}" --filter "$FILTER"; fi
failed=()
output=$(mktemp)
trap 'rm -f "$output" "$output.issues"' EXIT
for target in $(cd Tests && ls -d ./*Tests | sed 's|^./||'); do
    printf '\n-- %s\n' "$target"
    swift test "${arguments[@]}" --filter "^$target\\." 2>&1 | tee "$output" || {
        failed+=("$target")
        # Again at the end, where somebody who comes to a long log looks first.
        grep --text -A 40 -E 'recorded an issue|error:|Fatal error' "$output" | grep --text -vE '^(✔|◇)' >>"$output.issues" || true
    }
done
if [ "${#failed[@]}" -gt 0 ]; then
    printf '\n== What failed\n'
    head -n 300 "$output.issues"
    printf '\nFailed: %s\n' "${failed[*]}"
    exit 1
fi
printf '\nEvery test passed.\n'
