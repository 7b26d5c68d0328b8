package server

import (
	"errors"
	"fmt"
	"io"
	"os"
	"path/filepath"
	"strconv"
	"time"

	"github.com/streampulse/pulse/commands"
	"github.com/streampulse/pulse/internal/vfs"
	"github.com/streampulse/pulse/persistence/rdb"
	"github.com/streampulse/pulse/store/codec"
)

// export is what a client gets that wants the data as an RDB file. It is written into a temporary file first, so that a
// client that reads slowly holds nothing but that file: a snapshot that is not written at the disk's pace costs memory for
// every key that changes.
type export struct {
	commands.Export
	header string
}

// exportBeat is how often a client is told that its file is still being written.
const exportBeat = time.Second

// Export implements commands.Replicas.
func (s env) Export(c *commands.Conn, e commands.Export, header string) error {
	if s.files.dir == "" {
		return commands.ErrNoFiles
	}
	c.Session.(*session).export = &export{e, header}
	return nil
}

// ReplicationID implements commands.Replicas.
func (s env) ReplicationID() string { return *s.replID.Load() }

// export sends what the session's client has asked for and closes the connection.
func (t *stream) export(s *session) {
	e := s.export
	t.srv.log.Noticef("Client %s asks for the data", s.conn.Addr)
	if !t.send(s, []byte(e.header)) {
		t.lost = true
		return
	}
	f, err := t.await(s, e)
	if f != nil {
		defer t.srv.files.drop(f)
		if err == nil {
			err = t.copy(s, f)
		}
	}
	if err != nil {
		t.srv.log.Warningf("Sending the data to %s: %v", s.conn.Addr, err)
	} else {
		t.srv.log.Noticef("The data have been sent to %s", s.conn.Addr)
	}
	s.conn.Closing = true
}

var errClientGone = errors.New("the client has gone")

// await waits for the file. An empty line now and then keeps the connection alive meanwhile.
func (t *stream) await(s *session, e *export) (f vfs.File, err error) {
	type result struct {
		vfs.File
		error
	}
	made := make(chan result, 1)
	go func() {
		f, err := t.srv.files.export(s.conn.ID, e)
		made <- result{f, err}
	}()
	beat := time.NewTicker(exportBeat)
	defer beat.Stop()
	for {
		select {
		case r := <-made:
			if r.error == nil && (t.lost || s.conn.Closing) {
				r.error = errClientGone
			}
			return r.File, r.error
		case <-beat.C:
			t.lost = t.lost || !t.send(s, []byte("\n"))
		case <-t.work:
			t.step(s, nil)
		}
	}
}

// copy sends the file at the pace at which the client reads.
func (t *stream) copy(s *session, f vfs.File) error {
	size, err := f.Size()
	if err != nil {
		return err
	}
	t.lost = !t.send(s, fmt.Appendf(nil, "$%d\r\n", size))
	chunk := make([]byte, streamBacklog)
	for left := size; left > 0; {
		if t.lost || s.conn.Closing {
			return errClientGone
		}
		if !t.room() {
			<-t.work // the writer knocks
			t.step(s, nil)
			continue
		}
		n, err := io.ReadFull(f, chunk[:min(left, int64(len(chunk)))])
		if err != nil {
			return fmt.Errorf("%d bytes before the end: %w", left, err)
		}
		left -= int64(n)
		t.lost = !t.send(s, chunk[:n])
	}
	return nil
}

// export writes the file; the caller drops it.
func (p *files) export(client int64, e *export) (vfs.File, error) {
	if err := p.await("export"); err != nil {
		return nil, err
	}
	defer p.release()
	name := filepath.Join(p.rdbDir(), "temp-sync-"+strconv.Itoa(pid())+"."+strconv.FormatInt(client, 10)+".rdb")
	f, err := p.fs.OpenFile(name, os.O_RDWR|os.O_CREATE|os.O_TRUNC, 0o600)
	if err != nil {
		return nil, err
	}
	var sn *snapshot
	p.inLane(func(l commands.Lane) { sn, err = p.begin(l, false, nil) })
	if err == nil {
		defer sn.end()
		if e.NoFunctions {
			sn.libraries = nil
		}
		if e.NoKeys {
			err = sn.writeFunctions(f)
		} else {
			err = sn.write(p, f, false, f.SyncData)
		}
	}
	if err == nil {
		_, err = f.Seek(0, io.SeekStart)
	}
	return f, err
}

// writeFunctions writes an RDB file without keys.
func (sn *snapshot) writeFunctions(w io.Writer) error {
	out := rdb.NewWriter(w, rdb.Config{Version: codec.Version70, Info: rdb.Info{Version: commands.RedisVersion, Created: sn.Time / 1000}})
	for _, code := range sn.libraries {
		out.Function([]byte(code))
	}
	return out.Close()
}

// drop takes a temporary file away.
func (p *files) drop(f vfs.File) {
	_ = f.Close() // it was read to where it was wanted
	if err := p.fs.Remove(f.Name()); err != nil {
		p.srv.log.Warningf("Removing a temporary file: %v", err)
	}
}
