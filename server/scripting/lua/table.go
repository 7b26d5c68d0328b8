package lua

import (
	"math"
	"math/bits"
	"unsafe"
)

// A Table is the language's table. Its layout is that of Lua 5.1 (an array part, and a hash part of chained scatter with
// Brent's variation whose sizes are powers of two), because the order of next, the border that # finds and so the bytes of encoded
// tables follow from it, and scripts see them.
type Table struct {
	arr      []Value
	node     []node // its length is a power of two, or it is nil
	lastFree int
	meta     *Table
	owner    *State
	id       uint32
	mark     uint32
	readonly bool
}

type node struct {
	key, val Value
	next     int32 // place of the next node of the chain, plus one
}

const (
	nodeBytes  = int(unsafe.Sizeof(node{}))
	valueBytes = int(unsafe.Sizeof(Value{}))
	tableBytes = int(unsafe.Sizeof(Table{}))
	maxBits    = 26 // tables are bounded by memory long before this many slots
)

// NewTable makes a table with room for so many elements in its array and its hash part.
func (s *State) NewTable(narr, nhash int) *Table {
	s.charge(tableBytes)
	t := &Table{owner: s, id: s.nextID()}
	if narr > 0 {
		s.charge(narr * valueBytes)
		t.arr = make([]Value, narr)
	}
	if nhash > 0 {
		t.setNodes(nhash)
	}
	return t
}

func (t *Table) setNodes(n int) {
	if n == 0 {
		t.node, t.lastFree = nil, 0
		return
	}
	lg := bits.Len(uint(n - 1))
	if lg > maxBits {
		panic(t.owner.newError("table overflow"))
	}
	t.owner.charge(nodeBytes << lg)
	t.node = make([]node, 1<<lg)
	t.lastFree = 1 << lg
}

// hashString samples at most 32 bytes, as Lua 5.1 does.
func hashString(s string) uint32 {
	h := uint32(len(s))
	step := len(s)>>5 + 1
	for i := len(s); i >= step; i -= step {
		h ^= h<<5 + h>>2 + uint32(s[i-1])
	}
	return h
}

func (t *Table) mainPosition(k Value) int {
	switch k.p {
	case unsafe.Pointer(&numberTag):
		return t.hashNumber(k.num())
	case unsafe.Pointer(&booleanTag):
		return int(k.n) & (len(t.node) - 1)
	}
	var id uint32
	switch Kind(uint8(k.n)) {
	case String:
		return int(hashString(k.str())) & (len(t.node) - 1)
	case TableKind:
		id = k.table().id
	case FunctionKind:
		id = k.fn().id
	case ThreadKind:
		id = k.thread().id
	}
	return int(id % uint32((len(t.node)-1)|1))
}

func (t *Table) hashNumber(f float64) int {
	if f == 0 {
		return 0
	}
	b := math.Float64bits(f)
	return int((uint32(b) + uint32(b>>32)) % uint32((len(t.node)-1)|1))
}

// Get is the value of a key, without metamethods.
func (t *Table) Get(k Value) Value {
	if k.isNum() {
		f := k.num()
		if i := int(f); float64(i) == f {
			return t.GetInt(i)
		}
		if p := t.find(k); p != nil {
			return *p
		}
		return Value{}
	}
	if k.isStr() {
		return t.getStr(k)
	}
	if k.isNil() {
		return Value{}
	}
	if p := t.find(k); p != nil {
		return *p
	}
	return Value{}
}

// GetInt is the value of an integer key.
func (t *Table) GetInt(i int) Value {
	if uint(i-1) < uint(len(t.arr)) {
		return t.arr[i-1]
	}
	if t.node == nil {
		return Value{}
	}
	f := float64(i)
	at := t.hashNumber(f)
	for {
		n := &t.node[at]
		if n.key.isNum() && n.key.num() == f {
			return n.val
		}
		if n.next == 0 {
			return Value{}
		}
		at = int(n.next - 1)
	}
}

// GetStr is the value of a string key.
func (t *Table) GetStr(s string) Value { return t.getStr(Str(s)) }

func (t *Table) getStr(k Value) Value {
	if t.node == nil {
		return Value{}
	}
	return t.getHashed(k, hashString(k.str()))
}

