package script

import (
	"bufio"
	"errors"
	"fmt"
	"maps"
	"slices"
	"strings"
	"testing"
	"time"
)

// Options say how a transcript is replayed. The zero value replays it in all protocols that it declares.
type Options struct {
	// Proto restricts the replay to one RESP version; 0 means all that the file declares.
	Proto int
	// WrapMulti sends each request that allows it as MULTI, request, EXEC and compares the element of EXEC's reply.
	WrapMulti bool
	// SkipHandwritten sends requests with handwritten expectations, but does not compare their replies.
	SkipHandwritten bool
	// Tuned says that parameters of the server differ from their defaults: files that need the defaults are left out by
	// RunDir.
	Tuned bool
	// NoReset leaves out the commands that empty the server, for servers that are fresh anyway.
	NoReset bool
	// Timeout is how long a reply may take; 0 means 30 s.
	Timeout time.Duration
	// Sleep is what (sleep d) does; nil means time.Sleep. A test with a fake clock moves it here.
	Sleep func(d time.Duration)
	// Log is told of each request and its replies; nil means silence.
	Log func(format string, args ...any)
}

func (o Options) timeout() time.Duration {
	if o.Timeout > 0 {
		return o.Timeout
	}
	return 30 * time.Second
}

// Mismatch is a place where the server did not do what the transcript says.
type Mismatch struct {
	File    string
	Line    int
	Proto   int
	InMulti bool   // the runner had wrapped the request
	Request string // the line of the file
	Want    string // in the notation of transcripts, or a sentence
	Got     string
}

func (m Mismatch) String() string {
	mode := fmt.Sprintf("RESP%d", m.Proto)
	if m.InMulti {
		mode += ", in MULTI"
	}
	return fmt.Sprintf("%s:%d: [%s] %s\nwant:\n%s\ngot:\n%s", m.File, m.Line, mode, m.Request, inset(m.Want), inset(m.Got))
}

func inset(s string) string {
	return "    " + strings.ReplaceAll(strings.TrimRight(s, "\n"), "\n", "\n    ")
}

// maxMismatches ends a replay that has obviously gone astray.
const maxMismatches = 20

// Run replays the transcript and reports every mismatch as an error of the test.
func (f *File) Run(t testing.TB, dial Dial, opts Options) {
	t.Helper()
	for _, proto := range f.Protocols {
		if opts.Proto != 0 && proto != opts.Proto {
			continue
		}
		mismatches, err := f.Replay(dial, proto, opts)
		for _, m := range mismatches {
			t.Errorf("%s", m)
		}
		if err != nil {
			t.Errorf("%s: RESP%d: %v", f.Name, proto, err)
		}
	}
}

// Replay runs the transcript in one protocol. The error is about what kept it from running to its end: a server out of
// reach, or a reply that never came; the mismatches up to there are returned with it.
func (f *File) Replay(dial Dial, proto int, opts Options) ([]Mismatch, error) {
	r := newRunner(f, dial, proto, opts)
	defer r.end()
	if err := r.reset(); err != nil {
		return nil, err
	}
	for _, it := range f.items {
		if it.step == nil {
			continue
		}
		if err := r.replay(it.step); err != nil {
			return r.mismatches, fmt.Errorf("line %d: %s: %w", it.step.line, it.step.source, err)
		}
		if len(r.mismatches) >= maxMismatches {
			return r.mismatches, errors.New("too many mismatches, the rest of the file was not run")
		}
	}
	r.checkUnread()
	return r.mismatches, nil
}

// runner is one pass over a file. It is used by one goroutine.
type runner struct {
	file       *File
	dial       Dial
	proto      int
	opts       Options
	clients    map[int]*client
	control    control
	alone      counters // figures of the server when only the control connection was there
	vars       map[string]string
	mismatches []Mismatch
}

func newRunner(f *File, dial Dial, proto int, opts Options) *runner {
	return &runner{file: f, dial: dial, proto: proto, opts: opts, clients: map[int]*client{}, vars: map[string]string{}}
}

const (
	// barrierLimit bounds the wait for the server to show in its counters what was done to it. A server that does not
	// count, as a paused one or one whose monitors go, costs this much each time; one that takes longer because the machine
	// is busy may get the requests of two connections in the wrong order.
	barrierLimit = time.Second
	// quiet is how long nothing must come where nothing is expected.
	quiet = 5 * time.Millisecond
)

