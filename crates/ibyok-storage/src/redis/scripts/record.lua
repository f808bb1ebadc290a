-- The record under a key. Anything that no store wrote has revision 0 and what bytes it has, so that it can be read as damaged and replaced.
-- A number of at most 19 digits fits a revision.
local function read_record(key)
    local found = redis.pcall('HMGET', key, 'revision', 'bytes')
    if found.err then
        if not string.find(found.err, '^WRONGTYPE') then error(found.err) end
        return '0', ''
    end
    if not found[1] and not found[2] then return false, false end
    local is_ours = found[1] and #found[1] <= 19 and string.find(found[1], '^[1-9]%d*$')
    return is_ours and found[1] or '0', found[2] or ''
end
