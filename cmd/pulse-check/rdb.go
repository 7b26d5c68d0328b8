package main

import (
	"encoding/binary"
	"errors"
	"fmt"
	"hash/maphash"
	"io"
	"path/filepath"

	"github.com/streampulse/pulse/internal/vfs"
	"github.com/streampulse/pulse/persistence/rdb"
	"github.com/streampulse/pulse/store"
	"github.com/streampulse/pulse/store/codec"
)

// limits are those of a server without configuration.
var limits = func() codec.Limits {
	l := store.DefaultLimits()
	return l.Codec()
}()

// endsAt returns where the RDB file ends that src begins with; -1 if that cannot be said.
func (c *checker) endsAt(src io.ReadSeeker) int64 {
	if _, err := src.Seek(0, io.SeekStart); err != nil {
		return -1
	}
	put := func(int, int, []byte, codec.Value, int64, rdb.Meta) error { return nil }
	res, err := rdb.NewReader(src).Load(rdb.Options{Limits: limits, Put: put, Bad: func(*rdb.Error) error { return nil }})
	if err != nil {
		return -1
	}
	return res.Size
}

// dump checks an RDB file.
func (c *checker) dump(path string) error {
	_, err := c.examine(path, filepath.Base(path), false)
	if err != errSaid || !c.fix {
		return err
	}
	return c.salvage(path)
}

// examine prints what an RDB file holds and what is wrong with it, and returns where it ends. If more may follow, that is
// the beginning of an append-only file.
func (c *checker) examine(path, name string, more bool) (end int64, err error) {
	f, err := c.fs.Open(path)
	if err != nil {
		return 0, cannot(path, err)
	}
	defer f.Close()
	c.say("[offset 0] Checking RDB file %s", name)
	s, _ := rdb.Check(f, c.now().UnixMilli(), func(offset int64, line string) {
		c.say("[offset %d] %s", offset, line)
	})
	wrong := s.Errors
	if n := len(wrong); more && n > 0 && errors.Is(wrong[n-1], rdb.ErrTrailing) {
		wrong = wrong[:n-1]
	}
	if len(wrong) > 0 {
		c.say("--- RDB ERROR DETECTED ---")
		for _, e := range wrong {
			c.say("[offset %d] %v", e.Offset, e)
		}
	} else {
		c.say("[offset %d] \\o/ RDB looks OK! \\o/", s.Size)
	}
	c.say("[info] %d keys read", s.Keys+s.Empty)
	c.say("[info] %d expires", s.Expires)
	c.say("[info] %d already expired", s.Expired)
	if len(wrong) > 0 {
		return 0, errSaid
	}
	return s.Size, nil
}

// salvage writes the keys of an RDB file that can be read to a new one.
func (c *checker) salvage(path string) error {
	name := c.aside(path, "repaired")
	c.say("All keys that can be read will be written to %s; %s stays as it is", name, path)
	if !c.agreed() {
		return errSaid
	}
	kept, lost := int64(0), int64(0)
	write := func(version int) error {
		return vfs.Replace(c.fs, name, name+".tmp", 0o644, func(out vfs.File) (err error) {
			kept, lost, err = c.copyKeys(path, out, version)
			return err
		})
	}
	err := write(codec.Version70)
	if errors.Is(err, rdb.ErrNeedsVersion) {
		err = write(codec.Version74)
	}
	if err != nil {
		return fmt.Errorf("%s could not be written: %w", name, err)
	}
	c.say("Successfully wrote %d keys to %s; %d keys were left out", kept, name, lost)
	return nil
}

// copyKeys writes an RDB file with the keys of another. lost counts those whose end was found: of what is behind a place
// that makes no sense nothing is known.
func (c *checker) copyKeys(path string, dst io.Writer, version int) (kept, lost int64, err error) {
	f, err := c.fs.Open(path)
	if err != nil {
		return 0, 0, err
	}
	defer f.Close()
	out := rdb.NewWriter(dst, rdb.Config{Version: version, Compress: true, Info: rdb.Info{Version: "7.4.1", Created: c.now().Unix()}})
	seed, seen := maphash.MakeSeed(), map[[2]uint64]struct{}{}
	var scratch []byte
	res, _ := rdb.Load(f, rdb.Options{ // what is wrong has been said
		Limits: limits,
		Put: func(_, db int, key []byte, v codec.Value, at int64, m rdb.Meta) error {
			scratch = append(binary.AppendUvarint(scratch[:0], uint64(db)), key...)
			sum := [2]uint64{maphash.Bytes(seed, scratch), uint64(len(scratch))}
			if _, twice := seen[sum]; twice {
				lost++
				return nil
			}
			seen[sum] = struct{}{}
			kept++
			out.Key(db, key, v, at, m)
			return out.Err()
		},
		Bad:      func(*rdb.Error) error { return nil },
		Function: func(code []byte) error { out.Function(code); return out.Err() },
	})
	return kept, lost + res.Bad, errors.Join(out.Err(), out.Close())
}
