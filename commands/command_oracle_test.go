package commands

import (
	"bufio"
	"bytes"
	"fmt"
	"slices"
	"strings"
	"testing"
	"time"

	"github.com/streampulse/pulse/internal/oracle"
	"github.com/streampulse/pulse/internal/resp"
)

// newer are the facts, by command and line of described, in which rows follow Redis 7.4 and not the 7.0 of the oracle.
var newer = map[string]string{
	"command|getkeys arity":         "an argument less since 7.2",
	"command|getkeysandflags arity": "an argument less since 7.2",
	"cluster|shards flags":          "while loading, too, since 7.2",
	"cluster|slots flags":           "while loading, too, since 7.2",
	"blpop flags":                   "scripts may call it since 7.2, where it does not wait",
	"brpop flags":                   "likewise",
	"brpoplpush flags":              "likewise",
	"blmove flags":                  "likewise",
	"bzpopmin flags":                "likewise",
	"bzpopmax flags":                "likewise",
	"wait flags":                    "likewise",
	"wait categories":               "it is blocking since 7.2",
	"acl|deluser tips":              "since 7.2",
	"acl|save tips":                 "since 7.2",
	"acl|setuser tips":              "since 7.2",
	"config|resetstat tips":         "since 7.2",
	"config|rewrite tips":           "since 7.2",
	"latency|reset tips":            "since 7.2",
	"randomkey tips":                "since 7.2",
	"scan tips":                     "since 7.2",
	"msetnx tips":                   "since 7.4: the reply of several shards cannot be made one",
	"sinterstore specs":             "since 7.2",
	"zrank arity":                   "WITHSCORE since 7.2",
	"zrevrank arity":                "WITHSCORE since 7.2",
}

// TestRowsAgreeWithRedis compares what COMMAND tells about our rows and about the same commands of a real server.
func TestRowsAgreeWithRedis(t *testing.T) {
	if _, err := oracle.Path(); err != nil {
		t.Skip(err)
	}
	srv := oracle.Start(t)
	nc, err := srv.Dial()
	if err != nil {
		t.Fatal(err)
	}
	defer nc.Close()
	_ = nc.SetDeadline(time.Now().Add(20 * time.Second))
	if _, err := nc.Write([]byte("*1\r\n$7\r\nCOMMAND\r\n")); err != nil {
		t.Fatal(err)
	}
	theirs := describeAll(t, bufio.NewReader(nc))
	h := newHarness(t)
	ours := describeAll(t, bufio.NewReader(strings.NewReader(h.do(h.conn(2), "COMMAND"))))
	compared := 0
	for name, facts := range ours {
		real, ok := theirs[name]
		if !ok {
			continue
		}
		compared++
		for fact, got := range facts {
			if _, known := newer[name+" "+fact]; !known && got != real[fact] {
				t.Errorf("%s: %s is %q, want %q", name, fact, got, real[fact])
			}
		}
	}
	if compared < 50 {
		t.Errorf("only %d commands compared", compared)
	}
}

// describeAll reads a reply of COMMAND into facts by name of command and of fact.
func describeAll(t *testing.T, r *bufio.Reader) map[string]map[string]string {
	t.Helper()
	v, err := resp.Decode(r)
	if err != nil {
		t.Fatal(err)
	}
	all := map[string]map[string]string{}
	var add func(v resp.Value)
	add = func(v resp.Value) {
		e := v.Elems
		all[string(e[0].Str)] = map[string]string{
			"arity":      fmt.Sprint(e[1].Int),
			"flags":      words(e[2], true),
			"keys":       fmt.Sprint(e[3].Int, e[4].Int, e[5].Int),
			"categories": words(e[6], true),
			"tips":       words(e[7], true),
			"specs":      specWords(e[8]),
		}
		for _, sub := range e[9].Elems {
			add(sub)
		}
	}
	for _, c := range v.Elems {
		add(c)
	}
	return all
}

func words(v resp.Value, sorted bool) string {
	var out []string
	for _, e := range v.Elems {
		out = append(out, string(e.Str))
	}
	if sorted {
		slices.Sort(out)
	}
	return strings.Join(out, " ")
}

// specWords flattens key specifications without their notes.
func specWords(v resp.Value) string {
	var b bytes.Buffer
	var walk func(v resp.Value)
	walk = func(v resp.Value) {
		switch {
		case v.Type == ':':
			fmt.Fprintf(&b, "%d ", v.Int)
		case v.Type == '$' || v.Type == '+':
			fmt.Fprintf(&b, "%s ", v.Str)
		}
		for i := 0; i < len(v.Elems); i++ {
			if string(v.Elems[i].Str) == "notes" {
				i++
				continue
			}
			if string(v.Elems[i].Str) == "flags" && i+1 < len(v.Elems) {
				fmt.Fprintf(&b, "flags(%s) ", words(v.Elems[i+1], true))
				i++
				continue
			}
			walk(v.Elems[i])
		}
		if v.Elems != nil {
			b.WriteString("; ")
		}
	}
	walk(v)
	return b.String()
}
