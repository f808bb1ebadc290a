-- What changed. KEYS: counters, changes. ARGV: the question's number, since when, how many at most.
-- The last change in the list has the number `change`; those before it count down. Without a list in the answer there is a gap.
local change = redis.call('HGET', KEYS[1], 'change')
if not change then return {ARGV[1], '0', false} end
local since, forgotten = tonumber(ARGV[2]), tonumber(change) - redis.call('LLEN', KEYS[2])
if since < forgotten or since > tonumber(change) then return {ARGV[1], change, false} end
local first = since - forgotten
return {ARGV[1], change, redis.call('LRANGE', KEYS[2], first, first + tonumber(ARGV[3]) - 1)}
