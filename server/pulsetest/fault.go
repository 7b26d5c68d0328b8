package pulsetest

import (
	"math/rand/v2"
	"slices"
	"strings"
	"sync"
	"sync/atomic"
	"time"

	"github.com/streampulse/pulse/internal/glob"
	"github.com/streampulse/pulse/server"
)

// Fault says what is to go wrong, and when. The zero Fault strikes every command, and does nothing but count them.
//
// Faults strike commands as clients send them. One that a script calls is struck with its EVAL or not at all; of a transaction, commands
// are struck when they are sent between MULTI and EXEC, and an error there makes EXEC fail with EXECABORT, as in Redis.
type Fault struct {
	// Command is the name of the command, in any case: "GET", "CONFIG SET"; "CONFIG" means all of its subcommands. "" means all commands.
	Command string
	// Keys is a pattern, as that of KEYS, which one of the command's keys must match; "" asks for no key.
	Keys string
	// ClientName is what the client must have called itself with CLIENT SETNAME or HELLO; "" means any client.
	ClientName string

	// After lets so many commands pass before the first is struck.
	After int
	// Times is how many are struck; 0 means all.
	Times int
	// Probability is that of a command to be struck, once After has passed; 0 means 1. Chance goes by Seed.
	Probability float64

	// Latency delays the command and what its client sends behind it, but nobody else. It is real time, as the time-outs of client libraries are,
	// whatever the Clock shows; Injection.Remove ends it early.
	Latency time.Duration
	// Err is the reply, an error with its code: "LOADING Redis is loading the dataset in memory". The command does not run.
	Err string
	// DropConnection closes the connection without a reply. The command does not run.
	DropConnection bool
}

// Injection is a Fault in force. Its methods may be called concurrently.
type Injection struct {
	fault   Fault
	name    string
	faults  *faults
	release chan struct{} // closed by Remove
	seen    int           // commands that match; guarded by faults.mu
	struck  atomic.Int64
}

// Inject puts a Fault in force, until Remove or the end of the test. Of several that match a command the one that was injected first and
// has not struck as often as it may strikes. Any goroutine may call it.
func (s *Server) Inject(f Fault) *Injection {
	i := &Injection{
		fault: f, name: strings.ToLower(strings.Join(strings.Fields(f.Command), "|")), faults: &s.faults, release: make(chan struct{}),
	}
	fs := &s.faults
	fs.mu.Lock()
	defer fs.mu.Unlock()
	fs.mu.all = append(slices.Clone(fs.mu.all), i)
	fs.any.Store(true)
	return i
}

// Remove ends the Fault. Commands that it delays go on at once, to the rest of what it does.
func (i *Injection) Remove() {
	fs := i.faults
	fs.mu.Lock()
	defer fs.mu.Unlock()
	n := len(fs.mu.all)
	fs.mu.all = slices.DeleteFunc(slices.Clone(fs.mu.all), func(j *Injection) bool { return j == i })
	if len(fs.mu.all) < n {
		close(i.release)
	}
	fs.any.Store(len(fs.mu.all) > 0)
}

// Count is how many commands were struck.
func (i *Injection) Count() int { return int(i.struck.Load()) }

// faults are those of a server.
type faults struct {
	any atomic.Bool // there are some
	mu  struct {
		sync.Mutex
		all    []*Injection
		exempt map[int64]bool // clients that they do not concern
		random *rand.Rand
	}
}

func (fs *faults) init(seed uint64) {
	fs.mu.random, fs.mu.exempt = rand.New(rand.NewPCG(seed, 1)), make(map[int64]bool)
}

// spare has a client spared, or not any more.
func (fs *faults) spare(client int64, on bool) {
	fs.mu.Lock()
	defer fs.mu.Unlock()
	if on {
		fs.mu.exempt[client] = true
	} else {
		delete(fs.mu.exempt, client)
	}
}

// decide is Options.Intercept.
func (fs *faults) decide(r *server.Request) (v server.Verdict) {
	if !fs.any.Load() {
		return v
	}
	fs.mu.Lock()
	defer fs.mu.Unlock()
	if fs.mu.exempt[r.Client] {
		return v
	}
	for _, i := range fs.mu.all {
		if i.matches(r) && i.strikes(fs.mu.random) {
			i.struck.Add(1)
			f := &i.fault
			return server.Verdict{Delay: f.Latency, Release: i.release, Err: f.Err, Drop: f.DropConnection}
		}
	}
	return v
}

// matches reports whether the Fault is about the request.
func (i *Injection) matches(r *server.Request) bool {
	f := &i.fault
	if i.name != "" && i.name != strings.ToLower(r.Name) {
		if container, _, _ := strings.Cut(r.Name, "|"); container != i.name {
			return false
		}
	}
	if f.ClientName != "" && f.ClientName != r.ClientName() {
		return false
	}
	return f.Keys == "" || slices.ContainsFunc(r.Keys(), func(key []byte) bool { return glob.MatchString(f.Keys, string(key), false) })
}

// strikes counts a request that matches, and reports whether it is struck.
func (i *Injection) strikes(random *rand.Rand) bool {
	f := &i.fault
	i.seen++
	switch {
	case i.seen <= f.After, f.Times > 0 && i.Count() >= f.Times:
		return false
	case f.Probability > 0 && f.Probability < 1:
		return random.Float64() < f.Probability
	}
	return true
}
