package commands

import (
	"math"

	"github.com/streampulse/pulse/store"
)

var genericCommands = []Spec{
	{Name: "DEL", Syntax: "key [key ...]", Arity: -2, Keys: []KeySpec{Range(1, -1, 1, RM|Delete)}, Flags: Write, Group: GroupGeneric,
		Since: "1.0.0", Complexity: "O(N) with the number of keys.", Summary: "Deletes keys.",
		Tips: []string{"request_policy:multi_shard", "response_policy:agg_sum"}, Run: del},
	{Name: "UNLINK", Syntax: "key [key ...]", Arity: -2, Keys: []KeySpec{Range(1, -1, 1, RM|Delete)}, Flags: Write | Fast, Group: GroupGeneric,
		Since: "4.0.0", Complexity: "O(N) with the number of keys.", Summary: "Deletes keys; the same as DEL here.",
		Tips: []string{"request_policy:multi_shard", "response_policy:agg_sum"}, Run: del},
	{Name: "EXISTS", Syntax: "key [key ...]", Arity: -2, Keys: []KeySpec{Range(1, -1, 1, RO)}, Flags: ReadOnly | Fast, Group: GroupGeneric,
		Since: "1.0.0", Complexity: "O(N) with the number of keys.", Summary: "Counts how many of the keys exist.",
		Tips:    []string{"request_policy:multi_shard", "response_policy:agg_sum"},
		History: [][2]string{{"3.0.3", "Accepts multiple `key` arguments."}}, Run: exists},
	{Name: "TYPE", Syntax: "key", Arity: 2, Keys: First(RO), Flags: ReadOnly | Fast, Group: GroupGeneric,
		Since: "1.0.0", Complexity: "O(1)", Summary: "Returns the type of the value at a key.", Run: typeCmd},
	{Name: "TOUCH", Syntax: "key [key ...]", Arity: -2, Keys: []KeySpec{Range(1, -1, 1, RO)}, Flags: ReadOnly | Fast, Group: GroupGeneric,
		Since: "3.2.1", Complexity: "O(N) with the number of keys.", Summary: "Counts how many of the keys exist, and renews their time of access.",
		Tips: []string{"request_policy:multi_shard", "response_policy:agg_sum"}, Run: touch},
	{Name: "COPY", Syntax: "source destination [DB destination-db] [REPLACE]", Arity: -3,
		Keys: []KeySpec{At(1, RO|Access), At(2, OW|Update)}, Flags: Write | DenyOOM, Group: GroupGeneric,
		Since: "6.2.0", Complexity: "O(N) with the size of the value.", Summary: "Copies the value of a key to another key.", Run: copyCmd},
	{Name: "MOVE", Syntax: "key db", Arity: 3, Keys: First(RW | Access | Update), Flags: Write | Fast, Group: GroupGeneric,
		Since: "1.0.0", Complexity: "O(1)", Summary: "Moves a key to another database.", Run: moveCmd},
	{Name: "RENAME", Syntax: "key newkey", Arity: 3, Keys: []KeySpec{At(1, RW|Access|Delete), At(2, OW|Update)}, Flags: Write, Group: GroupGeneric,
		Since: "1.0.0", Complexity: "O(1)", Summary: "Gives a key another name, whose old value goes.", Run: rename},
	{Name: "RENAMENX", Syntax: "key newkey", Arity: 3, Keys: []KeySpec{At(1, RW|Access|Delete), At(2, OW|Insert)}, Flags: Write | Fast, Group: GroupGeneric,
		Since: "1.0.0", Complexity: "O(1)", Summary: "Gives a key another name that is free.",
		History: [][2]string{{"3.2.0", "The command no longer returns an error when source and destination names are the same."}}, Run: renamenx},
	{Name: "OBJECT", Arity: -2, Group: GroupGeneric,
		Since: "2.2.3", Complexity: "Depends on the subcommand.", Summary: "Commands about how values are held.", Sub: []Spec{
			{Name: "ENCODING", Syntax: "key", Arity: 3, Keys: []KeySpec{At(2, RO)}, Flags: ReadOnly,
				Since: "2.2.3", Complexity: "O(1)", Summary: "Returns the name of the representation of a value.", Tips: []string{"nondeterministic_output"}, Run: objectEncoding},
			{Name: "FREQ", Syntax: "key", Arity: 3, Keys: []KeySpec{At(2, RO)}, Flags: ReadOnly,
				Since: "4.0.0", Complexity: "O(1)", Summary: "Returns how often a key is accessed, on a logarithmic scale.", Tips: []string{"nondeterministic_output"}, Run: objectFreq},
			{Name: "IDLETIME", Syntax: "key", Arity: 3, Keys: []KeySpec{At(2, RO)}, Flags: ReadOnly,
				Since: "2.2.3", Complexity: "O(1)", Summary: "Returns the seconds since a key was accessed.", Tips: []string{"nondeterministic_output"}, Run: objectIdletime},
			{Name: "REFCOUNT", Syntax: "key", Arity: 3, Keys: []KeySpec{At(2, RO)}, Flags: ReadOnly,
				Since: "2.2.3", Complexity: "O(1)", Summary: "Returns the number of references to a value.", Tips: []string{"nondeterministic_output"}, Run: objectRefcount},
			{Name: "HELP", Arity: 2, Flags: Loading | Stale,
				Since: "6.2.0", Complexity: "O(1)", Summary: "Lists the subcommands of OBJECT.", Run: objectHelp},
		}},
}

