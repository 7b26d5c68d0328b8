package vfs

import (
	"io"
	"io/fs"
	"maps"
	"math"
	"os"
	"path"
	"path/filepath"
	"slices"
	"strings"
	"sync"
	"syscall"
	"time"
)

// Mem is a file system in memory that remembers every operation, so that tests can see what a crash behind any of them
// would have left (CrashAt, Crashes). All methods may be called concurrently.
//
// Its errors and results are those of Linux, with these differences: permissions are kept but not checked, there are no
// links, FIFOs and devices, the time of change is the number of the operation in seconds after 1970, and a hole takes
// room.
type Mem struct {
	mu struct {
		sync.Mutex
		live     *disk
		start    *disk        // the state before log[0]; never applied to
		first    int          // the number of operations before log[0]
		log      []Op         // grows only
		capacity int64        // bytes of content that files may have in all
		open     map[int]int  // open handles by node
		locks    map[int]bool // locked files
	}
}

// NewMem is an empty file system with room for 1 GiB.
func NewMem() *Mem { return newMem(newDisk()) }

func newMem(d *disk) *Mem {
	m := &Mem{}
	m.mu.start, m.mu.live = d, d.clone()
	m.mu.capacity = 1 << 30
	m.mu.open, m.mu.locks = map[int]int{}, map[int]bool{}
	return m
}

// SetCapacity changes the number of bytes that all files together may have; writes beyond fail with syscall.ENOSPC after
// what still fits.
func (m *Mem) SetCapacity(bytes int64) {
	m.mu.Lock()
	defer m.mu.Unlock()
	m.mu.capacity = bytes
}

// Count is the number of operations so far that changed something: the number for CrashAt of the state at hand.
func (m *Mem) Count() int {
	m.mu.Lock()
	defer m.mu.Unlock()
	return m.mu.first + len(m.mu.log)
}

// Ops are the operations that changed something since the beginning, or since Forget. The last is that of the number
// Count.
func (m *Mem) Ops() []Op {
	m.mu.Lock()
	defer m.mu.Unlock()
	return slices.Clip(m.mu.log)
}

// Forget drops the record of the operations so far, for the sake of memory. What has not been synced stays so; counting
// goes on.
func (m *Mem) Forget() {
	m.mu.Lock()
	defer m.mu.Unlock()
	m.mu.first += len(m.mu.log)
	m.mu.log = nil
	m.mu.start = m.mu.live.clone()
}

// do applies an operation and records it.
func (m *Mem) do(op Op) {
	m.mu.live.apply(&op)
	m.mu.log = append(m.mu.log, op)
}

// place is where a name leads.
type place struct {
	name string // cleaned, from the root
	dir  int    // the directory that has or could have the name; 0 for the root itself
	key  string // the name there
	node int    // 0 if there is nothing
}

// find follows a name. It fails where the name cannot even be made.
func (m *Mem) find(name string) (place, error) {
	if name == "" {
		return place{}, syscall.ENOENT
	}
	if strings.IndexByte(name, 0) >= 0 {
		return place{}, syscall.EINVAL
	}
	p := place{name: path.Clean("/" + filepath.ToSlash(name)), node: root}
	if p.name == "/" {
		return p, nil
	}
	for key := range strings.SplitSeq(p.name[1:], "/") {
		switch at := m.mu.live.nodes[p.node]; {
		case p.node == 0:
			return place{}, syscall.ENOENT
		case !at.dir:
			return place{}, syscall.ENOTDIR
		case len(key) > 255:
			return place{}, syscall.ENAMETOOLONG
		default:
			p.dir, p.key, p.node = p.node, key, at.names[key]
		}
	}
	return p, nil
}

// get follows a name to something that exists.
func (m *Mem) get(name string) (place, error) {
	p, err := m.find(name)
	if err == nil && p.node == 0 {
		err = syscall.ENOENT
	}
	return p, err
}

// Open opens a file for reading.
func (m *Mem) Open(name string) (File, error) { return m.OpenFile(name, os.O_RDONLY, 0) }

// Create makes or empties a file, for reading and writing.
func (m *Mem) Create(name string) (File, error) {
	return m.OpenFile(name, os.O_RDWR|os.O_CREATE|os.O_TRUNC, 0o644)
}

