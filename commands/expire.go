package commands

import (
	"github.com/streampulse/pulse/internal/num"
	"github.com/streampulse/pulse/store"
)

var expireHistory = [][2]string{{"7.0.0", "Added options: `NX`, `XX`, `GT` and `LT`."}}

var expireCommands = []Spec{
	{Name: "EXPIRE", Syntax: "key seconds [NX | XX | GT | LT]", Arity: -3, Keys: First(RW | Update), Flags: Write | Effects | Fast, Group: GroupGeneric,
		Since: "1.0.0", Complexity: "O(log N) with the number of keys that have a deadline.", Summary: "Sets the deadline of a key some seconds ahead.", History: expireHistory, Run: expire},
	{Name: "PEXPIRE", Syntax: "key milliseconds [NX | XX | GT | LT]", Arity: -3, Keys: First(RW | Update), Flags: Write | Effects | Fast, Group: GroupGeneric,
		Since: "2.6.0", Complexity: "O(log N) with the number of keys that have a deadline.", Summary: "Sets the deadline of a key some milliseconds ahead.", History: expireHistory, Run: pexpire},
	{Name: "EXPIREAT", Syntax: "key unix-time-seconds [NX | XX | GT | LT]", Arity: -3, Keys: First(RW | Update), Flags: Write | Effects | Fast, Group: GroupGeneric,
		Since: "1.2.0", Complexity: "O(log N) with the number of keys that have a deadline.", Summary: "Sets the deadline of a key to a Unix time in seconds.", History: expireHistory, Run: expireat},
	{Name: "PEXPIREAT", Syntax: "key unix-time-milliseconds [NX | XX | GT | LT]", Arity: -3, Keys: First(RW | Update), Flags: Write | Effects | Fast, Group: GroupGeneric,
		Since: "2.6.0", Complexity: "O(log N) with the number of keys that have a deadline.", Summary: "Sets the deadline of a key to a Unix time in milliseconds.", History: expireHistory, Run: pexpireat},
	{Name: "TTL", Syntax: "key", Arity: 2, Keys: First(RO | Access), Flags: ReadOnly | Fast, Group: GroupGeneric,
		Since: "1.0.0", Complexity: "O(1)", Summary: "Returns the seconds a key has left.",
		Tips: []string{"nondeterministic_output"}, History: [][2]string{{"2.8.0", "Added the -2 reply."}}, Run: ttl},
	{Name: "PTTL", Syntax: "key", Arity: 2, Keys: First(RO | Access), Flags: ReadOnly | Fast, Group: GroupGeneric,
		Since: "2.6.0", Complexity: "O(1)", Summary: "Returns the milliseconds a key has left.",
		Tips: []string{"nondeterministic_output"}, History: [][2]string{{"2.8.0", "Added the -2 reply."}}, Run: pttl},
	{Name: "EXPIRETIME", Syntax: "key", Arity: 2, Keys: First(RO | Access), Flags: ReadOnly | Fast, Group: GroupGeneric,
		Since: "7.0.0", Complexity: "O(1)", Summary: "Returns the deadline of a key as a Unix time in seconds.", Run: expiretime},
	{Name: "PEXPIRETIME", Syntax: "key", Arity: 2, Keys: First(RO | Access), Flags: ReadOnly | Fast, Group: GroupGeneric,
		Since: "7.0.0", Complexity: "O(1)", Summary: "Returns the deadline of a key as a Unix time in milliseconds.", Run: pexpiretime},
	{Name: "PERSIST", Syntax: "key", Arity: 2, Keys: First(RW | Update), Flags: Write | Fast, Group: GroupGeneric,
		Since: "2.2.0", Complexity: "O(log N) with the number of keys that have a deadline.", Summary: "Takes the deadline of a key away.", Run: persist},
}

// lifetime is a deadline as clients give it: a number of units of so many milliseconds, from now on or from 1970 on.
type lifetime struct {
	given    bool
	relative bool
	unit     int64
	text     []byte // the number; looked at last, as Redis does
}

// parse takes EX, PX, EXAT or PXAT with its number. The same word may come again, another may not.
func (l *lifetime) parse(a *Args) bool {
	for _, w := range [...]struct {
		word     string
		relative bool
		unit     int64
	}{{"EX", true, 1000}, {"PX", true, 1}, {"EXAT", false, 1000}, {"PXAT", false, 1}} {
		if l.given && (l.relative != w.relative || l.unit != w.unit) || !a.IsWith(w.word, 1) {
			continue
		}
		l.given, l.relative, l.unit, l.text = true, w.relative, w.unit, a.Next()
		return true
	}
	return false
}

