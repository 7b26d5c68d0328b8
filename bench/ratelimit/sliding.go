package ratelimit

import (
	"encoding/binary"
	"math/rand/v2"
	"time"

	"github.com/redis/go-redis/v9"
)

// SlidingLogScript keeps the admitted requests of the last window in a sorted set by time. Its arguments are the limit, the
// window in microseconds, and a name of the request that no other has: the same request sent again is the same member.
// A request that is refused leaves nothing behind.
var SlidingLogScript = redis.NewScript(clock + `
local limit, window = tonumber(ARGV[1]), tonumber(ARGV[2])
redis.call('ZREMRANGEBYSCORE', KEYS[1], '-inf', now - window)
local n = redis.call('ZCARD', KEYS[1])
if n < limit then
	redis.call('ZADD', KEYS[1], now, ARGV[3])
	redis.call('PEXPIREAT', KEYS[1], math.ceil((now + window) / 1000))
	return {1, limit - n - 1, 0, window, now}
end
local first = redis.call('ZRANGE', KEYS[1], n - limit, n - limit, 'WITHSCORES')[2]
local last = redis.call('ZRANGE', KEYS[1], -1, -1, 'WITHSCORES')[2]
return {0, 0, first + window - now, last + window - now, now}
`)

// NewSlidingLog returns a limiter of limit requests within any time of length window, a whole number of milliseconds.
func NewSlidingLog(rdb redis.UniversalClient, prefix string, limit int, window time.Duration) (Limiter, error) {
	if err := checkRate(limit, window, 1); err != nil {
		return nil, err
	}
	return &scripted{rdb: rdb, prefix: prefix, script: SlidingLogScript, args: []any{limit, window.Microseconds()}, nonce: true}, nil
}

// newNonce returns eight random bytes: among the entries of one log, two alike are not to be expected.
func newNonce() []byte { return binary.BigEndian.AppendUint64(nil, rand.Uint64()) }

// slidingCounterScript keeps the number of the window (w), what it admitted (c) and what the one before did (p). Of p, the
// part counts that a window ending now has in common with it. Everything is multiplied by the window's length: with
// integers, no request is decided by how a division was rounded.
var slidingCounterScript = redis.NewScript(clock + `
local limit, window = tonumber(ARGV[1]), tonumber(ARGV[2])
local h = redis.call('HMGET', KEYS[1], 'w', 'c', 'p')
local index = math.floor(now / window)
local w, cur, prev = tonumber(h[1]) or index, tonumber(h[2]) or 0, tonumber(h[3]) or 0
if w > index then
	index = w
elseif w == index - 1 then
	cur, prev = 0, cur
elseif w < index then
	cur, prev = 0, 0
end
local left = math.min(window, (index + 1) * window - now)
local used = prev * left + cur * window
if used + window <= limit * window then
	redis.call('HSET', KEYS[1], 'w', index, 'c', cur + 1, 'p', prev)
	redis.call('PEXPIREAT', KEYS[1], math.ceil((now + left + window) / 1000))
	return {1, math.floor((limit * window - used) / window) - 1, 0, left + window, now}
end
local retry
if cur < limit then
	retry = left - math.floor((limit - cur - 1) * window / prev)
else
	retry = left + window - math.floor((limit - 1) * window / cur)
end
local reset = left
if cur > 0 then
	reset = left + window
end
return {0, 0, retry, reset, now}
`)

// NewSlidingCounter returns a limiter of about limit requests within any time of length window, a whole number of
// milliseconds.
func NewSlidingCounter(rdb redis.UniversalClient, prefix string, limit int, window time.Duration) (Limiter, error) {
	if err := checkRate(limit, window, 1); err != nil {
		return nil, err
	}
	return &scripted{rdb: rdb, prefix: prefix, script: slidingCounterScript, args: []any{limit, window.Microseconds()}}, nil
}
