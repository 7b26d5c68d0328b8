package session

import "github.com/redis/go-redis/v9"

// rules is how scripts about one session begin. KEYS[1] is the session; ARGV[1] is the time in milliseconds or 0 for the
// server's, ARGV[2] and ARGV[3] are Idle and Max. live says whether there is such a session, and deletes one whose time is up; use slides
// its deadline. A session is a hash of user, began, seen, d:NAME for data and t:PURPOSE for one-time tokens.
const rules = `
local now = tonumber(ARGV[1])
if now == 0 then
	local t = redis.call('TIME')
	now = t[1] * 1000 + math.floor(t[2] / 1000)
end
local idle, max = tonumber(ARGV[2]), tonumber(ARGV[3])
local began, seen
local function live()
	local r = redis.call('HMGET', KEYS[1], 'began', 'seen')
	began, seen = tonumber(r[1]), tonumber(r[2])
	if not began or not seen then
		return false
	end
	if now >= math.min(seen + idle, began + max) then
		redis.call('DEL', KEYS[1])
		return false
	end
	return true
end
local function use(key)
	redis.call('HSET', key, 'seen', now)
	redis.call('PEXPIRE', key, math.min(idle, began + max - now))
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
redis.call('HSET', KEYS[1], 'user', ARGV[6], 'began', now, unpack(ARGV, 7))
began = now
use(KEYS[1])
redis.call('ZADD', KEYS[2], now + max, ARGV[4])
redis.call('PEXPIRE', KEYS[2], max)
return 1
`)

var get = redis.NewScript(rules + `
if not live() then
	return false
end
if now - seen >= idle / 20 then
	use(KEYS[1])
end
return redis.call('HGETALL', KEYS[1])
`)

// set gets how many data a session may have, and data.
var set = redis.NewScript(rules + `
if not live() then
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
var rotate = redis.NewScript(rules + `
if redis.call('EXISTS', KEYS[3]) == 1 then
	return 1 -- asked before
end
if not live() then
	return 0
end
redis.call('RENAME', KEYS[1], KEYS[3])
for _, field in ipairs(redis.call('HKEYS', KEYS[3])) do
	if string.sub(field, 1, 2) == 't:' then
		redis.call('HDEL', KEYS[3], field)
	end
end
use(KEYS[3])
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
const issue = rules + `
if not live() then
	return 0
end
local value = string.format('%.0f', now + tonumber(ARGV[6])) .. ':' .. ARGV[5]
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

// goodToken says whether value is that of the token asked about.
const goodToken = rules + `
local function good(value)
	local ends, digest = string.match(value or '', '^(%d+):(.*)$')
	return digest == ARGV[5] and now < tonumber(ends)
end
if not live() then
	return -1
end
`

var redeemField = redis.NewScript(goodToken + `
if not good(redis.call('HGET', KEYS[1], 't:' .. ARGV[4])) then
	return 0
end
return redis.call('HDEL', KEYS[1], 't:' .. ARGV[4])
`)

var redeemKey = redis.NewScript(goodToken + `
if not good(redis.call('GET', KEYS[2])) then
	return 0
end
return redis.call('DEL', KEYS[2])
`)
