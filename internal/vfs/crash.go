package vfs

import (
	"fmt"
	"iter"
	"maps"
	"math/rand/v2"
	"slices"
)

// What a crash can leave.
//
// A killed process leaves everything it wrote; only a Write under way may have come to an end at a page border, because
// the kernel looks for fatal signals between pages.
//
// A power cut leaves what was synced, and of what was not:
//
//   - Names, per directory: a prefix of the changes since its last SyncDir, in order. This is what journalled metadata
//     give (ext4, XFS). A rename is one change, and one between two directories is in both or in neither. Directories are
//     independent of each other and of contents, though one journal orders them in ext4: what POSIX does not promise is
//     not relied on.
//   - Sizes, per file: as after a prefix of the writes and truncations since its last sync, where the next write may have
//     extended the file by a part.
//   - Contents, per file: each sector (512 or 4096 bytes) holds any of the versions that it had since the last sync, the
//     oldest and the newest included, whatever its neighbours hold: disks and page write-back reorder. So a write is
//     present, absent, torn at any sector or missing in the middle, and a file that has grown may be zeros where data
//     should be (delayed allocation). What was cut off by a truncation that survived does not come back.
//   - Writes can also end at any byte, because sizes can.
//   - After a failed sync, what it should have written may never come to the disk although later syncs succeed, and does
//     not here (Rebello et al., "Can Applications Recover from fsync Failures?", USENIX ATC 2020).
//
// Sectors themselves are atomic. Not modelled: changes of names in one directory that overtake each other (ext2, and
// btrfs in part), stale blocks of other files in a file that has grown (data=writeback), and media that lose or change
// what was synced. The table of such properties over file systems is in Pillai et al., "All File Systems Are Not Created
// Equal" (ALICE), OSDI 2014; Bornholt et al., "Specifying and Checking File System Crash-Consistency Models", ASPLOS
// 2016, treats them as litmus tests.

// CutKind is a kind of crash.
type CutKind int

// The crashes.
const (
	// CutKill ends the process between two operations: everything written stays.
	CutKill CutKind = iota
	// CutKillTorn ends the process in the middle of the operation behind Op: if that is a write of more than a page, some of
	// its pages have been written; otherwise it is CutKill.
	CutKillTorn
	// CutLost is a power cut after which nothing is left that was not synced.
	CutLost
	// CutNames is a power cut that has kept all names and no contents: the empty file behind a rename without Sync.
	CutNames
	// CutContents is a power cut that has kept all contents and no names.
	CutContents
	// CutRandom is a power cut that has kept something of the rest, chosen by Seed.
	CutRandom
)

var cutNames = [...]string{"kill", "kill within a write", "power cut, all un-synced lost", "power cut, names kept",
	"power cut, contents kept", "power cut"}

func (k CutKind) String() string { return cutNames[k] }

// Cut is a crash: it leads to the same state each time.
type Cut struct {
	Op   int // the number of operations that were done before (Mem.Count)
	Kind CutKind
	Seed uint64 // CutRandom, CutKillTorn
}

func (c Cut) String() string {
	return fmt.Sprintf("%v behind operation %d, seed %d", c.Kind, c.Op, c.Seed)
}

// CrashAt is the file system as it is found after a crash: all of it durable, nothing open or locked, nothing recorded.
// The Mem itself goes on. It panics if the number of operations is before the last Forget or behind Count.
func (m *Mem) CrashAt(c Cut) *Mem {
	d, log, first := m.record()
	for i := range log[:c.Op-first] {
		d.apply(&log[i])
	}
	return newMem(d.crash(c, log[c.Op-first:]))
}

