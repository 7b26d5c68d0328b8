package store

import (
	"github.com/streampulse/pulse/store/hash"
	"github.com/streampulse/pulse/store/list"
	"github.com/streampulse/pulse/store/set"
	"github.com/streampulse/pulse/store/stream"
	"github.com/streampulse/pulse/store/zset"
)

// The typed ways to a value. Each returns ErrWrongType if key holds something else, and nil without an error if there is
// no such key and m is not Create; the read methods of a nil value behave as those of an empty one.

// Hash returns the hash at key.
func (tx *Tx) Hash(key []byte, m Mode) (*hash.Hash, error) {
	return object(tx, key, Hash, m, &tx.hashes)
}

// List returns the list at key.
func (tx *Tx) List(key []byte, m Mode) (*list.List, error) {
	return object(tx, key, List, m, &tx.lists)
}

// Set returns the set at key.
func (tx *Tx) Set(key []byte, m Mode) (*set.Set, error) { return object(tx, key, Set, m, &tx.sets) }

// ZSet returns the sorted set at key.
func (tx *Tx) ZSet(key []byte, m Mode) (*zset.ZSet, error) {
	return object(tx, key, ZSet, m, &tx.zsets)
}

// Stream returns the stream at key. Unlike other values, one that is empty stays.
func (tx *Tx) Stream(key []byte, m Mode) (*stream.Stream, error) {
	var e entry
	if m == Read {
		e = tx.peek(key)
	} else {
		e = tx.find(key)
	}
	switch {
	case e.b == nil && m == Create:
		return stream.New(), nil
	case e.b == nil:
		return nil, nil
	case e.kind() != Stream:
		return nil, ErrWrongType
	}
	if m != Read {
		tx.touch(&e)
		e.ks.preserve(&e) // it is changed in place
	}
	return e.ks.objects.get(objectNumber(e.value())).(*stream.Stream), nil
}

// lasts reports whether a value without elements stays: a stream may have groups, and it has ids not to be used again.
func lasts(o Object) bool {
	_, ok := o.(*stream.Stream)
	return ok
}

// Hash returns the limits of hashes.
func (l *Limits) Hash() hash.Limits {
	return hash.Limits{Entries: l.HashMaxListpackEntries, Value: l.HashMaxListpackValue}
}

// Stream returns the limits of the nodes of streams.
func (l *Limits) Stream() stream.Limits {
	return stream.Limits{NodeBytes: l.StreamNodeMaxBytes, NodeEntries: l.StreamNodeMaxEntries}
}

// Set returns the limits of sets.
func (l *Limits) Set() set.Limits {
	return set.Limits{Ints: l.SetMaxIntsetEntries, Entries: l.SetMaxListpackEntries, Value: l.SetMaxListpackValue}
}

// kindOf returns the kind of o.
func kindOf(o Object) Kind {
	switch o.(type) {
	case *hash.Hash:
		return Hash
	case *list.List:
		return List
	case *set.Set:
		return Set
	case *zset.ZSet:
		return ZSet
	case *stream.Stream:
		return Stream
	}
	panic("store: a value of no known type")
}

func cloneObject(o Object) Object {
	switch v := o.(type) {
	case *hash.Hash:
		return v.Clone()
	case *list.List:
		return v.Clone()
	case *set.Set:
		return v.Clone()
	case *zset.ZSet:
		return v.Clone()
	case *stream.Stream:
		return v.Clone()
	}
	panic("store: a value of no known type")
}
