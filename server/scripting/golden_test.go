package scripting

import (
	"bufio"
	"bytes"
	"flag"
	"fmt"
	"io"
	"net"
	"os"
	"path/filepath"
	"sort"
	"strconv"
	"strings"
	"testing"
	"time"

	"github.com/streampulse/pulse/internal/oracle"
)

var record = flag.Bool("record", false, "record testdata/*.golden from a real redis-server")

// world is a Caller with a handful of commands: enough to see every kind of reply and error.
type world struct {
	text map[string]string
	list map[string][]string
	hash map[string]map[string]string
	set  map[string]map[string]bool
	out  []byte
	logs []string
	repl int
}

func newWorld() *world {
	return &world{text: map[string]string{}, list: map[string][]string{}, hash: map[string]map[string]string{}, set: map[string]map[string]bool{}}
}

func bulk(s string) string { return fmt.Sprintf("$%d\r\n%s\r\n", len(s), s) }

func (w *world) Call(args [][]byte, proto int) []byte {
	w.out = append(w.out[:0], w.call(args, proto)...)
	return w.out
}

const wrongArgs = "-ERR Wrong number of args calling Redis command from script\r\n"
const wrongType = "-WRONGTYPE Operation against a key holding the wrong kind of value\r\n"

func (w *world) call(raw [][]byte, proto int) string {
	var a []string
	for _, b := range raw {
		a = append(a, string(b))
	}
	arity := map[string]int{"get": 2, "set": -3, "incr": 2, "rpush": -3, "lrange": 4, "hset": -4, "hgetall": 2, "sadd": -3, "smembers": 2, "ping": -1, "echo": 2, "incrbyfloat": 3}
	name := strings.ToLower(a[0])
	n, ok := arity[name]
	switch {
	case name == "eval" || name == "subscribe":
		return "-ERR This Redis command is not allowed from script\r\n"
	case !ok:
		return "-ERR Unknown Redis command called from script\r\n"
	case n > 0 && len(a) != n, n < 0 && len(a) < -n:
		return wrongArgs
	}
	key := ""
	if len(a) > 1 {
		key = a[1]
	}
	if _, isList := w.list[key]; isList && name != "rpush" && name != "lrange" && name != "echo" && name != "ping" && name != "set" {
		return wrongType
	}
	switch name {
	case "get":
		v, ok := w.text[key]
		if !ok {
			if proto == 3 {
				return "_\r\n"
			}
			return "$-1\r\n"
		}
		return bulk(v)
	case "set":
		delete(w.list, key)
		w.text[key] = a[2]
		return "+OK\r\n"
	case "incr":
		n, err := strconv.ParseInt("0"+w.text[key], 10, 64)
		if err != nil {
			return "-ERR value is not an integer or out of range\r\n"
		}
		w.text[key] = strconv.FormatInt(n+1, 10)
		return fmt.Sprintf(":%d\r\n", n+1)
	case "rpush":
		w.list[key] = append(w.list[key], a[2:]...)
		return fmt.Sprintf(":%d\r\n", len(w.list[key]))
	case "lrange":
		s := fmt.Sprintf("*%d\r\n", len(w.list[key]))
		for _, v := range w.list[key] {
			s += bulk(v)
		}
		return s
	case "hset":
		w.hash[key] = map[string]string{a[2]: a[3]}
		return ":1\r\n"
	case "hgetall":
		h := w.hash[key]
		s := fmt.Sprintf("*%d\r\n", 2*len(h))
		if proto == 3 {
			s = fmt.Sprintf("%%%d\r\n", len(h))
		}
		for k, v := range h {
			s += bulk(k) + bulk(v)
		}
		return s
	case "sadd":
		w.set[key] = map[string]bool{a[2]: true}
		return ":1\r\n"
	case "smembers":
		s := fmt.Sprintf("*%d\r\n", len(w.set[key]))
		if proto == 3 {
			s = "~" + s[1:]
		}
		for k := range w.set[key] {
			s += bulk(k)
		}
		return s
	case "ping":
		return "+PONG\r\n"
	}
	return bulk(key)
}

func (w *world) Allowed(args [][]byte) (bool, bool) {
	name := strings.ToLower(string(args[0]))
	return true, name == "get" || name == "set"
}
func (w *world) SetRepl(n int)           { w.repl = n }
func (w *world) Failed(string, bool)     {}
func (w *world) Log(level int, s string) { w.logs = append(w.logs, fmt.Sprint(level, " ", s)) }

// readReply reads one raw reply.
func readReply(r *bufio.Reader) (string, error) {
	l, err := r.ReadString('\n')
	if err != nil {
		return l, err
	}
	n := 0
	switch l[0] {
	case '$', '=':
		size, _ := strconv.Atoi(strings.TrimSpace(l[1:]))
		if size < 0 {
			return l, nil
		}
		b := make([]byte, size+2)
		_, err = io.ReadFull(r, b)
		return l + string(b), err
	case '*', '~', '>':
		n, _ = strconv.Atoi(strings.TrimSpace(l[1:]))
	case '%':
		n, _ = strconv.Atoi(strings.TrimSpace(l[1:]))
		n *= 2
	}
	for ; n > 0; n-- {
		s, err := readReply(r)
		if l += s; err != nil {
			return l, err
		}
	}
	return l, nil
}

