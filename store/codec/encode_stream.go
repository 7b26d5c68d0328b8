package codec

import (
	"encoding/binary"

	"github.com/streampulse/pulse/store/listpack"
	"github.com/streampulse/pulse/store/stream"
)

// idSize is the size in bytes of an id that is not written as two lengths: eight for each half, the highest first, so
// that ids sort as their bytes do.
const idSize = 16

// stream writes the nodes as they are, what a stream knows beside its entries, and its groups.
func (w *Writer) stream(s *stream.Stream) {
	w.Length(uint64(s.Nodes()))
	s.EachNode(func(base stream.ID, node listpack.Listpack) bool {
		w.Length(idSize)
		w.rawID(base)
		w.Text(node)
		return w.err == nil
	})
	w.Length(uint64(s.Len()))
	w.id(s.Last())
	w.id(s.First())
	w.id(s.MaxDeleted())
	w.Length(s.Added())
	w.Length(uint64(s.NumGroups()))
	for g := range s.Groups() {
		w.group(g)
	}
}

// group writes the pending entries twice: those of the group with all that is known of them but their owner, those of each
// consumer as ids.
func (w *Writer) group(g *stream.Group) {
	w.Text(g.Name())
	w.id(g.Last)
	w.Length(uint64(g.Read))
	w.Length(uint64(g.NumPending()))
	for it := g.PendingRange(stream.MinID, stream.MaxID); it.Next(); {
		p := it.At()
		w.rawID(p.ID)
		w.Uint64(uint64(p.Delivered))
		w.Length(p.Count)
	}
	w.Length(uint64(g.NumConsumers()))
	for c := range g.Consumers() {
		w.Text(c.Name())
		w.Uint64(uint64(c.Seen))
		if w.Version >= Version72 {
			w.Uint64(uint64(c.Active))
		}
		w.Length(uint64(c.NumPending()))
		for it := c.PendingRange(stream.MinID, stream.MaxID); it.Next(); {
			w.rawID(it.At().ID)
		}
	}
}

// id writes an id as two lengths.
func (w *Writer) id(id stream.ID) {
	w.Length(id.Ms)
	w.Length(id.Seq)
}

func (w *Writer) rawID(id stream.ID) {
	w.buf = binary.BigEndian.AppendUint64(w.buf, id.Ms)
	w.buf = binary.BigEndian.AppendUint64(w.buf, id.Seq)
	w.full()
}
