-- Reads one order again and again.
function init(args)
  wrk.path = "/api/v1/orders/" .. args[2]
  wrk.headers["Authorization"] = "Bearer " .. args[1]
end

function done(summary, latency)
  io.write(string.format("RESULT %d %d %d %d %d\n", summary.requests, summary.duration,
    latency:percentile(50), latency:percentile(99), summary.errors.status + summary.errors.read
    + summary.errors.timeout + summary.errors.connect + summary.errors.write))
end
