package server

import (
	"fmt"
	"strings"
	"syscall"
	"testing"
	"time"

	"github.com/streampulse/pulse/internal/vfs"
)

// disk is a file system for a server, which can fail, and whose crashes can be seen.
type disk struct {
	t     testing.TB
	mem   *vfs.Mem
	fault *vfs.Fault
}

func newDisk(t testing.TB) *disk {
	t.Helper()
	return diskFrom(t, vfs.NewMem())
}

func diskFrom(t testing.TB, mem *vfs.Mem) *disk {
	t.Helper()
	if err := mem.MkdirAll("data", 0o755); err != nil {
		t.Fatal(err)
	}
	if err := mem.SyncDir("."); err != nil {
		t.Fatal(err)
	}
	return &disk{t, mem, vfs.NewFault(mem)}
}

// open starts a server on the disk.
func (d *disk) open(s ...string) *Server {
	d.t.Helper()
	return openWith(d.t, Options{Addr: "127.0.0.1:0", Dir: "data", fs: d.fault}, s...)
}

// fails has operations fail until the injection is healed.
func (d *disk) fails(ops vfs.OpKind, path string, err error) *vfs.Injection {
	return d.fault.Add(vfs.Rule{Ops: ops, Path: path, Err: err, Short: 7})
}

// until waits until cond holds.
func until(t testing.TB, what string, cond func() bool) {
	t.Helper()
	for deadline := time.Now().Add(patience); !cond(); time.Sleep(time.Millisecond) {
		if time.Now().After(deadline) {
			t.Fatalf("not within %v: %s", patience, what)
		}
	}
}

// untilReply asks until the reply is as wanted.
func (c *client) untilReply(line, reply string) {
	c.t.Helper()
	got := ""
	for deadline := time.Now().Add(patience); got != reply; time.Sleep(time.Millisecond) {
		if time.Now().After(deadline) {
			c.t.Fatalf("%s = %q, and not %q within %v", line, got, reply, patience)
		}
		got = c.do(line)
	}
}

// untilInfo asks until INFO persistence has a line.
func (c *client) untilInfo(line string) {
	c.t.Helper()
	until(c.t, line, func() bool { return strings.Contains(c.do("INFO persistence"), line+"\r\n") })
}

const misconfFull = "-MISCONF Errors writing to the AOF file: No space left on device\r\n"

// TestDiskFull fills the disk under a log and makes room again: writes are refused meanwhile, with the reason; nothing
// that was acknowledged is lost or done twice.
func TestDiskFull(t *testing.T) {
	for _, policy := range []string{"everysec", "no", "always"} {
		t.Run(policy, func(t *testing.T) {
			d := newDisk(t)
			srv := d.open("appendonly", "yes", "appendfsync", policy)
			c, w := dial(t, srv), dial(t, srv)
			c.want("INCR n", ":1\r\n")
			full := d.fails(vfs.OpWrite, "*.incr.aof", syscall.ENOSPC)
			w.send(encode("INCR", "n"))
			if policy == "always" {
				until(t, "an error", func() bool { return srv.env().WriteRefused() != nil })
			} else {
				w.expect(":2\r\n")
			}
			c.want("INCR n", misconfFull)
			c.want("PING", misconfFull)
			c.want("LASTSAVE", c.do("LASTSAVE"))
			c.untilInfo("aof_last_write_status:err")
			if policy == "always" {
				r := dial(t, srv)
				r.send(encode("GET", "n"))
				r.silent() // it would tell of what may be gone
				full.Heal()
				w.expect(":2\r\n")
				r.expect("$1\r\n2\r\n")
			} else {
				c.want("GET n", "$1\r\n2\r\n")
				c.want("INCR n", misconfFull)
				full.Heal()
			}
			c.untilReply("PING", "+PONG\r\n")
			c.untilInfo("aof_last_write_status:ok")
			c.want("INCR n", ":3\r\n")
			closeServer(t, srv)
			srv = d.open("appendonly", "yes")
			dial(t, srv).want("GET n", "$1\r\n3\r\n")
		})
	}
}

// TestFullWhileIdle has the disk be full when nobody writes: that keeps nobody from writing later.
func TestFullWhileIdle(t *testing.T) {
	d := newDisk(t)
	srv := d.open("appendonly", "yes")
	c := dial(t, srv)
	c.want("INCR n", ":1\r\n")
	full := d.fails(vfs.OpWrite, "*.incr.aof", syscall.ENOSPC)
	until(t, "a frame that says what is durable", func() bool { return full.Hits() > 0 })
	c.want("PING", "+PONG\r\n")
	full.Heal()
	c.want("INCR n", ":2\r\n")
	closeServer(t, srv)
	srv = d.open("appendonly", "yes")
	dial(t, srv).want("GET n", "$1\r\n2\r\n")
}

