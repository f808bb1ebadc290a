-- One record. KEYS: the record. ARGV: the question's number, which is the first thing in every answer.
local found = redis.call('HMGET', KEYS[1], 'revision', 'bytes')
return {ARGV[1], found[1], found[2]}
