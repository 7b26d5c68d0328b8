package store

import (
	"encoding/binary"
	"strconv"

	"github.com/streampulse/pulse/internal/num"
	"github.com/streampulse/pulse/internal/pieces"
	"github.com/streampulse/pulse/store/arena"
)

// Text returns the string at key, for reading; found is false if there is no such key. The result is valid until
// Unlock.
func (tx *Tx) Text(key []byte) (val []byte, found bool, err error) {
	e := tx.peek(key)
	return tx.text(&e)
}

// TextToChange is Text for a command that is about to write: neither hit nor miss.
func (tx *Tx) TextToChange(key []byte) (val []byte, found bool, err error) {
	e := tx.find(key)
	if e.b != nil && !tx.NoTouch {
		tx.touch(&e)
	}
	return tx.text(&e)
}

// TextOver is Text, but the text of an integer is written over scratch: for a command that reads many strings.
func (tx *Tx) TextOver(key, scratch []byte) (val []byte, found bool, err error) {
	e := tx.peek(key)
	if e.b != nil && e.kind() == Integer {
		return strconv.AppendInt(scratch[:0], integerOf(&e), 10), true, nil
	}
	return tx.text(&e)
}

func (tx *Tx) text(e *entry) (val []byte, found bool, err error) {
	if e.b == nil {
		return nil, false, nil
	}
	switch e.kind() {
	case String:
		return e.value(), true, nil
	case Integer:
		n := len(tx.scratch)
		tx.scratch = strconv.AppendInt(tx.scratch, integerOf(e), 10)
		return tx.scratch[n:len(tx.scratch):len(tx.scratch)], true, nil
	}
	return nil, false, ErrWrongType
}

func integerOf(e *entry) int64 { return int64(binary.LittleEndian.Uint64(e.b[e.val:])) }

// SetText makes key hold the string val, whatever it held before. at is the deadline in Unix milliseconds, or
// Forever, or KeepDeadline. It calls Modified.
func (tx *Tx) SetText(key, val []byte, at int64) {
	e := tx.find(key)
	if at == KeepDeadline {
		at = e.deadline()
	}
	tx.setText(&e, key, val, at)
	tx.Modified(key, 1)
}

// SetTextAsIs is SetText, but the text is not held as an integer even if it is one: OBJECT ENCODING tells the
// difference.
func (tx *Tx) SetTextAsIs(key, val []byte, at int64) {
	e := tx.find(key)
	if at == KeepDeadline {
		at = e.deadline()
	}
	tx.setBytes(&e, key, val, at)
	tx.Modified(key, 1)
}

const (
	// Forever is the deadline of a key that does not expire.
	Forever = noDeadline
	// KeepDeadline stands for the deadline the key has.
	KeepDeadline = -1 << 63
)

func (tx *Tx) setText(e *entry, key, val []byte, at int64) {
	i, ok := num.ParseInt(val)
	if !ok {
		tx.setBytes(e, key, val, at)
		return
	}
	tx.tellNew(e, key)
	ks := tx.space(e)
	ks.dropObject(e)
	sh := shape{flags: byte(Integer), key: key, vlen: 8, deadline: at}
	binary.LittleEndian.PutUint64(ks.put(e, &sh, tx.used(e)), uint64(i))
	ks.tidy()
}

func (tx *Tx) setBytes(e *entry, key, val []byte, at int64) {
	tx.tellNew(e, key)
	ks := tx.space(e)
	ks.dropObject(e)
	sh := shape{flags: byte(String), key: key, vlen: len(val), deadline: at}
	pieces.Copy(ks.put(e, &sh, tx.used(e)), val)
	ks.tidy()
}

// dropObject lets go of the object of e, if it has one, before its block is overwritten.
func (ks *keyspace) dropObject(e *entry) {
	if ks.objects.lent && e.b != nil && e.hasObject() {
		abandon(ks.objects.get(objectNumber(e.value())))
	}
	ks.giveObject(e)
}

