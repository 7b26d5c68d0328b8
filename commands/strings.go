package commands

import (
	"github.com/streampulse/pulse/store"
)

var stringCommands = []Spec{
	{Name: "GET", Syntax: "key", Arity: 2, Keys: First(RO | Access), Flags: ReadOnly | Fast, Group: GroupString,
		Since: "1.0.0", Complexity: "O(1)", Summary: "Returns the string at a key.", Run: get},
	{Name: "SET", Syntax: "key value [NX | XX] [GET] [EX seconds | PX milliseconds | EXAT unix-time-seconds | PXAT unix-time-milliseconds | KEEPTTL]", Arity: -3,
		Keys: First(RW | Access | Update | VariableFlags), Flags: Write | DenyOOM, Group: GroupString,
		Since: "1.0.0", Complexity: "O(1)", Summary: "Makes a key hold a string, whatever it held before.", Run: set},
	{Name: "INCR", Syntax: "key", Arity: 2, Keys: First(RW | Access | Update), Flags: Write | DenyOOM | Fast, Group: GroupString,
		Since: "1.0.0", Complexity: "O(1)", Summary: "Adds one to the integer at a key, 0 if there is none.", Run: func(c *Call) error { return incrBy(c, 1) }},
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
	c.Bulk(v)
	return nil
}

func set(c *Call) error {
	c.Tx.SetText(c.Args[1], c.Args[2], store.Forever)
	c.OK()
	return nil
}

func incrBy(c *Call, n int64) error {
	sum, ok, fits, err := c.Tx.Add(c.Args[1], n)
	switch {
	case err != nil:
		return err
	case !ok:
		return ErrNotInteger
	case !fits:
		return ErrOverflow
	}
	c.Int(sum)
	return nil
}
