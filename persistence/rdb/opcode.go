package rdb

import (
	"encoding/binary"
	"errors"
	"fmt"
	"math"
	"strconv"

	"github.com/streampulse/pulse/store/codec"
)

// opcode reads what is not a key.
func (r *Reader) opcode(op byte) error {
	doing := "what follows opcode " + strconv.Itoa(int(op))
	var m scanner
	m.reset(shapes[op])
	for at := 1; ; {
		next, size, err := m.scan(r.b.buf[r.pos:], at)
		at = next
		switch {
		case err != nil:
			return r.wrong(err, at, doing)
		case size > r.longest:
			// A library of functions, if it is not a lie.
			if err := r.stream(func(c *codec.Reader) error { return r.obey(op, c) }); err != nil {
				if e := (*Error)(nil); errors.As(err, &e) {
					e.Doing = doing
				}
				return err
			}
			r.trace(op)
			return nil
		case size > 0:
			if err := r.fill(size); err != nil {
				return r.wrong(err, at, doing)
			}
			continue
		}
		r.parts.Reset(r.b.buf[r.pos+1 : r.pos+at])
		if err := r.obey(op, &r.parts); err != nil {
			return r.wrong(err, 0, doing)
		}
		r.pos += at
		r.trace(op)
		return nil
	}
}

// obey does what an opcode asks for, whose arguments c has.
func (r *Reader) obey(op byte, c *codec.Reader) error {
	o := r.opt
	switch op {
	case opSlotInfo: // slot, its keys and those of them with deadlines
		c.Length()
		c.Length()
		c.Length()
	case opFunctionOld:
		return codec.Corrupt("functions in the form of a release candidate of Redis 7.0")
	case opModuleAux:
		if id := c.Length(); c.Err() == nil {
			return ModuleError{Name: moduleName(id), Aux: true}
		}
	case opIdle:
		r.next.access, r.next.used = Idle, c.Length()
	case opFreq:
		r.next.access, r.next.used = Frequency, uint64(c.Byte())
	case opDeadlineMs:
		if r.next.deadline = int64(c.Uint64()); r.next.deadline == -1 {
			r.next.deadline = Forever
		}
	case opDeadline:
		if b := c.Take(4); b != nil {
			r.next.deadline = int64(int32(binary.LittleEndian.Uint32(b))) * 1000
		}
	case opSelect:
		if db := c.Length(); c.Err() == nil {
			return r.choose(db)
		}
	case opResize:
		keys, expires := c.Length(), c.Length()
		if c.Err() == nil && o.Resize != nil {
			return o.Resize(int(r.next.db), keys, expires)
		}
	case opAux:
		name := c.Blob()
		value := c.Blob()
		if c.Err() == nil && o.Aux != nil {
			return o.Aux(name, value)
		}
	case opFunction:
		code := c.Blob()
		if c.Err() == nil {
			r.res.Functions++
			if o.Function != nil {
				return o.Function(code)
			}
		}
	}
	return c.Err()
}

// choose makes db the database of the keys that follow.
func (r *Reader) choose(db uint64) error {
	most := uint64(math.MaxInt32)
	if r.opt.Databases > 0 {
		most = uint64(r.opt.Databases)
	}
	if db >= most {
		return fmt.Errorf("Data file was created with a Redis server configured to handle more than %d databases", most)
	}
	r.next.db = int32(db)
	return nil
}

// trace tells of an opcode that was obeyed, behind the keys in front of it.
func (r *Reader) trace(op byte) {
	if r.opt.trace == nil {
		return
	}
	if err := r.l.workers[0].batch(r.b); err != nil {
		r.l.fail(err)
	}
	r.b.keys = r.b.keys[:0]
	r.opt.trace(r.offset(), op, int(r.next.db))
}

// finish reads the end and verifies the checksum.
func (r *Reader) finish() error {
	size := 1
	if r.res.Version >= sumVersion {
		size += footerSize
	}
	if err := r.fill(size); err != nil {
		return r.wrong(err, 1, "the checksum")
	}
	r.account(r.pos + 1)
	if size > 1 && !r.opt.NoChecksum {
		want := binary.LittleEndian.Uint64(r.b.buf[r.pos+1:])
		if want != 0 && want != r.sum {
			return r.wrong(fmt.Errorf("%w: expected %016x, got %016x", ErrChecksum, want, r.sum), 1, "the checksum")
		}
		r.res.Verified = want != 0
	}
	r.pos += size
	r.res.Size = r.offset()
	if len(r.b.keys) > 0 {
		if err := r.hand(r.b.buf[r.pos:]); err != nil {
			return err
		}
		r.b.base, r.pos = r.res.Size, 0
	}
	if r.opt.Progress != nil {
		return r.opt.Progress(r.res.Size)
	}
	return nil
}