func (t *Table) getHashed(k Value, h uint32) Value {
	if t.node == nil {
		return Value{}
	}
	if p := t.findHashed(k, h); p != nil {
		return *p
	}
	return Value{}
}

func (t *Table) findHashed(k Value, h uint32) *Value {
	at := int(h) & (len(t.node) - 1)
	for {
		n := &t.node[at]
		if n.key.n == k.n && (n.key.p == k.p || n.key.isStr() && n.key.str() == k.str()) {
			return &n.val
		}
		if n.next == 0 {
			return nil
		}
		at = int(n.next - 1)
	}
}

func (t *Table) find(k Value) *Value {
	if t.node == nil {
		return nil
	}
	at := t.mainPosition(k)
	for {
		n := &t.node[at]
		if n.key.Equal(k) {
			return &n.val
		}
		if n.next == 0 {
			return nil
		}
		at = int(n.next - 1)
	}
}

// slot finds where the value of a present key is, or nil.
func (t *Table) slot(k Value) *Value {
	if k.isNum() {
		f := k.num()
		if i := int(f); float64(i) == f && uint(i-1) < uint(len(t.arr)) {
			return &t.arr[i-1]
		}
	}
	return t.find(k)
}

// Set stores without metamethods and without regard to the read-only mark. The key is neither nil nor NaN.
func (t *Table) Set(k, v Value) {
	if p := t.slot(k); p != nil {
		*p = v
		return
	}
	if k.isNum() && k.num() == 0 {
		k = Num(0) // minus zero is the same key
	}
	t.insert(k, v)
}

// SetInt stores under an integer key.
func (t *Table) SetInt(i int, v Value) {
	if uint(i-1) < uint(len(t.arr)) {
		t.arr[i-1] = v
		return
	}
	t.Set(Int(i), v)
}

// SetStr stores under a string key.
func (t *Table) SetStr(s string, v Value) { t.Set(Str(s), v) }

// SetReadOnly makes every assignment by scripts an error.
func (t *Table) SetReadOnly(on bool) { t.readonly = on }

// SetMeta gives the table a metatable.
func (t *Table) SetMeta(m *Table) { t.meta = m }

// Recycle empties a table that nobody holds any more, and gives it n nil elements.
func (t *Table) Recycle(n int) {
	if cap(t.arr) < n || cap(t.arr) > 64 {
		t.arr = make([]Value, n)
	} else {
		clear(t.arr[:cap(t.arr)])
		t.arr = t.arr[:n]
	}
	t.node, t.lastFree, t.meta, t.readonly = nil, 0, nil, false
	t.owner.charge(n * valueBytes)
}

// Meta is the metatable, or nil.
func (t *Table) Meta() *Table { return t.meta }

// insert adds a key that is not there. A new nil value is stored too: the caller decided to.
func (t *Table) insert(k, v Value) {
	if t.node == nil {
		t.rehash(k)
		t.Set(k, v)
		return
	}
	mp := t.mainPosition(k)
	if !t.node[mp].val.isNil() {
		free := -1
		for t.lastFree > 0 {
			t.lastFree--
			if t.node[t.lastFree].key.isNil() {
				free = t.lastFree
				break
			}
		}
		if free < 0 {
			t.rehash(k)
			t.Set(k, v)
			return
		}
		other := t.mainPosition(t.node[mp].key)
		if other != mp {
			// The node here is not at its own place: it gives way.
			for int(t.node[other].next-1) != mp {
				other = int(t.node[other].next - 1)
			}
			t.node[other].next = int32(free + 1)
			t.node[free] = t.node[mp]
			t.node[mp].next = 0
			t.node[mp].val = Value{}
		} else {
			t.node[free].next = t.node[mp].next
			t.node[mp].next = int32(free + 1)
			mp = free
		}
	}
	t.node[mp].key = k
	t.node[mp].val = v
}

