// Package image reads all that a server holds and compares it, for tests: before and after a restart, or with another
// server that has read the same files.
//
// Contract: Read asks over a connection of its own, on a server that nobody changes meanwhile; on a server that is not ours
// it asks only for what Redis 7.0 knows. What a restart may change is not part of an image: encodings, the order of
// what has none, access times, and when a consumer of a stream was seen.
package image

import (
	"bufio"
	"fmt"
	"maps"
	"net"
	"slices"
	"strconv"
	"strings"
	"time"

	"github.com/streampulse/pulse/internal/resp"
)

// Image is the keys of all databases, as text.
type Image struct {
	Keys map[Name]Key
	// Libraries are the functions that there are, by library, with their code.
	Libraries []string
}

// Name is where a key is.
type Name struct {
	DB  int
	Key string
}

// Key is a value.
type Key struct {
	Type     string
	Value    string // in a notation that is the same for equal values
	Deadline int64  // Unix milliseconds, -1: none
}

// Options say what is read.
type Options struct {
	// Ours asks for what Redis 7.0 does not have, too: deadlines of fields, and what is told of streams since.
	Ours bool
	// Databases to read, 0 for 16.
	Databases int
}

// timeout is how long a reply may take.
const timeout = 20 * time.Second

// Conn is a connection that sends requests one by one or many at once.
type Conn struct {
	net.Conn
	r *bufio.Reader
}

// NewConn makes a Conn of a connection.
func NewConn(c net.Conn) *Conn { return &Conn{Conn: c, r: bufio.NewReaderSize(c, 64<<10)} }

// Do sends a request and returns the reply. An error that the server replies is an error here.
func (c *Conn) Do(args ...string) (resp.Value, error) {
	c.SetDeadline(time.Now().Add(timeout))
	if _, err := c.Write(resp.AppendRequest(nil, args...)); err != nil {
		return resp.Value{}, err
	}
	v, err := resp.Decode(c.r)
	if err == nil && v.Type == '-' {
		err = fmt.Errorf("%s: %s", strings.Join(args[:min(len(args), 3)], " "), v.Str)
	}
	return v, err
}

// Next reads a reply, of requests that were written by the caller.
func (c *Conn) Next() (resp.Value, error) {
	c.SetReadDeadline(time.Now().Add(timeout))
	return resp.Decode(c.r)
}

// all sends requests at once, a bounded number of them at a time, and returns the replies.
func (c *Conn) all(requests [][]string) ([]resp.Value, error) {
	out := make([]resp.Value, 0, len(requests))
	for part := range slices.Chunk(requests, 200) {
		var b []byte
		for _, args := range part {
			b = resp.AppendRequest(b, args...)
		}
		c.SetDeadline(time.Now().Add(timeout))
		go func() { _, _ = c.Write(b) }() // replies may fill the way back before all is sent
		for _, args := range part {
			v, err := c.Next()
			if err == nil && v.Type == '-' {
				err = fmt.Errorf("image: %q: %s", args, v.Str)
			}
			if err != nil {
				return nil, err
			}
			out = append(out, v)
		}
	}
	return out, nil
}

// Read reads all keys.
func Read(conn net.Conn, o Options) (*Image, error) {
	c := NewConn(conn)
	im := &Image{Keys: map[Name]Key{}}
	if o.Databases == 0 {
		o.Databases = 16
	}
	for db := range o.Databases {
		if _, err := c.Do("SELECT", strconv.Itoa(db)); err != nil {
			return nil, err
		}
		if err := im.database(c, db, o); err != nil {
			return nil, err
		}
	}
	list, err := c.Do("FUNCTION", "LIST", "WITHCODE")
	if err != nil {
		return nil, err
	}
	for _, lib := range list.Elems {
		im.Libraries = append(im.Libraries, text(lib, nil))
	}
	slices.Sort(im.Libraries)
	return im, nil
}

