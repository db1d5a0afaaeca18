-- A node's sign of life, and what it must know of the store: once a second.
--
-- KEYS  nodes: sorted set, node -> end of its lease (ms)   epoch: hash
-- ARGV  node, lease (ms), epoch that the node remembers ('': none), name of a new epoch, grace (ms)
-- Returns {epoch, lapsed, nodes alive, grace left (ms)}.
--
-- An epoch lasts as long as this store has surely forgotten nothing. It ends where the store is
-- empty though a node remembers more, and where the server is another process than last time (a
-- restart from a file or a replica may lack the last second). In a new epoch nothing is granted
-- for `grace`: time for every node to say what it has.
local time = redis.call('TIME')
local now = time[1] * 1000 + math.floor(time[2] / 1000)
local node, remembered = ARGV[1], ARGV[3]
local run = string.match(redis.call('INFO', 'server'), 'run_id:(%x+)') or ''
local known = redis.call('HMGET', KEYS[2], 'id', 'run', 'from', 'lost')
local epoch, from, lost = known[1], known[3] or '', tonumber(known[4] or '0')

local function begin(older, forgot)
  epoch, from, lost = ARGV[4], older, forgot and now or 0
  redis.call('HSET', KEYS[2], 'id', epoch, 'run', run, 'from', from,
             'lost', string.format('%.0f', lost))
end

if not epoch then
  begin(remembered, remembered ~= '')
elseif known[2] ~= run then
  begin(epoch, true)
elseif remembered ~= '' and remembered ~= epoch and from == '' then
  -- A node without a past was here first after the loss; this one knows better.
  from, lost = remembered, now
  redis.call('HSET', KEYS[2], 'from', from, 'lost', string.format('%.0f', lost))
end

local ends = tonumber(redis.call('ZSCORE', KEYS[1], node) or '0')
redis.call('ZADD', KEYS[1], now + tonumber(ARGV[2]), node)
redis.call('ZREMRANGEBYSCORE', KEYS[1], '-inf', now - 3600000)
local left = lost > 0 and math.max(0, lost + tonumber(ARGV[5]) - now) or 0
return {epoch, ends < now and 1 or 0, redis.call('ZCOUNT', KEYS[1], now, '+inf'), left}
