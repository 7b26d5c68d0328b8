package commands

import (
	"bytes"
	"strconv"

	"github.com/streampulse/pulse/internal/num"
	"github.com/streampulse/pulse/store"
)

var hashCommands = []Spec{
	{Name: "HSET", Syntax: "key field value [field value ...]", Arity: -4, Keys: First(RW | Update), Flags: Write | DenyOOM | Fast, Group: GroupHash,
		Since: "2.0.0", Complexity: "O(1) for each field.", Summary: "Sets fields of a hash.",
		History: [][2]string{{"4.0.0", "Accepts multiple `field` and `value` arguments."}}, Run: hset},
	{Name: "HMSET", Syntax: "key field value [field value ...]", Arity: -4, Keys: First(RW | Update), Flags: Write | DenyOOM | Fast, Group: GroupHash,
		Since: "2.0.0", Complexity: "O(N) with the number of fields.", Summary: "Sets fields of a hash.",
		Deprecated: "4.0.0", ReplacedBy: "`HSET` with multiple field-value pairs", Run: hmset},
	{Name: "HSETNX", Syntax: "key field value", Arity: 4, Keys: First(RW | Insert), Flags: Write | DenyOOM | Fast, Group: GroupHash,
		Since: "2.0.0", Complexity: "O(1)", Summary: "Sets a field of a hash if it does not exist.", Run: hsetnx},
	{Name: "HGET", Syntax: "key field", Arity: 3, Keys: First(RO | Access), Flags: ReadOnly | Fast, Group: GroupHash,
		Since: "2.0.0", Complexity: "O(1)", Summary: "Returns the value of a field of a hash.", Run: hget},
	{Name: "HMGET", Syntax: "key field [field ...]", Arity: -3, Keys: First(RO | Access), Flags: ReadOnly | Fast, Group: GroupHash,
		Since: "2.0.0", Complexity: "O(N) with the number of fields asked for.", Summary: "Returns the values of fields of a hash.", Run: hmget},
	{Name: "HGETALL", Syntax: "key", Arity: 2, Keys: First(RO | Access), Flags: ReadOnly, Group: GroupHash,
		Since: "2.0.0", Complexity: "O(N) with the size of the hash.", Summary: "Returns all fields and values of a hash.",
		Tips: []string{"nondeterministic_output_order"}, Run: hgetall},
	{Name: "HKEYS", Syntax: "key", Arity: 2, Keys: First(RO | Access), Flags: ReadOnly, Group: GroupHash,
		Since: "2.0.0", Complexity: "O(N) with the size of the hash.", Summary: "Returns all fields of a hash.",
		Tips: []string{"nondeterministic_output_order"}, Run: hkeys},
	{Name: "HVALS", Syntax: "key", Arity: 2, Keys: First(RO | Access), Flags: ReadOnly, Group: GroupHash,
		Since: "2.0.0", Complexity: "O(N) with the size of the hash.", Summary: "Returns all values of a hash.",
		Tips: []string{"nondeterministic_output_order"}, Run: hvals},
	{Name: "HLEN", Syntax: "key", Arity: 2, Keys: First(RO), Flags: ReadOnly | Fast, Group: GroupHash,
		Since: "2.0.0", Complexity: "O(1)", Summary: "Returns the number of fields of a hash.", Run: hlen},
	{Name: "HEXISTS", Syntax: "key field", Arity: 3, Keys: First(RO), Flags: ReadOnly | Fast, Group: GroupHash,
		Since: "2.0.0", Complexity: "O(1)", Summary: "Tells whether a hash has a field.", Run: hexists},
	{Name: "HDEL", Syntax: "key field [field ...]", Arity: -3, Keys: First(RW | Delete), Flags: Write | Fast, Group: GroupHash,
		Since: "2.0.0", Complexity: "O(N) with the number of fields to delete.", Summary: "Deletes fields of a hash, and the hash with its last field.",
		History: [][2]string{{"2.4.0", "Accepts multiple `field` arguments."}}, Run: hdel},
	{Name: "HSTRLEN", Syntax: "key field", Arity: 3, Keys: First(RO), Flags: ReadOnly | Fast, Group: GroupHash,
		Since: "3.2.0", Complexity: "O(1)", Summary: "Returns the length of the value of a field.", Run: hstrlen},
	{Name: "HINCRBY", Syntax: "key field increment", Arity: 4, Keys: First(RW | Access | Update), Flags: Write | DenyOOM | Fast, Group: GroupHash,
		Since: "2.0.0", Complexity: "O(1)", Summary: "Adds to the integer in a field of a hash, 0 if there is none.", Run: hincrby},
	{Name: "HINCRBYFLOAT", Syntax: "key field increment", Arity: 4, Keys: First(RW | Access | Update), Flags: Write | Effects | DenyOOM | Fast, Group: GroupHash,
		Since: "2.6.0", Complexity: "O(1)", Summary: "Adds to the number in a field of a hash, 0 if there is none.", Run: hincrbyfloat},
	{Name: "HRANDFIELD", Syntax: "key [count [WITHVALUES]]", Arity: -2, Keys: First(RO | Access), Flags: ReadOnly, Group: GroupHash,
		Since: "6.2.0", Complexity: "O(N) with the number of fields returned.", Summary: "Returns random fields of a hash.",
		Tips: []string{"nondeterministic_output"}, Run: hrandfield},
	{Name: "HSCAN", Syntax: "key cursor [MATCH pattern] [COUNT count] [NOVALUES]", Arity: -3, Keys: First(RO | Access), Flags: ReadOnly, Group: GroupHash,
		Since: "2.8.0", Complexity: "O(1) for a call, O(N) for a walk through all N fields.", Summary: "Walks through the fields of a hash in steps.",
		Tips: []string{"nondeterministic_output"}, Run: hscan},
}

