-- Ends a lease. KEYS lease   ARGV token, command to publish with or ''. Answers 1, or 0 if it was lost.
if redis.call('GET', KEYS[1]) ~= ARGV[1] then return 0 end
redis.call('DEL', KEYS[1])
if ARGV[2] ~= '' then redis.pcall(ARGV[2], KEYS[1], '') end
return 1
