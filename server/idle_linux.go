package server

import (
	"bytes"
	"os"
	"strconv"
	"time"
)

// processorIdle returns how long the machine's processors have been idle since it started, all together.
func processorIdle() time.Duration {
	// cpu  user nice system idle iowait ..., in hundredths of a second
	text, err := os.ReadFile("/proc/stat")
	if err != nil {
		return 0
	}
	line, _, _ := bytes.Cut(text, []byte{'\n'})
	fields := bytes.Fields(line)
	if len(fields) < 6 {
		return 0
	}
	idle, _ := strconv.ParseInt(string(fields[4]), 10, 64)
	wait, _ := strconv.ParseInt(string(fields[5]), 10, 64)
	return time.Duration(idle+wait) * 10 * time.Millisecond
}
