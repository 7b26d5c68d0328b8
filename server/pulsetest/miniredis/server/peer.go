package server

import (
	"bufio"
	"fmt"
	"strings"
	"sync"

	"github.com/streampulse/pulse/internal/resp"
)

// Peer is a client, as hooks and handlers see it. What is written to it leaves when the command is answered, or with Flush.
type Peer struct {
	// Resp3 tells that the client has asked for RESP3.
	Resp3 bool
	// SwitchResp3, if a handler sets it, is Resp3 from the next command on.
	SwitchResp3 *bool
	// Ctx is the user's.
	Ctx any
	// ClientName is what the client calls itself.
	ClientName string

	client *client              // nil for those of NewPeer
	send   func(b []byte) error // lets bytes leave, in order; mu is held

	mu           sync.Mutex
	out          []byte // written and not sent
	busy         bool   // a command is being answered
	closing      bool
	gone         bool
	onDisconnect []func()
}

// NewPeer returns a Peer that belongs to no connection: what is written to it goes to w.
func NewPeer(w *bufio.Writer) *Peer {
	return &Peer{send: func(b []byte) error {
		if _, err := w.Write(b); err != nil {
			return err
		}
		return w.Flush()
	}}
}

// guard calls f, a hook or a handler of cmd; one that panics has answered with an error.
func (c *Peer) guard(cmd string, f func() bool) (done bool) {
	defer func() {
		if r := recover(); r != nil {
			c.WriteError(fmt.Sprintf("ERR what the test does for %s has panicked: %v", cmd, r))
			done = true
		}
	}()
	return f()
}

// learn takes note of what a command that goes to the backend says about the client.
func (c *Peer) learn(cmd string, args []string) {
	switch {
	case cmd == "HELLO" && len(args) > 0:
		c.Resp3 = args[0] == "3"
		for i := 1; i+1 < len(args); i++ {
			if strings.EqualFold(args[i], "SETNAME") {
				c.ClientName = args[i+1]
			}
		}
	case cmd == "RESET":
		c.Resp3, c.ClientName = false, ""
	case cmd == "CLIENT" && len(args) == 2 && strings.EqualFold(args[0], "SETNAME"):
		c.ClientName = args[1]
	}
}

// disconnected calls those who want to know that the connection has ended.
func (c *Peer) disconnected() {
	c.mu.Lock()
	c.gone = true
	tell := c.onDisconnect
	c.mu.Unlock()
	for _, f := range tell {
		f()
	}
}

// OnDisconnect has f called when the connection has ended.
func (c *Peer) OnDisconnect(f func()) {
	c.mu.Lock()
	defer c.mu.Unlock()
	c.onDisconnect = append(c.onDisconnect, f)
}

// Close ends the connection when the present command is answered; outside of one, at once.
func (c *Peer) Close() {
	c.mu.Lock()
	defer c.mu.Unlock()
	c.closing = true
	if c.client != nil && !c.busy {
		c.client.abort()
	}
}

// Closed reports whether the connection has ended.
func (c *Peer) Closed() bool {
	c.mu.Lock()
	defer c.mu.Unlock()
	return c.gone || c.closing
}

// Flush lets leave what was written.
func (c *Peer) Flush() {
	c.mu.Lock()
	defer c.mu.Unlock()
	c.flush()
}

func (c *Peer) flush() {
	if len(c.out) > 0 && c.send(c.out) == nil {
		c.out = c.out[:0]
	}
	if cap(c.out) > keepIn {
		c.out = nil
	}
}

// Block calls f with a Writer whose writes nobody else's come between.
func (c *Peer) Block(f func(*Writer)) {
	c.mu.Lock()
	defer c.mu.Unlock()
	f(&Writer{c})
}

// WriteError writes an error; the first word is its code.
func (c *Peer) WriteError(e string) { c.Block(func(w *Writer) { w.WriteError(e) }) }

// WriteInline writes a status.
func (c *Peer) WriteInline(s string) { c.Block(func(w *Writer) { w.WriteInline(s) }) }

// WriteOK writes the status OK.
func (c *Peer) WriteOK() { c.WriteInline("OK") }