// OpenFile opens a file; see FS.
func (m *Mem) OpenFile(name string, flag int, perm fs.FileMode) (File, error) {
	m.mu.Lock()
	defer m.mu.Unlock()
	p, err := m.openFile(name, flag, perm)
	if err != nil {
		return nil, &fs.PathError{Op: "open", Path: name, Err: err}
	}
	m.mu.open[p.node]++
	return &memFile{m: m, name: name, path: p.name, node: p.node, flag: flag}, nil
}

func (m *Mem) openFile(name string, flag int, perm fs.FileMode) (place, error) {
	p, err := m.find(name)
	if err != nil {
		return p, err
	}
	exclusive := os.O_CREATE | os.O_EXCL
	switch n := m.mu.live.nodes[p.node]; {
	case n == nil && flag&os.O_CREATE == 0:
		return p, syscall.ENOENT
	case n == nil:
		p.node = m.mu.live.last + 1
		m.do(Op{Kind: OpCreate, Name: p.name, dir: p.dir, key: p.key, node: p.node, Size: int64(perm)})
	case flag&exclusive == exclusive:
		return p, syscall.EEXIST
	case n.dir:
		return p, syscall.EISDIR
	case flag&os.O_TRUNC != 0 && len(n.now.b) > 0:
		m.do(Op{Kind: OpTruncate, Name: p.name, node: p.node})
	}
	return p, nil
}

// Stat describes a file or directory.
func (m *Mem) Stat(name string) (fs.FileInfo, error) {
	m.mu.Lock()
	defer m.mu.Unlock()
	p, err := m.get(name)
	if err != nil {
		return nil, &fs.PathError{Op: "stat", Path: name, Err: err}
	}
	return m.info(p.key, p.node), nil
}

// ReadDir lists a directory, ordered by name.
func (m *Mem) ReadDir(name string) ([]fs.DirEntry, error) {
	m.mu.Lock()
	defer m.mu.Unlock()
	p, err := m.get(name)
	if err == nil && !m.mu.live.nodes[p.node].dir {
		err = syscall.ENOTDIR
	}
	if err != nil {
		return nil, &fs.PathError{Op: "open", Path: name, Err: err}
	}
	names := m.mu.live.nodes[p.node].names
	list := make([]fs.DirEntry, 0, len(names))
	for _, key := range slices.Sorted(maps.Keys(names)) {
		list = append(list, fs.FileInfoToDirEntry(m.info(key, names[key])))
	}
	return list, nil
}

// Rename gives a file or directory another name.
func (m *Mem) Rename(oldName, newName string) error {
	m.mu.Lock()
	defer m.mu.Unlock()
	if err := m.rename(oldName, newName); err != nil {
		return &os.LinkError{Op: "rename", Old: oldName, New: newName, Err: err}
	}
	return nil
}

func (m *Mem) rename(oldName, newName string) error {
	from, err := m.find(oldName)
	if err != nil {
		return err
	}
	to, err := m.find(newName)
	if err != nil {
		return err
	}
	if from.node == 0 {
		return syscall.ENOENT
	}
	moved, target := m.mu.live.nodes[from.node], m.mu.live.nodes[to.node]
	switch {
	case from.node == root || to.node == root:
		return syscall.EBUSY
	case target != nil && target.dir && (from.node != to.node || oldName == newName):
		return syscall.EEXIST // so says os.Rename
	case from.node == to.node:
		return nil
	case moved.dir && strings.HasPrefix(to.name, from.name+"/"):
		return syscall.EINVAL
	case target != nil && moved.dir:
		return syscall.ENOTDIR
	}
	m.do(Op{Kind: OpRename, Name: from.name, To: to.name, node: from.node, dir: from.dir, key: from.key, to: to.dir, new: to.key})
	return nil
}

// Remove takes away a file or an empty directory.
func (m *Mem) Remove(name string) error {
	m.mu.Lock()
	defer m.mu.Unlock()
	p, err := m.get(name)
	switch {
	case err != nil:
	case p.node == root:
		err = syscall.EBUSY
	case len(m.mu.live.nodes[p.node].names) > 0:
		err = syscall.ENOTEMPTY
	}
	if err != nil {
		return &fs.PathError{Op: "remove", Path: name, Err: err}
	}
	m.do(Op{Kind: OpRemove, Name: p.name, dir: p.dir, key: p.key, node: p.node})
	return nil
}

// MkdirAll makes a directory and those above it.
func (m *Mem) MkdirAll(name string, perm fs.FileMode) error {
	m.mu.Lock()
	defer m.mu.Unlock()
	return m.mkdirAll(name, perm)
}

