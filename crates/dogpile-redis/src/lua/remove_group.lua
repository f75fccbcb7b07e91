-- Removes a group, and the leases of its fields.
--
-- KEYS values, leases, large values   ARGV command to publish with or '', start of the channels' names
local leased = ARGV[1] ~= '' and redis.call('HKEYS', KEYS[2]) or {}
redis.call('DEL', KEYS[1], KEYS[2], KEYS[3])
for _, field in ipairs(leased) do redis.pcall(ARGV[1], ARGV[2] .. field, '') end
return 1