// giveObject is dropObject for an object that lives on under another key.
func (ks *keyspace) giveObject(e *entry) {
	if e.b != nil && e.hasObject() {
		ks.preserve(e)
		n := objectNumber(e.value())
		ks.delist(e.h, ks.objects.get(n))
		ks.objects.drop(n)
	}
}

// Number returns the integer at key; 0 if there is no such key. ok is false if its text is not an integer.
func (tx *Tx) Number(key []byte) (n int64, ok bool, err error) {
	e := tx.find(key)
	return tx.number(&e)
}

func (tx *Tx) number(e *entry) (n int64, ok bool, err error) {
	if e.b == nil {
		return 0, true, nil
	}
	switch e.kind() {
	case Integer:
		return integerOf(e), true, nil
	case String:
		n, ok = num.ParseInt(e.value())
		return n, ok, nil
	}
	return 0, false, ErrWrongType
}

// Add adds delta to the integer at key, which keeps its deadline, and calls Modified. ok is false, and nothing is
// changed, if the text is not an integer; fits is false, and nothing is changed, if the sum is none.
func (tx *Tx) Add(key []byte, delta int64) (sum int64, ok, fits bool, err error) {
	e := tx.find(key)
	n, ok, err := tx.number(&e)
	if err != nil || !ok {
		return 0, ok, true, err
	}
	sum, fits = num.AddInt(n, delta)
	if !fits {
		return 0, true, false, nil
	}
	if e.b != nil && e.kind() == Integer {
		e.ks.preserve(&e)
		binary.LittleEndian.PutUint64(e.b[e.val:], uint64(sum))
		tx.touch(&e)
	} else {
		tx.tellNew(&e, key)
		sh := shape{flags: byte(Integer), key: key, vlen: 8, deadline: e.deadline()}
		ks := tx.space(&e)
		binary.LittleEndian.PutUint64(ks.put(&e, &sh, tx.used(&e)), uint64(sum))
		ks.tidy()
	}
	tx.Modified(key, 1)
	return sum, true, true, nil
}

// MaxText is the length in bytes of the longest string the store can hold beside the longest key.
const MaxText = 1 << 30

// Resize makes the string at key n bytes long, zero-filled where it grows, with room to grow further, and returns its
// bytes for the caller to change. The key is made if it does not exist; its deadline stays. It calls Modified. The
// key's value must be a string: check with Text first.
func (tx *Tx) Resize(key []byte, n int) []byte {
	// As sds does: as much again, up to 1 MiB, once a string is seen to grow.
	return tx.ResizeWithin(key, n, 1<<20)
}

// ResizeWithin is Resize, with room for as much again, but at most for room bytes.
func (tx *Tx) ResizeWithin(key []byte, n, room int) []byte {
	e := tx.find(key)
	if e.ks != nil && e.ks.blocks.Wasteful() {
		// Not afterwards, as elsewhere: the caller writes into the result, so its block must not move.
		e.ks.tidy()
		e = tx.find(key)
	}
	old, _, _ := tx.text(&e)
	room = min(n, room)
	if len(old) == 0 || n <= len(old) {
		room = 0
	}
	tx.tellNew(&e, key)
	ks := tx.space(&e)
	was, had := e.ref, e.b != nil
	v := ks.resize(&e, key, old, n, room, tx.kept(&e))
	ks.account()
	if moved := !had || e.ref != was; n > len(old) && !(moved && arena.IsZero(e.size)) {
		pieces.Clear(v[len(old):])
	}
	tx.Modified(key, 1)
	return v
}

// NewText makes key hold a string of n bytes without a deadline, whatever it held before, and returns these bytes, which
// are undefined, for the caller to write all of. It calls Modified.
func (tx *Tx) NewText(key []byte, n int) []byte {
	e := tx.find(key)
	ks := tx.space(&e)
	if ks.blocks.Wasteful() {
		ks.tidy() // as in Resize
		e = tx.find(key)
	}
	tx.tellNew(&e, key)
	ks.dropObject(&e)
	sh := shape{flags: byte(String) | fRaw, key: key, vlen: n, deadline: noDeadline}
	v := ks.put(&e, &sh, tx.used(&e))
	ks.account()
	tx.Modified(key, 1)
	return v
}
