package commands

import (
	"github.com/streampulse/pulse/store"
)

var setCommands = []Spec{
	{Name: "SADD", Syntax: "key member [member ...]", Arity: -3, Keys: First(RW | Insert), Flags: Write | DenyOOM | Fast, Group: GroupSet,
		Since: "1.0.0", Complexity: "O(1) for each member.", Summary: "Adds members to a set.",
		History: [][2]string{{"2.4.0", "Accepts multiple `member` arguments."}}, Run: sadd},
	{Name: "SREM", Syntax: "key member [member ...]", Arity: -3, Keys: First(RW | Delete), Flags: Write | Fast, Group: GroupSet,
		Since: "1.0.0", Complexity: "O(N) with the number of members to remove.", Summary: "Removes members from a set, and the set with its last member.",
		History: [][2]string{{"2.4.0", "Accepts multiple `member` arguments."}}, Run: srem},
	{Name: "SMEMBERS", Syntax: "key", Arity: 2, Keys: First(RO | Access), Flags: ReadOnly, Group: GroupSet,
		Since: "1.0.0", Complexity: "O(N) with the size of the set.", Summary: "Returns all members of a set.",
		Tips: []string{"nondeterministic_output_order"}, Run: smembers},
	{Name: "SISMEMBER", Syntax: "key member", Arity: 3, Keys: First(RO), Flags: ReadOnly | Fast, Group: GroupSet,
		Since: "1.0.0", Complexity: "O(1)", Summary: "Tells whether something is a member of a set.", Run: sismember},
	{Name: "SMISMEMBER", Syntax: "key member [member ...]", Arity: -3, Keys: First(RO | Access), Flags: ReadOnly | Fast, Group: GroupSet,
		Since: "6.2.0", Complexity: "O(N) with the number of members asked for.", Summary: "Tells which of several are members of a set.", Run: smismember},
	{Name: "SCARD", Syntax: "key", Arity: 2, Keys: First(RO), Flags: ReadOnly | Fast, Group: GroupSet,
		Since: "1.0.0", Complexity: "O(1)", Summary: "Returns the number of members of a set.", Run: scard},
	{Name: "SPOP", Syntax: "key [count]", Arity: -2, Keys: First(RW | Access | Delete), Flags: Write | Effects | Fast, Group: GroupSet,
		Since: "1.0.0", Complexity: "O(N) with the number of members returned.", Summary: "Removes random members from a set and returns them.",
		Tips: []string{"nondeterministic_output"}, History: [][2]string{{"3.2.0", "Added the `count` argument."}}, Run: spop},
	{Name: "SRANDMEMBER", Syntax: "key [count]", Arity: -2, Keys: First(RO | Access), Flags: ReadOnly, Group: GroupSet,
		Since: "1.0.0", Complexity: "O(N) with the number of members returned.", Summary: "Returns random members of a set.",
		Tips: []string{"nondeterministic_output"}, History: [][2]string{{"2.6.0", "Added the optional `count` argument."}}, Run: srandmember},
	{Name: "SMOVE", Syntax: "source destination member", Arity: 4, Keys: []KeySpec{At(1, RW|Access|Delete), At(2, RW|Insert)},
		Flags: Write | Fast, Group: GroupSet,
		Since: "1.0.0", Complexity: "O(1)", Summary: "Moves a member from one set to another.", Run: smove},
	{Name: "SINTER", Syntax: "key [key ...]", Arity: -2, Keys: []KeySpec{Range(1, -1, 1, RO|Access)}, Flags: ReadOnly, Group: GroupSet,
		Since: "1.0.0", Complexity: "O(N*M) at worst: N members of the smallest of M sets.", Summary: "Returns what is common to sets.",
		Tips: []string{"nondeterministic_output_order"}, Run: sinter},
	{Name: "SINTERSTORE", Syntax: "destination key [key ...]", Arity: -3, Keys: []KeySpec{At(1, OW|Update), Range(2, -1, 1, RO|Access)},
		Flags: Write | DenyOOM, Group: GroupSet,
		Since: "1.0.0", Complexity: "O(N*M) at worst: N members of the smallest of M sets.", Summary: "Stores what is common to sets.", Run: sinterstore},
	{Name: "SINTERCARD", Syntax: "numkeys key [key ...] [LIMIT limit]", Arity: -3, Keys: []KeySpec{Counted(1, RO|Access)}, Flags: ReadOnly, Group: GroupSet,
		Since: "7.0.0", Complexity: "O(N*M) at worst: N members of the smallest of M sets.", Summary: "Counts what is common to sets.", Run: sintercard},
	{Name: "SUNION", Syntax: "key [key ...]", Arity: -2, Keys: []KeySpec{Range(1, -1, 1, RO|Access)}, Flags: ReadOnly, Group: GroupSet,
		Since: "1.0.0", Complexity: "O(N) with the number of members of all sets.", Summary: "Returns what is in any of the sets.",
		Tips: []string{"nondeterministic_output_order"}, Run: sunion},
	{Name: "SUNIONSTORE", Syntax: "destination key [key ...]", Arity: -3, Keys: []KeySpec{At(1, OW|Update), Range(2, -1, 1, RO|Access)},
		Flags: Write | DenyOOM, Group: GroupSet,
		Since: "1.0.0", Complexity: "O(N) with the number of members of all sets.", Summary: "Stores what is in any of the sets.", Run: sunionstore},
	{Name: "SDIFF", Syntax: "key [key ...]", Arity: -2, Keys: []KeySpec{Range(1, -1, 1, RO|Access)}, Flags: ReadOnly, Group: GroupSet,
		Since: "1.0.0", Complexity: "O(N) with the number of members of all sets.", Summary: "Returns what is in the first set and in no other.",
		Tips: []string{"nondeterministic_output_order"}, Run: sdiff},
	{Name: "SDIFFSTORE", Syntax: "destination key [key ...]", Arity: -3, Keys: []KeySpec{At(1, OW|Update), Range(2, -1, 1, RO|Access)},
		Flags: Write | DenyOOM, Group: GroupSet,
		Since: "1.0.0", Complexity: "O(N) with the number of members of all sets.", Summary: "Stores what is in the first set and in no other.", Run: sdiffstore},
	{Name: "SSCAN", Syntax: "key cursor [MATCH pattern] [COUNT count]", Arity: -3, Keys: First(RO | Access), Flags: ReadOnly, Group: GroupSet,
		Since: "2.8.0", Complexity: "O(1) for a call, O(N) for a walk through all N members.", Summary: "Walks through the members of a set in steps.",
		Tips: []string{"nondeterministic_output"}, Run: sscan},
}

