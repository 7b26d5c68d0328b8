package ratelimit

import (
	"time"

	"github.com/redis/go-redis/v9"
)

// tokenBucketScript keeps what a bucket lacks to be full, in parts of a token of which the window's microseconds make a
// whole one, and when that was so: a microsecond gives limit parts back, and all of it is integers. The key is gone when the
// bucket is full.
var tokenBucketScript = redis.NewScript(clock + `
local limit, window, burst = tonumber(ARGV[1]), tonumber(ARGV[2]), tonumber(ARGV[3])
local h = redis.call('HMGET', KEYS[1], 'lacks', 'at')
local lacks, at = tonumber(h[1]) or 0, tonumber(h[2]) or now
if now > at then
	lacks, at = math.max(0, lacks - (now - at) * limit), now
end
local room = burst * window - lacks
if room < window then
	return {0, 0, math.ceil((window - room) / limit) + at - now, math.ceil(lacks / limit) + at - now, now}
end
lacks, room = lacks + window, room - window
local full = math.ceil(lacks / limit) + at - now
redis.call('HSET', KEYS[1], 'lacks', lacks, 'at', at)
redis.call('PEXPIREAT', KEYS[1], math.ceil((now + full) / 1000))
return {1, math.floor(room / window), 0, full, now}
`)

// NewTokenBucket returns a limiter whose ids have buckets of burst tokens, full at first; a request takes one, and limit
// tokens come back per window, a whole number of milliseconds, evenly.
func NewTokenBucket(rdb redis.UniversalClient, prefix string, limit int, window time.Duration, burst int) (Limiter, error) {
	if err := checkRate(limit, window, burst); err != nil {
		return nil, err
	}
	return &scripted{rdb: rdb, prefix: prefix, script: tokenBucketScript, args: []any{limit, window.Microseconds(), burst}}, nil
}

// GCRAScript is the generic cell rate algorithm. It keeps one time, when the last admitted request would have ended if
// each took an interval: a request may pass if that is less than burst intervals ahead. Its arguments are the interval in
// microseconds, and the burst. The key is gone when that time is over.
var GCRAScript = redis.NewScript(clock + `
local interval, burst = tonumber(ARGV[1]), tonumber(ARGV[2])
local ends = math.max(now, tonumber(redis.call('GET', KEYS[1]) or 0)) + interval
local room = now + burst * interval - ends
if room < 0 then
	return {0, 0, -room, ends - interval - now, now}
end
redis.call('SET', KEYS[1], ends, 'PXAT', math.ceil(ends / 1000))
return {1, math.floor(room / interval), 0, ends - now, now}
`)

// NewGCRA returns a limiter of burst requests at once, and of one more whenever window/limit, rounded up to a microsecond,
// has passed. The window is a whole number of milliseconds.
func NewGCRA(rdb redis.UniversalClient, prefix string, limit int, window time.Duration, burst int) (Limiter, error) {
	if err := checkRate(limit, window, burst); err != nil {
		return nil, err
	}
	interval := (window.Microseconds() + int64(limit) - 1) / int64(limit)
	return &scripted{rdb: rdb, prefix: prefix, script: GCRAScript, args: []any{interval, burst}}, nil
}
