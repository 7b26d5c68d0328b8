package script

import (
	"errors"
	"fmt"
	"maps"
	"slices"
	"strings"
	"time"
)

const (
	// rawQuiet is how long nothing must come for the replies to raw bytes to count as complete.
	rawQuiet = 60 * time.Millisecond
	// firstQuiet is the same before anything has come.
	firstQuiet = 300 * time.Millisecond
	// lateReply is how long a command that can block may take to time out by itself.
	lateReply = 500 * time.Millisecond
	// noReply is after how long a command that cannot block counts as one that has no reply.
	noReply = 5 * time.Second
)

// Record replaces the expectations of the file, except handwritten ones, by what the server answers. Expectations that
// still hold (wild cards, any order, tolerance) stay as they are. It runs in the given protocols, or in all that the file
// declares; replies in those left out are forgotten where they differ. On error the file is unchanged.
func (f *File) Record(dial Dial, protos ...int) error {
	if len(protos) == 0 {
		protos = f.Protocols
	}
	recorded := map[*step]map[int][]Reply{}
	for _, proto := range protos {
		if !slices.Contains(f.Protocols, proto) {
			return fmt.Errorf("%s does not declare protocol %d", f.Name, proto)
		}
		if err := f.recordIn(dial, proto, recorded); err != nil {
			return err
		}
	}
	for s, byProto := range recorded {
		s.adopt(byProto)
	}
	return nil
}

// adopt takes over what was recorded: as one block if all protocols agree as far as the directives want them to, and but
// for nulls, of which RESP2 has two and so says more.
func (s *step) adopt(byProto map[int][]Reply) {
	protos := slices.Sorted(maps.Keys(byProto))
	first := byProto[protos[0]]
	for _, proto := range protos[1:] {
		if !s.rules.matches(fold(first), fold(byProto[proto])) {
			s.both, s.byProto = nil, byProto
			return
		}
	}
	s.both, s.byProto = first, nil
}

// recordIn runs the file in one protocol and adds the replies to out.
func (f *File) recordIn(dial Dial, proto int, out map[*step]map[int][]Reply) error {
	r := newRunner(f, dial, proto, Options{})
	defer r.end()
	if err := r.reset(); err != nil {
		return err
	}
	for _, it := range f.items {
		s := it.step
		if s == nil {
			continue
		}
		fail := func(err error) error {
			return fmt.Errorf("%s:%d: [RESP%d] %s: %w", f.Name, s.line, proto, s.source, err)
		}
		if !s.replies() {
			if err := r.silent(s); err != nil {
				return fail(err)
			}
			continue
		}
		got, err := r.collect(s)
		if s.rules.handwritten {
			if len(s.expected(proto)) == 0 {
				return fail(errors.New("handwritten, but nothing is written"))
			}
			continue // whatever the oracle made of it
		}
		if err != nil {
			return fail(err)
		}
		if s.rules.regex != nil && !s.rules.regex.MatchString(subject(got[len(got)-1])) {
			return fail(fmt.Errorf("the reply does not match the expression: %s", notation(got)))
		}
		if out[s] == nil {
			out[s] = map[int][]Reply{}
		}
		out[s][proto] = s.rules.settle(r.wanted(s), got, r.vars)
	}
	r.checkUnread()
	if len(r.mismatches) > 0 {
		return fmt.Errorf("a reply is left that no line of the transcript reads: %s", r.mismatches[0])
	}
	return nil
}

// collect runs a step without knowing its replies beforehand and returns all of them.
func (r *runner) collect(s *step) ([]Reply, error) {
	c, err := r.client(s.client)
	if err != nil {
		return nil, err
	}
	args := r.arguments(s)
	old := r.wanted(s)
	before := counters{}
	if s.action == send && (mayBlock(args) || endsIn(old, Blocked)) {
		before, _ = r.counters(barrierLimit) // only here: MONITOR sees it
	}
	if err := r.write(s, c, args); err != nil {
		return nil, err
	}
	var got []Reply
	switch {
	case s.action == receive && (s.rules.handwritten || endsIn(old, None)):
		got = r.collectUntilQuiet(c, quiet, quiet)
	case s.action == receive:
		got, err = r.collectCounted(c, 1)
	case s.action == sendRaw || strings.EqualFold(args[0], "QUIT") || endsIn(old, Closed):
		got = r.collectUntilQuiet(c, firstQuiet, rawQuiet)
	case c.muted(args) || endsIn(old, None):
		got = r.collectUntilQuiet(c, quiet, quiet)
	default:
		got, err = r.collectReply(c, args, endsIn(old, Blocked), before)
	}
	if err != nil {
		return nil, err
	}
	if s.action == send {
		c.observe(args, got)
	}
	r.forget(s.client, got)
	return got, r.keep(s, got)
}