// rehash chooses the sizes of both parts for the present keys and one more.
func (t *Table) rehash(extra Value) {
	var nums [maxBits + 1]int
	count := func(k Value) bool {
		if k.isNum() {
			f := k.num()
			if i := int(f); float64(i) == f && i > 0 && i <= 1<<maxBits {
				nums[bits.Len(uint(i-1))]++
				return true
			}
		}
		return false
	}
	inArray, total := 0, 0
	for i := range t.arr {
		if !t.arr[i].isNil() {
			nums[bits.Len(uint(i))]++
			inArray++
		}
	}
	total = inArray
	for i := range t.node {
		if n := &t.node[i]; !n.val.isNil() {
			if count(n.key) {
				inArray++
			}
			total++
		}
	}
	if count(extra) {
		inArray++
	}
	total++
	size, used := 0, 0
	for i, twoToI, acc := 0, 1, 0; i <= maxBits && twoToI/2 < inArray; i, twoToI = i+1, twoToI*2 {
		if nums[i] > 0 {
			acc += nums[i]
			if acc > twoToI/2 {
				size, used = twoToI, acc
			}
		}
		if acc == inArray {
			break
		}
	}
	t.resize(size, total-used)
}

func (t *Table) resize(narr, nhash int) {
	oldArr, oldNode := t.arr, t.node
	if narr > len(oldArr) {
		t.owner.charge((narr - len(oldArr)) * valueBytes)
		if narr <= cap(oldArr) {
			t.arr = oldArr[:narr]
		} else {
			a := make([]Value, narr)
			copy(a, oldArr)
			t.arr = a
		}
	}
	t.setNodes(nhash)
	if narr < len(oldArr) {
		t.arr = oldArr[:narr:narr]
		for i := narr; i < len(oldArr); i++ {
			if !oldArr[i].isNil() {
				t.Set(Int(i+1), oldArr[i])
			}
		}
	}
	for i := len(oldNode) - 1; i >= 0; i-- {
		if n := &oldNode[i]; !n.val.isNil() {
			t.Set(n.key, n.val)
		}
	}
}

// growArray makes the array part hold n elements at least.
func (t *Table) growArray(n int) {
	if n > len(t.arr) {
		t.resize(n, len(t.node))
	}
}

// Len is a border of the table: what the operator # gives.
func (t *Table) Len() int {
	j := len(t.arr)
	if j > 0 && t.arr[j-1].isNil() {
		i := 0
		for j-i > 1 {
			m := (i + j) / 2
			if t.arr[m-1].isNil() {
				j = m
			} else {
				i = m
			}
		}
		return i
	}
	if t.node == nil {
		return j
	}
	i := j
	j++
	for !t.GetInt(j).isNil() {
		i = j
		if j > 1<<30 {
			n := 1
			for !t.GetInt(n).isNil() {
				n++
			}
			return n - 1
		}
		j *= 2
	}
	for j-i > 1 {
		m := (i + j) / 2
		if t.GetInt(m).isNil() {
			j = m
		} else {
			i = m
		}
	}
	return i
}

// Next is the pair after key, in the table's order; the first for nil. more is false at the end. ok is false for a key that the
// table does not have.
func (t *Table) Next(key Value) (k, v Value, more, ok bool) {
	at := 0
	switch {
	case key.isNil():
	default:
		at = -1
		if key.isNum() {
			f := key.num()
			if i := int(f); float64(i) == f && i > 0 && i <= len(t.arr) {
				at = i
			}
		}
		if at < 0 {
			if t.node == nil {
				return k, v, false, false
			}
			pos := t.mainPosition(key)
			for {
				if t.node[pos].key.Equal(key) {
					break
				}
				if t.node[pos].next == 0 {
					return k, v, false, false
				}
				pos = int(t.node[pos].next - 1)
			}
			at = len(t.arr) + pos + 1
		}
	}
	k, v, _, more = t.Step(at)
	return k, v, more, true
}

// Step iterates by position: from 0 and then from the position that it returned, until more is false. The table must not get new
// keys meanwhile.
func (t *Table) Step(at int) (k, v Value, next int, more bool) {
	for ; at < len(t.arr); at++ {
		if !t.arr[at].isNil() {
			return Int(at + 1), t.arr[at], at + 1, true
		}
	}
	for i := at - len(t.arr); i < len(t.node); i++ {
		if n := &t.node[i]; !n.val.isNil() {
			return n.key, n.val, len(t.arr) + i + 1, true
		}
	}
	return k, v, at, false
}
