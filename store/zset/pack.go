package zset

import (
	"bytes"
	"errors"
	"math"
	"strconv"

	"github.com/streampulse/pulse/internal/num"
	"github.com/streampulse/pulse/store/listpack"
)

// maxScoreText is more than the text of a score and the overhead of two entries take, in bytes.
const maxScoreText = 64

// packScore returns the score at position vp.
func packScore(l listpack.Listpack, vp int) float64 {
	str, i, isInt := l.Get(vp)
	if isInt {
		return float64(i)
	}
	f, _ := num.ParseFloat(str)
	return f
}

// scoreText returns the text a score is kept as. An integer becomes one in the listpack, and so loses the sign of zero.
func scoreText(b []byte, s float64) []byte {
	if s == 0 {
		return append(b, '0')
	}
	return num.AppendFloat(b, s)
}

// packCompare compares the member at p with m.
func packCompare(l listpack.Listpack, p int, m []byte) int {
	var scratch [num.MaxIntLen]byte
	return bytes.Compare(l.Text(p, scratch[:]), m)
}

// packBefore reports whether the pair at p, vp comes before the given place.
func packBefore(l listpack.Listpack, p, vp int, score float64, m []byte) bool {
	s := packScore(l, vp)
	return s < score || s == score && packCompare(l, p, m) < 0
}

// packInsert adds a member that is not there.
func packInsert(l listpack.Listpack, m []byte, score float64) listpack.Listpack {
	var scratch [32]byte
	text := scoreText(scratch[:0], score)
	// Scores that only grow are the usual way to fill a set.
	if last := l.Last(); last == listpack.None || packBefore(l, l.Prev(last), last, score, m) {
		return l.AppendPair(m, text)
	}
	p := l.First()
	for p != listpack.None {
		vp := l.Next(p)
		if !packBefore(l, p, vp, score, m) {
			break
		}
		p = l.Next(vp)
	}
	return l.InsertPairBefore(p, m, text)
}

// packMove gives the member m at p, vp another score.
func packMove(l listpack.Listpack, p, vp int, m []byte, score float64) listpack.Listpack {
	prev, next := l.Prev(p), l.Next(vp)
	if (prev == listpack.None || packBefore(l, l.Prev(prev), prev, score, m)) &&
		(next == listpack.None || !packBefore(l, next, l.Next(next), score, m)) {
		var scratch [32]byte
		return l.Replace(vp, scoreText(scratch[:0], score))
	}
	l, _ = l.DeletePair(p)
	return packInsert(l, m, score)
}

func packRank(l listpack.Listpack, m []byte) (int, float64, bool) {
	at, vp := l.FindPair(m)
	if at == listpack.None {
		return 0, 0, false
	}
	rank := 0
	for p := l.First(); p != at; p = l.Next(l.Next(p)) {
		rank++
	}
	return rank, packScore(l, vp), true
}

func packEach(l listpack.Listpack, start, n int, rev bool, f func([]byte, float64) bool) {
	var scratch []byte // made for the first integer: most members are none
	p, vp := l.PairAt(start)
	for ; p != listpack.None && n > 0; n-- {
		m, i, isInt := l.Get(p)
		if isInt {
			if scratch == nil {
				scratch = make([]byte, 0, num.MaxIntLen)
			}
			m = strconv.AppendInt(scratch, i, 10)
		}
		if !f(m, packScore(l, vp)) {
			return
		}
		if !rev {
			if p = l.Next(vp); p != listpack.None {
				vp = l.Next(p)
			}
		} else if vp = l.Prev(p); vp != listpack.None {
			p = l.Prev(vp)
		} else {
			return
		}
	}
}

func packByScore(l listpack.Listpack, r ScoreRange) (start, end int) {
	for p := l.First(); p != listpack.None; {
		vp := l.Next(p)
		s := packScore(l, vp)
		if s > r.Max || s == r.Max && r.MaxEx {
			break
		}
		if s < r.Min || s == r.Min && r.MinEx {
			start++
		}
		end++
		p = l.Next(vp)
	}
	return start, end
}

func packLexRank(l listpack.Listpack, m []byte, orEqual bool) (rank int) {
	for p := l.First(); p != listpack.None; p = l.Next(l.Next(p)) {
		if c := packCompare(l, p, m); !(c < 0 || orEqual && c == 0) {
			break
		}
		rank++
	}
	return rank
}

// ErrCorrupt is what FromPacked says of a listpack that is no sorted set.
var ErrCorrupt = errors.New("zset: the listpack is not a sorted set")

// FromPacked makes a sorted set of a listpack from outside that listpack.Valid has accepted. It becomes the set's own.
// Pairs out of order are put in order.
func FromPacked(l listpack.Listpack, lim Limits) (*ZSet, error) {
	if l.Len()%2 != 0 {
		return nil, ErrCorrupt
	}
	b := NewBuilder()
	var scratch [num.MaxIntLen]byte
	for p := l.First(); p != listpack.None; {
		vp := l.Next(p)
		s, ok := 0.0, true
		if str, i, isInt := l.Get(vp); isInt {
			s = float64(i)
		} else if s, ok = num.ParseFloat(str); !ok || math.IsNaN(s) {
			return nil, ErrCorrupt
		}
		if !b.Add(l.Text(p, scratch[:]), s) {
			return nil, ErrCorrupt
		}
		p = l.Next(vp)
	}
	if b.InOrder() && b.Fits(lim) {
		return &ZSet{pack: l}, nil
	}
	return b.Build(lim), nil
}
