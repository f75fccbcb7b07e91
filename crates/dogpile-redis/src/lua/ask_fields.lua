-- The fields of a group as they are now, or the leases of them.
--
-- KEYS values, leases
-- ARGV lease in ms, then for each field: token, field, what the asker saw ('-', or '+' and the first bytes)
--
-- Answers for each what ask.lua does. A lease is its token and its end by the server's clock, because
-- not every server lets a field expire.
local time = redis.call('TIME')
local now, ms = time[1] * 1000 + math.floor(time[2] / 1000), tonumber(ARGV[1])
local answers, granted = {}, false
for at = 2, #ARGV, 3 do
  local token, field, seen = ARGV[at], ARGV[at + 1], ARGV[at + 2]
  local value = redis.call('HGET', KEYS[1], field)
  if value and (string.sub(seen, 1, 1) == '-' or string.sub(value, 1, #seen - 1) ~= string.sub(seen, 2)) then
    answers[#answers + 1] = value
  else
    local gone = not value and string.sub(seen, 1, 1) == '+'
    local lease = redis.call('HGET', KEYS[2], field)
    local holder, ends = string.match(lease or '', '^(%x+):(%d+)$')
    if holder and holder ~= token and tonumber(ends) > now then
      answers[#answers + 1] = gone and -1 or 0
    else
      redis.call('HSET', KEYS[2], field, token .. ':' .. string.format('%.0f', now + ms))
      answers[#answers + 1] = gone and 2 or 1
      granted = true
    end
  end
end
if granted and redis.call('PTTL', KEYS[2]) < ms then redis.call('PEXPIRE', KEYS[2], ms) end
return answers
