// Package fuzz asks two servers the same random questions and compares what they answer, byte for byte where that is
// possible: one is the oracle, the other is ours.
//
// # Contract
//
// Requests follow from the command table: the Syntax of each row is the grammar, and the names of its arguments choose
// their values. Everything is drawn from Options.Seed, so a run can be repeated; only the two clocks differ. The package
// owns the connections that it dials and must have both servers to itself: it empties them. Run belongs to one goroutine.
//
// # How
//
// An epoch (run.go) begins on new connections to two empty servers and sends some hundred requests in pipelines. Replies
// are compared one by one (compare.go), and at the end the whole keyspace is (state.go). The first difference ends the
// epoch: the requests of the epoch are then cut down to a few that still show it (shrink.go).
//
// What may differ is said in three places: compare.go knows replies that are random or in no order, known.go lists each
// deliberate difference with its reason, and guard.go keeps requests away whose effect depends on the clock or that would
// cost gigabytes.
package fuzz

import (
	"net"
	"regexp"

	"github.com/streampulse/pulse/commands"
)

// Options say what to run.
type Options struct {
	// Oracle and Ours open connections to the two servers. A server that has died may be started again by it.
	Oracle, Ours func() (net.Conn, error)
	// Table is the commands to draw from.
	Table *commands.Table
	// Seed determines the requests.
	Seed uint64
	// Requests is how many to send, in all.
	Requests int
	// Only limits the commands to those whose full name ("client|getname") matches; nil means all.
	Only *regexp.Regexp
	// MaxFindings ends the run early; 0 means 10.
	MaxFindings int
	// Log takes progress, nil drops it.
	Log func(format string, a ...any)
}

// Finding is a difference with the requests that lead to it.
type Finding struct {
	Epoch    int
	Requests []string // in the notation of transcripts; the last one shows the difference
	Setup    string   // parameters in force
	Oracle   string
	Ours     string
	Unstable bool // the difference did not show again when the requests were repeated
}

// Report is the outcome of a run.
type Report struct {
	Requests int
	Epochs   int
	Errors   int // replies that were errors, on both sides
	Findings []Finding
	Known    map[string]int // how often each known difference was met, by reason
}