// del serves UNLINK as well: freeing is the collector's work, so neither waits for it.
func del(c *Call) error {
	n := int64(0)
	for _, key := range c.Args[1:] {
		if c.deleteKey(key) {
			n++
		}
	}
	c.Int(n)
	return nil
}

func exists(c *Call) error {
	n := int64(0)
	for _, key := range c.Args[1:] {
		if c.Tx.Exists(key) {
			n++
		}
	}
	c.Int(n)
	return nil
}

func touch(c *Call) error {
	n := int64(0)
	for _, key := range c.Args[1:] {
		if c.Tx.Touch(key) {
			n++
		}
	}
	c.Int(n)
	return nil
}

func typeCmd(c *Call) error {
	c.Simple(c.Tx.Kind(c.Args[1]).String())
	return nil
}

// database takes the next argument as the number of a database.
func database(c *Call, a *Args) int {
	n := a.Int()
	switch {
	case n < math.MinInt32 || n > math.MaxInt32:
		a.Fail(ErrInt32)
	case n < 0 || n >= int64(c.Tx.Store().Databases()):
		a.Fail(ErrDBRange)
	}
	return int(n)
}

func copyCmd(c *Call) error {
	from, to := c.Args[1], c.Args[2]
	db, replace := c.Tx.DB(), false
	a := c.From(3)
	for a.More() {
		switch {
		case a.Is("REPLACE"):
			replace = true
		case a.IsWith("DB", 1):
			db = database(c, &a)
		default:
			a.Fail(ErrSyntax)
		}
	}
	if err := a.Err(); err != nil {
		return err
	}
	if db == c.Tx.DB() && string(from) == string(to) {
		return ErrSameObject
	}
	if !c.Tx.Exists(from) || !replace && hasIn(c, db, to) {
		c.Int(0)
		return nil
	}
	c.Tx.Copy(from, to, db)
	c.notifyIn(db, store.OnGeneric, "copy_to", to)
	c.Int(1)
	return nil
}

// hasIn reports whether database db has the key, whose shard the command holds.
func hasIn(c *Call, db int, key []byte) bool {
	here := c.Tx.DB()
	c.Tx.Select(db)
	defer c.Tx.Select(here)
	return c.Tx.Has(key)
}

func moveCmd(c *Call) error {
	key := c.Args[1]
	a := c.From(2)
	db := database(c, &a)
	if err := a.Err(); err != nil {
		return err
	}
	if db == c.Tx.DB() {
		return ErrSameObject
	}
	if !c.Tx.Has(key) || hasIn(c, db, key) {
		c.Int(0)
		return nil
	}
	c.Tx.Move(key, db)
	c.Notify(store.OnGeneric, "move_from", key)
	c.notifyIn(db, store.OnGeneric, "move_to", key)
	c.Int(1)
	return nil
}

func rename(c *Call) error {
	from, to := c.Args[1], c.Args[2]
	if !c.Tx.Has(from) {
		return ErrNoSuchKey
	}
	if string(from) != string(to) {
		c.renameKey(from, to)
	}
	c.OK()
	return nil
}

func renamenx(c *Call) error {
	from, to := c.Args[1], c.Args[2]
	if !c.Tx.Has(from) {
		return ErrNoSuchKey
	}
	if c.Tx.Has(to) {
		c.Int(0)
		return nil
	}
	c.renameKey(from, to)
	c.Int(1)
	return nil
}

func (c *Call) renameKey(from, to []byte) {
	c.Tx.Rename(from, to)
	c.Notify(store.OnGeneric, "rename_from", from)
	c.Notify(store.OnGeneric, "rename_to", to)
}

func objectEncoding(c *Call) error {
	f, ok := c.Tx.Facts(c.Args[2])
	if !ok {
		c.Null()
		return nil
	}
	c.BulkString(f.Encoding)
	return nil
}

// objectRefcount replies as Redis does, where the integers below 10000 are objects that all keys share, and all other
// values belong to one key.
func objectRefcount(c *Call) error {
	f, ok := c.Tx.Facts(c.Args[2])
	if !ok {
		c.Null()
		return nil
	}
	if f.Encoding == "int" {
		if n, _, err := c.Tx.Number(c.Args[2]); err == nil && n >= 0 && n < 10_000 {
			c.Int(math.MaxInt32)
			return nil
		}
	}
	c.Int(1)
	return nil
}

var objectHelpLines = [...]string{
	"OBJECT <subcommand> [<arg> [value] [opt] ...]. Subcommands are:",
	"ENCODING <key>", "    Name the representation that holds the value of <key>.",
	"FREQ <key>", "    Tell how often <key> is accessed, as a logarithm; wants an LFU maxmemory policy.",
	"IDLETIME <key>", "    Tell the seconds since the last access to <key>.",
	"REFCOUNT <key>", "    Tell how many references there are to the value of <key>.",
	"HELP", "    Print this help.",
}

func objectHelp(c *Call) error {
	c.Array(len(objectHelpLines))
	for _, line := range objectHelpLines {
		c.Simple(line)
	}
	return nil
}