// TestSyncFails has an fsync fail: nothing is acknowledged any more, until the log has been rewritten.
func TestSyncFails(t *testing.T) {
	for _, policy := range []string{"always", "everysec"} {
		t.Run(policy, func(t *testing.T) {
			d := newDisk(t)
			srv := d.open("appendonly", "yes", "appendfsync", policy)
			c, w := dial(t, srv), dial(t, srv)
			c.want("INCR n", ":1\r\n")
			bad := d.fault.Add(vfs.Rule{Ops: vfs.OpSyncData, Path: "*.1.incr.aof", Times: 1, Err: syscall.EIO})
			w.send(encode("INCR", "n"))
			if policy == "everysec" {
				w.expect(":2\r\n")
			}
			until(t, "an fsync", func() bool { return bad.Hits() > 0 })
			const misconf = "-MISCONF Errors writing to the AOF file: Input/output error\r\n"
			c.untilReply("PING", misconf)
			bad.Heal()
			time.Sleep(150 * time.Millisecond) // longer than the log takes to look after itself
			c.want("INCR n", misconf)
			c.want("BGREWRITEAOF", "+Background append only file rewriting started\r\n")
			if policy == "always" {
				w.expect(":2\r\n")
			}
			c.untilReply("PING", "+PONG\r\n")
			c.want("INCR n", ":3\r\n")
			if policy == "everysec" {
				until(t, "an fsync", func() bool { l := srv.files.log.Load(); return l.Synced() == l.Position() })
			}
			image := d.mem.CrashAt(vfs.Cut{Op: d.mem.Count(), Kind: vfs.CutLost})
			again := diskFrom(t, image).open("appendonly", "yes")
			dial(t, again).want("GET n", "$1\r\n3\r\n")
		})
	}
}

// TestPolicyWhileSyncing turns always off while an fsync hangs: replies do not wait for it any more.
func TestPolicyWhileSyncing(t *testing.T) {
	d := newDisk(t)
	srv := d.open("appendonly", "yes", "appendfsync", "always")
	c := dial(t, srv)
	c.want("INCR n", ":1\r\n")
	free := make(chan struct{})
	held := d.fault.Add(vfs.Rule{Ops: vfs.OpSyncData, Path: "*.incr.aof", Before: func(vfs.OpKind, string) { <-free }})
	c.send(encode("INCR", "n"))
	until(t, "an fsync", func() bool { return held.Hits() > 0 })
	if err := srv.cfg.Set([][]byte{[]byte("appendfsync"), []byte("everysec")}, true); err != nil {
		close(free)
		t.Fatal(err)
	}
	close(free)
	c.expect(":2\r\n")
	c.want("INCR n", ":3\r\n")
}

// TestRewriteFails has every operation on files fail in turn while the log is rewritten: the log stays as it was, and the
// next rewrite succeeds.
func TestRewriteFails(t *testing.T) {
	for _, preamble := range []string{"yes", "no"} {
		d := newDisk(t)
		s := settings{"appendonly", "yes", "appendfsync", "always", "aof-use-rdb-preamble", preamble}
		srv := d.open(s...)
		c := dial(t, srv)
		n := 0
		incr := func() {
			t.Helper()
			n++
			c.want("INCR n", fmt.Sprintf(":%d\r\n", n))
		}
		rewrite := func() {
			t.Helper()
			incr()
			c.want("BGREWRITEAOF", "+Background append only file rewriting started\r\n")
			incr()
			c.untilInfo("aof_rewrite_in_progress:0")
		}
		failures := 0
		for skip := 0; ; skip++ {
			in := d.fault.Add(vfs.Rule{Ops: vfs.OpCreate | vfs.OpWrite | vfs.OpSync | vfs.OpRename | vfs.OpSyncDir | vfs.OpRemove | vfs.OpClose,
				Skip: skip, Times: 1, Err: syscall.ENOSPC, Short: 3})
			c.want("BGREWRITEAOF", "+Background append only file rewriting started\r\n")
			c.untilInfo("aof_rewrite_in_progress:0")
			hit := in.Hits() > 0
			in.Heal()
			if strings.Contains(c.do("INFO persistence"), "aof_last_bgrewrite_status:err") {
				failures++
			}
			c.untilReply("PING", "+PONG\r\n")
			incr()
			for _, kind := range []vfs.CutKind{vfs.CutKill, vfs.CutLost, vfs.CutNames, vfs.CutContents} {
				again := diskFrom(t, d.mem.CrashAt(vfs.Cut{Op: d.mem.Count(), Kind: kind}))
				after := again.open(s...)
				dial(t, after).want("GET n", fmt.Sprintf("$%d\r\n%d\r\n", len(fmt.Sprint(n)), n))
				closeServer(t, after)
			}
			rewrite()
			c.untilInfo("aof_last_bgrewrite_status:ok")
			if !hit {
				break
			}
		}
		if failures < 8 {
			t.Errorf("only %d failures", failures)
		}
		entries, err := d.mem.ReadDir("data/appendonlydir")
		if err != nil || len(entries) != 3 {
			t.Errorf("left are %v, %v", entries, err)
		}
	}
}

