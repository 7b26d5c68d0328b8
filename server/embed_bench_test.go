package server

import (
	"bufio"
	"context"
	"fmt"
	"io"
	"net"
	"runtime"
	"slices"
	"testing"
	"time"
)

var openings = []struct {
	name string
	o    Options
}{{"local", Options{NoListen: true}}, {"loopback", Options{Addr: "127.0.0.1:0"}}}

// BenchmarkOpen opens and closes a server; open-us is the median time that Open takes.
func BenchmarkOpen(b *testing.B) {
	for _, row := range openings {
		b.Run(row.name, func(b *testing.B) {
			b.ReportAllocs()
			var took []time.Duration
			for b.Loop() {
				start := time.Now()
				srv, err := Open(row.o)
				took = append(took, time.Since(start))
				if err != nil {
					b.Fatal(err)
				}
				closeServer(b, srv)
			}
			slices.Sort(took)
			b.ReportMetric(float64(took[len(took)/2].Microseconds()), "open-us")
		})
	}
}

// BenchmarkIdle opens servers that do nothing; KB is the memory that each of them holds.
func BenchmarkIdle(b *testing.B) {
	const n = 50
	for _, row := range openings {
		b.Run(row.name, func(b *testing.B) {
			var perServer float64
			for b.Loop() {
				before := inUse()
				var all []*Server
				for range n {
					srv, err := Open(row.o)
					if err != nil {
						b.Fatal(err)
					}
					all = append(all, srv)
				}
				perServer = float64(inUse()-before) / n
				for _, srv := range all {
					closeServer(b, srv)
				}
			}
			b.ReportMetric(perServer/1024, "KB")
		})
	}
}

// inUse is the memory of heap and stacks after a collection, in bytes.
func inUse() int64 {
	runtime.GC()
	runtime.GC()
	var m runtime.MemStats
	runtime.ReadMemStats(&m)
	return int64(m.HeapInuse + m.StackInuse)
}

// BenchmarkGetSet sends GET and SET in turn from many goroutines: with Do, on a connection within the process, and through
// loopback TCP, one request at a time.
func BenchmarkGetSet(b *testing.B) {
	srv := openServer(b)
	ctx := context.Background()
	value := fmt.Sprintf("%064d", 1)
	keys := make([]string, 1<<16)
	for i := range keys {
		keys[i] = fmt.Sprintf("key:%012d", i)
	}
	for _, goroutines := range []int{1, 8, 64} {
		run := func(name string, open func() (get, set func(key string) error)) {
			b.Run(fmt.Sprintf("%s/%d", name, goroutines), func(b *testing.B) {
				b.SetParallelism((goroutines + runtime.GOMAXPROCS(0) - 1) / runtime.GOMAXPROCS(0))
				b.ReportAllocs()
				b.RunParallel(func(pb *testing.PB) {
					get, set := open()
					for i := 0; pb.Next(); i++ {
						f := get
						if i&1 == 0 {
							f = set
						}
						if err := f(keys[uint32(i*40503)>>3&(1<<16-1)]); err != nil {
							b.Error(err)
							return
						}
					}
				})
			})
		}
		run("do", func() (get, set func(key string) error) {
			return func(key string) error { _, err := srv.Do(ctx, "GET", key); return err },
				func(key string) error { _, err := srv.Do(ctx, "SET", key, value); return err }
		})
		run("conn", func() (get, set func(key string) error) {
			c, err := srv.Conn()
			if err != nil {
				b.Fatal(err)
			}
			b.Cleanup(func() { c.Close() })
			return func(key string) error { _, err := c.Do(ctx, "GET", key); return err },
				func(key string) error { _, err := c.Do(ctx, "SET", key, value); return err }
		})
		wire := func(dial func() (net.Conn, error)) func() (get, set func(key string) error) {
			return func() (get, set func(key string) error) {
				nc, err := dial()
				if err != nil {
					b.Fatal(err)
				}
				b.Cleanup(func() { nc.Close() })
				r := bufio.NewReader(nc)
				ask := func(args ...string) error {
					if _, err := io.WriteString(nc, encode(args...)); err != nil {
						return err
					}
					line, err := r.ReadSlice('\n')
					if err == nil && line[0] == '$' && line[1] != '-' {
						_, err = r.ReadSlice('\n')
					}
					return err
				}
				return func(key string) error { return ask("GET", key) }, func(key string) error { return ask("SET", key, value) }
			}
		}
		run("dial", wire(srv.Dial))
		run("tcp", wire(func() (net.Conn, error) { return net.Dial("tcp", srv.Addr()) }))
	}
}
