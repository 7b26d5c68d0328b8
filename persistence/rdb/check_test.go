package rdb

import (
	"bytes"
	"fmt"
	"maps"
	"os"
	"os/exec"
	"path/filepath"
	"slices"
	"strings"
	"testing"

	"github.com/streampulse/pulse/store/codec"
)

// lines runs Check and returns what it said.
func lines(file []byte, now int64) (said []string, s Summary, err error) {
	s, err = Check(bytes.NewReader(file), now, func(offset int64, line string) {
		said = append(said, fmt.Sprintf("[offset %d] %s", offset, line))
	})
	return said, s, err
}

func TestCheck(t *testing.T) {
	body := "\xfa" + str("name") + str("value") +
		"\xfe\x00\x00" + str("a") + str("1") +
		"\xfd\x10\x00\x00\x00\x00" + str("b") + str("2") +
		"\xfe\x05\xfd\x12\x00\x00\x00\x01" + str("l") + "\x01" + str("x")
	said, s, err := lines(file(10, body), 17_000)
	want := []string{"[offset 21] AUX FIELD name = 'value'", "[offset 23] Selecting DB ID 0", "[offset 40] Selecting DB ID 5", "[offset 60] Checksum OK"}
	if err != nil || !slices.Equal(said, want) {
		t.Errorf("%v %q", err, said)
	}
	if s.Keys != 3 || s.Expires != 2 || s.Expired != 1 || !maps.Equal(s.Types, map[codec.Type]int64{0: 2, 1: 1}) ||
		!maps.Equal(s.Databases, map[int]int64{0: 2, 5: 1}) {
		t.Errorf("%+v", s)
	}

	body += "\x04" + str("bad") + "\x02" + str("f") + str("1") + str("f") + str("2") + // goes on behind it
		"\x00" + str("l") + str("again") +
		"\x00" + str("good") + str("3")
	said, s, err = lines(file(10, body), 0)
	if len(s.Errors) != 2 || err != s.Errors[0] || s.Bad != 1 || s.Keys != 5 || s.Errors[1].Err != errRepeated || string(s.Errors[1].Key) != "l" {
		t.Errorf("%v %+v", err, s)
	}
	if want := `[offset 65] rdb: at offset 65, reading the value (type 4) of key "bad": a field or member that comes twice`; len(said) < 4 || said[3] != want {
		t.Errorf("%q, want %s", said, want)
	}

	_, s, err = lines(file(10, body)[:70], 0)
	if len(s.Errors) != 2 || s.Keys != 3 || s.Bad != 1 || err != s.Errors[0] {
		t.Errorf("%v %+v", err, s)
	}
	said, _, err = lines([]byte("REDIS0004\xff"), 0)
	if err != nil || !slices.Equal(said, []string{"[offset 10] RDB file was saved with checksum disabled: no check performed."}) {
		t.Errorf("%v %q", err, said)
	}
}

// TestCheckBeside compares what is said of recorded files with what redis-check-rdb says.
func TestCheckBeside(t *testing.T) {
	tool, err := exec.LookPath("redis-check-rdb")
	if err != nil {
		t.Skip(err)
	}
	for _, r := range recordings {
		b := gunzip(t, recording(r.name)+".rdb.gz")
		name := filepath.Join(t.TempDir(), "x.rdb")
		if err := os.WriteFile(name, b, 0o644); err != nil {
			t.Fatal(err)
		}
		out, err := exec.Command(tool, name).Output()
		if err != nil {
			t.Fatal(err)
		}
		said, s, err := lines(b, 0)
		if err != nil {
			t.Errorf("%s: %v", r.name, err)
		}
		text := strings.Join(said, "\n") + fmt.Sprintf("\n[info] %d keys read\n[info] %d expires", s.Keys+s.Bad, s.Expires)
		for line := range strings.SplitSeq(strings.TrimSpace(string(out)), "\n") {
			switch {
			case strings.Contains(line, "Checking RDB"), strings.Contains(line, "looks OK"), strings.Contains(line, "already expired"):
			case !strings.Contains(text, line):
				t.Errorf("%s: %q is missing in\n%s", r.name, line, text)
			}
		}
	}
}

func TestTypeNames(t *testing.T) {
	known := 0
	for i := range 256 {
		if name := TypeName(codec.Type(i)); name != "unknown" {
			known++
			if shapes[i] == "" {
				t.Errorf("%s has no shape", name)
			}
		} else if shapes[i] != "" && isType(byte(i)) && i != typeModule && i != typeModule2 {
			t.Errorf("type %d has no name", i)
		}
	}
	if known != 23 {
		t.Errorf("%d types", known)
	}
}