// mkdirAll names the part of the name that it fails at in its error.
func (m *Mem) mkdirAll(name string, perm fs.FileMode) error {
	p, err := m.find(name)
	if above := filepath.Dir(name); err != nil && above != name && name != "" {
		if err := m.mkdirAll(above, perm); err != nil {
			return err
		}
		p, err = m.find(name)
	}
	switch {
	case err != nil:
	case p.node == 0:
		m.do(Op{Kind: OpMkdir, Name: p.name, dir: p.dir, key: p.key, node: m.mu.live.last + 1, Size: int64(perm)})
	case !m.mu.live.nodes[p.node].dir:
		err = syscall.ENOTDIR
	}
	if err != nil {
		return &fs.PathError{Op: "mkdir", Path: name, Err: err}
	}
	return nil
}

// SyncDir makes the names in a directory durable.
func (m *Mem) SyncDir(name string) error {
	m.mu.Lock()
	defer m.mu.Unlock()
	p, err := m.get(name)
	if err == nil && !m.mu.live.nodes[p.node].dir {
		err = syscall.ENOTDIR
	}
	if err != nil {
		return &fs.PathError{Op: "open", Path: name, Err: err}
	}
	m.do(Op{Kind: OpSyncDir, Name: p.name, node: p.node})
	return nil
}

// Lock takes the lock on a directory. A Mem made by a crash has none.
func (m *Mem) Lock(dir string) (io.Closer, error) {
	m.mu.Lock()
	defer m.mu.Unlock()
	name := filepath.Join(dir, LockName)
	p, err := m.openFile(name, os.O_RDWR|os.O_CREATE, 0o644)
	if err != nil {
		return nil, &fs.PathError{Op: "open", Path: name, Err: err}
	}
	if m.mu.locks[p.node] {
		return nil, &fs.PathError{Op: "lock", Path: name, Err: &LockedError{Holder: "this process"}}
	}
	m.mu.locks[p.node] = true
	return &memLock{m: m, name: name, node: p.node}, nil
}

type memLock struct {
	m      *Mem
	name   string
	node   int
	closed bool // under m.mu
}

func (l *memLock) Close() error {
	l.m.mu.Lock()
	defer l.m.mu.Unlock()
	if l.closed {
		return &fs.PathError{Op: "close", Path: l.name, Err: fs.ErrClosed}
	}
	l.closed = true
	delete(l.m.mu.locks, l.node)
	return nil
}

// Free is the capacity less the content of all files, those included that are open and have no name any more.
func (m *Mem) Free(dir string) (int64, error) {
	m.mu.Lock()
	defer m.mu.Unlock()
	if _, err := m.get(dir); err != nil {
		return 0, &fs.PathError{Op: "statfs", Path: dir, Err: err}
	}
	return m.room(), nil
}

// room is the number of bytes that files may still grow by.
func (m *Mem) room() int64 {
	used := int64(0)
	seen := map[int]bool{}
	for todo := append(slices.Collect(maps.Keys(m.mu.open)), root); len(todo) > 0; {
		id := todo[len(todo)-1]
		todo = todo[:len(todo)-1]
		if seen[id] {
			continue
		}
		seen[id] = true
		n := m.mu.live.nodes[id]
		used += int64(len(n.now.b))
		todo = slices.AppendSeq(todo, maps.Values(n.names))
	}
	return max(m.mu.capacity-used, 0)
}

// fits is how many of n bytes can be written at off of a file.
func (m *Mem) fits(id int, off, n int64) int64 {
	size := int64(len(m.mu.live.nodes[id].now.b))
	if n <= size-off {
		return n // nothing grows
	}
	room := m.room()
	if off > math.MaxInt64-n || off+n-size > room {
		return max(size+room-off, 0)
	}
	return n
}

func (m *Mem) info(key string, id int) memInfo {
	n := m.mu.live.nodes[id]
	info := memInfo{name: key, mode: n.perm, size: int64(len(n.now.b)), time: time.Unix(int64(n.time), 0)}
	if n.dir {
		info.mode |= fs.ModeDir
	}
	if id == root {
		info.name = "/"
	}
	return info
}

type memInfo struct {
	name string
	mode fs.FileMode
	size int64
	time time.Time
}

func (i memInfo) Name() string       { return i.name }
func (i memInfo) Size() int64        { return i.size }
func (i memInfo) Mode() fs.FileMode  { return i.mode }
func (i memInfo) ModTime() time.Time { return i.time }
func (i memInfo) IsDir() bool        { return i.mode.IsDir() }
func (i memInfo) Sys() any           { return nil }
