-- Appends the records of one origin that are not there yet.
-- KEYS: the row that makes this a ledger, the stream of records, the last number of each origin.
-- ARGV[1]: the origin; then a number and a record, ascending.
if redis.call('EXISTS', KEYS[1]) == 0 then return 0 end
local last = tonumber(redis.call('HGET', KEYS[3], ARGV[1]) or '0')
for i = 2, #ARGV, 2 do
    local number = tonumber(ARGV[i])
    if number > last then
        redis.call('XADD', KEYS[2], '*', 'o', ARGV[1], 'n', ARGV[i], 'v', ARGV[i + 1])
        redis.call('HSET', KEYS[3], ARGV[1], ARGV[i])
        last = number
    end
end
return 1
