package zset

import (
	"fmt"

	"github.com/streampulse/pulse/store/listpack"
	"github.com/streampulse/pulse/store/skiplist"
)

// Check verifies that both parts of the representation agree and that the order is kept.
func (z *ZSet) Check() error {
	if z.large == nil {
		return checkPack(z.pack)
	}
	l := z.large.list
	if err := l.Check(); err != nil {
		return err
	}
	if l.Len() != z.large.idx.Len() {
		return fmt.Errorf("zset: %d elements, %d in the index", l.Len(), z.large.idx.Len())
	}
	for r := l.First(); r != skiplist.None; r = l.Next(r) {
		if _, found := z.large.find(l.Member(r)); found != r {
			return fmt.Errorf("zset: the index leads %q elsewhere", l.Member(r))
		}
	}
	return nil
}

func checkPack(l listpack.Listpack) error {
	if err := listpack.Valid(l); err != nil {
		return err
	}
	for p := l.First(); p != listpack.None; {
		vp := l.Next(p)
		if vp == listpack.None {
			return fmt.Errorf("zset: a member without a score")
		}
		next := l.Next(vp)
		if next != listpack.None && !packBefore(l, p, vp, packScore(l, l.Next(next)), l.AppendValue(nil, next)) {
			return fmt.Errorf("zset: %q is out of order", l.AppendValue(nil, next))
		}
		p = next
	}
	return nil
}
