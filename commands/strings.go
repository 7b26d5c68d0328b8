package commands

import "github.com/streampulse/pulse/store"

var stringCommands = []Spec{
	{Name: "GET", Syntax: "key", Arity: 2, Keys: First(RO | Access), Flags: ReadOnly | Fast, Group: GroupString,
		Since: "1.0.0", Complexity: "O(1)", Summary: "Returns the string at a key.", Run: get},
	{Name: "SET", Syntax: "key value [NX | XX | IFEQ ifeq-value | IFNE ifne-value | IFDEQ ifdeq-digest | IFDNE ifdne-digest] [GET] [EX seconds | PX milliseconds | EXAT unix-time-seconds | PXAT unix-time-milliseconds | KEEPTTL]", Arity: -3,
		Keys: First(RW | Access | Update | VariableFlags), KeyUse: setKeyUse, Flags: Write | Effects | DenyOOM, Group: GroupString,
		Since: "1.0.0", Complexity: "O(1)", Summary: "Makes a key hold a string, whatever it held before.",
		History: [][2]string{
			{"2.6.12", "Added the `EX`, `PX`, `NX` and `XX` options."},
			{"6.0.0", "Added the `KEEPTTL` option."},
			{"6.2.0", "Added the `GET`, `EXAT` and `PXAT` option."},
			{"7.0.0", "Allowed the `NX` and `GET` options to be used together."},
			{"8.4.0", "Added the `IFEQ`, `IFNE`, `IFDEQ` and `IFDNE` options."},
		}, Run: setCmd},
	{Name: "SETNX", Syntax: "key value", Arity: 3, Keys: First(OW | Insert), Flags: Write | DenyOOM | Fast, Group: GroupString,
		Since: "1.0.0", Complexity: "O(1)", Summary: "Makes a key hold a string if there is no such key.", Run: setnx},
	{Name: "SETEX", Syntax: "key seconds value", Arity: 4, Keys: First(OW | Update), Flags: Write | Effects | DenyOOM, Group: GroupString,
		Since: "2.0.0", Complexity: "O(1)", Summary: "Makes a key hold a string for some seconds.", Run: setex},
	{Name: "PSETEX", Syntax: "key milliseconds value", Arity: 4, Keys: First(OW | Update), Flags: Write | Effects | DenyOOM, Group: GroupString,
		Since: "2.6.0", Complexity: "O(1)", Summary: "Makes a key hold a string for some milliseconds.", Run: psetex},
	{Name: "GETSET", Syntax: "key value", Arity: 3, Keys: First(RW | Access | Update), Flags: Write | DenyOOM | Fast, Group: GroupString,
		Since: "1.0.0", Complexity: "O(1)", Summary: "Makes a key hold a string and returns the one it held.",
		Deprecated: "6.2.0", ReplacedBy: "`SET` with the `!GET` argument", Run: getset},
	{Name: "GETDEL", Syntax: "key", Arity: 2, Keys: First(RW | Access | Delete), Flags: Write | Fast, Group: GroupString,
		Since: "6.2.0", Complexity: "O(1)", Summary: "Returns the string at a key and deletes the key.", Run: getdel},
	{Name: "GETEX", Syntax: "key [EX seconds | PX milliseconds | EXAT unix-time-seconds | PXAT unix-time-milliseconds | PERSIST]", Arity: -2,
		Keys: First(RW | Access | Update), Flags: Write | Effects | Fast, Group: GroupString,
		Since: "6.2.0", Complexity: "O(1)", Summary: "Returns the string at a key and changes its deadline.", Run: getex},
	{Name: "MGET", Syntax: "key [key ...]", Arity: -2, Keys: []KeySpec{Range(1, -1, 1, RO|Access)}, Flags: ReadOnly | Fast, Group: GroupString,
		Since: "1.0.0", Complexity: "O(N) with the number of keys.", Summary: "Returns the strings at keys.",
		Tips: []string{"request_policy:multi_shard"}, Run: mget},
	{Name: "MSET", Syntax: "key value [key value ...]", Arity: -3, Keys: []KeySpec{Range(1, -1, 2, OW|Update)}, Flags: Write | DenyOOM, Group: GroupString,
		Since: "1.0.1", Complexity: "O(N) with the number of keys.", Summary: "Makes keys hold strings, all at once.",
		Tips: []string{"request_policy:multi_shard", "response_policy:all_succeeded"}, Run: mset},
	{Name: "MSETNX", Syntax: "key value [key value ...]", Arity: -3, Keys: []KeySpec{Range(1, -1, 2, OW|Insert)}, Flags: Write | DenyOOM, Group: GroupString,
		Since: "1.0.1", Complexity: "O(N) with the number of keys.", Summary: "Makes keys hold strings if none of the keys exists.",
		Run: msetnx},
	{Name: "MSETEX", Syntax: "numkeys key value [key value ...] [NX | XX] [EX seconds | PX milliseconds | EXAT unix-time-seconds | PXAT unix-time-milliseconds | KEEPTTL]", Arity: -4,
		Keys: []KeySpec{{Flags: OW | Update, Index: 1, NumKeys: true, First: 1, Step: 2}}, Flags: Write | Effects | DenyOOM, Group: GroupString,
		Since: "8.4.0", Complexity: "O(N) with the number of keys.", Summary: "Makes keys hold strings for some time, all at once, if all or none of them exist.",
		Tips: []string{"request_policy:multi_shard", "response_policy:all_succeeded"}, Run: msetex},
	{Name: "DELEX", Syntax: "key [IFEQ ifeq-value | IFNE ifne-value | IFDEQ ifdeq-digest | IFDNE ifdne-digest]", Arity: -2,
		Keys: First(RW | Delete | VariableFlags), KeyUse: delexKeyUse, Flags: Write | Effects | Fast, Group: GroupString,
		Since: "8.4.0", Complexity: "O(1), with IFDEQ and IFDNE O(N) with the length of the string.", Summary: "Deletes a key if its string is, or is not, the expected one.", Run: delex},
	{Name: "DIGEST", Syntax: "key", Arity: 2, Keys: First(RO | Access), Flags: ReadOnly | Fast, Group: GroupString,
		Since: "8.4.0", Complexity: "O(N) with the length of the string.", Summary: "Returns the XXH3 hash of a string in hexadecimal digits.", Run: digest},
	{Name: "APPEND", Syntax: "key value", Arity: 3, Keys: First(RW | Insert), Flags: Write | DenyOOM | Fast, Group: GroupString,
		Since: "2.0.0", Complexity: "O(1), amortized over a growing string.", Summary: "Adds bytes to the end of a string.", Run: appendCmd},
	{Name: "STRLEN", Syntax: "key", Arity: 2, Keys: First(RO), Flags: ReadOnly | Fast, Group: GroupString,
		Since: "2.2.0", Complexity: "O(1)", Summary: "Returns the length of a string.", Run: strlen},
	{Name: "SETRANGE", Syntax: "key offset value", Arity: 4, Keys: First(RW | Update), Flags: Write | DenyOOM, Group: GroupString,
		Since: "2.2.0", Complexity: "O(N) with the length of the value and of the gap before it.", Summary: "Overwrites a part of a string.", Run: setrange},
	{Name: "GETRANGE", Syntax: "key start end", Arity: 4, Keys: First(RO | Access), Flags: ReadOnly, Group: GroupString,
		Since: "2.4.0", Complexity: "O(N) with the length of the part.", Summary: "Returns a part of a string.", Run: getrange},
	{Name: "SUBSTR", Syntax: "key start end", Arity: 4, Keys: First(RO | Access), Flags: ReadOnly, Group: GroupString,
		Since: "1.0.0", Complexity: "O(N) with the length of the part.", Summary: "Returns a part of a string.",
		Deprecated: "2.0.0", ReplacedBy: "`GETRANGE`", Run: getrange},
	{Name: "INCR", Syntax: "key", Arity: 2, Keys: First(RW | Access | Update), Flags: Write | DenyOOM | Fast, Group: GroupString,
		Since: "1.0.0", Complexity: "O(1)", Summary: "Adds one to the integer at a key, 0 if there is none.", Run: incr},
	{Name: "DECR", Syntax: "key", Arity: 2, Keys: First(RW | Access | Update), Flags: Write | DenyOOM | Fast, Group: GroupString,
		Since: "1.0.0", Complexity: "O(1)", Summary: "Takes one from the integer at a key, 0 if there is none.", Run: decr},
	{Name: "INCRBY", Syntax: "key increment", Arity: 3, Keys: First(RW | Access | Update), Flags: Write | DenyOOM | Fast, Group: GroupString,
		Since: "1.0.0", Complexity: "O(1)", Summary: "Adds to the integer at a key, 0 if there is none.", Run: incrby},
	{Name: "DECRBY", Syntax: "key decrement", Arity: 3, Keys: First(RW | Access | Update), Flags: Write | DenyOOM | Fast, Group: GroupString,
		Since: "1.0.0", Complexity: "O(1)", Summary: "Takes from the integer at a key, 0 if there is none.", Run: decrby},
	{Name: "INCRBYFLOAT", Syntax: "key increment", Arity: 3, Keys: First(RW | Access | Update), Flags: Write | Effects | DenyOOM | Fast, Group: GroupString,
		Since: "2.6.0", Complexity: "O(1)", Summary: "Adds to the floating point number at a key, 0 if there is none.", Run: incrbyfloat},
	{Name: "LCS", Syntax: "key1 key2 [LEN] [IDX] [MINMATCHLEN len] [WITHMATCHLEN]", Arity: -3, Keys: []KeySpec{Range(1, 2, 1, RO|Access)}, Flags: ReadOnly, Group: GroupString,
		Since: "7.0.0", Complexity: "O(N*M) with the lengths of the strings.", Summary: "Finds the longest common subsequence of two strings.", Run: lcs},
}

