package commands

import (
	"github.com/streampulse/pulse/internal/num"
	"github.com/streampulse/pulse/store"
	"github.com/streampulse/pulse/store/hash"
)

var hashExpireCommands = []Spec{
	{Name: "HEXPIRE", Syntax: "key seconds [NX | XX | GT | LT] FIELDS numfields field [field ...]", Arity: -6, Keys: First(RW | Update), Flags: Write | Effects | DenyOOM | Fast, Group: GroupHash,
		Since: "7.4.0", Complexity: "O(N) with the number of fields.", Summary: "Sets the deadlines of fields of a hash some seconds ahead.", Run: hexpire},
	{Name: "HPEXPIRE", Syntax: "key milliseconds [NX | XX | GT | LT] FIELDS numfields field [field ...]", Arity: -6, Keys: First(RW | Update), Flags: Write | Effects | DenyOOM | Fast, Group: GroupHash,
		Since: "7.4.0", Complexity: "O(N) with the number of fields.", Summary: "Sets the deadlines of fields of a hash some milliseconds ahead.", Run: hpexpire},
	{Name: "HEXPIREAT", Syntax: "key unix-time-seconds [NX | XX | GT | LT] FIELDS numfields field [field ...]", Arity: -6, Keys: First(RW | Update), Flags: Write | Effects | DenyOOM | Fast, Group: GroupHash,
		Since: "7.4.0", Complexity: "O(N) with the number of fields.", Summary: "Sets the deadlines of fields of a hash to a Unix time in seconds.", Run: hexpireat},
	{Name: "HPEXPIREAT", Syntax: "key unix-time-milliseconds [NX | XX | GT | LT] FIELDS numfields field [field ...]", Arity: -6, Keys: First(RW | Update), Flags: Write | Effects | DenyOOM | Fast, Group: GroupHash,
		Since: "7.4.0", Complexity: "O(N) with the number of fields.", Summary: "Sets the deadlines of fields of a hash to a Unix time in milliseconds.", Run: hpexpireat},
	{Name: "HTTL", Syntax: "key FIELDS numfields field [field ...]", Arity: -5, Keys: First(RO | Access), Flags: ReadOnly | Fast, Group: GroupHash,
		Since: "7.4.0", Complexity: "O(N) with the number of fields.", Summary: "Returns the seconds that fields of a hash have left.",
		Run: httl},
	{Name: "HPTTL", Syntax: "key FIELDS numfields field [field ...]", Arity: -5, Keys: First(RO | Access), Flags: ReadOnly | Fast, Group: GroupHash,
		Since: "7.4.0", Complexity: "O(N) with the number of fields.", Summary: "Returns the milliseconds that fields of a hash have left.",
		Run: hpttl},
	{Name: "HEXPIRETIME", Syntax: "key FIELDS numfields field [field ...]", Arity: -5, Keys: First(RO | Access), Flags: ReadOnly | Fast, Group: GroupHash,
		Since: "7.4.0", Complexity: "O(N) with the number of fields.", Summary: "Returns the deadlines of fields of a hash as Unix times in seconds.", Run: hexpiretime},
	{Name: "HPEXPIRETIME", Syntax: "key FIELDS numfields field [field ...]", Arity: -5, Keys: First(RO | Access), Flags: ReadOnly | Fast, Group: GroupHash,
		Since: "7.4.0", Complexity: "O(N) with the number of fields.", Summary: "Returns the deadlines of fields of a hash as Unix times in milliseconds.", Run: hpexpiretime},
	{Name: "HPERSIST", Syntax: "key FIELDS numfields field [field ...]", Arity: -5, Keys: First(RW | Update), Flags: Write | Fast, Group: GroupHash,
		Since: "7.4.0", Complexity: "O(N) with the number of fields.", Summary: "Takes the deadlines of fields of a hash away.", Run: hpersist},
}

// What these commands reply for a field.
const (
	fieldMissing    = -2
	fieldForever    = -1
	fieldRefused    = 0 // by NX, XX, GT or LT
	fieldOK         = 1
	fieldExpiredNow = 2 // its new deadline has passed, so it was deleted
)

// maxFieldTime is the latest deadline of a field, in Unix milliseconds: what Redis can hold, in the year 4199.
const maxFieldTime = 1<<46 - 1

// fieldTime returns the deadline that a number of units of so many milliseconds stands for, from now on if relative.
func fieldTime(c *Call, text []byte, unit int64, relative bool) (int64, error) {
	n, ok := num.ParseInt(text)
	switch {
	case !ok:
		return 0, ErrNotInteger
	case n < 0:
		return 0, ErrFieldTimeSign
	}
	base := c.Tx.FromWall(0)
	if relative {
		base = c.Tx.Now()
	}
	if n > maxFieldTime/unit || n*unit > maxFieldTime-base {
		return 0, errExpireTime(c.Spec)
	}
	return base + n*unit, nil
}

