#!/usr/bin/env bash
# One order through four contexts, by curl. Needs a running `make run`; reads .atrium/dev.env for URL and keys.
#
#   examples/walkthrough.sh
set -euo pipefail

cd "$(dirname "$0")/.."
environment="${ATRIUM_ENV:-.atrium/dev.env}"
if [ ! -r "$environment" ]; then
  echo "walkthrough: can't read $environment; start Atrium first with: make run" >&2
  exit 1
fi
# shellcheck disable=SC1090
. "$environment"

headers=$(mktemp)
trap 'rm -f "$headers"' EXIT

# call METHOD PATH KEY [curl options]: prints the body, keeps the headers, ends the walk on an unexpected status.
call() {
  local method=$1 path=$2 key=$3 status body
  shift 3
  body=$(curl --silent --show-error --max-time 10 --request "$method" --dump-header "$headers" \
    --header "Authorization: Bearer $key" --write-out '\n%{http_code}' "$@" "$ATRIUM_URL$path")
  status=${body##*$'\n'}
  body=${body%$'\n'*}
  if [ "$status" != "${expected:-200}" ]; then
    echo "walkthrough: $method $path answered $status, not ${expected:-200}: $body" >&2
    exit 1
  fi
  printf '%s\n' "$body"
}

# field NAME: the first value of that name in the JSON on standard input.
field() { sed -n "s/.*\"$1\":\"\{0,1\}\([^\",}]*\).*/\1/p" | head -n 1; }
etag() { sed -n 's/^[Ee][Tt]ag: *\([^[:cntrl:]]*\).*/\1/p' "$headers"; }
say() { printf '\n\033[1m%s\033[0m\n' "$*"; }

say "1. $ATRIUM_TENANT_1 opens an order"
order=$(expected=201 call POST /api/v1/orders "$ATRIUM_TENANT_1_KEY" \
  --header "Content-Type: application/json" --header "Idempotency-Key: walk-$(date +%s%N)" \
  --data '{"customerId":"0198c0de-0000-7000-8000-00000000c001","currency":"EUR","lines":[
    {"sku":"SEAT-PRO","quantity":3,"unitPriceMinor":1250},{"sku":"SETUP","quantity":1,"unitPriceMinor":9900}]}')
echo "$order"
id=$(printf '%s' "$order" | field id)

say "2. It is placed, approved and fulfilled, each step on the version before it"
for move in place approve fulfil; do
  call POST "/api/v1/orders/$id/$move" "$ATRIUM_TENANT_1_KEY" --header "If-Match: $(etag)" | field state
done

say "3. Billing has heard of it: an invoice"
invoices=
for _ in $(seq 50); do
  invoices=$(call GET "/api/v1/invoices?order=$id" "$ATRIUM_TENANT_1_KEY")
  case "$invoices" in *'"number"'*) break ;; esac
  sleep 0.1
done
echo "$invoices"
printf '%s' "$invoices" | field number | grep -q . || { echo "walkthrough: no invoice after 5 s" >&2; exit 1; }

say "4. Metering has heard of it: usage of this hour"
from=$(date -u +%Y-%m-%dT%H:00:00Z)
to=$(date -u -d '+1 hour' +%Y-%m-%dT%H:00:00Z)
call GET "/api/v1/usage?meter=orders.placed&from=$from&to=$to&window=hour" "$ATRIUM_TENANT_1_KEY"

say "5. Who changed the order, what, when"
call GET "/api/v1/orders/$id/history" "$ATRIUM_TENANT_1_KEY"

say "6. To $ATRIUM_TENANT_2 the order does not exist"
expected=404 call GET "/api/v1/orders/$id" "$ATRIUM_TENANT_2_KEY"
call GET "/api/v1/invoices?order=$id" "$ATRIUM_TENANT_2_KEY"

say "The walk is done: order $id"
