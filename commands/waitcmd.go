package commands

import "github.com/streampulse/pulse/internal/resp"

var waitCommands = []Spec{
	{Name: "WAIT", Syntax: "numreplicas timeout", Arity: 3, Flags: Blocking, Group: GroupGeneric, Category: "@connection", Since: "3.0.0", Complexity: "O(1)",
		Summary: "Waits until replicas have what the client has written.",
		Tips:    []string{"request_policy:all_shards", "response_policy:agg_min"}, Run: waitReplicas},
	{Name: "WAITAOF", Syntax: "numlocal numreplicas timeout", Arity: 4, Flags: Blocking, Group: GroupGeneric, Category: "@connection", Since: "7.2.0",
		Complexity: "O(1)", Summary: "Waits until the append-only files of the server and of replicas have what the client has written.",
		Tips: []string{"request_policy:all_shards", "response_policy:agg_min"}, Run: waitLog},
}

// DiskMark is a place in the history of the data. Its methods may be called by anybody.
type DiskMark interface {
	// Logged reports whether there is an append-only file.
	Logged() bool
	// Reached reports whether all up to the place is in it, and on the disk.
	Reached() bool
	// Await has end called, by another goroutine, when the answer of Logged or Reached may have changed, unless over says
	// that nobody waits any more. Both may be called at any time and more than once.
	Await(end func(), over func() bool)
}

// waitLog knows that there is no replica.
func waitLog(c *Call) error {
	a := c.From(1)
	local, replicas := a.Int(), int64(0)
	if a.Err() == nil && (local < 0 || local > 1) {
		a.Fail(ErrRangeLocal)
	}
	if a.Err() == nil {
		if replicas = a.IntErr(ErrMustBePositive); a.Err() == nil && replicas < 0 {
			a.Fail(ErrMustBePositive)
		}
	}
	timeout := c.timeoutMs(&a)
	if a.Err() != nil {
		return a.Err()
	}
	mark := c.Env.DiskMark(c.Conn)
	if local > 0 && !mark.Logged() {
		return ErrWaitLog
	}
	answer := func(w *resp.Writer) {
		if local > 0 && !mark.Logged() {
			w.Error(ErrWaitLog.Error())
			return
		}
		reached := int64(0)
		if mark.Reached() {
			reached = 1
		}
		w.Array(2)
		w.Int(reached)
		w.Int(0)
	}
	if replicas == 0 && (local == 0 || mark.Reached()) {
		answer(c.Writer)
		return nil
	}
	w := Wait{Timeout: timeout, OnTimeout: answer}
	if replicas == 0 {
		w.Await = mark.Await
	}
	return c.Block(w)
}

// waitReplicas knows that there is no replica: who asks for one waits for the whole time.
func waitReplicas(c *Call) error {
	a := c.From(1)
	replicas, timeout := a.Int(), c.timeoutMs(&a)
	if a.Err() != nil {
		return a.Err()
	}
	none := func(w *resp.Writer) { w.Int(0) }
	if replicas <= 0 {
		none(c.Writer)
		return nil
	}
	return c.Block(Wait{Timeout: timeout, OnTimeout: none})
}
