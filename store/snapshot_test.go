package store

import (
	"bytes"
	"encoding/binary"
	"errors"
	"fmt"
	"math/rand/v2"
	"sync"
	"testing"
	"time"

	"github.com/streampulse/pulse/internal/clock"
	"github.com/streampulse/pulse/store/codec"
	"github.com/streampulse/pulse/store/zset"
)

// saved is what a snapshot, or a look at the whole store, says of keys: deadline and payload by database and name.
type saved map[string]string

func savedKey(db int, key []byte) string { return fmt.Sprint(db, " ", string(key)) }

func savedValue(v codec.Value, at int64) string {
	return string(codec.AppendDump(binary.BigEndian.AppendUint64(nil, uint64(at)), v, false))
}

// encodeSaved is an Encoder whose output decodeSaved reads.
func encodeSaved(dst, key []byte, v codec.Value, m Meta) []byte {
	dst = binary.AppendUvarint(dst, uint64(len(key)))
	dst = append(dst, key...)
	value := savedValue(v, m.Deadline)
	dst = binary.AppendUvarint(dst, uint64(len(value)))
	return append(dst, value...)
}

func (sv saved) decode(t *testing.T, db int, b []byte) {
	text := func() []byte {
		n, w := binary.Uvarint(b)
		out := b[w : w+int(n)]
		b = b[w+int(n):]
		return out
	}
	for len(b) > 0 {
		key := savedKey(db, text())
		if _, twice := sv[key]; twice {
			t.Errorf("%s was saved twice", key)
		}
		sv[key] = string(text())
	}
}

// everything returns what the store holds.
func everything(s *Store) saved {
	sv := saved{}
	tx := s.NewTx()
	tx.Replaying = true
	for n := range s.Databases() {
		tx.Begin(n)
		tx.LockAll()
		tx.now = 0 // EachKey leaves out what is past its time
		tx.EachKey(func(key []byte, _ Kind) bool {
			tx.BeginCommand()
			v, _ := tx.Value(key)
			at, _ := tx.Deadline(key)
			sv[savedKey(n, key)] = savedValue(v, at)
			return true
		})
		tx.Unlock()
	}
	return sv
}

// churn makes n random changes of all kinds.
func churn(s *Store, tx *Tx, r *rand.Rand, n, keys int) {
	name := func() []byte { return fmt.Append(nil, "key:", r.IntN(keys)) }
	for range n {
		tx.Begin(r.IntN(3))
		tx.LockAll()
		key, size := name(), 1+r.IntN(4)
		if r.IntN(20) == 0 {
			size = 600
		}
		lim := tx.Limits()
		change := func(kind Kind) bool { return !tx.Has(key) || tx.Holds(key, kind) }
		switch op := r.IntN(22); {
		case op < 3:
			tx.SetText(key, bytes.Repeat([]byte{byte('a' + r.IntN(26))}, r.IntN(size*20)), Forever)
		case op < 5 && (change(Integer) || tx.Holds(key, String)):
			tx.Add(key, int64(r.IntN(100)))
		case op == 5 && (change(String) || tx.Holds(key, Integer)):
			n := r.IntN(size * 50)
			for i, b := range tx.Resize(key, n) {
				if b == 0 {
					tx.Resize(key, n)[i] = 'z'
				}
			}
		case op < 8 && change(Hash):
			v, _ := tx.Hash(key, Create)
			for range size {
				v.SetAt(lim.Hash(), fmt.Append(nil, "f", r.IntN(2*size)), fmt.Append(nil, r.IntN(1000)), []int64{Forever, tx.now + 1 + r.Int64N(300)}[r.IntN(2)])
			}
			tx.Settle(key, v, 1)
		case op < 10 && change(List):
			l, _ := tx.List(key, Create)
			for range size {
				l.PushOne(fmt.Append(nil, r.IntN(1000)), r.IntN(2) == 0, -1)
			}
			if r.IntN(3) == 0 {
				l.Drop(l.Len()/2, true, -1)
			}
			tx.Settle(key, l, 1)
		case op < 12 && change(Set):
			v, _ := tx.Set(key, Create)
			for range size {
				v.Add(lim.Set(), fmt.Append(nil, r.IntN(1000)))
			}
			tx.Settle(key, v, 1)
		case op < 14 && change(ZSet):
			v, _ := tx.ZSet(key, Create)
			for range size {
				v.Add(fmt.Append(nil, r.IntN(1000)), r.Float64(), 0, zset.Limits{Entries: 128, Value: 64})
			}
			tx.Settle(key, v, 1)
		case op == 14:
			tx.Delete(key)
		case op < 17:
			tx.SetDeadline(key, tx.now+1+r.Int64N(300))
		case op == 17:
			tx.Persist(key)
		case op == 18:
			if to := name(); tx.Has(key) && string(to) != string(key) {
				tx.Rename(key, to)
			}
		case op == 19:
			if to := name(); tx.Has(key) && string(to) != string(key) {
				tx.Copy(key, to, r.IntN(3))
			}
		case op == 20 && r.IntN(100) == 0:
			tx.SwapDB(r.IntN(3), r.IntN(3))
		case op == 21 && r.IntN(200) == 0:
			tx.Flush(r.IntN(3))
		}
		tx.Unlock()
	}
}

