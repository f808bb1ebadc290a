-- Puts several records if each is as expected.
-- KEYS: counters, changes, of each record its key and its index, and the record of the seal.
-- ARGV: the question's number, how many changes to keep, the channel, and for each record the expected revision or nothing, the id as
-- text, the id as bytes, `quiet` or nothing, and the bytes.

-- A sealed store takes no write.
local sealed, reason = read_record(KEYS[#KEYS])
if sealed then
    return redis.error_reply('SEALED ' .. reason)
end

-- All reads come first: a key of the wrong type fails here, before anything is written.
redis.call('LLEN', KEYS[2])
local counted = redis.call('HGET', KEYS[1], 'change')
local count, told = (#KEYS - 3) / 2, 0
for number = 1, count do
    local argument = 5 * number - 1
    local found = read_record(KEYS[2 * number + 1]) or ''
    redis.call('ZSCORE', KEYS[2 * number + 2], ARGV[argument + 2])
    if found ~= ARGV[argument] then return {ARGV[1], tostring(number)} end
    if ARGV[argument + 3] == '' then told = told + 1 end
end

-- The counters are gone if somebody emptied the server while we were connected.
if not counted then begin_history(KEYS[1], KEYS[2], '') end
if told > 0 then
    -- The numbers before the changes that they number, as for one record.
    redis.call('HINCRBY', KEYS[1], 'change', told)
    for number = 1, count do
        local argument = 5 * number - 1
        if ARGV[argument + 3] == '' then redis.call('RPUSH', KEYS[2], ARGV[argument + 1]) end
    end
    redis.call('LTRIM', KEYS[2], '-' .. ARGV[2], -1)
    redis.call('PUBLISH', ARGV[3], '')
end
local revisions = {}
for number = 1, count do
    local argument = 5 * number - 1
    redis.call('HINCRBY', KEYS[1], 'revision', 1)
    local revision = redis.call('HGET', KEYS[1], 'revision')
    if ARGV[argument] == '0' then redis.call('DEL', KEYS[2 * number + 1]) end
    redis.call('HSET', KEYS[2 * number + 1], 'revision', revision, 'bytes', ARGV[argument + 4])
    redis.call('ZADD', KEYS[2 * number + 2], 0, ARGV[argument + 2])
    revisions[number] = revision
end
return {ARGV[1], revisions}
