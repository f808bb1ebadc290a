-- A page of a collection. KEYS: the index. ARGV: the question's number, where to begin, how many. A member of another length than 16 is no
-- record, and makes no page shorter.
local ids, from, limit = {}, ARGV[2], tonumber(ARGV[3])
repeat
    local page = redis.call('ZRANGEBYLEX', KEYS[1], from, '+', 'LIMIT', 0, limit)
    for _, id in ipairs(page) do
        if #id == 16 and #ids < limit then ids[#ids + 1] = id end
        from = '(' .. id
    end
until #page < limit or #ids == limit
return {ARGV[1], ids}
