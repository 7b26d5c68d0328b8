package store

import (
	"fmt"
	"testing"

	"github.com/streampulse/pulse/store/codec"
	"github.com/streampulse/pulse/store/set"
)

// Load adds what is not there yet, of any kind and with any deadline, whether the room for it was announced or not.
func TestLoad(t *testing.T) {
	for _, announced := range []int{0, 100_000} {
		s := New(Options{Shards: 4})
		s.Reserve(0, announced)
		tx := s.NewTx()
		tx.Replaying = true
		tx.Begin(0)
		tx.LockAll()
		const n = 5000
		for i := range n {
			key, at := fmt.Appendf(nil, "key%d", i), int64(Forever)
			v := codec.Value{Text: fmt.Append(nil, "text", i)}
			switch i % 4 {
			case 1:
				v.Text = fmt.Append(nil, i)
			case 2:
				v.Text, v.Object = nil, set.New()
				members := 3
				if i == 2 {
					members = 2000 // too large for a block
				}
				for m := range members {
					v.Object.(*set.Set).Add(tx.Limits().Set(), fmt.Append(nil, "m", m))
				}
			case 3:
				at = int64(1000 + i) // long past
			}
			if !tx.Load(key, v, at) || tx.Load(key, codec.Value{Text: []byte("other")}, Forever) {
				t.Fatalf("key %d was refused, or taken twice", i)
			}
			if got, _ := tx.Facts(key); got.Deadline != at {
				t.Errorf("key %d has deadline %d, not %d", i, got.Deadline, at)
			}
			v2, ok := tx.Value(key)
			if want := savedValue(v, at); !ok || savedValue(v2, at) != want {
				t.Errorf("key %d holds another value", i)
			}
		}
		if z := tx.Size(0); z.Keys != n || z.Volatile != n/4 {
			t.Errorf("%+v", z)
		}
		if tx.Changes() != n {
			t.Errorf("%d changes", tx.Changes())
		}
		tx.Unlock()
	}
}
