package server

import (
	"bufio"
	"context"
	"errors"
	"fmt"
	"io"
	"net"
	"os"
	"path/filepath"
	"runtime"
	"sync"
	"testing"
	"time"
)

// TestOpenAndClose opens and closes servers by the hundred: goroutines, descriptors and memory are as before.
func TestOpenAndClose(t *testing.T) {
	cycles := 1000
	if underRace || testing.Short() {
		cycles = 100
	}
	dir := t.TempDir()
	cycle := func(i int) {
		o := Options{NoListen: i%4 != 0}
		if i%10 == 0 {
			o.Dir = dir
		}
		srv, err := Open(o)
		if err != nil {
			t.Fatal(err)
		}
		if i%2 == 0 {
			do(t, srv, "SET", "k", "v")
		}
		if i%20 == 0 {
			c := dial(t, srv)
			c.want("PING", pong)
			c.Close()
		}
		closeServer(t, srv)
	}
	for i := range 40 {
		cycle(i)
	}
	goroutines, files, memory := runtime.NumGoroutine(), openFiles(), inUse()
	for i := range cycles {
		cycle(i)
	}
	settled(t, goroutines, files)
	var grown int64
	for deadline := time.Now().Add(patience); time.Now().Before(deadline); time.Sleep(10 * time.Millisecond) {
		if grown = inUse() - memory; grown <= 4<<20 {
			return
		}
	}
	t.Errorf("%d bytes more are in use", grown)
}

// TestOpenThatFails has Open fail in every place: nothing is left behind.
func TestOpenThatFails(t *testing.T) {
	taken, err := net.Listen("tcp", "127.0.0.1:0")
	if err != nil {
		t.Fatal(err)
	}
	defer taken.Close()
	locked := t.TempDir()
	holder, err := Open(Options{NoListen: true, Dir: locked})
	if err != nil {
		t.Fatal(err)
	}
	defer closeServer(t, holder)
	broken := t.TempDir()
	if err := os.WriteFile(filepath.Join(broken, "dump.rdb"), []byte("REDIS0010 no data"), 0o600); err != nil {
		t.Fatal(err)
	}
	goroutines, files := runtime.NumGoroutine(), openFiles()
	for name, open := range map[string]func() (*Server, error){
		"the port is taken":       func() (*Server, error) { return Open(Options{Addr: taken.Addr().String()}) },
		"no such address":         func() (*Server, error) { return Open(Options{Addr: "nonsense"}) },
		"TLS without a key":       func() (*Server, error) { return Open(Options{NoListen: true, Config: loaded(t, "tls-port 1\n")}) },
		"no such directory":       func() (*Server, error) { return Open(Options{NoListen: true, Dir: filepath.Join(broken, "none")}) },
		"the directory is in use": func() (*Server, error) { return Open(Options{NoListen: true, Dir: locked}) },
		"the data is broken":      func() (*Server, error) { return Open(Options{NoListen: true, Dir: broken}) },
		"no such user":            func() (*Server, error) { return Open(Options{NoListen: true, Config: loaded(t, "user x nonsense\n")}) },
		"no such command": func() (*Server, error) {
			return Open(Options{NoListen: true, Config: loaded(t, "rename-command nosuch x\n")})
		},
		"metrics on a taken port": func() (*Server, error) { return Open(Options{NoListen: true, MetricsAddr: taken.Addr().String()}) },
		"nowhere to listen":       func() (*Server, error) { return Open(Options{Config: loaded(t, "port 0\n")}) },
	} {
		srv, err := open()
		if err == nil {
			t.Errorf("%s: no error", name)
			closeServer(t, srv)
		}
	}
	settled(t, goroutines, files)
}

// TestCloseAmidWork closes a server while clients of every kind are at work: all of them are told, nothing remains.
func TestCloseAmidWork(t *testing.T) {
	goroutines, files := runtime.NumGoroutine(), openFiles()
	srv, err := Open(Options{Addr: "127.0.0.1:0", Dir: t.TempDir(), Config: configOf(t, "appendonly", "yes", "busy-reply-threshold", "1")})
	if err != nil {
		t.Fatal(err)
	}
	ctx := context.Background()
	var ends []func(t testing.TB) string
	for range 5 {
		ends = append(ends, later(ctx, srv, "BLPOP", "none", "0"))
		ends = append(ends, later(ctx, open(t, srv), "XREAD", "BLOCK", "0", "STREAMS", "s", "$"))
	}
	awaitBlocked(t, srv, 10)
	sub, err := srv.Subscribe(ctx, "ch")
	if err != nil {
		t.Fatal(err)
	}
	var working sync.WaitGroup
	for i := range 4 {
		working.Go(func() {
			for {
				if _, err := srv.Do(ctx, "APPEND", fmt.Sprint("k", i), "x"); errors.Is(err, ErrClosed) {
					return
				}
			}
		})
		nc, err := srv.Dial()
		if err != nil {
			t.Fatal(err)
		}
		working.Go(func() {
			defer nc.Close()
			r := bufio.NewReader(nc)
			for {
				if _, err := io.WriteString(nc, "INCR n\r\n"); err != nil {
					return
				}
				if _, err := r.ReadString('\n'); err != nil {
					return
				}
			}
		})
	}
	do(t, srv, "BGREWRITEAOF")
	script := later(ctx, srv, "EVAL", endless, "0")
	until(t, "the script runs", func() bool {
		_, err := srv.Do(ctx, "GET", "k")
		return err != nil && err.(Error).Code() == "BUSY"
	})
	closeServer(t, srv)
	if n := srv.clients.count(); n != 0 {
		t.Errorf("%d clients are left", n)
	}
	working.Wait()
	for _, end := range ends {
		if s := end(t); s != ErrClosed.Error() {
			t.Error(s)
		}
	}
	script(t)
	for range sub.Messages() {
	}
	if err := sub.Err(); err != ErrClosed {
		t.Error(err)
	}
	settled(t, goroutines, files)
}

