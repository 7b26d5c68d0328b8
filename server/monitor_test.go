package server

import (
	"fmt"
	"path/filepath"
	"regexp"
	"slices"
	"strconv"
	"strings"
	"testing"
	"time"
)

// TestMonitor sends the requests of testdata/monitor.txt, which is written as those of TestNotifications, and compares
// what one who looks on is shown: recorded, but for the time, and the address of whoever is not a script.
func TestMonitor(t *testing.T) {
	eachTarget(t, nil, func(t *testing.T, to target) {
		n := newNotified(t, to)
		n.errors = true
		n.listener.want("MONITOR", "+OK\r\n")
		line := regexp.MustCompile(`^\+\d{10}\.\d{6} (\[\d+ )(127\.0\.0\.1:\d+|lua)(\].*)\r\n$`)
		n.look = func() (shown []string) {
			n.syncs++
			end := fmt.Sprintf(`"PING" "end %d"`, n.syncs)
			n.control.doArgs("PING", fmt.Sprintf("end %d", n.syncs))
			for {
				raw := n.listener.read()
				m := line.FindStringSubmatch(raw)
				switch {
				case m == nil:
					t.Fatalf("shown %q", raw)
				case strings.HasSuffix(m[3], end):
					return shown
				case strings.Contains(m[3], `"INFO" "clients"`): // by which the test waits
				case m[2] == "lua":
					shown = append(shown, m[1]+m[2]+m[3])
				default:
					shown = append(shown, m[1]+"client"+m[3])
				}
			}
		}
		n.compare(filepath.Join("testdata", "monitor.txt"))
	})
}

// TestMonitorIsAClient looks at what one who looks on may do itself.
func TestMonitorIsAClient(t *testing.T) {
	eachTarget(t, nil, func(t *testing.T, to target) {
		m, other := to.dial(t), to.dial(t)
		m.want("MONITOR", "+OK\r\n")
		m.send(encode("MONITOR")) // has no reply
		m.want("GET k", "-ERR Replica can't interact with the keyspace\r\n")
		m.want("PING", "+PONG\r\n")
		if own := m.read(); !strings.HasSuffix(own, "] \"PING\"\r\n") {
			t.Errorf("its own request is shown as %q", own)
		}
		if list := other.do("CLIENT LIST"); strings.Count(list, "flags=O ") != 1 {
			t.Errorf("CLIENT LIST = %s", list)
		}
		other.do("SET k v")
		if shown := m.read(); !strings.HasSuffix(shown, "\"SET\" \"k\" \"v\"\r\n") {
			t.Errorf("shown %q", shown)
		}
		m.want("RESET", "+RESET\r\n")
		other.do("SET k v")
		m.want("GET k", "$1\r\nv\r\n")
		m.want("MONITOR", "+OK\r\n")
		m.want("QUIT", "+OK\r\n")
		if rest := m.readAll(); strings.Contains(rest, "SET") {
			t.Errorf("after QUIT: %q", rest)
		}
		other.want("SET k v", "+OK\r\n")
	})
}

// TestMonitorThatDoesNotRead is closed when too much waits for it, and nobody else notices.
func TestMonitorThatDoesNotRead(t *testing.T) {
	srv := openServer(t, "client-output-buffer-limit", "normal 4mb 0 0")
	m, busy := dial(t, srv), dial(t, srv)
	m.want("MONITOR", "+OK\r\n")
	request := encode("SET", "k", strings.Repeat("x", 64<<10))
	deadline := time.Now().Add(patience)
	for gone := false; !gone; gone = srv.clients.count() == 1 {
		if time.Now().After(deadline) {
			t.Fatal("it is not closed")
		}
		busy.send(request)
		if got := busy.read(); got != "+OK\r\n" {
			t.Fatalf("SET: %q", got)
		}
	}
	if n, err := strconv.Atoi(regexp.MustCompile(`client_output_buffer_limit_disconnections:(\d+)`).FindStringSubmatch(busy.do("INFO stats"))[1]); n != 1 {
		t.Errorf("disconnections: %d, %v", n, err)
	}
}

// TestSlowlog sends the requests of testdata/slowlog.txt and compares what is in the slow log after each, the oldest entry
// first: arguments, whether there is an address, and the client's name.
func TestSlowlog(t *testing.T) {
	eachTarget(t, settings{"slowlog-log-slower-than", "0", "slowlog-max-len", "1000"}, func(t *testing.T, to target) {
		n := newNotified(t, to)
		n.errors = true
		n.control.do("CLIENT SETNAME control")
		n.control.do("SLOWLOG RESET")
		last := -1
		n.look = func() (entries []string) {
			raw := n.control.do("SLOWLOG GET -1")
			n.control.do("SLOWLOG RESET")
			for range count(t, &raw, '*') {
				count(t, &raw, '*')
				id := count(t, &raw, ':')
				if last != -1 && id >= last {
					t.Errorf("entry %d before %d", last, id)
				}
				last = id
				count(t, &raw, ':')
				count(t, &raw, ':')
				var said []string
				for range count(t, &raw, '*') + 2 {
					n := count(t, &raw, '$')
					said = append(said, strconv.Quote(raw[:n]))
					raw = raw[n+2:]
				}
				if said[len(said)-1] == `"control"` {
					continue
				}
				if at := len(said) - 2; said[at] != `""` {
					said[at] = "client"
				}
				entries = append(entries, strings.Join(said, " "))
			}
			last = -1
			slices.Reverse(entries)
			return entries
		}
		n.compare(filepath.Join("testdata", "slowlog.txt"))
	})
}

// count takes a line with a number off a reply.
func count(t *testing.T, raw *string, kind byte) int {
	line, rest, ok := strings.Cut(*raw, "\r\n")
	n, err := strconv.Atoi(line[1:])
	if !ok || err != nil || line[0] != kind {
		t.Fatalf("%q is not a number of kind %c", line, kind)
	}
	*raw = rest
	return n
}

// TestSlowlogIsBounded looks at the parameters.
func TestSlowlogIsBounded(t *testing.T) {
	eachTarget(t, settings{"slowlog-log-slower-than", "0", "slowlog-max-len", "3"}, func(t *testing.T, to target) {
		c := to.dial(t)
		for range 5 {
			c.do("PING")
		}
		c.want("SLOWLOG LEN", ":3\r\n")
		c.want("CONFIG SET slowlog-max-len 2", "+OK\r\n")
		c.want("SLOWLOG LEN", ":2\r\n")
		c.want("CONFIG SET slowlog-log-slower-than -1", "+OK\r\n")
		c.want("SLOWLOG RESET", "+OK\r\n")
		c.want("SLOWLOG LEN", ":0\r\n")
		c.want("CONFIG SET slowlog-log-slower-than 100000000", "+OK\r\n")
		c.want("SLOWLOG GET", "*0\r\n")
		c.want("CONFIG SET slowlog-log-slower-than 0 slowlog-max-len 0", "+OK\r\n")
		c.do("PING")
		c.want("SLOWLOG LEN", ":0\r\n")
	})
}
