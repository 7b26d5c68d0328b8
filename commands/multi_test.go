package commands

import (
	"bytes"
	"testing"
)

// TestTransactionMemory: what was queued stays as it was while more comes, in whatever sizes, and no longer than that is
// any of it held: the memory of large requests is not used again, and requests do not share it with many others.
func TestTransactionMemory(t *testing.T) {
	for round := range 3 {
		m := transactions.Get().(*transaction)
		if len(m.queue)+len(m.args)+len(m.text)+m.bytes != 0 || m.mayWrite() {
			t.Error("something is left")
		}
		var want [][][]byte
		bytesOf := 0
		for i := range 400 {
			args := [][]byte{[]byte("SET"), bytes.Repeat([]byte{byte(i)}, i%50), bytes.Repeat([]byte{byte(round)}, i*i%3000)}
			sent := cloneArgs(args)
			m.add(&Spec{}, sent, i == 7)
			for _, a := range sent { // the session's memory is used for the next request
				clear(a)
				bytesOf += len(a) + 24
			}
			want = append(want, args)
		}
		for i, q := range m.queue {
			for j, a := range q.args {
				if !bytes.Equal(a, want[i][j]) {
					t.Fatalf("round %d: argument %d of %d is %.20q, want %.20q", round, j, i, a, want[i][j])
				}
			}
		}
		if len(m.queue) != 400 || m.bytes != bytesOf || !m.mayWrite() {
			t.Errorf("%d requests of %d bytes, want %d", len(m.queue), m.bytes, bytesOf)
		}
		if cap(m.text) > keepText || cap(m.args) > keepQueue {
			t.Errorf("chunks of %d bytes and %d arguments", cap(m.text), cap(m.args))
		}
		m.release()
	}
	var m transaction
	big := bytes.Repeat([]byte("x"), 1<<20)
	for range 8 {
		m.add(&Spec{}, [][]byte{big}, false)
	}
	if cap(m.text) != len(big) {
		t.Errorf("a request of %d bytes has a chunk of %d", len(big), cap(m.text))
	}
}
