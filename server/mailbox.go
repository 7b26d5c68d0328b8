package server

import (
	"slices"
	"sync"

	"github.com/streampulse/pulse/server/pubsub"
	"github.com/streampulse/pulse/server/tracking"
)

// note is something that others want a session's owner to do.
type note struct {
	kind  noteKind
	bytes []byte // of noteReply
	late  []byte // of noteReply: pushes that follow it
	push  *pubsub.Message

	keys       *tracking.Message // of noteInvalidate
	redirected bool              // of noteInvalidate: they are another client's
	redirect   int64             // of noteRedirection: the client that is gone
}

type noteKind uint8

const (
	noteReply       noteKind = iota // the reply of a command that waited; input goes on
	notePush                        // a message of a publisher
	noteLine                        // of bytes: a line for one who looks on
	noteEvict                       // clients take more memory than they may
	noteInvalidate                  // keys that the client may have cached have changed
	noteRedirection                 // who was to be told that is gone
	noteResume                      // a pause is over
	noteClose                       // after what is already answered
	noteDurable                     // replies that wait for the disk may be due
	noteIdle                        // look whether the client has been idle for too long
	noteMark                        // of redirect, its number: somebody waits for the session to come here (rest.go)
)

// mailbox holds notes in the order they came.
type mailbox struct {
	mu    sync.Mutex
	notes []note
	shut  bool // the session is gone: notes are dropped
}

// put adds n; first tells that the box was empty, so that the owner must be told.
func (m *mailbox) put(n note) (first bool) {
	m.mu.Lock()
	defer m.mu.Unlock()
	if m.shut {
		return false
	}
	m.notes = append(m.notes, n)
	return len(m.notes) == 1
}

// putFirst is put, but n comes before what is there: a reply that was made before others could do what led to those notes.
func (m *mailbox) putFirst(n note) {
	m.mu.Lock()
	defer m.mu.Unlock()
	if !m.shut {
		m.notes = slices.Insert(m.notes, 0, n)
	}
}

func (m *mailbox) take() []note {
	m.mu.Lock()
	defer m.mu.Unlock()
	ns := m.notes
	m.notes = nil
	return ns
}

// close drops all notes, and calls passed for the numbers of marks among them.
func (m *mailbox) close(passed func(mark int64)) {
	m.mu.Lock()
	defer m.mu.Unlock()
	m.dropMarks(passed)
	m.shut, m.notes = true, nil
}

// putMark adds a mark. It reports false if the session is gone; otherwise the owner must be told: it may have been told of
// other notes to no avail.
func (m *mailbox) putMark(n note) bool {
	m.mu.Lock()
	defer m.mu.Unlock()
	if !m.shut {
		m.notes = append(m.notes, n)
	}
	return !m.shut
}

// takeMarks takes the marks out and calls passed for each of their numbers.
func (m *mailbox) takeMarks(passed func(mark int64)) {
	m.mu.Lock()
	defer m.mu.Unlock()
	m.dropMarks(passed)
}

// dropMarks is takeMarks with mu held.
func (m *mailbox) dropMarks(passed func(mark int64)) {
	m.notes = slices.DeleteFunc(m.notes, func(n note) bool {
		if n.kind == noteMark {
			passed(n.redirect)
		}
		return n.kind == noteMark
	})
}
