// Package clock is the one source of time of the project.
//
// Contract: production code takes a Clock and never calls the time package for the current time, so that a test can hold
// time still or move it. Two kinds of time are kept apart: wall time (NowMs, NowUs), which users see in deadlines and
// TIME and which an administrator may set back, and monotonic time (Mono), which only grows and is what durations,
// latencies and time-outs are measured with.
//
// Every method of every Clock may be called concurrently. None of them allocates, except AfterFunc.
package clock

import "time"

// Clock tells the time and calls back later.
type Clock interface {
	// NowMs is the wall time in milliseconds since the Unix epoch.
	NowMs() int64
	// NowUs is the wall time in microseconds since the Unix epoch.
	NowUs() int64
	// Mono is the time elapsed since an arbitrary fixed instant. It never decreases; only differences mean anything.
	Mono() time.Duration
	// AfterFunc calls f once, d from now of monotonic time. A d of zero or less is due at once. The real clock calls f
	// on a goroutine of its own; the fake clock calls it from Advance, so f must not wait for the caller of Advance.
	AfterFunc(d time.Duration, f func()) Timer
}

// Timer is a pending AfterFunc.
type Timer interface {
	// Stop cancels the call. It reports false when the call has been made, has begun or was cancelled before;
	// it does not wait for a call that has begun.
	Stop() bool
}

// Real is the clock of the operating system.
var Real Clock = realClock{}

// origin is the zero of Real.Mono. It lies a nanosecond before the start so that no reading is zero, which callers are
// free to use as "never".
var origin = time.Now().Add(-time.Nanosecond)

type realClock struct{}

func (realClock) NowMs() int64 { return time.Now().UnixMilli() }

func (realClock) NowUs() int64 { return time.Now().UnixMicro() }

func (realClock) Mono() time.Duration { return time.Since(origin) }

func (realClock) AfterFunc(d time.Duration, f func()) Timer { return time.AfterFunc(d, f) }
