package server

import (
	"bytes"
	"fmt"
	"os"
	"path/filepath"
	"regexp"
	"strconv"
	"strings"
	"testing"
	"time"

	"github.com/streampulse/pulse/internal/script"
)

// shortLife is longer than any key lives whose end the recordings wait for.
const shortLife = 100 * time.Millisecond

// TestNotifications sends the requests of testdata/notify and compares the events that they cause with those that are
// written below each, which are recorded from a redis-server with -rewrite -oracle. A line is
//
//	> SET k v          a request; '...' holds spaces, ${dump:k} is what DUMP replies for k
//	  set k            an event and its key, with @1 behind in database 1
//	2> BLPOP l 0       a request of another client, whose reply is not waited for
//	7.4> HEXPIRE ...   a request that Redis knows since 7.4, 8> since 8: older ones are not asked
//	wait expired k     the events until that one; the time of our own server stands still until then
//	set notify-keyspace-events KEA
func TestNotifications(t *testing.T) {
	paths, err := filepath.Glob(filepath.Join("testdata", "notify", "*.txt"))
	if err != nil || len(paths) == 0 {
		t.Fatalf("no recordings: %v", err)
	}
	for _, path := range paths {
		t.Run(strings.TrimSuffix(filepath.Base(path), ".txt"), func(t *testing.T) {
			eachTarget(t, settings{"notify-keyspace-events", "KEAmn"}, func(t *testing.T, to target) {
				var pass func()
				if !to.oracle {
					srv, clk := frozen(t, "notify-keyspace-events", "KEAmn")
					to.dial = func(t testing.TB) *client { return dial(t, srv) }
					pass = func() { clk.Advance(shortLife) }
				}
				n := newNotified(t, to)
				n.pass = pass
				n.listener.do("PSUBSCRIBE __key*")
				n.compare(path)
			})
		})
	}
}

// compare replays the recording at path and reports where it goes another way, or records it anew.
func (n *notified) compare(path string) {
	text, err := os.ReadFile(path)
	if err != nil {
		n.t.Fatal(err)
	}
	got := n.replay(string(text))
	switch {
	case got == string(text):
	case script.Rewriting() && n.version < 99:
		if err := os.WriteFile(path, []byte(got), 0o644); err != nil {
			n.t.Fatal(err)
		}
	case !script.Rewriting():
		n.t.Error(difference(string(text), got))
	}
}

// difference shows the first line in which two texts differ, with the request before it.
func difference(want, got string) string {
	w, g := strings.Split(want, "\n"), strings.Split(got, "\n")
	request := ""
	for i := range min(len(w), len(g)) {
		if strings.Contains(w[i], "> ") {
			request = w[i]
		}
		if w[i] != g[i] {
			return fmt.Sprintf("line %d, %s: got %q, want %q", i+1, request, g[i], w[i])
		}
	}
	return "one is longer"
}

// notified is a server with somebody who listens to all events.
type notified struct {
	t        testing.TB
	by       *client // sends the requests
	control  *client
	others   map[string]*client
	dial     func(t testing.TB) *client
	listener *client
	syncs    int
	version  float64         // of the server
	old      bool            // it is older than what follows
	errors   bool            // replies may be errors
	look     func() []string // what is to be seen of the last request
	pass     func()          // lets shortLife pass, where time stands still
}

func newNotified(t testing.TB, to target) *notified {
	n := &notified{t: t, by: to.dial(t), control: to.dial(t), listener: to.dial(t), others: map[string]*client{}, dial: to.dial, version: 99}
	if to.oracle {
		m := regexp.MustCompile(`redis_version:(\d+\.\d+)`).FindStringSubmatch(n.control.do("INFO server"))
		n.version, _ = strconv.ParseFloat(m[1], 64)
	}
	n.look = n.events
	return n
}

// replay does what the lines of a recording say and returns it with the events that come.
func (n *notified) replay(text string) string {
	var out strings.Builder
	lines := strings.Split(strings.TrimSuffix(text, "\n"), "\n")
	for i, line := range lines {
		if strings.HasPrefix(line, "  ") {
			if n.old {
				out.WriteString(line + "\n")
			}
			continue
		}
		out.WriteString(line + "\n")
		who, request, ok := strings.Cut(line, "> ")
		if strings.HasPrefix(line, "wait ") && n.old {
			continue
		}
		n.old = false
		switch {
		case strings.HasPrefix(line, "#") || line == "":
		case strings.HasPrefix(line, "set "):
			n.control.do("CONFIG " + line)
		case strings.HasPrefix(line, "wait "):
			if n.pass != nil {
				n.pass()
			}
			n.write(&out, n.until(strings.TrimPrefix(line, "wait ")))
		case !ok:
			n.t.Fatalf("line %d: %s", i+1, line)
		default:
			n.request(who, request)
			if !n.old {
				n.write(&out, n.look())
			}
		}
	}
	return out.String()
}

func (n *notified) write(out *strings.Builder, events []string) {
	for _, e := range events {
		out.WriteString("  " + e + "\n")
	}
}

var (
	word    = regexp.MustCompile(`'[^']*'|\S+`)
	dumpRef = regexp.MustCompile(`^\$\{dump:(.*)\}$`)
)

