-- Lets a lease last. KEYS lease   ARGV token, lease in ms. Answers 1, or 0 if it was lost.
if redis.call('GET', KEYS[1]) ~= ARGV[1] then return 0 end
return redis.call('PEXPIRE', KEYS[1], ARGV[2])
