-- Stores a value and ends the lease: the holder's, if there is a token, and anybody's if there is not.
--
-- KEYS value, lease
-- ARGV token or '', value, ms to keep it or '', command to publish with or ''
--
-- Answers 1, or 0 if the lease was lost and nothing was stored. What is there already was stored by the
-- same call, whose answer was lost: 1 too. The lease of another program is left alone: ours have an 8
-- as their 13th digit. So is a value that is no string: STRLEN fails then, where SET would not.
local held = redis.call('GET', KEYS[2])
if ARGV[1] ~= '' and held ~= ARGV[1] then
  return redis.pcall('GET', KEYS[1]) == ARGV[2] and 1 or 0
end
redis.call('STRLEN', KEYS[1])
if ARGV[3] == '' then redis.call('SET', KEYS[1], ARGV[2]) else redis.call('SET', KEYS[1], ARGV[2], 'PX', ARGV[3]) end
if held and string.sub(held, 13, 13) == '8' then
  redis.call('DEL', KEYS[2])
  if ARGV[4] ~= '' then redis.pcall(ARGV[4], KEYS[2], '') end
end
return 1