func endsIn(replies []Reply, kind Kind) bool {
	return len(replies) > 0 && replies[len(replies)-1].Kind == kind
}

// collectCounted reads n replies, or fewer if an error or the end of the connection cuts them short.
func (r *runner) collectCounted(c *client, n int) (got []Reply, err error) {
	for len(got) < n {
		reply, ok := c.await(r.opts.timeout())
		if !ok {
			return got, fmt.Errorf("no reply within %v", r.opts.timeout())
		}
		got = append(got, reply)
		if reply.Kind == Error || reply.Kind == Closed {
			break
		}
	}
	return got, nil
}

// collectUntilQuiet reads until nothing more comes, or the server hangs up. Silence is the reply None.
func (r *runner) collectUntilQuiet(c *client, first, between time.Duration) (got []Reply) {
	for wait := first; ; wait = between {
		reply, ok := c.await(wait)
		if !ok {
			break
		}
		got = append(got, reply)
		if reply.Kind == Closed {
			break
		}
	}
	if got == nil {
		got = []Reply{{Kind: None}}
	}
	return got
}

// collectReply reads what a command is answered with: a reply after any pushes, or the several replies of a subscription.
// A command that blocks ends in Blocked; known says that this is known beforehand, so that nothing else is waited for.
func (r *runner) collectReply(c *client, args []string, known bool, before counters) (got []Reply, err error) {
	if n, ok := c.expectedReplies(args); ok {
		return r.collectCounted(c, n)
	}
	wait := min(r.opts.timeout(), noReply)
	if known || mayBlock(args) {
		r.until(func(n counters) bool { return n.blocked > before.blocked }, c)
		wait = lateReply
		if known {
			wait = 0
		}
	}
	for {
		reply, ok := c.await(wait)
		if !ok {
			return append(got, Reply{Kind: Blocked}), nil
		}
		got = append(got, reply)
		if reply.Kind != Push {
			return got, nil
		}
	}
}

// expectedReplies is how many replies a command has, or ok=false for one reply after any pushes.
func (c *client) expectedReplies(args []string) (n int, ok bool) {
	switch strings.ToUpper(args[0]) {
	case "SUBSCRIBE", "PSUBSCRIBE", "SSUBSCRIBE":
		return len(args) - 1, len(args) > 1 && !c.inMulti
	case "UNSUBSCRIBE", "PUNSUBSCRIBE", "SUNSUBSCRIBE":
		if c.inMulti {
			return 0, false
		}
		if len(args) > 1 {
			return len(args) - 1, true
		}
		kind := kindOfSubscription(args[0])
		for name := range c.subs {
			if strings.HasPrefix(name, kind) {
				n++
			}
		}
		return max(n, 1), true
	}
	return 0, false
}

// muted reports whether CLIENT REPLY keeps the server from answering this request.
func (c *client) muted(args []string) bool {
	skip := c.muteNext
	c.muteNext = false
	if len(args) == 3 && strings.EqualFold(args[0], "CLIENT") && strings.EqualFold(args[1], "REPLY") {
		switch strings.ToUpper(args[2]) {
		case "ON":
			c.mute = false
			return false
		case "OFF":
			c.mute = true
			return true
		case "SKIP":
			c.muteNext = !c.mute
			return true
		}
	}
	return c.mute || skip
}

// blockingCommands may leave their caller waiting. Elsewhere a missing reply is waited for much longer.
var blockingCommands = []string{
	"BLPOP", "BRPOP", "BLMOVE", "BRPOPLPUSH", "BLMPOP", "BZPOPMIN", "BZPOPMAX", "BZMPOP", "XREAD", "XREADGROUP",
	"WAIT", "WAITAOF",
}

func mayBlock(args []string) bool {
	return slices.Contains(blockingCommands, strings.ToUpper(args[0]))
}
