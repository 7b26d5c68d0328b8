package commands

import (
	"github.com/streampulse/pulse/store"
	"github.com/streampulse/pulse/store/list"
)

const (
	listPush = RW | Insert
	listPop  = RW | Access | Delete
)

var listCommands = []Spec{
	{Name: "LPUSH", Syntax: "key element [element ...]", Arity: -3, Keys: First(listPush), Flags: Write | DenyOOM | Fast, Group: GroupList,
		Since: "1.0.0", Complexity: "O(N) with the number of elements given.", Summary: "Adds elements at the head of a list, which is made if there is none.",
		History: [][2]string{{"2.4.0", "Accepts multiple `element` arguments."}}, Run: func(c *Call) error { return push(c, true, store.Create) }},
	{Name: "RPUSH", Syntax: "key element [element ...]", Arity: -3, Keys: First(listPush), Flags: Write | DenyOOM | Fast, Group: GroupList,
		Since: "1.0.0", Complexity: "O(N) with the number of elements given.", Summary: "Adds elements at the tail of a list, which is made if there is none.",
		History: [][2]string{{"2.4.0", "Accepts multiple `element` arguments."}}, Run: func(c *Call) error { return push(c, false, store.Create) }},
	{Name: "LPUSHX", Syntax: "key element [element ...]", Arity: -3, Keys: First(listPush), Flags: Write | DenyOOM | Fast, Group: GroupList,
		Since: "2.2.0", Complexity: "O(N) with the number of elements given.", Summary: "Adds elements at the head of a list if there is one.",
		History: [][2]string{{"4.0.0", "Accepts multiple `element` arguments."}}, Run: func(c *Call) error { return push(c, true, store.Write) }},
	{Name: "RPUSHX", Syntax: "key element [element ...]", Arity: -3, Keys: First(listPush), Flags: Write | DenyOOM | Fast, Group: GroupList,
		Since: "2.2.0", Complexity: "O(N) with the number of elements given.", Summary: "Adds elements at the tail of a list if there is one.",
		History: [][2]string{{"4.0.0", "Accepts multiple `element` arguments."}}, Run: func(c *Call) error { return push(c, false, store.Write) }},
	{Name: "LPOP", Syntax: "key [count]", Arity: -2, Keys: First(listPop), Flags: Write | Fast, Group: GroupList,
		Since: "1.0.0", Complexity: "O(N) with the number of elements returned.", Summary: "Takes elements off the head of a list and returns them.",
		History: [][2]string{{"6.2.0", "Added the `count` argument."}}, Run: func(c *Call) error { return pop(c, true) }},
	{Name: "RPOP", Syntax: "key [count]", Arity: -2, Keys: First(listPop), Flags: Write | Fast, Group: GroupList,
		Since: "1.0.0", Complexity: "O(N) with the number of elements returned.", Summary: "Takes elements off the tail of a list and returns them.",
		History: [][2]string{{"6.2.0", "Added the `count` argument."}}, Run: func(c *Call) error { return pop(c, false) }},
	{Name: "LLEN", Syntax: "key", Arity: 2, Keys: First(RO), Flags: ReadOnly | Fast, Group: GroupList,
		Since: "1.0.0", Complexity: "O(1)", Summary: "Returns the length of a list.", Run: llen},
	{Name: "LRANGE", Syntax: "key start stop", Arity: 4, Keys: First(RO | Access), Flags: ReadOnly, Group: GroupList,
		Since: "1.0.0", Complexity: "O(M+N) with the number of nodes of the list before the range and the length of the range.", Summary: "Returns the elements between two indexes.", Run: lrange},
	{Name: "LINDEX", Syntax: "key index", Arity: 3, Keys: First(RO | Access), Flags: ReadOnly, Group: GroupList,
		Since: "1.0.0", Complexity: "O(N) with the number of nodes between the element and the nearer end.", Summary: "Returns the element at an index.", Run: lindex},
	{Name: "LSET", Syntax: "key index element", Arity: 4, Keys: First(RW | Update), Flags: Write | DenyOOM, Group: GroupList,
		Since: "1.0.0", Complexity: "O(N) with the number of nodes between the element and the nearer end.", Summary: "Replaces the element at an index.", Run: lset},
	{Name: "LINSERT", Syntax: "key BEFORE | AFTER pivot element", Arity: 5, Keys: First(RW | Insert), Flags: Write | DenyOOM, Group: GroupList,
		Since: "2.2.0", Complexity: "O(N) with the number of elements before the pivot.", Summary: "Adds an element before or behind the first one that equals the pivot.", Run: linsert},
	{Name: "LREM", Syntax: "key count element", Arity: 4, Keys: First(RW | Delete), Flags: Write, Group: GroupList,
		Since: "1.0.0", Complexity: "O(N) with the length of the list.", Summary: "Removes elements that equal a given one.", Run: lrem},
	{Name: "LTRIM", Syntax: "key start stop", Arity: 4, Keys: First(RW | Delete), Flags: Write, Group: GroupList,
		Since: "1.0.0", Complexity: "O(N) with the number of nodes removed.", Summary: "Removes all elements but those between two indexes.", Run: ltrim},
	{Name: "LPOS", Syntax: "key element [RANK rank] [COUNT num-matches] [MAXLEN len]", Arity: -3, Keys: First(RO | Access), Flags: ReadOnly, Group: GroupList,
		Since: "6.0.6", Complexity: "O(N) with the number of elements compared.", Summary: "Returns the indexes of elements that equal a given one.", Run: lpos},
	{Name: "RPOPLPUSH", Syntax: "source destination", Arity: 3, Keys: []KeySpec{At(1, listPop), At(2, listPush)}, Flags: Write | DenyOOM, Group: GroupList,
		Since: "1.2.0", Complexity: "O(1)", Summary: "Moves an element from the tail of one list to the head of another and returns it.",
		Deprecated: "6.2.0", ReplacedBy: "`LMOVE` with the `RIGHT` and `LEFT` arguments", Run: func(c *Call) error { return moveElement(c, false, true) }},
	{Name: "LMOVE", Syntax: "source destination LEFT | RIGHT LEFT | RIGHT", Arity: 5, Keys: []KeySpec{At(1, listPop), At(2, listPush)}, Flags: Write | DenyOOM, Group: GroupList,
		Since: "6.2.0", Complexity: "O(1)", Summary: "Moves an element from an end of one list to an end of another and returns it.", Run: lmove},
	{Name: "LMPOP", Syntax: "numkeys key [key ...] LEFT | RIGHT [COUNT count]", Arity: -4, Keys: []KeySpec{Counted(1, listPop)}, Flags: Write, Group: GroupList,
		Since: "7.0.0", Complexity: "O(N+M) with the number of keys and of elements returned.", Summary: "Takes elements off the first list that has any and returns them.", Run: lmpop},
	{Name: "BLPOP", Syntax: "key [key ...] timeout", Arity: -3, Keys: []KeySpec{Range(1, -2, 1, listPop)}, Flags: Write | Effects | Blocking, Group: GroupList,
		Since: "2.0.0", Complexity: "O(N) with the number of keys.", Summary: "Takes an element off the head of the first list that has any; waits for one if there is none.",
		History: [][2]string{{"6.0.0", "`timeout` is interpreted as a double instead of an integer."}}, Run: func(c *Call) error { return bpop(c, true) }},
	{Name: "BRPOP", Syntax: "key [key ...] timeout", Arity: -3, Keys: []KeySpec{Range(1, -2, 1, listPop)}, Flags: Write | Effects | Blocking, Group: GroupList,
		Since: "2.0.0", Complexity: "O(N) with the number of keys.", Summary: "Takes an element off the tail of the first list that has any; waits for one if there is none.",
		History: [][2]string{{"6.0.0", "`timeout` is interpreted as a double instead of an integer."}}, Run: func(c *Call) error { return bpop(c, false) }},
	{Name: "BRPOPLPUSH", Syntax: "source destination timeout", Arity: 4, Keys: []KeySpec{At(1, listPop), At(2, listPush)}, Flags: Write | Effects | DenyOOM | Blocking, Group: GroupList,
		Since: "2.2.0", Complexity: "O(1)", Summary: "Moves an element from the tail of one list to the head of another; waits for one if there is none.",
		Deprecated: "6.2.0", ReplacedBy: "`BLMOVE` with the `RIGHT` and `LEFT` arguments",
		History: [][2]string{{"6.0.0", "`timeout` is interpreted as a double instead of an integer."}}, Run: brpoplpush},
	{Name: "BLMOVE", Syntax: "source destination LEFT | RIGHT LEFT | RIGHT timeout", Arity: 6, Keys: []KeySpec{At(1, listPop), At(2, listPush)}, Flags: Write | Effects | DenyOOM | Blocking, Group: GroupList,
		Since: "6.2.0", Complexity: "O(1)", Summary: "Moves an element from an end of one list to an end of another; waits for one if there is none.", Run: blmove},
	{Name: "BLMPOP", Syntax: "timeout numkeys key [key ...] LEFT | RIGHT [COUNT count]", Arity: -5, Keys: []KeySpec{Counted(2, listPop)}, Flags: Write | Effects | Blocking, Group: GroupList,
		Since: "7.0.0", Complexity: "O(N+M) with the number of keys and of elements returned.", Summary: "Takes elements off the first list that has any; waits for some if there are none.", Run: blmpop},
}

