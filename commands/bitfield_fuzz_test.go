package commands

import (
	"bytes"
	"testing"
)

// FuzzBitfield sends BITFIELD any arguments. It may write only if its row says so of these arguments, what it leaves is
// no longer than strings may be, and BITFIELD_RO reads the same.
func FuzzBitfield(f *testing.F) {
	for _, s := range []string{
		"GET u8 0", "set i64 #3 -1 GET u63 7", "OVERFLOW SAT INCRBY u4 100 17 OVERFLOW fail INCRBY i5 #1 -99",
		"SET u8 7999 1", "SET u8 #9223372036854775807 1", "GET i64 7999 GET u1 7999", "overflow wrap", "GET", "SET u64 0 0",
	} {
		f.Add([]byte(s), []byte("text"))
	}
	const most = 1000
	h := newHarness(f)
	c := h.conn(2)
	c.Env = smallEnv{h, most}
	key := []byte("k")
	f.Fuzz(func(t *testing.T, line, text []byte) {
		text = text[:min(len(text), most)]
		args := append([][]byte{[]byte("BITFIELD"), key}, bytes.Fields(line)...)
		h.run(c, [][]byte{[]byte("SET"), key, text})
		reply := h.run(c, args)
		h.tx.Begin(0)
		h.tx.LockKey(key)
		after, _, err := h.tx.Text(key)
		after = bytes.Clone(after)
		h.tx.Unlock()
		switch same := bytes.Equal(after, text); {
		case err != nil:
			t.Fatal(err)
		case len(after) > most:
			t.Fatalf("%q made a string of %d bytes", args, len(after))
		case !same && (reply[0] == '-' || bitfieldKeyUse(args)&RW == 0):
			t.Fatalf("%q changed the string, reply %q", args, reply)
		}
		args[0] = []byte("BITFIELD_RO")
		if read := h.run(c, args); read != reply && read[0] != '-' {
			t.Fatalf("%q reads %q, BITFIELD %q", args, read, reply)
		}
	})
}
