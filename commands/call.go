package commands

import (
	"github.com/streampulse/pulse/internal/resp"
	"github.com/streampulse/pulse/store"
)

// Call is one execution of a command: what a handler has. Replies are written with the methods of the embedded Writer;
// a handler writes exactly one reply or returns an error (what it wrote before an error is taken back).
type Call struct {
	*resp.Writer
	Tx   *store.Tx
	Spec *Spec
	Args [][]byte // Args[0] is the name; of a subcommand, Args[1] is its name

	// Conn is the client, nil when a command is run for a waiting client: handlers of data commands do not use it.
	Conn *Conn
	// Env is the process.
	Env Env

	table   *Table
	atomic  bool  // inside MULTI/EXEC or a script: nothing blocks
	wait    *Wait // set by Block
	resumed bool  // the client has waited, and a key that it waits for has changed
	found   foundScript
	within  *scriptRun // what it is called by, nil if that is no script
	db      int        // the database it began in
	told    bool       // it has said what its effects are
	effect  [][]byte   // of Effect, to be used again
	failed  bool       // the reply has errors in it that its handler did not return: those of a script
	pushes  bool       // the reply consists of pushes, which CLIENT REPLY OFF does not hold back
}

// Wait is what a blocking command asks for when it cannot be served at once.
type Wait struct {
	Keys [][]byte
	// Timeout in milliseconds, 0 for ever.
	Timeout int64
	// Args are what the command is run with after the wait; nil: what it came with.
	Args [][]byte
	// Await, if it is not nil, has end called when the wait is over though its time is not; over tells whether it is
	// known to be.
	Await func(end func(), over func() bool)
	// Firm waits are not ended by CLIENT UNBLOCK.
	Firm bool
	// OnTimeout writes the reply when the time is over, and inside transactions at once.
	OnTimeout func(w *resp.Writer)
}

type sentinel string

func (s sentinel) Error() string { return string(s) }

const (
	errBlocked   = sentinel("the client waits")
	errPostponed = sentinel("the client is paused")
	errQueued    = sentinel("the command was queued")
)

// Block suspends the client until one of the keys, all of which are keys of the command's row, is written; then the
// same command is run again, with the same arguments. In a transaction or script it writes the time-out reply instead.
// Return its result.
func (c *Call) Block(w Wait) error {
	if c.atomic {
		w.OnTimeout(c.Writer)
		return nil
	}
	c.wait = &w
	return errBlocked
}

// NullArrayReply is the usual OnTimeout.
func NullArrayReply(w *resp.Writer) { w.NullArray() }

// RESP3 reports whether the reply goes out in version 3 of the protocol.
func (c *Call) RESP3() bool { return c.Proto() == 3 }