func (c *Call) listLimit() list.Limit { return list.Limit(c.Tx.Limits().ListMaxListpackSize) }

// writeElement replies with the present element of it.
func (c *Call) writeElement(it *list.Iter) {
	if str, n, isInt := it.Value(); isInt {
		c.BulkInt(n)
	} else {
		c.Bulk(str)
	}
}

func push(c *Call, head bool, m store.Mode) error {
	key, elems := c.Args[1], c.Args[2:]
	for _, e := range elems {
		if len(e) > list.MaxElement {
			return ErrStringTooLong
		}
	}
	l, err := c.Tx.List(key, m)
	if err != nil {
		return err
	}
	if l == nil {
		c.Int(0)
		return nil
	}
	l.Push(elems, head, c.listLimit())
	c.Tx.Settle(key, l, len(elems))
	c.Notify(store.OnList, eitherEvent(head, "lpush", "rpush"), key)
	c.Int(int64(l.Len()))
	return nil
}

func pop(c *Call, head bool) error {
	if len(c.Args) > 3 {
		return errArity(c.Spec)
	}
	counted, count := len(c.Args) == 3, int64(1)
	if counted {
		a := c.From(2)
		count = a.IntErr(ErrMustBePositive)
		if a.Err() != nil || count < 0 {
			return ErrMustBePositive
		}
	}
	l, err := c.Tx.List(c.Args[1], store.Write)
	switch {
	case err != nil:
		return err
	case !counted && l == nil:
		c.Null()
	case !counted:
		c.takeOne(c.Args[1], l, head)
	case l == nil:
		c.NullArray()
	default:
		c.take(c.Args[1], l, head, count)
	}
	return nil
}

