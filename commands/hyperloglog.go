package commands

import (
	"slices"
	"sync"

	"github.com/streampulse/pulse/store"
	"github.com/streampulse/pulse/store/hll"
)

var hyperloglogCommands = []Spec{
	{Name: "PFADD", Syntax: "key [element [element ...]]", Arity: -2, Keys: First(RW | Insert), Flags: Write | DenyOOM | Fast, Group: GroupHyperLogLog,
		Since: "2.8.9", Complexity: "O(1) for each element.", Summary: "Adds elements to a HyperLogLog.", Run: pfadd},
	{Name: "PFCOUNT", Syntax: "key [key ...]", Arity: -2, Keys: []KeySpec{Range(1, -1, 1, RW|Access)}, Flags: ReadOnly | MayReplicate, Group: GroupHyperLogLog,
		Since: "2.8.9", Complexity: "O(1) for one key that was counted since it changed, else O(N) with the number of keys.",
		Summary: "Estimates how many different elements were added to HyperLogLogs.", Run: pfcount},
	{Name: "PFMERGE", Syntax: "destkey [sourcekey [sourcekey ...]]", Arity: -2, Keys: []KeySpec{At(1, RW|Access|Insert), Range(2, -1, 1, RO|Access)},
		Flags: Write | DenyOOM, Group: GroupHyperLogLog,
		Since: "2.8.9", Complexity: "O(N) with the number of keys.", Summary: "Merges HyperLogLogs into one.", Run: pfmerge},
	{Name: "PFDEBUG", Syntax: "subcommand key", Arity: 3, Keys: []KeySpec{At(2, RW|Access)}, Flags: Write | DenyOOM | Admin | SysCmd, Group: GroupHyperLogLog,
		Since: "2.8.9", Complexity: "O(1)", Summary: "Shows the representation of a HyperLogLog.", Run: pfdebug},
	{Name: "PFSELFTEST", Arity: 1, Flags: Admin | SysCmd, Group: GroupHyperLogLog,
		Since: "2.8.9", Complexity: "O(1)", Summary: "Tests the implementation of HyperLogLog.", Run: pfselftest},
}

// sketch is memory to work on a HyperLogLog in: a working copy, and the registers of several values.
type sketch struct {
	b     []byte
	union hll.Union
}

var sketches = sync.Pool{New: func() any { return &sketch{b: make([]byte, 0, hll.DenseSize)} }}

// sketchRoom is what the string of a sparse HyperLogLog grows by beyond need, in bytes.
const sketchRoom = 256

// sketchAt returns the HyperLogLog at key for reading, nil if there is no such key.
func (c *Call) sketchAt(key []byte) ([]byte, error) {
	return checkSketch(c.Tx.Text(key))
}

// sketchToChange is sketchAt for a command that is about to write.
func (c *Call) sketchToChange(key []byte) ([]byte, error) { return checkSketch(c.Tx.TextToChange(key)) }

func checkSketch(b []byte, found bool, err error) ([]byte, error) {
	switch {
	case err != nil || !found:
		return nil, err
	case !hll.Valid(b):
		return nil, ErrNotHLL
	}
	return b, nil
}

// putSketch makes key hold the working copy b.
func (c *Call) putSketch(key, b []byte) { copy(c.Tx.ResizeWithin(key, len(b), sketchRoom), b) }

func pfadd(c *Call) error {
	key, elems := c.Args[1], c.Args[2:]
	old, err := c.sketchToChange(key)
	if err != nil {
		return err
	}
	if old != nil && hll.IsDense(old) {
		pfaddDense(c, old)
		return nil
	}
	s := sketches.Get().(*sketch)
	defer sketches.Put(s)
	changed := old == nil
	if changed {
		s.b = hll.AppendNew(s.b[:0])
	} else if len(old) > hll.MaxSparse {
		return hll.ErrCorrupt
	} else {
		s.b = append(s.b[:0], old...)
	}
	most := c.Tx.Limits().HLLSparseMaxBytes
	for _, elem := range elems {
		b, raised, err := hll.Add(s.b, elem, most)
		if err != nil {
			return err
		}
		s.b, changed = b, changed || raised
	}
	if changed {
		hll.Invalidate(s.b)
		c.putSketch(key, s.b)
		c.Notify(store.OnString, "pfadd", key)
	}
	c.Int(oneIf(changed))
	return nil
}

