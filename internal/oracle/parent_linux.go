package oracle

import "syscall"

// dieWithParent asks the kernel to kill the server when the thread that started it ends.
func dieWithParent() *syscall.SysProcAttr {
	return &syscall.SysProcAttr{Pdeathsig: syscall.SIGKILL}
}
