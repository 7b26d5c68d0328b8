package commands

import (
	"math"
	"slices"

	"github.com/streampulse/pulse/internal/num"
	"github.com/streampulse/pulse/store"
	"github.com/streampulse/pulse/store/bits"
)

// overflow is what becomes of a number that does not fit its field.
type overflow uint8

const (
	overflowWrap overflow = iota
	overflowSat
	overflowFail
)

// bitfieldOp is one operation of BITFIELD.
type bitfieldOp struct {
	kind     bitfieldKind
	signed   bool
	width    uint // 1..64, 1..63 if not signed
	overflow overflow
	at       int64 // the first bit
	value    int64 // to set or to add
}

type bitfieldKind uint8

const (
	bitfieldGet bitfieldKind = iota
	bitfieldSet
	bitfieldIncr
)

// bitfieldKeyUse: with nothing but GETs BITFIELD only reads. What is not understood counts as writing.
func bitfieldKeyUse(args [][]byte) KeyFlags {
	for i := 2; i < len(args); {
		switch {
		case is(args[i], "GET"):
			i += 3
		case is(args[i], "OVERFLOW"):
			i += 2
		default:
			return RW | Access | Update
		}
	}
	return RO | Access
}

// parseBitfield takes the operations and appends them to ops.
func parseBitfield(c *Call, a *Args, ops []bitfieldOp) []bitfieldOp {
	mode := overflowWrap
	for a.More() {
		op := bitfieldOp{overflow: mode}
		switch {
		case a.IsWith("GET", 2):
			op.kind = bitfieldGet
		case a.IsWith("SET", 3):
			op.kind = bitfieldSet
		case a.IsWith("INCRBY", 3):
			op.kind = bitfieldIncr
		case a.IsWith("OVERFLOW", 1):
			mode = parseOverflow(a)
			continue
		default:
			a.Fail(ErrSyntax)
			return ops
		}
		op.signed, op.width = parseBitfieldType(a)
		op.at = bitOffset(c, a, int64(op.width))
		if op.kind != bitfieldGet {
			op.value = a.Int()
		}
		ops = append(ops, op)
	}
	return ops
}

func parseOverflow(a *Args) overflow {
	switch {
	case a.Is("WRAP"):
		return overflowWrap
	case a.Is("SAT"):
		return overflowSat
	case a.Is("FAIL"):
		return overflowFail
	}
	a.Fail(ErrBitfieldOverflow)
	return overflowWrap
}

// parseBitfieldType takes a type like u8 or i16.
func parseBitfieldType(a *Args) (signed bool, width uint) {
	text := a.Next()
	if len(text) > 0 && (text[0] == 'i' || text[0] == 'u') {
		signed = text[0] == 'i'
		n, ok := num.ParseInt(text[1:])
		if ok && n >= 1 && (n < 64 || n == 64 && signed) {
			return signed, uint(n)
		}
	}
	a.Fail(ErrBitfieldType)
	return false, 1
}

func bitfieldRO(c *Call) error {
	var buf [8]bitfieldOp
	a := c.From(2)
	ops := parseBitfield(c, &a, buf[:0])
	if err := a.Err(); err != nil {
		return err
	}
	for i := range ops {
		if ops[i].kind != bitfieldGet {
			return ErrBitfieldReadOnly
		}
	}
	v, _, err := c.Tx.Text(c.Args[1])
	if err != nil {
		return err
	}
	c.Array(len(ops))
	for i := range ops {
		c.Int(ops[i].get(v))
	}
	return nil
}

func bitfield(c *Call) error {
	var buf [8]bitfieldOp
	a := c.From(2)
	ops := parseBitfield(c, &a, buf[:0])
	if err := a.Err(); err != nil {
		return err
	}
	read := c.Tx.Text
	if slices.ContainsFunc(ops, func(op bitfieldOp) bool { return op.kind != bitfieldGet }) {
		read = c.Tx.TextToChange
	}
	v, _, err := read(c.Args[1])
	if err != nil {
		return err
	}
	// A string grows for all that is to be written before anything is, also for what will fail.
	n, writable := len(v), false
	for i := range ops {
		if op := &ops[i]; op.kind != bitfieldGet {
			last := op.at>>3 + (op.at&7+int64(op.width)-1)>>3
			if err := checkTextLen(c, last, 1); err != nil {
				return err
			}
			n = max(n, int(last)+1)
		}
	}
	if n > len(v) {
		v, writable = c.Tx.Resize(c.Args[1], n), true
	}
	c.Array(len(ops))
	for i := range ops {
		op := &ops[i]
		old := op.get(v)
		next, fits := op.next(old)
		if !fits {
			c.Null()
			continue
		}
		if next != old {
			if !writable {
				v, writable = c.Tx.Resize(c.Args[1], n), true
			}
			bits.PutField(v, op.at, op.width, uint64(next))
		}
		if op.kind == bitfieldIncr {
			old = next
		}
		c.Int(old)
	}
	if writable {
		c.Notify(store.OnString, "setbit", c.Args[1])
	}
	return nil
}

// get reads the field.
func (op *bitfieldOp) get(v []byte) int64 {
	if op.signed {
		return bits.SignedField(v, op.at, op.width)
	}
	return int64(bits.Field(v, op.at, op.width))
}

// next returns what the field is to hold, given what it holds; fits is false if that does not fit and must fail.
func (op *bitfieldOp) next(old int64) (next int64, fits bool) {
	from, by := old, op.value
	switch op.kind {
	case bitfieldGet:
		return old, true
	case bitfieldSet:
		from, by = op.value, 0
	}
	least, most := op.bounds()
	sum, ok := num.AddInt(from, by)
	var low, high bool
	switch {
	case !ok:
		low, high = by < 0, by > 0
	case !op.signed && op.kind == bitfieldSet && sum < 0:
		high = true // a negative number to set is taken for a great one
	default:
		low, high = sum < least, sum > most
	}
	switch {
	case !low && !high:
		return sum, true
	case op.overflow == overflowFail:
		return 0, false
	case op.overflow == overflowWrap:
		return op.wrap(uint64(from) + uint64(by)), true
	case low:
		return least, true
	}
	return most, true
}

// bounds returns the least and the greatest number of the type.
func (op *bitfieldOp) bounds() (least, most int64) {
	if op.signed {
		most = math.MaxInt64 >> (64 - op.width)
		return -most - 1, most
	}
	return 0, int64(uint64(math.MaxUint64) >> (64 - op.width))
}

// wrap keeps the bits of v that the type has.
func (op *bitfieldOp) wrap(v uint64) int64 {
	v <<= 64 - op.width
	if op.signed {
		return int64(v) >> (64 - op.width)
	}
	return int64(v >> (64 - op.width))
}
