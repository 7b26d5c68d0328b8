package commands

import (
	"math"

	"github.com/streampulse/pulse/internal/num"
	"github.com/streampulse/pulse/store"
	"github.com/streampulse/pulse/store/hash"
)

// The commands on hashes that Redis 8 added.
var hashNewerCommands = []Spec{
	{Name: "HGETDEL", Syntax: "key FIELDS numfields field [field ...]", Arity: -5, Keys: First(RW | Access | Delete), Flags: Write | Effects | Fast, Group: GroupHash,
		Since: "8.0.0", Complexity: "O(N) with the number of fields.", Summary: "Returns the values of fields of a hash and deletes the fields.", Run: hgetdel},
	{Name: "HGETEX", Syntax: "key [EX seconds | PX milliseconds | EXAT unix-time-seconds | PXAT unix-time-milliseconds | PERSIST] FIELDS numfields field [field ...]",
		Arity: -5, Keys: First(RW | Access | Update), Flags: Write | Effects | Fast, Group: GroupHash,
		Since: "8.0.0", Complexity: "O(N) with the number of fields.", Summary: "Returns the values of fields of a hash and changes their deadlines.", Run: hgetex},
	{Name: "HSETEX", Syntax: "key [FNX | FXX] [EX seconds | PX milliseconds | EXAT unix-time-seconds | PXAT unix-time-milliseconds | KEEPTTL] FIELDS numfields field value [field value ...]",
		Arity: -6, Keys: First(RW | Update), Flags: Write | Effects | DenyOOM | Fast, Group: GroupHash,
		Since: "8.0.0", Complexity: "O(N) with the number of fields.", Summary: "Sets fields of a hash with their deadlines.", Run: hsetex},
}

func hgetdel(c *Call) error {
	v, err := c.Tx.Hash(c.Args[1], store.Write)
	if err != nil {
		return err
	}
	a := c.From(2)
	fields := fieldsArgument(&a, ErrFieldsPositive)
	if err := a.Err(); err != nil {
		return err
	}
	var scratch [num.MaxIntLen]byte
	deleted := 0
	c.Array(len(fields))
	for _, f := range fields {
		value, ok := v.Get(f, scratch[:])
		if !ok {
			c.Null()
			continue
		}
		c.Bulk(value)
		v.Delete(f)
		deleted++
	}
	if deleted > 0 {
		c.Tx.Settle(c.Args[1], v, deleted)
		c.NotifyTaken(store.OnHash, "hdel", c.Args[1], v.Len())
		c.effectOn(wordHDel, c.Args[1], fields)
	}
	return nil
}

// fieldLifetime takes EX, PX, EXAT or PXAT with its number; ok is false if none of them comes next.
func fieldLifetime(c *Call, a *Args) (at int64, ok bool) {
	unit, relative := int64(1000), true
	switch {
	case a.Is("EX"):
	case a.Is("PX"):
		unit = 1
	case a.Is("EXAT"):
		relative = false
	case a.Is("PXAT"):
		unit, relative = 1, false
	default:
		return 0, false
	}
	text := a.Next()
	if a.Err() != nil {
		return 0, true
	}
	at, err := fieldTime(c, text, unit, relative)
	if err != nil {
		a.Fail(err)
	}
	return at, true
}

func hgetex(c *Call) error {
	v, err := c.Tx.Hash(c.Args[1], store.Write)
	if err != nil {
		return err
	}
	a := c.From(2)
	at, change := fieldLifetime(c, &a)
	if !change && a.Is("PERSIST") {
		at, change = store.Forever, true
	}
	fields := fieldsArgument(&a, ErrFieldsPositive)
	if err := a.Err(); err != nil {
		return err
	}
	var scratch [num.MaxIntLen]byte
	var changed fieldList
	c.Array(len(fields))
	for _, f := range fields {
		value, ok := v.Get(f, scratch[:])
		if !ok {
			c.Null()
			continue
		}
		c.Bulk(value)
		if old, _ := v.Deadline(f); change && old != at {
			fieldExpireAt(c, v, f, at, expireIf{})
			changed.add(c, f)
		}
	}
	if changed.n > 0 {
		c.Tx.Settle(c.Args[1], v, changed.n)
		c.notifyFields(at, v.Len())
		c.fieldDeadlineEffect(at, changed.fields)
	}
	return nil
}

