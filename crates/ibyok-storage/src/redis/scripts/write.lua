-- Puts or deletes one record if it is as expected.
-- KEYS: counters, changes, record, index, the record of the seal.
-- ARGV: the question's number, `put` or `delete`, the expected revision or nothing, the id as text, the id as bytes, how many changes to
-- keep (nothing for quiet kinds), the channel, and for `put` the bytes.

-- A sealed store takes no write but that of its seal (KEYS[5]).
local sealed, reason = read_record(KEYS[5])
if KEYS[5] ~= KEYS[3] and sealed then
    return redis.error_reply('SEALED ' .. reason)
end

-- All reads come first: a key of the wrong type fails here, before anything is written.
local found = read_record(KEYS[3]) or ''
redis.call('ZSCORE', KEYS[4], ARGV[5])
redis.call('LLEN', KEYS[2])
local counted = redis.call('HGET', KEYS[1], 'change')
if found ~= ARGV[3] then return {ARGV[1], false} end

-- The counters are gone if somebody emptied the server while we were connected.
if not counted then begin_history(KEYS[1], KEYS[2], '') end
redis.call('HINCRBY', KEYS[1], 'revision', 1)
local revision = redis.call('HGET', KEYS[1], 'revision')
if ARGV[6] ~= '' then
    -- The number before the change that it numbers: if it ended in between, changes would be told twice and none missed.
    redis.call('HINCRBY', KEYS[1], 'change', 1)
    redis.call('RPUSH', KEYS[2], ARGV[4])
    redis.call('LTRIM', KEYS[2], '-' .. ARGV[6], -1)
    redis.call('PUBLISH', ARGV[7], '')
end
if ARGV[2] == 'put' then
    if found == '0' then redis.call('DEL', KEYS[3]) end
    redis.call('HSET', KEYS[3], 'revision', revision, 'bytes', ARGV[8])
    redis.call('ZADD', KEYS[4], 0, ARGV[5])
else
    redis.call('ZREM', KEYS[4], ARGV[5])
    redis.call('DEL', KEYS[3])
end
return {ARGV[1], revision}
