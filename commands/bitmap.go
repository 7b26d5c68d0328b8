package commands

import (
	"bytes"

	"github.com/streampulse/pulse/internal/num"
	"github.com/streampulse/pulse/store"
	"github.com/streampulse/pulse/store/bits"
)

var bitmapCommands = []Spec{
	{Name: "SETBIT", Syntax: "key offset value", Arity: 4, Keys: First(RW | Access | Update), Flags: Write | DenyOOM, Group: GroupBitmap,
		Since: "2.2.0", Complexity: "O(1), but for the zeros a string grows by.", Summary: "Writes a bit of a string and returns what it was.", Run: setbit},
	{Name: "GETBIT", Syntax: "key offset", Arity: 3, Keys: First(RO | Access), Flags: ReadOnly | Fast, Group: GroupBitmap,
		Since: "2.2.0", Complexity: "O(1)", Summary: "Returns a bit of a string.", Run: getbit},
	{Name: "BITCOUNT", Syntax: "key [start end [BYTE | BIT]]", Arity: -2, Keys: First(RO | Access), Flags: ReadOnly, Group: GroupBitmap,
		Since: "2.6.0", Complexity: "O(N) with the length of the part.", Summary: "Counts the bits that are set in a string.",
		History: [][2]string{{"7.0.0", "Added the `BYTE|BIT` option."}}, Run: bitcount},
	{Name: "BITPOS", Syntax: "key bit [start [end [BYTE | BIT]]]", Arity: -3, Keys: First(RO | Access), Flags: ReadOnly, Group: GroupBitmap,
		Since: "2.8.7", Complexity: "O(N) with the length of the part.", Summary: "Finds the first bit that is set, or clear, in a string.",
		History: [][2]string{{"7.0.0", "Added the `BYTE|BIT` option."}}, Run: bitpos},
	{Name: "BITOP", Syntax: "<AND | OR | XOR | NOT | DIFF | DIFF1 | ANDOR | ONE> destkey key [key ...]", Arity: -4,
		Keys:  []KeySpec{At(2, OW|Update), Range(3, -1, 1, RO|Access)},
		Flags: Write | DenyOOM, Group: GroupBitmap,
		Since: "2.6.0", Complexity: "O(N) with the lengths of all sources.", Summary: "Stores what a bitwise operation makes of strings.",
		History: [][2]string{{"8.2.0", "Added the `DIFF`, `DIFF1`, `ANDOR` and `ONE` operations."}}, Run: bitop},
	{Name: "BITFIELD", Syntax: "key [<GET encoding offset | <[OVERFLOW <WRAP | SAT | FAIL>] <SET encoding offset value | INCRBY encoding offset increment>>> ...]", Arity: -2,
		Keys: First(RW | Access | Update | VariableFlags), KeyUse: bitfieldKeyUse, Flags: Write | DenyOOM, Group: GroupBitmap,
		Since: "3.2.0", Complexity: "O(1) for each operation.", Summary: "Reads and writes integers of any width in a string.", Run: bitfield},
	{Name: "BITFIELD_RO", Syntax: "key [GET encoding offset [GET encoding offset ...]]", Arity: -2, Keys: First(RO | Access), Flags: ReadOnly | Fast, Group: GroupBitmap,
		Since: "6.0.0", Complexity: "O(1) for each operation.", Summary: "Reads integers of any width in a string.", Run: bitfieldRO},
}

// bitOffset takes the position of a bit. With a width it may be given as #n: n fields of that many bits on.
func bitOffset(c *Call, a *Args, width int64) int64 {
	text := a.Next()
	if a.err != nil {
		return 0
	}
	unit := int64(1)
	if width > 0 && len(text) > 0 && text[0] == '#' {
		unit, text = width, text[1:]
	}
	n, ok := num.ParseInt(text)
	if ok {
		// Redis 7 lets the product wrap around, and writes where nobody asked it to.
		n, ok = num.MulInt(n, unit)
	}
	if !ok || n < 0 || n>>3 >= c.Env.MaxBulk() {
		a.Fail(ErrBitOffset)
	}
	return n
}

func setbit(c *Call) error {
	key := c.Args[1]
	a := c.From(2)
	p := bitOffset(c, &a, 0)
	on := a.IntErr(ErrBit)
	if on&^1 != 0 {
		a.Fail(ErrBit)
	}
	if err := a.Err(); err != nil {
		return err
	}
	v, _, err := c.Tx.TextToChange(key)
	if err != nil {
		return err
	}
	old := int64(bits.Get(v, p))
	n := len(v)
	if p>>3 >= int64(n) {
		if err := checkTextLen(c, p>>3, 1); err != nil {
			return err
		}
		n = int(p>>3) + 1
	}
	if n > len(v) || on != old {
		bits.Put(c.Tx.Resize(key, n), p, on == 1)
		c.Notify(store.OnString, "setbit", key)
	}
	c.Int(old)
	return nil
}

func getbit(c *Call) error {
	a := c.From(2)
	p := bitOffset(c, &a, 0)
	if err := a.Err(); err != nil {
		return err
	}
	v, _, err := c.Tx.Text(c.Args[1])
	if err != nil {
		return err
	}
	c.Int(int64(bits.Get(v, p)))
	return nil
}

// bitRange is a part of a string as BITCOUNT and BITPOS name it: from..to, both included, in bytes or bits; negative
// positions count from the end.
type bitRange struct {
	from, to int64
	inBits   bool
}