// Crashes goes through crashes behind every operation recorded so far, from none to all: each kind once, and CutRandom so
// many times with seeds that depend on seed. Operations that come meanwhile are not seen.
func (m *Mem) Crashes(seed uint64, random int) iter.Seq2[Cut, *Mem] {
	return func(yield func(Cut, *Mem) bool) {
		d, log, first := m.record()
		for i := 0; ; i++ {
			for kind := CutKill; int(kind) < int(CutRandom)+random; kind++ {
				c := Cut{Op: first + i, Kind: min(kind, CutRandom), Seed: seed + uint64(max(kind-CutRandom, 0))}
				if !yield(c, newMem(d.crash(c, log[i:]))) {
					return
				}
			}
			if i == len(log) {
				return
			}
			d.apply(&log[i])
		}
	}
}

// record is a copy of the first state, what was done from there, and the number of operations before.
func (m *Mem) record() (*disk, []Op, int) {
	m.mu.Lock()
	defer m.mu.Unlock()
	return m.mu.start.clone(), m.mu.log, m.mu.first
}

// crash is the disk that is found after a crash; what comes next would have been done.
func (d *disk) crash(c Cut, next []Op) *disk {
	rng := rand.New(rand.NewPCG(c.Seed, uint64(c.Op)))
	if c.Kind == CutKill || c.Kind == CutKillTorn {
		if c.Kind == CutKillTorn && len(next) > 0 && next[0].Kind == OpWrite {
			if torn := tornByKill(&next[0], rng); torn != nil {
				d = d.clone()
				d.apply(torn)
			}
		}
		return d.image(func(n *node) map[string]int { return n.names }, func(n *node) content { return n.now.share() })
	}
	cuts := d.cutNames(c.Kind, rng)
	return d.image(
		func(n *node) map[string]int {
			names := maps.Clone(n.safeNames)
			for i := range n.pendNames[:cuts[n]] {
				n.pendNames[i].do(names)
			}
			return names
		},
		func(n *node) content { return n.cutContent(c.Kind, rng) })
}

const page = 4096

// tornByKill is a part of a write that ends at a border of pages of the file, or nil for a write within one page.
func tornByKill(op *Op, rng *rand.Rand) *Op {
	last := op.Off + op.Size - 1
	borders := last/page - op.Off/page // within the write
	if borders == 0 {
		return nil
	}
	torn := *op
	torn.Size = (op.Off/page+1+rng.Int64N(borders))*page - op.Off
	torn.data = op.data[:torn.Size]
	return &torn
}

// image is a disk with what can be reached from the root, all of it durable.
func (d *disk) image(names func(*node) map[string]int, bytes func(*node) content) *disk {
	to := &disk{nodes: map[int]*node{}, last: d.last}
	for todo := []int{root}; len(todo) > 0; {
		id := todo[0]
		todo = todo[1:]
		if to.nodes[id] != nil {
			continue
		}
		from := d.nodes[id]
		n := &node{dir: from.dir, perm: from.perm, time: from.time}
		to.nodes[id] = n
		if !n.dir {
			n.safe = bytes(from)
			n.now = n.safe.share()
			continue
		}
		n.safeNames = maps.Clone(names(from))
		n.names = maps.Clone(n.safeNames)
		for _, key := range slices.Sorted(maps.Keys(n.names)) { // in order, so that a seed means the same each time
			todo = append(todo, n.names[key])
		}
	}
	return to
}

// cutNames is how many of the changes that are not synced each directory keeps.
func (d *disk) cutNames(kind CutKind, rng *rand.Rand) map[*node]int {
	cuts := map[*node]int{}
	for _, id := range slices.Sorted(maps.Keys(d.nodes)) {
		n := d.nodes[id]
		switch pending := len(n.pendNames); {
		case pending == 0:
		case kind == CutNames:
			cuts[n] = pending
		case kind == CutRandom:
			cuts[n] = cutOf(pending, rng)
		}
	}
	for changed := true; changed; { // a rename between two directories is kept by both or by neither
		changed = false
		for n, cut := range cuts {
			for i, p := range n.pendNames[:cut] {
				if p.other != 0 && !d.nodes[p.other].keeps(p.seq, cuts[d.nodes[p.other]]) {
					cuts[n] = i
					changed = true
					break
				}
			}
		}
	}
	return cuts
}

