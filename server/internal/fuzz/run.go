package fuzz

import (
	"bufio"
	"bytes"
	"fmt"
	"math/rand/v2"
	"net"
	"slices"
	"strconv"
	"strings"
	"time"

	"github.com/streampulse/pulse/internal/resp"
)

const (
	// epochRequests is about how many requests an epoch has.
	epochRequests = 400
	// maxPipeline is the largest number of requests that are sent before a reply is read.
	maxPipeline = 20
	// replyTimeout is how long a reply may take: nothing that is sent waits for long.
	replyTimeout = 10 * time.Second
)

// Run runs until Options.Requests have been sent or there are enough findings. The error says that the run itself failed.
func Run(o Options) (Report, error) {
	if o.MaxFindings == 0 {
		o.MaxFindings = 10
	}
	if o.Log == nil {
		o.Log = func(string, ...any) {}
	}
	r := &runner{o: o}
	r.report.Known = map[string]int{}
	if err := r.prepare(); err != nil {
		return r.report, err
	}
	seen := map[string]int{}
	for r.report.Requests < o.Requests && len(r.report.Findings) < o.MaxFindings {
		epoch := r.report.Epochs
		r.report.Epochs++
		units := r.draw(epoch)
		d, err := r.play(epoch, units)
		if err != nil {
			return r.report, err
		}
		if d == nil {
			continue
		}
		sign := d.sign()
		if seen[sign]++; seen[sign] > 1 {
			continue
		}
		f := r.shrink(epoch, units, d)
		r.report.Findings = append(r.report.Findings, f)
		o.Log("%s", f)
	}
	r.close()
	return r.report, nil
}

type runner struct {
	o            Options
	gen          *generator
	report       Report
	quiet        bool // a replay: nothing is counted
	canConfigure bool

	sessions [2]session // the second one conflicts with the first, and waits for it
	waiting  *request   // what the second one has asked and perhaps waits for
}

// session is a connection to each server and the state that both are in.
type session struct {
	oracle, ours link
	queue        []*request // of MULTI
	before       pair
}

func (s *session) links() []*link { return []*link{&s.oracle, &s.ours} }

// link is a connection to one server.
type link struct {
	conn net.Conn
	in   *bufio.Reader
	id   string // CLIENT ID
}

func (l *link) open(dial func() (net.Conn, error)) (err error) {
	l.close()
	if l.conn, err = dial(); err != nil {
		return err
	}
	l.in = bufio.NewReaderSize(l.conn, 64<<10)
	return nil
}

func (l *link) close() {
	if l.conn != nil {
		l.conn.Close()
		l.conn = nil
	}
}

// ask sends one request and returns the reply.
func (l *link) ask(args ...string) ([]byte, error) {
	l.conn.SetDeadline(time.Now().Add(replyTimeout))
	if _, err := l.conn.Write(resp.AppendRequest(nil, args...)); err != nil {
		return nil, err
	}
	return readReply(l.in, nil)
}

func (r *runner) close() {
	for i := range r.sessions {
		for _, l := range r.sessions[i].links() {
			l.close()
		}
	}
}

// prepare asks the oracle what it knows and makes the generator.
func (r *runner) prepare() error {
	oracle := &r.sessions[0].oracle
	if err := oracle.open(r.o.Oracle); err != nil {
		return err
	}
	defer r.close()
	docs, err := oracle.ask("COMMAND", "DOCS")
	if err != nil {
		return err
	}
	tokens := oracleTokens(decode(docs))
	if len(tokens) == 0 {
		return fmt.Errorf("fuzz: the oracle has no COMMAND DOCS")
	}
	r.gen, err = newGenerator(r.o.Table, r.o.Only, func(name string) func(string) bool {
		t, ok := tokens[name]
		if !ok {
			return nil
		}
		return func(token string) bool { return t[strings.Trim(token, `"`)] }
	})
	if err != nil {
		return err
	}
	rows, err := oracle.ask("COMMAND")
	r.gen.arity = map[string]int{}
	collectArity(decode(rows), r.gen.arity)
	r.canConfigure = r.o.Table.Lookup([]byte("config")) != nil
	return err
}