// get writes the string at the key as the reply of GET and its relatives: null if there is no such key.
func get(c *Call) error {
	v, ok, err := c.Tx.Text(c.Args[1])
	if err != nil {
		return err
	}
	if !ok {
		c.Null()
		return nil
	}
	c.bulkText(c.Args[1], v)
	return nil
}

// setOptions are the options of SET, GETEX and MSETEX.
type setOptions struct {
	nx, xx, get      bool
	keepTTL, persist bool
	life             lifetime
	cond             condition
}

// setForm is a command that has some of the options.
type setForm uint8

const (
	formSet    setForm = iota // all but PERSIST
	formGetex                 // lifetimes and PERSIST
	formMsetex                // lifetimes, KEEPTTL, NX and XX
)

// parseSetOptions reads the options of a command.
func parseSetOptions(a *Args, form setForm) (o setOptions) {
	for a.More() {
		other := o.keepTTL || o.persist
		switch {
		case form != formGetex && !o.xx && !o.cond.given() && a.Is("NX"):
			o.nx = true
		case form != formGetex && !o.nx && !o.cond.given() && a.Is("XX"):
			o.xx = true
		case form == formSet && a.Is("GET"):
			o.get = true
		case form != formGetex && !o.life.given && a.Is("KEEPTTL"):
			o.keepTTL = true
		case form == formGetex && !o.life.given && a.Is("PERSIST"):
			o.persist = true
		case !other && o.life.parse(a):
		case form == formSet && !o.nx && !o.xx && !o.cond.given() && a.Left() > 1 && o.cond.parse(a):
		default:
			a.Fail(ErrSyntax)
		}
	}
	return o
}

