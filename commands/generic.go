package commands

var genericCommands = []Spec{
	{Name: "DEL", Syntax: "key [key ...]", Arity: -2, Keys: []KeySpec{Range(1, -1, 1, RM|Delete)}, Flags: Write, Group: GroupGeneric,
		Since: "1.0.0", Complexity: "O(N) with the number of keys.", Summary: "Deletes keys.", Run: del},
	{Name: "FLUSHALL", Syntax: "[ASYNC | SYNC]", Arity: -1, Flags: Write | Exclusive | Dangerous, Group: GroupServer,
		Since: "1.0.0", Complexity: "O(1)", Summary: "Deletes all keys of all databases.", Run: flushall},
}

// del serves UNLINK as well: freeing is the collector's work, so neither waits for it.
func del(c *Call) error {
	n := int64(0)
	for _, key := range c.Args[1:] {
		if c.Tx.Delete(key) {
			n++
		}
	}
	c.Int(n)
	return nil
}

func flushall(c *Call) error {
	for db := range c.Tx.Store().Databases() {
		c.Tx.Flush(db)
	}
	c.OK()
	return nil
}
