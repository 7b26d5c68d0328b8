package lua

import "unsafe"

// Memory of a script: every string, table, closure and thread is charged when it is made or grows. When the charges reach a mark, what
// is still reachable is measured, and a script that holds more than its quota gets "not enough memory".

// SetQuota limits the bytes of values that a script may hold; 0 takes the limit away. What is held already counts as the state's own.
func (s *State) SetQuota(bytes int) {
	s.memory.quota = bytes
	s.memory.held = 0
	s.memory.next = s.firstMeasure()
}

func (s *State) firstMeasure() int {
	if s.memory.quota == 0 {
		return 1 << 62
	}
	return s.memory.quota / 2
}

// Charge counts bytes that a Go function is about to allocate for the script.
func (s *State) Charge(n int) { s.charge(n) }

func (s *State) charge(n int) {
	if s.memory.held += n; s.memory.held > s.memory.next {
		s.overMark(n)
	}
}

// overMark measures and decides. n bytes have been charged and are not allocated yet.
func (s *State) overMark(n int) {
	m := &s.memory
	live := 0
	if n <= m.quota {
		live = s.measure() + n
	}
	if n > m.quota || live > m.quota {
		m.held -= n
		panic(s.newError("not enough memory"))
	}
	// The next measurement comes after as many bytes as this one looked at, so that measuring stays a share of the work.
	m.held = live
	m.next = min(live+max(live/2, m.quota/4), max(m.quota, live+m.quota/16))
}

// A Meter watches a buffer that a Go function fills: it is not reachable from the script, so a measurement does not find it, and its
// whole size must be weighed against the quota again and again.
type Meter struct {
	s    *State
	free int // up to this size it was weighed
}

// Meter makes one.
func (s *State) Meter() Meter { return Meter{s: s} }

// Need says that the buffer will have n bytes.
func (m *Meter) Need(n int) {
	if n > m.free {
		m.s.charge(n)
		m.s.Work(1)
		m.free = n + n/4 + 1024
	}
}

// Held is about how many bytes the values of the script take.
func (s *State) Held() int { return s.memory.held }

// Measure counts the bytes that are reachable.
func (s *State) Measure() int { return s.measure() }

// OwnTables tells which tables belong to the state: they are not counted and not searched.
func (s *State) OwnTables(list []*Table) { s.memory.base = list }

// Roots are tables that scripts reach through the state's own: they are counted.
func (s *State) Roots(list ...*Table) { s.memory.roots = list }

// measurer walks values without recursion.
type measurer struct {
	s       *State
	bytes   int
	epoch   uint32
	tables  []*Table
	funcs   []*Function
	threads []*Thread
	strings map[unsafe.Pointer]struct{} // larger ones, counted once
}

func (s *State) measure() int {
	s.memory.epoch++
	m := measurer{s: s, epoch: s.memory.epoch, strings: make(map[unsafe.Pointer]struct{})}
	for _, t := range s.memory.base {
		t.mark = m.epoch
	}
	for _, t := range s.memory.roots {
		m.value(Tab(t))
	}
	m.threads = append(m.threads, s.main)
	s.main.mark = m.epoch
	if s.cur != s.main {
		m.value(thr(s.cur))
	}
	if s.globals.mark != m.epoch {
		m.value(Tab(s.globals))
	}
	for {
		switch {
		case len(m.tables) > 0:
			t := m.tables[len(m.tables)-1]
			m.tables = m.tables[:len(m.tables)-1]
			m.bytes += tableBytes + cap(t.arr)*valueBytes + len(t.node)*nodeBytes
			for i := range t.arr {
				m.value(t.arr[i])
			}
			for i := range t.node {
				m.value(t.node[i].key)
				m.value(t.node[i].val)
			}
			if t.meta != nil {
				m.value(Tab(t.meta))
			}
		case len(m.funcs) > 0:
			f := m.funcs[len(m.funcs)-1]
			m.funcs = m.funcs[:len(m.funcs)-1]
			m.bytes += functionBytes
			for _, u := range f.up {
				if u != nil && u.mark != m.epoch {
					u.mark = m.epoch
					m.bytes += upvalueBytes
					m.value(*u.p)
				}
			}
		case len(m.threads) > 0:
			t := m.threads[len(m.threads)-1]
			m.threads = m.threads[:len(m.threads)-1]
			m.bytes += len(t.stack)*valueBytes + len(t.frames)*frameBytes
			for i := range t.stack[:min(t.high, len(t.stack))] {
				m.value(t.stack[i])
			}
			for i := range t.frames[:t.nf] {
				if f := t.frames[i].fn; f != nil {
					m.value(Fn(f))
				}
			}
			if t.parent != nil {
				m.value(thr(t.parent))
			}
		default:
			return m.bytes
		}
	}
}

func (m *measurer) value(v Value) {
	if !v.tagged() {
		return
	}
	switch Kind(uint8(v.n)) {
	case String:
		n := v.strLen()
		if n > 64 {
			if _, ok := m.strings[v.p]; ok {
				return
			}
			m.strings[v.p] = struct{}{}
		}
		m.bytes += n
	case TableKind:
		if t := v.table(); t.mark != m.epoch {
			t.mark = m.epoch
			m.tables = append(m.tables, t)
		}
	case FunctionKind:
		if f := v.fn(); f.mark != m.epoch {
			f.mark = m.epoch
			m.funcs = append(m.funcs, f)
		}
	case ThreadKind:
		if t := v.thread(); t.mark != m.epoch {
			t.mark = m.epoch
			m.threads = append(m.threads, t)
		}
	}
}

const (
	functionBytes = int(unsafe.Sizeof(Function{}))
	upvalueBytes  = int(unsafe.Sizeof(upvalue{}))
	frameBytes    = int(unsafe.Sizeof(frame{}))
)