func ask(t *testing.T, c net.Conn, r *bufio.Reader, args ...string) string {
	t.Helper()
	s := fmt.Sprintf("*%d\r\n", len(args))
	for _, a := range args {
		s += bulk(a)
	}
	c.SetDeadline(time.Now().Add(10 * time.Second))
	if _, err := io.WriteString(c, s); err != nil {
		t.Fatal(err)
	}
	reply, err := readReply(r)
	if err != nil {
		t.Fatalf("%q: %v", args, err)
	}
	return reply
}

// scripts reads a file of scripts: separated by lines of "---", each optionally begun by a line "proto 3".
func scripts(t *testing.T, name string) []string {
	b, err := os.ReadFile(filepath.Join("testdata", name))
	if err != nil {
		t.Fatal(err)
	}
	return strings.Split(strings.TrimSuffix(string(b), "\n"), "\n---\n")
}

// goldenSeeds are the scripts of all files, to begin fuzzing with.
func goldenSeeds() (list []string) {
	files, _ := filepath.Glob("testdata/*.lua")
	for _, f := range files {
		if b, err := os.ReadFile(f); err == nil {
			list = append(list, strings.Split(string(b), "\n---\n")...)
		}
	}
	return list
}

// TestGolden runs the scripts of testdata/*.lua and compares the replies with those recorded from a real redis-server, byte for byte.
func TestGolden(t *testing.T) {
	files, _ := filepath.Glob("testdata/*.lua")
	sort.Strings(files)
	for _, f := range files {
		t.Run(filepath.Base(f), func(t *testing.T) { golden(t, filepath.Base(f)) })
	}
}

func golden(t *testing.T, file string) {
	list := scripts(t, file)
	path := filepath.Join("testdata", strings.TrimSuffix(file, ".lua")+".golden")
	if *record {
		recordGolden(t, list, path)
	}
	b, err := os.ReadFile(path)
	if err != nil {
		t.Fatal(err)
	}
	want := strings.Split(strings.TrimSuffix(string(b), "\n"), "\n")
	if len(want) != 2*len(list) {
		t.Fatalf("%d replies for %d scripts: record again", len(want), len(list))
	}
	e := New(Options{Version: "7.0.15", VersionNum: 7<<16 | 15})
	for i, s := range list {
		for p, proto := range []int{2, 3} {
			w := newWorld()
			w.text["text"], w.list["list"] = "value", []string{"a", "b"}
			w.hash["hash"], w.set["set"] = map[string]string{"f": "v"}, map[string]bool{"m": true}
			var got []byte
			script, err := e.Load([]byte(s), false)
			if err != nil {
				got = []byte("-" + err.Error() + "\r\n")
			} else {
				r := &Run{Caller: w, Keys: [][]byte{[]byte("k1"), []byte("k2")}, Args: [][]byte{[]byte("a1"), []byte("a2")}, Proto: proto}
				hang := time.AfterFunc(hangs, func() { r.Kill(ErrKilled) })
				got = e.Eval(script, r, nil)
				hang.Stop()
			}
			reply, err := strconv.Unquote(want[2*i+p])
			if err != nil {
				t.Fatal(err)
			}
			if got = digest(got); string(got) != reply {
				t.Errorf("%s\n RESP%d\n got  %q\n want %q", s, proto, clip(got), clip([]byte(reply)))
			}
		}
	}
}

func clip(b []byte) []byte {
	if len(b) > 400 {
		return append(bytes.Clone(b[:200]), b[len(b)-200:]...)
	}
	return b
}

// digest shortens long replies: their end, and a sum of all.
func digest(reply []byte) []byte {
	if len(reply) < 2000 {
		return reply
	}
	return fmt.Appendf(nil, "%d bytes, SHA1 %s, ending with %s", len(reply), SHA1(string(reply)), reply[len(reply)-100:])
}

func recordGolden(t *testing.T, list []string, path string) {
	srv := oracle.Start(t)
	c, err := srv.Dial()
	if err != nil {
		t.Fatal(err)
	}
	defer c.Close()
	r := bufio.NewReader(c)
	var out strings.Builder
	for _, s := range list {
		for _, proto := range []string{"2", "3"} {
			ask(t, c, r, "FLUSHALL")
			ask(t, c, r, "SCRIPT", "FLUSH") // options of cjson live on otherwise
			for _, cmd := range []string{"SET text value", "RPUSH list a b", "HSET hash f v", "SADD set m"} {
				ask(t, c, r, strings.Fields(cmd)...)
			}
			ask(t, c, r, "HELLO", proto)
			reply := ask(t, c, r, "EVAL", s, "2", "k1", "k2", "a1", "a2")
			out.WriteString(strconv.QuoteToASCII(string(digest([]byte(reply)))) + "\n")
		}
	}
	if err := os.WriteFile(path, []byte(out.String()), 0o644); err != nil {
		t.Fatal(err)
	}
}