// fieldsArgument takes FIELDS, the number of fields, and the fields, which are all there is left. badCount is the
// error for what is no positive number.
func fieldsArgument(a *Args, badCount error) [][]byte {
	if !a.Is("FIELDS") {
		a.Fail(ErrFieldsMissing)
		return nil
	}
	if a.Left() == 0 {
		a.Fail(badCount)
		return nil
	}
	n := a.IntErr(badCount)
	switch {
	case n < 1:
		a.Fail(badCount)
	case n != int64(a.Left()):
		a.Fail(ErrFieldsCount)
	}
	return a.Rest()
}

// fieldExpireIf takes at most one of the conditions of EXPIRE.
func fieldExpireIf(a *Args) (o expireIf) {
	switch {
	case a.Is("NX"):
		o.nx = true
	case a.Is("XX"):
		o.xx = true
	case a.Is("GT"):
		o.gt = true
	case a.Is("LT"):
		o.lt = true
	}
	return o
}

func hexpire(c *Call) error    { return fieldsExpireAt(c, 1000, true) }
func hpexpire(c *Call) error   { return fieldsExpireAt(c, 1, true) }
func hexpireat(c *Call) error  { return fieldsExpireAt(c, 1000, false) }
func hpexpireat(c *Call) error { return fieldsExpireAt(c, 1, false) }

// fieldsExpireAt is HEXPIRE with a unit of so many milliseconds, from now on if relative.
func fieldsExpireAt(c *Call, unit int64, relative bool) error {
	v, err := c.Tx.Hash(c.Args[1], store.Write)
	if err != nil {
		return err
	}
	at, err := fieldTime(c, c.Args[2], unit, relative)
	if err != nil {
		return err
	}
	a := c.From(3)
	cond := fieldExpireIf(&a)
	fields := fieldsArgument(&a, ErrNumFields)
	if err := a.Err(); err != nil {
		return err
	}
	var changed fieldList
	c.Array(len(fields))
	for _, f := range fields {
		r := fieldExpireAt(c, v, f, at, cond)
		if r > fieldRefused {
			changed.add(c, f)
		}
		c.Int(r)
	}
	if changed.n > 0 {
		c.Tx.Settle(c.Args[1], v, changed.n)
		c.notifyFields(at, v.Len())
		c.fieldDeadlineEffect(at, changed.fields)
	}
	return nil
}

// fieldExpireAt gives one field a deadline; if that has passed the field is deleted.
func fieldExpireAt(c *Call, v *hash.Hash, field []byte, at int64, cond expireIf) int64 {
	old, ok := v.Deadline(field)
	switch {
	case !ok:
		return fieldMissing
	case !cond.allows(old, at):
		return fieldRefused
	case c.Tx.Past(at):
		v.Delete(field)
		return fieldExpiredNow
	}
	v.SetDeadline(field, at)
	return fieldOK
}

func httl(c *Call) error         { return replyFieldTimes(c, 1000, true) }
func hpttl(c *Call) error        { return replyFieldTimes(c, 1, true) }
func hexpiretime(c *Call) error  { return replyFieldTimes(c, 1000, false) }
func hpexpiretime(c *Call) error { return replyFieldTimes(c, 1, false) }

// replyFieldTimes replies with the deadlines of fields in units of so many milliseconds, rounded up, from now on if
// relative.
func replyFieldTimes(c *Call, unit int64, relative bool) error {
	v, err := c.Tx.Hash(c.Args[1], store.Read)
	if err != nil {
		return err
	}
	a := c.From(2)
	fields := fieldsArgument(&a, ErrFieldsPositive)
	if err := a.Err(); err != nil {
		return err
	}
	base := c.Tx.FromWall(0)
	if relative {
		base = c.Tx.Now()
	}
	c.Array(len(fields))
	for _, f := range fields {
		at, ok := v.Deadline(f)
		switch {
		case !ok:
			c.Int(fieldMissing)
		case at == store.Forever:
			c.Int(fieldForever)
		default:
			c.Int((at - base + unit - 1) / unit)
		}
	}
	return nil
}

func hpersist(c *Call) error {
	v, err := c.Tx.Hash(c.Args[1], store.Write)
	if err != nil {
		return err
	}
	a := c.From(2)
	fields := fieldsArgument(&a, ErrFieldsPositive)
	if err := a.Err(); err != nil {
		return err
	}
	changes := 0
	c.Array(len(fields))
	for _, f := range fields {
		r := int64(fieldOK)
		switch at, ok := v.Deadline(f); {
		case !ok:
			r = fieldMissing
		case at == store.Forever:
			r = fieldForever
		default:
			v.SetDeadline(f, store.Forever)
			changes++
		}
		c.Int(r)
	}
	if changes > 0 {
		c.Tx.Settle(c.Args[1], v, changes)
		c.Notify(store.OnHash, "hpersist", c.Args[1])
	}
	return nil
}
