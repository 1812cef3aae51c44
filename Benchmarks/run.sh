#!/usr/bin/env bash
# Runs the benchmarks: all of them, or SUITE=http, tenancy or events. Prints tables, or with JSON=1 one
# JSON object a line.
set -euo pipefail
cd "$(dirname "$0")/.."

suites="${SUITE:-http tenancy events}"
for suite in $suites; do
  if [ ! -x "Benchmarks/$suite/run.py" ]; then
    echo "bench: there is no suite $suite; there are: $(cd Benchmarks && ls -d */ | tr -d /| xargs)" >&2
    exit 2
  fi
done

# The load generators, and what compiles one of them; everything else is there once `make bench` has gone through
# scripts/bootstrap.sh.
for program in wrk python3 gcc; do
  command -v "$program" >/dev/null && continue
  if [ "$(id -u)" = 0 ]; then
    apt-get update -q >&2 && apt-get install -y -q "$program" >&2
  elif command -v sudo >/dev/null; then
    sudo apt-get install -y -q "$program" >&2
  else
    echo "bench: $program is missing; install it with: apt-get install $program" >&2
    exit 1
  fi
done

swift build -c release --product atrium >&2
for suite in $suites; do
  "Benchmarks/$suite/run.py"
done
