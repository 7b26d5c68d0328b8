package taskqueue

import "github.com/redis/go-redis/v9"

// A task is "tries id payload", a dead letter "ms length reason" and the task, without a space between reason and task. Queues
// are pushed at the left and popped at the right, so who shall be next is pushed at the right. What somebody else pushed, and is
// no task, has had all its tries, and "-" for an id.
const header = `
local t = redis.call('TIME')
local now = t[1] * 1000 + math.floor(t[2] / 1000)
local function again(e)
	local tries, rest = string.match(e, '^(%d%d?%d?%d?)( %w+ .*)$')
	if not tries then
		return 1000, ' - ' .. e
	end
	return tonumber(tries) + 1, rest
end
local function bury(dead, e, reason)
	redis.call('LPUSH', dead, string.format('%.0f %d ', now, #reason) .. reason .. e)
end
`

// tend is what every worker does for all. It prolongs the entry of the worker ARGV[1] by ARGV[2] ms, brings up what is due for another
// try, and takes what the dead hold from them, with one try more. Each call moves about a thousand tasks at most. It replies
// with the ms until the next task is due, -1 when there is none.
var tend = redis.NewScript(header + `
local workers, wait, later, dead = KEYS[1], KEYS[2], KEYS[3], KEYS[4]
local tries, keep, held = tonumber(ARGV[3]), tonumber(ARGV[4]), ARGV[5]
redis.call('ZADD', workers, now + ARGV[2], ARGV[1])
for _, e in ipairs(redis.call('ZRANGEBYSCORE', later, '-inf', now, 'LIMIT', 0, 1000)) do
	redis.call('ZREM', later, e)
	redis.call('LPUSH', wait, e)
end
local left = 1000
for _, w in ipairs(redis.call('ZRANGEBYSCORE', workers, '-inf', now)) do
	while left > 0 do
		local e = redis.call('LPOP', held .. w)
		if not e then
			break
		end
		left = left - 1
		local n, rest = again(e)
		if n < tries then
			redis.call('RPUSH', wait, string.format('%d', n) .. rest)
		else
			bury(dead, string.format('%d', n) .. rest, 'its worker died')
		end
	end
end
if left > 0 then
	redis.call('ZREMRANGEBYSCORE', workers, '-inf', now - keep)
end
local next = redis.call('ZRANGE', later, 0, 0, 'WITHSCORES')[2]
if next then
	return math.max(0, next - now)
end
return -1
`)

// fail ends a try of the task ARGV[1] in the worker's list: it comes again after ARGV[2] ms or, when that is negative, is buried with the
// reason ARGV[3]. It replies with 0 when the worker does not hold the task.
var fail = redis.NewScript(header + `
local held, later, dead = KEYS[1], KEYS[2], KEYS[3]
local e, delay = ARGV[1], tonumber(ARGV[2])
if redis.call('LREM', held, 1, e) == 0 then
	return 0
end
local n, rest = again(e)
e = string.format('%d', n) .. rest
if delay < 0 then
	bury(dead, e, ARGV[3])
else
	redis.call('ZADD', later, now + delay, e)
end
return 1
`)

// handBack moves all that a worker holds to the front of the queue, without counting a try. ARGV[1] is a worker that leaves, or
// empty.
var handBack = redis.NewScript(`
local held, wait, workers = KEYS[1], KEYS[2], KEYS[3]
local n = 0
while true do
	local e = redis.call('LPOP', held)
	if not e then
		break
	end
	redis.call('RPUSH', wait, e)
	n = n + 1
end
if ARGV[1] ~= '' then
	redis.call('ZREM', workers, ARGV[1])
end
return n
`)

// exhume takes the oldest ARGV[1] letters away, to the end of the queue if ARGV[2] says so.
var exhume = redis.NewScript(`
local dead, wait = KEYS[1], KEYS[2]
for i = 1, tonumber(ARGV[1]) do
	local e = redis.call('RPOP', dead)
	if not e then
		return i - 1
	end
	if ARGV[2] == 'revive' then
		local length, from = string.match(e, '^%d+ (%d+) ()')
		local task = string.sub(e, from + length)
		redis.call('LPUSH', wait, '0' .. string.match(task, '^%d+( .*)$'))
	end
end
return tonumber(ARGV[1])
`)
