//go:build !linux

package oracle

import "syscall"

// dieWithParent has nothing to ask for where the kernel offers no such service.
func dieWithParent() *syscall.SysProcAttr { return nil }