// setKeyUse: only with GET or a condition on the value does SET look at what was there.
func setKeyUse(args [][]byte) KeyFlags {
	for _, a := range args[3:] {
		if is(a, "GET") || conditionKind(a) != condNone {
			return RW | Access | Update
		}
	}
	return OW | Update
}

func setCmd(c *Call) error {
	key := c.Args[1]
	if len(c.Args) == 3 {
		c.Tx.SetText(key, c.Args[2], store.Forever)
		c.Notify(store.OnString, "set", key)
		c.AsCame()
		c.OK()
		return nil
	}
	a := c.From(3)
	o := parseSetOptions(&a, formSet)
	if err := a.Err(); err != nil {
		return err
	}
	at, err := o.life.deadline(c)
	if err != nil {
		return err
	}
	if o.get {
		if err := get(c); err != nil {
			return err
		}
	}
	if ok, err := o.allow(c, key); !ok || err != nil {
		if !o.get {
			c.Null()
		}
		return err
	}
	if o.keepTTL {
		at = store.KeepDeadline
	}
	c.Tx.SetText(key, c.Args[2], at)
	c.notifySet(key, at)
	c.setEffect(key, c.Args[2], at)
	if !o.get {
		c.OK()
	}
	return nil
}

func setnx(c *Call) error {
	if c.Tx.Has(c.Args[1]) {
		c.Int(0)
		return nil
	}
	c.Tx.SetText(c.Args[1], c.Args[2], store.Forever)
	c.Notify(store.OnString, "set", c.Args[1])
	c.Int(1)
	return nil
}