func hset(c *Call) error {
	added, err := hashSet(c)
	if err != nil {
		return err
	}
	c.Int(added)
	return nil
}

func hmset(c *Call) error {
	if _, err := hashSet(c); err != nil {
		return err
	}
	c.OK()
	return nil
}

// hashSet sets the fields that the arguments name and returns how many are new.
func hashSet(c *Call) (added int64, err error) {
	pairs := c.Args[2:]
	if len(pairs)%2 != 0 {
		return 0, errArity(c.Spec)
	}
	v, err := c.Tx.Hash(c.Args[1], store.Create)
	if err != nil {
		return 0, err
	}
	lim := c.Tx.Limits().Hash()
	v.Expect(lim, len(pairs)/2)
	for i := 0; i < len(pairs); i += 2 {
		if v.Set(lim, pairs[i], pairs[i+1]) {
			added++
		}
	}
	c.Tx.Settle(c.Args[1], v, len(pairs)/2)
	c.Notify(store.OnHash, "hset", c.Args[1])
	return added, nil
}

func hsetnx(c *Call) error {
	v, err := c.Tx.Hash(c.Args[1], store.Create)
	if err != nil {
		return err
	}
	if v.Has(c.Args[2]) {
		c.Int(0)
		return nil
	}
	v.Set(c.Tx.Limits().Hash(), c.Args[2], c.Args[3])
	c.Tx.Settle(c.Args[1], v, 1)
	c.Notify(store.OnHash, "hset", c.Args[1])
	c.Int(1)
	return nil
}

func hget(c *Call) error {
	v, err := c.Tx.Hash(c.Args[1], store.Read)
	if err != nil {
		return err
	}
	var scratch [num.MaxIntLen]byte
	if value, ok := v.Get(c.Args[2], scratch[:]); ok {
		c.bulkField(c.Args[1], v, c.Args[2], value)
	} else {
		c.Null()
	}
	return nil
}

func hmget(c *Call) error {
	v, err := c.Tx.Hash(c.Args[1], store.Read)
	if err != nil {
		return err
	}
	var scratch [num.MaxIntLen]byte
	c.Array(len(c.Args) - 2)
	for _, field := range c.Args[2:] {
		if value, ok := v.Get(field, scratch[:]); ok {
			c.bulkField(c.Args[1], v, field, value)
		} else {
			c.Null()
		}
	}
	return nil
}

func hgetall(c *Call) error {
	v, err := c.Tx.Hash(c.Args[1], store.Read)
	if err != nil {
		return err
	}
	c.Map(v.Len())
	v.Each(func(field, value []byte) bool {
		c.Bulk(field)
		c.bulkField(c.Args[1], v, field, value)
		return true
	})
	return nil
}

