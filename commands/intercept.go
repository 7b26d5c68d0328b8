package commands

// Interceptor looks at a request of a connection before anything else does; spec is nil if there is no such command. It is
// called on the connection's loop, under its gate, and not for commands that EXEC, a script or the server itself runs. nil
// lets the request go on; Later and Answered say what they say; any other error is the reply.
type Interceptor func(spec *Spec, args [][]byte) error

const (
	// Later is returned by an Interceptor that wants to be offered the request again: the session is told to go on.
	Later = errPostponed
	// Answered is returned by an Interceptor that has written the reply, if any, to the Out of the connection.
	Answered = sentinel("the request was answered")
)
