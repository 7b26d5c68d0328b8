package main

import (
	"fmt"
	"io"
	"os"
	"os/exec"
	"runtime/debug"
	"runtime/metrics"
	"syscall"
	"time"
)

// daemonMark is set in the environment of the process that daemonize starts.
const daemonMark = "PULSE_DAEMON"

// daemonize starts the program again in a session of its own, without a terminal. A Go process cannot fork itself.
func daemonize(stderr io.Writer) int {
	exe, err := os.Executable()
	if err != nil {
		fmt.Fprintln(stderr, "daemonize:", err)
		return 1
	}
	cmd := exec.Command(exe, os.Args[1:]...)
	cmd.Args[0] = os.Args[0]
	cmd.Env = append(os.Environ(), daemonMark+"=1")
	cmd.SysProcAttr = &syscall.SysProcAttr{Setsid: true}
	if err := cmd.Start(); err != nil {
		fmt.Fprintln(stderr, "daemonize:", err)
		return 1
	}
	_ = cmd.Process.Release()
	return 0
}

// tuneCollector lets the heap grow by a share that shrinks as the data grows: a small heap is collected rarely, a large
// one stays near its live size. The collector's work grows with pointers, of which strings have none.
func tuneCollector() {
	if os.Getenv("GOGC") != "" {
		return
	}
	debug.SetGCPercent(400)
	go func() {
		live := []metrics.Sample{{Name: "/gc/heap/live:bytes"}}
		percent := 400
		for range time.Tick(250 * time.Millisecond) {
			metrics.Read(live)
			if p := collectorPercent(live[0].Value.Uint64()); p != percent {
				percent = p
				debug.SetGCPercent(p)
			}
		}
	}()
}

// collectorPercent is GOGC for a live heap of n bytes: about 64 MiB of new memory between collections for small heaps,
// a quarter for large ones.
func collectorPercent(n uint64) int {
	switch mib := n >> 20; {
	case mib < 16:
		return 400
	case mib < 64:
		return 100
	case mib < 256:
		return 50
	default:
		return 25
	}
}
