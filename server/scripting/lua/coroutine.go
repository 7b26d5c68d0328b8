package lua

// A coroutine is a Thread of its own. Resuming runs its frames on the Go stack of the resumer; yielding returns from there and leaves
// the frames as they are. It cannot yield through a Go function that called it (pcall, sort, metamethods), as in Lua 5.1.

func coCreate(t *Thread) int {
	f := t.CheckFunction(1)
	if f.proto == nil {
		t.ArgError(1, "Lua function expected")
	}
	co := t.st.newThread()
	co.stack[0] = Fn(f)
	co.top = 1
	return t.Return(thr(co))
}

func (t *Thread) checkThread(n int) *Thread {
	v := t.Arg(n)
	if v.Kind() != ThreadKind {
		t.ArgError(n, "coroutine expected")
	}
	return v.thread()
}

// resume runs a coroutine with the arguments of the running function from first on. Results are left on its stack from the place
// returned on.
func (t *Thread) resume(co *Thread, first int) (from int, err *Error) {
	s := t.st
	if co.status != suspended {
		name := map[threadStatus]string{running: "running", normal: "normal", dead: "dead"}[co.status]
		return 0, s.newError("cannot resume " + name + " coroutine")
	}
	if s.goCalls+1 >= maxGoCalls {
		return 0, s.newError(t.Where(0) + "C stack overflow")
	}
	n := max(t.NArgs()-first+1, 0)
	if co.top+n > maxStack {
		return 0, s.newError("too many arguments to resume")
	}
	co.reserve(co.top + n + 1)
	for i := 0; i < n; i++ {
		co.stack[co.top] = t.Arg(first + i)
		co.top++
	}
	goCalls := s.goCalls
	s.goCalls++
	t.status, co.status = normal, running
	co.parent, s.cur = t, co
	done := false
	defer func() {
		s.goCalls, s.cur = goCalls, t
		t.status, co.parent = running, nil
		if done {
			return
		}
		co.status = dead
		r := recover()
		e, ok := r.(*Error)
		if !ok {
			panic(r)
		}
		co.locate(e)
		co.closeUpvalues(0)
		err = e
	}()
	var yields bool
	if co.nf == 0 {
		fpos := co.top - n - 1
		co.enterLua(co.stack[fpos].fn(), fpos, n, -1)
		yields = co.execute()
	} else {
		// The frame of yield is on top: the arguments are its results.
		f := co.frames[co.nf-1]
		co.nf--
		co.finish(f.fbase, co.top-n, n, f.nres)
		yields = co.executeFrom()
	}
	done = true
	if yields {
		co.status = suspended
		f := &co.frames[co.nf-1]
		return f.base, nil
	}
	co.status = dead
	return 0, nil
}

// executeFrom goes on with all frames of a coroutine.
func (t *Thread) executeFrom() bool {
	for t.nf > 0 {
		if t.execute() {
			return true
		}
	}
	return false
}

// takeResults moves what a coroutine left to the running function's results.
func (t *Thread) takeResults(co *Thread, from int) int {
	n := co.top - from
	if co.status == suspended {
		n = co.frames[co.nf-1].nargs
	}
	t.reserve(t.top + n)
	for i := 0; i < n; i++ {
		t.stack[t.top] = co.stack[from+i]
		t.top++
	}
	co.top = from
	if co.status == suspended {
		co.top = co.frames[co.nf-1].base
	}
	return n
}

func coResume(t *Thread) int {
	co := t.checkThread(1)
	from, err := t.resume(co, 2)
	if err != nil {
		t.Push(Bool(false))
		t.Push(err.Value)
		return 2
	}
	t.Push(Bool(true))
	return 1 + t.takeResults(co, from)
}

func coWrap(t *Thread) int {
	coCreate(t)
	co := t.stack[t.top-1].thread()
	f := t.st.NewGo("wrap", nil)
	t.st.charge(functionBytes)
	f.gofn = func(t *Thread) int {
		from, err := t.resume(co, 1)
		if err != nil {
			if err.Value.isStr() {
				if where := t.Where(1); where != "" {
					err.Value = t.st.Str(where + err.Value.str())
				}
			}
			panic(err)
		}
		return t.takeResults(co, from)
	}
	u := &upvalue{v: thr(co)}
	u.p = &u.v
	f.up = []*upvalue{u}
	return t.Return(Fn(f))
}

func coYield(t *Thread) int {
	if t.nexec > 0 || t == t.st.main {
		t.runtimeErrorIn("attempt to yield across metamethod/C-call boundary")
	}
	return -1
}

func coRunning(t *Thread) int {
	if t == t.st.main {
		return t.Return(Value{})
	}
	return t.Return(thr(t))
}

func coStatus(t *Thread) int {
	co := t.checkThread(1)
	name := [...]string{suspended: "suspended", running: "running", normal: "normal", dead: "dead"}[co.status]
	if co == t.st.main && co == t {
		name = "running"
	}
	return t.Return(Str(name))
}
