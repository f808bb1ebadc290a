-- Several records, as many as are not too large together, but at least one.
-- KEYS: the records. ARGV: the question's number, the most bytes.
local answer, bytes = {}, 0
for number, record in ipairs(KEYS) do
    local revision, body = read_record(record)
    if body then bytes = bytes + #body end
    if number > 1 and bytes > tonumber(ARGV[2]) then break end
    answer[2 * number - 1], answer[2 * number] = revision, body
end
return {ARGV[1], answer}
