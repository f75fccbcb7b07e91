-- Removes fields of a group, and their leases.
--
-- KEYS values, leases, large values
-- ARGV command to publish with or '', start of the channels' names, then the fields
for at = 3, #ARGV do
  redis.call('HDEL', KEYS[1], ARGV[at])
  redis.call('HDEL', KEYS[3], ARGV[at])
  if redis.call('HDEL', KEYS[2], ARGV[at]) == 1 and ARGV[1] ~= '' then
    redis.pcall(ARGV[1], ARGV[2] .. ARGV[at], '')
  end
end
return 1
