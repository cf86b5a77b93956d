-- Compares rows with what was read, and writes only if all are still the same. KEYS: the rows compared, then
-- the rows written. ARGV[1]: how many are compared; then for each key `0` for no row, or `1` and its value.
local compared = tonumber(ARGV[1])
for i = 1, compared do
    local value = redis.call('GET', KEYS[i])
    if value == false then
        if ARGV[i + 1] ~= '0' then return 0 end
    elseif ARGV[i + 1] ~= '1' .. value then
        return 0
    end
end
for i = compared + 1, #KEYS do
    local value = ARGV[i + 1]
    if value == '0' then
        redis.call('DEL', KEYS[i])
    else
        redis.call('SET', KEYS[i], string.sub(value, 2))
    end
end
return 1
