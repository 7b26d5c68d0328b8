package server

// Front is what a connection implements, beside net.Conn, that passes on the bytes of a client and puts requests of its own among
// them: to write something to the client in its order among the replies, or to learn that all requests before it were answered.
type Front interface {
	// Answer is shown every request of the connection, before anything else sees it. With ok it was one of its own, and reply is
	// what the client gets: bytes of the protocol, which may be none. It is called by one goroutine at a time, and must neither
	// keep args nor wait for the server.
	Answer(args [][]byte) (reply []byte, ok bool)
}