// within cuts the range to a string of n bytes and returns it in bits; from is greater than to if nothing is left.
func (r bitRange) within(n int) (from, to int64) {
	total := int64(n)
	if r.inBits {
		total *= 8
	}
	from, to = r.from, r.to
	if from < 0 {
		from = max(from+total, 0)
	}
	if to < 0 {
		to = max(to+total, 0)
	}
	if to = min(to, total-1); from > to {
		return 1, 0
	}
	if !r.inBits {
		from, to = from*8, to*8+7
	}
	return from, to
}

// parseUnit takes BYTE or BIT.
func (r *bitRange) parseUnit(a *Args) {
	if r.inBits = a.Is("BIT"); !r.inBits && !a.Is("BYTE") {
		a.Fail(ErrSyntax)
	}
}

// bitcount checks its arguments before it looks at the key, as Redis does since 7.2.
func bitcount(c *Call) error {
	a := c.From(2)
	r := bitRange{from: 0, to: -1}
	switch a.Left() {
	case 0:
	case 2:
		r.from, r.to = a.Int(), a.Int()
	case 3:
		r.from, r.to = a.Int(), a.Int()
		r.parseUnit(&a)
	default:
		a.Fail(ErrSyntax)
	}
	if err := a.Err(); err != nil {
		return err
	}
	v, _, err := c.Tx.Text(c.Args[1])
	if err != nil {
		return err
	}
	if r.from < 0 && r.to < 0 && r.from > r.to {
		c.Int(0) // even if both are the first byte, once they are cut to the string
		return nil
	}
	from, to := r.within(len(v))
	c.Int(bits.CountIn(v, from, to))
	return nil
}

// bitpos checks its arguments before it looks at the key, as Redis does since 7.2.
func bitpos(c *Call) error {
	a := c.From(2)
	bit := a.Int()
	if bit&^1 != 0 {
		a.Fail(ErrBitArgument)
	}
	r := bitRange{from: 0, to: -1}
	left := a.Left()
	if left > 3 {
		a.Fail(ErrSyntax)
	}
	if left > 0 {
		r.from = a.Int()
	}
	if left == 3 { // the unit before the end: the first of two errors is the reply
		unit := Args{v: a.v, i: a.i + 1, err: a.err}
		r.parseUnit(&unit)
		a.err = unit.err
	}
	if left > 1 {
		r.to = a.Int()
	}
	if err := a.Err(); err != nil {
		return err
	}
	v, ok, err := c.Tx.Text(c.Args[1])
	if err != nil {
		return err
	}
	c.Int(bitPosition(v, ok, bit == 1, r, left > 1))
	return nil
}

// bitPosition is the reply of BITPOS. A string that does not exist is zeros without end; one that does goes on with
// zeros if the range has no end of its own.
func bitPosition(v []byte, exists, set bool, r bitRange, ends bool) int64 {
	if !exists {
		if set {
			return -1
		}
		return 0
	}
	from, to := r.within(len(v))
	p := bits.Find(v, set, from, to)
	if p < 0 && from <= to && !set && !ends {
		p = int64(len(v)) * 8
	}
	return p
}

// bitOps are the operations of BITOP.
var bitOps = [...]struct {
	name string
	op   bits.Op
}{
	{"AND", bits.And}, {"OR", bits.Or}, {"XOR", bits.Xor}, {"NOT", bits.Not},
	{"DIFF", bits.Diff}, {"DIFF1", bits.Diff1}, {"ANDOR", bits.AndOr}, {"ONE", bits.One},
}

// parseBitOp takes an operation that is to work on so many sources.
func parseBitOp(a *Args, sources int) (op bits.Op) {
	for _, o := range bitOps {
		if !a.Is(o.name) {
			continue
		}
		switch o.op {
		case bits.Not:
			if sources != 1 {
				a.Fail(ErrBitopNot)
			}
		case bits.Diff, bits.Diff1, bits.AndOr:
			if sources < 2 {
				a.Fail(errBitopSources(o.name))
			}
		}
		return o.op
	}
	a.Fail(ErrSyntax)
	return 0
}

func bitop(c *Call) error {
	a := c.From(1)
	op := parseBitOp(&a, len(c.Args)-3)
	if err := a.Err(); err != nil {
		return err
	}
	var buf [16][]byte
	srcs, n := buf[:0], 0
	for _, key := range c.Args[3:] {
		v, _, err := c.Tx.Text(key)
		if err != nil {
			return err
		}
		srcs = append(srcs, v)
		n = max(n, len(v))
	}
	if n == 0 {
		c.deleteKey(c.Args[2])
	} else {
		bits.Combine(bitopResult(c, srcs, n), op, srcs)
		c.Notify(store.OnString, "set", c.Args[2])
	}
	c.Int(int64(n))
	return nil
}

// bitopResult makes the destination n bytes long, without a deadline. If it is a source it changes in place, and what
// srcs has of it is replaced.
func bitopResult(c *Call, srcs [][]byte, n int) (v []byte) {
	dest := c.Args[2]
	for i, key := range c.Args[3:] {
		if !bytes.Equal(key, dest) {
			continue
		}
		if v == nil {
			c.Tx.Persist(dest)
			v = c.Tx.Resize(dest, n)
		}
		srcs[i] = v
	}
	if v == nil {
		v = c.Tx.NewText(dest, n)
	}
	return v
}
