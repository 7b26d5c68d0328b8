package pulsetest

import (
	"bufio"
	"cmp"
	"context"
	"errors"
	"fmt"
	"maps"
	"net"
	"slices"
	"strconv"
	"strings"
	"time"

	"github.com/streampulse/pulse/internal/resp"
	"github.com/streampulse/pulse/server"
)

// Snapshot is the data of a server: its keys with their values. Diff compares two.
type Snapshot map[Key]Value

// Key is the name of a key and the database that it is in.
type Key struct {
	DB   int
	Name string
}

// Value is what a key holds.
type Value struct {
	// Type is as the command TYPE has it: "string", "list", "hash", "set", "zset", "stream".
	Type string
	// Items are the content in an order of its own: a string; the elements of a list; the members of a set in alphabetical order;
	// those of a sorted set, each followed by its score; the fields of a hash in alphabetical order, each followed by its value; a
	// line for each entry of a stream, and for each of its consumer groups.
	Items []string
	// Deadline is when the key expires, zero if it does not.
	Deadline time.Time
}

// Snapshot returns all data there are, as clients see them. It is not of one instant, if clients write meanwhile.
func (s *Server) Snapshot() Snapshot {
	s.t.Helper()
	snap, err := s.snapshot(patience)
	if err != nil {
		s.t.Fatalf("pulsetest: reading the data: %v", err)
	}
	return snap
}

func (s *Server) snapshot(limit time.Duration) (Snapshot, error) {
	ctx, cancel := context.WithTimeout(context.Background(), limit)
	defer cancel()
	c, end, err := s.conn(ctx)
	if err != nil {
		return nil, err
	}
	defer end()
	return capture(func(args ...string) (node, error) {
		r, err := c.Do(ctx, args...)
		return nodeOf(r), err
	})
}

// Capture returns the data of any server that speaks the protocol, such as a real Redis of version 6.2 or later, by its TCP address. It
// reads them with the commands of each type.
func Capture(addr string) (Snapshot, error) {
	nc, err := net.DialTimeout("tcp", addr, patience)
	if err != nil {
		return nil, err
	}
	defer nc.Close()
	_ = nc.SetDeadline(time.Now().Add(patience))
	r := bufio.NewReader(nc)
	return capture(func(args ...string) (node, error) {
		if _, err := nc.Write(resp.AppendRequest(nil, args...)); err != nil {
			return node{}, err
		}
		v, err := resp.Decode(r)
		if err == nil && v.Type == '-' {
			err = server.Error(v.Str)
		}
		return nodeOfValue(&v), err
	})
}

// Diff describes in what two Snapshots differ, a line for each key, "" if they do not. Deadlines count as equal if less than a second lies
// between them.
func Diff(want, got Snapshot) string {
	keys := slices.Collect(maps.Keys(want))
	for k := range got {
		if _, ok := want[k]; !ok {
			keys = append(keys, k)
		}
	}
	slices.SortFunc(keys, func(a, b Key) int { return cmp.Or(cmp.Compare(a.DB, b.DB), strings.Compare(a.Name, b.Name)) })
	var b strings.Builder
	for _, k := range keys {
		w, wanted := want[k]
		g, there := got[k]
		switch {
		case !there:
			fmt.Fprintf(&b, "%v is missing, want %v\n", k, w)
		case !wanted:
			fmt.Fprintf(&b, "%v is %v, want nothing\n", k, g)
		case w.Type != g.Type || !slices.Equal(w.Items, g.Items):
			fmt.Fprintf(&b, "%v is %v, want %v\n", k, g, w)
		case w.Deadline.IsZero() != g.Deadline.IsZero() || w.Deadline.Sub(g.Deadline).Abs() >= time.Second:
			fmt.Fprintf(&b, "%v expires %s, want %s\n", k, when(g.Deadline), when(w.Deadline))
		}
	}
	return b.String()
}

func when(t time.Time) string {
	if t.IsZero() {
		return "never"
	}
	return t.UTC().Format("2006-01-02 15:04:05.000")
}

// String shows a key, with its database unless that is 0.
func (k Key) String() string {
	if k.DB == 0 {
		return strconv.Quote(shorten(k.Name))
	}
	return fmt.Sprintf("%q in database %d", shorten(k.Name), k.DB)
}

const (
	showItems = 12 // of a value
	showBytes = 80 // of an item
)

// String shows the value, shortened.
func (v Value) String() string {
	var b strings.Builder
	b.WriteString(v.Type)
	step := 1
	if v.Type == "hash" || v.Type == "zset" {
		step = 2
	}
	if v.Type != "string" {
		fmt.Fprintf(&b, "(%d)", len(v.Items)/step)
	}
	for i, item := range v.Items {
		if i == showItems*step {
			fmt.Fprintf(&b, " and %d more", (len(v.Items)-i)/step)
			break
		}
		sep := byte(' ')
		if step == 2 && i%2 == 1 {
			sep = '='
		}
		b.WriteByte(sep)
		b.WriteString(strconv.Quote(shorten(item)))
	}
	return b.String()
}

func shorten(s string) string {
	if len(s) <= showBytes {
		return s
	}
	return fmt.Sprintf("%s... (%d bytes)", s[:showBytes], len(s))
}

