package leaderboard

import (
	"context"
	"errors"
	"fmt"
	"strconv"
	"time"

	"github.com/redis/go-redis/v9"
)

const (
	minPeriod  = time.Second
	maxPeriod  = 366 * 24 * time.Hour
	maxPeriods = 1000
)

// Periods says how a Timed board divides time.
type Periods struct {
	Length time.Duration    // of one, a second to a year, counted from 1970 in UTC: a day's begins at midnight
	Keep   int              // how many are kept, this one included: 1 to 1000
	Fresh  time.Duration    // how old the ranking of several may be, up to Length; 0: a second
	Now    func() time.Time // nil: the clock of this process
}

// Timed ranks members by the points of the last periods.
type Timed struct {
	rdb  redis.UniversalClient
	name string
	p    Periods
}

// addTimed keeps a period that it adds to until ARGV[3], a time in milliseconds.
var addTimed = redis.NewScript(`
local total = redis.call('ZINCRBY', KEYS[1], ARGV[1], ARGV[2])
redis.call('PEXPIREAT', KEYS[1], ARGV[3])
return total
`)

// unite ranks the periods KEYS[2] and on together in KEYS[1], unless somebody has in the last ARGV[1] milliseconds. It lives twice as long, so
// that who was told to read it can. That nothing is there is found out again each time, which costs little.
var unite = redis.NewScript(`
if redis.call('PTTL', KEYS[1]) > tonumber(ARGV[1]) then
	return 0
end
redis.call('ZUNIONSTORE', KEYS[1], #KEYS - 1, unpack(KEYS, 2))
redis.call('PEXPIRE', KEYS[1], 2 * ARGV[1])
return 1
`)

// NewTimed returns the board of that name, without braces; all its keys are in one slot of a cluster.
func NewTimed(rdb redis.UniversalClient, name string, p Periods) (*Timed, error) {
	if err := checkName(name); err != nil {
		return nil, err
	}
	if p.Fresh == 0 {
		p.Fresh = time.Second
	}
	if p.Now == nil {
		p.Now = time.Now
	}
	switch {
	case p.Length < minPeriod || p.Length > maxPeriod || p.Length%time.Millisecond != 0:
		return nil, fmt.Errorf("leaderboard: a period lasts %v to %v, in whole milliseconds", minPeriod, maxPeriod)
	case p.Keep < 1 || p.Keep > maxPeriods:
		return nil, fmt.Errorf("leaderboard: keep 1 to %d periods", maxPeriods)
	case p.Fresh < time.Millisecond || p.Fresh > p.Length:
		return nil, errors.New("leaderboard: a ranking is fresh for a millisecond to a period")
	}
	return &Timed{rdb: rdb, name: name, p: p}, nil
}

// period is the number of the period of now.
func (t *Timed) period() int64 {
	ms := t.p.Now().UnixMilli()
	n := ms / t.p.Length.Milliseconds()
	if ms < 0 {
		n--
	}
	return n
}

func (t *Timed) key(period int64) string {
	return "{" + t.name + "}:" + strconv.FormatInt(period, 10)
}

// Add gives member points in this period, and returns its total in it.
func (t *Timed) Add(ctx context.Context, member string, points float64) (float64, error) {
	if err := errors.Join(checkMember(member), checkPoints(points)); err != nil {
		return 0, err
	}
	n := t.period()
	// Clocks that differ may still count it a little later.
	end := (n + int64(t.p.Keep) + 1) * t.p.Length.Milliseconds()
	total, err := addTimed.Run(ctx, t.rdb, []string{t.key(n)}, points, member, end).Float64()
	if err != nil {
		return 0, fmt.Errorf("leaderboard: add: %w", err)
	}
	return total, nil
}

// Last returns the board of the last n periods, this one included: exact if n is 1, else as it was up to Fresh ago, and good for as long
// after. Ask again for each reading. Nothing may be added to it.
func (t *Timed) Last(ctx context.Context, n int) (*Board, error) {
	if n < 1 || n > t.p.Keep {
		return nil, fmt.Errorf("leaderboard: this board keeps %d periods, not %d", t.p.Keep, n)
	}
	now := t.period()
	if n == 1 {
		return New(t.rdb, t.key(now)), nil
	}
	// The result's name says which periods it is of, so that it ends with the period.
	keys := make([]string, 1, 1+n)
	keys[0] = t.key(now) + ":last:" + strconv.Itoa(n)
	for i := range n {
		keys = append(keys, t.key(now-int64(i)))
	}
	if err := unite.Run(ctx, t.rdb, keys, t.p.Fresh.Milliseconds()).Err(); err != nil {
		return nil, fmt.Errorf("leaderboard: unite: %w", err)
	}
	return New(t.rdb, keys[0]), nil
}
