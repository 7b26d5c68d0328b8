package commands

import (
	"encoding/binary"
	"encoding/hex"
	"math"

	"github.com/zeebo/xxh3"

	"github.com/streampulse/pulse/store"
)

// condition is what SET and DELEX may ask of the string at a key. The digest of a string is its 64-bit XXH3.
type condition struct {
	kind  condKind
	value []byte // to compare with
	hash  uint64
}

type condKind uint8

const (
	condNone condKind = iota
	condEqual
	condNotEqual
	condDigestEqual
	condDigestNotEqual
)

// conditionKind returns the condition of the given name, condNone if there is none.
func conditionKind(word []byte) condKind {
	switch {
	case is(word, "IFEQ"):
		return condEqual
	case is(word, "IFNE"):
		return condNotEqual
	case is(word, "IFDEQ"):
		return condDigestEqual
	case is(word, "IFDNE"):
		return condDigestNotEqual
	}
	return condNone
}

func (k *condition) given() bool { return k.kind != condNone }

// parse takes a condition with its value or digest; it takes nothing and returns false if there is none.
func (k *condition) parse(a *Args) bool {
	if k.kind = conditionKind(a.Peek()); k.kind == condNone {
		return false
	}
	a.Next()
	k.value = a.Next()
	if k.kind == condDigestEqual || k.kind == condDigestNotEqual {
		var sum [8]byte
		if len(k.value) != 2*len(sum) {
			a.Fail(ErrDigest)
		} else if _, err := hex.Decode(sum[:], k.value); err != nil {
			a.Fail(ErrDigest)
		}
		k.hash = binary.BigEndian.Uint64(sum[:])
	}
	return true
}

// holds reports whether the string at key is as the condition asks; one that does not exist differs from everything.
func (k *condition) holds(c *Call, key []byte) (bool, error) {
	v, ok, err := c.Tx.Text(key)
	if err != nil {
		return false, err
	}
	switch k.kind {
	case condEqual:
		return ok && string(v) == string(k.value), nil
	case condNotEqual:
		return !ok || string(v) != string(k.value), nil
	case condDigestEqual:
		return ok && xxh3.Hash(v) == k.hash, nil
	case condDigestNotEqual:
		return !ok || xxh3.Hash(v) != k.hash, nil
	}
	return true, nil
}

// allow reports whether NX, XX or the condition lets SET write key.
func (o *setOptions) allow(c *Call, key []byte) (bool, error) {
	switch {
	case o.nx:
		return !c.Tx.Has(key), nil
	case o.xx:
		return c.Tx.Has(key), nil
	case o.cond.given():
		return o.cond.holds(c, key)
	}
	return true, nil
}

func digest(c *Call) error {
	v, ok, err := c.Tx.Text(c.Args[1])
	if err != nil {
		return err
	}
	if !ok {
		c.Null()
		return nil
	}
	var sum [8]byte
	binary.BigEndian.PutUint64(sum[:], xxh3.Hash(v))
	var text [16]byte
	hex.Encode(text[:], sum[:])
	c.Bulk(text[:])
	return nil
}

// delexKeyUse: without a condition DELEX is DEL.
func delexKeyUse(args [][]byte) KeyFlags {
	if len(args) > 2 {
		return RW | Access | Delete
	}
	return RM | Delete
}

func delex(c *Call) error {
	if n := len(c.Args); n != 2 && n != 4 {
		return errArity(c.Spec)
	}
	var cond condition
	if a := c.From(2); a.More() {
		if !cond.parse(&a) {
			a.Fail(ErrDelexCondition)
		}
		if err := a.Err(); err != nil {
			return err
		}
	}
	key := c.Args[1]
	if cond.given() {
		if ok, err := cond.holds(c, key); err != nil || !ok {
			c.Int(0)
			return err
		}
	}
	if c.deleteKey(key) {
		c.Effect(wordDel, key)
		c.Int(1)
	} else {
		c.Int(0)
	}
	return nil
}

func msetex(c *Call) error {
	a := c.From(1)
	n := a.IntErr(ErrMsetexKeys)
	if n < 1 || n > math.MaxInt32 {
		a.Fail(ErrMsetexKeys)
	}
	if n > int64(a.Left()/2) {
		a.Fail(ErrMsetexPairs)
	}
	if err := a.Err(); err != nil {
		return err
	}
	pairs := c.Args[2 : 2+2*n]
	a = c.From(2 + len(pairs))
	o := parseSetOptions(&a, formMsetex)
	if err := a.Err(); err != nil {
		return err
	}
	at, err := o.life.deadline(c)
	if err != nil {
		return err
	}
	if o.nx || o.xx {
		for i := 0; i < len(pairs); i += 2 {
			if c.Tx.Has(pairs[i]) == o.nx {
				c.Int(0)
				return nil
			}
		}
	}
	if o.keepTTL {
		at = store.KeepDeadline
	}
	for i := 0; i < len(pairs); i += 2 {
		c.Tx.SetText(pairs[i], pairs[i+1], at)
		c.notifySet(pairs[i], at)
		c.setEffect(pairs[i], pairs[i+1], at)
	}
	c.Int(1)
	return nil
}
