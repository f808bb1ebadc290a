-- At each new connection: whether the store is one that we know, and whether the server has the history that it had.
-- KEYS: counters, changes, probe. ARGV: the question's number, our format, the server's history, the channel.
local found = redis.call('HMGET', KEYS[1], 'format', 'history')
if found[1] and found[1] ~= ARGV[2] then return {ARGV[1], found[1]} end
if found[1] and found[2] == ARGV[3] then return {ARGV[1], ARGV[2]} end

-- Redis does not undo what a script did before it failed. So each command that a write needs is tried first where it does no
-- harm, and a user who lacks a permission fails here.
redis.call('DEL', KEYS[3])
redis.call('HINCRBY', KEYS[3], 'probe', 1)
redis.call('DEL', KEYS[3])
redis.call('RPUSH', KEYS[3], 'probe')
redis.call('LTRIM', KEYS[3], -1, -1)
redis.call('DEL', KEYS[3])
redis.call('ZADD', KEYS[3], 0, 'probe')
redis.call('ZREM', KEYS[3], 'probe')
redis.call('PEXPIRE', KEYS[3], 1)
redis.call('TIME')
redis.call('PUBLISH', ARGV[4], '')

begin_history(KEYS[1], KEYS[2], ARGV[3])
redis.call('HSET', KEYS[1], 'format', ARGV[2])
return {ARGV[1], ARGV[2]}
