-- One record. KEYS: the record. ARGV: the question's number, which is the first thing in every answer.
local revision, bytes = read_record(KEYS[1])
return {ARGV[1], revision, bytes}
