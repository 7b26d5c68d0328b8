package server

import (
	"math"
	"os"

	"golang.org/x/sys/windows"
)

// loopsServe tells that TCP connections are the event loops' at first. gnet has no event loops here: all clients are served
// by streams.
const loopsServe = false

// writeSocket is not called, because no loop has a session.
func writeSocket(int, []byte) (int, error) { return 0, windows.WSAEOPNOTSUPP }

// writeSocketParts is not called either.
func writeSocketParts(int, [][]byte) (int, error) { return 0, windows.WSAEOPNOTSUPP }

// duplicate is not called either.
func duplicate(int) (*os.File, error) { return nil, windows.WSAEOPNOTSUPP }

// descriptors tells that there is none.
func descriptors() int64 { return math.MaxInt64 }

// closedToOthers runs open. The directory of the file says who may use it.
func closedToOthers[T any](open func() (T, error)) (T, error) { return open() }