// WriteBulk writes a string.
func (c *Peer) WriteBulk(s string) { c.Block(func(w *Writer) { w.WriteBulk(s) }) }

// WriteNull writes the absence of a value.
func (c *Peer) WriteNull() { c.Block(func(w *Writer) { w.WriteNull() }) }

// WriteLen writes the header of an array of n elements.
func (c *Peer) WriteLen(n int) { c.Block(func(w *Writer) { w.WriteLen(n) }) }

// WriteMapLen writes the header of a map of n pairs.
func (c *Peer) WriteMapLen(n int) { c.Block(func(w *Writer) { w.WriteMapLen(n) }) }

// WriteSetLen writes the header of a set of n elements.
func (c *Peer) WriteSetLen(n int) { c.Block(func(w *Writer) { w.WriteSetLen(n) }) }

// WritePushLen writes the header of a push of n elements.
func (c *Peer) WritePushLen(n int) { c.Block(func(w *Writer) { w.WritePushLen(n) }) }

// WriteInt writes an integer.
func (c *Peer) WriteInt(n int) { c.Block(func(w *Writer) { w.WriteInt(n) }) }

// WriteFloat writes a floating point number.
func (c *Peer) WriteFloat(n float64) { c.Block(func(w *Writer) { w.WriteFloat(n) }) }

// WriteRaw writes bytes as they are.
func (c *Peer) WriteRaw(s string) { c.Block(func(w *Writer) { w.WriteRaw(s) }) }

// WriteStrings writes an array of strings.
func (c *Peer) WriteStrings(strs []string) { c.Block(func(w *Writer) { w.WriteStrings(strs) }) }

// Writer writes to a Peer, for as long as Block lasts.
type Writer struct{ peer *Peer }

// reply appends one reply, or the header of one, in the client's protocol.
func (w *Writer) reply(f func(w *resp.Writer)) {
	var b resp.Writer
	if w.peer.Resp3 {
		b.SetProto(3)
	}
	f(&b)
	w.peer.out = append(w.peer.out, b.Bytes()...)
}

// Flush lets leave what was written.
func (w *Writer) Flush() { w.peer.flush() }

// WriteError writes an error; the first word is its code.
func (w *Writer) WriteError(e string) { w.reply(func(b *resp.Writer) { b.Error(e) }) }

// WriteInline writes a status.
func (w *Writer) WriteInline(s string) { w.reply(func(b *resp.Writer) { b.Simple(s) }) }

// WriteBulk writes a string.
func (w *Writer) WriteBulk(s string) { w.reply(func(b *resp.Writer) { b.BulkString(s) }) }

// WriteNull writes the absence of a value.
func (w *Writer) WriteNull() { w.reply(func(b *resp.Writer) { b.Null() }) }

// WriteLen writes the header of an array of n elements.
func (w *Writer) WriteLen(n int) { w.reply(func(b *resp.Writer) { b.Array(n) }) }

// WriteMapLen writes the header of a map of n pairs.
func (w *Writer) WriteMapLen(n int) { w.reply(func(b *resp.Writer) { b.Map(n) }) }

// WriteSetLen writes the header of a set of n elements.
func (w *Writer) WriteSetLen(n int) { w.reply(func(b *resp.Writer) { b.Set(n) }) }

// WritePushLen writes the header of a push of n elements.
func (w *Writer) WritePushLen(n int) { w.reply(func(b *resp.Writer) { b.Push(n) }) }

// WriteInt writes an integer.
func (w *Writer) WriteInt(n int) { w.reply(func(b *resp.Writer) { b.Int(int64(n)) }) }

// WriteFloat writes a floating point number.
func (w *Writer) WriteFloat(n float64) { w.reply(func(b *resp.Writer) { b.Double(n) }) }

// WriteRaw writes bytes as they are.
func (w *Writer) WriteRaw(s string) { w.peer.out = append(w.peer.out, s...) }

// WriteStrings writes an array of strings.
func (w *Writer) WriteStrings(strs []string) {
	w.WriteLen(len(strs))
	for _, s := range strs {
		w.WriteBulk(s)
	}
}
