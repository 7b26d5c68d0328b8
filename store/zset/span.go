package zset

import (
	"strconv"

	"github.com/streampulse/pulse/internal/num"
	"github.com/streampulse/pulse/store/listpack"
	"github.com/streampulse/pulse/store/skiplist"
)

// EachScore calls f for the members with scores from min on and below max, upwards, until it returns false. member is
// valid until f returns. f must not change the set.
func (z *ZSet) EachScore(min, max float64, f func(member []byte, score float64) bool) {
	switch {
	case z == nil:
	case z.large != nil:
		l := z.large.list
		for r := l.FromScore(min); r != skiplist.None; {
			m, s, next := l.Element(r)
			if !(s < max) || !f(m, s) {
				return
			}
			r = next
		}
	default:
		packEachScore(z.pack, min, max, f)
	}
}

func packEachScore(l listpack.Listpack, min, max float64, f func([]byte, float64) bool) {
	var scratch []byte // made for the first integer: most members are none
	for p := l.First(); p != listpack.None; {
		vp := l.Next(p)
		s := packScore(l, vp)
		if !(s < max) {
			return
		}
		if s >= min {
			m, i, isInt := l.Get(p)
			if isInt {
				if scratch == nil {
					scratch = make([]byte, 0, num.MaxIntLen)
				}
				m = strconv.AppendInt(scratch, i, 10)
			}
			if !f(m, s) {
				return
			}
		}
		p = l.Next(vp)
	}
}