func (im *Image) database(c *Conn, db int, o Options) error {
	list, err := c.Do("KEYS", "*")
	if err != nil || len(list.Elems) == 0 {
		return err
	}
	var names []string
	var kinds, reads [][]string
	for _, e := range list.Elems {
		names = append(names, string(e.Str))
		kinds = append(kinds, []string{"TYPE", string(e.Str)}, []string{"PEXPIRETIME", string(e.Str)})
	}
	types, err := c.all(kinds)
	if err != nil {
		return err
	}
	for i, n := range names {
		reads = append(reads, readerOf(string(types[2*i].Str), n))
	}
	values, err := c.all(reads)
	if err != nil {
		return err
	}
	var timed [][]string
	var of []Name
	for i, n := range names {
		k := Key{Type: string(types[2*i].Str), Deadline: types[2*i+1].Int}
		name := Name{db, n}
		v := values[i]
		switch k.Type {
		case "set":
			k.Value = strings.Join(sorted(v.Elems, 1), "\n")
		case "hash":
			k.Value = strings.Join(sorted(v.Elems, 2), "\n")
			if o.Ours && len(v.Elems) > 0 {
				args := []string{"HPEXPIRETIME", n, "FIELDS", strconv.Itoa(len(v.Elems) / 2)}
				for i := 0; i < len(v.Elems); i += 2 {
					args = append(args, string(v.Elems[i].Str))
				}
				timed, of = append(timed, args), append(of, name)
			}
		case "stream":
			k.Value = text(v, func(field string) bool {
				return strings.HasPrefix(field, "radix-tree-") || field == "seen-time" || field == "active-time" ||
					!o.Ours && (field == "lag" || field == "entries-read")
			})
		case "zset":
			for i := 1; i < len(v.Elems); i += 2 {
				// 7.0 prints 17 digits.
				if f, err := strconv.ParseFloat(string(v.Elems[i].Str), 64); err == nil {
					v.Elems[i].Str = strconv.AppendFloat(nil, f, 'g', -1, 64)
				}
			}
			k.Value = text(v, nil)
		default:
			k.Value = text(v, nil)
		}
		im.Keys[name] = k
	}
	times, err := c.all(timed)
	if err != nil {
		return err
	}
	for i, v := range times {
		var pairs []resp.Value
		for j, e := range v.Elems {
			if e.Int > 0 {
				pairs = append(pairs, resp.Value{Type: '$', Str: []byte(timed[i][4+j])}, e)
			}
		}
		if k := im.Keys[of[i]]; len(pairs) > 0 {
			k.Value += "\nuntil\n" + strings.Join(sorted(pairs, 2), "\n")
			im.Keys[of[i]] = k
		}
	}
	return nil
}

func readerOf(kind, key string) []string {
	switch kind {
	case "list":
		return []string{"LRANGE", key, "0", "-1"}
	case "set":
		return []string{"SMEMBERS", key}
	case "hash":
		return []string{"HGETALL", key}
	case "zset":
		return []string{"ZRANGE", key, "0", "-1", "WITHSCORES"}
	case "stream":
		return []string{"XINFO", "STREAM", key, "FULL", "COUNT", "0"}
	case "string":
		return []string{"GET", key}
	}
	return []string{"TYPE", key} // it has expired since
}

// sorted returns the texts of groups of elements in order.
func sorted(elems []resp.Value, size int) []string {
	var out []string
	for group := range slices.Chunk(elems, size) {
		var parts []string
		for _, e := range group {
			parts = append(parts, text(e, nil))
		}
		out = append(out, strings.Join(parts, " "))
	}
	slices.Sort(out)
	return out
}

// text writes a reply down. In lists, what follows a text that skip is true for is left out.
func text(v resp.Value, skip func(string) bool) string {
	switch {
	case v.Null:
		return "nil"
	case v.Type == ':':
		return strconv.FormatInt(v.Int, 10)
	case v.Type != '*' && v.Type != '%' && v.Type != '~':
		return strconv.QuoteToASCII(string(v.Str))
	}
	var b strings.Builder
	b.WriteByte('[')
	for i := 0; i < len(v.Elems); i++ {
		e := v.Elems[i]
		if skip != nil && e.Type == '$' && i%2 == 0 && skip(string(e.Str)) {
			i++
			continue
		}
		if i > 0 {
			b.WriteByte(' ')
		}
		b.WriteString(text(e, skip))
	}
	b.WriteByte(']')
	return b.String()
}

// Without returns the image without keys that end before the time, in Unix milliseconds.
func (im *Image) Without(before int64) *Image {
	out := &Image{Keys: maps.Clone(im.Keys), Libraries: im.Libraries}
	maps.DeleteFunc(out.Keys, func(_ Name, k Key) bool { return k.Deadline >= 0 && k.Deadline < before })
	return out
}

// Diff returns what the second image has otherwise than the first, a line each.
func Diff(a, b *Image) (out []string) {
	for n, k := range a.Keys {
		switch other, ok := b.Keys[n]; {
		case !ok:
			out = append(out, fmt.Sprintf("database %d, %q: was\n%s\nis gone", n.DB, n.Key, k))
		case other != k:
			out = append(out, fmt.Sprintf("database %d, %q: was\n%s\nis\n%s", n.DB, n.Key, k, other))
		}
	}
	for n, k := range b.Keys {
		if _, ok := a.Keys[n]; !ok {
			out = append(out, fmt.Sprintf("database %d, %q: was not there, is\n%s", n.DB, n.Key, k))
		}
	}
	if !slices.Equal(a.Libraries, b.Libraries) {
		out = append(out, fmt.Sprintf("functions: were %q, are %q", a.Libraries, b.Libraries))
	}
	slices.Sort(out)
	return out
}

func (k Key) String() string {
	const most = 2000
	s := k.Value
	if len(s) > most {
		s = s[:most] + "..."
	}
	return fmt.Sprintf("%s until %d: %s", k.Type, k.Deadline, s)
}
