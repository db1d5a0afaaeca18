-- One bucket or window of the fleet: a node says what it has and has spent, and asks for more.
--
-- KEYS  account: hash   nodes, epoch: as in enroll.lua   previous: the window before (sliding)
-- ARGV  1 node, 2 epoch, 3 seq, 4 incarnation, 5 granted, 6 spent, 7 need, 8 want, 9 algorithm,
--       10 capacity, 11 period (us), 12 window's end (ms; 0: none), 13 keep (ms; 0: for ever),
--       14 grace (ms)
-- Returns {status, granted, left, wait (ms), reissued, nodes}; wait -1: never.
--
-- `granted` and `spent` are sums since the node's counters began (its incarnation), not steps: so a
-- lost answer counts as given back, a call said twice changes nothing, and an account that was
-- lost is whole again when every node has spoken. `seq` keeps a late call from undoing a newer.
--
-- account: u (windows) what is granted or spent, of capacity; l, t (token bucket) level and when;
--          r re-issued; x when this account was found lost; for each node N
--          g:N granted, s:N spent, q:N seq, i:N incarnation
local account, nodes = KEYS[1], KEYS[2]
local me, need, want = ARGV[1], tonumber(ARGV[7]), tonumber(ARGV[8])
local granted, spent = tonumber(ARGV[5]), tonumber(ARGV[6])
local algorithm, capacity, period = tonumber(ARGV[9]), tonumber(ARGV[10]), tonumber(ARGV[11])
local keep, grace = tonumber(ARGV[13]), tonumber(ARGV[14])
local BUCKET, CAP, SLIDING = 1, 3, 5
local time = redis.call('TIME')
local now_us = time[1] * 1000000 + time[2]
local now = math.floor(now_us / 1000)

local world = redis.call('HMGET', KEYS[3], 'id', 'lost')
if world[1] ~= ARGV[2] then return {'epoch', 0, 0, 0, 0, 0} end
if tonumber(redis.call('ZSCORE', nodes, me) or '0') < now then return {'lapsed', 0, 0, 0, 0, 0} end

local rows, has = redis.call('HGETALL', account), {}
for i = 1, #rows, 2 do has[rows[i]] = rows[i + 1] end
local function number(field) return tonumber(has[field] or '0') end
if has['q:' .. me] and tonumber(ARGV[3]) <= number('q:' .. me) and has['i:' .. me] == ARGV[4] then
  return {'stale', has['q:' .. me], 0, 0, 0, 0}
end

-- What nodes that are gone had not spent, as far as they said: a window gives it out again, a token
-- bucket has long repaid it. `held`: slices that are out with others.
local used, reissued, held, gone = number('u'), number('r'), 0, {}
for field, value in pairs(has) do
  local node = string.match(field, '^g:(.*)$')
  local rest = node and tonumber(value) - number('s:' .. node) or 0
  if node and node ~= me and rest > 0 then
    if tonumber(redis.call('ZSCORE', nodes, node) or '0') < now then
      used, reissued = used - rest, reissued + rest
      gone[#gone + 1] = field
      gone[#gone + 1] = has['s:' .. node]
    else
      held = held + rest
    end
  end
end

-- My own account. Counters that began anew know nothing of what was spent before them, unless a
-- cap's were rebuilt from the ledger.
local before, known = number('g:' .. me), has['g:' .. me] ~= nil
local after = math.max(granted, spent)
if known and has['i:' .. me] ~= ARGV[4] and (algorithm ~= CAP or spent < number('s:' .. me)) then
  local rest = math.max(0, before - number('s:' .. me))
  used, reissued = used - rest, reissued + rest
  before, known = 0, false
end
local lost = math.max(tonumber(world[2] or '0'), number('x'))
if #rows == 0 and granted > 0 and lost == 0 and algorithm ~= BUCKET then lost = now end
local waits = lost > 0 and lost + grace - now or 0

local left, level, earlier = 0, 0, 0
if algorithm == BUCKET then
  reissued = 0
  level = has['l'] and tonumber(has['l']) or (lost > 0 and capacity or 0)
  local since = has['t'] and tonumber(has['t']) or (lost > 0 and lost * 1000 or now_us)
  -- Slices that are out are not refilled: they and the bucket together never exceed capacity.
  local mine = known and math.max(0, before - number('s:' .. me)) or 0
  level = math.max(held + mine, level - capacity * math.max(0, now_us - since) / period)
  if known then level = level + after - before end
  level = math.max(held + after - spent, level)
  left = math.floor(capacity - level)
else
  used = used + after - before
  left = capacity - used
  if algorithm == SLIDING then
    earlier = tonumber(redis.call('HGET', KEYS[4], 'u') or '0')
    local share = math.max(0, tonumber(ARGV[12]) - now) * 1000 / period
    left = left - math.ceil(earlier * math.min(1, share))
  end
end

-- The less is left, the smaller the slices: the last units go where they are asked for.
local alive = math.max(1, redis.call('ZCOUNT', nodes, now, '+inf'))
local status, wait, slice = 'granted', 0, 0
if waits > 0 then
  status, wait = 'grace', waits
elseif left > 0 and need <= left then
  slice = math.min(left, math.max(need, math.min(want, math.max(1, math.floor(left / alive / 2)))))
elseif need > capacity then
  status, wait = 'dry', -1
elseif need > 0 or want > 0 then
  status = 'dry'
  -- Of a cap, what is left is of use: the request is given a smaller output limit.
  if algorithm == CAP and left > 0 then slice = left end
  local short = math.max(1, need) - left
  if algorithm == BUCKET then
    wait = math.ceil(short * period / capacity / 1000)
  else
    -- A window that never ends: what is given back may come at any time, or never.
    wait = ARGV[12] == '0' and 3600000 or math.max(1, tonumber(ARGV[12]) - now)
    if earlier > 0 then wait = math.min(wait, math.ceil(short / earlier * period / 1000)) end
  end
end
after = after + slice

local function text(value) return string.format('%.0f', value) end
if algorithm == BUCKET then
  redis.call('HSET', account, 'l', string.format('%.17g', level + slice), 't', text(now_us))
else
  redis.call('HSET', account, 'u', text(used + slice), 'r', text(reissued))
end
if lost > tonumber(world[2] or '0') then redis.call('HSET', account, 'x', text(lost)) end
redis.call('HSET', account, 'g:' .. me, text(after), 's:' .. me, text(spent), 'q:' .. me, ARGV[3],
           'i:' .. me, ARGV[4])
if #gone > 0 then redis.call('HSET', account, unpack(gone)) end
if keep > 0 then redis.call('PEXPIRE', account, keep) end
return {status, text(after), text(math.max(0, left - slice)), wait, text(reissued), alive}
