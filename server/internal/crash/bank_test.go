package crash

import (
	"errors"
	"fmt"
	"math/rand/v2"
	"os"
	"path/filepath"
	"strconv"
	"strings"
	"sync"
	"sync/atomic"
	"time"

	"github.com/streampulse/pulse/internal/oracle"
	"github.com/streampulse/pulse/internal/resp"
	"github.com/streampulse/pulse/server/internal/image"
)

// BankOptions say how many snapshots are taken.
type BankOptions struct {
	Binary    string // the server that is tested
	Reader    string // the redis-server that reads its files
	Dir       string
	Snapshots int
	Seed      uint64
	Log       func(format string, a ...any)
}

// BankReport tells of the snapshots.
type BankReport struct {
	Snapshots int // RDB files
	Bases     int // bases of the append-only file
	Logs      int // append-only files with their increments
	Transfers int64
	Moving    int // snapshots that hold another state than the one before: money moved between them
	Findings  []string
}

func (r BankReport) String() string {
	return fmt.Sprintf("%d snapshots, %d bases and %d logs read by another server, %d transfers in between, %d wrong", r.Snapshots, r.Bases, r.Logs, r.Transfers, len(r.Findings))
}

const (
	accounts = 3000 // strings, and as many fields of hashes, and as many members of sorted sets
	opening  = 1000
	clerks   = 8
)

// transferScript moves money from a string to a field and from a field to a member, as one.
const transferScript = `
redis.call('DECRBY', KEYS[1], ARGV[3])
redis.call('HINCRBY', KEYS[2], ARGV[1], ARGV[3] * 2)
redis.call('ZINCRBY', KEYS[3], -ARGV[3], ARGV[2])
return redis.call('INCR', KEYS[4])`

// sumScript adds up all that there is.
const sumScript = `
local sum, moved = 0, 0
for i = 0, tonumber(ARGV[1]) - 1 do sum = sum + redis.call('GET', 'acc:' .. i) end
for i = 0, 29 do
  local all = redis.call('HVALS', 'hash:' .. i)
  for j = 1, #all do sum = sum + all[j] end
  all = redis.call('ZRANGE', 'zset:' .. i, 0, -1, 'WITHSCORES')
  for j = 2, #all, 2 do sum = sum + all[j] end
end
for i = 0, 7 do moved = moved + (redis.call('GET', 'clerk:' .. i) or 0) end
return {sum, moved, redis.call('DBSIZE')}`

// Bank has clerks move money between accounts on all shards, with MULTI and with scripts, saves meanwhile, and has
// another server read each file: the sum is what it was.
func Bank(o BankOptions) (r BankReport, err error) {
	if o.Log == nil {
		o.Log = func(string, ...any) {}
	}
	s, err := oracle.LaunchBinary(o.Binary, "--dir", o.Dir, "--appendonly", "yes", "--appendfsync", "no", "--auto-aof-rewrite-percentage", "0")
	if err != nil {
		return r, err
	}
	defer s.Close()
	reader, err := oracle.LaunchBinary(o.Reader, "--enable-debug-command", "yes")
	if err != nil {
		return r, err
	}
	defer reader.Close()
	b := &bank{o: o, s: s, reader: reader, r: &r}
	for _, p := range []struct {
		c **image.Conn
		s *oracle.Server
	}{{&b.ours, s}, {&b.theirs, reader}} {
		nc, err := p.s.Dial()
		if err != nil {
			return r, err
		}
		defer nc.Close()
		*p.c = image.NewConn(nc)
	}
	if err := b.open(); err != nil {
		return r, err
	}
	var wg sync.WaitGroup
	var failed atomic.Pointer[string]
	defer wg.Wait()
	defer b.closed.Store(true)
	for i := range clerks {
		c := &client{dial: s.Dial, failed: &failed}
		rng := rand.New(rand.NewPCG(o.Seed, uint64(i)))
		wg.Go(func() { b.clerk(c, i, rng) })
	}
	for n := range o.Snapshots {
		if err := b.snapshot(); err != nil {
			return r, fmt.Errorf("snapshot %d: %w", n, err)
		}
		if n%5 == 0 {
			if err := b.base(); err != nil {
				return r, fmt.Errorf("rewrite %d: %w", n, err)
			}
		}
		if n%10 == 3 {
			if err := b.log(); err != nil {
				return r, fmt.Errorf("log %d: %w", n, err)
			}
		}
	}
	if text := failed.Load(); text != nil {
		return r, errors.New(*text)
	}
	r.Transfers = b.transfers.Load()
	return r, nil
}

type bank struct {
	o            BankOptions
	s, reader    *oracle.Server
	ours, theirs *image.Conn
	r            *BankReport
	transfers    atomic.Int64
	closed       atomic.Bool
	pause        sync.RWMutex // held by clerks while they transfer
	moved        string
}

// open makes the accounts, and keys besides that keep a snapshot busy.
func (b *bank) open() error {
	const script = `for i = 0, tonumber(ARGV[1]) - 1 do
redis.call('SET', 'acc:' .. i, ARGV[2])
redis.call('HSET', 'hash:' .. i % 30, i, ARGV[2])
redis.call('ZADD', 'zset:' .. i % 30, ARGV[2], i)
end
for i = 1, 20000 do redis.call('SET', 'other:' .. i, i) end`
	_, err := b.ours.Do("EVAL", script, "0", strconv.Itoa(accounts), strconv.Itoa(opening))
	return err
}

func (b *bank) clerk(c *client, id int, rng *rand.Rand) {
	conn, err := c.open()
	if err != nil {
		c.fail([]byte(err.Error()))
		return
	}
	defer conn.Close()
	for !b.closed.Load() {
		b.pause.RLock()
		err := b.transfer(conn, id, rng)
		b.pause.RUnlock()
		if err != nil {
			c.fail([]byte(err.Error()))
			return
		}
		b.transfers.Add(1)
	}
}

