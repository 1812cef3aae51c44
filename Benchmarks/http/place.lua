-- Places one order a request, each with an Idempotency-Key of its own.
local keys, thread_count = {}, 0

function setup(thread)
  thread:set("number", thread_count)
  thread_count = thread_count + 1
end

function init(args)
  requests = 0
  run = args[2] or "run"
  wrk.method = "POST"
  wrk.path = "/api/v1/orders"
  wrk.headers["Content-Type"] = "application/json"
  wrk.headers["Authorization"] = "Bearer " .. args[1]
  wrk.body = '{"customerId":"0198c0de-0000-7000-8000-00000000c001","currency":"EUR","place":true,"lines":['
    .. '{"sku":"SEAT-PRO","quantity":3,"unitPriceMinor":1250},{"sku":"SETUP","quantity":1,"unitPriceMinor":9900}]}'
end

function request()
  requests = requests + 1
  wrk.headers["Idempotency-Key"] = run .. "-" .. number .. "-" .. requests
  return wrk.format()
end

function response(status)
  if status ~= 201 then
    refused = (refused or 0) + 1
    if refused == 1 then io.stderr:write("an order was answered with " .. status .. "\n") end
  end
end

function done(summary, latency)
  io.write(string.format("RESULT %d %d %d %d %d\n", summary.requests, summary.duration,
    latency:percentile(50), latency:percentile(99), summary.errors.status + summary.errors.read
    + summary.errors.timeout + summary.errors.connect + summary.errors.write))
end
