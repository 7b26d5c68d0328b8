package load

import (
	"bytes"
	"errors"
	"fmt"
	"os"
	"strconv"
	"time"
)

// clockTick is the unit of CPU times in /proc: USER_HZ is 100 on every Linux port that Go runs on.
const clockTick = 10 * time.Millisecond

var errProc = errors.New("load: unexpected content in /proc")

// CPU returns the processor time, user and system, that process pid has used so far.
func CPU(pid int) (time.Duration, error) {
	b, err := os.ReadFile("/proc/" + strconv.Itoa(pid) + "/stat")
	if err != nil {
		return 0, fmt.Errorf("load: %w", err)
	}
	return parseStat(b)
}

// parseStat adds fields 14 and 15. The second field is the program's name in parentheses and may itself hold both.
func parseStat(b []byte) (time.Duration, error) {
	end := bytes.LastIndexByte(b, ')')
	if end < 0 {
		return 0, errProc
	}
	fields := bytes.Fields(b[end+1:])
	if len(fields) < 13 {
		return 0, errProc
	}
	var ticks int64
	for _, f := range fields[11:13] {
		n, err := strconv.ParseInt(string(f), 10, 64)
		if err != nil {
			return 0, errProc
		}
		ticks += n
	}
	return time.Duration(ticks) * clockTick, nil
}

// RSS returns the resident memory of process pid in bytes, now and at its highest.
func RSS(pid int) (now, peak int64, err error) {
	b, err := os.ReadFile("/proc/" + strconv.Itoa(pid) + "/status")
	if err != nil {
		return 0, 0, fmt.Errorf("load: %w", err)
	}
	if now, err = parseStatus(b, "VmRSS:"); err != nil {
		return 0, 0, err
	}
	peak, err = parseStatus(b, "VmHWM:")
	return now, peak, err
}

// ForgetPeak makes the highest resident memory of process pid what it is now.
func ForgetPeak(pid int) error {
	if err := os.WriteFile("/proc/"+strconv.Itoa(pid)+"/clear_refs", []byte("5"), 0); err != nil {
		return fmt.Errorf("load: %w", err)
	}
	return nil
}

func parseStatus(b []byte, field string) (int64, error) {
	for line := range bytes.Lines(b) {
		rest, ok := bytes.CutPrefix(line, []byte(field))
		if !ok {
			continue
		}
		words := bytes.Fields(rest)
		if len(words) != 2 || string(words[1]) != "kB" {
			return 0, errProc
		}
		kb, err := strconv.ParseInt(string(words[0]), 10, 64)
		if err != nil {
			return 0, errProc
		}
		return kb << 10, nil
	}
	return 0, errProc
}
