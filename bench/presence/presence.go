// Package presence knows who is online, which of one's friends are, and how many were on a day.
//
// Contract: a user is online from a Beat until Options.Timeout has passed without another; who leaves is online no longer.
// All questions agree about that to the millisecond, whether silent users have been swept or not. Each silence and
// each departure is reported by at most one Sweep or Leave, and never for a user who has beaten since. Daily counts each user with a Beat
// on a day of UTC once, exactly; DailyEstimate does to about 0.81 %. A Presence has no state of its own and may be used by any
// number of goroutines.
//
// How: one sorted set of users by their last beat, to which a script adds the beat while it sets the user's bit in
// the day's bitmap and adds the user to the day's HyperLogLog. Who is online is a range of scores, so a silent user is offline
// without anybody doing something; Sweep only takes the silent out, by a script that looks again. Friends are a set per user, and those online
// its ZINTER with the sorted set.
//
// Trade-offs. Users are numbers, because a bitmap needs them, and should be given out from 0 upward: a day costs one bit
// for each number up to the largest, 125 KB for a million users, whether they came or not. The HyperLogLog costs 12 KB at
// most, however large the numbers are, and can be merged over days without counting a user twice (ActiveEstimate); bitmaps can
// be intersected as well (Returning), which HyperLogLogs cannot. Who needs one count only drops the other. A beat is
// four writes; clients should send it every Timeout/3, so that two may be lost. ZINTER looks up each
// friend in the sorted set: asking costs as much as one has friends, however many users are online. All keys share
// one hash tag, because they are intersected: in a cluster they are on one node; more is had by prefixes, such as one per
// region. If nobody sweeps, the sorted set keeps everybody who was ever here, 100 bytes each. After a beat whose reply was lost
// repeating it does no harm.
//
// Needs Redis 6.2 (ZINTER, ZADD GT).
package presence

import (
	"context"
	"errors"
	"fmt"
	"strconv"
	"strings"
	"time"

	"github.com/redis/go-redis/v9"
)

const (
	maxUsers     = 1 << 32 // a bitmap has no more bits
	defaultUsers = 10_000_000
	maxDays      = 366
	maxKeep      = 10 * 365 * 24 * time.Hour
	maxTimeout   = 24 * time.Hour
	maxSweep     = 10_000
)

// Options are the rules of a Presence.
type Options struct {
	Timeout time.Duration // how long after the last beat a user is silent; a millisecond to a day
	// Users is how many users there can be: their numbers are below it. 0 stands for 10 million; at most 2^32. It bounds what one
	// beat can make the server allocate, an eighth of it in bytes.
	Users int64
	Keep  time.Duration    // how long a day's counts are kept after it; 0 stands for 60 days
	Now   func() time.Time // the clock, for tests; nil: the server's, which all processes share
}

// Presence tracks users.
type Presence struct {
	rdb    redis.UniversalClient
	prefix string // with the hash tag
	o      Options
}

// New returns the Presence whose keys begin with prefix in braces; it may not contain any itself.
func New(rdb redis.UniversalClient, prefix string, o Options) (*Presence, error) {
	if o.Users == 0 {
		o.Users = defaultUsers
	}
	if o.Keep == 0 {
		o.Keep = 60 * 24 * time.Hour
	}
	switch {
	case prefix == "" || strings.ContainsAny(prefix, "{}"):
		return nil, errors.New("presence: a prefix is not empty and has no braces")
	case o.Timeout < time.Millisecond || o.Timeout > maxTimeout:
		return nil, errors.New("presence: Timeout must be a millisecond to a day")
	case o.Users < 1 || o.Users > maxUsers:
		return nil, errors.New("presence: there can be 1 to 2^32 users")
	case o.Keep < time.Hour || o.Keep > maxKeep:
		return nil, errors.New("presence: counts are kept for an hour to ten years")
	}
	return &Presence{rdb: rdb, prefix: "{" + prefix + "}", o: o}, nil
}

func (p *Presence) online() string { return p.prefix + ":online" }
func (p *Presence) friends(user int64) string {
	return p.prefix + ":friends:" + strconv.FormatInt(user, 10)
}
func (p *Presence) bits(t time.Time) string    { return p.prefix + ":bits:" + day(t) }
func (p *Presence) uniques(t time.Time) string { return p.prefix + ":hll:" + day(t) }

func day(t time.Time) string { return t.UTC().Format(time.DateOnly) }

func (p *Presence) check(users ...int64) error {
	for _, u := range users {
		if u < 0 || u >= p.o.Users {
			return fmt.Errorf("presence: users have numbers from 0 to %d, not %d", p.o.Users-1, u)
		}
	}
	return nil
}

// now returns the time that everything goes by.
func (p *Presence) now(ctx context.Context) (time.Time, error) {
	if p.o.Now != nil {
		return p.o.Now(), nil
	}
	t, err := p.rdb.Time(ctx).Result()
	if err != nil {
		return time.Time{}, fmt.Errorf("presence: %w", err)
	}
	return t, nil
}

// at is now as scripts take it: milliseconds, or 0 for the server's clock.
func (p *Presence) at() int64 {
	if p.o.Now == nil {
		return 0
	}
	return p.o.Now().UnixMilli()
}

// clock is how scripts begin: ARGV[1] is what at returns.
const clock = `
local now = tonumber(ARGV[1])
if now == 0 then
	local t = redis.call('TIME')
	now = t[1] * 1000 + math.floor(t[2] / 1000)
end
`