// node is a reply, of either version of the protocol.
type node struct {
	text string
	null bool
	list []node
}

func nodeOf(r server.Reply) node {
	n := node{text: r.Text(), null: r.IsNull()}
	for _, e := range r.Array() {
		n.list = append(n.list, nodeOf(e))
	}
	return n
}

func nodeOfValue(v *resp.Value) node {
	n := node{text: string(v.Str), null: v.Null}
	if v.Type == ':' {
		n.text = strconv.FormatInt(v.Int, 10)
	}
	for i := range v.Elems {
		n.list = append(n.list, nodeOfValue(&v.Elems[i]))
	}
	return n
}

// leaves are the texts of all that is no list, in order.
func (n node) leaves() []string {
	if n.list == nil {
		return []string{n.text}
	}
	var all []string
	for _, e := range n.list {
		if e.list != nil {
			all = append(all, e.leaves()...)
		} else {
			all = append(all, e.text)
		}
	}
	return all
}

// field is the value that follows a name in a list of names and values.
func (n node) field(name string) string {
	for i := 0; i+1 < len(n.list); i += 2 {
		if n.list[i].text == name {
			return n.list[i+1].text
		}
	}
	return ""
}

// ask runs a command. An error reply is an error.
type ask func(args ...string) (node, error)

// capture reads all data by commands.
func capture(do ask) (Snapshot, error) {
	snap := Snapshot{}
	info, err := do("INFO", "keyspace")
	if err != nil {
		return nil, err
	}
	for line := range strings.Lines(info.text) {
		name, _, _ := strings.Cut(line, ":")
		db, err := strconv.Atoi(strings.TrimPrefix(name, "db"))
		if err != nil || !strings.HasPrefix(name, "db") {
			continue
		}
		if _, err := do("SELECT", strconv.Itoa(db)); err != nil {
			return nil, err
		}
		for cursor := "0"; ; {
			r, err := do("SCAN", cursor, "COUNT", "1000")
			if err != nil {
				return nil, err
			}
			if len(r.list) != 2 {
				return nil, errors.New("the reply of SCAN is not understood")
			}
			for _, key := range r.list[1].list {
				v, err := read(do, key.text)
				if err != nil {
					return nil, fmt.Errorf("key %q: %w", key.text, err)
				}
				if v.Type != "none" {
					snap[Key{db, key.text}] = v
				}
			}
			if cursor = r.list[0].text; cursor == "0" {
				break
			}
		}
	}
	return snap, nil
}

// readers say how the items of a value are read.
var readers = map[string][]string{
	"string": {"GET"}, "list": {"LRANGE", "0", "-1"}, "set": {"SMEMBERS"}, "hash": {"HGETALL"}, "zset": {"ZRANGE", "0", "-1", "WITHSCORES"},
}

// read reads one key; the Type is "none" if it is gone.
func read(do ask, key string) (v Value, err error) {
	kind, err := do("TYPE", key)
	if err != nil {
		return v, err
	}
	ttl, err := do("PTTL", key)
	if err != nil {
		return v, err
	}
	now, err := do("TIME")
	if err != nil {
		return v, err
	}
	v.Type = kind.text
	if ms, err := strconv.ParseInt(ttl.text, 10, 64); err == nil && ms >= 0 && len(now.list) == 2 {
		s, _ := strconv.ParseInt(now.list[0].text, 10, 64)
		us, _ := strconv.ParseInt(now.list[1].text, 10, 64)
		v.Deadline = time.UnixMilli(s*1000 + us/1000 + ms).UTC()
	}
	reader := readers[v.Type]
	if v.Type == "stream" {
		v.Items, err = readStream(do, key)
		return v, err
	}
	if reader == nil {
		return v, nil // gone, or of a module
	}
	r, err := do(append([]string{reader[0], key}, reader[1:]...)...)
	if err != nil {
		return v, err
	}
	if v.Items = r.leaves(); r.null {
		v.Type = "none" // it went a moment ago
	}
	switch v.Type {
	case "set":
		slices.Sort(v.Items)
	case "hash":
		v.Items = sortPairs(v.Items)
	case "zset": // servers write scores in several ways
		for i := 1; i < len(v.Items); i += 2 {
			v.Items[i] = plainScore(v.Items[i])
		}
	}
	return v, nil
}

// sortPairs sorts names and values by name.
func sortPairs(list []string) []string {
	pairs := slices.Collect(slices.Chunk(list, 2))
	slices.SortFunc(pairs, func(a, b []string) int { return strings.Compare(a[0], b[0]) })
	return slices.Concat(pairs...)
}

// readStream makes a line for each entry, and one for each group with what is pending in it.
func readStream(do ask, key string) (items []string, err error) {
	entries, err := do("XRANGE", key, "-", "+")
	if err != nil {
		return nil, err
	}
	for _, e := range entries.list {
		items = append(items, strings.Join(e.leaves(), " "))
	}
	groups, err := do("XINFO", "GROUPS", key)
	if err != nil {
		return nil, err
	}
	for _, g := range groups.list {
		items = append(items, fmt.Sprintf("group %s at %s, %s consumers, %s pending", g.field("name"), g.field("last-delivered-id"), g.field("consumers"), g.field("pending")))
	}
	return items, nil
}
