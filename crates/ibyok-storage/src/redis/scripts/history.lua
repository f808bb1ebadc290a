-- Moves both counters to a number that was never used: the time in microseconds is beyond all that came before, because nobody makes a
-- change in each microsecond. Everybody who asks from before is told of a gap.
local function begin_history(counters, changes, history)
    local time = redis.call('TIME')
    local now = tonumber(time[1]) * 1000000 + tonumber(time[2])
    local found = redis.call('HMGET', counters, 'change', 'revision')
    local function beyond(number) return string.format('%.0f', math.max(now, (tonumber(number or 0) or 0) + 1)) end
    redis.call('HSET', counters, 'change', beyond(found[1]), 'revision', beyond(found[2]), 'history', history)
    redis.call('DEL', changes)
end
