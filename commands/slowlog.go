package commands

import (
	"bytes"
	"fmt"
	"time"

	"github.com/streampulse/pulse/internal/num"
)

var slowlogCommands = []Spec{
	{Name: "SLOWLOG", Arity: -2, Group: GroupServer, Since: "2.2.12", Complexity: "Depends on the subcommand.",
		Summary: "Commands about requests that took long.", Sub: []Spec{
			{Name: "GET", Syntax: "[count]", Arity: -2, Flags: Admin | Loading | Stale, Since: "2.2.12",
				Complexity: "O(N) with the number of entries returned.", Summary: "Returns the last entries.",
				Tips:    []string{"request_policy:all_nodes", "nondeterministic_output"},
				History: [][2]string{{"4.0.0", "The address and the name of the client."}}, Run: slowlogGet},
			{Name: "LEN", Arity: 2, Flags: Admin | Loading | Stale, Since: "2.2.12", Complexity: "O(1)",
				Summary: "Counts the entries.", Tips: []string{"request_policy:all_nodes", "response_policy:agg_sum", "nondeterministic_output"},
				Run: slowlogLen},
			{Name: "RESET", Arity: 2, Flags: Admin | Loading | Stale, Since: "2.2.12", Complexity: "O(N) with the number of entries.",
				Summary: "Forgets all entries.", Tips: []string{"request_policy:all_nodes", "response_policy:all_succeeded"}, Run: slowlogReset},
			helpRow("6.2.0", 0),
		}},
}

// SlowEntry is a request that took long. It is immutable.
type SlowEntry struct {
	ID   int64
	At   int64 // Unix seconds: when it ended
	Took time.Duration
	Args [][]byte
	Addr string // of the client
	Name string
}

// Slowlog keeps the last of them. Its methods may be called from every loop.
type Slowlog interface {
	// AddSlow adds an entry and gives it its number.
	AddSlow(e *SlowEntry)
	// Slow returns up to n entries, the latest first.
	Slow(n int) []*SlowEntry
	SlowLen() int
	ResetSlow()
}

const (
	// slowArgs is how many arguments an entry keeps, slowArg how many bytes of each.
	slowArgs = 32
	slowArg  = 128
)

// slowArguments copies what an entry keeps of the arguments of a request.
func slowArguments(args [][]byte) [][]byte {
	n := len(args)
	if n > slowArgs {
		n = slowArgs - 1
	}
	out := make([][]byte, 0, slowArgs)
	for _, a := range args[:n] {
		if len(a) > slowArg {
			a = fmt.Appendf(bytes.Clone(a[:slowArg]), "... (%d more bytes)", len(a)-slowArg)
		} else {
			a = append([]byte{}, a...)
		}
		out = append(out, a)
	}
	if n < len(args) {
		out = append(out, fmt.Appendf(nil, "... (%d more arguments)", len(args)-n))
	}
	return out
}

// noteSlow notes a request of c that took d. What a script calls has no client.
func (c *Conn) noteSlow(s *Spec, args [][]byte, d time.Duration, within bool) {
	if s.Flags&SkipSlowlog != 0 {
		return
	}
	e := &SlowEntry{At: c.Env.Clock().NowMs() / 1000, Took: d, Args: slowArguments(redacted(c.Env, s, args))}
	if !within {
		e.Addr, e.Name = c.Addr, c.Name
	}
	c.Env.AddSlow(e)
}

// slowDefault is how many entries SLOWLOG GET returns unless it is told.
const slowDefault = 10

func slowlogGet(c *Call) error {
	n := int64(slowDefault)
	switch len(c.Args) {
	case 2:
	case 3:
		var ok bool
		if n, ok = num.ParseInt(c.Args[2]); !ok || n < -1 {
			return ErrSlowCount
		}
	default:
		return errSubcommandArity("SLOWLOG", c.Args[1])
	}
	if n == -1 {
		n = int64(c.Env.SlowLen())
	}
	entries := c.Env.Slow(int(n))
	c.Array(len(entries))
	for _, e := range entries {
		c.Array(6)
		c.Int(e.ID)
		c.Int(e.At)
		c.Int(e.Took.Microseconds())
		c.Array(len(e.Args))
		for _, a := range e.Args {
			c.Bulk(a)
		}
		c.BulkString(e.Addr)
		c.BulkString(e.Name)
	}
	return nil
}

func slowlogLen(c *Call) error {
	c.Int(int64(c.Env.SlowLen()))
	return nil
}

func slowlogReset(c *Call) error {
	c.Env.ResetSlow()
	c.OK()
	return nil
}
