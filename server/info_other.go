//go:build !unix

package server

import "runtime"

// systemName is what Go calls the system.
func systemName() string { return runtime.GOOS + " " + runtime.GOARCH }

// processorTimes are not known here.
func processorTimes() (own, children cpuTimes) { return }

// residentSet is not known here: what the runtime holds is the answer.
func residentSet(otherwise int64) int64 { return otherwise }