// takeOne pops the element at an end of l, which is not empty, and replies with it.
func (c *Call) takeOne(key []byte, l *list.List, head bool) {
	it := l.End(head)
	c.writeElement(&it)
	l.Drop(1, head, c.listLimit())
	c.Tx.Settle(key, l, 1)
	c.NotifyTaken(store.OnList, eitherEvent(head, "lpop", "rpop"), key, l.Len())
}

// take pops up to count elements and replies with an array.
func (c *Call) take(key []byte, l *list.List, head bool, count int64) {
	n := int(min(count, int64(l.Len())))
	c.Array(n)
	if n == 0 {
		return
	}
	it := l.End(head)
	for range n {
		c.writeElement(&it)
		it.Next()
	}
	l.Drop(n, head, c.listLimit())
	c.Tx.Settle(key, l, n)
	c.NotifyTaken(store.OnList, eitherEvent(head, "lpop", "rpop"), key, l.Len())
}

func llen(c *Call) error {
	l, err := c.Tx.List(c.Args[1], store.Read)
	if err != nil {
		return err
	}
	c.Int(int64(l.Len()))
	return nil
}

// listRange turns two indexes, negative ones counting from the end, into a range within n elements; none is left if
// stop < start.
func listRange(start, stop int64, n int) (int, int) {
	size := int64(n)
	if start < 0 {
		start = max(start+size, 0)
	}
	if stop < 0 {
		stop += size
	}
	stop = min(stop, size-1)
	if start > stop {
		return 0, -1
	}
	return int(start), int(stop)
}

