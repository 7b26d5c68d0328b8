package commands

import (
	"math"

	"github.com/streampulse/pulse/store"
	"github.com/streampulse/pulse/store/codec"
)

const (
	restoreSyntax     = "key ttl serialized-value [REPLACE] [ABSTTL] [IDLETIME seconds] [FREQ frequency]"
	restoreComplexity = "O(N) with the number of elements and their size; O(N*log(N)) for a sorted set."
)

var restoreHistory = [][2]string{
	{"3.0.0", "Added the `REPLACE` modifier."},
	{"5.0.0", "Added the `ABSTTL` modifier."},
	{"5.0.0", "Added the `IDLETIME` and `FREQ` options."},
}

var dumpCommands = []Spec{
	{Name: "DUMP", Syntax: "key", Arity: 2, Keys: First(RO | Access), Flags: ReadOnly, Group: GroupGeneric,
		Since: "2.6.0", Complexity: "O(N) with the number of elements and their size.", Summary: "Returns the value of a key in a form that RESTORE takes.",
		Tips: []string{"nondeterministic_output"}, Run: dump},
	{Name: "RESTORE", Syntax: restoreSyntax, Arity: -4, Keys: First(OW | Update), Flags: Write | Effects | DenyOOM | Dangerous, Group: GroupGeneric,
		Since: "2.6.0", Complexity: restoreComplexity, Summary: "Creates a key from what DUMP returned.", History: restoreHistory, Run: restore},
	{Name: "RESTORE-ASKING", Syntax: restoreSyntax, Arity: -4, Keys: First(OW | Update), Flags: Write | Effects | DenyOOM | Dangerous | Asking | SysCmd, Group: GroupServer,
		Category: "@keyspace", Since: "3.0.0", Complexity: restoreComplexity, Summary: "RESTORE for keys on their way to another node of a cluster.", History: restoreHistory, Run: restore},
}

func dump(c *Call) error {
	v, found := c.Tx.Value(c.Args[1])
	if !found {
		c.Null()
		return nil
	}
	c.Bulk(codec.AppendDump(nil, v, c.Tx.Limits().CompressTexts))
	return nil
}

// restoreOptions are what may follow the payload; idle and freq are -1 if they are not given.
type restoreOptions struct {
	replace, absolute bool
	idle, freq        int64
}

func (o *restoreOptions) parse(a *Args) {
	o.idle, o.freq = -1, -1
	for a.More() {
		switch {
		case a.Is("REPLACE"):
			o.replace = true
		case a.Is("ABSTTL"):
			o.absolute = true
		case o.freq < 0 && a.IsWith("IDLETIME", 1):
			if o.idle = a.Int(); o.idle < 0 {
				a.Fail(ErrIdletime)
			}
		case o.idle < 0 && a.IsWith("FREQ", 1):
			if o.freq = a.Int(); o.freq < 0 || o.freq > math.MaxUint8 {
				a.Fail(ErrFreq)
			}
		default:
			a.Fail(ErrSyntax)
		}
	}
}

// restoreDeadline returns the deadline of a key that is to live for ttl milliseconds, or until then.
func restoreDeadline(c *Call, ttl int64, absolute bool) (int64, error) {
	switch {
	case ttl < 0:
		return 0, ErrRestoreTTL
	case ttl == 0:
		return store.Forever, nil
	case absolute:
		return c.Tx.FromWall(min(ttl, store.Forever-1)), nil
	case ttl > store.Forever-1-c.Tx.Now():
		return 0, errExpireTime(c.Spec)
	}
	return c.Tx.Now() + ttl, nil
}

func restore(c *Call) error {
	var o restoreOptions
	a := c.From(4)
	if o.parse(&a); a.Err() != nil {
		return a.Err()
	}
	key := c.Args[1]
	if !o.replace && c.Tx.Has(key) {
		return ErrBusyKey
	}
	a = c.From(2)
	ttl := a.Int()
	if a.Err() != nil {
		return a.Err()
	}
	at, err := restoreDeadline(c, ttl, o.absolute)
	if err != nil {
		return err
	}
	c.Tx.CountPayload()
	lim := c.Tx.Limits().Codec()
	switch v, err := codec.Restore(c.Args[3], &lim); {
	case err == codec.ErrPayload:
		return ErrPayload
	case err != nil:
		return ErrBadData
	case c.Tx.Past(at):
		c.deleteKey(key)
		c.Effect(wordDel, key)
	default:
		if c.Tx.Has(key) {
			c.Notify(store.OnNew, "new", key) // it is deleted and made again
		}
		c.Tx.SetValue(key, v, at)
		c.restoreEffect(key, at, &o)
		if o.idle >= 0 {
			c.Tx.SetIdle(key, o.idle)
		}
		if o.freq >= 0 {
			c.Tx.SetFrequency(key, uint8(o.freq))
		}
		c.Notify(store.OnGeneric, "restore", key)
	}
	c.OK()
	return nil
}

// restoreEffect tells what restores the value again.
func (c *Call) restoreEffect(key []byte, at int64, o *restoreOptions) {
	c.told = true
	if !c.Feeding() {
		return
	}
	if at == store.Forever {
		at = 0
	}
	args := [][]byte{[]byte("RESTORE"), key, decimal(at), c.Args[3], []byte("REPLACE"), []byte("ABSTTL")}
	switch {
	case o.idle >= 0:
		args = append(args, []byte("IDLETIME"), decimal(o.idle))
	case o.freq >= 0:
		args = append(args, []byte("FREQ"), decimal(o.freq))
	}
	c.Effect(args...)
}