func setex(c *Call) error  { return setFor(c, 1000) }
func psetex(c *Call) error { return setFor(c, 1) }

// setFor is SETEX with a unit of so many milliseconds.
func setFor(c *Call, unit int64) error {
	life := lifetime{given: true, relative: true, unit: unit, text: c.Args[2]}
	at, err := life.deadline(c)
	if err != nil {
		return err
	}
	c.Tx.SetText(c.Args[1], c.Args[3], at)
	c.notifySet(c.Args[1], at)
	c.setEffect(c.Args[1], c.Args[3], at)
	c.OK()
	return nil
}

func getset(c *Call) error {
	if err := get(c); err != nil {
		return err
	}
	c.Tx.SetText(c.Args[1], c.Args[2], store.Forever)
	c.Notify(store.OnString, "set", c.Args[1])
	return nil
}

func getdel(c *Call) error {
	if err := get(c); err != nil {
		return err
	}
	c.deleteKey(c.Args[1])
	return nil
}

func getex(c *Call) error {
	key := c.Args[1]
	a := c.From(2)
	o := parseSetOptions(&a, formGetex)
	if err := a.Err(); err != nil {
		return err
	}
	v, ok, err := c.Tx.Text(key)
	if err != nil {
		return err
	}
	if !ok {
		c.Null()
		return nil
	}
	at, err := o.life.deadline(c)
	if err != nil {
		return err
	}
	c.bulkText(key, v)
	switch {
	case o.life.given:
		c.Tx.SetDeadline(key, at)
		c.notifyDeadline(key, at)
		c.deadlineEffect(key, at)
	case o.persist:
		if c.Tx.Persist(key) {
			c.Notify(store.OnGeneric, "persist", key)
			c.deadlineEffect(key, store.Forever)
		}
	}
	return nil
}

func mget(c *Call) error {
	c.Array(len(c.Args) - 1)
	for _, key := range c.Args[1:] {
		if v, ok, err := c.Tx.Text(key); err == nil && ok {
			c.bulkText(key, v)
		} else {
			c.Null()
		}
	}
	return nil
}

func mset(c *Call) error {
	if len(c.Args)%2 == 0 {
		return errArity(c.Spec)
	}
	for i := 1; i < len(c.Args); i += 2 {
		c.Tx.SetText(c.Args[i], c.Args[i+1], store.Forever)
		c.Notify(store.OnString, "set", c.Args[i])
	}
	c.OK()
	return nil
}

func msetnx(c *Call) error {
	if len(c.Args)%2 == 0 {
		return errArity(c.Spec)
	}
	for i := 1; i < len(c.Args); i += 2 {
		if c.Tx.Has(c.Args[i]) {
			c.Int(0)
			return nil
		}
	}
	for i := 1; i < len(c.Args); i += 2 {
		c.Tx.SetText(c.Args[i], c.Args[i+1], store.Forever)
		c.Notify(store.OnString, "set", c.Args[i])
	}
	c.Int(1)
	return nil
}