func lrange(c *Call) error {
	a := c.From(2)
	start, stop := a.Int(), a.Int()
	if a.Err() != nil {
		return a.Err()
	}
	l, err := c.Tx.List(c.Args[1], store.Read)
	if err != nil {
		return err
	}
	from, to := listRange(start, stop, l.Len())
	c.Array(to - from + 1)
	it := l.Iter(from, false)
	for range to - from + 1 {
		c.writeElement(&it)
		it.Next()
	}
	return nil
}

func lindex(c *Call) error {
	l, err := c.Tx.List(c.Args[1], store.Read)
	if err != nil {
		return err
	}
	if l == nil {
		c.Null()
		return nil
	}
	a := c.From(2)
	i := a.Int()
	if a.Err() != nil {
		return a.Err()
	}
	it := l.Iter(int(i), false)
	if !it.Valid() {
		c.Null()
		return nil
	}
	c.writeElement(&it)
	return nil
}

func lset(c *Call) error {
	l, err := c.Tx.List(c.Args[1], store.Write)
	if err != nil {
		return err
	}
	if l == nil {
		return ErrNoSuchKey
	}
	a := c.From(2)
	i, elem := a.Int(), a.Next()
	switch {
	case a.Err() != nil:
		return a.Err()
	case len(elem) > list.MaxElement:
		return ErrStringTooLong
	case !l.Set(int(i), elem, c.listLimit()):
		return ErrIndexRange
	}
	c.Tx.Settle(c.Args[1], l, 1)
	c.Notify(store.OnList, "lset", c.Args[1])
	c.OK()
	return nil
}

func linsert(c *Call) error {
	key := c.Args[1]
	a := c.From(2)
	before := a.Is("BEFORE")
	if !before && !a.Is("AFTER") {
		return ErrSyntax
	}
	pivot, elem := a.Next(), a.Next()
	if len(elem) > list.MaxElement {
		return ErrStringTooLong
	}
	l, err := c.Tx.List(key, store.Write)
	switch {
	case err != nil:
		return err
	case l == nil:
		c.Int(0)
	case !l.Insert(pivot, elem, before, c.listLimit()):
		c.Int(-1)
	default:
		c.Tx.Settle(key, l, 1)
		c.Notify(store.OnList, "linsert", key)
		c.Int(int64(l.Len()))
	}
	return nil
}

func lrem(c *Call) error {
	a := c.From(2)
	count, elem := a.Int(), a.Next()
	if a.Err() != nil {
		return a.Err()
	}
	l, err := c.Tx.List(c.Args[1], store.Write)
	if err != nil {
		return err
	}
	n := 0
	if l != nil {
		n = l.Remove(elem, int(count), c.listLimit())
	}
	if n > 0 {
		c.Tx.Settle(c.Args[1], l, n)
		c.NotifyTaken(store.OnList, "lrem", c.Args[1], l.Len())
	}
	c.Int(int64(n))
	return nil
}

func ltrim(c *Call) error {
	a := c.From(2)
	start, stop := a.Int(), a.Int()
	if a.Err() != nil {
		return a.Err()
	}
	l, err := c.Tx.List(c.Args[1], store.Write)
	if err != nil {
		return err
	}
	if had := l.Len(); had > 0 {
		from, to := listRange(start, stop, had)
		l.Trim(from, to, c.listLimit())
		if n := had - l.Len(); n > 0 {
			c.Tx.Settle(c.Args[1], l, n)
		}
		c.NotifyTaken(store.OnList, "ltrim", c.Args[1], l.Len())
	}
	c.OK()
	return nil
}