// reset drops all connections and empties the server.
func (r *runner) reset() error {
	r.hangUpAll()
	r.alone, _ = r.counters(r.opts.timeout())
	if err := r.takeControl(); err != nil || r.opts.NoReset {
		return err
	}
	reply, err := r.control.do(r.opts.timeout(), "FLUSHALL")
	if err != nil {
		return fmt.Errorf("FLUSHALL: %w", err)
	}
	if reply.Kind != Simple {
		return fmt.Errorf("FLUSHALL: %s", reply)
	}
	// A server that has no scripts has none to flush: what it answers to these two does not matter.
	for _, command := range [][]string{{"FUNCTION", "FLUSH", "SYNC"}, {"SCRIPT", "FLUSH", "SYNC"}} {
		if _, err := r.control.do(r.opts.timeout(), command...); err != nil {
			return fmt.Errorf("%s: %w", command[0], err)
		}
	}
	return nil
}

// takeControl opens the control connection if there is none: at the beginning, and after the transcript has paused the
// server or killed the connection.
func (r *runner) takeControl() error {
	if r.control.conn != nil {
		return nil
	}
	conn, err := r.dial()
	if err != nil {
		return err
	}
	r.control = control{conn: conn, r: bufio.NewReader(conn)}
	return nil
}

// counters asks the server for its figures; ok is false if it does not tell in time.
func (r *runner) counters(timeout time.Duration) (n counters, ok bool) {
	if r.takeControl() != nil {
		return n, false
	}
	return r.control.counters(timeout)
}

// end leaves the server without connections of ours, so that what a blocked client was waiting for does not go to it when
// the next transcript runs.
func (r *runner) end() {
	r.hangUpAll()
	r.control.close()
}

func (r *runner) hangUpAll() {
	if len(r.clients) == 0 {
		return
	}
	for _, c := range r.clients {
		c.close()
	}
	clear(r.clients)
	r.until(func(n counters) bool { return n.connected <= r.alone.connected && n.blocked <= r.alone.blocked }, nil)
}

// until waits until the server's counters satisfy done, a reply arrives at the client (unless nil), or barrierLimit is over.
func (r *runner) until(done func(counters) bool, c *client) {
	for deadline := time.Now().Add(barrierLimit); ; {
		left := time.Until(deadline)
		if left <= 0 || c != nil && c.pending() {
			return
		}
		n, ok := r.counters(left)
		if ok && done(n) {
			return
		}
		if !ok {
			time.Sleep(time.Until(deadline))
			return
		}
		time.Sleep(200 * time.Microsecond)
	}
}

// client returns the connection of that number, which the first request opens.
func (r *runner) client(number int) (*client, error) {
	if c, ok := r.clients[number]; ok {
		return c, nil
	}
	conn, err := r.dial()
	if err != nil {
		return nil, err
	}
	c := newClient(conn)
	if r.proto == 3 {
		if err := c.write(encode("HELLO", "3"), r.opts.timeout()); err != nil {
			c.close()
			return nil, err
		}
		reply, ok := c.await(r.opts.timeout())
		if !ok || reply.Kind != Map {
			c.close()
			return nil, fmt.Errorf("HELLO 3 was answered with %s", reply)
		}
		c.proto = 3
	}
	r.clients[number] = c
	return c, nil
}

// forget drops a connection that the server has closed: the next request opens a new one.
func (r *runner) forget(number int, replies []Reply) {
	if n := len(replies); n > 0 && replies[n-1].Kind == Closed {
		r.clients[number].close()
		delete(r.clients, number)
	}
}

// replay runs one step and compares. The error ends the replay.
func (r *runner) replay(s *step) error {
	want := r.wanted(s)
	if !s.replies() {
		return r.silent(s)
	}
	if s.rules.handwritten && r.opts.SkipHandwritten {
		r.collect(s) // a server that is not meant may leave its client without a reply, too
		return nil
	}
	if len(want) == 0 {
		return fmt.Errorf("no reply is written down for RESP%d: record it, or mark the request as handwritten", r.proto)
	}
	c, err := r.client(s.client)
	if err != nil {
		return err
	}
	args := r.arguments(s)
	if r.opts.WrapMulti && wrappable(s, c, want) {
		return r.replayInMulti(s, c, args, want)
	}
	before := counters{}
	if slices.ContainsFunc(want, func(w Reply) bool { return w.Kind == Blocked }) {
		before, _ = r.counters(barrierLimit)
	}
	if err := r.write(s, c, args); err != nil {
		return err
	}
	got, err := r.readAsExpected(c, want, before)
	r.compare(s, want, got, false)
	if s.action == send {
		c.observe(args, got)
	}
	r.forget(s.client, got)
	return err
}

// readAsExpected reads as many replies as there should be.
func (r *runner) readAsExpected(c *client, want []Reply, before counters) (got []Reply, err error) {
	for _, w := range want {
		wait := r.opts.timeout()
		switch w.Kind {
		case Blocked:
			r.until(func(n counters) bool { return n.blocked > before.blocked }, c)
			wait = 0
		case None:
			wait = quiet
		}
		reply, ok := c.await(wait)
		switch {
		case ok:
			got = append(got, reply)
		case w.Kind == Blocked || w.Kind == None:
			got = append(got, Reply{Kind: w.Kind})
		default:
			return append(got, Reply{Kind: AnyKind, Text: "no reply"}), fmt.Errorf("no reply within %v", wait)
		}
		if reply.Kind == Closed {
			break
		}
	}
	return got, nil
}

