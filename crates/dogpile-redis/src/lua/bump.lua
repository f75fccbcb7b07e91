-- Raises a counter by one, or to a number if that is greater. KEYS counter   ARGV the number, in digits
--
-- Numbers are compared as text, by length and then by digits: Lua's are exact only up to 2^53.
local function less(a, b)
  if #a ~= #b then return #a < #b end
  return a < b
end
redis.call('INCR', KEYS[1])
local now = redis.call('GET', KEYS[1])
if less(now, ARGV[1]) then
  redis.call('SET', KEYS[1], ARGV[1], 'KEEPTTL')
  now = ARGV[1]
end
return now
