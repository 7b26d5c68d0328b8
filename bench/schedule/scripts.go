package schedule

import "github.com/redis/go-redis/v9"

// What is known about a job is "due every claims token" in the hash about: its time, its interval or 0, how often this
// turn has been claimed, and the number of the claim that it is under, 0 when it is under none. Claims are numbered by the
// field without a name. Times are microseconds of the server's clock: as numbers of a sorted set they are exact until the
// year 2255, but tostring would round them, so they are written by %.0f.
const (
	// header is how all scripts begin.
	header = `
local due, payloads, about, signal = KEYS[1], KEYS[2], KEYS[3], KEYS[4]
local t = redis.call('TIME')
local now = t[1] * 1000000 + t[2]
local function know(id)
	local a = redis.call('HGET', about, id)
	if a then
		local at, every, claims, token = string.match(a, '^(%d+) (%d+) (%d+) (%d+)$')
		return tonumber(at), tonumber(every), tonumber(claims), tonumber(token)
	end
end
local function note(id, at, every, claims, token)
	redis.call('HSET', about, id, string.format('%.0f %.0f %.0f %.0f', at, every, claims, token))
end
local function wake()
	if redis.call('LLEN', signal) == 0 then
		redis.call('RPUSH', signal, 1)
		redis.call('PEXPIRE', signal, 60000)
	end
end
local function put(id, at)
	redis.call('ZADD', due, at, id)
	if redis.call('ZRANGE', due, 0, 0)[1] == id then
		wake()
	end
end
`
	// owned is how scripts go on that are for the holder of a claim.
	owned = `
local id = ARGV[1]
local at, every, claims, token = know(id)
local mine = at and token == tonumber(ARGV[2])
`
)

var add = redis.NewScript(header + `
local id, at, every = ARGV[1], tonumber(ARGV[3]), tonumber(ARGV[5])
if redis.call('HEXISTS', about, id) == 1 then
	return 0
end
if ARGV[4] == 'in' then
	at = now + at
end
redis.call('HSET', payloads, id, ARGV[2])
note(id, at, every, 0, 0)
put(id, at)
return 1
`)

var cancel = redis.NewScript(header + `
redis.call('HDEL', payloads, ARGV[1])
redis.call('HDEL', about, ARGV[1])
return redis.call('ZREM', due, ARGV[1])
`)

// A claim that leaves jobs behind wakes another worker: it takes what is due, or watches what comes next.
var claim = redis.NewScript(header + `
local lease = tonumber(ARGV[2])
local ids = redis.call('ZRANGEBYSCORE', due, '-inf', now, 'LIMIT', 0, ARGV[1])
local reply = {now, -1}
for _, id in ipairs(ids) do
	local at, every, claims = know(id)
	local token = redis.call('HINCRBY', about, '', 1)
	note(id, at, every, claims + 1, token)
	redis.call('ZADD', due, now + lease, id)
	reply[#reply + 1] = id
	reply[#reply + 1] = redis.call('HGET', payloads, id)
	reply[#reply + 1] = at
	reply[#reply + 1] = every
	reply[#reply + 1] = claims + 1
	reply[#reply + 1] = token
end
local first = redis.call('ZRANGE', due, 0, 0, 'WITHSCORES')[2]
if first then
	reply[2] = math.max(0, first - now)
	if #ids > 0 then
		wake()
	end
end
return reply
`)

var finish = redis.NewScript(header + owned + `
if not mine then
	return -1
end
if every == 0 then
	redis.call('ZREM', due, id)
	redis.call('HDEL', payloads, id)
	redis.call('HDEL', about, id)
	return 0
end
local turns = math.floor(math.max(0, now - at) / every) + 1
local next = at + turns * every
note(id, next, every, 0, 0)
put(id, next)
return next
`)

// Whether the claim goes on is the fourth argument.
var move = redis.NewScript(header + owned + `
if not mine then
	return 0
end
if ARGV[4] == '0' then
	note(id, at, every, claims, 0)
end
put(id, now + tonumber(ARGV[3]))
return 1
`)
