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
	tx.peek(key)
	return tx.valueOf(&e), true
}

func (tx *Tx) valueOf(e *entry) (v codec.Value) {
	if e.kind().isString() {
		v.Text, _, _ = tx.text(e)
		return v
	}
	v.Object = tx.view(e)
	return v
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

// Load is SetValue for a key that must not exist yet: it reports false, and does nothing, if it does.
func (tx *Tx) Load(key []byte, v codec.Value, at int64) bool {
	e := tx.find(key)
	if e.b != nil {
		return false
	}
	if v.Object == nil {
		tx.setText(&e, key, v.Text, at)
	} else if form, b, ok := bytesOf(v.Object, packedMax); ok {
		tx.putPacked(&e, key, kindOf(v.Object), form, b, at)
	} else {
		tx.putNumber(&e, key, kindOf(v.Object), tx.keepObject(v.Object), at)
	}
	tx.Modified(key, 1)
	return true
}
