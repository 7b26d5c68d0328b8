// Package ratelimit refuses a caller's requests beyond a limit, by one of five algorithms behind one interface.
//
// Contract: Allow decides about one request of one id, atomically in the server: however many processes ask at once, the
// decisions about an id are those of one caller asking one after another. A Limiter has no state of its own and may be
// used by any number of goroutines. Its clock is the server's, so that those of its callers do not matter. Limiters of
// different kinds or settings must not share a prefix.
//
//	algorithm        admits within any time d up to the window W    memory of an id     refused requests
//	FixedWindow      up to twice the limit, at once                 one counter         count, but lengthen nothing
//	SlidingLog       the limit, exactly                             one entry each      cost nothing
//	SlidingCounter   limit * (1 + d/W), mostly about the limit      three numbers       cost nothing
//	TokenBucket      burst + limit * d/W                            two numbers         cost nothing
//	GCRA             burst + limit * d/W                            one number          cost nothing
//
// Which one. FixedWindow is the cheapest, needs no script, and its end is easily told to a caller; but who asks at the
// end of one window and the start of the next gets twice as much. SlidingLog has no such edge and no error, and pays for it
// by a sorted set per id, as long as the limit: it is for limits of tens, not of thousands. SlidingCounter is its
// approximation in constant memory: it supposes that the requests of the last window came evenly, so after a burst at
// a window's end it lets through too little first and too much later. TokenBucket and GCRA limit the rate and, apart from
// that, how much may come at once: callers who waited may send a burst, others come evenly. They decide alike; the bucket
// keeps its parts readable in a hash and is exact to a part of a token, GCRA needs one string and rounds the interval
// between two requests up to a microsecond.
//
// A client that repeats a request whose reply was lost counts it twice, except in SlidingLog, which knows it again: limiters
// err towards refusing. When the server cannot be reached Allow returns the error: whether to fail open or closed is
// the caller's decision.
//
// If the server's clock is set back, ids get nothing back until it has caught up; what they have left they may use.
//
// FixedWindow needs EXPIRE NX (Redis 7.0); the others need scripts, sent by EVALSHA and once per server by EVAL, and PXAT
// (Redis 6.2).
package ratelimit

import (
	"context"
	"errors"
	"fmt"
	"time"

	"github.com/redis/go-redis/v9"
)

// Limiter decides about requests.
type Limiter interface {
	// Allow counts one request of id, which has 1 to 512 bytes, and says whether it may pass. On an error nothing is known
	// about the request.
	Allow(ctx context.Context, id string) (Decision, error)
	// Forget gives id its whole limit again, as for a user who has proved to be human.
	Forget(ctx context.Context, id string) error
}

// Decision is the answer to one request.
type Decision struct {
	Allowed    bool
	Remaining  int64         // requests that could pass at once after this one, never negative
	RetryAfter time.Duration // when refused: until a request can pass; what a Retry-After header should say
	Reset      time.Duration // until the whole limit is there again, if nothing else is asked for
	At         time.Time     // when, by the server's clock, to a microsecond; zero from FixedWindow, which does not ask
}

const (
	maxID    = 512
	maxExact = 1 << 53 // above it, not every integer is a number in Lua
)

func checkID(id string) error {
	if len(id) == 0 || len(id) > maxID {
		return fmt.Errorf("ratelimit: an id has 1 to %d bytes, not %d", maxID, len(id))
	}
	return nil
}

// checkRate refuses settings with which the arithmetic of scripts would not be exact. Times are microseconds there, and
// some of them are multiplied by the larger one of limit and burst.
func checkRate(limit int, window time.Duration, burst int) error {
	us := window.Microseconds()
	switch {
	case limit < 1 || burst < 1:
		return errors.New("ratelimit: limit and burst must be at least 1")
	case window < time.Millisecond || window%time.Millisecond != 0:
		return errors.New("ratelimit: window must be a whole number of milliseconds")
	case us > maxExact/4/int64(max(limit, burst)):
		return errors.New("ratelimit: limit and window are too large together")
	}
	return nil
}

func forget(ctx context.Context, rdb redis.UniversalClient, key string) error {
	if err := rdb.Del(ctx, key).Err(); err != nil {
		return fmt.Errorf("ratelimit: %w", err)
	}
	return nil
}

// scripted is a limiter that decides by a script. KEYS[1] is the key of the id; the script returns whether the request may
// pass, Remaining, RetryAfter, Reset and At, times in microseconds.
type scripted struct {
	rdb    redis.UniversalClient
	prefix string
	script *redis.Script
	args   []any
	nonce  bool // the script's last argument is one that no other request has
}

func (s *scripted) Allow(ctx context.Context, id string) (Decision, error) {
	if err := checkID(id); err != nil {
		return Decision{}, err
	}
	args := s.args
	if s.nonce {
		args = append(args[:len(args):len(args)], newNonce())
	}
	r, err := s.script.Run(ctx, s.rdb, []string{s.prefix + id}, args...).Int64Slice()
	if err != nil {
		return Decision{}, fmt.Errorf("ratelimit: %w", err)
	}
	if len(r) != 5 {
		return Decision{}, fmt.Errorf("ratelimit: script replied with %d numbers", len(r))
	}
	return Decision{
		Allowed:    r[0] == 1,
		Remaining:  max(0, r[1]),
		RetryAfter: time.Duration(r[2]) * time.Microsecond,
		Reset:      time.Duration(r[3]) * time.Microsecond,
		At:         time.UnixMicro(r[4]),
	}, nil
}

func (s *scripted) Forget(ctx context.Context, id string) error {
	if err := checkID(id); err != nil {
		return err
	}
	return forget(ctx, s.rdb, s.prefix+id)
}

// clock is how scripts begin: now is the server's time in microseconds. Keys get their deadlines from it as absolute times,
// because relative ones would count from the millisecond that now lies in, and could end before what they hold.
const clock = `
local t = redis.call('TIME')
local now = t[1] * 1000000 + t[2]
`