// oracleTokens collects the tokens in the arguments of each command, by full name, from the reply to COMMAND DOCS in RESP2.
func oracleTokens(docs resp.Value) map[string]map[string]bool {
	out := map[string]map[string]bool{}
	for i := 0; i+1 < len(docs.Elems); i += 2 {
		name := string(docs.Elems[i].Str)
		t := map[string]bool{}
		fields := docs.Elems[i+1].Elems
		for j := 0; j+1 < len(fields); j += 2 {
			switch string(fields[j].Str) {
			case "arguments":
				collectTokens(fields[j+1], t)
			case "subcommands":
				for name, t := range oracleTokens(fields[j+1]) {
					out[name] = t
				}
			}
		}
		out[name] = t
	}
	return out
}

// collectArity reads the reply to COMMAND, and the lists of subcommands in it.
func collectArity(rows resp.Value, into map[string]int) {
	for _, row := range rows.Elems {
		if len(row.Elems) > 9 {
			into[string(row.Elems[0].Str)] = int(row.Elems[1].Int)
			collectArity(row.Elems[9], into)
		}
	}
}

func collectTokens(v resp.Value, into map[string]bool) {
	for i, e := range v.Elems {
		if string(e.Str) == "token" && i+1 < len(v.Elems) && i%2 == 0 {
			into[string(v.Elems[i+1].Str)] = true
		}
		collectTokens(e, into)
	}
}

// draw makes the units of an epoch.
func (r *runner) draw(epoch int) []unit {
	r.gen.seed(r.o.Seed, uint64(epoch))
	var units []unit
	if r.gen.streams {
		units = r.gen.streamPrelude()
	}
	most := epochRequests
	if r.gen.alone {
		most /= 4 // what is overwritten or deleted until the end is not compared
	}
	for n := 0; n < most; {
		for _, u := range r.gen.next() {
			units = append(units, u)
			n += len(u)
		}
	}
	return units
}

// setups are parameters that an epoch may have; those that the oracle lacks are ours alone.
var setups = [][]string{
	nil,
	{"hash-max-listpack-entries", "4", "hash-max-listpack-value", "8", "zset-max-listpack-entries", "4", "zset-max-listpack-value", "8", "set-max-intset-entries", "3", "list-max-listpack-size", "3", "stream-node-max-entries", "3"},
	{"hash-max-listpack-entries", "2", "zset-max-listpack-entries", "2", "set-max-intset-entries", "2", "list-max-listpack-size", "2", "hll-sparse-max-bytes", "40", "stream-node-max-entries", "10"},
	{"hash-max-listpack-entries", "0", "zset-max-listpack-entries", "0", "set-max-intset-entries", "0", "list-max-listpack-size", "1", "stream-node-max-entries", "1"},
	{"list-max-listpack-size", "2", "list-compress-depth", "1", "hash-max-listpack-value", "1", "zset-max-listpack-value", "1", "stream-node-max-bytes", "60"},
}

var defaultSetup = []string{"hash-max-listpack-entries", "128", "hash-max-listpack-value", "64", "zset-max-listpack-entries", "128", "zset-max-listpack-value", "64", "set-max-intset-entries", "512", "list-max-listpack-size", "-2", "list-compress-depth", "0", "hll-sparse-max-bytes", "3000", "stream-node-max-entries", "100", "stream-node-max-bytes", "4096"}

func (r *runner) setup(epoch int) []string {
	if !r.canConfigure {
		return nil
	}
	return setups[epoch%len(setups)]
}

