package vfs

import (
	"fmt"
	"strings"
)

// OpKind is a kind of operation, or a set of them.
type OpKind uint32

// The operations. Mem records those that change something: OpCreate to OpSyncDir.
const (
	OpCreate      OpKind = 1 << iota // OpenFile with os.O_CREATE, Create; Mem records it where a file was made
	OpWrite                          // Write
	OpTruncate                       // Truncate, and opening with os.O_TRUNC in Mem's record
	OpSync                           // Sync
	OpSyncData                       // SyncData
	OpRename                         // Rename
	OpRemove                         // Remove
	OpMkdir                          // MkdirAll; Mem records each directory made
	OpSyncDir                        // SyncDir
	OpOpen                           // OpenFile without os.O_CREATE, Open
	OpRead                           // Read, ReadAt
	OpSeek                           // Seek
	OpClose                          // Close of a file
	OpStat                           // Stat, Size
	OpReadDir                        // ReadDir
	OpLock                           // Lock
	OpFree                           // Free
	OpSyncRange                      // SyncRange
	OpPreallocate                    // Preallocate
	OpDropCache                      // DropCache

	opEnd
)

// OpAnySync is every way to ask for durability.
const OpAnySync = OpSync | OpSyncData | OpSyncDir

var opNames = [...]string{"create", "write", "truncate", "sync", "syncdata", "rename", "remove", "mkdir", "syncdir",
	"open", "read", "seek", "close", "stat", "readdir", "lock", "free", "syncrange", "preallocate", "dropcache"}

func (k OpKind) String() string {
	var names []string
	for i, name := range opNames {
		if k&(1<<i) != 0 {
			names = append(names, name)
		}
	}
	return strings.Join(names, "|")
}

// Op is an operation that changed a Mem.
type Op struct {
	Kind   OpKind
	Name   string // the file or directory, from the root and with slashes
	To     string // OpRename: the new name
	Off    int64  // OpWrite: where
	Size   int64  // OpWrite: how many bytes; OpTruncate: the size of the file
	Failed bool   // OpSync, OpSyncData: it failed and what was written before is lost to the disk (see Fault)

	data     []byte // OpWrite
	node     int    // the file or directory
	dir, to  int    // the directories of Name and To
	key, new string // the names there
	upto     int    // OpSync, OpSyncData: the number of the last operation that is covered
}

func (o Op) String() string {
	s := fmt.Sprintf("%v %s", o.Kind, o.Name)
	switch o.Kind {
	case OpRename:
		s += " to " + o.To
	case OpWrite:
		s += fmt.Sprintf(" %d bytes at %d", o.Size, o.Off)
	case OpTruncate:
		s += fmt.Sprintf(" to %d bytes", o.Size)
	}
	if o.Failed {
		s += " (failed)"
	}
	return s
}
