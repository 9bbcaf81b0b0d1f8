-- Arguments: path, name of the header, file with one value a line, longest pause of a connection in ms (0: none).
local requests, turn, longest = {}, 0, 0

function init(args)
  for value in io.lines(args[3]) do
    requests[#requests + 1] = wrk.format('GET', args[1], { [args[2]] = value, Host = wrk.host })
  end
  longest = tonumber(args[4])
  math.randomseed(#requests)
  if longest > 0 then
    delay = function() return math.random(1, longest) end
  end
end

function request()
  turn = turn % #requests + 1
  return requests[turn]
end

function done(summary, latency)
  local e = summary.errors
  io.write(string.format('{"requests":%d,"microseconds":%d,"p50":%d,"p99":%d,"refused":%d,"failed":%d}\n', summary.requests,
    summary.duration, latency:percentile(50), latency:percentile(99), e.status, e.connect + e.read + e.write + e.timeout))
end