// pfaddDense adds to a dense HyperLogLog in place.
func pfaddDense(c *Call, old []byte) {
	key, elems := c.Args[1], c.Args[2:]
	i := slices.IndexFunc(elems, func(elem []byte) bool { return hll.Raises(old, elem) })
	if i < 0 {
		c.Int(0)
		return
	}
	b := c.Tx.ResizeWithin(key, len(old), 0)
	for _, elem := range elems[i:] {
		_, _, _ = hll.Add(b, elem, 0) // a dense one has room for everything
	}
	hll.Invalidate(b)
	c.Notify(store.OnString, "pfadd", key)
	c.Int(1)
}

func pfcount(c *Call) error {
	if len(c.Args) > 2 {
		return pfcountUnion(c)
	}
	key := c.Args[1]
	b, err := c.sketchAt(key)
	if err != nil || b == nil {
		c.Int(0)
		return err
	}
	n, ok := hll.Cached(b)
	if !ok {
		if n, err = hll.Count(b); err != nil {
			return err
		}
		hll.SetCached(c.Tx.ResizeWithin(key, len(b), 0), n)
	}
	c.Int(int64(n))
	return nil
}

func pfcountUnion(c *Call) error {
	s := sketches.Get().(*sketch)
	defer sketches.Put(s)
	if _, err := c.union(s, c.Args[1:]); err != nil {
		return err
	}
	c.Int(int64(s.union.Count()))
	return nil
}

// union merges the HyperLogLogs at keys into that of s. dense tells that one of them is.
func (c *Call) union(s *sketch, keys [][]byte) (dense bool, err error) {
	s.union.Reset()
	for _, key := range keys {
		b, err := c.sketchAt(key)
		if err == nil && b != nil {
			dense = dense || hll.IsDense(b)
			err = s.union.Merge(b)
		}
		if err != nil {
			return false, err
		}
	}
	return dense, nil
}

func pfmerge(c *Call) error {
	s := sketches.Get().(*sketch)
	defer sketches.Put(s)
	key := c.Args[1]
	dense, err := c.union(s, c.Args[1:])
	if err != nil {
		return err
	}
	old, err := c.sketchToChange(key)
	if err != nil {
		return err
	}
	if s.b = append(s.b[:0], old...); old == nil {
		s.b = hll.AppendNew(s.b)
	}
	if dense {
		if s.b, err = hll.ToDense(s.b); err != nil {
			return err
		}
	}
	if s.b, err = s.union.Write(s.b, c.Tx.Limits().HLLSparseMaxBytes); err != nil {
		return err
	}
	hll.Invalidate(s.b)
	c.putSketch(key, s.b)
	c.Notify(store.OnString, "pfadd", key)
	c.OK()
	return nil
}

func pfdebug(c *Call) error {
	key := c.Args[2]
	b, err := c.sketchAt(key)
	if err != nil {
		return err
	}
	if b == nil {
		return ErrHLLNoKey
	}
	a := c.From(1)
	switch {
	case a.Is("GETREG"):
		return pfdebugGetreg(c, key, b)
	case a.Is("DECODE"):
		if hll.IsDense(b) {
			return ErrHLLNotSparse
		}
		c.Bulk(hll.AppendRuns(nil, b))
	case a.Is("ENCODING"):
		if hll.IsDense(b) {
			c.Simple("dense")
		} else {
			c.Simple("sparse")
		}
	case a.Is("TODENSE"):
		made, err := c.makeDense(key, b)
		if err != nil {
			return err
		}
		c.Int(oneIf(made))
	default:
		return errPfdebug(c.Args[1])
	}
	return nil
}

// pfdebugGetreg writes all registers. As in Redis the value becomes dense by it.
func pfdebugGetreg(c *Call, key, b []byte) error {
	s := sketches.Get().(*sketch)
	defer sketches.Put(s)
	s.union.Reset()
	if err := s.union.Merge(b); err != nil {
		return err
	}
	if _, err := c.makeDense(key, b); err != nil {
		return err
	}
	c.Array(hll.Registers)
	for i := range hll.Registers {
		c.Int(int64(s.union.Register(i)))
	}
	return nil
}

// makeDense makes the HyperLogLog b at key dense and reports whether it was sparse.
func (c *Call) makeDense(key, b []byte) (made bool, err error) {
	if hll.IsDense(b) {
		return false, nil
	}
	wide, err := hll.ToDense(slices.Clip(slices.Clone(b)))
	if err != nil {
		return false, err
	}
	c.putSketch(key, wide)
	return true, nil
}

// oneIf is 1 for true, else 0.
func oneIf(b bool) int64 {
	if b {
		return 1
	}
	return 0
}

func pfselftest(c *Call) error {
	if err := hll.SelfTest(); err != nil {
		return errSelftest(err)
	}
	c.OK()
	return nil
}
