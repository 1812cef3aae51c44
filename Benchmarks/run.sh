#!/usr/bin/env bash
# Runs the benchmarks: all of them, or SUITE=http. Prints a table, or with JSON=1 one JSON object a line.
set -euo pipefail
cd "$(dirname "$0")/.."

suites="${SUITE:-http}"
for suite in $suites; do
  if [ ! -x "Benchmarks/$suite/run.py" ]; then
    echo "bench: there is no suite $suite; there are: $(cd Benchmarks && ls -d */ | tr -d /| xargs)" >&2
    exit 2
  fi
done

missing=
command -v wrk >/dev/null || missing="$missing wrk"
command -v python3 >/dev/null || missing="$missing python3"
if [ -n "$missing" ]; then
  # shellcheck disable=SC2086
  scripts/install.sh $missing >&2
fi
swift build -c release --product atrium >&2
for suite in $suites; do
  "Benchmarks/$suite/run.py"
done