// wanted are the replies that the transcript expects of the step, with nulls as its client's protocol has them.
func (r *runner) wanted(s *step) []Reply {
	want := s.expected(r.proto)
	proto := r.proto
	if c, ok := r.clients[s.client]; ok {
		proto = c.proto
	}
	if proto == 3 {
		return fold(want)
	}
	return want
}

// silent runs a step that has no reply.
func (r *runner) silent(s *step) error {
	switch s.action {
	case reset:
		return r.reset()
	case sleep:
		if r.opts.Sleep != nil {
			r.opts.Sleep(s.pause)
		} else {
			time.Sleep(s.pause)
		}
	case hangUp:
		c, ok := r.clients[s.client]
		if !ok {
			return errors.New("this client has no connection")
		}
		before, _ := r.counters(barrierLimit)
		c.close()
		delete(r.clients, s.client)
		r.until(func(n counters) bool { return n.connected < before.connected }, nil)
	}
	return nil
}

// arguments are those of the step with the variables filled in.
func (r *runner) arguments(s *step) []string {
	args := make([]string, len(s.args))
	for i, a := range s.args {
		args[i] = substitute(a, r.vars)
	}
	return args
}

func (r *runner) write(s *step, c *client, args []string) error {
	switch s.action {
	case send:
		return c.write(encode(args...), r.opts.timeout())
	case sendRaw:
		return c.write([]byte(args[0]), r.opts.timeout())
	}
	return nil
}

// compare notes a mismatch if there is one, and keeps what a let asks for.
func (r *runner) compare(s *step, want, got []Reply, inMulti bool) {
	if r.opts.Log != nil {
		r.opts.Log("%s:%d: %s\n%s", r.file.Name, s.line, s.source, notation(got))
	}
	if !s.rules.matches(concrete(want, r.vars), got) {
		r.mismatches = append(r.mismatches, Mismatch{
			File: r.file.Name, Line: s.line, Proto: r.proto, InMulti: inMulti, Request: s.source,
			Want: notation(concrete(want, r.vars)) + s.rules.note(), Got: notation(got),
		})
	}
	if err := r.keep(s, got); err != nil {
		r.mismatches = append(r.mismatches, Mismatch{
			File: r.file.Name, Line: s.line, Proto: r.proto, Request: s.source, Want: "a value to keep", Got: err.Error(),
		})
	}
}

// note is what the directives add to an expectation.
func (r *rules) note() string {
	var notes []string
	if r.unordered != "" {
		notes = append(notes, "in any order")
	}
	if r.any {
		notes = append(notes, "the type alone")
	}
	if r.errorPrefix {
		notes = append(notes, "first word of an error alone")
	}
	if r.regex != nil {
		notes = append(notes, "matching "+r.regex.String())
	}
	if r.near != 0 {
		notes = append(notes, fmt.Sprintf("numbers within %v", r.near))
	}
	if len(notes) == 0 {
		return ""
	}
	return "\n(" + strings.Join(notes, ", ") + ")"
}

// keep stores the value that a let directive names.
func (r *runner) keep(s *step, got []Reply) error {
	if s.rules.let == "" || len(got) == 0 {
		return nil
	}
	value, err := got[len(got)-1].at(s.rules.letPath)
	if err == nil {
		r.vars[s.rules.let] = value
	}
	return err
}

func notation(replies []Reply) string {
	lines := make([]string, len(replies))
	for i, reply := range replies {
		lines[i] = reply.String()
		if reply.Kind == Closed && reply.Text != "" && reply.Text != "EOF" {
			lines[i] += " " + reply.Text
		}
	}
	return strings.Join(lines, "\n")
}

// checkUnread reports replies that came although the transcript does not know of them.
func (r *runner) checkUnread() {
	// By the time the server has answered this, it has sent the replies to what it was asked before.
	r.counters(barrierLimit)
	for _, number := range slices.Sorted(maps.Keys(r.clients)) {
		c := r.clients[number]
		for c.pending() {
			reply, _ := c.await(0)
			r.mismatches = append(r.mismatches, Mismatch{
				File: r.file.Name, Line: r.lastLine(), Proto: r.proto, Request: fmt.Sprintf("(end of file, client %d)", number),
				Want: "no more replies", Got: reply.String(),
			})
		}
	}
}

func (r *runner) lastLine() int {
	for _, it := range slices.Backward(r.file.items) {
		if it.step != nil {
			return it.step.line
		}
	}
	return 1
}
