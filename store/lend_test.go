package store

import (
	"bytes"
	"fmt"
	"hash/maphash"
	"math/rand/v2"
	"sync"
	"testing"
	"time"

	"github.com/streampulse/pulse/internal/clock"
	"github.com/streampulse/pulse/store/hash"
)

// borrowed is what a reader has, and what it must find there.
type borrowed struct {
	b    []byte
	sum  uint64
	loan *Loan
}

var lendSeed = maphash.MakeSeed()

// TestLend changes strings and hashes at random while parts of them are lent: readers see what they borrowed, and memory adds up.
func TestLend(t *testing.T) {
	clk := clock.NewFake(time.UnixMilli(1_700_000_000_000))
	s := New(Options{Clock: clk, Shards: 4, Databases: 2, Seed: 1})
	defer s.Close()
	s.memory.grain.Store(0)
	tx := s.NewTx()
	rnd := rand.New(rand.NewPCG(3, 4))
	lim := hash.Limits{Entries: 4, Value: 64}
	var out []borrowed
	giveBack := func(i int) {
		o := out[i]
		if maphash.Bytes(lendSeed, o.b) != o.sum {
			t.Fatal("what was lent has changed")
		}
		o.loan.Return()
		out[i] = out[len(out)-1]
		out = out[:len(out)-1]
	}
	fresh := func() []byte {
		return bytes.Repeat([]byte{byte(1 + rnd.IntN(255))}, LendMin/2+rnd.IntN(2*LendMin))
	}
	lent, abandoned := 0, false
	for i := range 6000 {
		key := fmt.Appendf(nil, "s%d", rnd.IntN(6))
		hkey, field := fmt.Appendf(nil, "h%d", rnd.IntN(3)), fmt.Appendf(nil, "f%d", rnd.IntN(6))
		tx.Begin(rnd.IntN(2))
		tx.LockAll()
		switch rnd.IntN(16) {
		case 0, 1:
			tx.SetText(key, fresh(), Forever)
		case 2, 3, 4:
			v, _, err := tx.Text(key)
			if err != nil {
				t.Fatal(err)
			}
			part := v[rnd.IntN(len(v)/8+1):]
			l := tx.Lend(key, part)
			if want := len(part) >= LendMin; (l != nil) != want {
				t.Fatalf("step %d: %d of %d bytes: lent is %v", i, len(part), len(v), l != nil)
			} else if want {
				lent++
				out = append(out, borrowed{part, maphash.Bytes(lendSeed, part), l})
			}
		case 5:
			v, _, _ := tx.Text(key)
			b := tx.Resize(key, max(1, len(v)+rnd.IntN(100)-50))
			b[rnd.IntN(len(b))] ^= 0xff
		case 6:
			b := tx.NewText(key, 1+rnd.IntN(2*LendMin))
			for i := range b {
				b[i] = 'n'
			}
		case 7:
			tx.SetDeadline(key, clk.NowMs()+rnd.Int64N(100))
		case 8:
			tx.Persist(key)
		case 9:
			if to := fmt.Appendf(nil, "s%d", rnd.IntN(6)); tx.Has(key) && string(key) != string(to) {
				if rnd.IntN(2) == 0 {
					tx.Rename(key, to)
				} else {
					tx.Copy(key, to, 1-tx.DB())
				}
			}
		case 10:
			if tx.Delete(key); rnd.IntN(4) == 0 {
				tx.Delete(hkey)
			}
		case 11, 12:
			h, _ := tx.Hash(hkey, Create)
			h.Set(lim, field, fresh())
			h.Set(lim, []byte("small"), []byte("v"))
			tx.Settle(hkey, h, 1)
		case 13, 14:
			h, _ := tx.Hash(hkey, Read)
			if b, l := tx.LendField(hkey, h, field); l != nil {
				lent++
				out = append(out, borrowed{b, maphash.Bytes(lendSeed, b), l})
			}
		case 15:
			switch to := fmt.Appendf(nil, "h%d", rnd.IntN(3)); rnd.IntN(6) {
			case 0, 1:
				if h, _ := tx.Hash(hkey, Write); h != nil && h.Delete(field) {
					tx.Settle(hkey, h, 1)
				}
			case 2:
				if tx.Has(hkey) && string(hkey) != string(to) {
					tx.Rename(hkey, to)
				}
			case 3:
				if db := tx.DB(); tx.Has(hkey) {
					if tx.Select(1 - db); !tx.Has(hkey) {
						tx.Select(db)
						tx.Move(hkey, 1-db)
					}
					tx.Select(db)
				}
			case 4:
				tx.SetText(hkey, []byte("no hash any more"), Forever)
				tx.Delete(hkey)
			case 5:
				if rnd.IntN(5) == 0 {
					tx.Flush(tx.DB())
				}
			}
		}
		tx.Unlock()
		if rnd.IntN(10) == 0 {
			clk.Advance(time.Duration(rnd.IntN(60)) * time.Millisecond)
		}
		for len(out) > 0 && rnd.IntN(3) == 0 || len(out) > 30 {
			giveBack(rnd.IntN(len(out)))
		}
		abandoned = abandoned || s.OtherMemory() > 0
		if used := recount(s) + s.OtherMemory(); s.UsedMemory() != used {
			t.Fatalf("step %d: %d bytes are counted, %d are there", i, s.UsedMemory(), used)
		}
	}
	for len(out) > 0 {
		giveBack(0)
	}
	if n := s.OtherMemory(); n != 0 {
		t.Errorf("%d bytes are still counted for readers", n)
	}
	if lent < 500 || !abandoned {
		t.Errorf("%d loans, of which some outlived their values: %v; the test tests too little", lent, abandoned)
	}
}