// begin opens the connections of an epoch to two empty servers.
func (r *runner) begin(epoch int) error {
	r.waiting = nil
	for i := range r.sessions {
		s := &r.sessions[i]
		s.queue, s.before = nil, pair{}
		if err := s.oracle.open(r.o.Oracle); err != nil {
			return err
		}
		if err := s.ours.open(r.o.Ours); err != nil {
			return err
		}
		for _, l := range s.links() {
			if err := r.greet(l, epoch, i == 0); err != nil {
				return err
			}
		}
	}
	return nil
}

// database is the one in which both sessions begin.
func (r *runner) database(epoch int) string {
	if epoch%5 == 4 {
		return "9"
	}
	return "0"
}

// greet prepares a connection, and with the first one the server.
func (r *runner) greet(l *link, epoch int, first bool) error {
	var requests [][]string
	if first {
		requests = append(requests, []string{"FLUSHALL"})
	}
	if first && r.canConfigure {
		requests = append(requests, append([]string{"CONFIG", "SET"}, defaultSetup...))
		if s := r.setup(epoch); s != nil {
			requests = append(requests, append([]string{"CONFIG", "SET"}, s...))
		}
	}
	for _, args := range requests {
		reply, err := l.ask(args...)
		if err != nil {
			return err
		}
		if string(reply) != "+OK\r\n" {
			return fmt.Errorf("fuzz: %v: %q", args, reply)
		}
	}
	id, err := l.ask("CLIENT", "ID")
	if err != nil {
		return err
	}
	l.id = strconv.FormatInt(decode(id).Int, 10)
	if epoch%3 == 2 {
		_, err = l.ask("HELLO", "3")
	}
	if err == nil {
		_, err = l.ask("SELECT", r.database(epoch))
	}
	return err
}

// mismatch is a difference as it is met.
type mismatch struct {
	unit    int // index; len(units) if it is in the state afterwards
	request request
	pair
}

func (d *mismatch) name() string {
	if d.request.spec != nil {
		return d.request.spec.FullName()
	}
	return strings.ToLower(d.request.args[0])
}

// sign is the same for differences that probably have the same cause.
func (d *mismatch) sign() string {
	head := func(b []byte) string {
		if i := bytes.IndexByte(b, '\r'); i >= 0 {
			b = b[:i]
		}
		if len(b) > 0 && b[0] != '-' {
			b = b[:1]
		}
		return string(b[:min(len(b), 32)])
	}
	return d.name() + head(d.oracle) + head(d.ours)
}

// play sends the units to both servers, as a new epoch, and returns the first difference, if there is one.
func (r *runner) play(epoch int, units []unit) (*mismatch, error) {
	if err := r.begin(epoch); err != nil {
		return nil, err
	}
	rng := rand.New(rand.NewPCG(r.o.Seed, uint64(epoch)^1<<63))
	var batch []*request
	var at []int
	flush := func() *mismatch {
		d, i := r.exchange(0, batch)
		if d != nil {
			d.unit = at[i]
		}
		batch, at = batch[:0], at[:0]
		return d
	}
	size := 1 + rng.IntN(maxPipeline)
	for i := range units {
		// What another session asks comes between two pipelines of the first.
		role := units[i][0].role
		if role == mainRole {
			for j := range units[i] {
				batch, at = append(batch, &units[i][j]), append(at, i)
			}
			if len(batch) < size {
				continue
			}
			size = 1 + rng.IntN(maxPipeline)
		}
		d := flush()
		if d == nil && role != mainRole {
			if d = r.aside(units[i]); d != nil {
				d.unit = i
			}
		}
		if d != nil {
			return d, nil
		}
	}
	d := flush()
	if d == nil {
		if d = r.endWait(); d == nil {
			d = r.checkState()
		}
		if d != nil {
			d.unit = len(units)
		}
	}
	return d, nil
}

