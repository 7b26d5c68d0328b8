package resp

import (
	"bytes"
	"fmt"
	"math/rand/v2"
	"testing"

	"github.com/tidwall/redcon"
)

// TestRedconReadsTheSame gives random well-formed requests to redcon's parser and to ours.
func TestRedconReadsTheSame(t *testing.T) {
	rnd := rand.New(rand.NewPCG(1, 2))
	var r Reader
	for range 2000 {
		var packet []byte
		n := 1 + rnd.IntN(6)
		packet = redcon.AppendArray(packet, n)
		for range n {
			arg := make([]byte, rnd.IntN(40))
			for i := range arg {
				arg[i] = byte(rnd.Uint32())
			}
			packet = redcon.AppendBulk(packet, arg)
		}
		complete, want, _, rest, err := redcon.ReadNextCommand(packet, nil)
		if !complete || err != nil || len(rest) != 0 {
			t.Fatalf("redcon: %v %v, %d bytes left of %q", complete, err, len(rest), packet)
		}
		got, size, err := r.Next(packet, &Limits{Authenticated: true})
		if err != nil || size != len(packet) || fmt.Sprintf("%q", got) != fmt.Sprintf("%q", want) {
			t.Fatalf("%q: got %q, %d bytes, %v; redcon reads %q", packet, got, size, err, want)
		}
	}
}

// TestRedconReadsWhatWeWrite has redcon read replies of RESP2, and compares with what it would have written.
func TestRedconReadsWhatWeWrite(t *testing.T) {
	var w Writer
	w.Array(6)
	w.Int(-42)
	w.Bulk([]byte("bulk\r\n"))
	w.Simple("OK")
	w.Error("ERR no")
	w.Null()
	w.Map(1)
	w.BulkString("k")
	w.Double(1.5)

	var want []byte
	want = redcon.AppendArray(want, 6)
	want = redcon.AppendInt(want, -42)
	want = redcon.AppendBulkString(want, "bulk\r\n")
	want = redcon.AppendString(want, "OK")
	want = redcon.AppendError(want, "ERR no")
	want = redcon.AppendNull(want)
	want = redcon.AppendArray(want, 2)
	want = redcon.AppendBulkString(want, "k")
	want = redcon.AppendBulkString(want, "1.5")
	if !bytes.Equal(w.Bytes(), want) {
		t.Errorf("got  %q\nwant %q", w.Bytes(), want)
	}
	n, reply := redcon.ReadNextRESP(w.Bytes())
	if n != w.Len() || reply.Type != redcon.Array || reply.Count != 6 {
		t.Errorf("redcon reads %d of %d bytes: %v", n, w.Len(), reply)
	}
}
