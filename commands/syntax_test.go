package commands

import (
	"fmt"
	"strings"
	"testing"

	"github.com/streampulse/pulse/store"
)

// render writes a tree on one line: token=name:type, with ? for optional, + for multiple and ++ for a repeated token.
func render(args []argument) string {
	var out []string
	for _, a := range args {
		s := a.name + ":" + a.kind
		if len(a.args) > 0 {
			s = a.kind + "(" + render(a.args) + ")"
		}
		if a.token != "" && a.kind != "pure-token" {
			s = a.token + "=" + s
		}
		if a.kind == "pure-token" {
			s = a.token
		}
		if a.optional {
			s += "?"
		}
		if a.multiple {
			s += "+"
		}
		if a.multipleToken {
			s += "+"
		}
		out = append(out, s)
	}
	return strings.Join(out, " ")
}

func TestSyntaxTrees(t *testing.T) {
	for _, test := range []struct{ syntax, want string }{
		{"", ""},
		{"key", "key:key"},
		{"key [key ...]", "key:key+"},
		{"key value [key value ...]", "block(key:key value:string)+"},
		{"[message]", "message:string?"},
		{"[username] password", "username:string? password:string"},
		{"key [NX | XX] [GT | LT] [CH] score member [score member ...]",
			"key:key oneof(NX XX)? oneof(GT LT)? CH? block(score:double member:string)+"},
		{"key [EX seconds | KEEPTTL]", "key:key oneof(EX=seconds:integer KEEPTTL)?"},
		{"key [LIMIT offset count]", "key:key LIMIT=block(offset:integer count:integer)?"},
		{"key BEFORE | AFTER pivot element", "key:key oneof(BEFORE AFTER) pivot:string element:string"},
		{"source destination LEFT | RIGHT LEFT | RIGHT timeout",
			"source:key destination:key oneof(LEFT RIGHT) oneof(LEFT RIGHT) timeout:string"},
		{"numkeys key [key ...] [WEIGHTS weight [weight ...]] [AGGREGATE <SUM | MIN | MAX>]",
			"numkeys:integer key:key+ WEIGHTS=weight:double?+ AGGREGATE=oneof(SUM MIN MAX)?"},
		{"key [GET pattern [GET pattern ...]]", "key:key GET=pattern:pattern?++"},
		{"[COUNT count] STREAMS key [key ...] id [id ...]", "COUNT=count:integer? STREAMS=block(key:key+ id:string+)"},
		{"key count [WITHVALUES]", "key:key count:integer WITHVALUES?"},
		{"key [count [WITHVALUES]]", "key:key block(count:integer WITHVALUES?)?"},
		{"[protover [AUTH username password] [SETNAME clientname]]",
			"block(protover:integer AUTH=block(username:string password:string)? SETNAME=clientname:string?)?"},
		{"<ID client-id | SKIPME <YES | NO>> ...", "oneof(ID=client-id:integer SKIPME=oneof(YES NO))+"},
		{"[<GET a | SET b> ...]", "oneof(GET=a:string SET=b:string)?+"},
		{"<host port | NO ONE>", "oneof(block(host:string port:string) block(NO ONE))"},
	} {
		got, err := parseSyntax(test.syntax)
		if err != nil || render(got) != test.want {
			t.Errorf("%q\n got %s, %v\nwant %s", test.syntax, render(got), err, test.want)
		}
	}
	for _, bad := range []string{"[", "]", "[a", "a ]", "<a]", "| a", "a |", "...", "[]", "[a | ]", strings.Repeat("[", 50)} {
		if got, err := parseSyntax(bad); err == nil {
			t.Errorf("%q: no error, got %s", bad, render(got))
		}
	}
}

// TestRowsAreWellFormed parses the syntax of all rows and checks it against arity and key specifications.
func TestRowsAreWellFormed(t *testing.T) {
	s := store.New(store.Options{})
	defer s.Close()
	for _, spec := range New(s).all {
		args, err := parseSyntax(spec.Syntax)
		if err != nil {
			t.Errorf("%s: %v in %q", spec.full, err, spec.Syntax)
			continue
		}
		if spec.Run == nil || spec.Syntax == "" && spec.Arity < 0 {
			continue
		}
		fixed, open := argumentCount(args)
		fixed += strings.Count(spec.full, "|") + 1
		want := fmt.Sprint(fixed)
		if open {
			want = fmt.Sprint(-fixed)
		}
		if want != fmt.Sprint(spec.Arity) && !strings.HasPrefix(spec.full, "command|getkeys") && spec.full != "psync" {
			t.Errorf("%s: arity %d, but %q has %s", spec.full, spec.Arity, spec.Syntax, want)
		}
	}
}

// argumentCount returns how many words arguments are at least, and whether they can be more.
func argumentCount(args []argument) (n int, open bool) {
	for _, a := range args {
		if a.optional {
			open = true
			continue
		}
		open = open || a.multiple
		switch {
		case a.kind == "oneof":
			least := -1
			for _, alt := range a.args {
				k, o := argumentCount([]argument{alt})
				open = open || o || least >= 0 && k != least
				if least < 0 || k < least {
					least = k
				}
			}
			n += least
		case len(a.args) > 0:
			k, o := argumentCount(a.args)
			n, open = n+k, open || o
		default:
			n++
		}
		if a.token != "" && a.kind != "pure-token" {
			n++
		}
	}
	return n, open
}

func FuzzSyntax(f *testing.F) {
	f.Add("key [NX | XX] [EX seconds | KEEPTTL] score member [score member ...]")
	f.Add("<A b | C ...> [[d]] ...")
	f.Fuzz(func(t *testing.T, text string) {
		args, err := parseSyntax(text)
		if err == nil && len(args) == 0 && strings.TrimSpace(text) != "" {
			t.Errorf("%q parses to nothing", text)
		}
	})
}
