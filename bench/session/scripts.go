package session

import "github.com/redis/go-redis/v9"

// Scripts use keys out of KEYS and no functions of their own, so that a server can tell beforehand what they will touch, and run
// those of other users at the same time. A session is a hash of user, began, seen, d:NAME for data and t:PURPOSE for one-time
// tokens.

// rules is how scripts begin: ARGV[1] is the time in milliseconds or 0 for the server's, ARGV[2] and ARGV[3] are Idle and Max.
const rules = `
local now = tonumber(ARGV[1])
if now == 0 then
	local t = redis.call('TIME')
	now = t[1] * 1000 + math.floor(t[2] / 1000)
end
local idle, max = tonumber(ARGV[2]), tonumber(ARGV[3])
`

// look sets live to whether there is the session KEYS[1], and deletes one whose time is up.
const look = rules + `
local r = redis.call('HMGET', KEYS[1], 'began', 'seen')
local began, seen = tonumber(r[1]), tonumber(r[2])
local live = began and seen and now < math.min(seen + idle, began + max)
if began and not live then
	redis.call('DEL', KEYS[1])
end
`

// create gets handle, limit, user and data.
var create = redis.NewScript(rules + `
if redis.call('EXISTS', KEYS[1]) == 1 then
	return 1 -- asked before: handles are random
end
redis.call('ZREMRANGEBYSCORE', KEYS[2], '-inf', now)
if redis.call('ZCARD', KEYS[2]) >= tonumber(ARGV[5]) then
	return 0
end
redis.call('HSET', KEYS[1], 'user', ARGV[6], 'began', now, 'seen', now, unpack(ARGV, 7))
redis.call('PEXPIRE', KEYS[1], idle)
redis.call('ZADD', KEYS[2], now + max, ARGV[4])
redis.call('PEXPIRE', KEYS[2], max)
return 1
`)

var get = redis.NewScript(look + `
if not live then
	return false
end
if now - seen >= idle / 20 then
	redis.call('HSET', KEYS[1], 'seen', now)
	redis.call('PEXPIRE', KEYS[1], math.min(idle, began + max - now))
end
return redis.call('HGETALL', KEYS[1])
`)

// set gets how many data a session may have, and data.
var set = redis.NewScript(look + `
if not live then
	return 0
end
local more, names = 0, 0
for i = 5, #ARGV, 2 do
	more = more + 1 - redis.call('HEXISTS', KEYS[1], ARGV[i])
end
for _, field in ipairs(redis.call('HKEYS', KEYS[1])) do
	if string.sub(field, 1, 2) == 'd:' then
		names = names + 1
	end
end
if names + more > tonumber(ARGV[4]) then
	return -1
end
redis.call('HSET', KEYS[1], unpack(ARGV, 5))
return 1
`)

// rotate gets the old handle and the new one. RENAME keeps what the hash holds without copying it.
var rotate = redis.NewScript(look + `
if redis.call('EXISTS', KEYS[3]) == 1 then
	return 1 -- asked before
end
if not live then
	return 0
end
redis.call('RENAME', KEYS[1], KEYS[3])
for _, field in ipairs(redis.call('HKEYS', KEYS[3])) do
	if string.sub(field, 1, 2) == 't:' then
		redis.call('HDEL', KEYS[3], field)
	end
end
redis.call('HSET', KEYS[3], 'seen', now)
redis.call('PEXPIRE', KEYS[3], math.min(idle, began + max - now))
redis.call('ZREM', KEYS[2], ARGV[4])
redis.call('ZADD', KEYS[2], began + max, ARGV[5])
return 1
`)

// revoke ends the session of the handle ARGV[1] and says whether there was one.
var revoke = redis.NewScript(`
redis.call('ZREM', KEYS[2], ARGV[1])
return redis.call('DEL', KEYS[1])
`)

// revokeUser ends the sessions KEYS[2] and so on, whose handles are ARGV, and replies with how many there were and with
// the handles that are listed now.
var revokeUser = redis.NewScript(`
local n = 0
for i = 2, #KEYS do
	n = n + redis.call('DEL', KEYS[i])
	redis.call('ZREM', KEYS[1], ARGV[i - 1])
end
return {n, redis.call('ZRANGE', KEYS[1], 0, -1)}
`)

// The scripts for one-time tokens come in two forms. Both get purpose and the token's digest; KEYS[2] is the key of a token
// that has one. Deadlines are compared here, too, by the clock that the sessions go by.

// issue also gets the milliseconds that the token lives.
const issue = look + `
if not live then
	return 0
end
local value = ARGV[5] .. string.format('%.0f', now + tonumber(ARGV[6]))
`

var issueField = redis.NewScript(issue + `
redis.call('HSET', KEYS[1], 't:' .. ARGV[4], value)
redis.call('HPEXPIRE', KEYS[1], ARGV[6], 'FIELDS', 1, 't:' .. ARGV[4])
return 1
`)

var issueKey = redis.NewScript(issue + `
redis.call('SET', KEYS[2], value, 'PX', ARGV[6])
return 1
`)

// Redeeming begins alike, fetches value where it is, and goes on if it begins with the token's digest and ends with a time to come.
const (
	redeemBegin = look + `
if not live then
	return -1
end
`
	redeemCheck = `
if not value or string.sub(value, 1, #ARGV[5]) ~= ARGV[5] or now >= tonumber(string.sub(value, #ARGV[5] + 1)) then
	return 0
end
`
)

var redeemField = redis.NewScript(redeemBegin + `
local value = redis.call('HGET', KEYS[1], 't:' .. ARGV[4])
` + redeemCheck + `
return redis.call('HDEL', KEYS[1], 't:' .. ARGV[4])
`)

var redeemKey = redis.NewScript(redeemBegin + `
local value = redis.call('GET', KEYS[2])
` + redeemCheck + `
return redis.call('DEL', KEYS[2])
`)