// keepFieldTime stands for the deadline that a field has.
const keepFieldTime = -1

// hsetexOptions are the arguments of HSETEX.
type hsetexOptions struct {
	at       int64 // deadline of the fields, store.Forever, or keepFieldTime
	fnx, fxx bool
	pairs    [][]byte
}

func parseHsetex(c *Call) (o hsetexOptions, err error) {
	a := c.From(2)
	o.at = store.Forever
	timed := false
	for a.More() && o.pairs == nil {
		switch next := a.Peek(); {
		case is(next, "EX"), is(next, "PX"), is(next, "EXAT"), is(next, "PXAT"), is(next, "KEEPTTL"):
			if timed {
				return o, ErrFieldTimeTwice
			}
			timed = true
			if o.at = keepFieldTime; !a.Is("KEEPTTL") {
				o.at, _ = fieldLifetime(c, &a)
			}
		case is(next, "FNX"), is(next, "FXX"):
			if o.fnx || o.fxx {
				return o, ErrFieldCondTwice
			}
			o.fnx = a.Is("FNX")
			o.fxx = !o.fnx && a.Is("FXX")
		case a.Is("FIELDS"):
			o.pairs = pairsArgument(c, &a)
		default:
			return o, errUnknownArgument(next)
		}
	}
	if o.pairs == nil {
		a.Fail(errArity(c.Spec))
	}
	return o, a.Err()
}

// pairsArgument takes the number of fields and the fields with their values, which are all there is left.
func pairsArgument(c *Call, a *Args) [][]byte {
	if a.Left() < 3 {
		a.Fail(errArity(c.Spec))
		return nil
	}
	n := a.IntErr(ErrFieldsInvalid)
	switch {
	case n < 1 || n > math.MaxInt32:
		a.Fail(ErrFieldsInvalid)
	case int64(a.Left()) != 2*n:
		a.Fail(errArity(c.Spec))
	}
	return a.Rest()
}

// allows reports whether the fields are there, or not there, as FXX and FNX demand; v may be nil.
func (o *hsetexOptions) allows(v *hash.Hash) bool {
	if !o.fnx && !o.fxx {
		return true
	}
	for i := 0; i < len(o.pairs); i += 2 {
		if v.Has(o.pairs[i]) != o.fxx {
			return false
		}
	}
	return true
}

func hsetex(c *Call) error {
	o, err := parseHsetex(c)
	if err != nil {
		return err
	}
	v, err := c.Tx.Hash(c.Args[1], store.Write)
	if err != nil {
		return err
	}
	if !o.allows(v) {
		c.Int(0)
		return nil
	}
	v, _ = c.Tx.Hash(c.Args[1], store.Create)
	lim := c.Tx.Limits().Hash()
	v.Expect(lim, len(o.pairs)/2)
	for i := 0; i < len(o.pairs); i += 2 {
		field, value := o.pairs[i], o.pairs[i+1]
		switch {
		case o.at == keepFieldTime:
			v.Update(lim, field, value)
		case c.Tx.Past(o.at):
			v.Delete(field)
		default:
			v.SetAt(lim, field, value, o.at)
		}
	}
	c.Tx.Settle(c.Args[1], v, len(o.pairs)/2)
	c.Notify(store.OnHash, "hset", c.Args[1])
	if o.at != keepFieldTime && o.at != store.Forever {
		c.notifyFields(o.at, v.Len())
	}
	if c.Feeding() {
		o.effect(c)
	}
	c.told = true
	c.Int(1)
	return nil
}

// effect tells what sets the fields again.
func (o *hsetexOptions) effect(c *Call) {
	key := c.Args[1]
	switch {
	case o.at == keepFieldTime:
		c.Effect(append([][]byte{wordHSetEx, key, wordKeepTTL, wordFields, decimal(int64(len(o.pairs) / 2))}, o.pairs...)...)
	case o.at == store.Forever:
		c.effectOn(wordHSet, key, o.pairs)
	case c.Tx.Past(o.at):
		var fields [][]byte
		for i := 0; i < len(o.pairs); i += 2 {
			fields = append(fields, o.pairs[i])
		}
		c.effectOn(wordHDel, key, fields)
	default:
		c.Effect(append([][]byte{wordHSetEx, key, wordPXAt, decimal(o.at), wordFields, decimal(int64(len(o.pairs) / 2))}, o.pairs...)...)
	}
}
