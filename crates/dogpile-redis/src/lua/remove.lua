-- Removes a value, and its lease if it is one of ours.
--
-- KEYS value, lease   ARGV command to publish with or ''
redis.call('DEL', KEYS[1])
local held = redis.call('GET', KEYS[2])
if held and string.sub(held, 13, 13) == '8' then
  redis.call('DEL', KEYS[2])
  if ARGV[1] ~= '' then redis.pcall(ARGV[1], KEYS[2], '') end
end
return 1
