package lua

// OpenTable adds the table library.
func (s *State) OpenTable() {
	lib := s.NewTable(0, 16)
	s.SetFuncs(lib, map[string]GoFunc{
		"concat": tabConcat, "foreach": tabForEach, "foreachi": tabForEachI, "getn": tabGetN, "insert": tabInsert, "maxn": tabMaxN,
		"remove": tabRemove, "setn": tabSetN, "sort": tabSort,
	})
	s.globals.SetStr("table", Tab(lib))
}

// setInt stores, unless the table is read-only.
func (t *Thread) setInt(tab *Table, i int, v Value) {
	if tab.readonly {
		t.runtimeErrorIn("Attempt to modify a readonly table")
	}
	tab.SetInt(i, v)
}

func tabConcat(t *Thread) int {
	tab := t.CheckTable(1)
	sep := t.OptString(2, "")
	i := t.OptInt(3, 1)
	j := 0
	if t.Arg(4).isNil() {
		j = tab.Len()
	} else {
		j = t.CheckInt(4)
	}
	i, j = int(int32(i)), int(int32(j))
	var out []byte
	meter := t.st.Meter()
	for ; i <= j; i++ {
		t.st.tick()
		v := tab.GetInt(i)
		switch {
		case v.isStr():
			t.st.Work(v.strLen() >> 6)
			meter.Need(len(out) + v.strLen() + len(sep))
			out = append(out, v.str()...)
		case v.isNum():
			out = appendG(out, v.num(), 14)
		default:
			t.Errorf("invalid value (%s) at index %d in table for 'concat'", v.Kind(), i)
		}
		if i < j {
			out = append(out, sep...)
		}
	}
	t.room(len(out))
	return t.Return(t.own(out))
}

func tabForEach(t *Thread) int {
	tab := t.CheckTable(1)
	f := t.CheckFunction(2)
	key := Value{}
	for {
		k, v, more, ok := tab.Next(key)
		if !ok {
			t.runtimeErrorIn("invalid key to 'next'")
		}
		if !more {
			return 0
		}
		t.Push(Fn(f))
		t.Push(k)
		t.Push(v)
		t.Call(2, 1)
		if !t.stack[t.top-1].isNil() {
			return 1
		}
		t.top--
		key = k
	}
}

func tabForEachI(t *Thread) int {
	tab := t.CheckTable(1)
	f := t.CheckFunction(2)
	n := tab.Len()
	for i := 1; i <= n; i++ {
		t.Push(Fn(f))
		t.Push(Int(i))
		t.Push(tab.GetInt(i))
		t.Call(2, 1)
		if !t.stack[t.top-1].isNil() {
			return 1
		}
		t.top--
	}
	return 0
}

func tabGetN(t *Thread) int { return t.Return(Int(t.CheckTable(1).Len())) }

func tabSetN(t *Thread) int {
	t.CheckTable(1)
	t.Errorf("'setn' is obsolete")
	return 0
}

func tabMaxN(t *Thread) int {
	tab := t.CheckTable(1)
	top := 0.0
	for at := 0; ; {
		k, _, next, more := tab.Step(at)
		if !more {
			return t.Return(Num(top))
		}
		t.st.tick()
		if k.isNum() && k.num() > top {
			top = k.num()
		}
		at = next
	}
}

func tabInsert(t *Thread) int {
	tab := t.CheckTable(1)
	end := tab.Len() + 1
	switch t.NArgs() {
	case 2:
		t.setInt(tab, end, t.Arg(2))
	case 3:
		pos := t.CheckInt(2)
		if pos > end {
			end = pos
		}
		for i := end; i > pos; i-- {
			t.st.tick()
			t.setInt(tab, i, tab.GetInt(i-1))
		}
		t.setInt(tab, pos, t.Arg(3))
	default:
		t.Errorf("wrong number of arguments to 'insert'")
	}
	return 0
}

func tabRemove(t *Thread) int {
	tab := t.CheckTable(1)
	end := tab.Len()
	pos := t.OptInt(2, end)
	if pos < 1 || pos > end {
		return 0
	}
	v := tab.GetInt(pos)
	for ; pos < end; pos++ {
		t.st.tick()
		t.setInt(tab, pos, tab.GetInt(pos+1))
	}
	t.setInt(tab, end, Value{})
	return t.Return(v)
}

// sorter sorts the elements 1 to n of a table. The steps are those of Lua 5.1 (a quicksort with the median of three), because
// the order of elements that compare equal, and what happens with an inconsistent order, can be seen.
type sorter struct {
	t    *Thread
	tab  *Table
	less Value
}

func tabSort(t *Thread) int {
	tab := t.CheckTable(1)
	n := tab.Len()
	s := sorter{t: t, tab: tab}
	if !t.Arg(2).isNil() {
		t.CheckFunction(2)
		s.less = t.Arg(2)
	}
	if tab.readonly && n > 1 {
		t.runtimeErrorIn("Attempt to modify a readonly table")
	}
	s.sort(1, n)
	return 0
}

func (s *sorter) before(a, b Value) bool {
	t := s.t
	t.st.tick()
	if s.less.isNil() {
		if a.isNum() && b.isNum() {
			return a.num() < b.num()
		}
		return t.lessIn(a, b)
	}
	t.Push(s.less)
	t.Push(a)
	t.Push(b)
	t.Call(2, 1)
	t.top--
	return !t.stack[t.top].falsy()
}

// lessIn is less inside a Go function, whose errors have no position.
func (t *Thread) lessIn(a, b Value) bool { return t.less(a, b) }

func (s *sorter) get(i int) Value    { return s.tab.GetInt(i) }
func (s *sorter) set(i int, v Value) { s.tab.SetInt(i, v) }

func (s *sorter) swap(i, j int) {
	a, b := s.get(i), s.get(j)
	s.set(i, b)
	s.set(j, a)
}

func (s *sorter) sort(lo, hi int) {
	for lo < hi {
		if s.before(s.get(hi), s.get(lo)) {
			s.swap(lo, hi)
		}
		if hi-lo == 1 {
			return
		}
		mid := (lo + hi) / 2
		if s.before(s.get(mid), s.get(lo)) {
			s.swap(mid, lo)
		} else if s.before(s.get(hi), s.get(mid)) {
			s.swap(mid, hi)
		}
		if hi-lo == 2 {
			return
		}
		pivot := s.get(mid)
		s.swap(mid, hi-1)
		i, j := lo, hi-1
		for {
			for i++; s.before(s.get(i), pivot); i++ {
				if i > hi {
					s.t.Errorf("invalid order function for sorting")
				}
			}
			for j--; s.before(pivot, s.get(j)); j-- {
				if j < lo {
					s.t.Errorf("invalid order function for sorting")
				}
			}
			if j < i {
				break
			}
			s.swap(i, j)
		}
		s.swap(hi-1, i)
		// The smaller part first, by recursion; the larger one goes on here.
		if i-lo < hi-i {
			s.sort(lo, i-1)
			lo = i + 1
		} else {
			s.sort(i+1, hi)
			hi = i - 1
		}
	}
}