// exchange sends requests to both servers at once in one session and judges the replies. It returns the index of the
// first difference.
func (r *runner) exchange(session int, batch []*request) (*mismatch, int) {
	s := &r.sessions[session]
	var out []byte
	for _, q := range batch {
		out = resp.AppendRequest(out, q.args...)
	}
	if len(out) == 0 {
		return nil, 0
	}
	for _, l := range s.links() {
		l.send(out)
	}
	for i, q := range batch {
		if d := r.replies(s, q); d != nil {
			return d, i
		}
	}
	return nil, 0
}

// send writes without waiting: replies may fill both directions before all is sent.
func (l *link) send(out []byte) {
	l.conn.SetDeadline(time.Now().Add(replyTimeout))
	go func(c net.Conn) { _, _ = c.Write(out) }(l.conn)
}

// replies reads and judges what both servers answer to a request that has been sent.
func (r *runner) replies(s *session, q *request) *mismatch {
	var p pair
	var errA, errB error
	p.oracle, errA = readReply(s.oracle.in, nil)
	p.ours, errB = readReply(s.ours.in, nil)
	if errA != nil {
		p.oracle = fmt.Appendf(p.oracle, "(%v)", errA)
	}
	if errB != nil {
		p.ours = fmt.Appendf(p.ours, "(%v)", errB)
	}
	if !r.quiet {
		r.report.Requests++
		if len(p.oracle) > 0 && p.oracle[0] == '-' {
			r.report.Errors++
		}
	}
	if errA != nil || errB != nil || !r.judge(s, q, p) {
		return &mismatch{request: *q, pair: p}
	}
	s.before = p
	return nil
}

// judge compares the replies to a request and follows the state of the session.
func (r *runner) judge(s *session, q *request, p pair) bool {
	if bytes.Equal(p.oracle, p.ours) && string(p.oracle) == "+QUEUED\r\n" {
		s.queue = append(s.queue, q)
		return true
	}
	if name := strings.ToUpper(q.args[0]); name == "EXEC" || name == "DISCARD" {
		queue := s.queue
		s.queue = nil
		a, b := decode(p.oracle), decode(p.ours)
		if name == "EXEC" && a.Type == '*' && b.Type == '*' && len(a.Elems) == len(queue) && len(b.Elems) == len(queue) && !a.Null {
			return r.judgeAll(queue, a.Elems, b.Elems)
		}
	}
	return compare(q, p, s.before) || r.known(q, p)
}

// judgeAll compares the elements of EXEC's reply.
func (r *runner) judgeAll(queue []*request, a, b []resp.Value) bool {
	var beforeA, beforeB resp.Value
	for i, q := range queue {
		if !compareValues(q, a[i], b[i], beforeA, beforeB) && !r.known(q, pair{wire(nil, a[i]), wire(nil, b[i])}) {
			return false
		}
		beforeA, beforeB = a[i], b[i]
	}
	return true
}

func (r *runner) known(q *request, p pair) bool {
	name := strings.ToLower(q.args[0])
	if q.spec != nil {
		name = q.spec.FullName()
	}
	reason := known(name, p)
	if reason != "" && !r.quiet {
		r.report.Known[reason]++
	}
	return reason != ""
}

// wire encodes a decoded reply again.
func wire(dst []byte, v resp.Value) []byte {
	head := func(n int) { dst = append(strconv.AppendInt(append(dst, v.Type), int64(n), 10), '\r', '\n') }
	switch {
	case v.Null:
		if v.Type == '_' {
			return append(dst, "_\r\n"...)
		}
		head(-1)
	case v.Type == ':':
		head(int(v.Int))
	case slices.Contains([]byte("$!="), v.Type):
		head(len(v.Str))
		dst = append(append(dst, v.Str...), '\r', '\n')
	case slices.Contains([]byte("*~>"), v.Type):
		head(len(v.Elems))
	case v.Type == '%':
		head(len(v.Elems) / 2)
	default:
		dst = append(append(append(dst, v.Type), v.Str...), '\r', '\n')
	}
	for _, e := range v.Elems {
		dst = wire(dst, e)
	}
	return dst
}
