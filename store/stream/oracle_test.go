package stream

import (
	"bufio"
	"encoding/binary"
	"fmt"
	"io"
	"math/rand/v2"
	"net"
	"strconv"
	"strings"
	"testing"

	"github.com/streampulse/pulse/internal/oracle"
	"github.com/streampulse/pulse/store/listpack"
)

// redis is a connection to a redis-server.
type redis struct {
	t *testing.T
	w net.Conn
	r *bufio.Reader
}

// do sends a command and returns its reply: a string, an int64, nil, or a slice of them. An error fails the test.
func (c *redis) do(args ...any) any {
	b := fmt.Appendf(nil, "*%d\r\n", len(args))
	for _, a := range args {
		s, ok := a.([]byte)
		if !ok {
			s = fmt.Append(nil, a)
		}
		b = fmt.Appendf(b, "$%d\r\n%s\r\n", len(s), s)
	}
	if _, err := c.w.Write(b); err != nil {
		c.t.Fatal(err)
	}
	v, err := c.reply()
	if err != nil {
		c.t.Fatalf("%s: %v", b, err)
	}
	return v
}

func (c *redis) reply() (any, error) {
	line, err := c.r.ReadString('\n')
	if err != nil {
		return nil, err
	}
	text := strings.TrimSpace(line[1:])
	n, _ := strconv.ParseInt(text, 10, 64)
	switch line[0] {
	case ':':
		return n, nil
	case '+':
		return text, nil
	case '$':
		if n < 0 {
			return nil, nil
		}
		b := make([]byte, n+2)
		_, err = io.ReadFull(c.r, b)
		return string(b[:n]), err
	case '*':
		var all []any
		for range n {
			v, err := c.reply()
			if err != nil {
				return nil, err
			}
			all = append(all, v)
		}
		return all, nil
	}
	return nil, fmt.Errorf("%s", text)
}

// dumped reads a DUMP of a stream without groups up to its numbers.
type dumped struct{ b string }

func (d *dumped) len() uint64 {
	b := d.b[0]
	switch {
	case b < 0x40:
		d.b = d.b[1:]
		return uint64(b)
	case b < 0x80:
		n := uint64(b&0x3F)<<8 | uint64(d.b[1])
		d.b = d.b[2:]
		return n
	case b == 0x80:
		n := binary.BigEndian.Uint32([]byte(d.b[1:]))
		d.b = d.b[5:]
		return uint64(n)
	}
	n := binary.BigEndian.Uint64([]byte(d.b[1:]))
	d.b = d.b[9:]
	return n
}

func (d *dumped) string() string {
	n := d.len()
	s := d.b[:n]
	d.b = d.b[n:]
	return s
}

func (d *dumped) id() ID { return ID{d.len(), d.len()} }

// describe says all that a DUMP of s has.
func describe(s *Stream) string {
	var b strings.Builder
	s.EachNode(func(base ID, lp listpack.Listpack) bool {
		fmt.Fprintf(&b, "%v %x\n", base, []byte(lp))
		return true
	})
	fmt.Fprintf(&b, "length %d last %v first %v deleted %v added %d nodes %d", s.Len(), s.Last(), s.First(), s.MaxDeleted(), s.Added(), s.RadixNodes())
	return b.String()
}

// TestOracle does the same to a Stream and to a redis-server and compares the nodes to the byte.
func TestOracle(t *testing.T) {
	conn, err := oracle.Start(t, "--rdbcompression", "no").Dial()
	if err != nil {
		t.Fatal(err)
	}
	defer conn.Close()
	c := &redis{t, conn, bufio.NewReader(conn)}
	for i, l := range limitSets {
		c.do("CONFIG", "SET", "stream-node-max-bytes", l.NodeBytes, "stream-node-max-entries", l.NodeEntries)
		r := rand.New(rand.NewPCG(9, uint64(i)))
		s, m := New(), &model{}
		key := fmt.Sprint("s", i)
		for step := range 400 {
			var done string
			switch op := r.IntN(12); {
			case op < 7:
				id := ID{s.Last().Ms + uint64(r.IntN(3)*r.IntN(200)), uint64(r.IntN(4))}
				pairs := randomPairs(r)
				if !s.Last().Less(id) || len(pairs) == 0 {
					continue
				}
				args := []any{"XADD", key, id}
				for _, p := range pairs {
					args = append(args, p)
				}
				c.do(args...)
				s.Append(id, pairs, l)
				m.entries = append(m.entries, modelEntry{id: id})
				done = fmt.Sprint(args)
			case op < 11 || s.Len() == 0:
				id := m.someID(r)
				done = fmt.Sprint("XDEL ", id)
				if want := c.do("XDEL", key, id) == int64(1); s.Delete(id) != want {
					t.Fatalf("%v step %d: %s, want %v", l, step, done, want)
				}
			default:
				tr := Trim{ByID: r.IntN(2) == 0, Approx: r.IntN(2) == 0, MinID: m.someID(r), MaxLen: uint64(max(s.Len()-r.IntN(15), 0))}
				args := []any{"XTRIM", key, "MAXLEN", "=", tr.MaxLen}
				if tr.ByID {
					args[2], args[4] = "MINID", tr.MinID
				}
				if tr.Approx {
					args[3] = "~"
					tr.Limit = uint64(r.IntN(30))
					args = append(args, "LIMIT", tr.Limit)
				}
				done = fmt.Sprint(args)
				if got, want := int64(s.Trim(tr)), c.do(args...); got != want {
					t.Fatalf("%v step %d: %s = %d, want %v", l, step, done, got, want)
				}
			}
			if s.Added() == 0 {
				continue
			}
			var radix any
			all := c.do("XINFO", "STREAM", key).([]any)
			for i := 0; i < len(all); i += 2 {
				if all[i] == "radix-tree-nodes" {
					radix = all[i+1]
				}
			}
			d := dumped{c.do("DUMP", key).(string)[1:]}
			var want strings.Builder
			for range d.len() {
				base := d.string()
				fmt.Fprintf(&want, "%v %x\n", ID{binary.BigEndian.Uint64([]byte(base)), binary.BigEndian.Uint64([]byte(base[8:]))}, d.string())
			}
			length, last, first, deleted, added := d.len(), d.id(), d.id(), d.id(), d.len()
			fmt.Fprintf(&want, "length %d last %v first %v deleted %v added %d nodes %v", length, last, first, deleted, added, radix)
			if got := describe(s); got != want.String() {
				t.Fatalf("%v step %d, %s: is\n%s\nwant\n%s", l, step, done, got, want.String())
			}
		}
	}
}
