#!/usr/bin/env bash
# Takes down every fence between tenants in turn (policies, forced row security, rights, tenant columns of keys, the
# functions that decide) and fails unless some check notices each. The whole table is kept in .build/mutation-report.md.
set -euo pipefail
cd "$(dirname "${BASH_SOURCE[0]}")/.."

swift build --build-tests
ATRIUM_MUTATION=1 swift test --skip-build --disable-xctest --filter '^IsolationTests\.MutationTests'
