package tracking

import "strconv"

// Channel is where a connection of version 2 of the protocol that subscribes to something gets the invalidations of another.
const Channel = "__redis__:invalidate"

// Message is the keys that some clients must let go. It is immutable and may be read concurrently.
type Message struct{ keys []byte }

// nothingLeft tells to let go of everything.
var nothingLeft = &Message{}

func newMessage(keys ...string) *Message {
	n := 32
	for _, k := range keys {
		n += len(k) + 16
	}
	b := append(make([]byte, 0, n), '*')
	b = strconv.AppendInt(b, int64(len(keys)), 10)
	b = append(b, "\r\n"...)
	for _, k := range keys {
		b = append(b, '$')
		b = strconv.AppendInt(b, int64(len(k)), 10)
		b = append(b, "\r\n"...)
		b = append(b, k...)
		b = append(b, "\r\n"...)
	}
	return &Message{b}
}

var (
	pushHead    = []byte(">2\r\n$10\r\ninvalidate\r\n")
	pushNull    = []byte("_\r\n")
	publishHead = []byte("*3\r\n$7\r\nmessage\r\n$20\r\n" + Channel + "\r\n")
	publishNull = []byte("$-1\r\n")
)

// Push is the message as a push of version 3 of the protocol, in two pieces, which must not be changed.
func (m *Message) Push() (head, body []byte) {
	if m.keys == nil {
		return pushHead, pushNull
	}
	return pushHead, m.keys
}

// Publication is the message as a publication to Channel in version 2 of the protocol, in two pieces, which must not be changed.
func (m *Message) Publication() (head, body []byte) {
	if m.keys == nil {
		return publishHead, publishNull
	}
	return publishHead, m.keys
}

// BrokenRedirection is the push that tells that the client with the number id, which was to get invalidations, is gone.
func BrokenRedirection(id int64) []byte {
	b := append(make([]byte, 0, 64), ">2\r\n$21\r\ntracking-redir-broken\r\n:"...)
	return append(strconv.AppendInt(b, id, 10), "\r\n"...)
}
