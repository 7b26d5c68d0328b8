//go:build !linux

package server

import "time"

var processStart = time.Now()

// processorIdle pretends that one processor is always idle: loops spread when they are busy.
func processorIdle() time.Duration { return time.Since(processStart) }
