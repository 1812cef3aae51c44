#!/usr/bin/env bash
# Formats every Swift file of the project, or with `lint` says which ones are not as .swift-format has it.
set -euo pipefail
cd "$(dirname "${BASH_SOURCE[0]}")/.."

places=(Package.swift Sources Tests Modules)
[ ! -d Benchmarks ] || places+=(Benchmarks)
if [ "${1:-}" = lint ]; then
    swift format lint --strict --recursive --parallel "${places[@]}" || {
        echo "Some files are not formatted as .swift-format has it (see above). Run: make format" >&2
        exit 1
    }
else
    swift format --in-place --recursive --parallel "${places[@]}"
fi
