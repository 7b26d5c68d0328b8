package shortener

import (
	"context"
	"fmt"
	"strconv"
	"time"

	"github.com/redis/go-redis/v9"
)

// maxDays is how many days one question may be about.
const maxDays = 3660

// Stats is what was counted for a link.
type Stats struct {
	Clicks   int64
	Visitors int64 // about: the standard error is 0.81 %
	Daily    []Day // a row for every day asked about, in order
}

// Day is a day of UTC.
type Day struct {
	Date   string // as 2006-01-02
	Clicks int64
}

func day(t time.Time) string { return t.UTC().Format(time.DateOnly) }

// Stats returns what was counted for code, with the days from from to to, both included, up to ten years. A code that was never
// visited, or does not exist, has zeros.
func (s *Shortener) Stats(ctx context.Context, code string, from, to time.Time) (Stats, error) {
	if !validCode(code) {
		return Stats{}, ErrNotFound
	}
	first, err := time.Parse(time.DateOnly, day(from))
	if err != nil {
		return Stats{}, fmt.Errorf("shortener: %v is no day: %w", from, err)
	}
	var days []string
	for d := first; !d.After(to.UTC()); d = d.AddDate(0, 0, 1) {
		if len(days) == maxDays {
			return Stats{}, fmt.Errorf("shortener: more than %d days", maxDays)
		}
		days = append(days, day(d))
	}
	if len(days) == 0 {
		return Stats{}, fmt.Errorf("shortener: no day from %s to %s", day(from), day(to))
	}
	k := s.keys(code)
	var clicks *redis.StringCmd
	var visitors *redis.IntCmd
	var daily *redis.SliceCmd
	_, _ = s.rdb.Pipelined(ctx, func(p redis.Pipeliner) error { // each command has its own error
		clicks = p.Get(ctx, k.clicks)
		visitors = p.PFCount(ctx, k.visitors)
		daily = p.HMGet(ctx, k.daily, days...)
		return nil
	})
	st := Stats{Visitors: visitors.Val(), Daily: make([]Day, len(days))}
	if st.Clicks, err = clicks.Int64(); err == redis.Nil {
		st.Clicks, err = 0, nil
	}
	for _, e := range []error{err, visitors.Err(), daily.Err()} {
		if e != nil {
			return Stats{}, fmt.Errorf("shortener: stats: %w", e)
		}
	}
	for i, v := range daily.Val() {
		st.Daily[i].Date = days[i]
		text, ok := v.(string)
		if !ok {
			continue
		}
		if st.Daily[i].Clicks, err = strconv.ParseInt(text, 10, 64); err != nil {
			return Stats{}, fmt.Errorf("shortener: stats of %s: %w", days[i], err)
		}
	}
	return st, nil
}
