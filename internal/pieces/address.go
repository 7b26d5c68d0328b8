package pieces

import "unsafe"

// address tells where b begins, for comparisons alone.
func address(b []byte) uintptr { return uintptr(unsafe.Pointer(unsafe.SliceData(b))) }
