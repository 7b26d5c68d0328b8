package store

import (
	"math"

	"github.com/streampulse/pulse/internal/num"
)

// A store may be told the time by two clocks: a test holds the one that deadlines go by still, or moves it, while the one that
// clients see goes on. What a client says of a date is converted where it comes in, and back where it goes out; all deadlines
// in the store are of the first clock. With one clock, as servers have, nothing is converted.

// Wall is the time that clients are told, in Unix milliseconds. It is Now unless Options.Wall says otherwise.
func (tx *Tx) Wall() int64 { return tx.wall }

// FromWall is the deadline that a client means by the date at, both in Unix milliseconds. What is beyond all time is
// its end.
func (tx *Tx) FromWall(at int64) int64 { return shifted(at, tx.now-tx.wall) }

// ToWall is the date that a client is told for the deadline at, both in Unix milliseconds.
func (tx *Tx) ToWall(at int64) int64 { return shifted(at, tx.wall-tx.now) }

func shifted(at, by int64) int64 {
	if by == 0 || at == Forever {
		return at
	}
	sum, ok := num.AddInt(at, by)
	switch {
	case !ok && by < 0:
		return math.MinInt64
	case !ok:
		return Forever - 1
	}
	return min(sum, Forever-1)
}