func sadd(c *Call) error {
	v, err := c.Tx.Set(c.Args[1], store.Create)
	if err != nil {
		return err
	}
	lim := c.Tx.Limits().Set()
	members := c.Args[2:]
	v.Expect(lim, members[0], len(members))
	n := 0
	for _, member := range members {
		if v.Add(lim, member) {
			n++
		}
	}
	if n > 0 {
		c.Tx.Settle(c.Args[1], v, n)
		c.Notify(store.OnSet, "sadd", c.Args[1])
	}
	c.Int(int64(n))
	return nil
}

func srem(c *Call) error {
	v, err := c.Tx.Set(c.Args[1], store.Write)
	if err != nil {
		return err
	}
	n := 0
	for _, member := range c.Args[2:] {
		if v.Remove(member) {
			n++
		}
	}
	if n > 0 {
		c.Tx.Settle(c.Args[1], v, n)
		c.NotifyTaken(store.OnSet, "srem", c.Args[1], v.Len())
	}
	c.Int(int64(n))
	return nil
}

func smembers(c *Call) error {
	v, err := c.Tx.Set(c.Args[1], store.Read)
	if err != nil {
		return err
	}
	c.Set(v.Len())
	v.Each(func(member []byte) bool { c.Bulk(member); return true })
	return nil
}

func sismember(c *Call) error {
	v, err := c.Tx.Set(c.Args[1], store.Read)
	if err != nil {
		return err
	}
	setYesNo(c, v.Has(c.Args[2]))
	return nil
}

// setYesNo writes 1 or 0.
func setYesNo(c *Call, yes bool) {
	n := int64(0)
	if yes {
		n = 1
	}
	c.Int(n)
}

func smismember(c *Call) error {
	v, err := c.Tx.Set(c.Args[1], store.Read)
	if err != nil {
		return err
	}
	c.Array(len(c.Args) - 2)
	for _, member := range c.Args[2:] {
		setYesNo(c, v.Has(member))
	}
	return nil
}

func scard(c *Call) error {
	v, err := c.Tx.Set(c.Args[1], store.Read)
	if err != nil {
		return err
	}
	c.Int(int64(v.Len()))
	return nil
}

func smove(c *Call) error {
	src, member := c.Args[1], c.Args[3]
	from, err := c.Tx.Set(src, store.Write)
	if from == nil && err == nil {
		c.Int(0) // whatever the destination holds
		return nil
	}
	if err != nil {
		return err
	}
	dst := c.Args[2]
	to, err := c.Tx.Set(dst, store.Write)
	if err != nil {
		return err
	}
	if from == to {
		setYesNo(c, from.Has(member))
		return nil
	}
	if !from.Remove(member) {
		c.Int(0)
		return nil
	}
	c.Tx.Settle(src, from, 1)
	c.NotifyTaken(store.OnSet, "srem", src, from.Len())
	if to == nil {
		to, _ = c.Tx.Set(dst, store.Create)
	}
	if to.Add(c.Tx.Limits().Set(), member) {
		c.Tx.Settle(dst, to, 1)
		c.Notify(store.OnSet, "sadd", dst)
	}
	c.Int(1)
	return nil
}