// TestTurnOnFails has every operation fail in turn while the log is turned on: it is on in the end, by itself, and the
// data are there after a crash.
func TestTurnOnFails(t *testing.T) {
	for skip := 0; ; skip++ {
		d := newDisk(t)
		srv := d.open()
		c := dial(t, srv)
		c.want("INCR n", ":1\r\n")
		in := d.fault.Add(vfs.Rule{Ops: vfs.OpCreate | vfs.OpMkdir | vfs.OpAnySync | vfs.OpWrite | vfs.OpRename | vfs.OpRemove,
			Skip: skip, Times: 1, Err: syscall.EIO, Short: 3})
		c.want("CONFIG SET appendonly yes", "+OK\r\n")
		c.want("INCR n", ":2\r\n")
		until(t, "the log is on", func() bool {
			p := &srv.files
			p.mu.Lock()
			p.mu.rewritten.tried = 0 // as if a second had passed
			p.mu.Unlock()
			p.tick()
			info := c.do("INFO persistence")
			return strings.Contains(info, "aof_rewrites:1\r\n") && strings.Contains(info, "aof_rewrite_in_progress:0")
		})
		hit := in.Hits() > 0
		in.Heal()
		c.want("CONFIG SET appendfsync always", "+OK\r\n")
		c.untilReply("PING", "+PONG\r\n")
		c.want("INCR n", ":3\r\n")
		again := diskFrom(t, d.mem.CrashAt(vfs.Cut{Op: d.mem.Count(), Kind: vfs.CutLost}))
		after := again.open("appendonly", "yes")
		dial(t, after).want("GET n", "$1\r\n3\r\n")
		closeServer(t, after)
		closeServer(t, srv)
		if !hit {
			break
		}
		if skip > 100 {
			t.Fatal("turning the log on does not end")
		}
	}
}

// TestSaveFails has every operation fail in turn while the RDB file is written: the old file stays, and the reason is
// told as Redis tells it.
func TestSaveFails(t *testing.T) {
	for _, command := range []string{"SAVE", "BGSAVE"} {
		d := newDisk(t)
		srv := d.open("save", "3600 1000000")
		c := dial(t, srv)
		n := 0
		for skip := 0; ; skip++ {
			n++
			c.want("INCR n", fmt.Sprintf(":%d\r\n", n))
			c.want("SAVE", "+OK\r\n")
			n++
			c.want("INCR n", fmt.Sprintf(":%d\r\n", n))
			in := d.fault.Add(vfs.Rule{Ops: vfs.OpCreate | vfs.OpWrite | vfs.OpSync | vfs.OpRename | vfs.OpClose,
				Skip: skip, Times: 1, Err: syscall.ENOSPC, Short: 3})
			reply := c.do(command)
			c.untilInfo("rdb_bgsave_in_progress:0")
			hit := in.Hits() > 0
			in.Heal()
			saved := n
			switch {
			case !hit:
			case command == "SAVE":
				saved--
				if reply != "-ERR\r\n" {
					t.Fatalf("SAVE = %q", reply)
				}
				c.want("SET other 1", "+OK\r\n")
				c.want("DEL other", ":1\r\n")
			default:
				saved--
				c.untilInfo("rdb_last_bgsave_status:err")
				if got := c.do("SET k v"); !strings.HasPrefix(got, "-MISCONF Redis is configured to save RDB snapshots") {
					t.Fatalf("SET = %q", got)
				}
				c.want("CONFIG SET stop-writes-on-bgsave-error no", "+OK\r\n")
				c.want("SET k v", "+OK\r\n")
				c.want("CONFIG SET stop-writes-on-bgsave-error yes", "+OK\r\n")
				c.want("GET k", "$1\r\nv\r\n")
			}
			for _, kind := range []vfs.CutKind{vfs.CutKill, vfs.CutLost, vfs.CutNames} {
				again := diskFrom(t, d.mem.CrashAt(vfs.Cut{Op: d.mem.Count(), Kind: kind}))
				after := again.open()
				dial(t, after).want("GET n", fmt.Sprintf("$%d\r\n%d\r\n", len(fmt.Sprint(saved)), saved))
				closeServer(t, after)
			}
			if !hit {
				break
			}
			if command == "BGSAVE" {
				c.want("BGSAVE", "+Background saving started\r\n")
				c.untilReply("SET k v", "+OK\r\n")
			}
		}
		if n < 12 {
			t.Errorf("only %d changes", n)
		}
	}
}
