package store

import (
	"github.com/streampulse/pulse/store/codec"
	"github.com/streampulse/pulse/store/list"
	"github.com/streampulse/pulse/store/zset"
)

// Codec returns the limits that values read from outside are to keep to.
func (l *Limits) Codec() codec.Limits {
	return codec.Limits{
		List: list.Limit(l.ListMaxListpackSize),
		Hash: l.Hash(),
		Set:  l.Set(),
		ZSet: zset.Limits{Entries: l.ZSetMaxListpackEntries, Value: l.ZSetMaxListpackValue},
	}
}

// Value returns what key holds, of whatever type, for reading; found is false if there is no such key. It is valid until
// the command ends.
func (tx *Tx) Value(key []byte) (v codec.Value, found bool) {
	e := tx.find(key)
	if e.b == nil {
		tx.look(key) // which counts the miss
		return v, false
	}
	// The kind is known, so none of these has an error.
	switch e.kind() {
	case List:
		v.Object, _ = tx.List(key, Read)
	case Set:
		v.Object, _ = tx.Set(key, Read)
	case ZSet:
		v.Object, _ = tx.ZSet(key, Read)
	case Hash:
		v.Object, _ = tx.Hash(key, Read)
	default:
		v.Text, _, _ = tx.Text(key)
	}
	return v, true
}

// SetValue makes key hold v, which becomes the store's own, whatever it held before. at is the deadline in Unix
// milliseconds, later than now, or Forever. It calls Modified.
func (tx *Tx) SetValue(key []byte, v codec.Value, at int64) {
	if v.Object == nil {
		tx.SetText(key, v.Text, at)
		return
	}
	tx.SetObject(key, kindOf(v.Object), v.Object)
	if at == Forever {
		tx.Modified(key, 1)
		return
	}
	tx.SetDeadline(key, at)
}
