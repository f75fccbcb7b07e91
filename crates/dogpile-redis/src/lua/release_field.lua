-- Ends the lease of a field.
--
-- KEYS leases   ARGV token, field, command to publish with or '', start of the channel's name
--
-- Answers 1, or 0 if it was lost.
local time = redis.call('TIME')
local now = time[1] * 1000 + math.floor(time[2] / 1000)
local holder, ends = string.match(redis.call('HGET', KEYS[1], ARGV[2]) or '', '^(%x+):(%d+)$')
if holder ~= ARGV[1] or tonumber(ends) <= now then return 0 end
redis.call('HDEL', KEYS[1], ARGV[2])
if ARGV[3] ~= '' then redis.pcall(ARGV[3], ARGV[4] .. ARGV[2], '') end
return 1
