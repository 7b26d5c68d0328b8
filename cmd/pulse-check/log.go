package main

import (
	"bytes"
	"io"
	"path/filepath"

	"github.com/streampulse/pulse/persistence/aof"
)

// manifest checks all files that a manifest names.
func (c *checker) manifest(path string) error {
	c.say("Start checking Multi Part AOF")
	parts, err := aof.Parts(c.fs, path)
	if err != nil {
		return err
	}
	if len(parts) == 0 {
		c.say("The manifest %s names no files", path)
		return nil
	}
	increments := false
	for i, p := range parts {
		kind := "BASE AOF"
		switch {
		case p.Base:
			format := "AOF"
			if f, err := c.fs.Open(p.Path); err == nil {
				if isDump(f) {
					format = "RDB"
				}
				f.Close()
			}
			c.say("Start to check BASE AOF (%s format).", format)
		default:
			kind = "INCR AOF"
			if !increments {
				c.say("Start to check INCR files.")
			}
			increments = true
		}
		if err := c.log(p.Path, kind, c.last(parts[i+1:])); err != nil {
			return err
		}
	}
	c.say("All AOF files and manifest are valid")
	return nil
}

// last reports whether there is nothing in the files that follow: only then may a file end too early.
func (c *checker) last(rest []aof.Part) bool {
	for _, p := range rest {
		if a, err := aof.Analyze(c.fs, p.Path, 0); err != nil || a.Commands > 0 || a.Damage != nil {
			return false
		}
	}
	return true
}

func isDump(f io.Reader) bool {
	var head [5]byte
	_, err := io.ReadFull(f, head[:])
	return err == nil && bytes.Equal(head[:], []byte("REDIS"))
}

// log checks an append-only file; kind is how it is called, and last that no other one follows.
func (c *checker) log(path, kind string, last bool) error {
	name := filepath.Base(path)
	f, err := c.fs.Open(path)
	if err != nil {
		return cannot(path, err)
	}
	size, err := f.Size()
	dump := isDump(f)
	f.Close()
	switch {
	case err != nil:
		return cannot(path, err)
	case size == 0:
		c.say("%s %s is empty", kind, name)
		return nil
	}
	start := int64(0)
	if dump {
		if start, err = c.examine(path, name, true); err != nil {
			if c.fix {
				c.say("The RDB file at the beginning of %s cannot be repaired here", name)
			}
			return err
		}
		c.say("RDB preamble is OK, proceeding with AOF tail...")
	}
	a, err := aof.Analyze(c.fs, path, start)
	if err != nil {
		return err
	}
	if d := a.Damage; d != nil {
		c.say("0x%16x: %s", d.Offset, d.What)
	}
	if c.until >= 0 {
		return c.truncate(path, name, kind, start, a, last)
	}
	c.say("AOF analyzed: filename=%s, size=%d, ok_up_to=%d, ok_up_to_line=%d, diff=%d", name, a.Size, a.UpTo, a.Line, a.Size-a.UpTo)
	if a.Damage == nil {
		c.say("%s %s is valid", kind, name)
		return nil
	}
	switch {
	case a.Torn && last:
		c.say("The file ends within what was being written when its server stopped: a server would cut that off by itself (aof-load-truncated)")
	default:
		c.say("This is no end that a crash leaves behind: no server loads the file")
	}
	if !c.fix {
		c.say("%s %s is not valid. Use the --fix option to try fixing it.", kind, name)
		return errSaid
	}
	return c.cut(path, name, a, last)
}

// cut takes off what is wrong with the end of a file.
func (c *checker) cut(path, name string, a aof.Analysis, last bool) error {
	if !last {
		c.say("Failed to truncate AOF %s because it is not the last file", name)
		return errSaid
	}
	saved := c.aside(path, "cut")
	c.say("This will shrink the AOF %s from %d bytes, with %d bytes, to %d bytes", name, a.Size, a.Size-a.UpTo, a.UpTo)
	c.say("About %d commands can still be read in what is cut off. It will be kept in %s", a.Lost, saved)
	if !c.agreed() {
		return errSaid
	}
	if err := aof.CutOff(c.fs, path, aof.Place{Offset: a.UpTo, Frame: a.UpTo}, saved); err != nil {
		c.say("Failed to truncate AOF %s: %v", name, err)
		return errSaid
	}
	c.say("Successfully truncated AOF %s", name)
	return nil
}

// truncate takes off what was written after a time.
func (c *checker) truncate(path, name, kind string, start int64, a aof.Analysis, last bool) error {
	p, ok, err := aof.After(c.fs, path, start, a.UpTo, c.until)
	switch {
	case err != nil:
		return err
	case !ok && a.Damage != nil:
		c.say("%s %s is not valid. Use the --fix option to try fixing it.", kind, name)
		return errSaid
	case !ok:
		c.say("Truncate nothing in AOF %s to timestamp %d", name, c.until)
		c.say("%s %s is valid", kind, name)
		return nil
	case p.Offset == 0:
		c.say("AOF %s has nothing before timestamp %d, aborting...", name, c.until)
		return errSaid
	case !last:
		c.say("Failed to truncate AOF %s to timestamp %d to offset %d because it is not the last file.", name, c.until, p.Offset)
		c.say("If you insist, please delete all files after this file according to the manifest file and delete the corresponding records in manifest file manually. Then re-run this tool.")
		return errSaid
	}
	saved := c.aside(path, "cut")
	if err := aof.CutOff(c.fs, path, p, saved); err != nil {
		c.say("Failed to truncate AOF %s to timestamp %d: %v", name, c.until, err)
		return errSaid
	}
	c.say("Successfully truncated AOF %s to timestamp %d", name, c.until)
	c.say("What came later is kept in %s", saved)
	return nil
}
