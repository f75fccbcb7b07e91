-- Lets the lease of a field last. KEYS leases   ARGV token, field, lease in ms. Answers 1, or 0 if it was lost.
local time = redis.call('TIME')
local now, ms = time[1] * 1000 + math.floor(time[2] / 1000), tonumber(ARGV[3])
local holder, ends = string.match(redis.call('HGET', KEYS[1], ARGV[2]) or '', '^(%x+):(%d+)$')
if holder ~= ARGV[1] or tonumber(ends) <= now then return 0 end
redis.call('HSET', KEYS[1], ARGV[2], ARGV[1] .. ':' .. string.format('%.0f', now + ms))
if redis.call('PTTL', KEYS[1]) < ms then redis.call('PEXPIRE', KEYS[1], ms) end
return 1
