-- How many ms the lease of a field has left, or -2 if there is none. KEYS leases   ARGV field
local time = redis.call('TIME')
local now = time[1] * 1000 + math.floor(time[2] / 1000)
local ends = string.match(redis.call('HGET', KEYS[1], ARGV[1]) or '', ':(%d+)$')
if not ends or tonumber(ends) <= now then return -2 end
return tonumber(ends) - now
