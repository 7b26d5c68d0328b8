package commands

import (
	"bytes"
	"fmt"
	"strings"
	"testing"
	"time"

	"github.com/streampulse/pulse/store"
)

// textFeed writes what it is given as text: commands of a unit are joined by "; ".
type textFeed struct {
	units []string
}

func (*textFeed) EncodeCommand(dst []byte, args [][]byte) []byte {
	return append(dst, bytes.Join(args, []byte(" "))...)
}

func (*textFeed) EncodeDeletion(dst, key []byte) []byte { return fmt.Appendf(dst, "DEL %s", key) }

func (*textFeed) EncodeFieldDeletions(dst, key []byte, fields [][]byte) []byte {
	return fmt.Appendf(dst, "HDEL %s %s", key, bytes.Join(fields, []byte(" ")))
}

func (f *textFeed) Append(u *store.Unit) {
	var steps []string
	at := 0
	for _, s := range u.Steps {
		text := string(u.Bytes[at:s.End])
		if s.DB != 0 {
			text = fmt.Sprintf("%d:%s", s.DB, text)
		}
		steps = append(steps, text)
		at = s.End
	}
	f.units = append(f.units, strings.Join(steps, "; "))
}

// take returns the units since it was called last.
func (f *textFeed) take() string {
	out := strings.Join(f.units, " | ")
	f.units = nil
	return out
}

func TestEffects(t *testing.T) {
	h := newHarness(t)
	c := h.conn(2)
	feed := &textFeed{}
	h.store.SetFeed(feed)
	h.store.SetActiveExpire(false)
	for _, step := range []struct{ do, fed string }{
		{"SET k 1", "SET k 1"},
		{"GET k", ""},
		{"SET k 2 NX", ""},
		{"SET k 2 XX GET EX 10", "SET k 2 PXAT 1700000010000"},
		{"SET k 3 KEEPTTL", "SET k 3 KEEPTTL"},
		{"SET k 4 IFEQ 3", "SET k 4"},
		{"SETEX k 1 v", "SET k v PXAT 1700000001000"},
		{"PSETEX k 1 v", "SET k v PXAT 1700000000001"},
		{"INCR n", "INCR n"},
		{"INCR k", ""},
		{"INCRBYFLOAT n 0.5", "SET n 1.5 KEEPTTL"},
		{"GETEX n", ""},
		{"GETEX n PERSIST", ""},
		{"GETEX n EX 5", "PEXPIREAT n 1700000005000"},
		{"GETEX n PERSIST", "PERSIST n"},
		{"GETEX n PXAT 1", "DEL n"},
		{"MSETEX 2 a 1 b 2 PX 7", "SET a 1 PXAT 1700000000007; SET b 2 PXAT 1700000000007"},
		{"EXPIRE a 100 LT", ""},
		{"EXPIRE a 100", "PEXPIREAT a 1700000100000"},
		{"EXPIREAT a 1", "DEL a"},
		{"PERSIST b", "PERSIST b"},
		{"DELEX b IFEQ 1", ""},
		{"DELEX b IFEQ 2", "DEL b"},
		{"GETDEL nokey", ""},
		{"SADD s a", "SADD s a"},
		{"SADD s a", ""},
		{"SPOP s", "SREM s a"},
		{"SPOP s", ""},
		{"HSET h f 1 g 2", "HSET h f 1 g 2"},
		{"HINCRBYFLOAT h f 0.5", "HSET h f 1.5"},
		{"HEXPIRE h 10 FIELDS 2 f nofield", "HPEXPIREAT h 1700000010000 FIELDS 1 f"},
		{"HINCRBYFLOAT h f 0.5", "HSETEX h KEEPTTL FIELDS 1 f 2"},
		{"HGETEX h PERSIST FIELDS 2 f g", "HPERSIST h FIELDS 1 f"},
		{"HSETEX h EX 1 FIELDS 1 i 1", "HSETEX h PXAT 1700000001000 FIELDS 1 i 1"},
		{"HSETEX h FIELDS 1 i 1", "HSET h i 1"},
		{"HPEXPIREAT h 1 FIELDS 1 i", "HDEL h i"},
		{"HGETDEL h FIELDS 1 g", "HDEL h g"},
		{"RPUSH l a b c d e f", "RPUSH l a b c d e f"},
		{"BLPOP nokey l 0", "LPOP l"},
		{"BRPOP l 0", "RPOP l"},
		{"BLMOVE l m LEFT RIGHT 0", "LMOVE l m LEFT RIGHT"},
		{"BRPOPLPUSH l m 0", "LMOVE l m RIGHT LEFT"},
		{"BLMPOP 0 2 nokey l RIGHT COUNT 5", "RPOP l 5"},
		{"ZADD z 1 a 2 b 3 c", "ZADD z 1 a 2 b 3 c"},
		{"BZPOPMIN z 0", "ZPOPMIN z"},
		{"BZMPOP 0 1 z MAX", "ZPOPMAX z 1"},
		{"SELECT 3", ""},
		{"SET k v", "3:SET k v"},
		{"MOVE k 4", "3:MOVE k 4"},
		{"SELECT 0", ""},
		{"MULTI", ""},
		{"SET x 1 EX 1", ""},
		{"GET x", ""},
		{"INCR y", ""},
		{"EXEC", "SET x 1 PXAT 1700000001000; INCR y"},
		{"FLUSHALL", "FLUSHALL"},
		{"FLUSHALL", ""},
	} {
		h.do(c, step.do)
		if got := feed.take(); got != step.fed {
			t.Errorf("%s: fed %q, want %q", step.do, got, step.fed)
		}
	}

	// What waits is fed in the order in which it happens, a unit each.
	waiting := h.conn(2)
	h.do(waiting, "BLPOP l 0")
	h.do(c, "RPUSH l a b")
	if got, want := feed.take(), "RPUSH l a b | LPOP l"; got != want {
		t.Errorf("a waiter was fed as %q, want %q", got, want)
	}

	// Deletions by time come before what finds the key gone.
	h.do(c, "SET e 1 PX 5")
	h.do(c, "HSET f a 1 b 2")
	h.do(c, "HPEXPIRE f 5 FIELDS 1 a")
	feed.take()
	h.clock.Advance(10 * time.Millisecond)
	h.do(c, "INCR e")
	h.do(c, "HLEN f")
	if got, want := feed.take(), "DEL e; INCR e | HDEL f a"; got != want {
		t.Errorf("what expired was fed as %q, want %q", got, want)
	}
	h.store.SetFeed(nil)
	h.do(c, "SET k v")
	if got := feed.take(); got != "" {
		t.Errorf("fed %q to a feed that was taken away", got)
	}
}
