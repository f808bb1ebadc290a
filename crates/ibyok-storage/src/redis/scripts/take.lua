-- Takes one use from each of some buckets, or nothing from any.
-- KEYS: the buckets. ARGV: the question's number, then for each bucket how many uses it holds and its span in microseconds.
-- A bucket is a hash: `debt` is what is out of it at the time `at`. One use is a debt of `span`; each microsecond pays off `count`, so
-- that all of it is done in whole numbers.
local time = redis.call('TIME')
local now = tonumber(time[1]) * 1000000 + tonumber(time[2])
local longest, which = 0, 0
local debts, late = {}, {}
for i, key in ipairs(KEYS) do
    local count, span = tonumber(ARGV[2 * i]), tonumber(ARGV[2 * i + 1])
    local held = redis.call('HMGET', key, 'debt', 'at')
    local debt, at = tonumber(held[1] or 0), tonumber(held[2] or now)
    -- A clock that was set back pays nothing off, and is not waited for.
    late[i] = at > now
    debts[i] = math.max(0, debt - math.max(0, now - at) * count)
    local missing = debts[i] + span - count * span
    if missing > 0 then
        local wait = math.max(1, math.ceil(missing / count))
        if wait > longest then longest, which = wait, i end
    end
end

for i, key in ipairs(KEYS) do
    local count, span = tonumber(ARGV[2 * i]), tonumber(ARGV[2 * i + 1])
    local debt = longest == 0 and debts[i] + span or debts[i]
    if longest == 0 or late[i] then
        redis.call('HSET', key, 'debt', string.format('%.17g', debt), 'at', string.format('%.0f', now))
        redis.call('PEXPIRE', key, string.format('%.0f', math.ceil(debt / count / 1000) + 1))
    end
end
return {ARGV[1], string.format('%.0f', which), string.format('%.0f', longest)}