func (b *bank) transfer(conn *image.Conn, id int, rng *rand.Rand) error {
	i, j, k := rng.IntN(accounts), rng.IntN(accounts), rng.IntN(accounts)
	amount := 1 + rng.IntN(50)
	clerk := fmt.Sprint("clerk:", id)
	account, hash, zset := fmt.Sprint("acc:", i), fmt.Sprint("hash:", j%30), fmt.Sprint("zset:", k%30)
	if rng.IntN(2) == 0 {
		_, err := conn.Do("EVAL", transferScript, "4", account, hash, zset, clerk, strconv.Itoa(j), strconv.Itoa(k), strconv.Itoa(amount))
		return err
	}
	var out []byte
	for _, args := range [][]string{{"MULTI"}, {"INCRBY", account, strconv.Itoa(-amount)}, {"INCRBY", fmt.Sprint("acc:", (i+1)%accounts), strconv.Itoa(-amount)},
		{"HINCRBY", hash, strconv.Itoa(j), strconv.Itoa(amount)}, {"ZINCRBY", zset, strconv.Itoa(amount), strconv.Itoa(k)}, {"INCR", clerk}, {"EXEC"}} {
		out = resp.AppendRequest(out, args...)
	}
	if _, err := conn.Write(out); err != nil {
		return err
	}
	for range 7 {
		v, err := conn.Next()
		if err != nil {
			return err
		}
		if v.Type == '-' {
			return errors.New(string(v.Str))
		}
	}
	return nil
}

// wait returns when the server is done with what it was asked to write.
func (b *bank) wait(request, field string) error {
	if _, err := b.ours.Do(request); err != nil {
		return err
	}
	for deadline := time.Now().Add(30 * time.Second); time.Now().Before(deadline); time.Sleep(time.Millisecond) {
		info, err := b.ours.Do("INFO", "persistence")
		if err != nil {
			return err
		}
		if text := string(info.Str); strings.Contains(text, field+":0\r") {
			if !strings.Contains(text, "rdb_last_bgsave_status:ok") || !strings.Contains(text, "aof_last_bgrewrite_status:ok") {
				return fmt.Errorf("%s has failed", request)
			}
			return nil
		}
	}
	return fmt.Errorf("%s takes too long", request)
}

func (b *bank) snapshot() error {
	if err := b.wait("BGSAVE", "rdb_bgsave_in_progress"); err != nil {
		return err
	}
	b.r.Snapshots++
	return b.read(filepath.Join(b.o.Dir, "dump.rdb"))
}

// base rewrites the log and has its base read.
func (b *bank) base() error {
	if err := b.wait("BGREWRITEAOF", "aof_rewrite_in_progress"); err != nil {
		return err
	}
	bases, err := filepath.Glob(filepath.Join(b.o.Dir, "appendonlydir", "*.base.rdb"))
	if err != nil || len(bases) != 1 {
		return fmt.Errorf("the bases are %q: %v", bases, err)
	}
	b.r.Bases++
	return b.read(bases[0])
}

// read has the other server read an RDB file and add up.
func (b *bank) read(path string) error {
	data, err := os.ReadFile(path)
	if err != nil {
		return err
	}
	if err := os.WriteFile(filepath.Join(b.reader.Dir(), "dump.rdb"), data, 0o644); err != nil {
		return err
	}
	if _, err := b.theirs.Do("DEBUG", "RELOAD", "NOSAVE"); err != nil {
		return err
	}
	before := b.moved
	if err := b.add(b.theirs, filepath.Base(path)); err != nil {
		return err
	}
	if b.moved != before {
		b.r.Moving++
	}
	return nil
}

// add compares what a server holds with what there must be.
func (b *bank) add(c *image.Conn, what string) error {
	v, err := c.Do("EVAL", sumScript, "0", strconv.Itoa(accounts))
	if err != nil {
		return err
	}
	b.moved = text(v.Elems[1].Int)
	// The clerks' keys are made by their first transfers.
	if sum := v.Elems[0].Int; sum != 3*accounts*opening {
		b.r.Findings = append(b.r.Findings, fmt.Sprintf("%s: the sum is %d and not %d", what, sum, 3*accounts*opening))
	}
	if keys, want := v.Elems[2].Int, int64(accounts+30+30+20000); keys < want || keys > want+clerks {
		b.r.Findings = append(b.r.Findings, fmt.Sprintf("%s: there are %d keys, not %d and one for each clerk", what, keys, want))
	}
	return nil
}

// log stops the clerks, copies the directory and has a new server read base and increments.
func (b *bank) log() error {
	b.pause.Lock()
	dir, err := os.MkdirTemp("", "bank-")
	if err == nil {
		err = os.CopyFS(dir, os.DirFS(b.o.Dir))
	}
	var moved string
	if err == nil {
		err = b.add(b.ours, "the server itself")
		moved = b.moved
	}
	b.pause.Unlock()
	defer os.RemoveAll(dir)
	if err != nil {
		return err
	}
	other, err := oracle.LaunchBinary(b.o.Reader, "--dir", dir, "--appendonly", "yes")
	if err != nil {
		return err
	}
	defer other.Close()
	nc, err := other.Dial()
	if err != nil {
		return err
	}
	defer nc.Close()
	b.r.Logs++
	if err := b.add(image.NewConn(nc), "the log"); err != nil {
		return err
	}
	if b.moved != moved {
		b.r.Findings = append(b.r.Findings, fmt.Sprintf("the log has %s transfers, the server %s", b.moved, moved))
	}
	return nil
}