// deadline returns the Unix time in milliseconds that l stands for, store.Forever if it was not given. Only positive
// numbers are lifetimes.
func (l *lifetime) deadline(c *Call) (int64, error) {
	if !l.given {
		return store.Forever, nil
	}
	n, ok := num.ParseInt(l.text)
	if !ok {
		return 0, ErrNotInteger
	}
	at, ok := unixTime(c, n, l.unit, l.relative)
	if !ok || n <= 0 {
		return 0, errExpireTime(c.Spec)
	}
	return at, nil
}

// unixTime returns n units of so many milliseconds, from now on if relative, as a Unix time in milliseconds; ok is
// false if that overflows. The last millisecond of all, which the store takes for no deadline, becomes the one before.
func unixTime(c *Call, n, unit int64, relative bool) (at int64, ok bool) {
	at, ok = num.MulInt(n, unit)
	switch {
	case ok && relative:
		at, ok = num.AddInt(at, c.Tx.Now())
	case ok:
		at = c.Tx.FromWall(at)
	}
	return min(at, store.Forever-1), ok
}

func expire(c *Call) error    { return expireAt(c, 1000, true) }
func pexpire(c *Call) error   { return expireAt(c, 1, true) }
func expireat(c *Call) error  { return expireAt(c, 1000, false) }
func pexpireat(c *Call) error { return expireAt(c, 1, false) }

// expireIf is the condition of EXPIRE and its relatives.
type expireIf struct{ nx, xx, gt, lt bool }

func parseExpireIf(a *Args) (o expireIf) {
	for a.More() {
		switch {
		case a.Is("NX"):
			o.nx = true
		case a.Is("XX"):
			o.xx = true
		case a.Is("GT"):
			o.gt = true
		case a.Is("LT"):
			o.lt = true
		default:
			a.Fail(errExpireOption(a.Next()))
		}
	}
	if o.nx && (o.xx || o.gt || o.lt) {
		a.Fail(ErrExpireNXOthers)
	}
	if o.gt && o.lt {
		a.Fail(ErrExpireGTLT)
	}
	return o
}

// allows reports whether a key with the deadline old may get the deadline at. No deadline is later than all others.
func (o expireIf) allows(old, at int64) bool {
	switch {
	case o.nx && old != store.Forever,
		o.xx && old == store.Forever,
		o.gt && at <= old,
		o.lt && at >= old:
		return false
	}
	return true
}

// expireAt is EXPIRE with a unit of so many milliseconds, from now on if relative.
func expireAt(c *Call, unit int64, relative bool) error {
	key := c.Args[1]
	a := c.From(3)
	cond := parseExpireIf(&a)
	if err := a.Err(); err != nil {
		return err
	}
	n, ok := num.ParseInt(c.Args[2])
	if !ok {
		return ErrNotInteger
	}
	at, ok := unixTime(c, n, unit, relative)
	if !ok {
		return errExpireTime(c.Spec)
	}
	old, ok := c.Tx.DeadlineToChange(key)
	if !ok || !cond.allows(old, at) {
		c.Int(0)
		return nil
	}
	c.Tx.SetDeadline(key, at)
	c.notifyDeadline(key, at)
	c.deadlineEffect(key, at)
	c.Int(1)
	return nil
}

func ttl(c *Call) error         { return replyDeadline(c, 1000, true) }
func pttl(c *Call) error        { return replyDeadline(c, 1, true) }
func expiretime(c *Call) error  { return replyDeadline(c, 1000, false) }
func pexpiretime(c *Call) error { return replyDeadline(c, 1, false) }

// replyDeadline replies with the deadline of the key in units of so many milliseconds, rounded, from now on if
// relative; -1 for a key without one, -2 if there is no such key.
func replyDeadline(c *Call, unit int64, relative bool) error {
	at, ok := c.Tx.Deadline(c.Args[1])
	switch {
	case !ok:
		at = -2
	case at == store.Forever:
		at = -1
	default:
		if relative {
			at -= c.Tx.Now()
		} else {
			at = c.Tx.ToWall(at)
		}
		// Unsigned, because the sum may be beyond an int64 before it is divided.
		at = int64((uint64(at) + uint64(unit/2)) / uint64(unit))
	}
	c.Int(at)
	return nil
}

func persist(c *Call) error {
	if c.Tx.Persist(c.Args[1]) {
		c.Notify(store.OnGeneric, "persist", c.Args[1])
		c.Int(1)
	} else {
		c.Int(0)
	}
	return nil
}
