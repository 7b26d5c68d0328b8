package script

import (
	"bufio"
	"os"
	"strings"
	"testing"
)

// FuzzParse: whatever parses is written in a form that parses to the same and does not change any more.
func FuzzParse(f *testing.F) {
	b, err := os.ReadFile("testdata/example.txt")
	if err != nil {
		f.Fatal(err)
	}
	f.Add(string(b))
	f.Add("#: protocol 2 3\n#: unordered deep\n12> A b\n[2]\n%1\n  +a => *1\n    :1\n[3]\n|1\n  :1 => :2\n+x\n")
	f.Add("raw> \"\\x00\"\n(none)\n<\n?\n*?\n!?\n")
	f.Add("> A\n%1\n  *1\n    :1\n  => :2\n")
	f.Fuzz(func(t *testing.T, text string) {
		file, err := Parse(strings.NewReader(text))
		if err != nil {
			return
		}
		once := written(t, file)
		again, err := Parse(strings.NewReader(once))
		if err != nil {
			t.Fatalf("%v\nwritten:\n%q", err, once)
		}
		if twice := written(t, again); twice != once {
			t.Fatalf("once:\n%q\ntwice:\n%q", once, twice)
		}
	})
}

// FuzzReply: whatever the decoder accepts has a notation that reads back as the same reply.
func FuzzReply(f *testing.F) {
	for _, seed := range []string{
		"+OK\r\n", "-ERR x\r\n", "$2\r\n\r\n\r\n", "*2\r\n:1\r\n_\r\n", "%1\r\n+a\r\n~1\r\n,1\r\n", "|1\r\n+a\r\n#t\r\n=5\r\ntxt:a\r\n",
		"%1\r\n|1\r\n+a\r\n:1\r\n+k\r\n:2\r\n", "(12\r\n", "!1\r\na\r\n", ">1\r\n$-1\r\n", "*-1\r\n",
	} {
		f.Add(seed)
	}
	f.Fuzz(func(t *testing.T, wire string) {
		r, err := readReply(bufio.NewReader(strings.NewReader(wire)))
		if err != nil {
			return
		}
		checkReadsBack(t, r)
	})
}

// FuzzSplitArgs: quoting is undone by splitting.
func FuzzSplitArgs(f *testing.F) {
	f.Add("a b", "\x00\"\\")
	f.Add("", "ünï\r\n\t\u2028")
	f.Fuzz(func(t *testing.T, a, b string) {
		args, err := SplitArgs(quote(a) + " " + quote(b))
		if err != nil || len(args) != 2 || args[0] != a || args[1] != b {
			t.Errorf("%q, %q: %q, %v", a, b, args, err)
		}
		SplitArgs(a)
	})
}
