package pulsetest

import (
	"context"
	"fmt"
	"maps"
	"math"
	"reflect"
	"slices"
	"strconv"
	"strings"

	"github.com/streampulse/pulse/internal/resp"
)

// Members are the members of a set, for Fill and Equal.
type Members []string

// Scores are the members of a sorted set with their scores, for Fill and Equal.
type Scores map[string]float64

// Fill makes keys of database 0, whatever they have held: strings, []byte and numbers become strings, []string a list, map[string]string a
// hash, Members a set, Scores a sorted set. Values of other types end the test.
func (s *Server) Fill(data map[string]any) {
	s.t.Helper()
	for _, key := range slices.Sorted(maps.Keys(data)) {
		v, err := valueOf(data[key])
		if err != nil {
			s.t.Fatalf("pulsetest: key %q: %v", key, err)
		}
		s.fill(key, v)
	}
}

// makers are the commands that make values of a type.
var makers = map[string]string{"string": "SET", "list": "RPUSH", "hash": "HSET", "set": "SADD", "zset": "ZADD"}

func (s *Server) fill(key string, v Value) {
	s.t.Helper()
	s.Must("SELECT", "0")
	s.Must("DEL", key)
	items := v.Items
	if v.Type == "zset" { // the score comes first
		items = slices.Clone(items)
		for i := 0; i < len(items); i += 2 {
			items[i], items[i+1] = items[i+1], items[i]
		}
	}
	for part := range slices.Chunk(items, 10_000) {
		s.Must(append([]string{makers[v.Type], key}, part...)...)
	}
}

// valueOf makes a Value of what Fill takes.
func valueOf(x any) (Value, error) {
	switch x := x.(type) {
	case string:
		return Value{Type: "string", Items: []string{x}}, nil
	case []byte:
		return Value{Type: "string", Items: []string{string(x)}}, nil
	case []string:
		return Value{Type: "list", Items: x}, nil
	case Members:
		m := slices.Sorted(slices.Values(x))
		return Value{Type: "set", Items: slices.Compact(m)}, nil
	case map[string]string:
		v := Value{Type: "hash"}
		for _, f := range slices.Sorted(maps.Keys(x)) {
			v.Items = append(v.Items, f, x[f])
		}
		return v, nil
	case Scores:
		v := Value{Type: "zset"}
		members := slices.Sorted(maps.Keys(x))
		slices.SortStableFunc(members, func(a, b string) int {
			switch {
			case x[a] < x[b]:
				return -1
			case x[a] > x[b]:
				return 1
			}
			return 0
		})
		for _, m := range members {
			v.Items = append(v.Items, m, writeScore(x[m]))
		}
		return v, nil
	}
	switch r := reflect.ValueOf(x); {
	case !r.IsValid():
	case r.CanInt():
		return Value{Type: "string", Items: []string{strconv.FormatInt(r.Int(), 10)}}, nil
	case r.CanUint():
		return Value{Type: "string", Items: []string{strconv.FormatUint(r.Uint(), 10)}}, nil
	case r.CanFloat():
		return Value{Type: "string", Items: []string{strconv.FormatFloat(r.Float(), 'g', -1, 64)}}, nil
	}
	return Value{}, fmt.Errorf("there is no type for a %T", x)
}

// Equal reports an error for each key of database 0 that differs from what is wanted, in the types that Fill takes, is missing or is not
// wanted. Deadlines do not matter.
func (s *Server) Equal(want map[string]any) {
	s.t.Helper()
	w := Snapshot{}
	for key, x := range want {
		v, err := valueOf(x)
		if err != nil {
			s.t.Fatalf("pulsetest: key %q: %v", key, err)
		}
		w[Key{0, key}] = v
	}
	got := s.Snapshot()
	for k, v := range got {
		v.Deadline = w[k].Deadline
		got[k] = v
		if k.DB != 0 {
			delete(got, k)
		}
	}
	if d := Diff(w, got); d != "" {
		s.t.Errorf("pulsetest: the data are not as wanted:\n%s", d)
	}
}

// plainScore writes a score, as a server has written it, as writeScore does.
func plainScore(s string) string {
	if f, err := strconv.ParseFloat(s, 64); err == nil {
		return writeScore(f)
	}
	return s
}

func writeScore(f float64) string {
	switch {
	case math.IsInf(f, 1):
		return "inf"
	case math.IsInf(f, -1):
		return "-inf"
	}
	return strconv.FormatFloat(f, 'g', -1, 64)
}

// Load runs commands, one in a line, written as for redis-cli: words, with quotes where needed. Empty lines, and lines that begin with #, are
// skipped. An error ends the test.
func (s *Server) Load(commands string) {
	s.t.Helper()
	n := 0
	for line := range strings.Lines(commands) {
		n++
		line = strings.TrimSpace(line)
		if line == "" || line[0] == '#' {
			continue
		}
		words, err := resp.SplitArgs([]byte(line))
		if err != nil {
			s.t.Fatalf("pulsetest: line %d: %s: %v", n, line, err)
		}
		args := make([]string, len(words))
		for i, w := range words {
			args[i] = string(w)
		}
		if _, err := s.command(args...); err != nil {
			s.t.Fatalf("pulsetest: line %d: %s: %v", n, line, err)
		}
	}
}

// kept is a key to be made again, or the functions.
type kept struct {
	db       int
	key      string
	deadline string // Unix milliseconds, "0" if none
	bytes    string // of DUMP
}

// keep returns all that a restart would lose.
func (s *Server) keep() (all []kept) {
	s.t.Helper()
	snap := s.Snapshot()
	ctx, cancel := context.WithTimeout(context.Background(), patience)
	defer cancel()
	c, end, err := s.conn(ctx)
	if err != nil {
		s.t.Fatalf("pulsetest: %v", err)
	}
	defer end()
	do := func(args ...string) string {
		r, err := c.Do(ctx, args...)
		if err != nil {
			s.t.Fatalf("pulsetest: keeping the data: %v", err)
		}
		return r.Text()
	}
	all = append(all, kept{bytes: do("FUNCTION", "DUMP")})
	for k := range snap {
		do("SELECT", strconv.Itoa(k.DB))
		at := do("PEXPIRETIME", k.Name)
		if strings.HasPrefix(at, "-") {
			at = "0"
		}
		if b := do("DUMP", k.Name); b != "" {
			all = append(all, kept{k.DB, k.Name, at, b})
		}
	}
	return all
}

// unkeep makes what keep has kept.
func (s *Server) unkeep(all []kept) {
	s.t.Helper()
	for i, k := range all {
		if i == 0 {
			s.Must("FUNCTION", "RESTORE", k.bytes)
			continue
		}
		s.Must("SELECT", strconv.Itoa(k.db))
		s.Must("RESTORE", k.key, k.deadline, k.bytes, "ABSTTL")
	}
	if len(all) > 0 {
		s.Must("SELECT", "0")
	}
}
