-- Stores fields of a group and ends their leases: a holder's, if there is a token, and anybody's if not.
--
-- KEYS values, leases, large values
-- ARGV command to publish with or '', start of the channels' names,
--      when the group expires: '' for never, 'created' or 'written', and after how many ms,
--      then for each field: token or '', field, value, large value or '', ms to keep it or ''
--
-- Answers for each 1, or 0 if its lease was lost and nothing was stored. What is there already was stored
-- by the same call, whose answer was lost: 1 too. Only a server that lets fields expire is given a time to
-- keep one.
local publish, channel, expiry, ms = ARGV[1], ARGV[2], ARGV[3], ARGV[4]
local time = redis.call('TIME')
local now = time[1] * 1000 + math.floor(time[2] / 1000)
local created = expiry == 'created' and redis.call('EXISTS', KEYS[1]) == 0
local answers, stored, large = {}, false, false
for at = 5, #ARGV, 5 do
  local token, field = ARGV[at], ARGV[at + 1]
  local lease = redis.call('HGET', KEYS[2], field)
  local holder, ends = string.match(lease or '', '^(%x+):(%d+)$')
  if token ~= '' and (holder ~= token or tonumber(ends) <= now) then
    answers[#answers + 1] = redis.call('HGET', KEYS[1], field) == ARGV[at + 2] and 1 or 0
  else
    redis.call('HSET', KEYS[1], field, ARGV[at + 2])
    if ARGV[at + 3] ~= '' then
      redis.call('HSET', KEYS[3], field, ARGV[at + 3])
      large = true
    else
      redis.call('HDEL', KEYS[3], field)
    end
    if ARGV[at + 4] ~= '' then
      redis.call('HPEXPIRE', KEYS[1], ARGV[at + 4], 'FIELDS', 1, field)
      if ARGV[at + 3] ~= '' then redis.call('HPEXPIRE', KEYS[3], ARGV[at + 4], 'FIELDS', 1, field) end
    end
    if lease then
      redis.call('HDEL', KEYS[2], field)
      if publish ~= '' then redis.pcall(publish, channel .. field, '') end
    end
    answers[#answers + 1] = 1
    stored = true
  end
end
if stored then
  if created or expiry == 'written' then redis.call('PEXPIRE', KEYS[1], ms) end
  if large or expiry == 'written' then
    local left = redis.call('PTTL', KEYS[1])
    if left > 0 then redis.call('PEXPIRE', KEYS[3], left) else redis.call('PERSIST', KEYS[3]) end
  end
end
return answers
