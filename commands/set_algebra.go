package commands

import (
	"github.com/streampulse/pulse/internal/num"
	"github.com/streampulse/pulse/store"
	"github.com/streampulse/pulse/store/set"
)

// setsAt returns the sets at the keys, nil for those that do not exist.
func setsAt(c *Call, keys [][]byte) ([]*set.Set, error) {
	sets := make([]*set.Set, 0, len(keys))
	for _, key := range keys {
		v, err := c.Tx.Set(key, store.Read)
		if err != nil {
			return nil, err
		}
		sets = append(sets, v)
	}
	return sets, nil
}

// setReply writes the members that each hands out as a set.
func setReply(c *Call, each func(f func(member []byte) bool)) {
	m, n := c.Defer(), 0
	each(func(member []byte) bool {
		c.Bulk(member)
		n++
		return true
	})
	c.EndSet(m, n)
}

// setStore makes the destination, which is the first argument, hold what combine makes of the sets named after it, and
// replies with its size. An empty result deletes the destination.
func setStore(c *Call, combine func(lim set.Limits, sets []*set.Set) *set.Set) error {
	sets, err := setsAt(c, c.Args[2:])
	if err != nil {
		return err
	}
	dst := c.Args[1]
	v := combine(c.Tx.Limits().Set(), sets)
	if v.Len() == 0 {
		c.deleteKey(dst)
	} else {
		c.Tx.SetObject(dst, store.Set, v)
		c.Tx.Modified(dst, 1)
		c.Notify(store.OnSet, c.Spec.full, dst)
	}
	c.Int(int64(v.Len()))
	return nil
}

func sinter(c *Call) error {
	sets, err := setsAt(c, c.Args[1:])
	if err != nil {
		return err
	}
	setReply(c, func(f func([]byte) bool) { set.Inter(sets, f) })
	return nil
}

func sunion(c *Call) error {
	sets, err := setsAt(c, c.Args[1:])
	if err != nil {
		return err
	}
	setReply(c, func(f func([]byte) bool) { set.Union(c.Tx.Limits().Set(), sets, f) })
	return nil
}

func sdiff(c *Call) error {
	sets, err := setsAt(c, c.Args[1:])
	if err != nil {
		return err
	}
	setReply(c, func(f func([]byte) bool) { set.Diff(c.Tx.Limits().Set(), sets, f) })
	return nil
}

func sinterstore(c *Call) error { return setStore(c, set.InterStore) }
func sunionstore(c *Call) error { return setStore(c, set.UnionStore) }
func sdiffstore(c *Call) error  { return setStore(c, set.DiffStore) }

func sintercard(c *Call) error {
	n, ok := num.ParseInt(c.Args[1])
	if !ok || n < 1 {
		return ErrNumKeys
	}
	if n > int64(len(c.Args)-2) {
		return ErrTooManyKeys
	}
	keys := c.Args[2 : 2+n]
	a := c.From(2 + int(n))
	limit := int64(0)
	for a.More() {
		if !a.IsWith("LIMIT", 1) {
			return ErrSyntax
		}
		if limit = a.IntErr(ErrLimitNegative); limit < 0 {
			a.Fail(ErrLimitNegative)
		}
	}
	if err := a.Err(); err != nil {
		return err
	}
	sets, err := setsAt(c, keys)
	if err != nil {
		return err
	}
	count := int64(0)
	set.Inter(sets, func([]byte) bool {
		count++
		return count != limit
	})
	c.Int(count)
	return nil
}