func hkeys(c *Call) error {
	v, err := c.Tx.Hash(c.Args[1], store.Read)
	if err != nil {
		return err
	}
	c.Array(v.Len())
	v.Each(func(field, _ []byte) bool { c.Bulk(field); return true })
	return nil
}

func hvals(c *Call) error {
	v, err := c.Tx.Hash(c.Args[1], store.Read)
	if err != nil {
		return err
	}
	c.Array(v.Len())
	v.Each(func(field, value []byte) bool { c.bulkField(c.Args[1], v, field, value); return true })
	return nil
}

func hlen(c *Call) error {
	v, err := c.Tx.Hash(c.Args[1], store.Read)
	if err != nil {
		return err
	}
	c.Int(int64(v.Len()))
	return nil
}

func hexists(c *Call) error {
	v, err := c.Tx.Hash(c.Args[1], store.Read)
	if err != nil {
		return err
	}
	n := int64(0)
	if v.Has(c.Args[2]) {
		n = 1
	}
	c.Int(n)
	return nil
}

func hdel(c *Call) error {
	v, err := c.Tx.Hash(c.Args[1], store.Write)
	if err != nil {
		return err
	}
	n := 0
	for _, field := range c.Args[2:] {
		if v.Delete(field) {
			n++
		}
	}
	if n > 0 {
		c.Tx.Settle(c.Args[1], v, n)
		c.NotifyTaken(store.OnHash, "hdel", c.Args[1], v.Len())
	}
	c.Int(int64(n))
	return nil
}

func hstrlen(c *Call) error {
	v, err := c.Tx.Hash(c.Args[1], store.Read)
	if err != nil {
		return err
	}
	c.Int(int64(v.ValueLen(c.Args[2])))
	return nil
}

func hincrby(c *Call) error {
	a := c.From(3)
	n := a.Int()
	if err := a.Err(); err != nil {
		return err
	}
	v, err := c.Tx.Hash(c.Args[1], store.Write)
	if err != nil {
		return err
	}
	var scratch [num.MaxIntLen]byte
	if text, ok := v.Get(c.Args[2], scratch[:]); ok {
		old, ok := num.ParseInt(text)
		if !ok {
			return ErrHashNotInteger
		}
		if n, ok = num.AddInt(old, n); !ok {
			return ErrOverflow
		}
	}
	hashPut(c, strconv.AppendInt(scratch[:0], n, 10))
	c.Int(n)
	return nil
}

func hincrbyfloat(c *Call) error {
	incr := c.Args[3]
	if ok, finite := num.IsFloatText(incr); !ok {
		return ErrNotFloat
	} else if !finite {
		return ErrNotFinite
	}
	v, err := c.Tx.Hash(c.Args[1], store.Write)
	if err != nil {
		return err
	}
	var scratch [num.MaxIntLen]byte
	old, ok := v.Get(c.Args[2], scratch[:])
	if !ok {
		old = append(scratch[:0], '0')
	}
	var buf [64]byte
	sum, status := num.AppendFloatSum(buf[:0], old, incr)
	switch status {
	case num.FloatBadFirst:
		return ErrHashNotFloat
	case num.FloatBadSecond:
		return ErrNotFloat
	case num.FloatNotFinite:
		return ErrNaNOrInf
	}
	at, _ := v.Deadline(c.Args[2])
	hashPut(c, sum)
	switch {
	case !c.Feeding():
		c.told = true
	case at == store.Forever || !ok:
		c.Effect(wordHSet, c.Args[1], c.Args[2], bytes.Clone(sum))
	default: // HSET would take the field's deadline away
		c.Effect(wordHSetEx, c.Args[1], wordKeepTTL, wordFields, wordOne, c.Args[2], bytes.Clone(sum))
	}
	c.Bulk(sum)
	return nil
}

// hashPut sets the field that stands at position 2 of the arguments, which keeps its deadline. The key's type has been
// looked at.
func hashPut(c *Call, value []byte) {
	v, _ := c.Tx.Hash(c.Args[1], store.Create)
	v.Update(c.Tx.Limits().Hash(), c.Args[2], value)
	c.Tx.Settle(c.Args[1], v, 1)
	c.Notify(store.OnHash, c.Spec.full, c.Args[1]) // hincrby, hincrbyfloat
}
