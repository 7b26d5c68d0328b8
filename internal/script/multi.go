package script

import (
	"errors"
	"fmt"
	"slices"
	"strings"
)

// neverWrapped are commands that change the state of their connection, may not stand in a transaction, or answer
// differently there.
var neverWrapped = map[string]bool{}

func init() {
	for _, name := range strings.Fields(`
		MULTI EXEC DISCARD WATCH UNWATCH
		AUTH HELLO RESET QUIT SELECT CLIENT
		SUBSCRIBE PSUBSCRIBE SSUBSCRIBE UNSUBSCRIBE PUNSUBSCRIBE SUNSUBSCRIBE
		MONITOR SYNC PSYNC REPLCONF REPLICAOF SLAVEOF FAILOVER WAIT WAITAOF
		SAVE BGSAVE BGREWRITEAOF SHUTDOWN DEBUG INFO LATENCY SLOWLOG MODULE`) {
		neverWrapped[name] = true
	}
}

// wrappable reports whether the step's request may be sent inside a transaction of the runner's own.
func wrappable(s *step, c *client, want []Reply) bool {
	return s.action == send && !s.rules.noMulti && !neverWrapped[strings.ToUpper(s.args[0])] &&
		!c.inMulti && !c.watching && len(c.subs) == 0 &&
		len(want) == 1 && !want[0].Kind.outcome()
}

// replayInMulti runs one step as a transaction. The reply of the request is the element of EXEC's, or the error that kept
// the request from being queued.
func (r *runner) replayInMulti(s *step, c *client, args []string, want []Reply) error {
	if err := c.write(slices.Concat(encode("MULTI"), encode(args...), encode("EXEC")), r.opts.timeout()); err != nil {
		return err
	}
	var replies, pushes []Reply
	for len(replies) < 3 {
		reply, ok := c.await(r.opts.timeout())
		switch {
		case !ok:
			return fmt.Errorf("in MULTI: no reply within %v", r.opts.timeout())
		case reply.Kind == Closed:
			return errors.New("in MULTI: the server closed the connection")
		case reply.Kind == Push:
			pushes = append(pushes, reply)
		default:
			replies = append(replies, reply)
		}
	}
	begun, queued, executed := replies[0], replies[1], replies[2]
	got := executed
	switch {
	case begun.Kind == Error:
		got = begun
	case queued.Kind == Error:
		got = queued
	case queued.Kind != Simple || queued.Text != "QUEUED":
		got = queued
	case executed.Kind == Array && len(executed.Elems) == 1:
		got = executed.Elems[0]
	}
	r.compare(s, want, append(pushes, got), true)
	return nil
}