// TestLendLittle: a small part of a large string is copied, so that a change of the string costs no more than what made it necessary.
func TestLendLittle(t *testing.T) {
	s := New(Options{Seed: 1})
	defer s.Close()
	tx := s.NewTx()
	key := []byte("k")
	tx.Begin(0)
	tx.LockKey(key)
	defer tx.Unlock()
	v := tx.NewText(key, 10*LendMin)
	if tx.Lend(key, v[:LendMin]) != nil {
		t.Error("a tenth was lent")
	}
	if l := tx.Lend(key, v[:5*LendMin]); l == nil {
		t.Error("a half was not lent")
	} else if b := tx.Resize(key, len(v)); &b[0] == &v[0] {
		t.Error("a string is written in place while it is lent")
	} else if l.Return(); &tx.Resize(key, len(v))[0] != &b[0] {
		t.Error("a string that is not lent is not written in place")
	}
}

// TestLendRace has readers look at what they borrowed while the strings change.
func TestLendRace(t *testing.T) {
	s := New(Options{Shards: 2, Seed: 1})
	defer s.Close()
	const readers, rounds = 4, 300
	key := []byte("k")
	fill := func(b []byte, c byte) {
		for i := range b {
			b[i] = c
		}
	}
	start := s.NewTx()
	start.Begin(0)
	start.LockKey(key)
	fill(start.NewText(key, LendMin), 1)
	start.Unlock()
	var wg sync.WaitGroup
	for r := range readers {
		wg.Go(func() {
			tx := s.NewTx()
			for range rounds {
				tx.Begin(0)
				tx.LockKey(key)
				v, _, _ := tx.Text(key)
				l := tx.Lend(key, v)
				tx.Unlock()
				if l == nil {
					t.Error("nothing is lent")
					return
				}
				for _, c := range v {
					if c != v[0] {
						t.Errorf("reader %d sees two values at once", r)
						break
					}
				}
				l.Return()
			}
		})
	}
	tx := s.NewTx()
	for i := range rounds {
		tx.Begin(0)
		tx.LockKey(key)
		if i%3 == 0 {
			tx.SetText(key, bytes.Repeat([]byte{byte(i)}, LendMin), Forever)
		} else {
			fill(tx.Resize(key, LendMin), byte(i))
		}
		tx.Unlock()
	}
	wg.Wait()
	if n := s.OtherMemory(); n != 0 {
		t.Errorf("%d bytes are still counted for readers", n)
	}
}
