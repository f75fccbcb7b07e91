-- The value as it is now, or the lease of it.
--
-- KEYS value, lease
-- ARGV token, lease in ms, what the asker saw: '-' for nothing, '+' and the first bytes of a value
--
-- A value that is not what the asker saw is answered, and no lease is taken. Otherwise: 1, granted;
-- 2, granted, and the value is gone; 0, leased by another; -1, leased by another, and the value is gone.
local value, seen = redis.call('GET', KEYS[1]), ARGV[3]
if value and (string.sub(seen, 1, 1) == '-' or string.sub(value, 1, #seen - 1) ~= string.sub(seen, 2)) then
  return value
end
local gone = not value and string.sub(seen, 1, 1) == '+'
if redis.call('SET', KEYS[2], ARGV[1], 'NX', 'PX', ARGV[2]) or redis.call('GET', KEYS[2]) == ARGV[1] then
  return gone and 2 or 1
end
return gone and -1 or 0
