package vfs

import (
	"io/fs"
	"maps"
	"slices"
)

// A disk is the state of a Mem: what programs see and, beside it, what of that a power cut leaves for certain and what
// has been done since. It changes by apply alone, so that the record of the operations leads to the same state again.
type disk struct {
	nodes map[int]*node // by number; 1 is the root. Removed ones stay: a crash may bring them back
	last  int           // the highest number
	seq   int           // the number of operations applied
}

// A node is a file or a directory.
type node struct {
	dir  bool
	perm fs.FileMode
	time int // the operation that changed it last

	// Files.
	now  content  // as programs see it
	safe content  // as of the last sync
	pend []change // what was done since, in order

	// Directories: numbers of nodes by name.
	names     map[string]int
	safeNames map[string]int
	pendNames []naming
}

// A change of the content of a file that has not been synced.
type change struct {
	seq      int
	truncate bool
	off      int64  // for a truncation: the new size
	data     []byte // never changed
	dropped  bool   // a failed sync has marked the pages clean: no later sync writes the data
}

// end is the least size of the file after a write.
func (c *change) end() int64 { return c.off + int64(len(c.data)) }

// A naming is a change of the names in a directory that has not been synced.
type naming struct {
	seq   int
	unset string // a name that goes, or ""
	set   string // a name that comes or changes, or ""
	node  int    // what set names
	other int    // the directory that the same rename has changed too, or 0
}

func (n *naming) do(names map[string]int) {
	if n.unset != "" {
		delete(names, n.unset)
	}
	if n.set != "" {
		names[n.set] = n.node
	}
}

const root = 1

func newDisk() *disk {
	return &disk{nodes: map[int]*node{root: newDirectory(0o755)}, last: root}
}

func newDirectory(perm fs.FileMode) *node {
	return &node{dir: true, perm: perm & fs.ModePerm, names: map[string]int{}, safeNames: map[string]int{}}
}

// clone is an independent copy; contents are shared until one side writes.
func (d *disk) clone() *disk {
	c := &disk{nodes: make(map[int]*node, len(d.nodes)), last: d.last, seq: d.seq}
	for id, n := range d.nodes {
		m := *n
		m.now, m.safe = n.now.share(), n.safe.share()
		m.pend = slices.Clone(n.pend)
		m.names, m.safeNames = maps.Clone(n.names), maps.Clone(n.safeNames)
		m.pendNames = slices.Clone(n.pendNames)
		c.nodes[id] = &m
	}
	return c
}

// apply does an operation that is known to be possible.
func (d *disk) apply(op *Op) {
	d.seq++
	switch op.Kind {
	case OpCreate, OpMkdir:
		n := &node{perm: fs.FileMode(op.Size) & fs.ModePerm}
		if op.Kind == OpMkdir {
			n = newDirectory(fs.FileMode(op.Size))
		}
		n.time = d.seq
		d.nodes[op.node] = n
		d.last = max(d.last, op.node)
		d.rename(op.dir, naming{seq: d.seq, set: op.key, node: op.node})
	case OpRemove:
		d.rename(op.dir, naming{seq: d.seq, unset: op.key})
	case OpRename:
		if op.dir == op.to {
			d.rename(op.dir, naming{seq: d.seq, unset: op.key, set: op.new, node: op.node})
			break
		}
		d.rename(op.dir, naming{seq: d.seq, unset: op.key, other: op.to})
		d.rename(op.to, naming{seq: d.seq, set: op.new, node: op.node, other: op.dir})
	case OpWrite:
		n := d.nodes[op.node]
		n.now.write(op.Off, op.data)
		n.pend = append(n.pend, change{seq: d.seq, off: op.Off, data: op.data})
		n.time = d.seq
	case OpTruncate:
		n := d.nodes[op.node]
		n.now.truncate(op.Size)
		n.pend = append(n.pend, change{seq: d.seq, truncate: true, off: op.Size})
		n.time = d.seq
	case OpSync, OpSyncData:
		d.nodes[op.node].sync(op.upto, op.Failed)
	case OpSyncDir:
		d.syncDir(op.node)
	}
}

// rename changes the names in a directory.
func (d *disk) rename(dir int, n naming) {
	at := d.nodes[dir]
	n.do(at.names)
	at.pendNames = append(at.pendNames, n)
	at.time = d.seq
}

// sync makes durable what was done to a file up to an operation; a failed one gives up the data instead.
func (n *node) sync(upto int, failed bool) {
	covered := 0
	for covered < len(n.pend) && n.pend[covered].seq <= upto {
		c := &n.pend[covered]
		covered++
		switch {
		case failed:
			c.dropped = true
		case c.truncate:
			n.safe.truncate(c.off)
		case c.dropped:
			n.safe.extend(c.end()) // the size was not lost with the pages
		default:
			n.safe.write(c.off, c.data)
		}
	}
	if !failed {
		n.pend = slices.Clone(n.pend[covered:])
	}
}

// syncDir makes the names in a directory durable. A rename from or to another one is durable there too, with all that
// came before it.
func (d *disk) syncDir(dir int) {
	upto := map[int]int{dir: d.seq}
	for todo := []int{dir}; len(todo) > 0; {
		id := todo[0]
		todo = todo[1:]
		for _, p := range d.nodes[id].pendNames {
			if p.seq <= upto[id] && p.other != 0 && upto[p.other] < p.seq {
				upto[p.other] = p.seq
				todo = append(todo, p.other)
			}
		}
	}
	for id, seq := range upto {
		n := d.nodes[id]
		done := 0
		for done < len(n.pendNames) && n.pendNames[done].seq <= seq {
			n.pendNames[done].do(n.safeNames)
			done++
		}
		n.pendNames = slices.Clone(n.pendNames[done:])
	}
}

// content is bytes of a file; a copy is made by share.
type content struct {
	b      []byte
	shared bool // others see the same bytes: they must not be changed
}

func (c *content) share() content {
	c.shared = true
	return *c
}

// own makes the bytes this content's own, with room for size.
func (c *content) own(size int64) {
	if c.shared {
		c.b = append(make([]byte, 0, max(size, int64(len(c.b)))), c.b...)
		c.shared = false
	}
}

func (c *content) write(off int64, data []byte) {
	end := off + int64(len(data))
	c.own(end)
	c.extend(end)
	copy(c.b[off:], data)
}

func (c *content) extend(size int64) {
	if n := size - int64(len(c.b)); n > 0 {
		c.own(size)
		c.b = append(c.b, make([]byte, n)...)
	}
}

func (c *content) truncate(size int64) {
	c.extend(size)
	c.b = c.b[:size] // what others see behind it is not written to: extend makes the bytes its own first
}
