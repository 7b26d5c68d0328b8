package server

import (
	"bufio"
	"fmt"
	"math/rand/v2"
	"slices"
	"strings"
	"testing"

	"github.com/streampulse/pulse/commands"
	"github.com/streampulse/pulse/internal/oracle"
	"github.com/streampulse/pulse/internal/resp"
)

// dialOracle starts a redis-server and connects to it; the test is skipped where there is none.
func dialOracle(t *testing.T) *client {
	if _, err := oracle.Path(); err != nil {
		t.Skip(err)
	}
	nc, err := oracle.Start(t).Dial()
	if err != nil {
		t.Fatal(err)
	}
	return newClient(t, nc)
}

func (c *client) list(args ...string) []string {
	c.t.Helper()
	var out []string
	raw := c.doArgs(args...)
	v, err := resp.Decode(bufio.NewReader(strings.NewReader(raw)))
	if err != nil || v.Type != '*' {
		c.t.Fatalf("%v = %.200q", args, raw)
	}
	for _, e := range v.Elems {
		out = append(out, string(e.Str))
	}
	slices.Sort(out)
	return out
}

// otherCategories are the commands that stand in a category since a version that the oracle is older than.
var otherCategories = map[string]string{"wait blocking": "scripts may call it since 7.2, where it does not wait"}

// TestCategoriesAgreeWithRedis compares the commands of each category, as far as both servers have them.
func TestCategoriesAgreeWithRedis(t *testing.T) {
	redis, pulse := dialOracle(t), dial(t, openServer(t))
	theirs, ours := redis.list("COMMAND", "LIST", "FILTERBY", "PATTERN", "*"), pulse.list("COMMAND", "LIST", "FILTERBY", "PATTERN", "*")
	both := slices.DeleteFunc(slices.Clone(ours), func(name string) bool { _, ok := slices.BinarySearch(theirs, name); return !ok })
	if len(both) < 200 {
		t.Fatalf("only %d commands in common", len(both))
	}
	shared := func(names []string) []string {
		return slices.DeleteFunc(names, func(name string) bool { _, ok := slices.BinarySearch(both, name); return !ok })
	}
	if a, b := redis.list("ACL", "CAT"), pulse.list("ACL", "CAT"); !slices.Equal(a, b) {
		t.Errorf("categories %v, want %v", b, a)
	}
	for _, category := range commands.CategoryNames() {
		want, got := shared(redis.list("ACL", "CAT", category)), shared(pulse.list("ACL", "CAT", category))
		for _, name := range both {
			_, there := slices.BinarySearch(want, name)
			_, here := slices.BinarySearch(got, name)
			if here != there && otherCategories[name+" "+category] == "" {
				t.Errorf("%s in @%s: %v, want %v", name, category, here, there)
			}
		}
	}
}

// dryWords are what arguments of requests are made of; keys that users have rights to are among them.
var dryWords = []string{"a", "a", "b", "b", "c", "r", "w", "1", "1", "2", "3", "0", "-1", "GET", "STORE", "STOREDIST", "STREAMS", "BY", "KEYS",
	"LIMIT", "COUNT", "WITHSCORES", "SET", "u8", "WEIGHTS", "LEFT", "GROUP", "EX", "NX", "*", "", "@"}

var dryRules = []string{"+@all", "-@all", "+@read", "-@read", "+@write", "-@write", "+@keyspace", "+@slow", "-@fast", "+get", "-get", "+set",
	"-set", "+client", "-client|id", "+client|list", "+config|get", "-config", "+select|1", "+@pubsub", "-publish", "+@dangerous", "-@dangerous",
	"~a", "~b*", "%R~r", "%W~w", "%RW~c", "%R~*", "%W~*", "~*", "resetkeys", "&a", "&b*", "&*", "resetchannels", "reset", "clearselectors",
	"(+@all ~a &a)", "(+get +mget +sort %R~*)", "(+@write %W~b %R~a)", "(+@read ~* -mget)", "(allcommands allkeys)", "( +publish &c )"}

// notTheSame are commands about whose keys or channels redis-server knows less, or other things, with the reason.
var notTheSame = map[string]string{
	"georadius":         "Redis looks at the first STORE and writes to the last",
	"georadiusbymember": "Redis looks at the first STORE and writes to the last",
	"xreadgroup":        "Redis finds no keys behind a STREAMS at the wrong place; here all that could be are looked at",
}

// TestDryRunAgreesWithRedis gives users rights by chance, and asks both servers what they may do with requests made by
// chance.
func TestDryRunAgreesWithRedis(t *testing.T) {
	redis := dialOracle(t)
	srv := openServer(t)
	pulse := dial(t, srv)
	theirs := redis.list("COMMAND", "LIST", "FILTERBY", "PATTERN", "*")
	var names []string
	for id := range srv.table.Len() {
		s := srv.table.Spec(id)
		if _, ok := slices.BinarySearch(theirs, s.FullName()); ok && notTheSame[s.FullName()] == "" && len(s.Sub) == 0 {
			names = append(names, s.FullName())
		}
	}
	r := rand.New(rand.NewPCG(3, 4))
	seen := map[string]int{}
	for round := range 300 {
		user := fmt.Sprintf("u%d", round)
		args := []string{"ACL", "SETUSER", user}
		for range 1 + r.IntN(7) {
			rule := dryRules[r.IntN(len(dryRules))]
			if strings.HasPrefix(rule, "( ") {
				args = append(args, strings.Fields(rule)...)
				continue
			}
			args = append(args, rule)
		}
		want, got := redis.doArgs(args...), pulse.doArgs(args...)
		if want != got {
			t.Fatalf("%v = %q, want %q", args, got, want)
		}
		var asked [][]string
		var rows []*commands.Spec
		var send strings.Builder
		for range 40 {
			spec := srv.table.Find([]byte(names[r.IntN(len(names))]))
			words := strings.Split(spec.FullName(), "|")
			n := spec.Arity
			if n < 0 {
				n = -n + r.IntN(4)
			}
			for len(words) < n {
				words = append(words, dryWords[r.IntN(len(dryWords))])
			}
			asked, rows = append(asked, words), append(rows, spec)
			send.WriteString(encode(append([]string{"ACL", "DRYRUN", user}, words...)...))
		}
		redis.send(send.String())
		pulse.send(send.String())
		for i, words := range asked {
			want, got := redis.read(), pulse.read()
			if _, fits := rows[i].KeyPositions(bytesOf(words), nil); !fits || strings.HasPrefix(want, "-ERR wrong number") {
				continue // there Redis looks at no keys at all; or its command takes fewer arguments
			}
			want = strings.Replace(want, "This user", "User "+user, 1)
			_, want, _ = strings.Cut(want, "\r\n")
			_, short, _ := strings.Cut(got, "\r\n")
			if want != short {
				seen["different"]++
				t.Errorf("with %v %q: %q, want %q", args[3:], words, got, want)
			}
			kind, _, _ := strings.Cut(strings.TrimPrefix(short, "User "+user+" has no permissions to "), " ")
			seen[kind]++
		}
		if seen["different"] > 25 {
			break
		}
	}
	if !t.Failed() && (seen[""] < 500 || seen["run"] < 500 || seen["access"] < 500) {
		t.Errorf("too little of one kind: %v", seen)
	}
}

func bytesOf(words []string) [][]byte {
	out := make([][]byte, len(words))
	for i, w := range words {
		out[i] = []byte(w)
	}
	return out
}
