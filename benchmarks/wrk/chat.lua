-- One chat request of 263 bytes as wrk sends it again and again; WRK_STREAM=1 asks for a stream.
-- Answers are checked (a fast error would look like a fast proxy) and the figures leave as JSON.
local streamed = os.getenv("WRK_STREAM") == "1"
local text = "Say in one sentence why a proxy should count what passes through it."

local function body()
  local head = '{"model":"gpt-4o","messages":[{"role":"system","content":"You are brief."},'
    .. '{"role":"user","content":"' .. text .. '"}],"max_tokens":256,"temperature":0.5'
  local tail = (streamed and ',"stream":true' or "") .. "}"
  local filling = 263 - #head - #tail - #',"user":""'
  return head .. ',"user":"' .. string.rep("u", filling) .. '"' .. tail
end

wrk.method = "POST"
wrk.path = "/v1/chat/completions"
wrk.body = body()
wrk.headers["Content-Type"] = "application/json"
wrk.headers["Accept"] = "application/json"
wrk.headers["User-Agent"] = "wrk"
if not streamed then wrk.headers["X-Mock"] = "events=15" end -- an answer of about 635 bytes
wrk.headers["Authorization"] = "Bearer " .. os.getenv("WRK_KEY")

local ask
function init(args) ask = wrk.format() end
function request() return ask end

function done(summary, latency, requests)
  local errors = summary.errors
  io.write(string.format(
    '\nWRK {"requests":%d,"us":%d,"bytes":%d,"failed":%d,"p50_us":%d,"p99_us":%d}\n',
    summary.requests, summary.duration, summary.bytes,
    errors.connect + errors.read + errors.write + errors.status + errors.timeout,
    latency:percentile(50), latency:percentile(99)))
end
