package codec

import (
	"math"

	"github.com/streampulse/pulse/internal/num"
	"github.com/streampulse/pulse/store/hash"
	"github.com/streampulse/pulse/store/listpack"
	"github.com/streampulse/pulse/store/zset"
)

var inf = math.Inf(1)

var (
	errTwice = Corrupt("a field or member that comes twice")
	errScore = Corrupt("a score that is not a number")
	errTime  = Corrupt("a deadline of a field out of range")
	errPairs = Corrupt("a field without a value")
)

func (r *Reader) zset(t Type, lim zset.Limits) *zset.ZSet {
	b := zset.NewBuilder()
	for n := r.Count(); n > 0; n-- {
		member := r.text(0)
		var score float64
		ok := true
		if t == typeZSet {
			score, ok = r.scoreText()
		} else {
			score = math.Float64frombits(r.Uint64())
			ok = score == score
		}
		switch {
		case r.err != nil:
			return nil
		case !ok:
			r.Fail(errScore)
			return nil
		case !b.Add(member, score):
			r.Fail(errTwice)
			return nil
		}
	}
	if r.err != nil {
		return nil
	}
	return b.Build(lim)
}

func (r *Reader) zsetPack(lim zset.Limits) *zset.ZSet {
	l := r.pack(2)
	if r.err != nil {
		return nil
	}
	z, err := zset.FromPacked(l, lim)
	if err != nil {
		r.Fail(err)
		return nil
	}
	return z
}

func (r *Reader) zsetZip(lim zset.Limits) *zset.ZSet {
	z := r.text(0)
	if r.err != nil {
		return nil
	}
	b := zset.NewBuilder()
	err := eachPairOfZiplist(z, func(member, text []byte) error {
		score, ok := num.ParseFloat(text)
		switch {
		case !ok || score != score:
			return errScore
		case !b.Add(member, score):
			return errTwice
		}
		return nil
	})
	if err == nil && b.Len() == 0 {
		err = ErrEmpty
	}
	if err != nil {
		r.Fail(err)
		return nil
	}
	return b.Build(lim)
}

func (r *Reader) hash(lim hash.Limits) *hash.Hash {
	n := r.Count()
	b := hashBuilder{lim: lim, hopeless: n > uint64(max(lim.Entries, 0))}
	for ; n > 0; n-- {
		field := r.text(0)
		value := r.text(1)
		if r.err != nil {
			return nil
		}
		if err := b.add(field, value); err != nil {
			r.Fail(err)
			return nil
		}
	}
	h, err := b.finish()
	r.Fail(err)
	return h
}

// hashOf reads a hash in a packed form that is not used any more, which each takes apart.
func (r *Reader) hashOf(each func(b []byte, f func(field, value []byte) error) error, lim hash.Limits) *hash.Hash {
	packed := r.text(0)
	if r.err != nil {
		return nil
	}
	b := hashBuilder{lim: lim}
	if err := each(packed, b.add); err != nil {
		r.Fail(err)
		return nil
	}
	h, err := b.finish()
	r.Fail(err)
	return h
}

func (r *Reader) hashPack(lim hash.Limits) *hash.Hash {
	l := r.pack(2)
	if r.err != nil {
		return nil
	}
	if l.Pairs() > lim.Entries {
		b := hashBuilder{lim: lim, hopeless: true}
		var field, value [num.MaxIntLen]byte
		for p := l.First(); p != listpack.None; {
			q := l.Next(p)
			if err := b.add(l.Text(p, field[:]), l.Text(q, value[:])); err != nil {
				r.Fail(err)
				return nil
			}
			p = l.Next(q)
		}
		h, err := b.finish()
		r.Fail(err)
		return h
	}
	if !distinct(l, 2) {
		r.Fail(errTwice)
		return nil
	}
	return hash.FromListpack(lim, l)
}

// maxDeadline is the last deadline that a field can have in Redis, in Unix milliseconds.
const maxDeadline = 1<<48 - 1

// timedHash reads a hash whose fields have deadlines: of each its deadline, then field and value. A deadline is 0 for none,
// else its distance from the earliest, which is 1 away from itself; before the release of 7.4, its time.
func (r *Reader) timedHash(t Type, lim hash.Limits) *hash.Hash {
	first := uint64(1)
	if t == typeHashTTL {
		first = r.Uint64()
	}
	n := r.Count()
	b := hashBuilder{lim: lim, hopeless: n > uint64(max(lim.Entries, 0))}
	for ; n > 0; n-- {
		distance := r.Length()
		field := r.text(0)
		value := r.text(1)
		if r.err != nil {
			return nil
		}
		at, err := deadline(first, distance)
		if err == nil {
			err = b.addAt(field, value, at)
		}
		if err != nil {
			r.Fail(err)
			return nil
		}
	}
	h, err := b.finish()
	r.Fail(err)
	return h
}

// deadline returns the time that lies distance-1 milliseconds behind first, for a distance of 0 no time.
func deadline(first, distance uint64) (int64, error) {
	switch {
	case distance == 0:
		return hash.Forever, nil
	case first > maxDeadline || distance > maxDeadline || first+distance-1 > maxDeadline:
		return 0, errTime
	}
	return int64(first + distance - 1), nil
}

// timedPack reads a listpack of fields, values and deadlines, which are times, 0 for none. The earliest of them, which
// stands in front since the release of 7.4, tells nothing new.
func (r *Reader) timedPack(t Type, lim hash.Limits) *hash.Hash {
	if t == typeHashTTLPack {
		r.Uint64()
	}
	l := r.pack(3)
	if r.err != nil {
		return nil
	}
	b := hashBuilder{lim: lim, hopeless: l.Len()/3 > lim.Entries}
	var field, value [num.MaxIntLen]byte
	for p := l.First(); p != listpack.None; {
		q := l.Next(p)
		d := l.Next(q)
		_, time, isInt := l.Get(d)
		at, err := deadline(1, uint64(time))
		if !isInt {
			err = errTime
		}
		if err == nil {
			err = b.addAt(l.Text(p, field[:]), l.Text(q, value[:]), at)
		}
		if err != nil {
			r.Fail(err)
			return nil
		}
		p = l.Next(d)
	}
	h, err := b.finish()
	r.Fail(err)
	return h
}