// TestSnapshotIsExact changes the store between the steps of a snapshot in every way there is: what is saved must be what
// there was at its instant, each key once.
func TestSnapshotIsExact(t *testing.T) {
	defer func(n int) { stepBytes = n }(stepBytes)
	stepBytes = 2 << 10
	for seed := range uint64(6) {
		fake := clock.NewFake(time.UnixMilli(1_700_000_000_000))
		s := New(Options{Shards: 4, Clock: fake, Seed: 1 + seed})
		tx, r := s.NewTx(), rand.New(rand.NewPCG(seed, 1))
		churn(s, tx, r, 6000, 1500)
		for round := range 4 {
			var sn *Snapshot
			var want saved
			tx.Begin(0)
			tx.Exclusive(nil, func() { sn, _ = tx.BeginSnapshot(encodeSaved) })
			want = everything(s) // nobody else is here
			got, pieces := saved{}, 0
			wreck := errors.New("no room")
			err := sn.Write(func(db int, b []byte) error {
				got.decode(t, db, b)
				pieces++
				churn(s, tx, r, 60, 1500)
				fake.Advance(2 * time.Millisecond)
				if round == 2 && pieces == 5 {
					return wreck
				}
				return nil
			})
			switch {
			case round == 2 && err != wreck:
				t.Fatalf("a snapshot that could not be written ended with %v", err)
			case round == 2:
				continue
			case err != nil:
				t.Fatal(err)
			}
			if done, of := sn.Progress(); done != of || int(done) != len(got) {
				t.Errorf("seed %d, round %d: %d keys of %d were saved, %d arrived", seed, round, done, of, len(got))
			}
			for key, v := range want {
				if got[key] != v {
					t.Fatalf("seed %d, round %d: %s was saved as %q, it was %q", seed, round, key, got[key], v)
				}
			}
			if len(got) != len(want) {
				t.Fatalf("seed %d, round %d: %d keys were saved, there were %d", seed, round, len(got), len(want))
			}
			if pieces < 20 {
				t.Errorf("only %d pieces: the test changed little in between", pieces)
			}
		}
		s.Close()
	}
}

// TestSnapshotUnderLoad is the same with writers that run at the same time, on shards of their own locks; the sum over
// all accounts stays what it was.
func TestSnapshotUnderLoad(t *testing.T) {
	s := New(Options{Shards: 16})
	defer s.Close()
	const accounts, total = 20_000, 20_000 * 100
	tx := s.NewTx()
	account := func(i int) []byte { return fmt.Append(nil, "account:", i) }
	tx.Begin(0)
	tx.LockAll()
	for i := range accounts {
		tx.Add(account(i), 100)
	}
	tx.Unlock()
	stop := make(chan struct{})
	var writers sync.WaitGroup
	for w := range 4 {
		writers.Add(1)
		go func() {
			defer writers.Done()
			gate, tx, r := s.NewGate(), s.NewTx(), rand.New(rand.NewPCG(uint64(w), 0))
			for {
				select {
				case <-stop:
					return
				default:
				}
				a, b, n := account(r.IntN(accounts)), account(r.IntN(accounts)), r.Int64N(50)
				gate.Enter()
				tx.Begin(0)
				tx.Want(a)
				tx.Want(b)
				tx.LockWanted()
				tx.Add(a, -n)
				tx.Add(b, n)
				tx.Unlock()
				gate.Leave()
			}
		}()
	}
	for range 10 {
		var sn *Snapshot
		tx.Begin(0)
		tx.Exclusive(nil, func() {
			sn, _ = tx.BeginSnapshot(func(dst, _ []byte, v codec.Value, _ Meta) []byte { return append(append(dst, v.Text...), ' ') })
		})
		sum, keys := 0, 0
		if err := sn.Write(func(_ int, b []byte) error {
			for _, f := range bytes.Fields(b) {
				n := 0
				fmt.Sscan(string(f), &n)
				sum += n
				keys++
			}
			return nil
		}); err != nil {
			t.Fatal(err)
		}
		if sum != total || keys != accounts {
			t.Errorf("%d accounts with %d were saved, there are %d with %d", keys, sum, accounts, total)
		}
	}
	close(stop)
	writers.Wait()
}

// countingFeed counts units.
type countingFeed struct{ units int }

func (*countingFeed) EncodeCommand(dst []byte, _ [][]byte) []byte { return append(dst, 'c') }
func (*countingFeed) EncodeDeletion(dst, _ []byte) []byte         { return append(dst, 'd') }
func (*countingFeed) EncodeFieldDeletions(dst, _ []byte, _ [][]byte) []byte {
	return append(dst, 'f')
}
func (f *countingFeed) Append(*Unit) { f.units++ }

// TestFeedBeginsBeforeExclusive: who waits for its turn to be alone, while another turns the feed on, is fed.
func TestFeedBeginsBeforeExclusive(t *testing.T) {
	s := New(Options{})
	defer s.Close()
	feed := &countingFeed{}
	gate, tx := s.NewGate(), s.NewTx()
	gate.Enter()
	tx.Begin(0)
	s.SetFeed(feed) // as an exclusive operation does that gets its turn first
	tx.Exclusive(gate, func() {
		tx.SetText([]byte("k"), []byte("v"), Forever)
		tx.FeedCommand(0, [][]byte{[]byte("SET")})
	})
	gate.Leave()
	if feed.units != 1 {
		t.Errorf("fed %d units, want 1", feed.units)
	}
}