// beat gets the user, the day that the keys are of, and how long these are kept, and does nothing when it is another day. It replies with
// the days since 1970. GT: a beat that was overtaken by a later one does not set the user back.
var beat = redis.NewScript(clock + `
local today = math.floor(now / 86400000)
if today ~= tonumber(ARGV[3]) then
	return today
end
redis.call('ZADD', KEYS[1], 'GT', now, ARGV[2])
local ends = (today + 1) * 86400000 + ARGV[4]
if redis.call('SETBIT', KEYS[2], ARGV[2], 1) == 0 then
	redis.call('PEXPIREAT', KEYS[2], ends)
	redis.call('PFADD', KEYS[3], ARGV[2])
	redis.call('PEXPIREAT', KEYS[3], ends)
end
return today
`)

const msPerDay = 24 * 60 * 60 * 1000

// Beat says that user is here.
func (p *Presence) Beat(ctx context.Context, user int64) error {
	if err := p.check(user); err != nil {
		return err
	}
	at := p.at()
	// The keys are those of the day that it is here. The server may be in another: then it says so, and is asked again.
	today := time.Now().UnixMilli() / msPerDay
	if at != 0 {
		today = at / msPerDay
	}
	for range 3 {
		t := time.UnixMilli(today * msPerDay)
		keys := []string{p.online(), p.bits(t), p.uniques(t)}
		got, err := beat.Run(ctx, p.rdb, keys, at, user, today, p.o.Keep.Milliseconds()).Int64()
		if err != nil {
			return fmt.Errorf("presence: beat: %w", err)
		}
		if got == today {
			return nil
		}
		today = got
	}
	return errors.New("presence: the server's clock leaps from day to day")
}

// Leave says that user is gone, and returns whether the user was in the list until then: true for one of several calls.
func (p *Presence) Leave(ctx context.Context, user int64) (bool, error) {
	if err := p.check(user); err != nil {
		return false, err
	}
	n, err := p.rdb.ZRem(ctx, p.online(), user).Result()
	if err != nil {
		return false, fmt.Errorf("presence: leave: %w", err)
	}
	return n == 1, nil
}

// since is the range of scores of those who are online: the last beat less than Timeout ago.
func (p *Presence) since(now time.Time) string {
	return "(" + strconv.FormatInt(now.Add(-p.o.Timeout).UnixMilli(), 10)
}

// Online returns how many users are online.
func (p *Presence) Online(ctx context.Context) (int64, error) {
	now, err := p.now(ctx)
	if err != nil {
		return 0, err
	}
	n, err := p.rdb.ZCount(ctx, p.online(), p.since(now), "+inf").Result()
	if err != nil {
		return 0, fmt.Errorf("presence: online: %w", err)
	}
	return n, nil
}

// IsOnline says whether user is online, and when the last beat was; that is zero when it is not known any more.
func (p *Presence) IsOnline(ctx context.Context, user int64) (bool, time.Time, error) {
	if err := p.check(user); err != nil {
		return false, time.Time{}, err
	}
	now, err := p.now(ctx)
	if err != nil {
		return false, time.Time{}, err
	}
	score, err := p.rdb.ZScore(ctx, p.online(), strconv.FormatInt(user, 10)).Result()
	switch {
	case errors.Is(err, redis.Nil):
		return false, time.Time{}, nil
	case err != nil:
		return false, time.Time{}, fmt.Errorf("presence: %w", err)
	}
	return p.fresh(now, score), time.UnixMilli(int64(score)), nil
}

// fresh says whether who beat at that score is online.
func (p *Presence) fresh(now time.Time, score float64) bool {
	return int64(score) > now.Add(-p.o.Timeout).UnixMilli()
}

// sweep takes up to ARGV[3] users out who have been silent for ARGV[2] ms.
var sweep = redis.NewScript(clock + `
local silent = redis.call('ZRANGEBYSCORE', KEYS[1], '-inf', now - ARGV[2], 'LIMIT', 0, ARGV[3])
if #silent > 0 then
	redis.call('ZREM', KEYS[1], unpack(silent))
end
return silent
`)

// sweepStep is how many users one script takes out: others wait for it.
const sweepStep = 500

// Sweep takes up to limit silent users, 1 to 10,000, out of the list and returns them, the longest silent first. Each is
// returned to one caller; what that does with them is lost if it dies.
func (p *Presence) Sweep(ctx context.Context, limit int) ([]int64, error) {
	if limit < 1 || limit > maxSweep {
		return nil, fmt.Errorf("presence: a sweep takes 1 to %d users", maxSweep)
	}
	var gone []int64
	for len(gone) < limit {
		step := min(sweepStep, limit-len(gone))
		silent, err := sweep.Run(ctx, p.rdb, []string{p.online()}, p.at(), p.o.Timeout.Milliseconds(), step).StringSlice()
		if err != nil {
			return gone, fmt.Errorf("presence: sweep: %w", err)
		}
		for _, text := range silent {
			user, err := strconv.ParseInt(text, 10, 64)
			if err != nil {
				return gone, fmt.Errorf("presence: %q is no user", text)
			}
			gone = append(gone, user)
		}
		if len(silent) < step {
			break
		}
	}
	return gone, nil
}

// Run sweeps at every interval until ctx ends, and hands those who are gone to left, which may be nil. Errors go to failed, which may
// be nil, too, and do not end it. Any number of processes may run it.
func (p *Presence) Run(ctx context.Context, every time.Duration, left func(users []int64), failed func(error)) error {
	if every < time.Millisecond {
		return errors.New("presence: an interval is at least a millisecond")
	}
	tick := time.NewTicker(every)
	defer tick.Stop()
	for {
		select {
		case <-ctx.Done():
			return nil
		case <-tick.C:
		}
		for {
			gone, err := p.Sweep(ctx, maxSweep)
			if len(gone) > 0 && left != nil {
				left(gone)
			}
			if err != nil && ctx.Err() == nil && failed != nil {
				failed(err)
			}
			if err != nil || len(gone) < maxSweep {
				break
			}
		}
	}
}