func (n *notified) request(who, request string) {
	args := word.FindAllString(request, -1)
	for i, a := range args {
		args[i] = strings.Trim(a, "'")
		if m := dumpRef.FindStringSubmatch(a); m != nil {
			_, payload, _ := strings.Cut(n.control.do("DUMP "+m[1]), "\r\n")
			args[i] = strings.TrimSuffix(payload, "\r\n")
		}
	}
	if since, err := strconv.ParseFloat(who, 64); err == nil && since > 5 {
		n.old = n.version < since
		who = ""
	}
	switch {
	case n.old:
	case who == "":
		if reply := n.by.doArgs(args...); strings.HasPrefix(reply, "-") && !n.errors {
			n.t.Errorf("%s: %s", request, reply)
		}
	default:
		if n.others[who] == nil {
			n.others[who] = n.dial(n.t)
		}
		blocked := n.blocked()
		n.others[who].send(encode(args...))
		for end := time.Now().Add(patience); n.blocked() == blocked; time.Sleep(time.Millisecond) {
			if time.Now().After(end) {
				n.t.Fatalf("%s does not wait", request)
			}
		}
	}
}

// blocked is how many clients wait.
func (n *notified) blocked() string {
	return regexp.MustCompile(`blocked_clients:(\d+)`).FindString(n.control.do("INFO clients"))
}

// events returns what has happened since it was asked last.
func (n *notified) events() []string {
	n.syncs++
	end := strconv.Itoa(n.syncs)
	n.control.doArgs("PUBLISH", "__key-end", end)
	return n.collect(func(channel, message string) bool { return channel == "__key-end" && message == end })
}

// until returns what happens up to the given event.
func (n *notified) until(event string) []string {
	name, key, _ := strings.Cut(event, " ")
	last := []string{}
	got := n.collect(func(channel, message string) bool {
		if channel == "__keyevent@0__:"+name && message == key {
			last = append(last, event)
			return true
		}
		return false
	})
	return append(got, last...)
}

// collect reads messages until one is the end. Of each event the one about the key comes before the one about the event.
func (n *notified) collect(end func(channel, message string) bool) (events []string) {
	n.t.Helper()
	pending := ""
	for {
		m := n.message()
		if end(m[2], m[3]) {
			if pending != "" && !strings.Contains(m[2], "keyevent") {
				n.t.Errorf("%s was only said of the key", pending)
			}
			return events
		}
		place, what, _ := strings.Cut(m[2], "__:")
		db := strings.TrimPrefix(strings.TrimPrefix(place, "__keyspace"), "__keyevent")
		if db == "@0" {
			db = ""
		}
		if strings.HasPrefix(place, "__keyspace") {
			if pending != "" {
				n.t.Errorf("%s was only said of the key", pending)
			}
			pending = m[3] + " " + what + db
			continue
		}
		if e := what + " " + m[3] + db; e != pending {
			n.t.Errorf("%q was said of the key, %q of the event", pending, e)
		}
		events, pending = append(events, pending), ""
	}
}

// message returns the parts of the next message.
func (n *notified) message() []string { return parts(n.t, n.listener.read()) }

// parts takes a message to a pattern apart.
func parts(t testing.TB, raw string) (out []string) {
	t.Helper()
	for rest := []byte(raw)[min(len(raw), len("*4\r\n")):]; len(rest) > 0; {
		i := bytes.Index(rest, []byte("\r\n"))
		size, err := strconv.Atoi(string(rest[1:max(i, 1)]))
		if err != nil || rest[0] != '$' {
			t.Fatalf("not a message: %q", raw)
		}
		out = append(out, string(rest[i+2:i+2+size]))
		rest = rest[i+2+size+2:]
	}
	if len(out) != 4 || out[0] != "pmessage" {
		t.Fatalf("not a message: %q", raw)
	}
	return out
}

// What a client's own command causes follows the reply, as since 7.2; before, it lay within the reply of an EXEC or a script.
func TestOwnNotifications(t *testing.T) {
	c := dial(t, openServer(t, "notify-keyspace-events", "KEA"))
	if !strings.HasPrefix(c.do("HELLO 3"), "%") {
		t.Fatal("HELLO 3")
	}
	event := func(name string) string {
		channel := "__keyevent@0__:" + name
		return fmt.Sprintf(">3\r\n$7\r\nmessage\r\n$%d\r\n%s\r\n$1\r\nk\r\n", len(channel), channel)
	}
	c.send(encode("PSUBSCRIBE", "nothing") + encode("SUBSCRIBE", "__keyevent@0__:set", "__keyevent@0__:del"))
	for range 3 {
		c.read()
	}
	c.send(encode("SET", "k", "v"))
	c.expect("+OK\r\n" + event("set"))
	c.send(encode("MULTI") + encode("SET", "k", "v") + encode("DEL", "k") + encode("EXEC"))
	c.expect("+OK\r\n+QUEUED\r\n+QUEUED\r\n*2\r\n+OK\r\n:1\r\n" + event("set") + event("del"))
	c.send(encode("EVAL", "redis.call('SET', 'k', 'v') return redis.call('DEL', 'k')", "0"))
	c.expect(":1\r\n" + event("set") + event("del"))
	c.silent()
}