// keeps reports whether the first cut changes of names include that of an operation, or it is durable already.
func (n *node) keeps(seq, cut int) bool {
	return cut == len(n.pendNames) || seq < n.pendNames[cut].seq
}

// cutOf is a number from 0 to n, with both ends more likely than the rest.
func cutOf(n int, rng *rand.Rand) int {
	switch rng.IntN(4) {
	case 0:
		return 0
	case 1:
		return n
	}
	return rng.IntN(n + 1)
}

// cutContent is what a power cut leaves of a file.
func (n *node) cutContent(kind CutKind, rng *rand.Rand) content {
	if len(n.pend) == 0 || kind == CutLost || kind == CutNames {
		return n.safe.share()
	}
	all := len(n.pend)
	if kind == CutContents {
		return n.survive(all, 0, 1, func() int { return all })
	}
	kept := cutOf(all, rng) // changes that have reached the disk, as far as sizes go
	torn := int64(0)        // bytes of the write behind them by which the file has grown
	if kept < all {
		if size := len(n.pend[kept].data); size > 0 && rng.IntN(2) == 0 {
			torn = 1 + rng.Int64N(int64(size))
		}
	}
	sector := int64(512)
	if rng.IntN(2) == 0 {
		sector = page
	}
	switch rng.IntN(4) {
	case 0: // sizes and data have come equally far
		return n.survive(kept, torn, 1, func() int {
			if torn > 0 {
				return kept + 1
			}
			return kept
		})
	case 1: // the data stay behind: zeros
		data := rng.IntN(kept + 1)
		return n.survive(kept, torn, 1, func() int { return data })
	case 2: // each sector is old or new
		return n.survive(kept, torn, sector, func() int { return rng.IntN(2) * all })
	}
	return n.survive(kept, torn, sector, func() int { return rng.IntN(all + 1) })
}

// survive makes the content of a file whose size is that after the first kept changes, extended by torn bytes of the next
// one, and each of whose sectors holds the version of one of the changes, or the next one to it that the truncations leave
// it. A sector of 1 byte stands for the whole file: version is called once.
func (n *node) survive(kept int, torn int64, sector int64, version func() int) content {
	size := int64(len(n.safe.b))
	room := size
	for i := range n.pend {
		c := &n.pend[i]
		room = max(room, c.end())
		switch {
		case i < kept && c.truncate:
			size = c.off
		case i < kept:
			size = max(size, c.end())
		case i == kept && !c.truncate && torn > 0:
			size = max(size, c.off+torn)
		}
	}
	whole := sector == 1
	if whole {
		sector = page
	}
	versions := make([]int, (room+sector-1)/sector)
	for s := range versions {
		if !whole || s == 0 {
			versions[s] = version()
		} else {
			versions[s] = versions[0]
		}
	}
	for i := range n.pend { // a file that grows again behind a truncation does so in other blocks
		if i < kept || !n.pend[i].truncate {
			continue
		}
		for s := (n.pend[i].off + sector - 1) / sector; s < int64(len(versions)); s++ {
			versions[s] = min(versions[s], i)
		}
	}
	b := make([]byte, int64(len(versions))*sector)
	copy(b, n.safe.b)
	for i := range n.pend {
		c := &n.pend[i]
		if c.truncate {
			for s := c.off / sector; s < int64(len(versions)); s++ {
				if versions[s] > i || i < kept {
					clear(b[max(c.off, s*sector) : (s+1)*sector])
				}
			}
			continue
		}
		for at := c.off; at < c.end(); {
			s := at / sector
			end := min(c.end(), (s+1)*sector)
			if versions[s] > i {
				copy(b[at:end], c.data[at-c.off:])
			}
			at = end
		}
	}
	return content{b: b[:size:size]}
}
