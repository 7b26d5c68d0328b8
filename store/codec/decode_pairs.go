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