// TestManyServersAtOnce has many servers in one process at work at once; what one of them holds no other one sees.
func TestManyServersAtOnce(t *testing.T) {
	goroutines, files := runtime.NumGoroutine(), openFiles()
	const servers, rounds = 50, 40
	var wg sync.WaitGroup
	for n := range servers {
		wg.Go(func() {
			o := Options{NoListen: n%2 == 0}
			if n%5 == 0 {
				o.Dir = t.TempDir()
			}
			srv, err := Open(o)
			if err != nil {
				t.Error(err)
				return
			}
			defer closeServer(t, srv)
			sub, err := srv.PSubscribe(t.Context(), "*")
			if err != nil {
				t.Error(err)
				return
			}
			defer sub.Close()
			var each sync.WaitGroup
			for g := range 3 {
				each.Go(func() {
					for i := range rounds {
						for _, args := range [][]string{
							{"INCR", "n"}, {"RPUSH", "l", "x"}, {"BLPOP", "l", "0"}, {"SET", fmt.Sprint("k", g), fmt.Sprint(i), "EX", "100"},
							{"EVAL", "return redis.call('INCR', KEYS[1])", "1", "s"}, {"PUBLISH", "ch", "m"},
						} {
							if _, err := srv.Do(t.Context(), args...); err != nil {
								t.Errorf("%q: %v", args, err)
							}
						}
					}
				})
			}
			for range 3 * rounds {
				select {
				case <-sub.Messages():
				case <-time.After(6 * patience):
					t.Error("a message is missing")
					return
				}
			}
			each.Wait()
			if r, err := srv.Do(t.Context(), "GET", "n"); err != nil || r.Text() != fmt.Sprint(3*rounds) {
				t.Errorf("server %d: %v %v", n, r, err)
			}
		})
	}
	wg.Wait()
	settled(t, goroutines, files)
}

// TestPipe holds the connections of Dial to what others can do.
func TestPipe(t *testing.T) {
	a, b := newPipe()
	if _, err := io.WriteString(a, "abc"); err != nil {
		t.Fatal(err)
	}
	buf := make([]byte, 2)
	for _, want := range []string{"ab", "c"} {
		if n, err := b.Read(buf); err != nil || string(buf[:n]) != want {
			t.Errorf("%q %v", buf[:n], err)
		}
	}
	// A deadline that has passed, one that passes, and none again.
	b.SetReadDeadline(time.Unix(1, 0))
	if _, err := b.Read(buf); !errors.Is(err, os.ErrDeadlineExceeded) {
		t.Error(err)
	}
	b.SetReadDeadline(time.Now().Add(time.Millisecond))
	if _, err := b.Read(buf); !errors.Is(err, os.ErrDeadlineExceeded) {
		t.Error(err)
	}
	b.SetReadDeadline(time.Time{})
	// More than there is room for goes through, in order.
	sent := make([]byte, 5*pipeRoom+7)
	for i := range sent {
		sent[i] = byte(i * 31)
	}
	go func() {
		a.Write(sent)
		a.Close()
	}()
	got, err := io.ReadAll(b)
	if err != nil || string(got) != string(sent) {
		t.Errorf("%d bytes, %v", len(got), err)
	}
	if _, err := b.Write(buf); err != io.ErrClosedPipe {
		t.Error(err)
	}
	if _, err := a.Read(buf); err != net.ErrClosed {
		t.Error(err)
	}
	// A writer without a reader waits until its deadline.
	c, d := newPipe()
	c.SetWriteDeadline(time.Now().Add(time.Millisecond))
	if n, err := c.Write(sent); n != pipeRoom || !errors.Is(err, os.ErrDeadlineExceeded) {
		t.Error(n, err)
	}
	d.Close()
	if _, err := d.Read(buf); err != net.ErrClosed {
		t.Error(err)
	}
	if err := d.SetDeadline(time.Now()); err != net.ErrClosed {
		t.Error(err)
	}
}
