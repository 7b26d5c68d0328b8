package main

import (
	"fmt"
	"io"
	"os"
	"os/exec"
	"syscall"
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
